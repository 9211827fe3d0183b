"""Gate.io spot, public side: APIv4 REST and the v4 JSON websocket.

References are to sections of https://www.gate.com/docs/developers/apiv4/ (REST) and
https://www.gate.com/docs/developers/apiv4/ws/en/ (websocket). Prices and quantities are decimal strings on the wire and
are decoded to floats, instrument rules to `Decimal`. What spot shares with futures is in `actors.feeds.gateio.codec`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import msgspec

from actors.feeds.codec import BookSnapshotDecoded, Decoded, Mode, ProtocolError, PublicRequest
from actors.feeds.gateio import spot_wire as wire
from actors.feeds.gateio.codec import BOOK_INTERVAL, BOOK_LEVELS, PUBLIC_LIMIT, GateioFeedCodec
from actors.feeds.reading import decode
from exchanges.gateio_spot import GATEIO_SPOT
from market.events import Level, Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from network.http import HttpRequest
from network.rate_limit import RateLimit

WEBSOCKET_URLS: dict[Mode, str] = {  # websocket, "Server URL"
    "live": "wss://api.gateio.ws/ws/v4/",
    "testnet": "wss://ws-testnet.gate.com/v4/ws/spot",
}
INSTRUMENTS_GROUP = "currency_pairs"
SNAPSHOT_GROUP = "order_book"

TRADES_CHANNEL = "spot.trades"  # websocket, "Public Trades Channel"
TICKERS_CHANNEL = "spot.tickers"  # websocket, "Tickers Channel"

_STATUSES = {  # REST, "Currency pair": trade_status
    "tradable": TradingStatus.TRADABLE,
    "buyable": TradingStatus.BUY_ONLY,
    "sellable": TradingStatus.SELL_ONLY,
    "untradable": TradingStatus.CLOSED,
}


class GateioSpotFeedCodec(GateioFeedCodec[Level]):
    """Implements `actors.feeds.codec.FeedCodec`. Stateless."""

    identity = GATEIO_SPOT
    rate_limits: Mapping[str, RateLimit] = MappingProxyType({INSTRUMENTS_GROUP: PUBLIC_LIMIT, SNAPSHOT_GROUP: PUBLIC_LIMIT})

    def __init__(self) -> None:
        super().__init__("spot", wire.BOOKS, book_options=(BOOK_INTERVAL,), channels=(TRADES_CHANNEL, TICKERS_CHANNEL))

    def websocket_url(self, mode: Mode) -> str:
        return WEBSOCKET_URLS[mode]

    def instruments_request(self) -> PublicRequest:
        return PublicRequest(HttpRequest(method="GET", path="/api/v4/spot/currency_pairs"), INSTRUMENTS_GROUP)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        return [self._instrument(pair) for pair in decode(wire.CURRENCY_PAIRS, body, "a list of currency pairs")]

    def snapshot_request(self, symbol: Symbol) -> PublicRequest:
        # `interval=0` means unmerged prices and is the default; `with_id` adds the sequence number.
        query = f"currency_pair={GATEIO_SPOT.to_wire(symbol)}&limit={BOOK_LEVELS}&with_id=true"
        return PublicRequest(HttpRequest(method="GET", path="/api/v4/spot/order_book", query=query), SNAPSHOT_GROUP)

    def decode_snapshot(self, symbol: Symbol, body: bytes) -> BookSnapshotDecoded:
        book = decode(wire.SNAPSHOTS, body, "an order book", symbol=symbol)
        return BookSnapshotDecoded(
            symbol=symbol, bids=book.bids, asks=book.asks, sequence=book.id, exchange_time_milliseconds=int(book.update)
        )  # fmt: skip

    def _levels(self, levels: list[Level], symbol: Symbol) -> Sequence[Level]:
        return levels

    def _read(self, channel: str, result: msgspec.Raw, received_at: float) -> Sequence[Decoded]:
        if channel == TRADES_CHANNEL:
            return (self._trade(result, received_at),)
        return self._ticker(result, received_at) if channel == TICKERS_CHANNEL else ()

    def _trade(self, result: msgspec.Raw, received_at: float) -> TradeHappened:
        trade = decode(wire.TRADES, result, "a trade", affects_books=False)
        return TradeHappened(
            exchange=GATEIO_SPOT.name,
            symbol=self._symbol(trade.currency_pair, affects_books=False),
            trade_id=str(trade.id),
            side=Side(trade.side),
            price=trade.price,
            quantity=trade.amount,
            exchange_time_milliseconds=int(trade.create_time_ms),
            received_at=received_at,
        )

    def _ticker(self, result: msgspec.Raw, received_at: float) -> Sequence[TickerChanged]:
        ticker = decode(wire.TICKERS, result, "a ticker", affects_books=False)
        prices = wire.ticker_prices(ticker)
        if prices is None:
            return ()
        last, bid, ask = prices
        return (
            TickerChanged(
                exchange=GATEIO_SPOT.name,
                symbol=self._symbol(ticker.currency_pair, affects_books=False),
                last=last,
                best_bid=bid,
                best_ask=ask,
                base_volume_24h=ticker.base_volume,
                quote_volume_24h=ticker.quote_volume,
                received_at=received_at,
            ),
        )

    def _instrument(self, pair: wire.CurrencyPair) -> Instrument:
        limits = (pair.min_base_amount, pair.min_quote_amount, pair.max_base_amount, pair.max_quote_amount)
        if not all(limit is None or (limit.is_finite() and limit >= 0) for limit in limits):
            raise ProtocolError(f"{pair.id} has an impossible limit: {limits}")
        quantity_step = Decimal(1).scaleb(-pair.amount_precision)
        return Instrument(
            exchange=GATEIO_SPOT.name,
            symbol=self._symbol(pair.id, affects_books=False),
            price_tick=Decimal(1).scaleb(-pair.precision),
            quantity_step=quantity_step,
            quantity_min=pair.min_base_amount or quantity_step,
            notional_min=pair.min_quote_amount or Decimal(0),
            quantity_max=pair.max_base_amount or None,
            notional_max=pair.max_quote_amount or None,
            # A status that a later version of the API may add is taken as closed: the safe reading.
            status=_STATUSES.get(pair.trade_status, TradingStatus.CLOSED),
        )
