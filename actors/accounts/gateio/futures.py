"""Gate.io futures settled in USDT, private side: what differs from Gate.io's other products (`gateio`).

References are to headings of https://www.gate.com/docs/developers/apiv4/ (REST) and
https://www.gate.com/docs/developers/futures/ws/en/ (websocket). Shapes of messages: `gateio_futures_wire`; how orders are
written: `gateio_futures_orders`; what must be known before: `gateio_futures_catalogue`; positions: `gateio_futures_positions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from actors.accounts.codec import Amendment, PreparedRequest
from actors.accounts.gateio import futures_wire as wire
from actors.accounts.gateio.codec import (
    CANCEL_BATCH_MAX,
    CAPABILITIES,
    ORDERS_PER_PAGE,
    PLACE_BATCH_MAX,
    RATE_LIMITS,
    GateioAccountCodec,
)
from actors.accounts.gateio.futures_catalogue import ACCOUNT_REQUEST, PATH, SIZE_HEADER, GateioFuturesCatalogue
from actors.accounts.gateio.futures_orders import GateioFuturesOrders
from actors.accounts.gateio.futures_positions import GateioFuturesPositions
from actors.accounts.gateio.orders import Fields, ensure_batch, wire_id
from actors.accounts.gateio.wire import ITEMS, reading
from exchanges.gateio_futures import GATEIO_FUTURES
from market.symbol import Symbol
from network.rate_limit import RateLimit
from orders.order import Order
from orders.reports import BalanceReport, FillReport, OrderReport, PrivateReport
from orders.request import OrderRequest

WEBSOCKET_URLS = {  # websocket, "Server URL", "USDT Contract"
    "live": "wss://fx-ws.gateio.ws/v4/ws/usdt",
    "testnet": "wss://ws-testnet.gate.com/v4/ws/futures/usdt",
}
# REST, "Frequency limit rule": 100/s for placing and amending together, each order of a batch counted; less a tenth.
ORDERS_LIMIT = RateLimit(capacity=90, period_seconds=1.0)
AMEND_BATCH_MAX = 10  # REST, "Batch modify orders by specified IDs"
FILLS_PER_PAGE = 100  # REST, "Query personal trading records"

ORDERS_CHANNEL = "futures.orders"  # websocket, "Orders API"
FILLS_CHANNEL = "futures.usertrades"  # websocket, "User trades API"
# Websocket, "Positions API". "Balances API" is left alone: it tells what there is and not what is available of it, which with
# contracts changes without it, too. REST tells both.
POSITIONS_CHANNEL = "futures.positions"


class GateioFuturesAccountCodec(GateioAccountCodec):
    """Implements `actors.accounts.codec.AccountCodec`. It knows the exchange's contracts, and one account's user id and margin mode.

    An order is found by its client order id while it is open and for a minute after that; then by the exchange's id, or in
    the list of past orders. A cancelled order without fills is forgotten after ten minutes.
    """

    capabilities = replace(
        CAPABILITIES,
        market_buy_by_base=True,
        amend_batch_max=AMEND_BATCH_MAX,
        batch_symbols_max=PLACE_BATCH_MAX,
        positions=True,
    )
    rate_limits = MappingProxyType({"orders": ORDERS_LIMIT, **RATE_LIMITS})

    def __init__(self) -> None:
        self.catalogue = GateioFuturesCatalogue()
        self.positions = GateioFuturesPositions(self.catalogue)
        super().__init__(
            GATEIO_FUTURES,
            product="futures",
            path=PATH,
            symbol_field="contract",
            orders=GateioFuturesOrders(self.catalogue),
            channels=(ORDERS_CHANNEL, FILLS_CHANNEL, POSITIONS_CHANNEL),
            amend_method="PUT",
            headers=(SIZE_HEADER,),
        )

    def websocket_url(self, mode: str) -> str:
        return WEBSOCKET_URLS[mode]

    # Orders

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `PLACE_BATCH_MAX` orders, none, or one that is not of whole contracts.
        """
        prepared = super().place_batch(requests, expires_at_milliseconds=expires_at_milliseconds)
        return replace(prepared, weight=len(requests))

    def cancel_batch(self, orders: Sequence[Order | OrderReport]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `CANCEL_BATCH_MAX` orders, or none.
        """
        ensure_batch(len(orders), CANCEL_BATCH_MAX)
        return self._posted("/batch_cancel_orders", [wire_id(order) for order in orders], "cancels")

    def amend_batch(self, amendments: Sequence[Amendment]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `AMEND_BATCH_MAX` orders, none, or one that changes nothing.
        """
        ensure_batch(len(amendments), AMEND_BATCH_MAX)
        items = [_named(one.order) | self._orders.changes(one.order, one.price, one.quantity) for one in amendments]
        return replace(self._posted("/batch_amend_orders", items, "orders"), weight=len(amendments))

    def query_open_orders(self, symbol: Symbol | None = None) -> PreparedRequest:
        """The first page of `ORDERS_PER_PAGE`, of all contracts where none is named."""
        return self._listed("/orders", symbol, ORDERS_PER_PAGE, status="open")

    def query_finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> PreparedRequest:
        """The first page of `ORDERS_PER_PAGE`. The list by status goes back half a year and knows no beginning; this one does."""
        return self._listed("/orders_timerange", symbol, ORDERS_PER_PAGE, **{"from": since_milliseconds // 1000})

    def query_fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> PreparedRequest:
        """The first page of `FILLS_PER_PAGE`. An order's are all asked for: that list knows no beginning."""
        if exchange_order_id is not None:
            return self._listed("/my_trades", symbol, FILLS_PER_PAGE, order=exchange_order_id)
        if since_milliseconds is None:
            return self._listed("/my_trades", symbol, FILLS_PER_PAGE)
        return self._listed("/my_trades_timerange", symbol, FILLS_PER_PAGE, **{"from": since_milliseconds // 1000})

    def _listed(self, path: str, symbol: Symbol | None, limit: int, **parameters: str | int) -> PreparedRequest:
        about = {} if symbol is None else {"contract": GATEIO_FUTURES.to_wire(symbol)}
        query = urlencode({**about, **parameters, "limit": limit, "offset": 0})
        return self._request("GET", path, "private", query=query)

    def _longest(self, request: PreparedRequest, body: bytes) -> int:
        return len(ITEMS.decode(body))

    def _turned(self, parameters: dict[str, str]) -> dict[str, str | int]:
        return {"offset": int(parameters["offset"]) + int(parameters["limit"])}

    def _order(self, body: bytes | msgspec.Raw) -> OrderReport:
        return wire.order_report(wire.ORDER.decode(body), self.catalogue)

    def decode_orders(self, body: bytes) -> list[OrderReport]:
        with reading("orders", body):
            return wire.order_reports(wire.ORDERS.decode(body), self.catalogue)

    def decode_fills(self, body: bytes) -> list[FillReport]:
        with reading("trades", body):
            return [wire.fill_report(fill, self.catalogue) for fill in wire.FILLS.decode(body)]

    # Balances

    def query_balances(self) -> PreparedRequest:
        return ACCOUNT_REQUEST

    def decode_balances(self, body: bytes) -> list[BalanceReport]:
        with reading("an account", body):
            return [wire.account_report(wire.ACCOUNT.decode(body), self.positions.margin_mode)]

    # Private stream

    def _payload(self, channel: str) -> list[str] | None:
        return [self.catalogue.user_id, "!all"]

    def _pushed(self, channel: str, result: msgspec.Raw) -> list[PrivateReport]:
        if channel == ORDERS_CHANNEL:
            return [*wire.order_reports(wire.ORDERS.decode(result), self.catalogue)]
        if channel == FILLS_CHANNEL:
            return [wire.fill_report(fill, self.catalogue) for fill in wire.FILLS.decode(result)]
        if channel == POSITIONS_CHANNEL:
            return [*self.positions.pushed(result)]
        return []


def _named(order: Order) -> Fields:
    """REST, "Batch modify orders by specified IDs": by either id, of which theirs is a number here."""
    return {"text": wire_id(order)} if order.exchange_order_id is None else {"order_id": int(order.exchange_order_id)}
