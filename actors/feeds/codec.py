"""What a feed codec is: public requests and frames out, typed market facts in, and no socket, clock or task.

One file per exchange implements `FeedCodec` (see `actors.feeds.gateio.spot`); the actor does the I/O. The protocol covers
exchanges whose first book is a REST answer and ones that push it, text and binary frames, contiguous sequence numbers and
linked ones, and checksums; what differs is data (`SequenceRule`) wherever it can be.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from exchanges.identity import ExchangeIdentity
from market.book import OrderBook
from market.events import FundingRateChanged, Level, LiquidationHappened, MarkPriceChanged, TickerChanged, TradeHappened
from market.instrument import Instrument
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit

Mode = Literal["testnet", "live"]
Frame = str | bytes
"""A websocket message: text or binary, as it is on the wire."""


class ProtocolError(Exception):
    """The exchange sent what its documentation does not allow. Its fault: drop what the frame may have spoilt, and resynchronise.

    `symbol` is the market concerned where that could still be read, else None. `affects_books` is False where the frame
    certainly carried no book (a trade, a ticker).
    """

    def __init__(self, message: str, *, symbol: Symbol | None = None, affects_books: bool = True) -> None:
        super().__init__(message)
        self.symbol = symbol
        self.affects_books = affects_books


class RefusalKind(enum.Enum):
    """What a refused public request asks of the caller."""

    RETRYABLE = "retryable"
    RATE_LIMITED = "rate_limited"
    UNKNOWN_SYMBOL = "unknown_symbol"
    INVALID_PARAMETERS = "invalid_parameters"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


class RequestRefused(Exception):
    """The exchange answered a public request with an error; `kind` says whether asking again can help."""

    def __init__(self, kind: RefusalKind, status: int, message: str) -> None:
        super().__init__(f"{message} (HTTP {status}, {kind.value})")
        self.kind = kind
        self.status = status


class PublicRequest(msgspec.Struct, frozen=True):
    """A request and the rate-limit group that it is counted in."""

    request: HttpRequest
    group: str
    weight: int = 1


class SnapshotSource(enum.Enum):
    """Where a whole book comes from."""

    REST = "rest"
    """Asked for by `FeedCodec.snapshot_request` while deltas are buffered."""
    STREAM = "stream"
    """Pushed as a delta with `is_full` after each subscription; asked for again by subscribing again."""
    STREAM_OR_REST = "stream_or_rest"
    """As STREAM; where the push does not come in time, asked for as by REST."""


class Continuity(enum.Enum):
    """How a delta shows that nothing is missing before it."""

    CONTIGUOUS = "contiguous"
    """Its `first_sequence` is at most one past the book's sequence."""
    LINKED = "linked"
    """Its `previous_sequence` is the book's sequence."""


class SequenceRule(msgspec.Struct, frozen=True):
    """An exchange's rule for its books, as data. The first delta on a REST snapshot numbered `base` must satisfy
    ``first_sequence <= base + bridge_offset <= last_sequence``; older ones are dropped, a later one is a gap.
    """

    source: SnapshotSource
    continuity: Continuity
    bridge_offset: int = 1


class BookSnapshotDecoded(msgspec.Struct, frozen=True, kw_only=True):
    """A whole book, as of `sequence`."""

    symbol: Symbol
    bids: Sequence[Level]
    asks: Sequence[Level]
    sequence: int
    exchange_time_milliseconds: int


class BookDeltaDecoded(msgspec.Struct, frozen=True, kw_only=True):
    """The absolute quantities of the levels that changed from `first_sequence` to `last_sequence`; 0 deletes.

    With `is_full` it is the whole book instead and needs nothing before it. `previous_sequence` is None where the
    exchange does not link its deltas, `checksum` where it sends none.
    """

    symbol: Symbol
    bids: Sequence[Level]
    asks: Sequence[Level]
    first_sequence: int
    last_sequence: int
    exchange_time_milliseconds: int
    previous_sequence: int | None = None
    checksum: int | None = None
    is_full: bool = False


