"""An order inside the simulated exchange, and what is asked for when one is placed."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from market.events import Side
from market.symbol import Symbol

ZERO = Decimal(0)


class OrderKind(enum.Enum):
    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(enum.Enum):
    GOOD_TILL_CANCELLED = "gtc"
    IMMEDIATE_OR_CANCEL = "ioc"
    FILL_OR_KILL = "fok"
    POST_ONLY = "post_only"


class SelfTrade(enum.Enum):
    """What happens when an incoming order meets a resting one of its own account."""

    ALLOW = "allow"
    CANCEL_NEWEST = "cancel_newest"
    CANCEL_OLDEST = "cancel_oldest"
    CANCEL_BOTH = "cancel_both"


class FinishReason(enum.Enum):
    FILLED = "filled"
    CANCELLED = "cancelled"
    IMMEDIATE_OR_CANCEL = "ioc"
    FILL_OR_KILL = "fok"
    POST_ONLY = "post_only"
    SELF_TRADE = "self_trade"
    REDUCE_ONLY = "reduce_only"
    LIQUIDATED = "liquidated"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A request to place. `quantity` is in base units; a market buy may state `quote_quantity`, the amount to spend, instead.

    Of contracts, `quote_quantity` is not taken, and `reduce_only` orders must reduce the position and nothing else.
    """

    account: str
    symbol: Symbol
    side: Side
    kind: OrderKind = OrderKind.LIMIT
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELLED
    price: Decimal = ZERO
    quantity: Decimal = ZERO
    quote_quantity: Decimal | None = None
    client_id: str = ""
    self_trade: SelfTrade | None = None
    tag: str = ""
    reduce_only: bool = False


class Order(msgspec.Struct, kw_only=True):
    """The exchange's own record of an order; only the engine changes it.

    `locked` is what the order holds back: quote for a buy, base for a sell; of contracts, in the settlement asset, the margin and
    fee of what it could add to the position. `finish` is None while the order is open. `note` and `tag` are the client's own, given
    with an amendment and with the order. `realised_pnl` is what its fills have realised by closing. An order that `is_liquidation`
    is the exchange's own, on behalf of the account; it has no client id. One that `is_forgotten` no query finds any more (a fault).
    """

    id: int
    account: str
    symbol: Symbol
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal | None
    client_id: str
    self_trade: SelfTrade
    created_at_milliseconds: int
    updated_at_milliseconds: int
    locked_asset: str
    fee_asset: str
    filled_quantity: Decimal = ZERO
    filled_notional: Decimal = ZERO
    fee: Decimal = ZERO
    locked: Decimal = ZERO
    finish: FinishReason | None = None
    note: str = ""
    tag: str = ""
    reduce_only: bool = False
    is_liquidation: bool = False
    is_forgotten: bool = False
    realised_pnl: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        return self.finish is None

    @property
    def remaining_quantity(self) -> Decimal:
        """Base units still to be filled; zero for an order that states what to spend."""
        return self.quantity - self.filled_quantity if self.quote_quantity is None else ZERO

    @property
    def remaining_quote(self) -> Decimal:
        """Quote units still to be spent by an order that states what to spend, else zero."""
        return self.quote_quantity - self.filled_notional if self.quote_quantity is not None else ZERO


class TradeParty(msgspec.Struct, frozen=True):
    """One side of a trade: whose order, and the fee taken from what it received.

    Of contracts: `closed_quantity` of the trade reduced the party's position, and that realised `realised_pnl` before the fee.
    """

    order_id: int
    client_id: str
    account: str
    fee: Decimal
    fee_asset: str
    closed_quantity: Decimal = ZERO
    realised_pnl: Decimal = ZERO


class Trade(msgspec.Struct, frozen=True):
    """A match. `taker_side` is the incoming order's side."""

    id: int
    symbol: Symbol
    price: Decimal
    quantity: Decimal
    taker_side: Side
    taker: TradeParty
    maker: TradeParty
    at_milliseconds: int

    @property
    def notional(self) -> Decimal:
        return self.price * self.quantity


class Refusal(enum.Enum):
    """Why the engine did not do what was asked. Nothing changed."""

    UNKNOWN_SYMBOL = "unknown symbol"
    TRADING_CLOSED = "this side of the market is closed"
    INVALID = "invalid order"
    PRICE_OFF_TICK = "price is not on a tick"
    QUANTITY_OFF_STEP = "quantity is not on a step"
    QUANTITY_TOO_SMALL = "quantity below the minimum"
    QUANTITY_TOO_LARGE = "quantity above the maximum"
    NOTIONAL_TOO_SMALL = "notional below the minimum"
    NOTIONAL_TOO_LARGE = "notional above the maximum"
    BALANCE_NOT_ENOUGH = "balance not enough"
    WOULD_TAKE = "a post-only order would take"
    NOT_FILLABLE = "a fill-or-kill order cannot be filled"
    DUPLICATE_CLIENT_ID = "an open order, or one that has just finished, has this client id"
    UNKNOWN_ORDER = "no such order"
    ORDER_FINISHED = "the order is finished"
    NO_CHANGE = "the amendment changes nothing"
    WOULD_INCREASE_POSITION = "a reduce-only order finds no position, or not so much of one, to reduce"
    LEVERAGE_OUT_OF_RANGE = "leverage is not within the contract's bounds"
    POSITION_IN_THE_WAY = "not while there is a position or an open order"


class OrderRefused(Exception):
    """The exchange declines a command. `bound` is the limit that was missed, where there is one."""

    def __init__(self, refusal: Refusal, *, bound: Decimal | None = None, value: Decimal | None = None, order: Order | None = None) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
        self.bound = bound
        self.value = value
        self.order = order
