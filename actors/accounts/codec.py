"""What the account actor needs of an exchange, sans I/O: commands in, requests out; answers and frames in, reports out.

A codec holds no socket, no clock and no task. Requests are prepared first and signed when they are sent (after the rate
limiter), so that the timestamp in the signature is that of sending, by the exchange's clock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from actors.accounts.clock_window import ClockWindow
from actors.accounts.credential import Credential
from actors.accounts.permissions import KeyPermissions
from exchanges.identity import ExchangeIdentity
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from network.rate_limit import RateLimit
from orders.capabilities import Capabilities
from orders.errors import ExchangeError
from orders.order import Order
from orders.reports import BalanceReport, FillReport, FundingReport, MarginMode, OrderReport, PositionReport, PrivateReport
from orders.request import OrderRequest


class ProtocolError(Exception):
    """The exchange sent something that its codec cannot read. The message holds a short excerpt, never a secret."""


class PreparedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request not yet signed. `group` names the rate limit it counts against.

    `expires_at_milliseconds` is for exchanges that are told an expiry relative to the time of signing. One that `is_public`
    is sent without a signature. Its `repr` shows neither query nor body: they may hold a stream's key.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    group: str
    weight: int = 1
    expires_at_milliseconds: int | None = None
    is_public: bool = False

    def __repr__(self) -> str:
        return f"<PreparedRequest {self.method} {self.path}, {len(self.query)} of query, {len(self.body)} bytes of body, {self.group}>"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("method", self.method), ("path", self.path), ("group", self.group)]


class StreamKeys(Protocol):
    """A key in the private stream's URL: fetched, kept and given back over REST.

    Whoever has one reads the private stream: no `ProtocolError` shows anything of it.
    """

    @property
    def renewal_seconds(self) -> float:
        """How often a key in use is to be kept, well within its validity."""
        ...

    def request(self) -> PreparedRequest: ...

    def decode(self, body: bytes) -> str: ...

    def query_valid(self) -> PreparedRequest:
        """The user's keys that are valid now, whoever made them: where the exchange makes no more, one of these has to do."""
        ...

    def decode_valid(self, body: bytes) -> list[str]: ...

    def keep(self, key: str) -> PreparedRequest: ...

    def end(self, key: str) -> PreparedRequest: ...

    def url(self, base_url: str, key: str) -> str:
        """Where to connect with `key`."""
        ...


class KeyInquiry(Protocol):
    """The question that is answered with what our key may do. Asking changes nothing."""

    def request(self) -> PreparedRequest: ...

    def decode(self, body: bytes) -> KeyPermissions:
        """
        Raises:
            ProtocolError: the answer cannot be read.
        """
        ...


class Catalogue(Protocol):
    """What a codec must have been told of the exchange's instruments, and of the account, before it can write or read anything.

    Until it `is_complete`, its `request` is sent and the answer learned, over and over, before anything else of a session;
    sessions of one account may do so at the same time. A codec that meets an instrument which it does not know raises
    `ProtocolError` and is not `is_complete` until it has learned anew. What it knows is of one account: each has its codec.
    """

    @property
    def is_complete(self) -> bool: ...

    def request(self) -> PreparedRequest:
        """What it lacks; once complete, what may have changed since."""
        ...

    def learn(self, request: PreparedRequest, body: bytes) -> None:
        """Take in the answer to `request`, whole or not at all.

        Raises:
            ProtocolError: the answer cannot be read.
        """
        ...


class PositionMode(enum.Enum):
    """One position per symbol, or a long and a short one beside each other."""

    ONE_WAY = "one-way"
    HEDGE = "hedge"


