"""Gate.io spot, private side: what differs from Gate.io's other products (`gateio`).

References are to headings of https://www.gate.com/docs/developers/apiv4/ (REST) and
https://www.gate.com/docs/developers/apiv4/ws/en/ (websocket). Shapes of messages: `gateio_spot_wire`; how orders are
written: `gateio_spot_orders`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from actors.accounts.codec import Amendment, PreparedRequest
from actors.accounts.gateio import spot_wire as wire
from actors.accounts.gateio.codec import (
    CANCEL_BATCH_MAX,
    CAPABILITIES,
    ORDERS_PER_PAGE,
    RATE_LIMITS,
    GateioAccountCodec,
)
from actors.accounts.gateio.orders import Fields, ensure_batch, wire_id
from actors.accounts.gateio.spot_orders import ACCOUNT, GateioSpotOrders
from actors.accounts.gateio.wire import ITEMS, reading
from exchanges.gateio_spot import GATEIO_SPOT
from market.symbol import Symbol
from network.rate_limit import RateLimit
from orders.order import Order
from orders.reports import BalanceReport, FillReport, OrderReport, PrivateReport
from orders.request import OrderRequest

WEBSOCKET_URLS = {  # websocket, "Server URL"
    "live": "wss://api.gateio.ws/ws/v4/",
    "testnet": "wss://ws-testnet.gate.com/v4/ws/spot",
}
# REST, "Frequency limit rule": 10/s for placing and amending together, in each market; less a tenth, as the others.
ORDERS_LIMIT = RateLimit(capacity=9, period_seconds=1.0)
PLACE_BATCH_SYMBOLS_MAX = 4  # REST, "Create a batch of orders"
AMEND_BATCH_MAX = 5  # REST, "Batch modification of orders"; each changes either its price or its amount
FILLS_PER_PAGE = 1000  # REST, "List personal trading history"

ORDERS_CHANNEL = "spot.orders"  # websocket, "Orders channel"
FILLS_CHANNEL = "spot.usertrades"  # websocket, "User trades channel"
BALANCES_CHANNEL = "spot.balances"  # websocket, "Spot balance channel"


class GateioSpotAccountCodec(GateioAccountCodec):
    """Implements `actors.accounts.codec.AccountCodec`. Stateless.

    A market buy states its amount in quote units on the wire, and can state it in no other. An order is found by its
    client order id only while it is open; after that by the exchange's id, or in the list of finished orders. Orders go over
    the private stream's connection, too, which is logged in for that.
    """

    capabilities = replace(
        CAPABILITIES,
        market_buy_by_quote=True,
        market_fill_or_kill=True,
        amend_batch_max=AMEND_BATCH_MAX,
        amend_batch_one_change=True,
        batch_symbols_max=PLACE_BATCH_SYMBOLS_MAX,
    )
    rate_limits = MappingProxyType({"orders": ORDERS_LIMIT, **RATE_LIMITS})
    catalogue = None  # orders state all that is needed to read them
    positions = None

    def __init__(self) -> None:
        super().__init__(
            GATEIO_SPOT,
            product="spot",
            path="/api/v4/spot",
            symbol_field="currency_pair",
            orders=GateioSpotOrders(),
            channels=(ORDERS_CHANNEL, FILLS_CHANNEL, BALANCES_CHANNEL),
            amend_method="PATCH",
        )

    def websocket_url(self, mode: str) -> str:
        return WEBSOCKET_URLS[mode]

    # Orders

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `PLACE_BATCH_MAX` orders or `PLACE_BATCH_SYMBOLS_MAX` symbols, none, or a market buy in base units.
        """
        if len({request.symbol for request in requests}) > PLACE_BATCH_SYMBOLS_MAX:
            raise ValueError(f"a batch of placements has at most {PLACE_BATCH_SYMBOLS_MAX} symbols")
        return super().place_batch(requests, expires_at_milliseconds=expires_at_milliseconds)

    def cancel_batch(self, orders: Sequence[Order | OrderReport]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `CANCEL_BATCH_MAX` orders, or none.
        """
        ensure_batch(len(orders), CANCEL_BATCH_MAX)
        return self._posted("/cancel_batch_orders", [self._named(order, "id") for order in orders], "cancels")

    def amend_batch(self, amendments: Sequence[Amendment]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `AMEND_BATCH_MAX` orders, none, or one that does not change either its price or its quantity.
        """
        ensure_batch(len(amendments), AMEND_BATCH_MAX)
        if any(one.price is not None and one.quantity is not None for one in amendments):
            raise ValueError("in a batch an amendment changes the price or the quantity, not both")
        items = [self._named(one.order, "order_id") | self._orders.changes(one.order, one.price, one.quantity) for one in amendments]
        return self._posted("/amend_batch_orders", items, "orders")

    def _named(self, order: Order | OrderReport, id_name: str) -> Fields:
        """The fields that name an order; how its id is called differs."""
        symbol = order.symbol if isinstance(order, OrderReport) else order.request.symbol
        return {id_name: wire_id(order), **self._orders.place_of(symbol)}

    def query_open_orders(self, symbol: Symbol | None = None) -> PreparedRequest:
        """The first page: `ORDERS_PER_PAGE` orders of `symbol`, or so many of each pair. `next_page` asks for more."""
        if symbol is None:
            query = urlencode({"page": 1, "limit": ORDERS_PER_PAGE, "account": ACCOUNT})
            return self._request("GET", "/open_orders", "private", query=query)
        query = _query(symbol, status="open", page=1, limit=ORDERS_PER_PAGE, account=ACCOUNT)
        return self._request("GET", "/orders", "private", query=query)

    def query_finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> PreparedRequest:
        """The first page of `ORDERS_PER_PAGE`, newest first."""
        since_seconds = since_milliseconds // 1000
        query = _query(symbol, status="finished", page=1, limit=ORDERS_PER_PAGE, account=ACCOUNT, **{"from": since_seconds})
        return self._request("GET", "/orders", "private", query=query)

    def query_fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> PreparedRequest:
        """The first page of `FILLS_PER_PAGE`. Without a time Gate.io looks back seven days, with one up to thirty."""
        parameters: dict[str, str | int] = {"page": 1, "limit": FILLS_PER_PAGE, "account": ACCOUNT}
        if exchange_order_id is not None:
            parameters["order_id"] = exchange_order_id
        if since_milliseconds is not None:
            parameters["from"] = since_milliseconds // 1000
        return self._request("GET", "/my_trades", "private", query=_query(symbol, **parameters))

    def _longest(self, request: PreparedRequest, body: bytes) -> int:
        """Of that pair of which there are most."""
        if request.path.endswith("/open_orders"):
            return max((len(pair.orders or ()) for pair in wire.OPEN_ORDERS.decode(body)), default=0)
        return len(ITEMS.decode(body))

    def _turned(self, parameters: dict[str, str]) -> dict[str, str | int]:
        return {"page": int(parameters["page"]) + 1}

    def _order(self, body: bytes | msgspec.Raw) -> OrderReport:
        return wire.order_report(wire.ORDER.decode(body))

    def decode_orders(self, body: bytes) -> list[OrderReport]:
        """Reads open orders, which are grouped by pair when all were asked for, and flat lists."""
        with reading("orders", body):
            try:
                groups = wire.OPEN_ORDERS.decode(body)
            except msgspec.ValidationError:
                # Of those that cancelling all has failed to cancel, the answer says nothing certain.
                return [wire.order_report(order) for order in wire.ORDERS.decode(body) if order.succeeded is not False]
            return [wire.order_report(order) for group in groups for order in group.orders or ()]

    def decode_fills(self, body: bytes) -> list[FillReport]:
        with reading("trades", body):
            return [wire.fill_report(fill) for fill in wire.FILLS.decode(body)]

    # Balances

    def query_balances(self) -> PreparedRequest:
        return self._request("GET", "/accounts", "private")

    def decode_balances(self, body: bytes) -> list[BalanceReport]:
        with reading("balances", body):
            return [wire.account_report(account) for account in wire.ACCOUNTS.decode(body)]

    # Private stream

    def _payload(self, channel: str) -> list[str] | None:
        return None if channel == BALANCES_CHANNEL else ["!all"]

    def _pushed(self, channel: str, result: msgspec.Raw) -> list[PrivateReport]:
        if channel == ORDERS_CHANNEL:
            return [wire.order_report(order) for order in wire.ORDERS.decode(result)]
        if channel == FILLS_CHANNEL:
            return [wire.fill_report(fill) for fill in wire.FILLS.decode(result)]
        if channel == BALANCES_CHANNEL:
            return [wire.balance_report(balance) for balance in wire.BALANCES.decode(result)]
        return []


def _query(symbol: Symbol, **parameters: str | int) -> str:
    return urlencode({"currency_pair": GATEIO_SPOT.to_wire(symbol), **parameters})
