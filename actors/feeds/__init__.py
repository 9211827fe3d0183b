"""The public domain: the feed actor, book synchronisation, and one wire codec per exchange. It holds no key and knows no order.

Imports `market`, `exchanges`, `network` and `actors.channels`. Only `assembly` imports it.
"""
