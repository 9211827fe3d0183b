"""OKX, private side, as far as its markets are alike: v5 REST and the private websocket.

References are to headings of https://www.okx.com/docs-v5/en/. Shapes of messages: `okx_wire`; what they say: `okx_reports`;
how orders are written: `okx_orders`; the stream: `okx_stream`; refusals: `okx_errors`; signatures: `okx_signature`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec.structs import replace

from actors.accounts.clock_window import ClockWindow
from actors.accounts.codec import Amendment, BatchAnswer, KeyInquiry, OrderReceived, PreparedRequest
from actors.accounts.credential import Credential
from actors.accounts.okx import stream as okx_stream
from actors.accounts.okx import wire
from actors.accounts.okx.catalogue import INSTRUMENTS_GROUP, OkxInstruments
from actors.accounts.okx.errors import NO_SUCH_INSTRUMENT, coded_refusal, refusal_in
from actors.accounts.okx.orders import ORDER_TYPES, Fields, OkxOrderEntry, OkxOrders, about, symbol_of
from actors.accounts.okx.reports import fill_reports, order_reports, update_reports
from actors.accounts.okx.signature import iso_timestamp, rest_signature
from actors.accounts.permissions import KeyPermissions
from actors.accounts.reading import accepted
from exchanges.identity import ExchangeIdentity
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit
from orders.capabilities import Capabilities
from orders.errors import ExchangeError
from orders.order import Order
from orders.reports import BalanceReport, FillReport, OrderReport, PrivateReport, StreamPong
from orders.request import OrderRequest

REST_URL = "https://www.okx.com"  # "Production Trading Services"; demo trading is the same host with a header of its own

# "Place order", "Cancel order", ... each state their own; all are per user, and for orders also per instrument. A tenth is
# left as a margin because requests bunch up on their way. Cancels and queries have limits of their own, so nothing is
# reserved for them elsewhere; of the queries a part is kept for finding out what became of orders.
RATE_LIMITS: Mapping[str, RateLimit] = MappingProxyType(
    {
        "orders": RateLimit(capacity=54, period_seconds=2.0),
        "order_batches": RateLimit(capacity=270, period_seconds=2.0),  # counted in orders
        "amends": RateLimit(capacity=54, period_seconds=2.0),
        "amend_batches": RateLimit(capacity=270, period_seconds=2.0),  # counted in orders
        "cancels": RateLimit(capacity=54, period_seconds=2.0),
        "cancel_batches": RateLimit(capacity=270, period_seconds=2.0),  # counted in orders
        "queries": RateLimit(capacity=54, period_seconds=2.0, reserve=18),
        "history": RateLimit(capacity=36, period_seconds=2.0, reserve=12),
        "balances": RateLimit(capacity=9, period_seconds=2.0),
        "switch": RateLimit(capacity=1, period_seconds=1.0),
        "public_time": RateLimit(capacity=9, period_seconds=2.0),
        INSTRUMENTS_GROUP: RateLimit(capacity=18, period_seconds=2.0),  # shared with the feed: it is per address
    }
)
EXPIRY_HEADER = "expTime"  # "General Info", "Transaction Timeouts"; the exchange's time in milliseconds
BATCH_MAX = 20  # "Place multiple orders", "Cancel multiple orders", "Amend multiple orders": of any symbols
PER_PAGE = 100  # "Get order list", "Get order history (last 7 days)", "Get transaction details (last 3 days)"
# Where only a beginning is given, the oldest page comes first and `after` leads nowhere ("Pagination"); with an end, the newest.
FOR_EVER_MILLISECONDS = 10**13 - 1
SWITCH_SECONDS_MIN, SWITCH_SECONDS_MAX = 10, 120  # "Cancel All After", `timeOut`

ORDERS_CHANNEL = "orders"  # "Order channel"
ACCOUNT_CHANNEL = "account"  # "Account channel"

_CLOCK_WINDOW = ClockWindow(behind_milliseconds=30_000, ahead_milliseconds=30_000)  # "REST Authentication": 30 s

CAPABILITIES = Capabilities(
    time_in_force=frozenset(ORDER_TYPES),
    market_buy_by_quote=True,
    market_buy_by_base=True,
    market_fill_or_kill=False,
    amend=True,
    place_batch_max=BATCH_MAX,
    cancel_batch_max=BATCH_MAX,
    amend_batch_max=BATCH_MAX,
    batch_symbols_max=BATCH_MAX,
    cancel_all=False,  # "Mass cancel order" is for options
    websocket_order_entry=True,
    order_expiry=True,
    dead_mans_switch_seconds_min=SWITCH_SECONDS_MIN,
    client_order_id_length_max=32,  # "Place order", `clOrdId`
)


class OkxKeyInquiry(KeyInquiry):
    """ "Get account configuration", whose `perm` is about the key that asks."""

    def request(self) -> PreparedRequest:
        return configuration_request()

    def decode(self, body: bytes) -> KeyPermissions:
        with wire.reading("an account's configuration", body):
            granted = wire.only(wire.data_of(wire.CONFIGURATIONS, body)).perm.split(",")
        return KeyPermissions(may_trade="trade" in granted, may_withdraw="withdraw" in granted)


class OkxAccountCodec:
    """What the codecs of OKX's markets share of `actors.accounts.codec.AccountCodec`; a market adds what is its own.

    OKX answers a placement, a cancellation or an amendment with the order's id alone: it was received. What comes of it is
    told by the stream, where the fills are part of what is said about orders, or by a query.
    """

    capabilities = CAPABILITIES
    rate_limits = RATE_LIMITS
    needs_passphrase = True
    clock_window = _CLOCK_WINDOW
    stream_keys = None  # one logs in
    stream_seconds_max = None  # none is documented
    websocket_headers: tuple[tuple[str, str], ...] = ()
    ping_interval_seconds = okx_stream.PING_INTERVAL_SECONDS

    def __init__(
        self,
        identity: ExchangeIdentity,
        *,
        instrument_type: str,
        instruments: OkxInstruments,
        orders: OkxOrders,
        channels: Sequence[dict[str, str]] = (),
    ) -> None:
        """`channels` are those beside the two of every market."""
        self.identity = identity
        self.catalogue = instruments
        self.order_entry = OkxOrderEntry(orders)
        self.instrument_type = instrument_type
        self._orders = orders
        subscribed = [{"channel": ORDERS_CHANNEL, "instType": instrument_type}, {"channel": ACCOUNT_CHANNEL}, *channels]
        self._subscriptions = okx_stream.subscribe_frame(subscribed)
        self.private_channels = frozenset((okx_stream.LOGIN, *(one["channel"] for one in subscribed)))

    def rest_url(self, mode: str) -> str:
        return REST_URL

    def websocket_url(self, mode: str) -> str:
        return okx_stream.WEBSOCKET_URLS[mode]

    def sign(self, request: PreparedRequest, credential: Credential, *, timestamp_milliseconds: int) -> HttpRequest:
        timestamp = iso_timestamp(timestamp_milliseconds)
        signature = rest_signature(
            credential.secret,
            timestamp=timestamp,
            method=request.method,
            path=request.path,
            query=request.query,
            body=request.body,
        )
        headers = (
            ("Content-Type", "application/json"),
            ("OK-ACCESS-KEY", credential.key),
            ("OK-ACCESS-SIGN", signature),
            ("OK-ACCESS-TIMESTAMP", timestamp),
            ("OK-ACCESS-PASSPHRASE", credential.passphrase),
            *request.headers,
        )
        return HttpRequest(method=request.method, path=request.path, query=request.query, headers=headers, body=request.body)

    def error(self, response: HttpResponse) -> ExchangeError | None:
        return refusal_in(response.status, response.body)

    def penalty_seconds(self, response: HttpResponse, *, now_milliseconds: int) -> float | None:
        return None  # OKX does not say

    def server_time(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v5/public/time", group="public_time")

    def decode_server_time(self, body: bytes) -> int:
        with wire.reading("a time", body):
            return int(wire.only(wire.data_of(wire.SERVER_TIMES, body)).ts)

    @property
    def key_inquiry(self) -> KeyInquiry:
        return OkxKeyInquiry()

    # Orders

    def wire_client_order_id(self, client_order_id: str) -> str:
        return wire.wire_client_order_id(client_order_id)

    def place(self, request: OrderRequest, *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: a fill-or-kill market order, which OKX does not have.
        """
        return _command("/api/v5/trade/order", self._placement(request), "orders", expires_at_milliseconds)

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `BATCH_MAX` orders, none, or a fill-or-kill market order.
        """
        fields = [self._placement(request) for request in requests]
        return _batch("/api/v5/trade/batch-orders", fields, "order_batches", expires_at_milliseconds)

    def cancel(self, order: Order) -> PreparedRequest:
        return _command("/api/v5/trade/cancel-order", self._about(order), "cancels")

    def cancel_reported(self, report: OrderReport) -> PreparedRequest:
        return _command("/api/v5/trade/cancel-order", self._about(report), "cancels")

    def cancel_all(self, symbol: Symbol) -> PreparedRequest:
        """
        Raises:
            ValueError: always, as the capabilities say.
        """
        raise ValueError("OKX has no cancelling of all orders of a symbol")

    def cancel_batch(self, orders: Sequence[Order | OrderReport]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `BATCH_MAX` orders, or none.
        """
        return _batch("/api/v5/trade/cancel-batch-orders", [self._about(order) for order in orders], "cancel_batches")

    def dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> list[PreparedRequest]:
        """One for all that bears our tag, whatever the symbol ("Cancel All After"). At most `SWITCH_SECONDS_MAX`."""
        fields: Fields = {"timeOut": str(min(timeout_seconds, SWITCH_SECONDS_MAX)), "tag": self._orders.tag}
        return [_command("/api/v5/trade/cancel-all-after", fields, "switch")]

    def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None) -> PreparedRequest:
        """`quantity` is the new total, of which what has filled is a part.

        Raises:
            ValueError: neither is given.
        """
        return _command("/api/v5/trade/amend-order", self._amendment(Amendment(order=order, price=price, quantity=quantity)), "amends")

    def amend_batch(self, amendments: Sequence[Amendment]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `BATCH_MAX` amendments, none, or one that changes nothing.
        """
        return _batch("/api/v5/trade/amend-batch-orders", [self._amendment(one) for one in amendments], "amend_batches")

    def query_order(self, order: Order) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v5/trade/order", query=urlencode(self._about(order)), group="queries")

    def query_open_orders(self, symbol: Symbol | None = None) -> PreparedRequest:
        """The first page of `PER_PAGE`, newest first. `next_page` asks for more."""
        return self._query("/api/v5/trade/orders-pending", symbol, "queries")

    def query_finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> PreparedRequest:
        """As `query_open_orders`. Cancelled orders without fills are forgotten after two hours."""
        return self._query("/api/v5/trade/orders-history", symbol, "history", begin=since_milliseconds, end=FOR_EVER_MILLISECONDS)

    def query_fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> PreparedRequest:
        """As `query_open_orders`. OKX looks back three days."""
        parameters: dict[str, str | int] = {}
        if exchange_order_id is not None:
            parameters["ordId"] = exchange_order_id
        if since_milliseconds is not None:
            parameters |= {"begin": since_milliseconds, "end": FOR_EVER_MILLISECONDS}
        return self._query("/api/v5/trade/fills", symbol, "queries", **parameters)

    def next_page(self, request: PreparedRequest, body: bytes) -> PreparedRequest | None:
        parameters = dict(parse_qsl(request.query))
        if "limit" not in parameters:
            return None
        with wire.reading("a page", body):
            items = wire.data_of(wire.IDENTIFIED, body)
            if len(items) < int(parameters["limit"]):
                return None
            last = items[-1].bill_id if request.path.endswith(("/fills", "/bills")) else items[-1].ord_id
            if not last:
                raise ValueError("its last entry has no id")
        return replace(request, query=urlencode(parameters | {"after": last}))

    def decode_placed(self, request: OrderRequest, body: bytes) -> OrderReport:
        with wire.reading("the answer to a placement", body):
            operation = wire.only(wire.data_of(wire.OPERATIONS, body))
            if operation.s_code != "0" or not operation.ord_id:
                raise ValueError("it neither accepts nor refuses")
            return accepted(request, operation.ord_id, wire.milliseconds(operation.ts))

    def decode_changed(self, body: bytes) -> OrderReport | None:
        with wire.reading("the answer to a change", body):
            operation = wire.only(wire.data_of(wire.OPERATIONS, body))
            if operation.s_code != "0":
                raise ValueError("it neither accepts nor refuses")
        return None

    def decode_order(self, body: bytes) -> OrderReport:
        with wire.reading("an order", body):
            return wire.only(order_reports(wire.data_of(wire.ORDERS, body), self.catalogue))

    def decode_batch(self, body: bytes) -> Sequence[BatchAnswer]:
        """Also of a batch of one, whose failure is written like that of a single operation: whoever sent it knows what it was."""
        with wire.reading("a batch", body):
            return [_batch_answer(one) for one in wire.data_of(wire.OPERATIONS, body)]

    def decode_orders(self, body: bytes) -> list[OrderReport]:
        with wire.reading("orders", body):
            return order_reports(wire.data_of(wire.ORDERS, body), self.catalogue)

    def decode_fills(self, body: bytes) -> list[FillReport]:
        with wire.reading("fills", body):
            return fill_reports(wire.data_of(wire.FILLS, body), self.catalogue)

    # Balances

    def query_balances(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v5/account/balance", group="balances")

    def decode_balances(self, body: bytes) -> list[BalanceReport]:
        with wire.reading("balances", body):
            return self.balance_reports(wire.data_of(wire.ACCOUNTS, body))

    def balance_reports(self, accounts: list[wire.Account]) -> list[BalanceReport]:
        """What this market takes for all there is, and for what is free."""
        raise NotImplementedError

    # Private stream

    def subscribe_frames(self, credential: Credential, *, timestamp_milliseconds: int) -> list[str | bytes]:
        """The login alone; the subscriptions are the reply to its answer."""
        return [okx_stream.login_frame(credential, timestamp_milliseconds=timestamp_milliseconds)]

    def ping_frame(self, *, timestamp_milliseconds: int) -> str | bytes:
        return okx_stream.PING

    def decode_frame(self, frame: str | bytes) -> list[PrivateReport]:
        if frame in (okx_stream.PONG, okx_stream.PONG.encode()):
            return [StreamPong()]
        with wire.reading("a frame", frame):
            read = wire.FRAME.decode(frame)
            if okx_stream.is_answer(read):
                answered = okx_stream.answer(read, frame)
                if answered.error is not None and answered.error.code == NO_SUCH_INSTRUMENT:
                    # Demo trading has been seen to refuse the codes that it lists (2026-09), while REST takes orders: so
                    # will ours go there from now on, until the instruments are learned anew.
                    self.catalogue.forget_codes()
                return [answered]
            if read.event:
                return okx_stream.control(read, self._subscriptions)
            return [] if read.arg is None else self.pushed(read.arg.channel, read.data)

    def pushed(self, channel: str, data: msgspec.Raw) -> list[PrivateReport]:
        """What a push of `channel` says; nothing of a channel that nobody asked for. Within `wire.reading`: any of its errors."""
        if channel == ORDERS_CHANNEL:
            return update_reports(wire.ORDERS.decode(data), self.catalogue)
        if channel == ACCOUNT_CHANNEL:
            return [*self.balance_reports(wire.ACCOUNTS.decode(data))]
        return []

    # How REST names what orders are about

    def _placement(self, request: OrderRequest) -> Fields:
        return {"instId": self.identity.to_wire(request.symbol), **self._orders.placement(request)}

    def _amendment(self, amendment: Amendment) -> Fields:
        fields = self._orders.amendment(amendment.order, price=amendment.price, quantity=amendment.quantity)
        return {"instId": self.identity.to_wire(amendment.order.request.symbol), **fields}

    def _about(self, order: Order | OrderReport) -> Fields:
        return {"instId": self.identity.to_wire(symbol_of(order)), **about(order)}

    def _query(self, path: str, symbol: Symbol | None, group: str, **parameters: str | int) -> PreparedRequest:
        asked: dict[str, str | int] = {"instType": self.instrument_type}
        if symbol is not None:
            asked["instId"] = self.identity.to_wire(symbol)
        return PreparedRequest(method="GET", path=path, query=urlencode(asked | parameters | {"limit": PER_PAGE}), group=group)


def configuration_request() -> PreparedRequest:
    """ "Get account configuration". Its limit of 5 in 2 s is half that of balances."""
    return PreparedRequest(method="GET", path="/api/v5/account/config", group="balances", weight=2)


def _batch_answer(operation: wire.Operation) -> BatchAnswer:
    client_order_id = wire.client_order_id(operation.cl_ord_id) or ""
    if operation.s_code != "0":
        return client_order_id or operation.ord_id, coded_refusal(operation.s_code, operation.s_msg, http_status=200)
    return OrderReceived(
        exchange_order_id=operation.ord_id,
        client_order_id=client_order_id,
        exchange_time_milliseconds=wire.milliseconds(operation.ts),
    )


def _command(path: str, fields: Fields | list[Fields], group: str, expires_at_milliseconds: int | None = None) -> PreparedRequest:
    headers = () if expires_at_milliseconds is None else ((EXPIRY_HEADER, str(expires_at_milliseconds)),)
    return PreparedRequest(method="POST", path=path, body=msgspec.json.encode(fields), headers=headers, group=group)


def _batch(path: str, orders: list[Fields], group: str, expires_at_milliseconds: int | None = None) -> PreparedRequest:
    if not 1 <= len(orders) <= BATCH_MAX:
        raise ValueError(f"a batch has 1 to {BATCH_MAX} orders, not {len(orders)}")
    return replace(_command(path, orders, group, expires_at_milliseconds), weight=len(orders))
