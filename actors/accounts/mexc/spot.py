"""MEXC spot, private side: REST v3 and the protobuf websocket.

References are to pages of https://www.mexc.com/api-docs/spot-v3/ ("Introduction", "Spot Account/Trade", "Websocket User Data
Streams"). Shapes of messages: `mexc_spot_wire`; refusals: `mexc_spot_errors`; signatures: `mexc_signature`.

Placing is answered with an id alone, and cancelling with the order as it stood when the cancellation was taken in (its status
may still be NEW): of both, the private stream or a query tells what became. There is no amendment, no batch of cancellations
and no dead-man's switch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from google.protobuf.message import DecodeError
from msgspec.structs import replace

from actors.accounts.clock_window import ClockWindow
from actors.accounts.codec import Amendment, BatchAnswer, KeyInquiry, OrderReceived, PreparedRequest, StreamKeys
from actors.accounts.credential import Credential
from actors.accounts.mexc import wire
from actors.accounts.mexc.errors import coded_refusal, refusal_in
from actors.accounts.mexc.signature import signed_query
from actors.accounts.permissions import KeyPermissions
from actors.accounts.reading import accepted
from exchanges.identity import ExchangeIdentity
from exchanges.mexc_spot import MEXC_SPOT
from exchanges.mexc_spot_push_pb2 import Push
from market.events import Side
from market.instrument import format_decimal
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
from orders.request import OrderRequest, OrderType, TimeInForce

REST_URL = "https://api.mexc.com"  # "Base endpoint"
WEBSOCKET_URL = "wss://wbs-api.mexc.com/ws"  # "Websocket User Data Streams"; the listen key goes into the query

# "LIMITS": 500 weight in 10 s for each endpoint of its own; a tenth is left as a margin because requests bunch up on their way. One
# group for all queries is stricter, and simple; of it a part is kept for finding out what became of orders. Placing and
# cancelling share 12 requests/s by the pages of these endpoints, but other figures are told: 8, of which 3 are for cancels only.
RATE_LIMITS = MappingProxyType(
    {
        "orders": RateLimit(capacity=8, period_seconds=1.0, reserve=3),
        "batches": RateLimit(capacity=2, period_seconds=1.1),  # "Batch Orders": 2 calls/s
        "account": RateLimit(capacity=2, period_seconds=1.1),  # "Account Information": 2 calls/s
        "private": RateLimit(capacity=450, period_seconds=10.0, reserve=150),
        "public": RateLimit(capacity=450, period_seconds=10.0),
    }
)
QUERY_ORDER_WEIGHT = 2
OPEN_ORDERS_WEIGHT = 3
LIST_WEIGHT = 10  # "All Orders", "Account Trade List"

RECEIVE_WINDOW_MILLISECONDS = 5_000  # "SIGNED": the default, and at most a minute
RECEIVE_WINDOW_MILLISECONDS_MAX = 60_000
PENALTY_SECONDS_MAX = 3 * 86_400.0  # "LIMITS": bans scale from 2 minutes to 3 days
PENALTY_SECONDS_MIN = 0.1
PLACE_BATCH_MAX = 20  # "Batch Orders"
ORDERS_PER_PAGE = 1000  # "All Orders"
FILLS_PER_PAGE = 100  # "Account Trade List"
LISTEN_KEY_RENEWAL_SECONDS = 1800.0  # "Keep-alive a ListenKey": valid for an hour, every half hour is recommended

ORDERS_CHANNEL = "spot@private.orders.v3.api.pb"  # "Spot Account Orders"
FILLS_CHANNEL = "spot@private.deals.v3.api.pb"  # "Spot Account Deals"
BALANCES_CHANNEL = "spot@private.account.v3.api.pb"  # "Spot Account Update"
CHANNELS = (ORDERS_CHANNEL, FILLS_CHANNEL, BALANCES_CHANNEL)
REFUSED = "Not Subscribed successfully!"
BAD_LISTEN_KEY = "Invalid listen key"  # a bare text frame

# "New Order", `type`: there is no time in force of its own.
_TYPES = {
    TimeInForce.GOOD_TILL_CANCELLED: "LIMIT",
    TimeInForce.POST_ONLY: "LIMIT_MAKER",
    TimeInForce.IMMEDIATE_OR_CANCEL: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FILL_OR_KILL: "FILL_OR_KILL",
}

# "SIGNED": a timestamp must be less than a second ahead of the server's time, and at most the window behind it.
_CLOCK_WINDOW = ClockWindow(behind_milliseconds=RECEIVE_WINDOW_MILLISECONDS, ahead_milliseconds=999)

_CAPABILITIES = Capabilities(
    time_in_force=frozenset(_TYPES),
    market_buy_by_quote=True,
    market_buy_by_base=False,  # said to be accepted, for which symbols nobody says
    amend=False,
    place_batch_max=PLACE_BATCH_MAX,
    cancel_all=True,
    order_expiry=True,  # "SIGNED", recvWindow: refused when it comes later than so long after its timestamp
    client_order_id_length_max=32,  # not documented; clients use so many
)


class MexcStreamKeys(StreamKeys):
    """The listen key of the private stream ("Listen Key"). One that is not given back ends an hour after it was last kept.

    A user has 60 at most, each good for 5 connections. What is said to the 61st is not documented; 730708, "listen key information
    error", is also the answer to a key that is not valid.
    """

    @property
    def renewal_seconds(self) -> float:
        return LISTEN_KEY_RENEWAL_SECONDS

    def request(self) -> PreparedRequest:
        return PreparedRequest(method="POST", path="/api/v3/userDataStream", group="private")

    def decode(self, body: bytes) -> str:
        return wire.read_listen_key(body)

    def query_valid(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v3/userDataStream", group="private")

    def decode_valid(self, body: bytes) -> list[str]:
        return wire.read_listen_keys(body)

    def keep(self, key: str) -> PreparedRequest:
        return PreparedRequest(method="PUT", path="/api/v3/userDataStream", query=urlencode({"listenKey": key}), group="private")

    def end(self, key: str) -> PreparedRequest:
        return PreparedRequest(method="DELETE", path="/api/v3/userDataStream", query=urlencode({"listenKey": key}), group="private")

    def url(self, base_url: str, key: str) -> str:
        return f"{base_url}?listenKey={quote(key, safe='')}"


class MexcKeyInquiry(KeyInquiry):
    """ "Account Information" is about the account: where that may not trade, no key of it may. Of the key itself nothing is said."""

    def request(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v3/account", group="account")

    def decode(self, body: bytes) -> KeyPermissions:
        with wire.reading("an account", body):
            return KeyPermissions(may_trade=None if wire.ACCOUNT.decode(body).can_trade else False)


class MexcSpotAccountCodec:
    """Implements `actors.accounts.codec.AccountCodec`."""

    @property
    def identity(self) -> ExchangeIdentity:
        return MEXC_SPOT

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
    def order_entry(self) -> None:
        return None

    def rest_url(self, mode: str) -> str:
        """
        Raises:
            ValueError: MEXC has no testnet.
        """
        return _live(mode, REST_URL)

    def websocket_url(self, mode: str) -> str:
        """
        Raises:
            ValueError: MEXC has no testnet.
        """
        return _live(mode, WEBSOCKET_URL)

    def sign(self, request: PreparedRequest, credential: Credential, *, timestamp_milliseconds: int) -> HttpRequest:
        """Everything goes into the query, the signature last. An expiry becomes the window in which the request must arrive."""
        window = RECEIVE_WINDOW_MILLISECONDS
        if request.expires_at_milliseconds is not None:
            window = min(max(request.expires_at_milliseconds - timestamp_milliseconds, 1), RECEIVE_WINDOW_MILLISECONDS_MAX)
        query = f"{request.query}&" if request.query else ""
        query = signed_query(credential.secret, f"{query}recvWindow={window}&timestamp={timestamp_milliseconds}")
        # "General information": this content type is demanded of every POST, PUT and DELETE, also without a body.
        headers = (("X-MEXC-APIKEY", credential.key), ("Content-Type", "application/json"), *request.headers)
        return HttpRequest(method=request.method, path=request.path, query=query, headers=headers, body=request.body)

    def error(self, response: HttpResponse) -> ExchangeError | None:
        return refusal_in(response.status, response.body)

    def penalty_seconds(self, response: HttpResponse, *, now_milliseconds: int) -> float | None:
        """`Retry-After`, within `PENALTY_SECONDS_MIN` and `_MAX`."""
        refusal = self.error(response)
        if refusal is None or refusal.kind is not ErrorKind.RATE_LIMITED:
            return None
        text = response.headers.get("retry-after", "").strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            return None
        return min(max(float(text), PENALTY_SECONDS_MIN), PENALTY_SECONDS_MAX)

    # Clock

    def server_time(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v3/time", group="public")

    def decode_server_time(self, body: bytes) -> int:
        with wire.reading("a time", body):
            return wire.SERVER_TIME.decode(body).server_time

    @property
    def clock_window(self) -> ClockWindow:
        return _CLOCK_WINDOW

    # Orders

    def wire_client_order_id(self, client_order_id: str) -> str:
        return client_order_id

    def place(self, request: OrderRequest, *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: a market order that must fill or be killed, or a market buy in base units: MEXC has neither.
        """
        return PreparedRequest(
            method="POST",
            path="/api/v3/order",
            query=urlencode(_order_fields(request)),
            group="orders",
            expires_at_milliseconds=expires_at_milliseconds,
        )

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `PLACE_BATCH_MAX` orders, none, more than one symbol, or as `place`.
        """
        if not 1 <= len(requests) <= PLACE_BATCH_MAX:
            raise ValueError(f"a batch has 1 to {PLACE_BATCH_MAX} orders, not {len(requests)}")
        if len({request.symbol for request in requests}) > 1:
            raise ValueError("a batch is about one symbol")
        orders = msgspec.json.encode([_order_fields(request) for request in requests]).decode()
        return PreparedRequest(
            method="POST",
            path="/api/v3/batchOrders",
            query=urlencode({"batchOrders": orders}),
            group="batches",
            expires_at_milliseconds=expires_at_milliseconds,
        )

    def cancel(self, order: Order) -> PreparedRequest:
        return self._about_order("DELETE", order, group="orders")

    def cancel_reported(self, report: OrderReport) -> PreparedRequest:
        query = _query(report.symbol, orderId=report.exchange_order_id)
        return PreparedRequest(method="DELETE", path="/api/v3/order", query=query, group="orders")

    def cancel_all(self, symbol: Symbol) -> PreparedRequest:
        """Cancels whatever is open in `symbol`, whoever placed it."""
        return PreparedRequest(method="DELETE", path="/api/v3/openOrders", query=_query(symbol), group="orders")

    def cancel_batch(self, orders: Sequence[Order | OrderReport]) -> PreparedRequest:
        """
        Raises:
            ValueError: always, by `Capabilities.cancel_batch_max`.
        """
        raise ValueError("MEXC has no batches of cancellations")

    def dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> list[PreparedRequest]:
        return []  # there is none

    def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None) -> PreparedRequest:
        """
        Raises:
            ValueError: always, by `Capabilities.amend`.
        """
        raise ValueError("MEXC cannot amend orders")

    def amend_batch(self, amendments: Sequence[Amendment]) -> PreparedRequest:
        """
        Raises:
            ValueError: always, by `Capabilities.amend`.
        """
        raise ValueError("MEXC cannot amend orders")

    def query_order(self, order: Order) -> PreparedRequest:
        return self._about_order("GET", order, group="private", weight=QUERY_ORDER_WEIGHT)

    def _about_order(self, method: str, order: Order, *, group: str, weight: int = 1) -> PreparedRequest:
        known = order.exchange_order_id
        symbol = order.request.symbol
        query = _query(symbol, origClientOrderId=order.client_order_id) if known is None else _query(symbol, orderId=known)
        return PreparedRequest(method=method, path="/api/v3/order", query=query, group=group, weight=weight)

    def query_open_orders(self, symbol: Symbol | None = None) -> PreparedRequest:
        """All at once: an account has at most 500. "Current Open Orders": the symbol may be left out."""
        query = "" if symbol is None else _query(symbol)
        return PreparedRequest(method="GET", path="/api/v3/openOrders", query=query, group="private", weight=OPEN_ORDERS_WEIGHT)

    def query_finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> PreparedRequest:
        """The first page of `ORDERS_PER_PAGE`, open ones among them. MEXC looks back a week at most."""
        query = _query(symbol, startTime=since_milliseconds, limit=ORDERS_PER_PAGE)
        return PreparedRequest(method="GET", path="/api/v3/allOrders", query=query, group="private", weight=LIST_WEIGHT)

    def query_fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> PreparedRequest:
        """The first page of `FILLS_PER_PAGE`. MEXC looks back a month at most."""
        parameters: dict[str, str | int] = {}
        if exchange_order_id is not None:
            parameters["orderId"] = exchange_order_id
        if since_milliseconds is not None:
            parameters["startTime"] = since_milliseconds
        query = _query(symbol, **parameters, limit=FILLS_PER_PAGE)
        return PreparedRequest(method="GET", path="/api/v3/myTrades", query=query, group="private", weight=LIST_WEIGHT)

    def next_page(self, request: PreparedRequest, body: bytes) -> PreparedRequest | None:
        """A full page is followed by one that begins, or ends, at the time of its last entry.

        Which way a list runs is not documented, so the page itself tells. What lies within one millisecond beyond a full page
        cannot be asked for.
        """
        parameters = dict(parse_qsl(request.query))
        if "limit" not in parameters:
            return None
        with wire.reading("a page", body):
            times = [entry.time for entry in wire.TIMES.decode(body)]
        if len(times) < int(parameters["limit"]):
            return None
        bound = "startTime" if times[0] < times[-1] else "endTime"
        if times[0] == times[-1] or parameters.get(bound) == str(times[-1]):
            return None
        return replace(request, query=urlencode(parameters | {bound: times[-1]}))

    def decode_placed(self, request: OrderRequest, body: bytes) -> OrderReport:
        """The answer has the order's id; it counts as open until more is told."""
        with wire.reading("the answer to an order", body):
            return accepted(request, str(wire.PLACED.decode(body).order_id))

    def decode_changed(self, body: bytes) -> OrderReport | None:
        """Always None: the answer to a cancellation tells how the order stood when that was taken in, not how it ended."""
        with wire.reading("the answer to a cancellation", body):
            wire.ORDER.decode(body)
        return None

    def decode_order(self, body: bytes) -> OrderReport:
        with wire.reading("an order", body):
            return wire.order_report(wire.ORDER.decode(body))

    def decode_batch(self, body: bytes) -> list[BatchAnswer]:
        """Of an order that was accepted the answer has no more than its ids."""
        with wire.reading("a batch", body):
            return [
                (item.new_client_order_id or str(item.order_id or ""), coded_refusal(item.code, item.msg or "", http_status=200))
                if item.code
                else OrderReceived(exchange_order_id=str(item.order_id or ""), client_order_id=item.new_client_order_id or "")
                for item in wire.BATCH.decode(body)
            ]

    def decode_orders(self, body: bytes) -> list[OrderReport]:
        with wire.reading("orders", body):
            return [wire.order_report(order) for order in wire.ORDERS.decode(body)]

    def decode_fills(self, body: bytes) -> list[FillReport]:
        with wire.reading("trades", body):
            return [wire.fill_report(fill) for fill in wire.FILLS.decode(body)]

    # Balances

    def query_balances(self) -> PreparedRequest:
        return PreparedRequest(method="GET", path="/api/v3/account", group="account")

    def decode_balances(self, body: bytes) -> list[BalanceReport]:
        with wire.reading("balances", body):
            return [wire.balance_report(balance) for balance in wire.ACCOUNT.decode(body).balances]

    # The key

    @property
    def key_inquiry(self) -> KeyInquiry:
        return MexcKeyInquiry()

    # Private stream

    @property
    def stream_keys(self) -> StreamKeys:
        return MexcStreamKeys()

    @property
    def websocket_headers(self) -> tuple[tuple[str, str], ...]:
        return ()

    @property
    def stream_seconds_max(self) -> float | None:
        return 23 * 3600.0  # "a single connection is only valid for 24 hours"

    @property
    def ping_interval_seconds(self) -> float:
        return 10.0  # a connection without data is closed after 60 s

    @property
    def private_channels(self) -> frozenset[str]:
        return frozenset(CHANNELS)

    def subscribe_frames(self, credential: Credential, *, timestamp_milliseconds: int) -> list[str | bytes]:
        # The listen key in the URL is the login. One channel per frame, so that each answer is about one.
        return [
            msgspec.json.encode({"method": "SUBSCRIPTION", "params": [channel], "id": number}).decode()
            for number, channel in enumerate(CHANNELS, start=1)
        ]

    def ping_frame(self, *, timestamp_milliseconds: int) -> str | bytes:
        return '{"method":"PING"}'

    def decode_frame(self, frame: str | bytes) -> list[PrivateReport]:
        with wire.reading("a frame", frame):
            if isinstance(frame, str):  # the kind of the frame tells control from data
                return _control(frame)
            try:
                push = Push.FromString(frame)
            except DecodeError as error:
                raise ValueError(f"no protobuf message: {error}") from error
            match push.WhichOneof("body"):
                case "private_order":
                    return [wire.pushed_order_report(push)]
                case "private_deal":
                    return [wire.pushed_fill_report(push)]
                case "private_balance":
                    return [wire.pushed_balance_report(push)]
                case _ if push.channel:
                    return []
                case _:
                    raise ValueError("a push that names no channel")


