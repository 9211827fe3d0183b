"""MEXC's documented limits, which count weight."""

from __future__ import annotations

from simulated.rate_limits import LimitGroup

ENDPOINT = LimitGroup("endpoint", 500, 10)  # per endpoint, and per address or user
ORDERS = LimitGroup("orders", 12, 1)  # placing and cancelling together, per user
BATCHES = LimitGroup("batches", 2, 1)  # per user
ACCOUNT = LimitGroup("account", 2, 1)  # per user
WEBSOCKET = LimitGroup("websocket", 100, 1)  # messages of a client, per connection