class Positions(Protocol):
    """Positions, leverage and funding, of an exchange that trades contracts."""

    margin_mode: MarginMode
    """What stands behind the positions of this account; set once by whoever makes the codec, before it is used."""

    def query_mode(self) -> PreparedRequest: ...

    def decode_mode(self, body: bytes) -> PositionMode: ...

    def query_positions(self) -> PreparedRequest:
        """All of them, whoever opened them."""
        ...

    def decode_positions(self, body: bytes) -> list[PositionReport]:
        """Those that are not empty; some exchanges add empty ones."""
        ...

    def leverage_max(self, symbol: Symbol) -> Decimal:
        """The contract's maximum, as the catalogue says.

        Raises:
            KeyError: no such contract.
        """
        ...

    def set_leverage(self, symbol: Symbol, leverage: Decimal) -> PreparedRequest:
        """The most that new orders of `symbol` may use, in `margin_mode`. Safe to repeat; any answer that is no refusal is a yes."""
        ...

    def query_funding(self, *, since_milliseconds: int, until_milliseconds: int) -> PreparedRequest:
        """Payments by the time that the exchange has dated them with: where no end is named, some list none that is later than now."""
        ...

    def decode_funding(self, body: bytes) -> list[FundingReport]: ...


class StreamOrderEntry(Protocol):
    """Order operations over the private stream's own connection; each is answered by a `StreamAnswered` with its `request_id`.

    What logging in takes is among the stream's `subscribe_frames`, and its confirmation among the `private_channels`.
    A `request_id` has up to 32 letters and digits; `timestamp_milliseconds` is the exchange's time of sending. They count
    against the same rate limits as over REST.
    """

    def carries(self, symbol: Symbol) -> bool:
        """Whether orders of `symbol` can go this way now; those that cannot go over REST."""
        ...

    def place(
        self, request: OrderRequest, *, request_id: str, timestamp_milliseconds: int, expires_at_milliseconds: int | None
    ) -> str | bytes: ...

    def cancel(self, order: Order, *, request_id: str, timestamp_milliseconds: int) -> str | bytes: ...

    def amend(
        self, order: Order, *, price: Decimal | None, quantity: Decimal | None, request_id: str, timestamp_milliseconds: int
    ) -> str | bytes: ...


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """An open order and what is to become of it; `quantity` is the new total. What is None stays as it is."""

    order: Order
    price: Decimal | None = None
    quantity: Decimal | None = None


