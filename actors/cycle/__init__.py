"""STRATEGY: cycle actors, their strategies (which decide, purely) and executors (which carry out).

Two kinds, a room for each: `rounds` are begun and compared with the exchange, `quoting` goes on until it is stopped. What both
share lies here. Imports `market`, `orders` and `actors.channels`; only `assembly` imports it. It knows no exchange, no key and no
socket: what it learns comes through its inbox, and what it wants leaves as commands to an account.
"""
