"""OKX's documented limits per group."""

from __future__ import annotations

from simulated.rate_limits import LimitGroup

# Per address, and per endpoint where several share a group.
PUBLIC_TIME = LimitGroup("public_time", 10, 2)
PUBLIC_INSTRUMENTS = LimitGroup("public_instruments", 20, 2)
PUBLIC_BOOKS = LimitGroup("public_books", 40, 2)
PUBLIC_MARKET = LimitGroup("public_market", 20, 2)
PUBLIC_CONTRACTS = LimitGroup("public_contracts", 10, 2)
# Per user and instrument.
PLACE = LimitGroup("place", 60, 2)
CANCEL = LimitGroup("cancel", 60, 2)
AMEND = LimitGroup("amend", 60, 2)
PLACE_BATCH = LimitGroup("place_batch", 300, 2)  # this and the next two are counted in orders
CANCEL_BATCH = LimitGroup("cancel_batch", 300, 2)
AMEND_BATCH = LimitGroup("amend_batch", 300, 2)
# Per user, and per endpoint where several share a group.
ORDER_QUERY = LimitGroup("order_query", 60, 2)
HISTORY = LimitGroup("history", 40, 2)
ACCOUNT = LimitGroup("account", 10, 2)
SETTINGS = LimitGroup("settings", 5, 2)
SWITCH = LimitGroup("switch", 1, 1)
LEVERAGE = LimitGroup("leverage", 20, 2)
BILLS = LimitGroup("bills", 5, 1)
CLOSE_POSITION = LimitGroup("close_position", 20, 2)

ORDER_COMMANDS = (PLACE, CANCEL, AMEND, PLACE_BATCH, CANCEL_BATCH, AMEND_BATCH)
"""Counted per instrument, and by REST and websocket together."""
BATCH_OF = {PLACE: PLACE_BATCH, CANCEL: CANCEL_BATCH, AMEND: AMEND_BATCH}
"""A batch of one order counts as a single command, a larger one in a group of its own."""
