"""What the engine tells its listeners, synchronously, while a command is carried out."""

from __future__ import annotations

import enum
from collections.abc import Callable
from decimal import Decimal

import msgspec

from market.events import Side
from market.symbol import Symbol
from simulated.engine.order import Order, Trade
from simulated.engine.position import Position


class LevelChanged(msgspec.Struct, frozen=True):
    """A price level now holds `quantity` (zero: gone). `update_id` grows by one with every change of this book."""

    symbol: Symbol
    side: Side
    price: Decimal
    quantity: Decimal
    update_id: int
    at_milliseconds: int


class TradeMade(msgspec.Struct, frozen=True):
    trade: Trade


class OrderChange(enum.Enum):
    PUT = "put"
    UPDATED = "update"
    FINISHED = "finish"


class OrderChanged(msgspec.Struct, frozen=True):
    """`order` is a copy taken at this moment, so that it may be kept."""

    order: Order
    change: OrderChange
    at_milliseconds: int


class BalanceReason(enum.Enum):
    ORDER_PUT = "order_put"
    ORDER_MATCHED = "order_matched"
    ORDER_CHANGED = "order_changed"
    DEPOSITED = "deposited"
    WITHDRAWN = "withdrawn"
    REALISED = "realised"
    FEE = "fee"
    FUNDING = "funding"
    INSURANCE = "insurance"
    MARGIN_CHANGED = "margin_changed"


class BalanceChanged(msgspec.Struct, frozen=True):
    """`available` + `locked` is the total. Of contracts, the total is the wallet without unrealised profit, which only `REALISED`,
    `FEE`, `FUNDING`, `INSURANCE` and transfers change; `available` may be below zero where unrealised profit stands behind it.
    `symbol` names the market that a change of a contracts wallet came from.
    """

    account: str
    asset: str
    available: Decimal
    locked: Decimal
    available_change: Decimal
    locked_change: Decimal
    reason: BalanceReason
    at_milliseconds: int
    symbol: Symbol | None = None


class PositionReason(enum.Enum):
    TRADED = "traded"
    LIQUIDATED = "liquidated"
    FUNDING = "funding"
    LEVERAGE_CHANGED = "leverage_changed"


class PositionChanged(msgspec.Struct, frozen=True):
    """`position` is a copy taken at this moment. After a trade it is told once all of the trade has been, in the order of the parties."""

    account: str
    position: Position
    reason: PositionReason
    at_milliseconds: int


class FundingPaid(msgspec.Struct, frozen=True):
    """`amount` was received (positive) or paid (negative) in `asset`. `id` counts the payments of the whole exchange."""

    account: str
    symbol: Symbol
    amount: Decimal
    rate: Decimal
    asset: str
    at_milliseconds: int
    id: int


class Liquidated(msgspec.Struct, frozen=True):
    """A position was closed by the exchange: `side` is the closing order's, `price` its limit, at which nothing of the margin is left."""

    account: str
    symbol: Symbol
    side: Side
    price: Decimal
    quantity: Decimal
    at_milliseconds: int
    order_id: int


class MarkPriceMoved(msgspec.Struct, frozen=True):
    symbol: Symbol
    mark_price: Decimal
    index_price: Decimal
    at_milliseconds: int


EngineEvent = (
    LevelChanged | TradeMade | OrderChanged | BalanceChanged | PositionChanged | FundingPaid | Liquidated | MarkPriceMoved
)  # fmt: skip
EngineListener = Callable[[EngineEvent], None]
EVERY_KIND: tuple[type[EngineEvent], ...] = (
    LevelChanged, TradeMade, OrderChanged, BalanceChanged, PositionChanged, FundingPaid, Liquidated, MarkPriceMoved,
)  # fmt: skip
OF_ACCOUNTS: tuple[type[EngineEvent], ...] = (TradeMade, OrderChanged, BalanceChanged, PositionChanged, FundingPaid, Liquidated)
"""What is told of somebody."""
OF_MARKETS: tuple[type[EngineEvent], ...] = (LevelChanged, TradeMade, Liquidated, MarkPriceMoved)
"""What everybody may see: most of all that happens."""
