"""What cycles ask of an account: frozen commands in the imperative.

Placing and cancelling are answered by `OrderChanged` in the owner's inbox; commands whose answer is a value carry a
one-shot `answer`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol, TypeVar

import msgspec

from orders.order import Order
from orders.request import OrderRequest

T_contra = TypeVar("T_contra", contravariant=True)


class Answer(Protocol[T_contra]):
    """Where the answer goes. Neither call blocks, nor raises when the asker has gone."""

    def answer(self, value: T_contra) -> object: ...

    def fail(self, error: Exception) -> object: ...


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Place one order.

    `expires_at` (monotonic) is the time after which the command is stale and must be refused: the market it was
    decided on is gone. `reference_price` is the price that the owner decided on, for the limits on notionals.
    """

    request: OrderRequest
    reference_price: Decimal
    expires_at: float


class CancelOrder(msgspec.Struct, frozen=True):
    """Cancel one order by its client order id. Idempotent; cancelling an ended order does nothing."""

    client_order_id: str


class AmendOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Change price or total quantity of an open order, where the exchange can. The other stays as it is."""

    client_order_id: str
    price: Decimal | None = None
    quantity: Decimal | None = None


class CloseOwner(msgspec.Struct, frozen=True):
    """Cancel every order of an owner and answer with those whose end was not confirmed (none, if all went well)."""

    owner: str
    answer: Answer[tuple[Order, ...]]


class BalanceCapture(msgspec.Struct, frozen=True, kw_only=True):
    """Balances fresh from the exchange, and what all fills known at that moment had done to each asset since start.

    The difference of two captures is thus checked to the last digit: balances against fills and fees.
    """

    totals: dict[str, Decimal]
    available: dict[str, Decimal]
    fill_changes: dict[str, Decimal]


class CaptureBalances(msgspec.Struct, frozen=True):
    """Fetch balances from the exchange (never from a cache)."""

    answer: Answer[BalanceCapture]


AccountCommand = PlaceOrder | CancelOrder | AmendOrder | CloseOwner | CaptureBalances
