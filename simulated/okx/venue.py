"""What the handlers of REST and websocket share."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.order import Order
from simulated.okx import encoding
from simulated.okx.errors import OkxError
from simulated.settings import SimulationSettings
from simulated.venue import Venue

_FIRST_ORDER_ID = 680_800_019_749_904_384


class OkxVenue(Venue):
    """The state of the exchange behind its protocol. Orders that must not take and would are accepted, then ended."""

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        super().__init__(settings, clock, exchange="okx_spot", first_order_id=_FIRST_ORDER_ID, doomed_orders_are_admitted=True)

    def rules(self, described: Instrument) -> Instrument:
        """OKX states no least value of an order, only a least quantity."""
        return replace(described, notional_min=Decimal(0))

    def wire(self, symbol: Symbol) -> str:
        return encoding.wire(symbol)

    def encode_order(self, order: Order) -> encoding.Json:
        return encoding.order(order)

    def instruments(self) -> list[encoding.Json]:
        return [encoding.instrument(rules, index) for index, rules in enumerate(self.engine.instruments.values())]

    def symbol(self, instrument: str | None) -> Symbol:
        """Raises: OkxError: no instrument is named, or it is not traded here."""
        if not instrument:
            raise OkxError("50014", "Parameter instId can not be empty.")
        symbol = self.symbols.get(instrument)
        if symbol is None:
            raise OkxError("51001", f"Instrument ID or Spread ID {instrument} doesn't exist.")
        return symbol

    def is_remembered(self, order: Order, now: int) -> bool:
        """An order that was cancelled without a fill is forgotten after a while (two hours, really)."""
        if order.is_open or order.filled_quantity:
            return True
        return now - order.updated_at_milliseconds <= self.settings.unfilled_order_memory_seconds * 1000

    def find_order(self, account: str, order_id: str | None, client_id: str | None, now: int) -> Order | None:
        """An order by its id, or else by client id, open or finished; None when the exchange knows none."""
        if order_id is not None:
            order = self.engine.orders.get(int(order_id)) if order_id.isdigit() and len(order_id) <= 20 else None
            return order if order is not None and order.account == account and self.is_remembered(order, now) else None
        holder = self.engine.accounts[account]
        if client_id in holder.open_order_by_client_id:
            return holder.open_order_by_client_id[client_id]
        for order in reversed(holder.finished_orders):
            if order.client_id == client_id and self.is_remembered(order, now):
                return order
        return None
