"""STRATEGY: the cycle actor, its controllers (which decide, purely) and the executor (which carries out).

Imports `market`, `orders` and `actors.channels`; only `assembly` imports it. It knows no exchange, no key and no socket:
what it learns comes through its inbox, and what it wants leaves as commands to an account.
"""
