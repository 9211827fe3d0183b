"""Gate.io futures, public side: perpetual contracts settled in USDT, over APIv4 REST and the v4 JSON websocket.

References are to sections of https://www.gate.com/docs/developers/apiv4/ (REST) and
https://www.gate.com/docs/developers/futures/ws/en/ (websocket). On the wire quantities are numbers of contracts; they leave
here in base units. What futures share with spot is in `actors.feeds.gateio.codec`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

import msgspec

from actors.feeds.codec import BookSnapshotDecoded, Decoded, Mode, ProtocolError, PublicRequest
from actors.feeds.gateio import futures_wire as wire
from actors.feeds.gateio.codec import BOOK_INTERVAL, BOOK_LEVELS, PUBLIC_LIMIT, GateioFeedCodec
from actors.feeds.reading import decode
from exchanges.gateio_futures import GATEIO_FUTURES
from market.contract_size import ContractSize
from market.events import FundingRateChanged, Level, LiquidationHappened, MarkPriceChanged, Side, TickerChanged, TradeHappened
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from network.http import HttpRequest
from network.rate_limit import RateLimit

WEBSOCKET_URLS: dict[Mode, str] = {  # websocket, "Server URL", "USDT Contract"
    "live": "wss://fx-ws.gateio.ws/v4/ws/usdt",
    "testnet": "wss://ws-testnet.gate.com/v4/ws/futures/usdt",
}
INSTRUMENTS_GROUP = "contracts"
SNAPSHOT_GROUP = "order_book"

TRADES_CHANNEL = "futures.trades"  # websocket, "Trades API"
TICKERS_CHANNEL = "futures.tickers"  # websocket, "Tickers API"
LIQUIDATIONS_CHANNEL = "futures.public_liquidates"  # websocket, "Public liquidate order API"

SETTLEMENT = "USDT"
LINEAR = "direct"  # REST, "Contract", `type`: the other kind is "inverse"
# "Announcement on the USDT perpetual contract order quantity field type changes", 2025-12: sizes are decimal strings then,
# and without it they are cut to whole contracts.
SIZE_HEADER = ("X-Gate-Size-Decimal", "1")
MAGNITUDE_MAX = 18  # powers of ten; no real price, rate or size comes near
_TRADABLE = "trading"  # REST, "Contract", `status`; of a contract that is being delisted, positions may only be reduced


class GateioFuturesFeedCodec(GateioFeedCodec[wire.Level]):
    """Implements `actors.feeds.codec.FeedCodec`. `decode_instruments` learns what contracts are worth; until then no quantity is read."""

    identity = GATEIO_FUTURES
    websocket_headers = (SIZE_HEADER,)
    rate_limits: Mapping[str, RateLimit] = MappingProxyType({INSTRUMENTS_GROUP: PUBLIC_LIMIT, SNAPSHOT_GROUP: PUBLIC_LIMIT})

    def __init__(self) -> None:
        channels = (TRADES_CHANNEL, TICKERS_CHANNEL, LIQUIDATIONS_CHANNEL)
        super().__init__("futures", wire.BOOKS, book_options=(BOOK_INTERVAL, str(BOOK_LEVELS)), channels=channels)
        self._sizes: dict[Symbol, ContractSize] = {}

    def websocket_url(self, mode: Mode) -> str:
        return WEBSOCKET_URLS[mode]

    def instruments_request(self) -> PublicRequest:
        return PublicRequest(_get("/api/v4/futures/usdt/contracts"), INSTRUMENTS_GROUP)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        """Linear contracts settled in USDT. One that cannot be traded may have numbers that make no sense; it is left out then."""
        instruments: dict[Symbol, Instrument] = {}
        sizes: dict[Symbol, ContractSize] = {}
        for raw in decode(wire.LISTED, body, "a list of contracts"):
            kind = decode(wire.KINDS, raw, "a contract")
            if kind.type != LINEAR or not kind.name.endswith(f"_{SETTLEMENT}"):
                continue
            contract = decode(wire.CONTRACTS, raw, f"contract {kind.name}")
            is_tradable = contract.status == _TRADABLE and not contract.in_delisting
            symbol = self._symbol(contract.name, affects_books=False)
            try:
                size = _contract_size(contract)
                status = TradingStatus.TRADABLE if is_tradable else TradingStatus.CLOSED
                instruments[symbol], sizes[symbol] = _instrument(symbol, contract, size, status), size
            except (ValueError, ArithmeticError) as error:
                if is_tradable:
                    raise ProtocolError(f"{contract.name} has impossible rules: {error}", affects_books=False) from error
        self._sizes = sizes
        return list(instruments.values())

    def snapshot_request(self, symbol: Symbol) -> PublicRequest:
        # `interval=0` means unmerged prices and is the default; `with_id` adds the sequence number.
        query = f"contract={GATEIO_FUTURES.to_wire(symbol)}&limit={BOOK_LEVELS}&with_id=true"
        return PublicRequest(_get("/api/v4/futures/usdt/order_book", query), SNAPSHOT_GROUP)

    def decode_snapshot(self, symbol: Symbol, body: bytes) -> BookSnapshotDecoded:
        book = decode(wire.SNAPSHOTS, body, "an order book", symbol=symbol)
        return BookSnapshotDecoded(
            symbol=symbol,
            bids=self._levels(book.bids, symbol),
            asks=self._levels(book.asks, symbol),
            sequence=book.id,
            exchange_time_milliseconds=round(book.update * 1000),
        )

    def _levels(self, levels: list[wire.Level], symbol: Symbol) -> Sequence[Level]:
        quantity = self._size(symbol, affects_books=True).book_quantity
        return [(level.price, quantity(level.size)) for level in levels]

    def _size(self, symbol: Symbol, *, affects_books: bool) -> ContractSize:
        size = self._sizes.get(symbol)
        if size is None:
            raise ProtocolError(f"{symbol} is no contract that was listed", symbol=symbol, affects_books=affects_books)
        return size

    def _read(self, channel: str, result: msgspec.Raw, received_at: float) -> Sequence[Decoded]:
        if channel == TRADES_CHANNEL:
            trades = decode(wire.TRADES, result, "trades", affects_books=False)
            return [self._trade(trade, received_at) for trade in trades if not trade.is_internal]
        if channel == TICKERS_CHANNEL:
            tickers = decode(wire.TICKERS, result, "tickers", affects_books=False)
            return [event for ticker in tickers for event in self._ticker(ticker, received_at)]
        if channel == LIQUIDATIONS_CHANNEL:
            liquidations = decode(wire.LIQUIDATIONS, result, "liquidations", affects_books=False)
            return [self._liquidation(liquidation, received_at) for liquidation in liquidations]
        return ()

    def _trade(self, trade: wire.Trade, received_at: float) -> TradeHappened:
        symbol = self._symbol(trade.contract, affects_books=False)
        return TradeHappened(
            exchange=GATEIO_FUTURES.name,
            symbol=symbol,
            trade_id=str(trade.id),
            side=_side(trade.size),
            price=trade.price,
            quantity=self._size(symbol, affects_books=False).book_quantity(abs(trade.size)),
            exchange_time_milliseconds=int(trade.create_time_ms),
            received_at=received_at,
        )

    def _ticker(self, ticker: wire.Ticker, received_at: float) -> Sequence[TickerChanged | MarkPriceChanged | FundingRateChanged]:
        exchange, symbol = GATEIO_FUTURES.name, self._symbol(ticker.contract, affects_books=False)
        events: list[TickerChanged | MarkPriceChanged | FundingRateChanged] = []
        if ticker.last and ticker.volume_24h_base is not None and ticker.volume_24h_quote is not None:
            events.append(
                TickerChanged(
                    exchange=exchange,
                    symbol=symbol,
                    last=float(_price(ticker.last)),
                    best_bid=None,
                    best_ask=None,
                    base_volume_24h=ticker.volume_24h_base,
                    quote_volume_24h=ticker.volume_24h_quote,
                    received_at=received_at,
                )
            )
        if ticker.mark_price:
            events.append(MarkPriceChanged(exchange, symbol, _price(ticker.mark_price), received_at))
        if ticker.funding_rate and ticker.funding_next_apply:
            rate, next_milliseconds = _decimal(ticker.funding_rate), ticker.funding_next_apply * 1000
            events.append(FundingRateChanged(exchange, symbol, rate, next_milliseconds, received_at))
        return events

    def _liquidation(self, liquidation: wire.Liquidation, received_at: float) -> LiquidationHappened:
        symbol = self._symbol(liquidation.contract, affects_books=False)
        return LiquidationHappened(
            exchange=GATEIO_FUTURES.name,
            symbol=symbol,
            side=_side(liquidation.size),
            price=liquidation.price,
            quantity=self._size(symbol, affects_books=False).book_quantity(abs(liquidation.size)),
            received_at=received_at,
        )


def _get(path: str, query: str = "") -> HttpRequest:
    return HttpRequest(method="GET", path=path, query=query, headers=(SIZE_HEADER,))


def _contract_size(contract: wire.Contract) -> ContractSize:
    """
    Raises:
        ValueError: impossible rules.
    """
    limits = (contract.order_size_min, contract.order_size_max, contract.leverage_max or Decimal(0))
    if not all(_is_number(limit) and limit >= 0 for limit in limits):
        raise ValueError(f"limits of {limits}")
    units = (contract.quanto_multiplier, contract.order_price_round)
    if not all(_is_number(unit) and unit > 0 for unit in units):
        raise ValueError(f"units of {units}")
    # Where parts of a contract may be ordered, the smallest part is nowhere said: only a smallest order below one tells.
    return ContractSize(contract.quanto_multiplier, min(contract.order_size_min, Decimal(1)) or Decimal(1))


def _instrument(symbol: Symbol, contract: wire.Contract, size: ContractSize, status: TradingStatus) -> Instrument:
    return Instrument(
        exchange=GATEIO_FUTURES.name,
        symbol=symbol,
        price_tick=contract.order_price_round,
        quantity_step=size.to_base_units(size.step),
        quantity_min=size.to_base_units(max(contract.order_size_min, size.step)),
        quantity_max=size.to_base_units(contract.order_size_max) or None,
        notional_min=Decimal(0),  # none is stated
        contract_size=size.base_units,
        leverage_max=contract.leverage_max or None,
        status=status,
    )


def _side(size: float) -> Side:
    return Side.SELL if size < 0 else Side.BUY


def _is_number(value: Decimal) -> bool:
    """Whether it is one that could be meant."""
    return value.is_finite() and abs(value.adjusted()) <= MAGNITUDE_MAX


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not _is_number(value):
        raise ProtocolError(f"a ticker with {text[:40]!r} for a number", affects_books=False)
    return value


def _price(text: str) -> Decimal:
    price = _decimal(text)
    if price <= 0:
        raise ProtocolError(f"a ticker with a price of {price}", affects_books=False)
    return price
