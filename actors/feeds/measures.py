"""What is counted and timed of one exchange's feed. Its owner keeps it over the feed's restarts; the feed adds to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from actors.feeds.book_sync import LossKind
from actors.feeds.codec import ConnectionClosing, Decoded, PingReceived, Pong, SubscriptionConfirmed, SubscriptionRefused
from actors.feeds.reports import (
    BadFrameReceived,
    BookDiscarded,
    BookSynchronised,
    ChannelRefused,
    FeedConnected,
    FeedDisconnected,
    FeedReport,
    SnapshotFailed,
)
from actors.feeds.tracked_book import TrackedBook
from market.events import FundingRateChanged, LiquidationHappened, MarkPriceChanged, TickerChanged, TradeHappened
from market.symbol import Symbol
from measuring.histogram import Histogram

FRAMES_PER_OBSERVATION = 8
"""To ask for the time once more costs as much as a hundredth of a frame: the first of every eight tells enough."""
BOOK_DELTA = "book_delta"
MESSAGE_KINDS: dict[type[Decoded], str] = {
    TradeHappened: "trade",
    TickerChanged: "ticker",
    MarkPriceChanged: "mark_price",
    FundingRateChanged: "funding_rate",
    LiquidationHappened: "liquidation",
    SubscriptionConfirmed: "subscription_confirmed",
    SubscriptionRefused: "subscription_refused",
    Pong: "pong",
    PingReceived: "ping",
    ConnectionClosing: "closing",
}
"""What a feed decodes besides changes of books, in words."""


class BookStanding(msgspec.Struct, frozen=True):
    """A book now. `proven_at` is when it was last known to equal the exchange's, by Trio's time; None if it never was."""

    symbol: Symbol
    is_usable: bool
    proven_at: float | None


class FeedMeasures:
    """Of one exchange's feed, since its owner made it."""

    def __init__(self) -> None:
        self.frames = 0
        self.frame_seconds = Histogram()
        """From a frame's arrival until it is decoded, the books are changed and everybody is told; of one in `FRAMES_PER_OBSERVATION`."""
        self.book_deltas = 0
        self.other_messages: Counter[type] = Counter()
        self.losses: Counter[tuple[Symbol, LossKind]] = Counter()
        self.synchronisations: Counter[Symbol] = Counter()
        self.failed_snapshots: Counter[Symbol] = Counter()
        self.bad_frames = 0
        self.connections = 0
        self.disconnections = 0
        self.refused_channels = 0
        self._books: dict[Symbol, TrackedBook] = {}
        self._proven_before: dict[Symbol, float] = {}

    def messages(self) -> dict[str, int]:
        """How many were decoded of each kind, those that never came included."""
        others = {word: self.other_messages[kind] for kind, word in MESSAGE_KINDS.items()}
        return {BOOK_DELTA: self.book_deltas, **others}

    def follow(self, books: Iterable[TrackedBook]) -> None:
        """These are the feed's books from now on: an incarnation's, whose predecessor's are closed."""
        self._proven_before = {symbol: self._proven_at(symbol) for symbol in self._books}
        self._books = {book.symbol: book for book in books}

    def books(self) -> list[BookStanding]:
        """How each book stands now."""
        return [
            BookStanding(symbol, book.is_whole and book.synchroniser.book.has_both_sides, self._proven_at(symbol) or None)
            for symbol, book in self._books.items()
        ]

    def note(self, report: FeedReport) -> None:
        """Count what a feed reports."""
        match report:
            case BookDiscarded():
                self.losses[report.symbol, report.kind] += 1
            case BookSynchronised():
                self.synchronisations[report.symbol] += 1
            case SnapshotFailed():
                self.failed_snapshots[report.symbol] += 1
            case BadFrameReceived():
                self.bad_frames += 1
            case FeedConnected():
                self.connections += 1
            case FeedDisconnected():
                self.disconnections += 1
            case ChannelRefused():
                self.refused_channels += 1
            case _:
                pass

    def _proven_at(self, symbol: Symbol) -> float:
        book = self._books.get(symbol)
        return max(self._proven_before.get(symbol, 0.0), 0.0 if book is None else book.proven_at)
