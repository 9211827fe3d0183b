"""Gate.io's documented limits: what is counted apart, the groups that all its exchanges have, the headers that tell of them."""

from __future__ import annotations

import enum

from simulated.rate_limits import Allowance, LimitGroup


class CountedPer(enum.Enum):
    ENDPOINT_AND_ADDRESS = "endpoint and address"
    ENDPOINT_AND_USER = "endpoint and user"
    USER = "user"
    USER_AND_MARKET = "user and market"


class GateLimitGroup(LimitGroup, frozen=True):
    """`counted_per` says which requests share a window."""

    counted_per: CountedPer

    def key(self, *, endpoint: str, address: str, user: str, market: str) -> str:
        return {
            CountedPer.ENDPOINT_AND_ADDRESS: f"{endpoint} {address}",
            CountedPer.ENDPOINT_AND_USER: f"{endpoint} {user}",
            CountedPer.USER: user,
            CountedPer.USER_AND_MARKET: f"{user} {market}",
        }[self.counted_per]


PUBLIC = GateLimitGroup("public", 200, 10, CountedPer.ENDPOINT_AND_ADDRESS)
PRIVATE = GateLimitGroup("private", 200, 10, CountedPer.ENDPOINT_AND_USER)
CANCEL = GateLimitGroup("cancel", 200, 1, CountedPer.USER)


def headers_of(allowance: Allowance) -> dict[str, str]:
    return {
        "X-Gate-RateLimit-Requests-Remain": str(allowance.remaining),
        "X-Gate-RateLimit-Limit": str(allowance.limit),
        "X-Gate-RateLimit-Reset-Timestamp": str(allowance.reset_at_seconds),
    }
