"""OKX, public side, as far as its markets are alike: v5 REST and the public websocket.

References are to headings of https://www.okx.com/docs-v5/en/. Prices and quantities are decimal text on the wire and are
decoded to floats, instrument rules to `Decimal`. Shapes of messages: `okx_wire`; checksums: `okx_checksum`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

import msgspec

from actors.feeds.codec import (
    BookDeltaDecoded,
    BookSnapshotDecoded,
    ConnectionClosing,
    Continuity,
    Decoded,
    Frame,
    Mode,
    Pong,
    ProtocolError,
    PublicRequest,
    RefusalKind,
    RequestRefused,
    SequenceRule,
    SnapshotSource,
    Subscription,
    SubscriptionConfirmed,
    SubscriptionRefused,
)
from actors.feeds.okx import wire
from actors.feeds.okx.checksum import WrittenNumber, book_checksum
from actors.feeds.reading import UNREADABLE, decode
from exchanges.identity import ExchangeIdentity
from market.book import OrderBook
from market.contract_size import ContractSize
from market.events import Level, Side, TickerChanged, TradeHappened
from market.instrument import Instrument
from market.symbol import Symbol, SymbolError
from network.http import HttpRequest, HttpResponse
from network.limits import BANNED, TOO_MANY_REQUESTS
from network.rate_limit import RateLimit

REST_URL = "https://www.okx.com"  # "Production Trading Services"; demo trading is the same host with a header of its own
WEBSOCKET_URLS: dict[Mode, str] = {  # "Production Trading Services", "Demo Trading Services"; the old port 8443 is closed
    "live": "wss://ws.okx.com/ws/v5/public",
    "testnet": "wss://wspap.okx.com/ws/v5/public",
}
# "Get instruments" 20 in 2 s, "Get order book" 40 in 2 s, each per address. A tenth is left, because requests bunch up under way.
INSTRUMENTS_GROUP = "public_instruments"
SNAPSHOT_GROUP = "public_books"
RATE_LIMITS = MappingProxyType({INSTRUMENTS_GROUP: RateLimit(18, 2.0), SNAPSHOT_GROUP: RateLimit(36, 2.0)})

BOOK_CHANNEL = "books"  # "Order book channel": a snapshot of 400 levels, then what changes, every 100 ms
BOOK_LEVELS = 400
TRADES_CHANNEL = "trades"  # "Trades channel"
TICKERS_CHANNEL = "tickers"  # "Tickers channel"
PING, PONG = "ping", "pong"  # "Connect": bare text, no JSON
UPGRADE_NOTICE = "64008"  # "Notification": the connection will be closed for a service upgrade, in a minute
# "Get instruments", `maxLmtAmt`: the most that an order may be worth, in dollars. Of these quotes it is a number of quote units.
DOLLARS = ("USD", "USDT", "USDC")

_REFUSALS: dict[str, RefusalKind] = {  # "Error Code"
    "50001": RefusalKind.MAINTENANCE,
    "50004": RefusalKind.RETRYABLE,
    "50005": RefusalKind.RETRYABLE,
    "50011": RefusalKind.RATE_LIMITED,
    "50013": RefusalKind.RETRYABLE,
    "50014": RefusalKind.INVALID_PARAMETERS,
    "50015": RefusalKind.INVALID_PARAMETERS,
    "50016": RefusalKind.INVALID_PARAMETERS,
    "50026": RefusalKind.RETRYABLE,
    "50040": RefusalKind.RETRYABLE,
    "50061": RefusalKind.RATE_LIMITED,
    "51000": RefusalKind.INVALID_PARAMETERS,
    "51001": RefusalKind.UNKNOWN_SYMBOL,
    "51021": RefusalKind.UNKNOWN_SYMBOL,
}


class OkxFeedCodec(ABC):
    """What the codecs of OKX's markets share of `actors.feeds.codec.FeedCodec`; a market adds what is its own."""

    # "Order book channel", "Sequence ID": a message continues the book if its prevSeqId is the last seqId. That covers the
    # quiet minute's heartbeat (both equal, no levels) and the reset after maintenance (seqId below prevSeqId). The changelog
    # of 2026-02-12 announced that the first snapshot would no longer be pushed, and how to do without (the first message on
    # REST's book has prevSeqId <= its seqId < seqId); in 2026-10 it still was. The day it ends for good, this becomes REST.
    sequence_rule = SequenceRule(SnapshotSource.STREAM_OR_REST, Continuity.LINKED)
    rate_limits: Mapping[str, RateLimit] = RATE_LIMITS
    ping_interval_seconds = 10.0  # "Connect": well within the 30 s after which a silent connection is closed
    connection_seconds_max = None  # none is documented
    websocket_headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, identity: ExchangeIdentity, *, instrument_type: str, channels: Sequence[str] = ()) -> None:
        """`channels` are those of single instruments beside the three of every market."""
        self.identity = identity
        self.instrument_type = instrument_type
        self._channels = (BOOK_CHANNEL, TRADES_CHANNEL, TICKERS_CHANNEL, *channels)

    # What differs between markets

    @abstractmethod
    def instruments(self, listings: list[wire.Listing]) -> list[Instrument]:
        """Those that are traded by us.

        Raises:
            ProtocolError: one of them has an impossible rule.
        """

    @abstractmethod
    def contract_size(self, symbol: Symbol, *, affects_books: bool) -> ContractSize | None:
        """What sizes are counted in; None where that is the base asset itself.

        Raises:
            ProtocolError: no such instrument was listed.
        """

    @abstractmethod
    def volumes(self, ticker: wire.Ticker, last: float) -> tuple[float, float]:
        """A day's volume in base and in quote units."""

    def pushed(self, channel: str, instrument: str, data: msgspec.Raw, received_at: float) -> Sequence[Decoded]:
        """What a push of one of this market's own channels says; nothing of a channel that nobody asked for."""
        return ()

    # REST

    def rest_url(self, mode: Mode) -> str:
        return REST_URL

    def websocket_url(self, mode: Mode) -> str:
        return WEBSOCKET_URLS[mode]

    def instruments_request(self) -> PublicRequest:
        request = HttpRequest(method="GET", path="/api/v5/public/instruments", query=f"instType={self.instrument_type}")
        return PublicRequest(request, INSTRUMENTS_GROUP)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        listings = wire.decode_data(wire.LISTINGS, body, "a list of instruments")
        return self.instruments([one for one in listings if one.instrument and one.price_tick and one.quantity_step])

    def snapshot_request(self, symbol: Symbol) -> PublicRequest:
        query = f"instId={self.identity.to_wire(symbol)}&sz={BOOK_LEVELS}"
        return PublicRequest(HttpRequest(method="GET", path="/api/v5/market/books", query=query), SNAPSHOT_GROUP)

    def decode_snapshot(self, symbol: Symbol, body: bytes) -> BookSnapshotDecoded:
        """Where the answer bears no number, it is 0: older than any book of the stream, to be compared by its levels."""
        books = wire.decode_data(wire.SNAPSHOTS, body, "an order book", symbol=symbol)
        if len(books) != 1:
            raise ProtocolError(f"{len(books)} order books in place of one", symbol=symbol)
        (book,) = books
        size = self.contract_size(symbol, affects_books=True)
        return BookSnapshotDecoded(
            symbol=symbol,
            bids=_levels(book.bids, size),
            asks=_levels(book.asks, size),
            sequence=book.sequence,
            exchange_time_milliseconds=book.milliseconds,
        )

    def check_response(self, response: HttpResponse) -> None:
        try:
            answer = wire.ANSWERS.decode(response.body)
        except UNREADABLE:
            answer = wire.Answer(code="", message="the answer is not OKX's")  # a proxy's page, or nothing at all
        if 200 <= response.status < 300 and answer.code in ("0", ""):
            return  # what is no answer of OKX's is found unreadable by whoever reads it
        if answer.code in _REFUSALS:
            kind = _REFUSALS[answer.code]
        elif response.status in (TOO_MANY_REQUESTS, BANNED):
            kind = RefusalKind.RATE_LIMITED
        else:
            kind = RefusalKind.RETRYABLE if response.status >= 500 else RefusalKind.UNKNOWN
        raise RequestRefused(kind, response.status, f"{answer.code or 'no code'}: {answer.message}")

    # Requests of the stream

    def subscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        subscriptions: list[Subscription] = []
        for symbol in symbols:
            for channel in self._channels:
                request_id = first_request_id + len(subscriptions)
                books = (symbol,) if channel == BOOK_CHANNEL else ()
                subscriptions.append(Subscription(self._about("subscribe", channel, symbol, request_id), request_id, channel, books))
        return subscriptions

    def unsubscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Frame]:
        return [
            self._about("unsubscribe", BOOK_CHANNEL, symbol, request_id) for request_id, symbol in enumerate(symbols, first_request_id)
        ]  # fmt: skip

    def resubscribe_frames(self, symbol: Symbol, now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        frame = self._about("subscribe", BOOK_CHANNEL, symbol, first_request_id)
        return [Subscription(frame, first_request_id, BOOK_CHANNEL, (symbol,))]

    def ping_frame(self, now_milliseconds: int) -> Frame:
        return PING

    def _about(self, operation: str, channel: str, symbol: Symbol, request_id: int) -> str:
        return request_frame(operation, {"channel": channel, "instId": self.identity.to_wire(symbol)}, request_id)

    # Frames of the stream

    def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
        if frame in (PONG, PONG.encode()):
            return (Pong(),)
        envelope = decode(wire.ENVELOPES, frame, "a frame")
        if envelope.event:
            return _control(envelope)
        if envelope.arg is None:
            raise ProtocolError("a frame that is neither a push nor an answer")
        instrument = envelope.arg.instrument
        match envelope.arg.channel:
            case "books":
                return self._deltas(self.symbol(instrument, affects_books=True), envelope)
            case "trades":
                return self._trades(self.symbol(instrument, affects_books=False), envelope.data, received_at)
            case "tickers":
                return self._tickers(self.symbol(instrument, affects_books=False), envelope.data, received_at)
            case channel:
                return self.pushed(channel, instrument, envelope.data, received_at)

    def checksum_agrees(self, book: OrderBook, checksum: int) -> bool:
        return book_checksum(book) == checksum

    def symbol(self, instrument: str, *, affects_books: bool) -> Symbol:
        """
        Raises:
            ProtocolError: nothing is called `instrument` in this market.
        """
        try:
            return self.identity.from_wire(instrument)
        except SymbolError as error:
            raise ProtocolError(str(error), affects_books=affects_books) from error

    def _deltas(self, symbol: Symbol, envelope: wire.Envelope) -> Sequence[BookDeltaDecoded]:
        books = decode(wire.BOOKS, envelope.data, "a book update", symbol=symbol)
        if envelope.action not in ("snapshot", "update"):
            raise ProtocolError(f"a book with the action {envelope.action!r}", symbol=symbol)
        is_full = envelope.action == "snapshot"
        size = self.contract_size(symbol, affects_books=True)
        deltas: list[BookDeltaDecoded] = []
        for index, book in enumerate(books):
            if book.checksum:
                texts = decode(wire.BOOK_TEXTS, envelope.data, "a book update", symbol=symbol)[index]
                bids, asks = _written_levels(texts.bids, size), _written_levels(texts.asks, size)
            else:
                bids, asks = _levels(book.bids, size), _levels(book.asks, size)
            follows_on = not is_full and book.previous_sequence >= 0
            deltas.append(
                BookDeltaDecoded(
                    symbol=symbol,
                    bids=bids,
                    asks=asks,
                    first_sequence=book.previous_sequence + 1 if follows_on else book.sequence,
                    last_sequence=book.sequence,
                    previous_sequence=book.previous_sequence,
                    checksum=book.checksum or None,
                    exchange_time_milliseconds=book.milliseconds,
                    is_full=is_full,
                )
            )
        return deltas

    def _trades(self, symbol: Symbol, data: msgspec.Raw, received_at: float) -> Sequence[TradeHappened]:
        size = self.contract_size(symbol, affects_books=False)
        return [
            TradeHappened(
                exchange=self.identity.name,
                symbol=symbol,
                trade_id=trade.id,
                side=Side(trade.side),
                price=trade.price,
                quantity=trade.quantity if size is None else size.book_quantity(trade.quantity),
                exchange_time_milliseconds=trade.milliseconds,
                received_at=received_at,
            )
            for trade in decode(wire.TRADES, data, "a trade", affects_books=False)
        ]

    def _tickers(self, symbol: Symbol, data: msgspec.Raw, received_at: float) -> Sequence[TickerChanged]:
        tickers: list[TickerChanged] = []
        for ticker in decode(wire.TICKERS, data, "a ticker", affects_books=False):
            prices = wire.ticker_prices(ticker)
            if prices is not None:
                last, bid, ask = prices
                base_volume, quote_volume = self.volumes(ticker, last)
                tickers.append(
                    TickerChanged(
                        exchange=self.identity.name,
                        symbol=symbol,
                        last=last,
                        best_bid=bid,
                        best_ask=ask,
                        base_volume_24h=base_volume,
                        quote_volume_24h=quote_volume,
                        received_at=received_at,
                    )
                )
        return tickers


def request_frame(operation: str, arg: dict[str, str], request_id: int) -> str:
    """One frame per channel and instrument: each argument is answered by itself, and under the number of its frame."""
    return msgspec.json.encode(wire.Request(id=str(request_id), op=operation, args=[arg])).decode()


def positive_rule(listing: wire.Listing, text: str) -> Decimal:
    """
    Raises:
        ProtocolError: `text` is no rule that an instrument could have.
    """
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ProtocolError(f"{listing.instrument} has {text[:40]!r} among its rules", affects_books=False) from error
    if not value.is_finite() or value <= 0 or not -40 <= value.adjusted() <= 40:
        raise ProtocolError(f"{listing.instrument} has an impossible rule: {text[:40]}", affects_books=False)
    return value


def notional_max(listing: wire.Listing, symbol: Symbol) -> Decimal | None:
    """The most that a limit order may be worth; None where it is stated in another currency than the quote, or not at all."""
    return positive_rule(listing, listing.limit_dollars_max) if listing.limit_dollars_max and symbol.quote in DOLLARS else None


def _control(envelope: wire.Envelope) -> Sequence[Decoded]:
    channel = "" if envelope.arg is None else envelope.arg.channel
    match envelope.event:
        case "subscribe":
            return (SubscriptionConfirmed(channel, _request_id(envelope.id)),)
        case "error":
            return (SubscriptionRefused(channel, _request_id(envelope.id), f"{envelope.message} (code {envelope.code})"),)
        case "notice" if envelope.code == UPGRADE_NOTICE:
            return (ConnectionClosing(envelope.message or "the exchange is upgrading its service"),)
        case _:
            return ()  # an unsubscription's answer, a count of connections


def _request_id(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 18 else None


def _levels(levels: list[wire.Level], size: ContractSize | None) -> list[Level]:
    if size is None:
        return [(level.price, level.quantity) for level in levels]
    return [(level.price, size.book_quantity(level.quantity)) for level in levels]


def _written_levels(levels: list[wire.LevelText], size: ContractSize | None) -> list[Level]:
    written = [(WrittenNumber.read(level.price), WrittenNumber.read(level.quantity)) for level in levels]
    if size is None:
        return [*written]
    return [(price, WrittenNumber.spelled(size.book_quantity(float(quantity)), quantity.text)) for price, quantity in written]
