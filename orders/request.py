"""What is asked of the exchange: the intent behind one order. It never changes after it was made."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from market.events import Side
from market.symbol import Symbol


class OrderType(enum.Enum):
    """Market orders take what is there; limit orders state their worst price."""

    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(enum.Enum):
    """How long an order may rest."""

    GOOD_TILL_CANCELLED = "gtc"
    IMMEDIATE_OR_CANCEL = "ioc"
    FILL_OR_KILL = "fok"
    POST_ONLY = "post_only"


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One order as meant.

    Exactly one of `quantity` (base units) and `quote_quantity` (quote units; market buys only) is given. `price` is
    given for limit orders only. `reduce_only` (contracts only) may make a position smaller, never larger or the other way
    round. `owner` is the cycle that wants it and `tag` is the owner's own mark (for
    `sell_on_top`: the number of the cycle), kept with the order for its whole life.
    """

    client_order_id: str
    owner: str
    symbol: Symbol
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool = False
    tag: str = ""

    def __post_init__(self) -> None:
        if (self.quantity is None) == (self.quote_quantity is None):
            raise ValueError("an order has either a quantity in base units or one in quote units")
        if (self.price is None) == (self.type is OrderType.LIMIT):
            raise ValueError("a limit order has a price and a market order has none")
        if self.quote_quantity is not None and (self.type is not OrderType.MARKET or self.side is not Side.BUY):
            raise ValueError("only a market buy may state its quantity in quote units")
        if self.type is OrderType.MARKET and self.time_in_force is TimeInForce.POST_ONLY:
            raise ValueError("a market order takes, so it cannot be post-only")
        if (self.quantity or self.quote_quantity or Decimal(0)) <= 0 or (self.price is not None and self.price <= 0):
            raise ValueError("quantities and prices are positive")

    @property
    def may_rest(self) -> bool:
        """Whether the order may stay in the book; one that may not ends at once, even where its placement is answered with "open"."""
        return self.type is OrderType.LIMIT and self.time_in_force in (TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.POST_ONLY)

    @property
    def notional(self) -> Decimal | None:
        """The value in quote units where the request states it: a limit order's, or a market buy's by quote."""
        if self.quote_quantity is not None:
            return self.quote_quantity
        if self.price is not None and self.quantity is not None:
            return self.price * self.quantity
        return None
