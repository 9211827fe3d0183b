"""The PRIVATE domain: the account actor, reconciliation, closing, and one wire codec per exchange.

Imports `market`, `orders`, `exchanges`, `network` and `actors.channels`; only `assembly` imports it. It never meets
`actors.feeds`: the public facts that it uses, instruments and books, arrive on channels.
"""
