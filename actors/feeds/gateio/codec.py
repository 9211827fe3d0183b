"""What the public sides of Gate.io's markets share, whatever is traded: APIv4 REST and the v4 JSON websocket.

References are to sections of https://www.gate.com/docs/developers/apiv4/ (REST) and of
https://www.gate.com/docs/developers/apiv4/ws/en/ and https://www.gate.com/docs/developers/futures/ws/en/ (websocket), which
say the same of all this. `actors.feeds.gateio.wire` has the shapes of the messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic

import msgspec

from actors.feeds.codec import (
    BookDeltaDecoded,
    ConnectionClosing,
    Continuity,
    Decoded,
    Frame,
    Mode,
    Pong,
    ProtocolError,
    RefusalKind,
    RequestRefused,
    SequenceRule,
    SnapshotSource,
    Subscription,
    SubscriptionConfirmed,
    SubscriptionRefused,
)
from actors.feeds.gateio import wire
from actors.feeds.gateio.wire import LevelT
from actors.feeds.reading import UNREADABLE, decode
from exchanges.identity import ExchangeIdentity
from market.book import OrderBook
from market.events import Level
from market.symbol import Symbol, SymbolError
from network.http import HttpResponse
from network.limits import BANNED, TOO_MANY_REQUESTS
from network.rate_limit import RateLimit

REST_URLS: dict[Mode, str] = {  # REST, "APIv4 base URL"; requests carry the /api/v4 prefix
    "live": "https://api.gateio.ws",
    "testnet": "https://api-testnet.gateapi.io",
}
# REST, "Frequency limit rule": public endpoints 200 in 10 s each, per address. A tenth is left, because requests bunch up under way.
PUBLIC_LIMIT = RateLimit(180, 10.0)
BOOK_INTERVAL = "100ms"  # carries the best 100 levels a side
BOOK_LEVELS = 100  # "How to maintain local order book", step 2: the snapshot's limit is the stream's level count

# REST, "Error handling", label list.
_REFUSALS: dict[str, RefusalKind] = {
    "INVALID_CURRENCY_PAIR": RefusalKind.UNKNOWN_SYMBOL,
    "INVALID_CURRENCY": RefusalKind.UNKNOWN_SYMBOL,
    "CONTRACT_NOT_FOUND": RefusalKind.UNKNOWN_SYMBOL,
    "INVALID_PARAM_VALUE": RefusalKind.INVALID_PARAMETERS,
    "MISSING_REQUIRED_PARAM": RefusalKind.INVALID_PARAMETERS,
    "TOO_MANY_REQUESTS": RefusalKind.RATE_LIMITED,
    "TOO_FAST": RefusalKind.RATE_LIMITED,
    "INTERNAL": RefusalKind.RETRYABLE,
    "SERVER_ERROR": RefusalKind.RETRYABLE,
    "INTERNAL_SERVER_ERROR": RefusalKind.RETRYABLE,
    "TOO_BUSY": RefusalKind.RETRYABLE,
}


class GateioFeedCodec(ABC, Generic[LevelT]):
    """Most of `actors.feeds.codec.FeedCodec` for a product, after which all its channels are named (``spot.trades``).

    A product says which channels there are and reads its own messages; `LevelT` is how it writes a level of a book.
    """

    identity: ExchangeIdentity
    # "How to maintain local order book": drop u < id+1; first U <= id+1 <= u; later U > last u + 1 means missing updates.
    sequence_rule = SequenceRule(SnapshotSource.REST, Continuity.CONTIGUOUS)
    websocket_headers: tuple[tuple[str, str], ...] = ()
    connection_seconds_max: float | None = None  # none is documented
    ping_interval_seconds = 10.0  # the documentation leaves it open; known clients use 5 to 20

    def __init__(
        self, product: str, books: msgspec.json.Decoder[wire.Book[LevelT]], *, book_options: tuple[str, ...], channels: tuple[str, ...]
    ) -> None:
        self._book_channel = f"{product}.order_book_update"  # websocket, "Changed order book levels", "Order book update"
        self._ping_channel = f"{product}.ping"  # websocket, "Application ping pong"
        self._pong_channel = f"{product}.pong"
        self._system_channel = f"{product}.system"  # websocket, "Service upgrade notification"; older servers send the bare result
        self._books = books
        self._book_options = book_options
        self._channels = channels

    @abstractmethod
    def _levels(self, levels: list[LevelT], symbol: Symbol) -> Sequence[Level]:
        """Prices and quantities in base units. Raises: ProtocolError: `symbol` is not listed."""

    @abstractmethod
    def _read(self, channel: str, result: msgspec.Raw, received_at: float) -> Sequence[Decoded]:
        """What a push of one of the product's `channels` says; empty for any other. Raises: ProtocolError."""

    def rest_url(self, mode: Mode) -> str:
        return REST_URLS[mode]

    def check_response(self, response: HttpResponse) -> None:
        if 200 <= response.status < 300:
            return
        try:
            refusal = wire.REFUSALS.decode(response.body)
        except UNREADABLE:
            refusal = wire.Refusal(message="the answer is not Gate.io's")  # a proxy's page, or nothing at all
        if response.status in (TOO_MANY_REQUESTS, BANNED):
            kind = RefusalKind.RATE_LIMITED
        elif response.status >= 500:
            kind = RefusalKind.RETRYABLE
        else:
            kind = _REFUSALS.get(refusal.label, RefusalKind.UNKNOWN)
        raise RequestRefused(kind, response.status, f"{refusal.label or 'no label'}: {refusal.message}")

    def subscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        spellings = [self.identity.to_wire(symbol) for symbol in symbols]
        subscriptions: list[Subscription] = []
        for symbol in symbols:
            subscriptions += self.resubscribe_frames(symbol, now_milliseconds, first_request_id + len(subscriptions))
        for channel in self._channels:
            request_id = first_request_id + len(subscriptions)
            frame = wire.request("subscribe", channel, spellings, now_milliseconds, request_id)
            subscriptions.append(Subscription(frame, request_id, channel))
        return subscriptions

    def unsubscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Frame]:
        return [
            wire.request("unsubscribe", self._book_channel, self._book_payload(symbol), now_milliseconds, request_id)
            for request_id, symbol in enumerate(symbols, first_request_id)
        ]

    def resubscribe_frames(self, symbol: Symbol, now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        # One frame per book: the payload takes one symbol, and a refusal then concerns one symbol.
        frame = wire.request("subscribe", self._book_channel, self._book_payload(symbol), now_milliseconds, first_request_id)
        return [Subscription(frame, first_request_id, self._book_channel, (symbol,))]

    def _book_payload(self, symbol: Symbol) -> list[str]:
        return [self.identity.to_wire(symbol), *self._book_options]

    def ping_frame(self, now_milliseconds: int) -> Frame:
        return wire.ping(self._ping_channel, now_milliseconds)

    def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
        envelope = decode(wire.ENVELOPES, frame, "a frame")
        channel = envelope.channel
        if envelope.error is not None:
            return (SubscriptionRefused(channel, envelope.id, f"{envelope.error.message} (code {envelope.error.code})"),)
        match envelope.event:
            case "update":
                if channel == self._book_channel:
                    return (self._delta(envelope.result),)
                if channel == self._system_channel:
                    return _notice(decode(wire.NOTICES, envelope.result, "a system notice", affects_books=False))
                return self._read(channel, envelope.result, received_at)
            case "subscribe":
                status = decode(wire.STATUSES, envelope.result, "a subscription's answer").status
                if status == "success":
                    return (SubscriptionConfirmed(channel, envelope.id),)
                return (SubscriptionRefused(channel, envelope.id, f"status {status!r}"),)
            case _:
                if channel == self._pong_channel:
                    return (Pong(),)
        if not channel:
            if not envelope.type:
                raise ProtocolError("a frame that names no channel")
            return _notice(wire.Notice(envelope.type, envelope.msg))
        return ()  # a channel that we did not ask for, or an unsubscription's answer

    def checksum_agrees(self, book: OrderBook, checksum: int) -> bool:
        return True  # Gate.io sends none, so no delta carries one

    def _symbol(self, spelling: str, *, affects_books: bool) -> Symbol:
        try:
            return self.identity.from_wire(spelling)
        except SymbolError as error:
            raise ProtocolError(str(error), affects_books=affects_books) from error

    def _delta(self, result: msgspec.Raw) -> BookDeltaDecoded:
        try:
            book = self._books.decode(result)
        except UNREADABLE as error:
            raise ProtocolError(f"a book update that cannot be read: {error}", symbol=self._symbol_of_bad_book(result)) from error
        symbol = self._symbol(book.s, affects_books=True)
        first = book.last if book.full else book.first
        if first is None or first > book.last:
            raise ProtocolError(f"a book update from {first} to {book.last}", symbol=symbol)
        return BookDeltaDecoded(
            symbol=symbol,
            bids=self._levels(book.b, symbol),
            asks=self._levels(book.a, symbol),
            first_sequence=first,
            last_sequence=book.last,
            exchange_time_milliseconds=book.t,
            is_full=book.full,
        )

    def _symbol_of_bad_book(self, result: msgspec.Raw) -> Symbol | None:
        try:
            return self.identity.from_wire(wire.BOOK_SYMBOLS.decode(result).s)
        except UNREADABLE:  # SymbolError is a ValueError
            return None


def _notice(notice: wire.Notice) -> Sequence[ConnectionClosing]:
    if notice.type != "upgrade":
        return ()
    return (ConnectionClosing(notice.msg or "the exchange is upgrading its service"),)
