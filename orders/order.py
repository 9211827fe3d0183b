"""An order as we know it now: the request, its state, and its fills. Frozen; the ledger replaces it whole."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from market.events import Side
from market.exact import EXACT, exact_product, exact_sum
from orders.life_cycle import OrderState
from orders.reports import FillReport
from orders.request import OrderRequest

ZERO = Decimal(0)


class Transport(enum.Enum):
    """By which way a placement left."""

    WEBSOCKET = "websocket"
    REST = "rest"


class UnseenAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """An amendment that was asked for, confirmed or not; what is None stays as it is.

    `quantity_before` is, once it is confirmed, the most that the order may have filled until then: more than it was amended to.
    """

    price: Decimal | None
    quantity: Decimal | None
    is_confirmed: bool = False
    quantity_before: Decimal | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of one order.

    `filled_quantity` and `filled_quote` are the exchange's cumulative word or the sum of the fills known, whichever
    is larger: they never shrink. `fills` holds each trade once. `created_at`, `sent_at` (0 before the placement left, and of an
    order of an earlier run) and `changed_at` are monotonic seconds;
    `said_at_milliseconds` is the exchange's time of its newest report. `amended` says that an amendment was asked for:
    price and quantity of `request` are then the exchange's newest word, and its end is not concluded from fills;
    `unseen_amendments` are those that may be in force there although no report has shown them (`largest_request`).
    `expires_at_milliseconds` is the exchange's time after which it must refuse the placement (None where it has no
    such thing); `sent` says whether the placement may have left this machine, `transport` by which way (None of an order of
    an earlier run). `refused_for_now` says of a rejected order that the reason was the moment (connection, rate limit,
    maintenance, clock), and not what was asked. `end_is_concluded` says of a cancelled order that we only conclude so,
    because the exchange no longer lists it anywhere.
    """

    request: OrderRequest
    state: OrderState = OrderState.PENDING_NEW
    exchange_order_id: str | None = None
    filled_quantity: Decimal = ZERO
    filled_quote: Decimal = ZERO
    fills: tuple[FillReport, ...] = ()
    reason: str = ""
    sent: bool = False
    transport: Transport | None = None
    refused_for_now: bool = False
    end_is_concluded: bool = False
    cancel_wanted: bool = False
    amended: bool = False
    unseen_amendments: tuple[UnseenAmendment, ...] = ()
    created_at: float = 0.0
    sent_at: float = 0.0
    changed_at: float = 0.0
    sent_at_milliseconds: int = 0
    expires_at_milliseconds: int | None = None
    said_at_milliseconds: int = 0

    @property
    def client_order_id(self) -> str:
        return self.request.client_order_id

    @property
    def is_terminal(self) -> bool:
        return self.state.is_terminal

    @property
    def is_settled(self) -> bool:
        """Ended, and every fill of it is known with its fee."""
        return self.is_terminal and self.fills_are_complete

    @property
    def fills_are_complete(self) -> bool:
        """Whether the known fills account for the whole filled quantity."""
        return exact_sum(fill.quantity for fill in self.fills) == self.filled_quantity

    @property
    def remaining_quantity(self) -> Decimal | None:
        """Base units not yet filled; None where the request is in quote units."""
        if self.request.quantity is None:
            return None
        return self.request.quantity - self.filled_quantity

    @property
    def largest_request(self) -> OrderRequest:
        """As large and as dear as the request may be at the exchange, whatever became of amendments that no report has shown."""
        request, amendments = self.request, self.unseen_amendments
        if not amendments:
            return request
        sizes = (size for amendment in amendments for size in (amendment.quantity, amendment.quantity_before))
        price, quantity = (
            None if said is None else max(said, *(value for value in (said, *amended) if value is not None))
            for said, amended in ((request.price, (amendment.price for amendment in amendments)), (request.quantity, sizes))
        )
        return replace(request, price=price, quantity=quantity)

    @property
    def average_price(self) -> Decimal | None:
        return self.filled_quote / self.filled_quantity if self.filled_quantity else None

    def asset_changes(self) -> dict[str, Decimal]:
        """What the known fills did to the balance of each asset, fees included."""
        changes: dict[str, Decimal] = {}
        for fill in self.fills:
            add_fill(changes, fill)
        return changes


def add_fill(changes: dict[str, Decimal], fill: FillReport) -> None:
    """Add what `fill` did to each asset's balance to `changes`, exactly: no rounding anywhere."""
    notional = exact_product(fill.quantity, fill.price)
    # copy_negate, because a plain minus sign rounds.
    gained, paid = (fill.quantity, notional.copy_negate()) if fill.side is Side.BUY else (fill.quantity.copy_negate(), notional)
    for asset, change in ((fill.symbol.base, gained), (fill.symbol.quote, paid), (fill.fee_asset, fill.fee.copy_negate())):
        changes[asset] = EXACT.add(changes.get(asset, ZERO), change)
