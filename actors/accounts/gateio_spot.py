"""Gate.io spot, private side: APIv4 REST and the v4 JSON websocket.

References are to headings of https://www.gate.com/docs/developers/apiv4/ (REST) and
https://www.gate.com/docs/developers/apiv4/ws/en/ (websocket). Shapes of messages: `gateio_spot_wire`; refusals:
`gateio_spot_errors`; signatures: `gateio_signature`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec.structs import replace

from actors.accounts import gateio_spot_wire as wire
from actors.accounts.clock_window import ClockWindow
from actors.accounts.codec import Amendment, BatchAnswer, OrderReceived, PreparedRequest
from actors.accounts.credential import Credential
from actors.accounts.gateio_order_entry import EXPIRY_HEADER, answer_reports, login_channel, login_frame
from actors.accounts.gateio_signature import channel_signature, rest_signature
from actors.accounts.gateio_spot_errors import labelled_refusal, refusal_in
from actors.accounts.gateio_spot_orders import ACCOUNT, PRODUCT, TIME_IN_FORCE, GateioSpotOrderEntry, about, changes, order_fields, wire_id
from exchanges.gateio_spot import GATEIO_SPOT
from exchanges.identity import ExchangeIdentity
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit
from orders.capabilities import Capabilities
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reports import (
    BalanceReport,
    FillReport,
    OrderReport,
    PrivateReport,
    StreamClosing,
    StreamConfirmed,
    StreamPong,
    StreamRefused,
)
from orders.request import OrderRequest

REST_URLS = {  # REST, "APIv4 base URL"; paths carry the /api/v4 prefix because it is signed
    "live": "https://api.gateio.ws",
    "testnet": "https://api-testnet.gateapi.io",
}
WEBSOCKET_URLS = {  # websocket, "Server URL"
    "live": "wss://api.gateio.ws/ws/v4/",
    "testnet": "wss://ws-testnet.gate.com/v4/ws/spot",
}
# REST, "Frequency limit rule": 10/s for placing and amending, 200/s for cancels, 200 in 10 s for queries; a tenth is left
# as a margin because requests bunch up on their way. Gate.io counts placing and amending per market, and queries per
# endpoint: one group each per account is stricter than that, and simple. Cancels have a limit of their own, so nothing is
# reserved for them elsewhere; of the private queries a part is kept for finding out what became of orders.
RATE_LIMITS = MappingProxyType(
    {
        "orders": RateLimit(capacity=9, period_seconds=1.0),
        "cancels": RateLimit(capacity=180, period_seconds=1.0),
        "private": RateLimit(capacity=180, period_seconds=10.0, reserve=60),
        "public": RateLimit(capacity=180, period_seconds=10.0),
    }
)
PENALTY_SECONDS_MAX = 60.0  # windows are 1 s and 10 s; a reset further away is a clock's fault
PENALTY_SECONDS_MIN = 0.1

RESET_HEADER = "x-gate-ratelimit-reset-timestamp"  # REST, "Frequency limit rule"; seconds
PLACE_BATCH_MAX = 10  # REST, "Create a batch of orders"
PLACE_BATCH_SYMBOLS_MAX = 4
CANCEL_BATCH_MAX = 20  # REST, "Cancel a batch of orders with an ID list"
AMEND_BATCH_MAX = 5  # REST, "Batch modification of orders"; each changes either its price or its amount
ORDERS_PER_PAGE = 100  # REST, "List all open orders" (per pair) and "List orders"
FILLS_PER_PAGE = 1000  # REST, "List personal trading history"

ORDERS_CHANNEL = "spot.orders"  # websocket, "Orders channel"
FILLS_CHANNEL = "spot.usertrades"  # websocket, "User trades channel"
BALANCES_CHANNEL = "spot.balances"  # websocket, "Spot balance channel"
SYSTEM_CHANNEL = "spot.system"  # websocket, "Service upgrade notification"; older servers send the bare notice
PING_CHANNEL = "spot.ping"  # websocket, "Application ping pong"
PONG_CHANNEL = "spot.pong"
PING_INTERVAL_SECONDS = 10.0
STREAM_SERVER_ERROR = "3"  # websocket, "Schema", `error`; says nothing about what was asked: it is asked again
_PAYLOADS: dict[str, list[str] | None] = {ORDERS_CHANNEL: ["!all"], FILLS_CHANNEL: ["!all"], BALANCES_CHANNEL: None}

_ORDER_ENTRY = GateioSpotOrderEntry()
_CLOCK_WINDOW = ClockWindow(behind_milliseconds=60_000, ahead_milliseconds=60_000)  # REST, "Generate the signature": 60 s

_CAPABILITIES = Capabilities(
    time_in_force=frozenset(TIME_IN_FORCE),
    market_buy_by_quote=True,
    market_buy_by_base=False,
    market_fill_or_kill=True,
    dead_mans_switch_seconds_min=5,  # REST, "Countdown cancel orders", `timeout`
    amend=True,
    amend_keeps_priority_on_reduce=True,  # REST, "Amend an order"
    place_batch_max=PLACE_BATCH_MAX,
    cancel_batch_max=CANCEL_BATCH_MAX,
    amend_batch_max=AMEND_BATCH_MAX,
    amend_batch_one_change=True,
    batch_symbols_max=PLACE_BATCH_SYMBOLS_MAX,
    websocket_order_entry=True,
    cancel_all=True,
    order_expiry=True,
    client_order_id_length_max=28,  # REST, "Create an order", `text`: after the prefix
)


class GateioSpotAccountCodec:
    """Implements `actors.accounts.codec.AccountCodec`.

    A market buy states its amount in quote units on the wire, and can state it in no other. An order is found by its
    client order id only while it is open; after that by the exchange's id, or in the list of finished orders. Orders go over
    the private stream's connection, too, which is logged in for that.
    """

    @property
    def identity(self) -> ExchangeIdentity:
        return GATEIO_SPOT

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def rate_limits(self) -> Mapping[str, RateLimit]:
        return RATE_LIMITS

    @property
    def needs_passphrase(self) -> bool:
        return False

    @property
    def catalogue(self) -> None:
        return None  # orders state all that is needed to read them

    @property
    def positions(self) -> None:
        return None

    @property
    def order_entry(self) -> GateioSpotOrderEntry:
        return _ORDER_ENTRY

    def rest_url(self, mode: str) -> str:
        return REST_URLS[mode]

    def websocket_url(self, mode: str) -> str:
        return WEBSOCKET_URLS[mode]

    def sign(self, request: PreparedRequest, credential: Credential, *, timestamp_milliseconds: int) -> HttpRequest:
        timestamp_seconds = timestamp_milliseconds // 1000
        signature = rest_signature(
            credential.secret,
            method=request.method,
            path=request.path,
            query=request.query,
            body=request.body,
            timestamp_seconds=timestamp_seconds,
        )
        headers = (
            ("Content-Type", "application/json"),
            ("KEY", credential.key),
            ("Timestamp", str(timestamp_seconds)),
            ("SIGN", signature),
            *request.headers,
        )
        return HttpRequest(method=request.method, path=request.path, query=request.query, headers=headers, body=request.body)

    def error(self, response: HttpResponse) -> ExchangeError | None:
        return refusal_in(response.status, response.body)

    def penalty_seconds(self, response: HttpResponse, *, now_milliseconds: int) -> float | None:
        """Until the window of the limit that was exceeded begins anew; within `PENALTY_SECONDS_MIN` and `_MAX`."""
        refusal = self.error(response)
        if refusal is None or refusal.kind is not ErrorKind.RATE_LIMITED:
            return None
        text = response.headers.get(RESET_HEADER, "").strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            return None
        seconds = int(text) - now_milliseconds / 1000
        return min(max(seconds, PENALTY_SECONDS_MIN), PENALTY_SECONDS_MAX)

    # Clock

    def server_time(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v4/spot/time", group="public")

    def decode_server_time(self, body: bytes) -> int:
        with wire.reading("a time", body):
            return wire.SERVER_TIME.decode(body).server_time

    @property
    def clock_window(self) -> ClockWindow:
        return _CLOCK_WINDOW

    # Orders

    def wire_client_order_id(self, client_order_id: str) -> str:
        return wire.wire_text(client_order_id)

    def place(self, request: OrderRequest, *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: a market buy in base units, which Gate.io does not have.
        """
        return self._placement("/api/v4/spot/orders", order_fields(request), expires_at_milliseconds)

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `PLACE_BATCH_MAX` orders or `PLACE_BATCH_SYMBOLS_MAX` symbols, none, or a market buy in base units.
        """
        _ensure_batch(len(requests), PLACE_BATCH_MAX)
        if len({request.symbol for request in requests}) > PLACE_BATCH_SYMBOLS_MAX:
            raise ValueError(f"a batch of placements has at most {PLACE_BATCH_SYMBOLS_MAX} symbols")
        return self._placement("/api/v4/spot/batch_orders", [order_fields(request) for request in requests], expires_at_milliseconds)

    def _placement(self, path: str, fields: object, expires_at_milliseconds: int | None) -> PreparedRequest:
        headers = () if expires_at_milliseconds is None else ((EXPIRY_HEADER, str(expires_at_milliseconds)),)
        return PreparedRequest(method="POST", path=path, body=msgspec.json.encode(fields), headers=headers, group="orders")

    def cancel(self, order: Order) -> PreparedRequest:
        return self._about_order("DELETE", wire_id(order), order.request.symbol, group="cancels")

    def cancel_reported(self, report: OrderReport) -> PreparedRequest:
        return self._about_order("DELETE", report.exchange_order_id, report.symbol, group="cancels")

    def cancel_all(self, symbol: Symbol) -> PreparedRequest:
        """Cancels whatever is open in `symbol`, whoever placed it."""
        return PreparedRequest(method="DELETE", path="/api/v4/spot/orders", query=_query(symbol, account=ACCOUNT), group="cancels")

    def cancel_batch(self, orders: Sequence[Order | OrderReport]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `CANCEL_BATCH_MAX` orders, or none.
        """
        _ensure_batch(len(orders), CANCEL_BATCH_MAX)
        body = msgspec.json.encode([about(order, "id") for order in orders])
        return PreparedRequest(method="POST", path="/api/v4/spot/cancel_batch_orders", body=body, group="cancels")

    def dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> list[PreparedRequest]:
        """One countdown per pair (REST, "Countdown cancel orders"): without a pair it would cancel those we do not trade, too."""
        bodies = [msgspec.json.encode({"timeout": timeout_seconds, "currency_pair": GATEIO_SPOT.to_wire(symbol)}) for symbol in symbols]
        return [PreparedRequest(method="POST", path="/api/v4/spot/countdown_cancel_all", body=body, group="cancels") for body in bodies]

    def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None) -> PreparedRequest:
        """`quantity` is the new total, of which what has filled is a part.

        Raises:
            ValueError: neither is given.
        """
        prepared = self._about_order("PATCH", wire_id(order), order.request.symbol, group="orders")
        return replace(prepared, body=msgspec.json.encode(changes(price, quantity)))

    def amend_batch(self, amendments: Sequence[Amendment]) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `AMEND_BATCH_MAX` orders, none, or one that does not change either its price or its quantity.
        """
        _ensure_batch(len(amendments), AMEND_BATCH_MAX)
        if any(one.price is not None and one.quantity is not None for one in amendments):
            raise ValueError("in a batch an amendment changes the price or the quantity, not both")
        items = [about(one.order, "order_id") | changes(one.price, one.quantity) for one in amendments]
        return PreparedRequest(method="POST", path="/api/v4/spot/amend_batch_orders", body=msgspec.json.encode(items), group="orders")

    def query_order(self, order: Order) -> PreparedRequest:
        return self._about_order("GET", wire_id(order), order.request.symbol, group="private")

    def _about_order(self, method: str, wire_id: str, symbol: Symbol, *, group: str) -> PreparedRequest:
        query = _query(symbol, account=ACCOUNT)
        return PreparedRequest(method=method, path=f"/api/v4/spot/orders/{wire_id}", query=query, group=group)

    def query_open_orders(self, symbol: Symbol | None = None) -> PreparedRequest:
        """The first page: `ORDERS_PER_PAGE` orders of `symbol`, or so many of each pair. `next_page` asks for more."""
        if symbol is None:
            query = urlencode({"page": 1, "limit": ORDERS_PER_PAGE, "account": ACCOUNT})
            return PreparedRequest(method="GET", path="/api/v4/spot/open_orders", query=query, group="private")
        query = _query(symbol, status="open", page=1, limit=ORDERS_PER_PAGE, account=ACCOUNT)
        return PreparedRequest(method="GET", path="/api/v4/spot/orders", query=query, group="private")

    def query_finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> PreparedRequest:
        """The first page of `ORDERS_PER_PAGE`, newest first."""
        since_seconds = since_milliseconds // 1000
        query = _query(symbol, status="finished", page=1, limit=ORDERS_PER_PAGE, account=ACCOUNT, **{"from": since_seconds})
        return PreparedRequest(method="GET", path="/api/v4/spot/orders", query=query, group="private")

    def query_fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> PreparedRequest:
        """The first page of `FILLS_PER_PAGE`. Without a time Gate.io looks back seven days, with one up to thirty."""
        parameters: dict[str, str | int] = {"page": 1, "limit": FILLS_PER_PAGE, "account": ACCOUNT}
        if exchange_order_id is not None:
            parameters["order_id"] = exchange_order_id
        if since_milliseconds is not None:
            parameters["from"] = since_milliseconds // 1000
        return PreparedRequest(method="GET", path="/api/v4/spot/my_trades", query=_query(symbol, **parameters), group="private")

    def next_page(self, request: PreparedRequest, body: bytes) -> PreparedRequest | None:
        parameters = dict(parse_qsl(request.query))
        if "page" not in parameters:
            return None
        if self._fullest(request.path, body) < int(parameters["limit"]):
            return None
        return replace(request, query=urlencode(parameters | {"page": int(parameters["page"]) + 1}))

    def _fullest(self, path: str, body: bytes) -> int:
        """How many entries an answer has, of that pair of which it has most."""
        with wire.reading("a page", body):
            if path.endswith("/open_orders"):
                return max((len(pair.orders or ()) for pair in wire.OPEN_ORDERS.decode(body)), default=0)
            return len(wire.ITEMS.decode(body))

    def decode_placed(self, request: OrderRequest, body: bytes) -> OrderReport:
        return self.decode_order(body)

    def decode_changed(self, body: bytes) -> OrderReport | None:
        return self.decode_order(body)

    def decode_order(self, body: bytes) -> OrderReport:
        with wire.reading("an order", body):
            return wire.order_report(wire.ORDER.decode(body))

    def decode_batch(self, body: bytes) -> list[BatchAnswer]:
        """A cancellation that succeeded is answered with ids alone."""
        outcomes: list[BatchAnswer] = []
        with wire.reading("a batch", body):
            for raw in wire.ITEMS.decode(body):
                item = wire.BATCH_ITEM.decode(raw)
                own_id, their_id = wire.client_order_id(item.text) or "", str(item.id or item.order_id or "")
                if item.succeeded is False:
                    refusal = labelled_refusal(item.label or "", item.message or "", http_status=200)
                    outcomes.append((own_id or their_id, refusal))
                elif item.status:
                    outcomes.append(wire.order_report(wire.ORDER.decode(raw)))
                else:
                    outcomes.append(OrderReceived(exchange_order_id=their_id, client_order_id=own_id))
        return outcomes

    def decode_orders(self, body: bytes) -> list[OrderReport]:
        """Reads open orders, which are grouped by pair when all were asked for, and flat lists."""
        with wire.reading("orders", body):
            try:
                groups = wire.OPEN_ORDERS.decode(body)
            except msgspec.ValidationError:
                # Of those that cancelling all has failed to cancel, the answer says nothing certain.
                return [wire.order_report(order) for order in wire.ORDERS.decode(body) if order.succeeded is not False]
            return [wire.order_report(order) for group in groups for order in group.orders or ()]

    def decode_fills(self, body: bytes) -> list[FillReport]:
        with wire.reading("trades", body):
            return [wire.fill_report(fill) for fill in wire.FILLS.decode(body)]

    # Balances

    def query_balances(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v4/spot/accounts", group="private")

    def decode_balances(self, body: bytes) -> list[BalanceReport]:
        with wire.reading("balances", body):
            return [wire.account_report(account) for account in wire.ACCOUNTS.decode(body)]

    # The key

    @property
    def key_inquiry(self) -> None:
        return None  # nothing that a key may ask tells whether it may trade

    # Private stream

    @property
    def stream_keys(self) -> None:
        return None  # each subscription carries its own signature

    @property
    def stream_seconds_max(self) -> float | None:
        return None  # none is documented

    @property
    def ping_interval_seconds(self) -> float:
        return PING_INTERVAL_SECONDS

    @property
    def private_channels(self) -> frozenset[str]:
        return frozenset((*_PAYLOADS, login_channel(PRODUCT)))

    def subscribe_frames(self, credential: Credential, *, timestamp_milliseconds: int) -> list[str | bytes]:
        time = timestamp_milliseconds // 1000
        frames: list[str | bytes] = []
        for number, (channel, payload) in enumerate(_PAYLOADS.items(), start=1):
            signature = channel_signature(credential.secret, channel=channel, event="subscribe", timestamp_seconds=time)
            frame: dict[str, object] = {"time": time, "id": number, "channel": channel, "event": "subscribe"}
            if payload is not None:
                frame["payload"] = payload
            frame["auth"] = {"method": "api_key", "KEY": credential.key, "SIGN": signature}
            frames.append(msgspec.json.encode(frame).decode())
        return [*frames, login_frame(credential, product=PRODUCT, timestamp_milliseconds=timestamp_milliseconds)]

    def ping_frame(self, *, timestamp_milliseconds: int) -> str | bytes:
        return msgspec.json.encode({"time": timestamp_milliseconds // 1000, "channel": PING_CHANNEL}).decode()

    def decode_frame(self, frame: str | bytes) -> list[PrivateReport]:
        with wire.reading("a frame", frame):
            read = wire.FRAME.decode(frame)
            if read.header is not None:
                return answer_reports(read, product=PRODUCT, classify=labelled_refusal)
            if read.error is not None and str(read.error.code) == STREAM_SERVER_ERROR:
                return [StreamClosing(f"server error: {read.error.message}")]
            if read.error is not None:
                return [StreamRefused(read.channel, str(read.error.code), read.error.message)]
            if read.type == "upgrade":
                return [StreamClosing(read.msg or "upgrade")]
            if read.channel == PONG_CHANNEL:
                return [StreamPong()]
            if read.event == "subscribe":
                result = wire.SUBSCRIBE_RESULT.decode(read.result)
                if result is not None and result.status != "success":
                    return [StreamRefused(read.channel, "", result.status)]
                return [StreamConfirmed(read.channel)]
            if read.event == "update":
                return _updates(read)
        return []


def _updates(frame: wire.Frame) -> list[PrivateReport]:
    if frame.channel == ORDERS_CHANNEL:
        return [wire.order_report(order) for order in wire.ORDERS.decode(frame.result)]
    if frame.channel == FILLS_CHANNEL:
        return [wire.fill_report(fill) for fill in wire.FILLS.decode(frame.result)]
    if frame.channel == BALANCES_CHANNEL:
        return [wire.balance_report(balance) for balance in wire.BALANCES.decode(frame.result)]
    if frame.channel == SYSTEM_CHANNEL:
        notice = wire.SYSTEM_NOTICE.decode(frame.result)
        if notice is not None and notice.type == "upgrade":
            return [StreamClosing(notice.msg or notice.type)]
    return []


def _query(symbol: Symbol, **parameters: str | int) -> str:
    return urlencode({"currency_pair": GATEIO_SPOT.to_wire(symbol), **parameters})


def _ensure_batch(size: int, size_max: int) -> None:
    if not 1 <= size <= size_max:
        raise ValueError(f"a batch has 1 to {size_max} orders, not {size}")
