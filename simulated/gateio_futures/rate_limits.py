"""Gate.io futures' documented limits of trading."""

from __future__ import annotations

from simulated.gateio.rate_limits import CountedPer, GateLimitGroup

PLACE = GateLimitGroup("place", 100, 1, CountedPer.USER)  # place, batch place and amend together
WEBSOCKET_TRADE = GateLimitGroup("websocket_trade", 100, 1, CountedPer.USER)  # cancellations, too
