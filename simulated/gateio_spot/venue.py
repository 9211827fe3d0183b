"""What the handlers of REST and websocket share."""

from __future__ import annotations

from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.order import Order
from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import Json
from simulated.gateio.order_memory import OrderMemory
from simulated.gateio_spot import encoding
from simulated.settings import SimulationSettings
from simulated.venue import Venue


class GateSpotVenue(Venue):
    """The state of the exchange behind its protocol."""

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        super().__init__(settings, clock, exchange="gateio_spot")
        # An order that was cancelled without a fill is soon forgotten (gateapi-go issue 11 says after a minute).
        # By client id it is found while it is open (REST documentation, "order_id" of a single order).
        self.memory = OrderMemory(self.engine, settings, text_seconds=0.0, unfilled_seconds=60.0)

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

    def encode_order(self, order: Order) -> Json:
        return encoding.order(order, stp_group=self.account_settings[order.account].stp_group)