class SubscriptionConfirmed(msgspec.Struct, frozen=True):
    """A subscription is active. `request_id` is None where the exchange did not repeat it: confirmations then come in order."""

    channel: str
    request_id: int | None


class SubscriptionRefused(msgspec.Struct, frozen=True):
    """A subscription was not accepted."""

    channel: str
    request_id: int | None
    message: str


class Pong(msgspec.Struct, frozen=True):
    """The answer to `FeedCodec.ping_frame`."""


class PingReceived(msgspec.Struct, frozen=True):
    """The exchange pings by ordinary messages and wants `reply` sent back."""

    reply: Frame


class ConnectionClosing(msgspec.Struct, frozen=True):
    """The exchange announces that it will close this connection."""

    reason: str


PassedOn = TradeHappened | TickerChanged | MarkPriceChanged | FundingRateChanged | LiquidationHappened
"""Decoded messages that go to subscribers as they are."""
Control = SubscriptionConfirmed | SubscriptionRefused | Pong | PingReceived | ConnectionClosing
Decoded = BookDeltaDecoded | PassedOn | Control


class Subscription(msgspec.Struct, frozen=True):
    """A frame that subscribes. `book_symbols` are the symbols whose books flow once it is confirmed."""

    frame: Frame
    request_id: int
    channel: str
    book_symbols: tuple[Symbol, ...] = ()


class FeedCodec(Protocol):
    """The public side of one exchange. Pure; every method that decodes raises `ProtocolError` and nothing else."""

    @property
    def identity(self) -> ExchangeIdentity: ...

    @property
    def sequence_rule(self) -> SequenceRule: ...

    @property
    def rate_limits(self) -> Mapping[str, RateLimit]:
        """The limits of the groups that its requests name, for the limiter that the exchange's actors share."""
        ...

    @property
    def ping_interval_seconds(self) -> float:
        """How often `ping_frame` is due."""
        ...

    @property
    def connection_seconds_max(self) -> float | None:
        """A connection is ended by us after so long, before the exchange ends it. None where it may last."""
        ...

    def rest_url(self, mode: Mode) -> str:
        """The base URL of public REST requests, without a trailing slash; their paths are absolute."""
        ...

    def websocket_url(self, mode: Mode) -> str: ...

    @property
    def websocket_headers(self) -> tuple[tuple[str, str], ...]:
        """What goes with the request that opens the websocket."""
        ...

    def instruments_request(self) -> PublicRequest: ...

    def decode_instruments(self, body: bytes) -> list[Instrument]: ...

    def snapshot_request(self, symbol: Symbol) -> PublicRequest: ...

    def decode_snapshot(self, symbol: Symbol, body: bytes) -> BookSnapshotDecoded: ...

    def check_response(self, response: HttpResponse) -> None:
        """Accept a successful answer.

        Raises:
            RequestRefused: the exchange refused, for the reason given.
        """
        ...

    def subscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        """Frames for every channel of `symbols`, numbered upwards from `first_request_id`, to be sent in order."""
        ...

    def unsubscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Frame]:
        """Frames that end the books of `symbols` and leave their other channels alone."""
        ...

    def resubscribe_frames(self, symbol: Symbol, now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        """Frames that subscribe to the book of `symbol` alone, after `unsubscribe_frames` or a refusal."""
        ...

    def ping_frame(self, now_milliseconds: int) -> Frame | None:
        """A message that the exchange answers so that `decode_frame` says `Pong`; None where it has none."""
        ...

    def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
        """Everything that `frame` says, in order; empty for what nobody asked for. `received_at` is `trio.current_time()`."""
        ...

    def checksum_agrees(self, book: OrderBook, checksum: int) -> bool:
        """Whether `book` is what the exchange had when it sent `checksum`. Called only for deltas that carry one."""
        ...
