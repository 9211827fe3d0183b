"""OKX spot, public side: v5 REST and the public websocket.

References are to headings of https://www.okx.com/docs-v5/en/. Prices and quantities are decimal text on the wire and are
decoded to floats, instrument rules to `Decimal`. Shapes of messages: `okx_wire`; checksums: `okx_checksum`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

import msgspec

from actors.feeds import okx_wire as wire
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
from actors.feeds.okx_checksum import WrittenNumber, book_checksum
from exchanges.okx_spot import OKX_SPOT
from market.book import OrderBook
from market.events import Level, Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol, SymbolError
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit

REST_URL = "https://www.okx.com"  # "Production Trading Services"; demo trading is the same host with a header of its own
WEBSOCKET_URLS: dict[Mode, str] = {  # "Production Trading Services", "Demo Trading Services"; the old port 8443 is closed
    "live": "wss://ws.okx.com/ws/v5/public",
    "testnet": "wss://wspap.okx.com/ws/v5/public",
}
INSTRUMENT_TYPE = "SPOT"
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


class OkxSpotFeedCodec:
    """Implements `actors.feeds.codec.FeedCodec`. Stateless."""

    identity = OKX_SPOT
    # "Order book channel", "Sequence ID": a message continues the book if its prevSeqId is the last seqId. That covers the
    # quiet minute's heartbeat (both equal, no levels) and the reset after maintenance (seqId below prevSeqId).
    sequence_rule = SequenceRule(SnapshotSource.STREAM, Continuity.LINKED)
    rate_limits: Mapping[str, RateLimit] = RATE_LIMITS
    ping_interval_seconds = 10.0  # "Connect": well within the 30 s after which a silent connection is closed
    connection_seconds_max = None  # none is documented

    def rest_url(self, mode: Mode) -> str:
        return REST_URL

    def websocket_url(self, mode: Mode) -> str:
        return WEBSOCKET_URLS[mode]

    def instruments_request(self) -> PublicRequest:
        request = HttpRequest(method="GET", path="/api/v5/public/instruments", query=f"instType={INSTRUMENT_TYPE}")
        return PublicRequest(request, INSTRUMENTS_GROUP)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        listings = wire.decode_data(wire.LISTINGS, body, "a list of instruments")
        return [_instrument(listing) for listing in listings if listing.instrument and listing.price_tick and listing.quantity_step]

    def snapshot_request(self, symbol: Symbol) -> PublicRequest:
        query = f"instId={OKX_SPOT.to_wire(symbol)}&sz={BOOK_LEVELS}"
        return PublicRequest(HttpRequest(method="GET", path="/api/v5/market/books", query=query), SNAPSHOT_GROUP)

    def decode_snapshot(self, symbol: Symbol, body: bytes) -> BookSnapshotDecoded:
        """Where the answer bears no number, it is 0: older than any book of the stream, to be compared by its levels."""
        books = wire.decode_data(wire.SNAPSHOTS, body, "an order book", symbol=symbol)
        if len(books) != 1:
            raise ProtocolError(f"{len(books)} order books in place of one", symbol=symbol)
        (book,) = books
        return BookSnapshotDecoded(
            symbol=symbol,
            bids=_levels(book.bids),
            asks=_levels(book.asks),
            sequence=book.sequence,
            exchange_time_milliseconds=book.milliseconds,
        )

    def check_response(self, response: HttpResponse) -> None:
        try:
            answer = wire.ANSWERS.decode(response.body)
        except wire.UNREADABLE:
            answer = wire.Answer(code="", message="the answer is not OKX's")  # a proxy's page, or nothing at all
        if 200 <= response.status < 300 and answer.code in ("0", ""):
            return  # what is no answer of OKX's is found unreadable by whoever reads it
        if answer.code in _REFUSALS:
            kind = _REFUSALS[answer.code]
        elif response.status == 429:
            kind = RefusalKind.RATE_LIMITED
        else:
            kind = RefusalKind.RETRYABLE if response.status >= 500 else RefusalKind.UNKNOWN
        raise RequestRefused(kind, response.status, f"{answer.code or 'no code'}: {answer.message}")

    def subscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        subscriptions: list[Subscription] = []
        for symbol in symbols:
            subscriptions += self.resubscribe_frames(symbol, now_milliseconds, first_request_id + len(subscriptions))
            for channel in (TRADES_CHANNEL, TICKERS_CHANNEL):
                request_id = first_request_id + len(subscriptions)
                subscriptions.append(Subscription(_request("subscribe", channel, symbol, request_id), request_id, channel))
        return subscriptions

    def unsubscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Frame]:
        return [
            _request("unsubscribe", BOOK_CHANNEL, symbol, request_id) for request_id, symbol in enumerate(symbols, first_request_id)
        ]  # fmt: skip

    def resubscribe_frames(self, symbol: Symbol, now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        # One frame per channel and instrument: each argument is answered by itself, and under the number of its frame.
        frame = _request("subscribe", BOOK_CHANNEL, symbol, first_request_id)
        return [Subscription(frame, first_request_id, BOOK_CHANNEL, (symbol,))]

    def ping_frame(self, now_milliseconds: int) -> Frame:
        return PING

    def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
        if frame in (PONG, PONG.encode()):
            return (Pong(),)
        envelope = wire.decode(wire.ENVELOPES, frame, "a frame")
        if envelope.event:
            return _control(envelope)
        if envelope.arg is None:
            raise ProtocolError("a frame that is neither a push nor an answer")
        match envelope.arg.channel:
            case "books":
                return _deltas(envelope.arg.instrument, envelope)
            case "trades":
                return _trades(envelope.arg.instrument, envelope.data, received_at)
            case "tickers":
                return _tickers(envelope.arg.instrument, envelope.data, received_at)
            case _:
                return ()  # nobody asked for it

    def checksum_agrees(self, book: OrderBook, checksum: int) -> bool:
        return book_checksum(book) == checksum


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


def _symbol(instrument: str, *, affects_books: bool) -> Symbol:
    try:
        return OKX_SPOT.from_wire(instrument)
    except SymbolError as error:
        raise ProtocolError(str(error), affects_books=affects_books) from error


def _deltas(instrument: str, envelope: wire.Envelope) -> Sequence[BookDeltaDecoded]:
    symbol = _symbol(instrument, affects_books=True)
    books = wire.decode(wire.BOOKS, envelope.data, "a book update", symbol=symbol)
    if envelope.action not in ("snapshot", "update"):
        raise ProtocolError(f"a book with the action {envelope.action!r}", symbol=symbol)
    is_full = envelope.action == "snapshot"
    deltas: list[BookDeltaDecoded] = []
    for index, book in enumerate(books):
        bids, asks = _levels(book.bids), _levels(book.asks)
        if book.checksum:
            texts = wire.decode(wire.BOOK_TEXTS, envelope.data, "a book update", symbol=symbol)[index]
            bids, asks = _written_levels(texts.bids), _written_levels(texts.asks)
        deltas.append(
            BookDeltaDecoded(
                symbol=symbol,
                bids=bids,
                asks=asks,
                first_sequence=book.sequence,
                last_sequence=book.sequence,
                previous_sequence=book.previous_sequence,
                checksum=book.checksum or None,
                exchange_time_milliseconds=book.milliseconds,
                is_full=is_full,
            )
        )
    return deltas


def _levels(levels: list[wire.Level]) -> list[Level]:
    return [(level.price, level.quantity) for level in levels]


def _written_levels(levels: list[wire.LevelText]) -> list[Level]:
    return [(WrittenNumber.read(level.price), WrittenNumber.read(level.quantity)) for level in levels]


def _trades(instrument: str, data: msgspec.Raw, received_at: float) -> Sequence[TradeHappened]:
    symbol = _symbol(instrument, affects_books=False)
    return [
        TradeHappened(
            exchange=OKX_SPOT.name,
            symbol=symbol,
            trade_id=trade.id,
            side=Side(trade.side),
            price=trade.price,
            quantity=trade.quantity,
            exchange_time_milliseconds=trade.milliseconds,
            received_at=received_at,
        )
        for trade in wire.decode(wire.TRADES, data, "a trade", affects_books=False)
    ]


def _tickers(instrument: str, data: msgspec.Raw, received_at: float) -> Sequence[TickerChanged]:
    symbol = _symbol(instrument, affects_books=False)
    tickers: list[TickerChanged] = []
    for ticker in wire.decode(wire.TICKERS, data, "a ticker", affects_books=False):
        prices = wire.ticker_prices(ticker)
        if prices is not None:
            last, bid, ask = prices
            tickers.append(
                TickerChanged(
                    exchange=OKX_SPOT.name,
                    symbol=symbol,
                    last=last,
                    best_bid=bid,
                    best_ask=ask,
                    base_volume_24h=ticker.base_volume,
                    quote_volume_24h=ticker.quote_volume,
                    received_at=received_at,
                )
            )
    return tickers


def _instrument(listing: wire.Listing) -> Instrument:
    price_tick, quantity_step = _positive(listing, listing.price_tick), _positive(listing, listing.quantity_step)
    return Instrument(
        exchange=OKX_SPOT.name,
        symbol=_symbol(listing.instrument, affects_books=False),
        price_tick=price_tick,
        quantity_step=quantity_step,
        quantity_min=_positive(listing, listing.quantity_min) if listing.quantity_min else quantity_step,
        notional_min=Decimal(0),  # "Get instruments" states none
        quantity_max=_positive(listing, listing.limit_quantity_max) if listing.limit_quantity_max else None,
        status=TradingStatus.TRADABLE if listing.state == "live" else TradingStatus.CLOSED,
    )


def _positive(listing: wire.Listing, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ProtocolError(f"{listing.instrument} has {text[:40]!r} among its rules") from error
    if not value.is_finite() or value <= 0 or not -40 <= value.adjusted() <= 40:
        raise ProtocolError(f"{listing.instrument} has an impossible rule: {text[:40]}")
    return value


def _request(operation: str, channel: str, symbol: Symbol, request_id: int) -> str:
    args = [{"channel": channel, "instId": OKX_SPOT.to_wire(symbol)}]
    return msgspec.json.encode(wire.Request(id=str(request_id), op=operation, args=args)).decode()
