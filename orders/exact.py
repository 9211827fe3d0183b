"""Decimal arithmetic that never rounds a balance.

Python's default context keeps 28 significant digits; exchanges tell balances with up to 20 decimals, so that a large one
would lose its end in a sum. Whoever runs the program enters this context; the tasks started inside inherit it.
"""

from __future__ import annotations

from decimal import Context

# 60 digits hold any sum or product of prices, quantities and fees that an exchange can state.
EXACT = Context(prec=60)
