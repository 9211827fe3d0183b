"""Documented limits of groups of requests, as fixed windows."""

from __future__ import annotations

import msgspec


class LimitGroup(msgspec.Struct, frozen=True):
    """So many requests in so many seconds, counted per key of the group."""

    name: str
    requests_max: int
    period_seconds: int


_KEYS_MAX = 2_000


class Allowance(msgspec.Struct, frozen=True):
    """What a request leaves over in its window. `reset_at_seconds` is Unix time."""

    is_exceeded: bool
    limit: int
    remaining: int
    reset_at_seconds: int


class RateLimits:
    """Counts requests per group and key."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self.exceeded: dict[str, int] = {}
        """How many requests were one too many, by group."""
        self.spent: dict[str, int] = {}
        """The weight of all requests so far, refused ones too, by group."""
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def spend(self, group: LimitGroup, key: str, now_milliseconds: int, weight: int = 1) -> Allowance:
        """Count a request of `weight`; it must be refused when the allowance is exceeded."""
        self.spent[group.name] = self.spent.get(group.name, 0) + weight
        window = now_milliseconds // (group.period_seconds * 1000)
        started, used = self._windows.get((group.name, key), (window, 0))
        used = used + weight if started == window else weight
        if len(self._windows) >= _KEYS_MAX:
            self._windows.clear()
        self._windows[(group.name, key)] = (window, used)
        is_exceeded = self._enforced and used > group.requests_max
        if is_exceeded:
            self.exceeded[group.name] = self.exceeded.get(group.name, 0) + 1
        return Allowance(is_exceeded, group.requests_max, max(0, group.requests_max - used), (window + 1) * group.period_seconds)

    def forget(self) -> None:
        self._windows.clear()