def _control(frame: str) -> list[PrivateReport]:
    if frame.startswith(BAD_LISTEN_KEY):
        return [StreamClosing(BAD_LISTEN_KEY)]
    control = wire.CONTROL.decode(frame)
    message = control.msg
    if message == "PONG":
        return [StreamPong()]
    if message.startswith(REFUSED) or control.code:
        return [StreamRefused(message.partition("[")[2].partition("]")[0], str(control.code), message)]
    return [StreamConfirmed(channel) for channel in message.split(",") if channel in CHANNELS]


def _live(mode: str, url: str) -> str:
    if mode != "live":
        raise ValueError("MEXC spot has no testnet")
    return url


def _order_fields(request: OrderRequest) -> dict[str, str]:
    """ "New Order" """
    is_market = request.type is OrderType.MARKET
    if is_market and request.time_in_force is TimeInForce.FILL_OR_KILL:
        raise ValueError("MEXC has no market orders that must fill or be killed")
    if is_market and request.side is Side.BUY and request.quote_quantity is None:
        raise ValueError("MEXC's market buys are stated by quote quantity here")
    fields = {
        "symbol": MEXC_SPOT.to_wire(request.symbol),
        "side": request.side.name,
        "type": "MARKET" if is_market else _TYPES[request.time_in_force],
    }
    if request.quantity is not None:
        fields["quantity"] = format_decimal(request.quantity)
    if request.quote_quantity is not None:
        fields["quoteOrderQty"] = format_decimal(request.quote_quantity)
    if request.price is not None:
        fields["price"] = format_decimal(request.price)
    fields["newClientOrderId"] = request.client_order_id
    return fields


def _query(symbol: Symbol, **parameters: str | int) -> str:
    return urlencode({"symbol": MEXC_SPOT.to_wire(symbol), **parameters})
