"""One signed REST connection to an account: the codec's requests carried out, the answers as reports.

The account actor has one, and closing has another of its own, so that what cancels orders never depends on the health
of what placed them. Both share the exchange's rate limits and breaker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal

from actors.accounts.codec import AccountCodec, Amendment, BatchAnswer, PositionMode, Positions, PreparedRequest, ProtocolError, StreamKeys
from actors.accounts.credential import Credential
from actors.accounts.permissions import KeyPermissions
from market.clock import WallClock
from market.symbol import Symbol
from network.errors import NetworkError
from network.http import HttpRequest, HttpResponse
from network.limits import ExchangeLimits
from network.rest import RestClient, RetryPolicy
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reports import BalanceReport, FillReport, FundingReport, OrderReport, PositionReport
from orders.request import OrderRequest

REQUEST_TIMEOUT_SECONDS = 5.0
# A list longer than this is not ours: a bound, so that no answer can keep us asking for ever.
PAGES_MAX = 50
# Payments are asked for until so long after now: an exchange whose clock was ahead has dated them so, and our idea of its time may lag.
DATED_AHEAD_MAX_MILLISECONDS = 86_400_000

# So much of a stream's key, repeated by a refusal, is no accident.
KEY_BEGINNING_LENGTH = 8

LastLook = Callable[[], object]
"""Called in the moment of sending; there is no checkpoint between it and the send. It raises to hold back what is about to leave."""


class ClockOffset:
    """The exchange's clock less ours, in milliseconds; shared by the sessions of one account."""

    def __init__(self) -> None:
        self.milliseconds = 0


