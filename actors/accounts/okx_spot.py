"""OKX spot, private side: v5 REST and the private websocket, in cash mode.

References are to headings of https://www.okx.com/docs-v5/en/. Shapes of messages: `okx_wire`; refusals: `okx_errors`;
signatures: `okx_signature`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec.structs import replace

from actors.accounts import okx_wire as wire
from actors.accounts.clock_window import ClockWindow
from actors.accounts.codec import KeyInquiry, PreparedRequest
from actors.accounts.credential import Credential
from actors.accounts.okx_errors import coded_refusal, refusal_in, without_echo
from actors.accounts.okx_signature import iso_timestamp, login_signature, rest_signature
from actors.accounts.permissions import KeyPermissions
from exchanges.identity import ExchangeIdentity
from exchanges.okx_spot import OKX_SPOT
from market.events import Side
from market.exact import exact_product
from market.instrument import format_decimal
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit
from orders.capabilities import Capabilities
from orders.errors import ExchangeError
from orders.order import ZERO, Order
from orders.reports import (
    BalanceReport,
    FillReport,
    OrderReport,
    PrivateReport,
    ReportedStatus,
    StreamClosing,
    StreamConfirmed,
    StreamPong,
    StreamRefused,
    StreamReply,
)
from orders.request import OrderRequest, OrderType, TimeInForce

REST_URL = "https://www.okx.com"  # "Production Trading Services"; demo trading is the same host with a header of its own
WEBSOCKET_URLS = {  # "Production Trading Services", "Demo Trading Services"; the old port 8443 is closed
    "live": "wss://ws.okx.com/ws/v5/private",
    "testnet": "wss://wspap.okx.com/ws/v5/private",
}
INSTRUMENT_TYPE = "SPOT"
TRADE_MODE = "cash"  # "Place order", `tdMode`: no margin
TAG = "mmruntime"  # "Place order", `tag`; what the dead-man's switch is about, so that it spares the orders of others

# "Place order", "Cancel order", ... each state their own; all are per user, and for orders also per instrument. A tenth is
# left as a margin because requests bunch up on their way. Cancels and queries have limits of their own, so nothing is
# reserved for them elsewhere; of the queries a part is kept for finding out what became of orders.
RATE_LIMITS = MappingProxyType(
    {
        "orders": RateLimit(capacity=54, period_seconds=2.0),
        "order_batches": RateLimit(capacity=270, period_seconds=2.0),  # counted in orders
        "amends": RateLimit(capacity=54, period_seconds=2.0),
        "cancels": RateLimit(capacity=54, period_seconds=2.0),
        "cancel_batches": RateLimit(capacity=270, period_seconds=2.0),  # counted in orders
        "queries": RateLimit(capacity=54, period_seconds=2.0, reserve=18),
        "history": RateLimit(capacity=36, period_seconds=2.0, reserve=12),
        "balances": RateLimit(capacity=9, period_seconds=2.0),
        "switch": RateLimit(capacity=1, period_seconds=1.0),
        "public_time": RateLimit(capacity=9, period_seconds=2.0),
    }
)
_ORDER_TYPES = {  # "Place order", `ordType`
    TimeInForce.GOOD_TILL_CANCELLED: "limit",
    TimeInForce.IMMEDIATE_OR_CANCEL: "ioc",
    TimeInForce.FILL_OR_KILL: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
EXPIRY_HEADER = "expTime"  # "General Info", "Transaction Timeouts"; the exchange's time in milliseconds
BATCH_MAX = 20  # "Place multiple orders", "Cancel multiple orders"
PER_PAGE = 100  # "Get order list", "Get order history (last 7 days)", "Get transaction details (last 3 days)"
SWITCH_SECONDS_MIN, SWITCH_SECONDS_MAX = 10, 120  # "Cancel All After", `timeOut`

ORDERS_CHANNEL = "orders"  # "Order channel"
ACCOUNT_CHANNEL = "account"  # "Account channel"
LOGIN = "login"  # "Login": before it is answered, private subscriptions are refused
PING, PONG = "ping", "pong"  # "Connect": bare text, no JSON
PING_INTERVAL_SECONDS = 10.0  # "Connect": well within the 30 s after which a silent connection is closed
UPGRADE_NOTICE = "64008"  # "Notification": the connection will be closed for a service upgrade, in a minute
# A clock that was wrong, an overloaded server: connecting again may help, so that these do not condemn the credential.
_PASSING_ERRORS = ("60004", "60006", "60014", "60023", "63999", "64007")

_CLOCK_WINDOW = ClockWindow(behind_milliseconds=30_000, ahead_milliseconds=30_000)  # "REST Authentication": 30 s

_CAPABILITIES = Capabilities(
    time_in_force=frozenset(_ORDER_TYPES),
    market_buy_by_quote=True,
    market_buy_by_base=True,
    market_fill_or_kill=False,
    amend=True,
    place_batch_max=BATCH_MAX,
    cancel_batch_max=BATCH_MAX,
    cancel_all=False,  # "Mass cancel order" is for options
    order_expiry=True,
    dead_mans_switch_seconds_min=SWITCH_SECONDS_MIN,
    client_order_id_length_max=32,  # "Place order", `clOrdId`
)
_SUBSCRIBE = msgspec.json.encode(
    {
        "id": "1",
        "op": "subscribe",
        "args": [{"channel": ORDERS_CHANNEL, "instType": INSTRUMENT_TYPE}, {"channel": ACCOUNT_CHANNEL}],
    }
).decode()


class OkxKeyInquiry(KeyInquiry):
    """ "Get account configuration", whose `perm` is about the key that asks."""

    def request(self) -> PreparedRequest:
        # The limit of 5 in 2 s is half that of balances.
        return PreparedRequest(method="GET", path="/api/v5/account/config", group="balances", weight=2)

    def decode(self, body: bytes) -> KeyPermissions:
        with wire.reading("an account's configuration", body):
            granted = wire.only(wire.data_of(wire.CONFIGURATIONS, body)).perm.split(",")
        return KeyPermissions(may_trade="trade" in granted, may_withdraw="withdraw" in granted)


class OkxSpotAccountCodec:
    """Implements `actors.accounts.codec.AccountCodec`.

    OKX answers a placement, a cancellation or an amendment with the order's id alone: it was received. What comes of it is
    told by the stream, where the fills are part of what is said about orders, or by a query.
    """

    @property
    def identity(self) -> ExchangeIdentity:
        return OKX_SPOT

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def rate_limits(self) -> Mapping[str, RateLimit]:
        return RATE_LIMITS

    @property
    def needs_passphrase(self) -> bool:
        return True

    @property
    def catalogue(self) -> None:
        return None  # orders state all that is needed to read them

    @property
    def positions(self) -> None:
        return None

    @property
    def order_entry(self) -> None:
        return None

    def rest_url(self, mode: str) -> str:
        return REST_URL

    def websocket_url(self, mode: str) -> str:
        return WEBSOCKET_URLS[mode]

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

    # Clock

    def server_time(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v5/public/time", group="public_time")

    def decode_server_time(self, body: bytes) -> int:
        with wire.reading("a time", body):
            return int(wire.only(wire.data_of(wire.SERVER_TIMES, body)).ts)

    @property
    def clock_window(self) -> ClockWindow:
        return _CLOCK_WINDOW

    # Orders

    def wire_client_order_id(self, client_order_id: str) -> str:
        return wire.wire_client_order_id(client_order_id)

    def place(self, request: OrderRequest, *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: a fill-or-kill market order, which OKX does not have.
        """
        return _command("/api/v5/trade/order", _order_fields(request), "orders", expires_at_milliseconds)

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `BATCH_MAX` orders, none, or a fill-or-kill market order.
        """
        fields = [_order_fields(request) for request in requests]
        prepared = _command("/api/v5/trade/batch-orders", fields, "order_batches", expires_at_milliseconds)
        return replace(prepared, weight=_batch_size(requests))

    def cancel(self, order: Order) -> PreparedRequest:
        return _command("/api/v5/trade/cancel-order", _about(order), "cancels")

    def cancel_reported(self, report: OrderReport) -> PreparedRequest:
        return _command("/api/v5/trade/cancel-order", _about_reported(report), "cancels")

    def cancel_all(self, symbol: Symbol) -> PreparedRequest:
        """
        Raises:
            ValueError: always, as the capabilities say.
        """
        raise ValueError("OKX has no cancelling of all spot orders")

    def cancel_batch(self, reports: Sequence[OrderReport]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `BATCH_MAX` orders, or none.
        """
        prepared = _command("/api/v5/trade/cancel-batch-orders", [_about_reported(report) for report in reports], "cancel_batches")
        return replace(prepared, weight=_batch_size(reports))

    def dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> list[PreparedRequest]:
        """One for all that bears our tag, whatever the symbol ("Cancel All After"). At most `SWITCH_SECONDS_MAX`."""
        fields = {"timeOut": str(min(timeout_seconds, SWITCH_SECONDS_MAX)), "tag": TAG}
        return [_command("/api/v5/trade/cancel-all-after", fields, "switch")]

    def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None) -> PreparedRequest:
        """`quantity` is the new total, of which what has filled is a part.

        Raises:
            ValueError: neither is given.
        """
        if price is None and quantity is None:
            raise ValueError("an amendment changes the price, the quantity, or both")
        fields = _about(order)
        if quantity is not None:
            fields["newSz"] = format_decimal(quantity)
        if price is not None:
            fields["newPx"] = format_decimal(price)
        return _command("/api/v5/trade/amend-order", fields, "amends")

    def query_order(self, order: Order) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v5/trade/order", query=urlencode(_about(order)), group="queries")

    def query_open_orders(self, symbol: Symbol | None = None) -> PreparedRequest:
        """The first page of `PER_PAGE`, newest first. `next_page` asks for more."""
        return _query("/api/v5/trade/orders-pending", symbol, "queries")

    def query_finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> PreparedRequest:
        """As `query_open_orders`. Cancelled orders without fills are forgotten after two hours."""
        return _query("/api/v5/trade/orders-history", symbol, "history", begin=since_milliseconds)

    def query_fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> PreparedRequest:
        """As `query_open_orders`. OKX looks back three days."""
        parameters: dict[str, str | int] = {}
        if exchange_order_id is not None:
            parameters["ordId"] = exchange_order_id
        if since_milliseconds is not None:
            parameters["begin"] = since_milliseconds
        return _query("/api/v5/trade/fills", symbol, "queries", **parameters)

    def next_page(self, request: PreparedRequest, body: bytes) -> PreparedRequest | None:
        parameters = dict(parse_qsl(request.query))
        if "limit" not in parameters:
            return None
        with wire.reading("a page", body):
            items = wire.data_of(wire.IDENTIFIED, body)
        if len(items) < int(parameters["limit"]):
            return None
        last = items[-1].bill_id if request.path.endswith("/fills") else items[-1].ord_id
        return replace(request, query=urlencode(parameters | {"after": last}))

    def decode_placed(self, request: OrderRequest, body: bytes) -> OrderReport:
        with wire.reading("the answer to a placement", body):
            operation = wire.only(wire.data_of(wire.OPERATIONS, body))
            if operation.s_code != "0" or not operation.ord_id:
                raise ValueError("it neither accepts nor refuses")
            return OrderReport(
                exchange_order_id=operation.ord_id,
                client_order_id=request.client_order_id,
                symbol=request.symbol,
                side=request.side,
                status=ReportedStatus.OPEN,
                filled_quantity=ZERO,
                filled_quote=ZERO,
                price=request.price,
                quantity=request.quantity,
                exchange_time_milliseconds=wire.milliseconds(operation.ts),
            )

    def decode_changed(self, body: bytes) -> OrderReport | None:
        with wire.reading("the answer to a change", body):
            operation = wire.only(wire.data_of(wire.OPERATIONS, body))
            if operation.s_code != "0":
                raise ValueError("it neither accepts nor refuses")
        return None

    def decode_order(self, body: bytes) -> OrderReport:
        with wire.reading("an order", body):
            return _order_report(wire.only(wire.data_of(wire.ORDERS, body)))

    def decode_batch(self, body: bytes) -> list[OrderReport | tuple[str, ExchangeError]]:
        """The refusals: of an order that was received the answer says no more than that."""
        with wire.reading("a batch", body):
            return [
                (wire.client_order_id(one.cl_ord_id) or one.ord_id, coded_refusal(one.s_code, one.s_msg, http_status=200))
                for one in wire.data_of(wire.OPERATIONS, body)
                if one.s_code != "0"
            ]

    def decode_orders(self, body: bytes) -> list[OrderReport]:
        with wire.reading("orders", body):
            return [_order_report(order) for order in wire.data_of(wire.ORDERS, body)]

    def decode_fills(self, body: bytes) -> list[FillReport]:
        with wire.reading("fills", body):
            return [_fill_report(fill) for fill in wire.data_of(wire.FILLS, body)]

    # Balances

    def query_balances(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v5/account/balance", group="balances")

    def decode_balances(self, body: bytes) -> list[BalanceReport]:
        with wire.reading("balances", body):
            return _balance_reports(wire.data_of(wire.ACCOUNTS, body))

    # The key

    @property
    def key_inquiry(self) -> KeyInquiry:
        return OkxKeyInquiry()

    # Private stream

    @property
    def stream_keys(self) -> None:
        return None  # one logs in

    @property
    def stream_seconds_max(self) -> float | None:
        return None  # none is documented

    @property
    def ping_interval_seconds(self) -> float:
        return PING_INTERVAL_SECONDS

    @property
    def private_channels(self) -> frozenset[str]:
        return frozenset((LOGIN, ORDERS_CHANNEL, ACCOUNT_CHANNEL))

    def subscribe_frames(self, credential: Credential, *, timestamp_milliseconds: int) -> list[str | bytes]:
        """The login alone; the subscriptions are the reply to its answer."""
        timestamp_seconds = timestamp_milliseconds // 1000
        login = {
            "apiKey": credential.key,
            "passphrase": credential.passphrase,
            "timestamp": str(timestamp_seconds),
            "sign": login_signature(credential.secret, timestamp_seconds=timestamp_seconds),
        }
        return [msgspec.json.encode({"op": LOGIN, "args": [login]}).decode()]

    def ping_frame(self, *, timestamp_milliseconds: int) -> str | bytes:
        return PING

    def decode_frame(self, frame: str | bytes) -> list[PrivateReport]:
        if frame in (PONG, PONG.encode()):
            return [StreamPong()]
        with wire.reading("a frame", frame):
            read = wire.FRAME.decode(frame)
            if read.event:
                return _control(read)
            if read.arg is not None and read.arg.channel == ORDERS_CHANNEL:
                return [report for order in wire.ORDERS.decode(read.data) for report in _updates(order)]
            if read.arg is not None and read.arg.channel == ACCOUNT_CHANNEL:
                return [*_balance_reports(wire.ACCOUNTS.decode(read.data))]
        return []


def _control(frame: wire.Frame) -> list[PrivateReport]:
    channel = frame.channel if frame.arg is None else frame.arg.channel
    message = without_echo(frame.msg)
    match frame.event:
        case "login":
            if frame.code not in ("", "0"):
                return [StreamRefused(LOGIN, frame.code, message)]
            return [StreamConfirmed(LOGIN), StreamReply(_SUBSCRIBE)]
        case "subscribe":
            return [StreamConfirmed(channel)]
        case "error" if frame.code in _PASSING_ERRORS:
            return [StreamClosing(f"{message} (code {frame.code})")]
        case "error":
            return [StreamRefused(channel or LOGIN, frame.code, message)]
        case "notice" if frame.code == UPGRADE_NOTICE:
            return [StreamClosing(message or "the exchange is upgrading its service")]
        case "channel-conn-count-error":
            return [StreamClosing(f"too many connections have subscribed to {channel}")]
        case _:
            return []


def _updates(order: wire.Order) -> list[PrivateReport]:
    """What a push of the order channel tells: the fill first, so that an order that ends by it ends with all its fills known."""
    reports: list[PrivateReport] = []
    if order.trade_id and wire.positive(order.fill_sz):
        reports.append(
            _fill_report(
                wire.Fill(
                    trade_id=order.trade_id,
                    ord_id=order.ord_id,
                    inst_id=order.inst_id,
                    side=order.side,
                    fill_px=order.fill_px,
                    fill_sz=order.fill_sz,
                    cl_ord_id=order.cl_ord_id,
                    fee=order.fill_fee,
                    fee_ccy=order.fill_fee_ccy,
                    exec_type=order.exec_type,
                    fill_time=order.fill_time,
                )
            )
        )
    return [*reports, _order_report(order)]


def _order_report(order: wire.Order) -> OrderReport:
    filled_quantity = wire.positive(order.acc_fill_sz)
    return OrderReport(
        exchange_order_id=order.ord_id,
        client_order_id=wire.client_order_id(order.cl_ord_id),
        symbol=OKX_SPOT.from_wire(order.inst_id),
        side=order.side,
        status=order.status,
        filled_quantity=filled_quantity,
        filled_quote=exact_product(filled_quantity, wire.positive(order.avg_px)),
        price=None if order.ord_type == "market" else wire.positive(order.px) or None,
        quantity=None if order.quantity_is_quote else wire.positive(order.sz),
        reason=order.reason,
        exchange_time_milliseconds=wire.milliseconds(order.u_time),
    )


def _fill_report(fill: wire.Fill) -> FillReport:
    symbol = OKX_SPOT.from_wire(fill.inst_id)
    return FillReport(
        trade_id=fill.trade_id,
        exchange_order_id=fill.ord_id,
        client_order_id=wire.client_order_id(fill.cl_ord_id),
        symbol=symbol,
        side=fill.side,
        price=wire.positive(fill.fill_px),
        quantity=wire.positive(fill.fill_sz),
        fee=wire.signed(fill.fee).copy_negate(),  # OKX: negative when charged
        fee_asset=fill.fee_ccy or (symbol.base if fill.side is Side.BUY else symbol.quote),
        maker=fill.exec_type == "M",
        exchange_time_milliseconds=wire.milliseconds(fill.fill_time or fill.ts),
    )


def _balance_reports(accounts: list[wire.Account]) -> list[BalanceReport]:
    return [
        BalanceReport(
            asset=balance.ccy,
            total=wire.signed(balance.cash_bal),
            available=wire.signed(balance.avail_bal),
            exchange_time_milliseconds=wire.milliseconds(balance.u_time),
        )
        for account in accounts
        for balance in account.details
    ]


def _order_fields(request: OrderRequest) -> dict[str, object]:
    """ "Place order"."""
    is_market = request.type is OrderType.MARKET
    if is_market and request.time_in_force is TimeInForce.FILL_OR_KILL:
        raise ValueError("OKX has no fill-or-kill market orders")
    quantity = request.quantity if request.quantity is not None else request.quote_quantity
    fields: dict[str, object] = {
        "instId": OKX_SPOT.to_wire(request.symbol),
        "tdMode": TRADE_MODE,
        "clOrdId": wire.wire_client_order_id(request.client_order_id),
        "tag": TAG,
        "side": request.side.value,
        "ordType": "market" if is_market else _ORDER_TYPES[request.time_in_force],
        "sz": format_decimal(quantity or ZERO),
    }
    if request.price is not None:
        fields["px"] = format_decimal(request.price)
    if is_market:
        fields["tgtCcy"] = "base_ccy" if request.quantity is not None else "quote_ccy"
        fields["banAmend"] = True  # refuse rather than shrink the order to the funds
    return fields


def _about(order: Order) -> dict[str, str]:
    wire_id = (
        {"ordId": order.exchange_order_id} if order.exchange_order_id else {"clOrdId": wire.wire_client_order_id(order.client_order_id)}
    )
    return {"instId": OKX_SPOT.to_wire(order.request.symbol), **wire_id}


def _about_reported(report: OrderReport) -> dict[str, str]:
    return {"instId": OKX_SPOT.to_wire(report.symbol), "ordId": report.exchange_order_id}


def _command(path: str, fields: object, group: str, expires_at_milliseconds: int | None = None) -> PreparedRequest:
    headers = () if expires_at_milliseconds is None else ((EXPIRY_HEADER, str(expires_at_milliseconds)),)
    return PreparedRequest(method="POST", path=path, body=msgspec.json.encode(fields), headers=headers, group=group)


def _query(path: str, symbol: Symbol | None, group: str, **parameters: str | int) -> PreparedRequest:
    asked: dict[str, str | int] = {"instType": INSTRUMENT_TYPE}
    if symbol is not None:
        asked["instId"] = OKX_SPOT.to_wire(symbol)
    return PreparedRequest(method="GET", path=path, query=urlencode(asked | parameters | {"limit": PER_PAGE}), group=group)


def _batch_size(orders: Sequence[object]) -> int:
    if not 1 <= len(orders) <= BATCH_MAX:
        raise ValueError(f"a batch has 1 to {BATCH_MAX} orders, not {len(orders)}")
    return len(orders)
