"""Gate.io's documented limits per group, as fixed windows."""

from __future__ import annotations

import msgspec


class LimitGroup(msgspec.Struct, frozen=True):
    """So many requests in so many seconds, counted per key of the group."""

    name: str
    requests_max: int
    period_seconds: int


PUBLIC = LimitGroup("public", 200, 10)  # per endpoint and address
PLACE = LimitGroup("place", 10, 1)  # place, batch place and amend together, per user and market
CANCEL = LimitGroup("cancel", 200, 1)  # per user
PRIVATE = LimitGroup("private", 200, 10)  # per endpoint and user
WEBSOCKET_PLACE = LimitGroup("websocket_place", 10, 1)  # per user and market

_KEYS_MAX = 2_000


class Allowance(msgspec.Struct, frozen=True):
    """What a request leaves over in its window. `reset_at_seconds` is Unix time."""

    is_exceeded: bool
    limit: int
    remaining: int
    reset_at_seconds: int

    def headers(self) -> dict[str, str]:
        return {
            "X-Gate-RateLimit-Requests-Remain": str(self.remaining),
            "X-Gate-RateLimit-Limit": str(self.limit),
            "X-Gate-RateLimit-Reset-Timestamp": str(self.reset_at_seconds),
        }


class RateLimits:
    """Counts requests per group and key."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def spend(self, group: LimitGroup, key: str, now_milliseconds: int) -> Allowance:
        """Count one request; it must be refused when the allowance is exceeded."""
        window = now_milliseconds // (group.period_seconds * 1000)
        started, used = self._windows.get((group.name, key), (window, 0))
        used = used + 1 if started == window else 1
        if len(self._windows) >= _KEYS_MAX:
            self._windows.clear()
        self._windows[(group.name, key)] = (window, used)
        is_exceeded = self._enforced and used > group.requests_max
        return Allowance(is_exceeded, group.requests_max, max(0, group.requests_max - used), (window + 1) * group.period_seconds)

    def forget(self) -> None:
        self._windows.clear()