class AccountSession:
    """Carries out private requests. Every method raises what it says here and nothing else:

    Raises:
        ExchangeError: the exchange refused.
        RequestNotSent: it certainly did not receive the request (not reached, breaker open, rate limit not granted).
        ResponseLost: it may have received it.
        ProtocolError: the answer cannot be read; the request may have taken effect.

    Everything but placing and amending is safe to repeat and is retried. A cancelled call may have taken effect.
    """

    def __init__(
        self,
        *,
        codec: AccountCodec,
        rest: RestClient,
        credential: Credential,
        wall_clock: WallClock,
        offset: ClockOffset,
        retry: RetryPolicy,
        request_timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> None:
        self._codec = codec
        self._rest = rest
        self._credential = credential
        self._wall_clock = wall_clock
        self._offset = offset
        self._retry = retry
        self._request_timeout_seconds = request_timeout_seconds
        self._keys_borrowed = 0

    @property
    def codec(self) -> AccountCodec:
        return self._codec

    @property
    def limits(self) -> ExchangeLimits:
        """The exchange's limits, for requests that go by another way than this connection."""
        return self._rest.limits

    def exchange_time_milliseconds(self) -> int:
        """Now, by the exchange's clock."""
        return self._wall_clock.milliseconds() + self._offset.milliseconds

    async def measure_clock_offset(self) -> int:
        """Ask the exchange for its time and keep the offset; returns it in milliseconds."""
        prepared = self._codec.server_time()
        request = HttpRequest(method=prepared.method, path=prepared.path, query=prepared.query)
        asked = 0

        def build() -> HttpRequest:
            nonlocal asked
            asked = self._wall_clock.milliseconds()
            return request

        response = await self._send_built(build, prepared, urgent=True, retry=self._retry)
        # The answer was written about half a round trip ago.
        middle = (asked + self._wall_clock.milliseconds()) // 2
        self._offset.milliseconds = self._codec.decode_server_time(response.body) - middle
        return self._offset.milliseconds

    async def place(self, request: OrderRequest, *, leaving: Callable[[], int | None]) -> OrderReport:
        """Send one placement, never twice.

        `leaving` is called in the moment of signing: it may raise to hold the order back, records that the order may be
        at the exchange from now on, and returns the exchange's time after which it must refuse the order (None: never).
        """
        await self.learn_instruments()
        group = self._codec.place(request, expires_at_milliseconds=None).group

        def build() -> HttpRequest:
            return self._sign(self._codec.place(request, expires_at_milliseconds=leaving()))

        response = await self._rest.send(build, group=group, timeout_seconds=self._request_timeout_seconds, retry=None)
        return self._codec.decode_placed(request, await self._placed(response))

    async def place_batch(
        self, requests: Sequence[OrderRequest], *, leaving: Callable[[], tuple[Sequence[OrderRequest], int | None]]
    ) -> Sequence[BatchAnswer]:
        """Send several placements in one request, never twice; answers as `AccountCodec.decode_batch` says.

        `leaving` is as that of `place`, and also says which of `requests` leave: it may hold some of them back.
        """
        await self.learn_instruments()
        prepared = self._codec.place_batch(requests, expires_at_milliseconds=None)

        def build() -> HttpRequest:
            departing, expires_at_milliseconds = leaving()
            return self._sign(self._codec.place_batch(departing, expires_at_milliseconds=expires_at_milliseconds))

        response = await self._rest.send(
            build, group=prepared.group, weight=prepared.weight, timeout_seconds=self._request_timeout_seconds, retry=None
        )
        return self._heeded(self._codec.decode_batch(await self._placed(response)), prepared)

    async def _placed(self, response: HttpResponse) -> bytes:
        """The answer to placements that were accepted."""
        try:
            return self._accepted(response).body
        except ExchangeError as error:
            if error.kind is ErrorKind.CLOCK_SKEW:
                with suppress(NetworkError, ExchangeError, ProtocolError):  # it is this order's refusal that counts
                    await self.measure_clock_offset()
            raise

    async def cancel(self, order: Order, *, leaving: LastLook | None = None) -> OrderReport | None:
        """How the order stands now, or None where the exchange has only taken note. `leaving` is called each time it is signed."""
        return self._codec.decode_changed(await self._send(self._codec.cancel(order), urgent=True, leaving=leaving))

    async def cancel_reported(self, report: OrderReport) -> OrderReport | None:
        return self._codec.decode_changed(await self._send(self._codec.cancel_reported(report), urgent=True))

    async def cancel_batch(self, orders: Sequence[Order | OrderReport], *, leaving: LastLook | None = None) -> Sequence[BatchAnswer]:
        """As `AccountCodec.decode_batch` says; `leaving` as that of `cancel`."""
        prepared = self._codec.cancel_batch(orders)
        return self._heeded(self._codec.decode_batch(await self._send(prepared, urgent=True, leaving=leaving)), prepared)

    async def set_dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> None:
        """(Re-)arm the switch, or disarm it with 0."""
        for prepared in self._codec.dead_mans_switch(symbols, timeout_seconds=timeout_seconds):
            await self._send(prepared, urgent=True)

    async def amend(
        self, order: Order, *, price: Decimal | None, quantity: Decimal | None, leaving: LastLook | None = None
    ) -> OrderReport | None:
        """`leaving` is called in the moment of signing, and may raise to hold the amendment back."""
        prepared = self._codec.amend(order, price=price, quantity=quantity)
        return self._codec.decode_changed(await self._send(prepared, repeat=False, leaving=leaving))

    async def amend_batch(self, amendments: Sequence[Amendment], *, leaving: LastLook | None = None) -> Sequence[BatchAnswer]:
        """As `AccountCodec.decode_batch` says; `leaving` as that of `amend`, for all of them."""
        prepared = self._codec.amend_batch(amendments)
        return self._heeded(self._codec.decode_batch(await self._send(prepared, repeat=False, leaving=leaving)), prepared)

    def _heeded(self, answers: Sequence[BatchAnswer], prepared: PreparedRequest) -> Sequence[BatchAnswer]:
        """A batch that was accepted as a whole may say of single orders that they were one too many."""
        refusals = (answer[1] for answer in answers if isinstance(answer, tuple))
        too_many = next((refusal for refusal in refusals if refusal.kind is ErrorKind.RATE_LIMITED), None)
        if too_many is not None:
            self.limits.slow_down(prepared.group, str(too_many))
        return answers

    async def query_order(self, order: Order) -> OrderReport:
        return self._codec.decode_order(await self._send(self._codec.query_order(order), urgent=True))

    async def open_orders(self, symbol: Symbol | None = None) -> list[OrderReport]:
        bodies = await self._send_pages(self._codec.query_open_orders(symbol))
        return [report for body in bodies for report in self._codec.decode_orders(body)]

    async def finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> list[OrderReport]:
        prepared = self._codec.query_finished_orders(symbol, since_milliseconds=since_milliseconds)
        return [report for body in await self._send_pages(prepared) for report in self._codec.decode_orders(body)]

    async def fills(
        self, symbol: Symbol, *, exchange_order_id: str | None = None, since_milliseconds: int | None = None
    ) -> list[FillReport]:
        prepared = self._codec.query_fills(symbol, exchange_order_id=exchange_order_id, since_milliseconds=since_milliseconds)
        return [fill for body in await self._send_pages(prepared) for fill in self._codec.decode_fills(body)]

    async def balances(self) -> list[BalanceReport]:
        return self._codec.decode_balances(await self._send(self._codec.query_balances()))

    # Contracts

    async def learn_instruments(self) -> None:
        """Have the codec learn what it must know of the exchange's instruments, where it does not know it yet."""
        catalogue = self._codec.catalogue
        while catalogue is not None and not catalogue.is_complete:
            prepared = catalogue.request()
            catalogue.learn(prepared, await self._send_signed(prepared, urgent=True, repeat=True))

    async def position_mode(self) -> PositionMode:
        return self._positions.decode_mode(await self._send(self._positions.query_mode(), urgent=True))

    async def positions(self) -> list[PositionReport]:
        """Every position that is not empty, and perhaps some that are."""
        return self._positions.decode_positions(await self._send(self._positions.query_positions(), urgent=True))

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> None:
        await self._send(self._positions.set_leverage(symbol, leverage), urgent=True)

    async def funding(self, *, since_milliseconds: int) -> list[FundingReport]:
        until_milliseconds = self.exchange_time_milliseconds() + DATED_AHEAD_MAX_MILLISECONDS
        prepared = self._positions.query_funding(since_milliseconds=since_milliseconds, until_milliseconds=until_milliseconds)
        return [report for body in await self._send_pages(prepared) for report in self._positions.decode_funding(body)]

    @property
    def _positions(self) -> Positions:
        if self._codec.positions is None:
            raise ValueError(f"{self._codec.identity.name} trades no contracts")
        return self._codec.positions

    # The key

    async def key_permissions(self) -> KeyPermissions | None:
        """What our key may do; None where the exchange does not tell."""
        inquiry = self._codec.key_inquiry
        return None if inquiry is None else inquiry.decode(await self._send(inquiry.request()))

    # The private stream's key, where the exchange has such a thing

    async def open_stream_key(self, keys: StreamKeys) -> str:
        """A new one, to be ended by whoever asked for it."""
        return keys.decode(await self._send(keys.request()))

    async def borrow_stream_key(self, keys: StreamKeys) -> str | None:
        """One of those that are valid, kept from now on; None if there are none. It may be in use elsewhere: never end it.

        Each call goes one further in the exchange's list, so that one that leads nowhere is not tried for ever.
        """
        valid = keys.decode_valid(await self._send(keys.query_valid()))
        if not valid:
            return None
        key = valid[self._keys_borrowed % len(valid)]
        self._keys_borrowed += 1
        await self.keep_stream_key(keys, key)
        return key

    async def keep_stream_key(self, keys: StreamKeys, key: str) -> None:
        await self._send_key(keys.keep(key), key)

    async def end_stream_key(self, keys: StreamKeys, key: str) -> None:
        await self._send_key(keys.end(key), key)

    async def _send_key(self, prepared: PreparedRequest, key: str) -> None:
        """Of a refusal that repeats the key, perhaps cut, only the code is left."""
        try:
            await self._send(prepared)
        except ExchangeError as error:
            if key[:KEY_BEGINNING_LENGTH] not in error.message:
                raise
            raise ExchangeError(error.kind, code=error.code, message="", http_status=error.http_status) from None

    async def _send(
        self, prepared: PreparedRequest, *, urgent: bool = False, repeat: bool = True, leaving: LastLook | None = None
    ) -> bytes:
        await self.learn_instruments()
        return await self._send_signed(prepared, urgent=urgent, repeat=repeat, leaving=leaving)

    async def _send_signed(self, prepared: PreparedRequest, *, urgent: bool, repeat: bool, leaving: LastLook | None = None) -> bytes:
        def build() -> HttpRequest:
            if leaving is not None:
                leaving()
            return self._sign(prepared)

        retry = self._retry if repeat else None
        try:
            response = await self._send_built(build, prepared, urgent=urgent, retry=retry)
        except ExchangeError as error:
            if error.kind is not ErrorKind.CLOCK_SKEW:
                raise
            # Refused unread, because one of the clocks has jumped: signed by the right time it may go once more.
            await self.measure_clock_offset()
            response = await self._send_built(build, prepared, urgent=urgent, retry=retry)
        return response.body

    async def _send_pages(self, prepared: PreparedRequest) -> list[bytes]:
        """The bodies of a query's answer, all pages of it."""
        bodies: list[bytes] = []
        following: PreparedRequest | None = prepared
        while following is not None and len(bodies) < PAGES_MAX:
            bodies.append(await self._send(following, urgent=True))
            following = self._codec.next_page(following, bodies[-1])
        return bodies

    async def _send_built(
        self, build: Callable[[], HttpRequest], prepared: PreparedRequest, *, urgent: bool, retry: RetryPolicy | None
    ) -> HttpResponse:
        response = await self._rest.send(
            build,
            group=prepared.group,
            weight=prepared.weight,
            urgent=urgent,
            retry=retry,
            timeout_seconds=self._request_timeout_seconds,
        )
        return self._accepted(response)

    def _sign(self, prepared: PreparedRequest) -> HttpRequest:
        if prepared.is_public:
            return HttpRequest(
                method=prepared.method, path=prepared.path, query=prepared.query, headers=prepared.headers, body=prepared.body
            )  # fmt: skip
        return self._codec.sign(prepared, self._credential, timestamp_milliseconds=self.exchange_time_milliseconds())

    def _accepted(self, response: HttpResponse) -> HttpResponse:
        error = self._codec.error(response)
        if error is not None:
            raise error
        return response
