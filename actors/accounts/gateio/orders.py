"""How Gate.io is told of an order, by REST and by websocket alike; what differs between its products is left to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal

from actors.accounts.codec import StreamOrderEntry
from actors.accounts.gateio.order_entry import request_frame
from actors.accounts.gateio.wire import wire_text
from market.symbol import Symbol
from orders.order import Order
from orders.reports import OrderReport
from orders.request import OrderRequest, TimeInForce

Fields = dict[str, str | int]

# REST, "Create an order", `time_in_force`; "Place futures order", `tif`
TIME_IN_FORCE = {
    TimeInForce.GOOD_TILL_CANCELLED: "gtc",
    TimeInForce.IMMEDIATE_OR_CANCEL: "ioc",
    TimeInForce.FILL_OR_KILL: "fok",
    TimeInForce.POST_ONLY: "poc",
}


class GateioOrders(ABC):
    """Orders as a product writes them."""

    @abstractmethod
    def placement(self, request: OrderRequest) -> Fields:
        """
        Raises:
            ValueError: the product has no such order.
            ProtocolError: the exchange has not told of the symbol.
        """

    @abstractmethod
    def place_of(self, symbol: Symbol) -> Fields:
        """What a request about an order says beside its id; empty where the id is enough."""

    @abstractmethod
    def changes(self, order: Order, price: Decimal | None, quantity: Decimal | None) -> Fields:
        """What is to change of an order; `quantity` is the new total, of which what has filled is a part.

        Raises:
            ValueError: neither is given.
            ProtocolError: the exchange has not told of the symbol.
        """


class GateioOrderEntry(StreamOrderEntry):
    """Requests have the parameters of REST's. Channels: websocket, "Order Place", "Order Cancel", "Order Amend"."""

    def __init__(self, product: str, orders: GateioOrders) -> None:
        self._product = product
        self._orders = orders

    def carries(self, symbol: Symbol) -> bool:
        return True

    def place(
        self, request: OrderRequest, *, request_id: str, timestamp_milliseconds: int, expires_at_milliseconds: int | None
    ) -> str | bytes:
        return request_frame(
            f"{self._product}.order_place",
            self._orders.placement(request),
            request_id=request_id,
            timestamp_milliseconds=timestamp_milliseconds,
            expires_at_milliseconds=expires_at_milliseconds,
        )

    def cancel(self, order: Order, *, request_id: str, timestamp_milliseconds: int) -> str | bytes:
        parameters = {"order_id": wire_id(order), **self._orders.place_of(order.request.symbol)}
        channel = f"{self._product}.order_cancel"
        return request_frame(channel, parameters, request_id=request_id, timestamp_milliseconds=timestamp_milliseconds)

    def amend(
        self, order: Order, *, price: Decimal | None, quantity: Decimal | None, request_id: str, timestamp_milliseconds: int
    ) -> str | bytes:
        place = self._orders.place_of(order.request.symbol)
        parameters = {"order_id": wire_id(order), **place, **self._orders.changes(order, price, quantity)}
        channel = f"{self._product}.order_amend"
        return request_frame(channel, parameters, request_id=request_id, timestamp_milliseconds=timestamp_milliseconds)


def wire_id(order: Order | OrderReport) -> str:
    """The exchange's id where it is known, our own otherwise."""
    return order.exchange_order_id or wire_text(order.client_order_id or "")


def ensure_change(price: Decimal | None, quantity: Decimal | None) -> None:
    """
    Raises:
        ValueError: there is none.
    """
    if price is None and quantity is None:
        raise ValueError("an amendment changes the price, the quantity, or both")


def ensure_batch(size: int, size_max: int) -> None:
    """
    Raises:
        ValueError: no such batch can be sent.
    """
    if not 1 <= size <= size_max:
        raise ValueError(f"a batch has 1 to {size_max} orders, not {size}")
