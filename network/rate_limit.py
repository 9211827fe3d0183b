"""Token buckets, one per group of endpoints, shared by all actors of an exchange."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import inf

import msgspec
import trio


class RateLimit(msgspec.Struct, frozen=True):
    """At most `capacity` weight in any `period_seconds`, of which the last `reserve` is for urgent requests only."""

    capacity: int
    period_seconds: float
    reserve: int = 0

    def __post_init__(self) -> None:
        if not (self.capacity > self.reserve >= 0 and self.period_seconds > 0):
            raise ValueError(f"a rate limit needs capacity > reserve >= 0 and a period, not {self}")


class GroupStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One group now: what of its `capacity` is `available`; `granted` (weight) and `waited_seconds` count since the start."""

    capacity: int
    available: int
    waiting: int
    granted: int
    waited_seconds: float
    penalised_until_monotonic: float


class RateLimiter:
    """Grants weight in named groups; who cannot have it yet waits: urgent before normal, first come first served within each.

    A token returns exactly one period after it was taken, rather than trickling back: whether the exchange counts in fixed or in sliding
    windows, no window ever holds more than the capacity. Requests may bunch up on their way, so leave a margin below the published limit.
    """

    def __init__(self, limits: Mapping[str, RateLimit]) -> None:
        self._buckets = {group: _Bucket(limit) for group, limit in limits.items()}

    async def acquire(self, group: str, weight: int = 1, *, urgent: bool = False) -> None:
        """Wait for `weight` in `group`. A cancelled call takes nothing and leaves its place in the queue.

        Raises:
            ValueError: there is no such group, or `weight` is more than it can ever grant.
        """
        bucket = self._bucket(group, weight, urgent)
        await trio.lowlevel.checkpoint_if_cancelled()
        if bucket.take(weight, urgent):
            await trio.lowlevel.cancel_shielded_checkpoint()  # taken: a cancellation must not lose it between here and the caller
            return
        started = trio.current_time()
        await bucket.wait(_Waiter(weight, urgent))
        bucket.waited_seconds += trio.current_time() - started

    def try_acquire_nowait(self, group: str, weight: int = 1, *, urgent: bool = False) -> bool:
        """Take `weight` if it can be had now without overtaking anybody.

        Raises:
            ValueError: as `acquire`.
        """
        bucket = self._bucket(group, weight, urgent)
        return bucket.take(weight, urgent)

    def penalise(self, group: str | None, until_monotonic: float) -> None:
        """Grant nothing in `group` (None: in any) before this Trio time, not even to urgent requests. Never shortens a penalty."""
        buckets = self._buckets.values() if group is None else [self._bucket(group, 0, urgent=True)]
        for bucket in buckets:
            bucket.penalise(until_monotonic)

    def statistics(self) -> dict[str, GroupStatistics]:
        return {group: bucket.statistics() for group, bucket in self._buckets.items()}

    def _bucket(self, group: str, weight: int, urgent: bool) -> _Bucket:
        bucket = self._buckets.get(group)
        if bucket is None:
            raise ValueError(f"no rate limit group {group!r}: there are {', '.join(self._buckets)}")
        grantable = bucket.limit.capacity - (0 if urgent else bucket.limit.reserve)
        if not 0 <= weight <= grantable:
            raise ValueError(f"rate limit group {group!r} can never grant a weight of {weight}: at most {grantable}")
        return bucket


class _Waiter:
    __slots__ = ("turn", "urgent", "weight")

    def __init__(self, weight: int, urgent: bool) -> None:
        self.weight = weight
        self.urgent = urgent
        self.turn = trio.Event()  # set when this waiter should look again


class _Bucket:
    """The first of the waiting, urgent before normal, sleeps until its weight returns; the others sleep until they are first."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.waited_seconds = 0.0
        self._taken = 0
        self._granted = 0
        self._returns: deque[tuple[float, int]] = deque()  # when, how much; at most `capacity` entries
        self._penalised_until = -inf
        self._urgent: deque[_Waiter] = deque()
        self._normal: deque[_Waiter] = deque()

    def take(self, weight: int, urgent: bool, waiter: _Waiter | None = None) -> bool:
        """Take the weight if it is there and nobody comes before `waiter`, or before a newcomer where it is None.

        All tokens are taken here, between two checkpoints.
        """
        now = trio.current_time()
        first = self._first()
        is_overtaking = first is not waiter and not (waiter is None and urgent and not self._urgent)
        if is_overtaking or self._ready_at(weight, urgent, now) > now:
            return False
        if weight:
            self._taken += weight
            self._returns.append((now + self.limit.period_seconds, weight))
        self._granted += weight
        return True

    async def wait(self, waiter: _Waiter) -> None:
        queue = self._urgent if waiter.urgent else self._normal
        queue.append(waiter)
        try:
            while True:
                waiter.turn = trio.Event()
                if self.take(waiter.weight, waiter.urgent, waiter):
                    return
                is_first = self._first() is waiter
                ready_at = self._ready_at(waiter.weight, waiter.urgent, trio.current_time()) if is_first else inf
                with trio.move_on_at(ready_at):
                    await waiter.turn.wait()
        finally:
            queue.remove(waiter)
            self._wake_first()

    def penalise(self, until_monotonic: float) -> None:
        self._penalised_until = max(self._penalised_until, until_monotonic)
        self._wake_first()

    def statistics(self) -> GroupStatistics:
        self._return_tokens(trio.current_time())
        return GroupStatistics(
            capacity=self.limit.capacity,
            available=self.limit.capacity - self._taken,
            waiting=len(self._urgent) + len(self._normal),
            granted=self._granted,
            waited_seconds=self.waited_seconds,
            penalised_until_monotonic=self._penalised_until,
        )

    def _first(self) -> _Waiter | None:
        if self._urgent:
            return self._urgent[0]
        return self._normal[0] if self._normal else None

    def _wake_first(self) -> None:
        first = self._first()
        if first is not None:
            first.turn.set()

    def _return_tokens(self, now: float) -> None:
        while self._returns and self._returns[0][0] <= now:
            self._taken -= self._returns.popleft()[1]

    def _ready_at(self, weight: int, urgent: bool, now: float) -> float:
        """When the weight will be there, if nobody else takes it first; never before the penalty ends."""
        self._return_tokens(now)
        missing = weight + self._taken - self.limit.capacity + (0 if urgent else self.limit.reserve)
        ready_at = now
        for returns_at, returned in self._returns:
            if missing <= 0:
                break
            missing -= returned
            ready_at = returns_at
        return max(ready_at, self._penalised_until)
