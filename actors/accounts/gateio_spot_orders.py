"""How Gate.io spot is told of an order, by REST and by websocket alike, and order entry over the websocket.

References: https://www.gate.com/docs/developers/apiv4/ (REST) and https://www.gate.com/docs/developers/apiv4/ws/en/ (websocket).
"""

from __future__ import annotations

from decimal import Decimal

from actors.accounts import gateio_spot_wire as wire
from actors.accounts.gateio_order_entry import request_frame
from exchanges.gateio_spot import GATEIO_SPOT
from market.events import Side
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.order import Order
from orders.reports import OrderReport
from orders.request import OrderRequest, OrderType, TimeInForce

PRODUCT = "spot"
ACCOUNT = "spot"  # REST, "Create an order", `account`
PLACE_CHANNEL = "spot.order_place"  # websocket, "Order Place"
CANCEL_CHANNEL = "spot.order_cancel"  # websocket, "Order Cancel"
AMEND_CHANNEL = "spot.order_amend"  # websocket, "Order Amend"

# REST, "Create an order", `time_in_force`
TIME_IN_FORCE = {
    TimeInForce.GOOD_TILL_CANCELLED: "gtc",
    TimeInForce.IMMEDIATE_OR_CANCEL: "ioc",
    TimeInForce.FILL_OR_KILL: "fok",
    TimeInForce.POST_ONLY: "poc",
}


class GateioSpotOrderEntry:
    """Implements `actors.accounts.codec.StreamOrderEntry`. Requests have the parameters of REST's."""

    def carries(self, symbol: Symbol) -> bool:
        return True

    def place(
        self, request: OrderRequest, *, request_id: str, timestamp_milliseconds: int, expires_at_milliseconds: int | None
    ) -> str | bytes:
        """
        Raises:
            ValueError: a market buy in base units, which Gate.io does not have.
        """
        return request_frame(
            PLACE_CHANNEL,
            order_fields(request),
            request_id=request_id,
            timestamp_milliseconds=timestamp_milliseconds,
            expires_at_milliseconds=expires_at_milliseconds,
        )

    def cancel(self, order: Order, *, request_id: str, timestamp_milliseconds: int) -> str | bytes:
        return request_frame(CANCEL_CHANNEL, about(order, "order_id"), request_id=request_id, timestamp_milliseconds=timestamp_milliseconds)

    def amend(
        self, order: Order, *, price: Decimal | None, quantity: Decimal | None, request_id: str, timestamp_milliseconds: int
    ) -> str | bytes:
        """
        Raises:
            ValueError: neither price nor quantity is given.
        """
        parameters = about(order, "order_id") | changes(price, quantity)
        return request_frame(AMEND_CHANNEL, parameters, request_id=request_id, timestamp_milliseconds=timestamp_milliseconds)


def order_fields(request: OrderRequest) -> dict[str, str]:
    """REST, "Create an order".

    Raises:
        ValueError: a market buy in base units.
    """
    amount = request.quantity
    time_in_force = TIME_IN_FORCE[request.time_in_force]
    if request.type is OrderType.MARKET:
        if request.side is Side.BUY:
            amount = request.quote_quantity
        if time_in_force != "fok":
            time_in_force = "ioc"  # of a market order nothing may rest, and Gate.io wants to be told so
    if amount is None:
        raise ValueError("Gate.io spot has market buys by quote quantity only")
    fields = {
        "text": wire.wire_text(request.client_order_id),
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


def changes(price: Decimal | None, quantity: Decimal | None) -> dict[str, str]:
    """What is to change of an order; `quantity` is the new total, of which what has filled is a part (REST, "Amend an order").

    Raises:
        ValueError: neither is given.
    """
    if price is None and quantity is None:
        raise ValueError("an amendment changes the price, the quantity, or both")
    fields: dict[str, str] = {}
    if quantity is not None:
        fields["amount"] = format_decimal(quantity)
    if price is not None:
        fields["price"] = format_decimal(price)
    return fields


def about(order: Order | OrderReport, id_name: str) -> dict[str, str]:
    """The fields that name an order; how its id is called differs."""
    symbol = order.symbol if isinstance(order, OrderReport) else order.request.symbol
    return {id_name: wire_id(order), "currency_pair": GATEIO_SPOT.to_wire(symbol), "account": ACCOUNT}


def wire_id(order: Order | OrderReport) -> str:
    """The exchange's id where it is known, our own otherwise."""
    return order.exchange_order_id or wire.wire_text(order.client_order_id or "")
