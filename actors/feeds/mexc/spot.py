"""MEXC spot, public side: REST v3 and the protobuf websocket.

References are to pages of https://www.mexc.com/api-docs/spot-v3/ (REST "Market Data Endpoints", "Websocket Market Streams").
Prices and quantities are decimal text on the wire and are decoded to floats, instrument rules to `Decimal`.
`actors.feeds.mexc.wire` has the shapes of the messages.

Of a market two channels are subscribed: changes of the book, and trades. The channel of best prices (`bookTicker`) is not:
it has neither the last price nor the day's volumes that make a `TickerChanged`, the book says the rest, and a connection
holds 30 subscriptions in all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import msgspec

from actors.feeds.codec import (
    BookDeltaDecoded,
    BookSnapshotDecoded,
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
from actors.feeds.mexc import wire
from actors.feeds.reading import UNREADABLE, decode
from exchanges.mexc_spot import MEXC_SPOT
from exchanges.mexc_spot_push_pb2 import Push
from market.book import OrderBook
from market.events import Side, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol, SymbolError
from network.http import HttpRequest, HttpResponse
from network.limits import BANNED, TOO_MANY_REQUESTS
from network.rate_limit import RateLimit

REST_URL = "https://api.mexc.com"  # "Base endpoint"
WEBSOCKET_URL = "wss://wbs-api.mexc.com/ws"  # "Websocket Market Streams"; wss://wbs.mexc.com was switched off in August 2025
# "LIMITS": each endpoint has a budget of its own of 500 weight in 10 s per address. A tenth is left, because requests bunch up under way.
PUBLIC_LIMIT = RateLimit(450, 10.0)
INSTRUMENTS_GROUP = "exchangeInfo"
INSTRUMENTS_WEIGHT = 25
SNAPSHOT_GROUP = "depth"
SNAPSHOT_WEIGHT = 3
SNAPSHOT_LEVELS = 1000  # 5000 are to be had; nothing here looks so deep, and a quiet book is proven by a snapshot every few seconds

BOOK_CHANNEL = "spot@public.aggre.depth.v3.api.pb@100ms"  # "Diff.Depth Stream"
TRADES_CHANNEL = "spot@public.aggre.deals.v3.api.pb@100ms"  # "Trade Streams"
SUBSCRIPTIONS_MAX = 30  # "one ws connection supports a maximum of 30 subscriptions"
REFUSED = "Not Subscribed successfully!"  # in a text with code 0, before the topic in brackets and the reason

_REFUSALS: dict[int, RefusalKind] = {  # "Error Code"
    429: RefusalKind.RATE_LIMITED,
    500: RefusalKind.RETRYABLE,
    503: RefusalKind.RETRYABLE,
    504: RefusalKind.RETRYABLE,
    604: RefusalKind.MAINTENANCE,
    801: RefusalKind.MAINTENANCE,
    11444: RefusalKind.MAINTENANCE,
    10007: RefusalKind.UNKNOWN_SYMBOL,
    30014: RefusalKind.UNKNOWN_SYMBOL,
    30021: RefusalKind.UNKNOWN_SYMBOL,
    -1121: RefusalKind.UNKNOWN_SYMBOL,
    -1128: RefusalKind.INVALID_PARAMETERS,
    33333: RefusalKind.INVALID_PARAMETERS,
    44444: RefusalKind.INVALID_PARAMETERS,
    700004: RefusalKind.INVALID_PARAMETERS,
    700008: RefusalKind.INVALID_PARAMETERS,
}
_ONLINE = ("1", "ENABLED")  # "Exchange Information", status: 1 online, 2 pause, 3 offline; a word before 2024
_STATUS_BY_SIDES = {1: TradingStatus.TRADABLE, 2: TradingStatus.BUY_ONLY, 3: TradingStatus.SELL_ONLY, 4: TradingStatus.CLOSED}
_SIDES = {1: Side.BUY, 2: Side.SELL}  # tradeType: the taker's


class MexcSpotFeedCodec:
    """Implements `actors.feeds.codec.FeedCodec`. Stateless."""

    identity = MEXC_SPOT
    # "How to properly maintain a local order book": drop toVersion <= lastUpdateId; the first kept has fromVersion <= lastUpdateId + 1;
    # from then on fromVersion is the last toVersion + 1.
    sequence_rule = SequenceRule(SnapshotSource.REST, Continuity.CONTIGUOUS)
    rate_limits: Mapping[str, RateLimit] = MappingProxyType({INSTRUMENTS_GROUP: PUBLIC_LIMIT, SNAPSHOT_GROUP: PUBLIC_LIMIT})
    websocket_headers: tuple[tuple[str, str], ...] = ()
    ping_interval_seconds = 10.0  # closed after 60 s without data, and 1005 drops are reported where nobody pings
    connection_seconds_max: float | None = 23 * 3600.0  # "a single connection is only valid for 24 hours"

    def rest_url(self, mode: Mode) -> str:
        """
        Raises:
            ValueError: MEXC has no testnet.
        """
        return _live(mode, REST_URL)

    def websocket_url(self, mode: Mode) -> str:
        """
        Raises:
            ValueError: MEXC has no testnet.
        """
        return _live(mode, WEBSOCKET_URL)

    def instruments_request(self) -> PublicRequest:
        return PublicRequest(HttpRequest(method="GET", path="/api/v3/exchangeInfo"), INSTRUMENTS_GROUP, INSTRUMENTS_WEIGHT)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        """Pairs that are not spelled base before quote are left out: nothing else could name them."""
        pairs = decode(wire.PAIRS, body, "a list of pairs").symbols
        return [_instrument(pair) for pair in pairs if pair.symbol == f"{pair.base_asset}{pair.quote_asset}"]

    def snapshot_request(self, symbol: Symbol) -> PublicRequest:
        query = f"symbol={MEXC_SPOT.to_wire(symbol)}&limit={SNAPSHOT_LEVELS}"
        return PublicRequest(HttpRequest(method="GET", path="/api/v3/depth", query=query), SNAPSHOT_GROUP, SNAPSHOT_WEIGHT)

    def decode_snapshot(self, symbol: Symbol, body: bytes) -> BookSnapshotDecoded:
        book = decode(wire.SNAPSHOTS, body, "an order book", symbol=symbol)
        return BookSnapshotDecoded(
            symbol=symbol, bids=book.bids, asks=book.asks, sequence=book.sequence, exchange_time_milliseconds=book.timestamp
        )  # fmt: skip

    def check_response(self, response: HttpResponse) -> None:
        if 200 <= response.status < 300:
            return
        try:
            refusal = wire.REFUSALS.decode(response.body)
        except UNREADABLE:
            refusal = wire.Refusal(msg="the answer is not MEXC's")  # a firewall's page, or nothing at all
        if response.status in (TOO_MANY_REQUESTS, BANNED) or (response.status == 403 and not refusal.code):
            kind = RefusalKind.RATE_LIMITED  # 403 without a code is the firewall's word for too many requests
        elif response.status >= 500:
            kind = RefusalKind.RETRYABLE
        else:
            kind = _REFUSALS.get(refusal.code, RefusalKind.UNKNOWN)
        raise RequestRefused(kind, response.status, f"{refusal.code or 'no code'}: {refusal.msg}")

    def subscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        """Every book, and the trades of as many symbols as the connection's subscriptions allow.

        Raises:
            ValueError: more symbols than a connection can have subscriptions.
        """
        if len(symbols) > SUBSCRIPTIONS_MAX:
            raise ValueError(f"MEXC gives {SUBSCRIPTIONS_MAX} subscriptions per connection, too few for {len(symbols)} symbols")
        subscriptions: list[Subscription] = []
        for symbol in symbols:
            subscriptions += self.resubscribe_frames(symbol, now_milliseconds, first_request_id + len(subscriptions))
        for symbol in symbols[: SUBSCRIPTIONS_MAX - len(subscriptions)]:
            topic, request_id = _topic(TRADES_CHANNEL, symbol), first_request_id + len(subscriptions)
            subscriptions.append(Subscription(_request("SUBSCRIPTION", topic, request_id), request_id, topic))
        return subscriptions

    def unsubscribe_frames(self, symbols: Sequence[Symbol], now_milliseconds: int, first_request_id: int) -> list[Frame]:
        return [
            _request("UNSUBSCRIPTION", _topic(BOOK_CHANNEL, symbol), request_id)
            for request_id, symbol in enumerate(symbols, first_request_id)
        ]

    def resubscribe_frames(self, symbol: Symbol, now_milliseconds: int, first_request_id: int) -> list[Subscription]:
        # One topic per frame, so that an answer is about one topic; the topic serves as the channel's name, because a refusal
        # may come without the number of the request.
        topic = _topic(BOOK_CHANNEL, symbol)
        return [Subscription(_request("SUBSCRIPTION", topic, first_request_id), first_request_id, topic, (symbol,))]

    def ping_frame(self, now_milliseconds: int) -> Frame:
        return msgspec.json.encode(wire.Request("PING")).decode()

    def decode_frame(self, frame: Frame, received_at: float) -> Sequence[Decoded]:
        if isinstance(frame, str):  # the kind of the frame tells control from data
            return _control(decode(wire.CONTROLS, frame, "a control frame", affects_books=False))
        push = wire.read_push(frame)
        body = push.WhichOneof("body")
        if body == "depth":
            return (_delta(push),)
        if body == "trades":
            return _trades(push, received_at)
        if not push.channel:
            raise ProtocolError("a push that names no channel")
        return ()  # a channel that we did not ask for

    def checksum_agrees(self, book: OrderBook, checksum: int) -> bool:
        return True  # MEXC sends none, so no delta carries one


def _live(mode: Mode, url: str) -> str:
    if mode != "live":
        raise ValueError("MEXC spot has no testnet")
    return url


def _topic(channel: str, symbol: Symbol) -> str:
    return f"{channel}@{MEXC_SPOT.to_wire(symbol)}"


def _request(method: str, topic: str, request_id: int) -> str:
    return msgspec.json.encode(wire.Request(method, [topic], request_id)).decode()


def _control(control: wire.Control) -> Sequence[Decoded]:
    message, request_id = control.msg, control.id or None
    if message == "PONG":
        return (Pong(),)
    if message.startswith(REFUSED) or control.code:
        topic = message.partition("[")[2].partition("]")[0]
        return (SubscriptionRefused(topic, request_id, f"{message} (code {control.code})"),)
    if message.startswith("spot@"):
        return (SubscriptionConfirmed(message, request_id),)
    return ()


def _symbol(push: Push, *, affects_books: bool) -> Symbol:
    spelling = push.symbol or push.channel.rpartition("@")[2]
    try:
        return MEXC_SPOT.from_wire(spelling)
    except SymbolError as error:
        raise ProtocolError(str(error), affects_books=affects_books) from error


def _delta(push: Push) -> BookDeltaDecoded:
    symbol, depth = _symbol(push, affects_books=True), push.depth
    first = wire.read_version(depth.from_version, symbol=symbol)
    last = wire.read_version(depth.to_version, symbol=symbol)
    if first > last:
        raise ProtocolError(f"a book update from {first} to {last}", symbol=symbol)
    return BookDeltaDecoded(
        symbol=symbol,
        bids=wire.read_levels(depth.bids, "a book update", symbol=symbol),
        asks=wire.read_levels(depth.asks, "a book update", symbol=symbol),
        first_sequence=first,
        last_sequence=last,
        exchange_time_milliseconds=push.send_time,
    )


def _trades(push: Push, received_at: float) -> Sequence[TradeHappened]:
    symbol, deals = _symbol(push, affects_books=False), push.trades.deals
    levels = wire.read_levels(deals, "a trade", symbol=symbol, affects_books=False)
    trades: list[TradeHappened] = []
    for number, (deal, (price, quantity)) in enumerate(zip(deals, levels, strict=True)):
        side = _SIDES.get(deal.trade_type)
        if side is None:
            raise ProtocolError(f"a trade of the type {deal.trade_type}", symbol=symbol, affects_books=False)
        trades.append(
            TradeHappened(
                exchange=MEXC_SPOT.name,
                symbol=symbol,
                trade_id=deal.trade_id or f"{push.send_time}-{number}",  # the id is newer than the channel, and not always there
                side=side,
                price=price,
                quantity=quantity,
                exchange_time_milliseconds=deal.time,
                received_at=received_at,
            )
        )
    return trades


def _instrument(pair: wire.Pair) -> Instrument:
    limits = (pair.base_size_precision, pair.quote_amount_precision, pair.quote_amount_precision_market)
    maxima = [limit for limit in (pair.max_quote_amount, pair.max_quote_amount_market) if limit]
    if not all(limit.is_finite() and limit >= 0 for limit in (*limits, *maxima)):
        raise ProtocolError(f"{pair.symbol} has an impossible limit: {(*limits, *maxima)}", affects_books=False)
    symbol = Symbol(pair.base_asset, pair.quote_asset)
    MEXC_SPOT.to_wire(symbol)  # from here on the spelling is known, also with a quote asset that nothing else tells from the base
    quantity_step = Decimal(1).scaleb(-pair.base_asset_precision)
    return Instrument(
        exchange=MEXC_SPOT.name,
        symbol=symbol,
        price_tick=Decimal(1).scaleb(-pair.quote_precision),
        quantity_step=quantity_step,
        quantity_min=pair.base_size_precision or quantity_step,
        notional_min=max(pair.quote_amount_precision, pair.quote_amount_precision_market),
        notional_max=min(maxima, default=None),
        # `isSpotTradingAllowed` is left aside: the documentation's own example has it false for BTCUSDT. Where it counts, the
        # exchange refuses the order (10007) and says so.
        status=_STATUS_BY_SIDES.get(pair.trade_side_type, TradingStatus.CLOSED) if str(pair.status) in _ONLINE else TradingStatus.CLOSED,
    )
