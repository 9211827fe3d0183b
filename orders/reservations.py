"""What an order holds, or may hold for all we know, of the balance that new orders are paid from."""

from __future__ import annotations

from decimal import Decimal

from market.events import Side
from orders.order import ZERO, Order
from orders.positions import PositionBooks


def reservation(order: Order) -> tuple[str, Decimal]:
    """The asset and the amount that an order still holds or may still take from the available balance."""
    request = order.request
    if request.side is Side.SELL:
        return request.symbol.base, max(ZERO, (request.quantity or ZERO) - order.filled_quantity)
    if request.quote_quantity is not None:
        return request.symbol.quote, max(ZERO, request.quote_quantity - order.filled_quote)
    remaining = max(ZERO, (request.quantity or ZERO) - order.filled_quantity)
    return request.symbol.quote, remaining * (request.price or ZERO)


def margin(order: Order, positions: PositionBooks) -> tuple[str, Decimal]:
    """As `reservation`, of an order for a contract: what may be set aside for it, whichever side it is on."""
    request = order.request
    remaining = ZERO if request.reduce_only else max(ZERO, (request.quantity or ZERO) - order.filled_quantity)
    # A market order states no price: what it needs is looked at when it is placed, and taken by the exchange at once.
    return request.symbol.quote, remaining * (request.price or ZERO) / positions.leverage(request.symbol)
