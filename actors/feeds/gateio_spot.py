"""Gate.io spot, public side: APIv4 REST and the v4 JSON websocket.

References are to sections of https://www.gate.com/docs/developers/apiv4/ (REST) and
https://www.gate.com/docs/developers/apiv4/ws/en/ (websocket). Prices and quantities are decimal strings on the wire and
are decoded to floats, instrument rules to `Decimal`. `actors.feeds.gateio_spot_wire` has the shapes of the messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import msgspec

from actors.feeds import gateio_spot_wire as wire
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
from exchanges.gateio_spot import GATEIO_SPOT
from market.book import OrderBook
from market.events import Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol, SymbolError
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit

REST_URLS: dict[Mode, str] = {  # REST, "APIv4 base URL"; requests below carry the /api/v4 prefix
    "live": "https://api.gateio.ws",
    "testnet": "https://api-testnet.gateapi.io",
}
WEBSOCKET_URLS: dict[Mode, str] = {  # websocket, "Server URL"
    "live": "wss://api.gateio.ws/ws/v4/",
    "testnet": "wss://ws-testnet.gate.com/v4/ws/spot",
}
# REST, "Frequency limit rule": public endpoints 200 in 10 s each, per address. A tenth is left, because requests bunch up under way.
PUBLIC_LIMIT = RateLimit(180, 10.0)
INSTRUMENTS_GROUP = "currency_pairs"
SNAPSHOT_GROUP = "order_book"

BOOK_CHANNEL = "spot.order_book_update"  # websocket, "Changed order book levels"
BOOK_INTERVAL = "100ms"  # carries the best 100 levels a side
BOOK_LEVELS = 100  # "How to maintain local order book", step 2: the snapshot's limit is the stream's level count
TRADES_CHANNEL = "spot.trades"  # websocket, "Public Trades Channel"
TICKERS_CHANNEL = "spot.tickers"  # websocket, "Tickers Channel"
PING_CHANNEL = "spot.ping"  # websocket, "Application ping pong"
PONG_CHANNEL = "spot.pong"
SYSTEM_CHANNEL = "spot.system"  # websocket, "Service upgrade notification"; older servers send the bare result object

# REST, "Error handling", label list.
_REFUSALS: dict[str, RefusalKind] = {
    "INVALID_CURRENCY_PAIR": RefusalKind.UNKNOWN_SYMBOL,
    "INVALID_CURRENCY": RefusalKind.UNKNOWN_SYMBOL,
    "INVALID_PARAM_VALUE": RefusalKind.INVALID_PARAMETERS,
    "MISSING_REQUIRED_PARAM": RefusalKind.INVALID_PARAMETERS,
    "TOO_MANY_REQUESTS": RefusalKind.RATE_LIMITED,
    "TOO_FAST": RefusalKind.RATE_LIMITED,
    "INTERNAL": RefusalKind.RETRYABLE,
    "SERVER_ERROR": RefusalKind.RETRYABLE,
    "INTERNAL_SERVER_ERROR": RefusalKind.RETRYABLE,
    "TOO_BUSY": RefusalKind.RETRYABLE,
}
_STATUSES = {  # REST, "Currency pair": trade_status
    "tradable": TradingStatus.TRADABLE,
    "buyable": TradingStatus.BUY_ONLY,
    "sellable": TradingStatus.SELL_ONLY,
    "untradable": TradingStatus.CLOSED,
}


class GateioSpotFeedCodec:
    """Implements `actors.feeds.codec.FeedCodec`. Stateless."""

    identity = GATEIO_SPOT
    # "How to maintain local order book": drop u < id+1; first U <= id+1 <= u; later U > last u + 1 means missing updates.
    sequence_rule = SequenceRule(SnapshotSource.REST, Continuity.CONTIGUOUS)
    rate_limits: Mapping[str, RateLimit] = MappingProxyType({INSTRUMENTS_GROUP: PUBLIC_LIMIT, SNAPSHOT_GROUP: PUBLIC_LIMIT})
    connection_seconds_max: float | None = None  # none is documented
    ping_interval_seconds = 10.0  # the documentation leaves it open; known clients use 5 to 20

    def rest_url(self, mode: Mode) -> str:
        return REST_URLS[mode]

    def websocket_url(self, mode: Mode) -> str:
        return WEBSOCKET_URLS[mode]

    def instruments_request(self) -> PublicRequest:
        return PublicRequest(HttpRequest(method="GET", path="/api/v4/spot/currency_pairs"), INSTRUMENTS_GROUP)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        return [_instrument(pair) for pair in wire.decode(wire.CURRENCY_PAIRS, body, "a list of currency pairs")]

    def snapshot_request(self, symbol: Symbol) -> PublicRequest:
        # `interval=0` means unmerged prices and is the default; `with_id` adds the sequence number.
        query = f"currency_pair={GATEIO_SPOT.to_wire(symbol)}&limit={BOOK_LEVELS}&with_id=true"
        return PublicRequest(HttpRequest(method="GET", path="/api/v4/spot/order_book", query=query), SNAPSHOT_GROUP)

    def decode_snapshot(self, symbol: Symbol, body: bytes) -> BookSnapshotDecoded:
        book = wire.decode(wire.SNAPSHOTS, body, "an order book", symbol=symbol)
        return BookSnapshotDecoded(
            symbol=symbol, bids=book.bids, asks=book.asks, sequence=book.id, exchange_time_milliseconds=book.update
        )  # fmt: skip

    def check_response(self, response: HttpResponse) -> None:
        if 200 <= response.status < 300:
            return
        try:
            refusal = wire.REFUSALS.decode(response.body)
        except wire.UNREADABLE:
            refusal = wire.Refusal(message="the answer is not Gate.io's")  # a proxy's page, or nothing at all
        if response.status == 429:
            kind = RefusalKind.RATE_LIMITED
        elif response.status >= 500:
            kind = RefusalKind.RETRYABLE
        else:
            kind = _REFUSALS.get(refusal.label, RefusalKind.UNKNOWN)
        raise RequestRefused(kind, response.status, f"{refusal.label or 'no label'}: {refusal.message}")

    def subscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        pairs = [GATEIO_SPOT.to_wire(symbol) for symbol in symbols]
        subscriptions: list[Subscription] = []
        for symbol in symbols:
            subscriptions += self.resubscribe_frames(symbol, now_milliseconds, first_request_id + len(subscriptions))
        for channel in (TRADES_CHANNEL, TICKERS_CHANNEL):
            request_id = first_request_id + len(subscriptions)
            subscriptions.append(Subscription(_request("subscribe", channel, pairs, now_milliseconds, request_id), request_id, channel))
        return subscriptions

    def unsubscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Frame]:
        return [
            _request("unsubscribe", BOOK_CHANNEL, [GATEIO_SPOT.to_wire(symbol), BOOK_INTERVAL], now_milliseconds, request_id)
            for request_id, symbol in enumerate(symbols, first_request_id)
        ]

    def resubscribe_frames(self, symbol: Symbol, now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        # One frame per book: the payload takes one pair, and a refusal then concerns one pair.
        payload = [GATEIO_SPOT.to_wire(symbol), BOOK_INTERVAL]
        frame = _request("subscribe", BOOK_CHANNEL, payload, now_milliseconds, first_request_id)
        return [Subscription(frame, first_request_id, BOOK_CHANNEL, (symbol,))]

    def ping_frame(self, now_milliseconds: int) -> Frame:
        return msgspec.json.encode(wire.Request(now_milliseconds // 1000, PING_CHANNEL)).decode()

    def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
        envelope = wire.decode(wire.ENVELOPES, frame, "a frame")
        channel = envelope.channel
        if envelope.error is not None:
            return (SubscriptionRefused(channel, envelope.id, f"{envelope.error.message} (code {envelope.error.code})"),)
        match envelope.event:
            case "update":
                if channel == BOOK_CHANNEL:
                    return (_delta(envelope.result),)
                if channel == TRADES_CHANNEL:
                    return (_trade(envelope.result, received_at),)
                if channel == TICKERS_CHANNEL:
                    return _ticker(envelope.result, received_at)
                if channel == SYSTEM_CHANNEL:
                    return _notice(wire.decode(wire.NOTICES, envelope.result, "a system notice", affects_books=False))
            case "subscribe":
                status = wire.decode(wire.STATUSES, envelope.result, "a subscription's answer").status
                if status == "success":
                    return (SubscriptionConfirmed(channel, envelope.id),)
                return (SubscriptionRefused(channel, envelope.id, f"status {status!r}"),)
            case _:
                if channel == PONG_CHANNEL:
                    return (Pong(),)
        if not channel:
            if not envelope.type:
                raise ProtocolError("a frame that names no channel")
            return _notice(wire.Notice(envelope.type, envelope.msg))
        return ()  # a channel that we did not ask for, or an unsubscription's answer

    def checksum_agrees(self, book: OrderBook, checksum: int) -> bool:
        return True  # Gate.io sends none, so no delta carries one


def _symbol(wire: str, *, affects_books: bool) -> Symbol:
    try:
        return GATEIO_SPOT.from_wire(wire)
    except SymbolError as error:
        raise ProtocolError(str(error), affects_books=affects_books) from error


def _delta(result: msgspec.Raw) -> BookDeltaDecoded:
    try:
        book = wire.BOOKS.decode(result)
    except wire.UNREADABLE as error:
        raise ProtocolError(f"a book update that cannot be read: {error}", symbol=_symbol_of_bad_book(result)) from error
    symbol = _symbol(book.s, affects_books=True)
    first = book.last if book.full else book.first
    if first is None or first > book.last:
        raise ProtocolError(f"a book update from {first} to {book.last}", symbol=symbol)
    return BookDeltaDecoded(
        symbol=symbol,
        bids=book.b,
        asks=book.a,
        first_sequence=first,
        last_sequence=book.last,
        exchange_time_milliseconds=book.t,
        is_full=book.full,
    )


def _symbol_of_bad_book(result: msgspec.Raw) -> Symbol | None:
    try:
        return GATEIO_SPOT.from_wire(wire.BOOK_SYMBOLS.decode(result).s)
    except wire.UNREADABLE:  # SymbolError is a ValueError
        return None


def _trade(result: msgspec.Raw, received_at: float) -> TradeHappened:
    trade = wire.decode(wire.TRADES, result, "a trade", affects_books=False)
    return TradeHappened(
        exchange=GATEIO_SPOT.name,
        symbol=_symbol(trade.currency_pair, affects_books=False),
        trade_id=str(trade.id),
        side=Side(trade.side),
        price=trade.price,
        quantity=trade.amount,
        exchange_time_milliseconds=int(trade.create_time_ms),
        received_at=received_at,
    )


def _ticker(result: msgspec.Raw, received_at: float) -> Sequence[TickerChanged]:
    ticker = wire.decode(wire.TICKERS, result, "a ticker", affects_books=False)
    prices = wire.ticker_prices(ticker)
    if prices is None:
        return ()
    last, bid, ask = prices
    return (
        TickerChanged(
            exchange=GATEIO_SPOT.name,
            symbol=_symbol(ticker.currency_pair, affects_books=False),
            last=last,
            best_bid=bid,
            best_ask=ask,
            base_volume_24h=ticker.base_volume,
            quote_volume_24h=ticker.quote_volume,
            received_at=received_at,
        ),
    )


def _notice(notice: wire.Notice) -> Sequence[ConnectionClosing]:
    if notice.type != "upgrade":
        return ()
    return (ConnectionClosing(notice.msg or "the exchange is upgrading its service"),)


def _instrument(pair: wire.CurrencyPair) -> Instrument:
    limits = (pair.min_base_amount, pair.min_quote_amount, pair.max_base_amount, pair.max_quote_amount)
    if not all(limit is None or (limit.is_finite() and limit >= 0) for limit in limits):
        raise ProtocolError(f"{pair.id} has an impossible limit: {limits}")
    quantity_step = Decimal(1).scaleb(-pair.amount_precision)
    return Instrument(
        exchange=GATEIO_SPOT.name,
        symbol=_symbol(pair.id, affects_books=False),
        price_tick=Decimal(1).scaleb(-pair.precision),
        quantity_step=quantity_step,
        quantity_min=pair.min_base_amount or quantity_step,
        notional_min=pair.min_quote_amount or Decimal(0),
        quantity_max=pair.max_base_amount or None,
        notional_max=pair.max_quote_amount or None,
        # A status that a later version of the API may add is taken as closed: the safe reading.
        status=_STATUSES.get(pair.trade_status, TradingStatus.CLOSED),
    )


def _request(event: str, channel: str, payload: list[str], now_milliseconds: int, request_id: int) -> str:
    return msgspec.json.encode(wire.Request(now_milliseconds // 1000, channel, request_id, event, payload)).decode()
