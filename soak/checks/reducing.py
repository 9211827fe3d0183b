"""Whether an order makes a position larger, by the exchange's own position and orders: in reduce-only none that does may leave."""

from __future__ import annotations

from decimal import Decimal

from assembly.parts import AccountParts
from market.events import Side
from market.symbol import Symbol
from orders.order import ZERO
from orders.request import OrderRequest
from soak.worlds.venue import Venue


class Reducing:
    """Of one world. A position is what it is there and what the program was told of it, now or at the last look: either may be behind the
    other, and fills may come between an order's leaving and the look at it."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, Symbol], tuple[Decimal, ...]] = {}

    def run_begins(self) -> None:
        """Another run of the program begins."""
        self._before.clear()

    def looked(self, venue: Venue, account: AccountParts) -> None:
        """To be called after each look while something is reduce-only."""
        if venue.trades_contracts:
            self._before |= {(venue.name, symbol): _held(venue, account, symbol) for symbol in account.symbols}

    def makes_larger(self, venue: Venue, account: AccountParts, request: OrderRequest) -> bool:
        """Whether it does with all that is open on its side filled before it. Of assets a sell cannot: nobody has less than nothing."""
        if not venue.trades_contracts:
            return request.side is Side.BUY
        if request.reduce_only or request.quantity is None:
            return False
        mine = venue.codec.wire_client_order_id(request.client_order_id)
        others = (order for order in venue.open_orders() if order.client_id != mine and not order.reduce_only)
        pending = sum((order.remaining_quantity for order in others if (order.symbol, order.side) == (request.symbol, request.side)), ZERO)
        held = (*self._before.get((venue.name, request.symbol), ()), *_held(venue, account, request.symbol))
        return all(pending + request.quantity > (each if request.side is Side.SELL else -each) for each in held)


def _held(venue: Venue, account: AccountParts, symbol: Symbol) -> tuple[Decimal, ...]:
    there, positions = venue.control.positions().get(symbol), account.ledger.positions
    return ZERO if there is None else there.quantity, ZERO if positions is None else positions.account_of(symbol).quantity
