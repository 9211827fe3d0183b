"""A symbol's book with what the actor knows about it beyond its contents: how fresh it is and how often it broke."""

from __future__ import annotations

from collections import deque

from actors.feeds.book_sync import BookState, BookSynchroniser
from market.symbol import Symbol
from network.backoff import Backoff


class RecentCount:
    """Counts what happened within the last `period_seconds` of Trio's time."""

    def __init__(self, period_seconds: float) -> None:
        self._period_seconds = period_seconds
        self._times: deque[float] = deque()

    def add(self, now: float) -> int:
        """Count one more at `now`; how many there are in the period that ends now."""
        self._times.append(now)
        while self._times[0] <= now - self._period_seconds:
            self._times.popleft()
        return len(self._times)


class TrackedBook:
    """`proven_at` is when the book was last known to equal the exchange's, by `trio.current_time()`."""

    def __init__(self, synchroniser: BookSynchroniser, backoff: Backoff, resync_period_seconds: float) -> None:
        self.synchroniser = synchroniser
        self.backoff = backoff
        self.resyncs = RecentCount(resync_period_seconds)
        self.mismatches = RecentCount(resync_period_seconds)
        self.proven_at = 0.0
        self.checked_at = 0.0
        self.is_being_checked = False
        self.reported_generation = 0  # the generation that was last reported as whole

    @property
    def symbol(self) -> Symbol:
        return self.synchroniser.symbol

    @property
    def is_open(self) -> bool:
        return self.synchroniser.state is not BookState.CLOSED

    @property
    def is_whole(self) -> bool:
        return self.synchroniser.state is BookState.SYNCHRONISED

    def stale_at(self, max_age_seconds: float) -> float:
        """When the book has to be given up unless something proves it before."""
        return self.proven_at + max_age_seconds

    def check_due_at(self, max_age_seconds: float) -> float:
        """When the exchange should be asked whether the book is still true: at half its age, then eight times in a full one."""
        return max(self.proven_at + max_age_seconds / 2, self.checked_at + max_age_seconds / 8)
