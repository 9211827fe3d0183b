"""What the live view shows besides what events told."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from assembly.presenter.lifting import DEFAULT, HowToLift
from market.events import BookChanged
from market.symbol import Symbol
from supervision.snapshot import Snapshot

Market = tuple[str, Symbol]


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The moment of a picture, and what stands beside the events. `now` and `started_at` are Trio's, seconds; `now_milliseconds` is
    the wall time of the same moment, for what events are stamped with. `markets` are where the cycles trade."""

    title: str
    now: float
    now_milliseconds: int
    started_at: float
    actors: Snapshot | None
    book_max_age_seconds_by_exchange: Mapping[str, float]
    cycles_wanted: Mapping[str, int]
    markets: Mapping[str, Market] = {}
    lifting: HowToLift = DEFAULT

    def seconds_since(self, time_milliseconds: int) -> float:
        """How long ago a wall time is; never below 0, though the clock may have been set back."""
        return max(0.0, (self.now_milliseconds - time_milliseconds) / 1000)

    def is_stale(self, book: BookChanged) -> bool:
        """Whether a book is older than its exchange's may be."""
        return self.now - book.received_at > self.book_max_age_seconds_by_exchange.get(book.exchange, float("inf"))
