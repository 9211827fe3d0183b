"""Decimal arithmetic that never rounds. Decimal's default context silently keeps 28 digits; money may need more."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

# Far more digits than any exchange writes, so that only a bug can run out of them; then it raises instead of rounding.
EXACT = Context(prec=400, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])

# For the code between the exact steps, entered once by whoever runs the program and inherited by its tasks: divisions may
# round, sums and products of what exchanges state do not (balances have up to 20 decimals).
PRECISE = Context(prec=60)


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """
    Raises:
        ArithmeticError: the sum has more than 400 digits.
    """
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


def exact_product(left: Decimal, right: Decimal) -> Decimal:
    """
    Raises:
        ArithmeticError: the product has more than 400 digits.
    """
    return EXACT.multiply(left, right)
