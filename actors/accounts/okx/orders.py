"""Orders of OKX as they are written: the same fields by REST and over the websocket, but for the instrument's name.

Reference: https://www.okx.com/docs-v5/en/ "Place order", "Cancel order", "Amend order" and their websocket twins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal

import msgspec

from actors.accounts.codec import StreamOrderEntry
from actors.accounts.okx import wire
from actors.accounts.okx.catalogue import OkxInstruments
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.order import Order
from orders.reports import OrderReport
from orders.request import OrderRequest, OrderType, TimeInForce

Fields = dict[str, object]

ORDER_TYPES = {  # "Place order", `ordType`
    TimeInForce.GOOD_TILL_CANCELLED: "limit",
    TimeInForce.IMMEDIATE_OR_CANCEL: "ioc",
    TimeInForce.FILL_OR_KILL: "fok",
    TimeInForce.POST_ONLY: "post_only",
}


class OkxOrders(ABC):
    """Writes the orders of one market, with `tag` on each of them."""

    def __init__(self, instruments: OkxInstruments, *, tag: str) -> None:
        self.instruments = instruments
        self.tag = tag

    @abstractmethod
    def terms(self, request: OrderRequest) -> Fields:
        """What only this market's orders state: its way to trade, and the size."""

    def placement(self, request: OrderRequest) -> Fields:
        """
        Raises:
            ValueError: a fill-or-kill market order, which OKX does not have, or a size that is not on a whole step.
            ProtocolError: the instrument is not known.
        """
        is_market = request.type is OrderType.MARKET
        if is_market and request.time_in_force is TimeInForce.FILL_OR_KILL:
            raise ValueError("OKX has no fill-or-kill market orders")
        fields: Fields = {
            "clOrdId": wire.wire_client_order_id(request.client_order_id),
            "tag": self.tag,
            "side": request.side.value,
            "ordType": "market" if is_market else ORDER_TYPES[request.time_in_force],
            **self.terms(request),
        }
        if request.price is not None:
            fields["px"] = format_decimal(request.price)
        return fields

    def amendment(self, order: Order, *, price: Decimal | None, quantity: Decimal | None) -> Fields:
        """`quantity` is the new total, of which what has filled is a part.

        Raises:
            ValueError: neither is given, or the quantity is not on a whole step.
            ProtocolError: the instrument is not known.
        """
        if price is None and quantity is None:
            raise ValueError("an amendment changes the price, the quantity, or both")
        fields = about(order)
        if quantity is not None:
            fields["newSz"] = format_decimal(self.instruments.size(order.request.symbol, quantity))
        if price is not None:
            fields["newPx"] = format_decimal(price)
        return fields


class OkxOrderEntry(StreamOrderEntry):
    """Orders over the private websocket, where instruments go by their code ("WS / Place order"; the changelog of 2026-01-29)."""

    def __init__(self, orders: OkxOrders) -> None:
        self._orders = orders

    def carries(self, symbol: Symbol) -> bool:
        return self._orders.instruments.code(symbol) is not None

    def place(
        self, request: OrderRequest, *, request_id: str, timestamp_milliseconds: int, expires_at_milliseconds: int | None
    ) -> str | bytes:
        more: Fields = {} if expires_at_milliseconds is None else {"expTime": str(expires_at_milliseconds)}
        return self._frame("order", request.symbol, self._orders.placement(request), request_id, more)

    def cancel(self, order: Order, *, request_id: str, timestamp_milliseconds: int) -> str | bytes:
        return self._frame("cancel-order", order.request.symbol, about(order), request_id)

    def amend(
        self, order: Order, *, price: Decimal | None, quantity: Decimal | None, request_id: str, timestamp_milliseconds: int
    ) -> str | bytes:
        return self._frame(
            "amend-order", order.request.symbol, self._orders.amendment(order, price=price, quantity=quantity), request_id
        )  # fmt: skip

    def _frame(self, operation: str, symbol: Symbol, fields: Fields, request_id: str, more: Fields | None = None) -> str:
        code = self._orders.instruments.code(symbol)
        if code is None:
            raise ValueError(f"orders of {symbol} cannot go over the websocket: OKX has not told its code")
        args = [{"instIdCode": code, **fields}]
        return msgspec.json.encode({"id": request_id, "op": operation, **(more or {}), "args": args}).decode()


def about(order: Order | OrderReport) -> Fields:
    """How an order is named: by the exchange's id where known, by the client's otherwise."""
    if order.exchange_order_id:
        return {"ordId": order.exchange_order_id}
    return {"clOrdId": wire.wire_client_order_id(order.client_order_id or "")}


def symbol_of(order: Order | OrderReport) -> Symbol:
    return order.symbol if isinstance(order, OrderReport) else order.request.symbol
