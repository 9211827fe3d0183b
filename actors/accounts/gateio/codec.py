"""Gate.io, private side, as far as its products are alike: APIv4 REST and the v4 JSON websocket.

References are to headings of https://www.gate.com/docs/developers/apiv4/ (REST), and of
https://www.gate.com/docs/developers/apiv4/ws/en/ and https://www.gate.com/docs/developers/futures/ws/en/ (websocket), which
say the same of all this. Shapes of messages: `gateio_wire`; how orders are written: `gateio_orders`; order entry over the
websocket: `gateio_order_entry`; refusals: `gateio_errors`; signatures: `gateio_signature`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec.structs import replace

from actors.accounts.clock_window import ClockWindow
from actors.accounts.codec import BatchAnswer, OrderReceived, PreparedRequest
from actors.accounts.credential import Credential
from actors.accounts.gateio import wire
from actors.accounts.gateio.errors import labelled_refusal, refusal_in, refusal_of_one
from actors.accounts.gateio.order_entry import EXPIRY_HEADER, answer_reports, login_channel, login_frame
from actors.accounts.gateio.orders import TIME_IN_FORCE, GateioOrderEntry, GateioOrders, ensure_batch, wire_id
from actors.accounts.gateio.signature import channel_signature, rest_signature
from exchanges.identity import ExchangeIdentity
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit
from orders.capabilities import Capabilities
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reports import OrderReport, PrivateReport, StreamClosing, StreamConfirmed, StreamPong, StreamRefused
from orders.request import OrderRequest

REST_URLS = {  # REST, "APIv4 base URL"; paths carry the /api/v4 prefix because it is signed
    "live": "https://api.gateio.ws",
    "testnet": "https://api-testnet.gateapi.io",
}

# REST, "Frequency limit rule": 200/s for cancels, 200 in 10 s for queries; a tenth is left as a margin because requests bunch
# up on their way. Gate.io counts queries per endpoint: one group per account is stricter than that, and simple. Cancels have a
# limit of their own, so nothing is reserved for them elsewhere; of the private queries a part is kept for finding out what
# became of orders. What placing may take is each product's own.
RATE_LIMITS: Mapping[str, RateLimit] = MappingProxyType(
    {
        "cancels": RateLimit(capacity=180, period_seconds=1.0),
        "private": RateLimit(capacity=180, period_seconds=10.0, reserve=60),
        "public": RateLimit(capacity=180, period_seconds=10.0),
    }
)
PENALTY_SECONDS_MAX = 60.0  # windows are 1 s and 10 s; a reset further away is a clock's fault
PENALTY_SECONDS_MIN = 0.1
RESET_HEADER = "x-gate-ratelimit-reset-timestamp"  # REST, "Frequency limit rule"; seconds
PLACE_BATCH_MAX = 10  # REST, "Create a batch of orders", "Place batch futures orders"
CANCEL_BATCH_MAX = 20  # REST, "Cancel a batch of orders with an ID list"
ORDERS_PER_PAGE = 100  # REST, "List all open orders" (per pair), "List orders", "Query futures order list"
SWITCH_SECONDS_MIN = 5  # REST, "Countdown cancel orders", `timeout`
PING_INTERVAL_SECONDS = 10.0
STREAM_SERVER_ERROR = "3"  # websocket, "Schema", `error`; says nothing about what was asked: it is asked again

CAPABILITIES = Capabilities(  # of all products; each adds its own
    time_in_force=frozenset(TIME_IN_FORCE),
    market_buy_by_quote=False,
    market_buy_by_base=False,
    dead_mans_switch_seconds_min=SWITCH_SECONDS_MIN,
    amend=True,
    place_batch_max=PLACE_BATCH_MAX,
    cancel_batch_max=CANCEL_BATCH_MAX,
    websocket_order_entry=True,
    cancel_all=True,
    order_expiry=True,
    client_order_id_length_max=28,  # REST, "Create an order", "Place futures order", `text`: after the prefix
)
_CLOCK_WINDOW = ClockWindow(behind_milliseconds=60_000, ahead_milliseconds=60_000)  # REST, "Generate the signature": 60 s


class GateioAccountCodec(ABC):
    """What the codecs of Gate.io's products share of `actors.accounts.codec.AccountCodec`; a product adds what is its own.

    A product is called `product` in the names of its channels (``spot.orders``), its paths begin with `path`, and it calls a
    symbol `symbol_field`. `headers` go with each of its requests and with what opens its stream; none is signed.
    """

    needs_passphrase = False
    clock_window = _CLOCK_WINDOW
    key_inquiry = None  # nothing that a key may ask tells whether it may trade
    stream_keys = None  # each subscription carries its own signature
    stream_seconds_max = None  # none is documented
    ping_interval_seconds = PING_INTERVAL_SECONDS

    def __init__(
        self,
        identity: ExchangeIdentity,
        *,
        product: str,
        path: str,
        symbol_field: str,
        orders: GateioOrders,
        channels: Sequence[str],
        amend_method: str,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """`channels` are the private ones, without the login."""
        self.identity = identity
        self.private_channels = frozenset((*channels, login_channel(product)))
        self.order_entry = GateioOrderEntry(product, orders)
        self._product = product
        self._path = path
        self._symbol_field = symbol_field
        self._orders = orders
        self._channels = tuple(channels)
        self._amend_method = amend_method
        self._headers = self.websocket_headers = headers

    @abstractmethod
    def _payload(self, channel: str) -> list[str] | None:
        """What subscribing to a private channel names. Raises: ProtocolError: it is not known yet."""

    @abstractmethod
    def _pushed(self, channel: str, result: msgspec.Raw) -> list[PrivateReport]:
        """What a push of a private channel says; empty for any other. Within `wire.reading`: any of its errors."""

    @abstractmethod
    def _order(self, body: bytes | msgspec.Raw) -> OrderReport:
        """One order as REST describes it. Within `wire.reading`: any of its errors."""

    @abstractmethod
    def _longest(self, request: PreparedRequest, body: bytes) -> int:
        """How many entries a page of a list has, of whatever its limit is about. Within `wire.reading`: any of its errors."""

    @abstractmethod
    def _turned(self, parameters: dict[str, str]) -> dict[str, str | int]:
        """The parameters of the page after that of `parameters`."""

    def rest_url(self, mode: str) -> str:
        return REST_URLS[mode]

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
        return PreparedRequest(method="GET", path="/api/v4/spot/time", group="public")  # there is no other

    def decode_server_time(self, body: bytes) -> int:
        with wire.reading("a time", body):
            return wire.SERVER_TIME.decode(body).server_time

    # Orders

    def wire_client_order_id(self, client_order_id: str) -> str:
        return wire.wire_text(client_order_id)

    def place(self, request: OrderRequest, *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: the product has no such order.
        """
        return self._placement("/orders", self._orders.placement(request), expires_at_milliseconds)

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest:
        """
        Raises:
            ValueError: more than `PLACE_BATCH_MAX` orders, none, or one that the product does not have.
        """
        ensure_batch(len(requests), PLACE_BATCH_MAX)
        return self._placement("/batch_orders", [self._orders.placement(request) for request in requests], expires_at_milliseconds)

    def _placement(self, path: str, fields: object, expires_at_milliseconds: int | None) -> PreparedRequest:
        prepared = self._posted(path, fields, "orders")
        if expires_at_milliseconds is None:
            return prepared
        return replace(prepared, headers=(*prepared.headers, (EXPIRY_HEADER, str(expires_at_milliseconds))))

    def cancel(self, order: Order) -> PreparedRequest:
        return self._about("DELETE", wire_id(order), order.request.symbol, "cancels")

    def cancel_reported(self, report: OrderReport) -> PreparedRequest:
        return self._about("DELETE", report.exchange_order_id, report.symbol, "cancels")

    def cancel_all(self, symbol: Symbol) -> PreparedRequest:
        """Cancels whatever is open in `symbol`, whoever placed it."""
        query = urlencode({self._symbol_field: self.identity.to_wire(symbol), **self._orders.place_of(symbol)})
        return self._request("DELETE", "/orders", "cancels", query=query)

    def dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> list[PreparedRequest]:
        """One countdown per symbol (REST, "Countdown cancel orders"): without one it would cancel those we do not trade, too."""
        countdowns = [{"timeout": timeout_seconds, self._symbol_field: self.identity.to_wire(symbol)} for symbol in symbols]
        return [self._posted("/countdown_cancel_all", countdown, "cancels") for countdown in countdowns]

    def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None) -> PreparedRequest:
        """`quantity` is the new total, of which what has filled is a part.

        Raises:
            ValueError: neither is given.
        """
        body = msgspec.json.encode(self._orders.changes(order, price, quantity))
        return replace(self._about(self._amend_method, wire_id(order), order.request.symbol, "orders"), body=body)

    def query_order(self, order: Order) -> PreparedRequest:
        return self._about("GET", wire_id(order), order.request.symbol, "private")

    def next_page(self, request: PreparedRequest, body: bytes) -> PreparedRequest | None:
        parameters = dict(parse_qsl(request.query))
        if "limit" not in parameters:
            return None
        with wire.reading("a page", body):
            is_last = self._longest(request, body) < int(parameters["limit"])
        return None if is_last else replace(request, query=urlencode(parameters | self._turned(parameters)))

    def decode_placed(self, request: OrderRequest, body: bytes) -> OrderReport:
        return self.decode_order(body)

    def decode_changed(self, body: bytes) -> OrderReport | None:
        return self.decode_order(body)

    def decode_order(self, body: bytes) -> OrderReport:
        with wire.reading("an order", body):
            return self._order(body)

    def decode_batch(self, body: bytes) -> list[BatchAnswer]:
        """A cancellation that succeeded is answered with ids alone."""
        answers: list[BatchAnswer] = []
        with wire.reading("a batch", body):
            for raw in wire.ITEMS.decode(body):
                item = wire.BATCH_ITEM.decode(raw)
                own_id, their_id = wire.client_order_id(item.text) or "", str(item.id or item.order_id or "")
                if item.succeeded is False:
                    answers.append((own_id or their_id, refusal_of_one(item.label or "", item.message or item.detail or "")))
                elif item.status:
                    answers.append(self._order(raw))
                else:
                    answers.append(OrderReceived(exchange_order_id=their_id, client_order_id=own_id))
        return answers

    def _about(self, method: str, order_id: str, symbol: Symbol, group: str) -> PreparedRequest:
        return self._request(method, f"/orders/{order_id}", group, query=urlencode(self._orders.place_of(symbol)))

    def _posted(self, path: str, fields: object, group: str) -> PreparedRequest:
        return replace(self._request("POST", path, group), body=msgspec.json.encode(fields))

    def _request(self, method: str, path: str, group: str, *, query: str = "") -> PreparedRequest:
        return PreparedRequest(method=method, path=f"{self._path}{path}", query=query, headers=self._headers, group=group)

    # Private stream

    def subscribe_frames(self, credential: Credential, *, timestamp_milliseconds: int) -> list[str | bytes]:
        time = timestamp_milliseconds // 1000
        frames: list[str | bytes] = []
        for number, channel in enumerate(self._channels, start=1):
            payload = self._payload(channel)
            signature = channel_signature(credential.secret, channel=channel, event="subscribe", timestamp_seconds=time)
            frame: dict[str, object] = {"time": time, "id": number, "channel": channel, "event": "subscribe"}
            if payload is not None:
                frame["payload"] = payload
            frame["auth"] = {"method": "api_key", "KEY": credential.key, "SIGN": signature}
            frames.append(msgspec.json.encode(frame).decode())
        return [*frames, login_frame(credential, product=self._product, timestamp_milliseconds=timestamp_milliseconds)]

    def ping_frame(self, *, timestamp_milliseconds: int) -> str | bytes:
        """Websocket, "Application ping pong"."""
        return msgspec.json.encode({"time": timestamp_milliseconds // 1000, "channel": f"{self._product}.ping"}).decode()

    def decode_frame(self, frame: str | bytes) -> list[PrivateReport]:
        with wire.reading("a frame", frame):
            read = wire.FRAME.decode(frame)
            if read.header is not None:
                return answer_reports(read, product=self._product, classify=labelled_refusal)
            if read.error is not None and str(read.error.code) == STREAM_SERVER_ERROR:
                return [StreamClosing(f"server error: {read.error.message}")]
            if read.error is not None:
                return [StreamRefused(read.channel, str(read.error.code), read.error.message)]
            if read.type == "upgrade":  # older servers send the bare notice
                return [StreamClosing(read.msg or "upgrade")]
            if read.channel == f"{self._product}.pong":
                return [StreamPong()]
            if read.event == "subscribe":
                result = wire.SUBSCRIBE_RESULT.decode(read.result)
                if result is not None and result.status != "success":
                    return [StreamRefused(read.channel, "", result.status)]
                return [StreamConfirmed(read.channel)]
            if read.event == "update" and read.channel == f"{self._product}.system":
                return _notice(read.result)
            return self._pushed(read.channel, read.result) if read.event == "update" else []


def _notice(result: msgspec.Raw) -> list[PrivateReport]:
    """Websocket, "Service upgrade notification"."""
    notice = wire.SYSTEM_NOTICE.decode(result)
    return [StreamClosing(notice.msg or notice.type)] if notice is not None and notice.type == "upgrade" else []
