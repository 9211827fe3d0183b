"""The journal: what happened, in SQLite, so that a restart knows every order that may exist, and a person what became of each.

Imports `market`, `orders` and `actors.channels`; only `assembly` imports it. It is told everything and asks nobody: what it
writes comes through its port, and the time with it.
"""
