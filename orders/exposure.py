"""How large a position may become: what is held, and everything that may still fill. Pure.

Theory of operation. What is held follows from the fills that are known. An order may add to it as long as the exchange could
still trade it, whatever we believe of it: on its way, of unknown fate, with a cancellation asked for, and as large as an
amendment of unknown outcome may have made it. It may also have traded already and the fill not be known yet; then it counts
as if it were still to come, also after its end. So each unit is counted with the fill or with the order, never with neither.
The other side of the market is not set off against it: nothing says that it fills first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from market.events import Side
from market.exact import exact_product, exact_sum
from market.symbol import Symbol
from market.touch import Touch
from orders.ledger import AccountLedger
from orders.order import ZERO, Order
from orders.request import OrderRequest


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's, in quote units. `held` is the position's worth, negative when short; `buys` and `sells` may still fill."""

    held: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO

    @property
    def long(self) -> Decimal:
        """The largest long position that may come of it."""
        return max(ZERO, self.held + self.buys)

    @property
    def short(self) -> Decimal:
        """The largest short position that may come of it, as a positive amount."""
        return max(ZERO, self.sells - self.held)

    @property
    def largest(self) -> Decimal:
        return max(self.long, self.short)

    def towards(self, side: Side) -> Decimal:
        """What orders of `side` work towards: `long` for buys."""
        return self.long if side is Side.BUY else self.short


def exposure(ledger: AccountLedger, symbol: Symbol, touch: Touch | None, *, besides: str | None = None) -> Exposure | None:
    """The exposure in `symbol`; None if it cannot be valued, because there is no `touch` and something is held or at market.

    What is held is valued at the middle, an order at its own price, a market order at the touch. The order `besides` is left
    out. Of contracts, what is held is the position, and reduce-only orders count as far as they can close it: what else is on their
    side may then fill beyond. Of assets it is what was bought and not sold since the start, in whatever symbol of the same base, and
    a sell makes nothing larger: nobody can sell what he does not have.
    """
    orders = [order for order in (*ledger.live_orders(), *ledger.unsettled_orders()) if order.client_order_id != besides]
    if ledger.positions is not None:
        held = ledger.positions.account_of(symbol).quantity
        counting = [order for order in orders if order.request.symbol == symbol]
    else:
        held = max(ZERO, ledger.fill_changes_since_start().get(symbol.base, ZERO))
        counting = [order for order in orders if order.request.symbol.base == symbol.base and order.request.side is Side.BUY]
    if held and touch is None:
        return None
    middle = ZERO if touch is None else touch.middle
    buying = [order for order in counting if order.request.side is Side.BUY]
    selling = [order for order in counting if order.request.side is Side.SELL]
    buys, sells = _worth(buying, touch), _worth(selling, touch)
    if buys is None or sells is None:
        return None
    return Exposure(
        held=exact_product(held, middle),
        buys=buys + exact_product(_closing(buying, -held), middle),
        sells=sells + exact_product(_closing(selling, held), middle),
    )


def _closing(orders: Sequence[Order], held: Decimal) -> Decimal:
    """How much of a position of `held` the reduce-only ones among these may close, beyond what they have certainly filled."""
    live = (order for order in orders if order.request.reduce_only and not order.is_terminal)
    open_quantity = exact_sum(max(ZERO, (order.largest_request.quantity or ZERO) - order.filled_quantity) for order in live)
    untold = exact_sum(quantity_to_fill(order) for order in orders if order.request.reduce_only)
    return max(ZERO, min(open_quantity, held - untold))


def quantity_to_fill(order: Order) -> Decimal:
    """Base units that may make the position larger, on top of the known fills.

    Of a market buy by quote quantity and of a reduce-only order that is what they have certainly filled.
    """
    known = exact_sum(fill.quantity for fill in order.fills)
    quantity = None if order.request.reduce_only else order.largest_request.quantity
    most = order.filled_quantity if order.is_terminal or quantity is None else max(quantity, order.filled_quantity)
    return max(ZERO, most - known)


def notional_to_fill(order: Order, touch: Touch | None) -> Decimal | None:
    """What `quantity_to_fill` is worth, or what is left of a quote quantity; None without a price."""
    quote_quantity = order.request.quote_quantity
    if quote_quantity is not None:
        known = exact_sum(exact_product(fill.quantity, fill.price) for fill in order.fills)
        return max(ZERO, (order.filled_quote if order.is_terminal else max(quote_quantity, order.filled_quote)) - known)
    quantity = quantity_to_fill(order)
    if not quantity:
        return ZERO
    price = _price(order.largest_request, touch)
    return None if price is None else exact_product(quantity, price)


def request_notional(request: OrderRequest, touch: Touch | None) -> Decimal | None:
    """What a request is worth whole; None of a market order by base quantity without a price."""
    if request.notional is not None:
        return request.notional
    price = _price(request, touch)
    return None if price is None else exact_product(request.quantity or ZERO, price)


def _price(request: OrderRequest, touch: Touch | None) -> Decimal | None:
    if request.price is not None:
        return request.price
    return None if touch is None else touch.taken_by(request.side)


def _worth(orders: Iterable[Order], touch: Touch | None) -> Decimal | None:
    total = ZERO
    for order in orders:
        notional = notional_to_fill(order, touch)
        if notional is None:
            return None
        total += notional
    return total