class OrderReceived(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch's answer says of an order that was merely received: its ids, of which one may be empty."""

    exchange_order_id: str = ""
    client_order_id: str = ""
    exchange_time_milliseconds: int = 0


BatchAnswer = OrderReport | OrderReceived | tuple[str, ExchangeError]


class AccountCodec(Protocol):
    """One exchange's private wire protocol. Every `decode_*` raises `ProtocolError` on what it cannot read.

    Quantities are in base units on our side, whatever the wire counts in.
    """

    @property
    def identity(self) -> ExchangeIdentity: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def rate_limits(self) -> Mapping[str, RateLimit]:
        """Limits by group name, with the reserve that only cancels may use. Shared by all actors of the exchange."""
        ...

    @property
    def needs_passphrase(self) -> bool: ...

    @property
    def catalogue(self) -> Catalogue | None:
        """None where orders can be written and read without knowing more than they say."""
        ...

    @property
    def positions(self) -> Positions | None:
        """None where the exchange trades assets and no contracts."""
        ...

    @property
    def order_entry(self) -> StreamOrderEntry | None:
        """None where orders go over REST alone."""
        ...

    def rest_url(self, mode: str) -> str:
        """Base URL (scheme and host) for "live" or "testnet"."""
        ...

    def websocket_url(self, mode: str) -> str: ...

    @property
    def websocket_headers(self) -> tuple[tuple[str, str], ...]:
        """What goes with the request that opens the private stream."""
        ...

    def sign(self, request: PreparedRequest, credential: Credential, *, timestamp_milliseconds: int) -> HttpRequest: ...

    def error(self, response: HttpResponse) -> ExchangeError | None:
        """The refusal in an answer, classified; None if the request was accepted. Never raises."""
        ...

    def penalty_seconds(self, response: HttpResponse, *, now_milliseconds: int) -> float | None:
        """How long a rate-limited answer asks us to wait; None where it does not say."""
        ...

    # Clock

    def server_time(self) -> PreparedRequest:
        """A public request; it is sent unsigned."""
        ...

    def decode_server_time(self, body: bytes) -> int:
        """The exchange's clock in milliseconds."""
        ...

    @property
    def clock_window(self) -> ClockWindow:
        """How far our clock may be off for what it signs, uncorrected, to be accepted."""
        ...

    # Orders. Answers are decoded into reports whose client ids are ours again, without the exchange's prefix.

    def wire_client_order_id(self, client_order_id: str) -> str:
        """Our id as this exchange is told it; one to one, and reports carry ours again."""
        ...

    def place(self, request: OrderRequest, *, expires_at_milliseconds: int | None) -> PreparedRequest: ...

    def place_batch(self, requests: Sequence[OrderRequest], *, expires_at_milliseconds: int | None) -> PreparedRequest: ...

    def cancel(self, order: Order) -> PreparedRequest:
        """Cancel by the exchange's id where known, by the client's otherwise."""
        ...

    def cancel_reported(self, report: OrderReport) -> PreparedRequest:
        """Cancel an order known only from the exchange's own list."""
        ...

    def cancel_all(self, symbol: Symbol) -> PreparedRequest: ...

    def cancel_batch(self, orders: Sequence[Order | OrderReport]) -> PreparedRequest:
        """At most `cancel_batch_max`, ours or known only from the exchange's own list; each by the exchange's id where known."""
        ...

    def dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> list[PreparedRequest]:
        """The requests that (re-)arm the switch for the orders of these symbols; 0 seconds disarms it. None where there is none."""
        ...

    def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None) -> PreparedRequest: ...

    def amend_batch(self, amendments: Sequence[Amendment]) -> PreparedRequest:
        """At most `amend_batch_max`."""
        ...

    def query_order(self, order: Order) -> PreparedRequest:
        """By the exchange's id where known, by the client's otherwise."""
        ...

    def query_open_orders(self, symbol: Symbol | None = None) -> PreparedRequest: ...

    def query_finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> PreparedRequest: ...

    def query_fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> PreparedRequest: ...

    def decode_placed(self, request: OrderRequest, body: bytes) -> OrderReport:
        """The answer to place. Where the exchange answers with an id alone, the report is that of an open order without fills."""
        ...

    def decode_changed(self, body: bytes) -> OrderReport | None:
        """The answer to cancel and amend: how the order stands now; None where the exchange only says that it will see to it."""
        ...

    def decode_order(self, body: bytes) -> OrderReport:
        """The answer to query_order."""
        ...

    def decode_batch(self, body: bytes) -> Sequence[BatchAnswer]:
        """The answer to place_batch, cancel_batch and amend_batch: per order how it stands, that it was received, or (id, refusal).

        The id beside a refusal is the client order id, or the exchange's where the answer has no other. Of an order that is
        left out nothing was said.
        """
        ...

    def decode_orders(self, body: bytes) -> list[OrderReport]:
        """The answer to query_open_orders, query_finished_orders and cancel_all."""
        ...

    def decode_fills(self, body: bytes) -> list[FillReport]: ...

    def next_page(self, request: PreparedRequest, body: bytes) -> PreparedRequest | None:
        """The request for what may follow `body`, the answer to a `query_*` request; None if it was all.

        Until it is None, the lists read so far are not whole. What changed hands between two pages may be told twice
        or not at all: only a listening private stream fills that gap.
        """
        ...

    # Balances

    def query_balances(self) -> PreparedRequest: ...

    def decode_balances(self, body: bytes) -> list[BalanceReport]: ...

    # The key

    @property
    def key_inquiry(self) -> KeyInquiry | None:
        """How to learn what our key may do; None where the exchange does not tell."""
        ...

    # Private stream

    @property
    def stream_keys(self) -> StreamKeys | None:
        """How to come by the key that the stream's URL needs; None where it needs none."""
        ...

    @property
    def stream_seconds_max(self) -> float | None:
        """The exchange ends a connection after this long: it is renewed before. None where there is no such limit."""
        ...

    @property
    def ping_interval_seconds(self) -> float: ...

    @property
    def private_channels(self) -> frozenset[str]:
        """The channels that must all be confirmed before the stream counts as listening."""
        ...

    def subscribe_frames(self, credential: Credential, *, timestamp_milliseconds: int) -> list[str | bytes]: ...

    def ping_frame(self, *, timestamp_milliseconds: int) -> str | bytes: ...

    def decode_frame(self, frame: str | bytes) -> list[PrivateReport]:
        """Everything a frame says; an empty list for what does not concern us.

        A `StreamReply` among it is to be sent back: subscriptions that must wait for the answer to a login, a pong.
        """
        ...
