"""What feeds say about markets: frozen facts in the past tense.

`received_at` is `trio.current_time()` when the frame was read; staleness is always judged by it. Exchange times are
milliseconds since the epoch by the exchange's clock and are for people and reports only. Numbers from the book and
from trades are floats (see `market.instrument.decimal_from_book`); they are never summed into money.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from market.instrument import Instrument
from market.symbol import Symbol

Level = tuple[float, float]  # price, quantity in base units


class Side(enum.Enum):
    """The side of an order, or the taker's side of a trade."""

    BUY = "buy"
    SELL = "sell"

    # There is one object of each. An enum hashes its name instead, in Python, and a side is looked up in every decision.
    __hash__ = object.__hash__

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class BookChanged(msgspec.Struct, frozen=True):
    """The top of a whole, synchronised book after a change. Levels best first; at least one on each side."""

    exchange: str
    symbol: Symbol
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int
    generation: int
    exchange_time_milliseconds: int
    received_at: float

    @property
    def best_bid(self) -> Level:
        return self.bids[0]

    @property
    def best_ask(self) -> Level:
        return self.asks[0]


class BookLost(msgspec.Struct, frozen=True):
    """The book of a symbol must not be used until the next `BookChanged`: gap, reconnect, crossed, stale, stopped."""

    exchange: str
    symbol: Symbol
    reason: str
    received_at: float


class TradeHappened(msgspec.Struct, frozen=True):
    """A public trade. `side` is the taker's."""

    exchange: str
    symbol: Symbol
    trade_id: str
    side: Side
    price: float
    quantity: float
    exchange_time_milliseconds: int
    received_at: float


class TickerChanged(msgspec.Struct, frozen=True):
    """The exchange's own ticker: last price and 24 hour volumes; best prices are None where it does not tell them."""

    exchange: str
    symbol: Symbol
    last: float
    best_bid: float | None
    best_ask: float | None
    base_volume_24h: float
    quote_volume_24h: float
    received_at: float


class MarkPriceChanged(msgspec.Struct, frozen=True):
    """A derivative's mark price."""

    exchange: str
    symbol: Symbol
    mark_price: Decimal
    received_at: float


class FundingRateChanged(msgspec.Struct, frozen=True):
    """A perpetual's funding rate and the time it applies next."""

    exchange: str
    symbol: Symbol
    rate: Decimal
    next_funding_milliseconds: int
    received_at: float


class LiquidationHappened(msgspec.Struct, frozen=True):
    """A public liquidation; `side` is that of the liquidation order."""

    exchange: str
    symbol: Symbol
    side: Side
    price: float
    quantity: float
    received_at: float


class InstrumentListed(msgspec.Struct, frozen=True):
    """The rules of an instrument, sent once whenever the feed has (re)loaded them."""

    instrument: Instrument


MarketEvent = (
    BookChanged | BookLost | TradeHappened | TickerChanged | MarkPriceChanged | FundingRateChanged | LiquidationHappened | InstrumentListed
)  # fmt: skip
