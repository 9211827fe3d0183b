"""Gate.io spot's documented limits of placements."""

from __future__ import annotations

from simulated.gateio.rate_limits import CountedPer, GateLimitGroup

PLACE = GateLimitGroup("place", 10, 1, CountedPer.USER_AND_MARKET)  # place, batch place and amend together
WEBSOCKET_PLACE = GateLimitGroup("websocket_place", 10, 1, CountedPer.USER_AND_MARKET)
