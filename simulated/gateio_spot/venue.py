"""What the handlers of REST and websocket share."""

from __future__ import annotations

from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.order import Order
from simulated.gateio_spot import encoding
from simulated.gateio_spot.errors import GateError
from simulated.settings import SimulationSettings
from simulated.venue import Venue


class GateVenue(Venue):
    """The state of the exchange behind its protocol."""

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        super().__init__(settings, clock, exchange="gateio_spot")

    def wire(self, symbol: Symbol) -> str:
        return encoding.wire(symbol)

    def symbol(self, pair: str | None) -> Symbol:
        """Raises: GateError: no pair is named, or it is not traded here."""
        if not pair:
            raise GateError("MISSING_REQUIRED_PARAM", "currency_pair is required")
        symbol = self.symbols.get(pair)
        if symbol is None:
            raise GateError("INVALID_CURRENCY_PAIR", f"Invalid currency pair {pair}")
        return symbol

    def is_remembered(self, order: Order, now: int) -> bool:
        """An order that was cancelled without a fill is soon forgotten (gateapi-go issue 11 says after a minute)."""
        if order.is_open or order.filled_quantity:
            return True
        return now - order.updated_at_milliseconds <= self.settings.unfilled_order_memory_seconds * 1000

    def find_order(self, account: str, given_id: str, now: int) -> Order | None:
        """An order by id, or by client id while that still works; None when the exchange knows none."""
        if given_id.startswith("t-"):
            order = self.engine.accounts[account].open_order_by_client_id.get(given_id)
            return order or self._recently_finished(account, given_id, now)
        order = self.engine.orders.get(int(given_id)) if given_id.isdigit() and len(given_id) <= 18 else None
        if order is None or order.account != account or not self.is_remembered(order, now):
            return None
        return order

    def _recently_finished(self, account: str, client_id: str, now: int) -> Order | None:
        memory_milliseconds = self.settings.text_lookup_after_finish_seconds * 1000
        if memory_milliseconds > 0:
            for order in reversed(self.engine.accounts[account].finished_orders):
                if now - order.updated_at_milliseconds > memory_milliseconds:
                    break
                if order.client_id == client_id:
                    return order
        return None

    def encode_order(self, order: Order) -> encoding.Json:
        return encoding.order(order, stp_group=self.account_settings[order.account].stp_group)
