"""What the handlers of REST and websocket share."""

from __future__ import annotations

from typing import Any

from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.order import Order
from simulated.mexc_spot import encoding
from simulated.mexc_spot.errors import MexcError, mandatory
from simulated.settings import SimulationSettings
from simulated.venue import Venue


class MexcVenue(Venue):
    """The state of the exchange behind its protocol. An order that may not rest and cannot be filled is taken in, and ended."""

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        super().__init__(settings, clock, exchange="mexc_spot", doomed_orders_are_admitted=True)

    def wire(self, symbol: Symbol) -> str:
        return encoding.wire(symbol)

    def encode_order(self, order: Order) -> dict[str, Any]:
        return encoding.order(order)

    def symbol(self, name: str | None) -> Symbol:
        """Raises: MexcError: no symbol is named, or it is not traded here."""
        if not name:
            raise mandatory("symbol")
        symbol = self.symbols.get(name)
        if symbol is None:
            raise MexcError(-1121, "Invalid symbol.")
        return symbol

    def find_order(self, account: str, symbol: Symbol, *, wire_id: str | None, client_id: str | None) -> Order | None:
        """An order by the exchange's id, or the newest one by the client's; None when the exchange knows none."""
        if wire_id is not None:
            order = self.engine.orders.get(encoding.order_number(wire_id))
            return order if order is not None and order.account == account and order.symbol == symbol else None
        holder = self.engine.accounts[account]
        order = holder.open_order_by_client_id.get(client_id or "")
        if order is not None and order.symbol == symbol:
            return order
        finished = reversed(holder.finished_orders)
        return next((order for order in finished if order.client_id == client_id and order.symbol == symbol), None)
