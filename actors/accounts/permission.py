"""What a trading state permits: pure rules on the ledger. Every order passes them, whichever strategy wants it.

An order *reduces* if, filled whole together with whatever else on its side may still fill, it cannot make a position larger
or turn it round. Of assets every sell does: nobody can sell what he does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from market.events import Side
from market.symbol import Symbol
from orders.commands import FLATTEN
from orders.exposure import quantity_to_fill
from orders.ledger import AccountLedger
from orders.order import ZERO, Order
from orders.positions import PositionBooks
from orders.request import OrderRequest
from orders.states import Standing, TradingState


def standing_refusal(request: OrderRequest, standing: Standing, ledger: AccountLedger) -> str | None:
    """Why the state forbids this order, in words for a person; None if it may leave. The order itself may be in the ledger."""
    if standing.state is TradingState.RUN:
        return None
    if standing.state is TradingState.REDUCE_ONLY and reduces(request, ledger):
        return None
    return standing.words


def reduces(request: OrderRequest, ledger: AccountLedger) -> bool:
    """Whether this order cannot make a position larger, with all others on its side filled before it."""
    if ledger.positions is None:
        return request.side is Side.SELL
    if request.reduce_only:
        return True
    others = [order for order in _counting(ledger, request.symbol, request.side) if order.client_order_id != request.client_order_id]
    pending = sum((quantity_to_fill(order) for order in others), ZERO)
    return request.quantity is not None and pending + request.quantity <= _reducible(ledger.positions, request.symbol, request.side)


def orders_to_pull(ledger: AccountLedger, standing_of: Callable[[str, Symbol], Standing]) -> list[Order]:
    """Live orders that must not stay as things stand, and whose end nobody has asked for yet; `standing_of` knows owner and symbol."""
    pulled: list[Order] = []
    kept: dict[tuple[Symbol, Side], Decimal] = {}
    for order in ledger.live_orders():
        request, state = order.request, standing_of(order.request.owner, order.request.symbol).state
        if state is TradingState.RUN or request.tag.rpartition(":")[2] == FLATTEN:  # what a person, or the stop, wants sold
            continue
        if state is TradingState.REDUCE_ONLY:
            if ledger.positions is None:
                stays = request.side is Side.SELL
            elif request.reduce_only:
                stays = True
            else:
                side = (request.symbol, request.side)
                would_fill = kept.get(side, ZERO) + quantity_to_fill(order)
                stays = would_fill <= _reducible(ledger.positions, *side)
                if stays:
                    kept[side] = would_fill
            if stays:
                continue
        if not order.cancel_wanted:
            pulled.append(order)
    return pulled


def _counting(ledger: AccountLedger, symbol: Symbol, side: Side) -> list[Order]:
    """Orders on one side that may still fill, or whose fills are not all known, but for those that are cut down to the position."""
    return [
        order
        for order in (*ledger.live_orders(), *ledger.unsettled_orders())
        if order.request.symbol == symbol and order.request.side is side and not order.request.reduce_only
    ]


def _reducible(positions: PositionBooks, symbol: Symbol, side: Side) -> Decimal:
    """How much of the position an order on this side may take away."""
    held = positions.account_of(symbol).quantity
    return max(ZERO, held if side is Side.SELL else -held)
