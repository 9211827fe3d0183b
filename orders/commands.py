"""What cycles ask of an account: frozen commands in the imperative.

Placing and cancelling are answered by `OrderChanged` in the owner's inbox; commands whose answer is a value carry a
one-shot `answer`.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf
from typing import Protocol, TypeVar

import msgspec

from market.events import Side
from market.symbol import Symbol
from orders.order import ZERO, Order
from orders.request import OrderRequest

FLATTEN = "flatten"
"""The last part of the tag of every order that flattens."""
TOO_LITTLE = "less than can be traded"
T_contra = TypeVar("T_contra", contravariant=True)


class Answer(Protocol[T_contra]):
    """Where the answer goes. Neither call blocks, nor raises when the asker has gone."""

    def answer(self, value: T_contra) -> object: ...

    def fail(self, error: Exception) -> object: ...


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Place one order.

    `expires_at` (monotonic) is the time after which the command is stale and must be refused: the market it was
    decided on is gone. `caused_at` (monotonic) is when the message arrived that it answers, for who measures how long that took;
    None if it answers none. So it is in every command about orders.
    """

    request: OrderRequest
    expires_at: float
    caused_at: float | None = None


class CancelOrder(msgspec.Struct, frozen=True):
    """Cancel one order by its client order id. Idempotent; cancelling an ended order does nothing."""

    client_order_id: str
    caused_at: float | None = None


class AmendOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Change price or total quantity of an open order, where the exchange can. The other stays as it is.

    After `expires_at` (monotonic) it does not leave any more, as a placement does not.
    """

    client_order_id: str
    price: Decimal | None = None
    quantity: Decimal | None = None
    expires_at: float = inf
    caused_at: float | None = None


class PlaceOrders(msgspec.Struct, frozen=True):
    """Place several orders: each accepted, sent and ended by itself, in as few requests as the exchange allows."""

    orders: tuple[PlaceOrder, ...]


class CancelOrders(msgspec.Struct, frozen=True):
    """Cancel several orders; as `CancelOrder`."""

    client_order_ids: tuple[str, ...]
    caused_at: float | None = None


class AmendOrders(msgspec.Struct, frozen=True):
    """Change several open orders; as `AmendOrder`."""

    orders: tuple[AmendOrder, ...]


class CloseOwner(msgspec.Struct, frozen=True):
    """Cancel every order of an owner and answer with those whose end was not confirmed (none, if all went well)."""

    owner: str
    answer: Answer[tuple[Order, ...]]


class BalanceCapture(msgspec.Struct, frozen=True, kw_only=True):
    """Balances fresh from the exchange, and what all fills known at that moment had done to each asset since start.

    The difference of two captures is thus checked to the last digit: balances against fills and fees. Of an account that
    trades contracts, the total of a base asset is the position in it, and the total of the quote asset is the wallet balance
    less what the open positions cost; `leverages` says how much of an order's value need not be available, and
    `funding` what each symbol's position has been paid since the start, which `fill_changes` contains. `unexplained` is by
    asset all that was named so far as a difference which no fill explains (`BalanceDiffers`).
    """

    totals: dict[str, Decimal]
    available: dict[str, Decimal]
    fill_changes: dict[str, Decimal]
    leverages: dict[Symbol, Decimal] = {}
    funding: dict[Symbol, Decimal] = {}
    unexplained: dict[str, Decimal] = {}


class CaptureBalances(msgspec.Struct, frozen=True):
    """Fetch balances from the exchange (never from a cache)."""

    answer: Answer[BalanceCapture]


class ClosePosition(msgspec.Struct, frozen=True, kw_only=True):
    """Close a whole position at market, whoever opened it: a reduce-only order for what the exchange says is open now.

    Contracts only. The order is the owner's and goes the way of every order; nothing happens where there is no position.
    """

    client_order_id: str
    owner: str
    symbol: Symbol
    expires_at: float
    tag: str = "close"


class Flattened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a `FlattenOwner`: what was sold (`side` buy: bought back, of contracts), and what is left.

    `quantity` and `left` are in base units (`left` with its sign), `quote_quantity` is before fees. `why_left` says in words why
    something is left, or why nothing could be done; empty if all is well.
    """

    owner: str
    symbol: Symbol
    side: Side | None = None
    quantity: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    left: Decimal = ZERO
    why_left: str = ""

    @property
    def is_flat(self) -> bool:
        """Nothing is left that could be traded."""
        return not self.why_left or self.why_left == TOO_LITTLE


class FlattenOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Cancel every order of an owner, then sell at market what its trades in a symbol have left it with, and answer with what came of it.

    Of contracts a short position is bought back too, by orders that can only reduce. The owner is paused meanwhile. `client_order_ids`
    are for as many attempts, `tag` marks their orders. `since_start`: what this run (and what it goes on with) has made; otherwise
    since the journal began. Refused after `expires_at` (monotonic).
    """

    owner: str
    symbol: Symbol
    client_order_ids: tuple[str, ...]
    since_start: bool
    expires_at: float
    answer: Answer[Flattened]
    tag: str = FLATTEN


AccountCommand = (
    PlaceOrder
    | CancelOrder
    | AmendOrder
    | PlaceOrders
    | CancelOrders
    | AmendOrders
    | CloseOwner
    | CaptureBalances
    | ClosePosition
    | FlattenOwner
)
