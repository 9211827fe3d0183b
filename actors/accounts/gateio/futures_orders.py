"""How Gate.io futures are told of an order: in contracts, with the side in the sign.

References are to headings of https://www.gate.com/docs/developers/apiv4/ .
"""

from __future__ import annotations

from decimal import Decimal

from actors.accounts.gateio.futures_catalogue import GateioFuturesCatalogue
from actors.accounts.gateio.orders import TIME_IN_FORCE, Fields, GateioOrders, ensure_change
from actors.accounts.gateio.wire import wire_text
from exchanges.gateio_futures import GATEIO_FUTURES
from market.events import Side
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce

MARKET_PRICE = "0"  # "Place futures order", `price`: with `tif` ioc it is a market order


class GateioFuturesOrders(GateioOrders):
    def __init__(self, contracts: GateioFuturesCatalogue) -> None:
        self._contracts = contracts

    def placement(self, request: OrderRequest) -> Fields:
        """ "Place futures order"."""
        if request.quantity is None:
            raise ValueError("Gate.io futures have orders in base units only")
        is_market = request.type is OrderType.MARKET
        if is_market and request.time_in_force is TimeInForce.FILL_OR_KILL:
            raise ValueError("Gate.io futures have no fill-or-kill market orders")
        return {
            "contract": GATEIO_FUTURES.to_wire(request.symbol),
            "size": self._size(request.symbol, request.side, request.quantity),
            "price": MARKET_PRICE if request.price is None else format_decimal(request.price),
            "tif": "ioc" if is_market else TIME_IN_FORCE[request.time_in_force],  # of a market order nothing may rest
            "text": wire_text(request.client_order_id),
            "reduce_only": request.reduce_only,
        }

    def place_of(self, symbol: Symbol) -> Fields:
        return {}  # an id is unique among all contracts

    def changes(self, order: Order, price: Decimal | None, quantity: Decimal | None) -> Fields:
        """ "Amend single order": the size keeps its sign."""
        ensure_change(price, quantity)
        fields: Fields = {}
        if quantity is not None:
            fields["size"] = self._size(order.request.symbol, order.request.side, quantity)
        if price is not None:
            fields["price"] = format_decimal(price)
        return fields

    def _size(self, symbol: Symbol, side: Side, quantity: Decimal) -> str:
        contracts = self._contracts.size(symbol).to_contracts(quantity)
        return format_decimal(contracts if side is Side.BUY else contracts.copy_negate())
