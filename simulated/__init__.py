"""The other side of the wire: matching engine, accounts, order flow, and a server per exchange that speaks its protocol.

Imports `market`, `exchanges` and `network`; only `assembly` and tests import it. It shares no encoding with the actors
that it tests: what an exchange says is written here a second time, from the exchange's documentation.
"""
