"""What a feed tells about itself, for logs, the journal and the page. Strategies learn all they need from market events."""

from __future__ import annotations

import msgspec

from actors.feeds.book_sync import LossKind
from market.symbol import Symbol


class FeedConnected(msgspec.Struct, frozen=True):
    """The websocket is open; nothing is subscribed yet."""

    exchange: str


class FeedDisconnected(msgspec.Struct, frozen=True):
    """The websocket is gone or could not be opened; every book of the feed is lost. The next try follows in `retry_seconds`."""

    exchange: str
    reason: str
    retry_seconds: float


class BookSynchronised(msgspec.Struct, frozen=True):
    """A book has become whole."""

    exchange: str
    symbol: Symbol
    generation: int
    sequence: int


class BookDiscarded(msgspec.Struct, frozen=True):
    """A generation of a book was thrown away, and the next one begun."""

    exchange: str
    symbol: Symbol
    kind: LossKind
    reason: str


class SnapshotFailed(msgspec.Struct, frozen=True):
    """A snapshot could not be had or did not fit; the next attempt follows after a back-off."""

    exchange: str
    symbol: Symbol
    reason: str


class BadFrameReceived(msgspec.Struct, frozen=True):
    """The exchange sent what its protocol does not allow. `symbol` is None where the frame did not say; `excerpt` is its beginning."""

    exchange: str
    symbol: Symbol | None
    reason: str
    excerpt: str


class ChannelRefused(msgspec.Struct, frozen=True):
    """The exchange refused a subscription; it is asked for again after a back-off."""

    exchange: str
    channel: str
    symbols: tuple[Symbol, ...]
    message: str


class InstrumentsLoaded(msgspec.Struct, frozen=True):
    """The rules of the feed's instruments are known, out of `listed` that the exchange has."""

    exchange: str
    listed: int


class InstrumentsFailed(msgspec.Struct, frozen=True):
    """The rules of the instruments could not be had; those known before stay in force until the next try."""

    exchange: str
    reason: str


class SubscriberGone(msgspec.Struct, frozen=True):
    """A subscriber's inbox is closed; it gets nothing more."""

    exchange: str
    name: str


FeedReport = (
    FeedConnected
    | FeedDisconnected
    | BookSynchronised
    | BookDiscarded
    | SnapshotFailed
    | BadFrameReceived
    | ChannelRefused
    | InstrumentsLoaded
    | InstrumentsFailed
    | SubscriberGone
)
