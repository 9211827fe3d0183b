"""How Gate.io spot is told of an order. Reference: https://www.gate.com/docs/developers/apiv4/ ."""

from __future__ import annotations

from decimal import Decimal

from actors.accounts.gateio.orders import TIME_IN_FORCE, Fields, GateioOrders, ensure_change
from actors.accounts.gateio.wire import wire_text
from exchanges.gateio_spot import GATEIO_SPOT
from market.events import Side
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.order import Order
from orders.request import OrderRequest, OrderType

ACCOUNT = "spot"  # REST, "Create an order", `account`


class GateioSpotOrders(GateioOrders):
    def placement(self, request: OrderRequest) -> Fields:
        """REST, "Create an order"."""
        amount = request.quantity
        time_in_force = TIME_IN_FORCE[request.time_in_force]
        if request.type is OrderType.MARKET:
            if request.side is Side.BUY:
                amount = request.quote_quantity
            if time_in_force != "fok":
                time_in_force = "ioc"  # of a market order nothing may rest, and Gate.io wants to be told so
        if amount is None:
            raise ValueError("Gate.io spot has market buys by quote quantity only")
        fields: Fields = {
            "text": wire_text(request.client_order_id),
            "currency_pair": GATEIO_SPOT.to_wire(request.symbol),
            "type": request.type.value,
            "account": ACCOUNT,
            "side": request.side.value,
            "amount": format_decimal(amount),
        }
        if request.price is not None:
            fields["price"] = format_decimal(request.price)
        fields["time_in_force"] = time_in_force
        return fields

    def place_of(self, symbol: Symbol) -> Fields:
        return {"currency_pair": GATEIO_SPOT.to_wire(symbol), "account": ACCOUNT}

    def changes(self, order: Order, price: Decimal | None, quantity: Decimal | None) -> Fields:
        """REST, "Amend an order"."""
        ensure_change(price, quantity)
        fields: Fields = {}
        if quantity is not None:
            fields["amount"] = format_decimal(quantity)
        if price is not None:
            fields["price"] = format_decimal(price)
        return fields
