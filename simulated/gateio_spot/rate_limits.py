"""Gate.io's documented limits per group, and the headers that tell of them."""

from __future__ import annotations

from simulated.rate_limits import Allowance, LimitGroup

PUBLIC = LimitGroup("public", 200, 10)  # per endpoint and address
PLACE = LimitGroup("place", 10, 1)  # place, batch place and amend together, per user and market
CANCEL = LimitGroup("cancel", 200, 1)  # per user
PRIVATE = LimitGroup("private", 200, 10)  # per endpoint and user
WEBSOCKET_PLACE = LimitGroup("websocket_place", 10, 1)  # per user and market


def headers_of(allowance: Allowance) -> dict[str, str]:
    return {
        "X-Gate-RateLimit-Requests-Remain": str(allowance.remaining),
        "X-Gate-RateLimit-Limit": str(allowance.limit),
        "X-Gate-RateLimit-Reset-Timestamp": str(allowance.reset_at_seconds),
    }
