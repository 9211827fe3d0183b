"""What the engine tells its listeners, synchronously, while a command is carried out."""

from __future__ import annotations

import enum
from collections.abc import Callable
from decimal import Decimal

import msgspec

from market.events import Side
from market.symbol import Symbol
from simulated.engine.order import Order, Trade


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


class BalanceChanged(msgspec.Struct, frozen=True):
    account: str
    asset: str
    available: Decimal
    locked: Decimal
    available_change: Decimal
    locked_change: Decimal
    reason: BalanceReason
    at_milliseconds: int


EngineEvent = LevelChanged | TradeMade | OrderChanged | BalanceChanged
EngineListener = Callable[[EngineEvent], None]
