"""Order entry: over the private stream where the exchange offers that and the stream is up, over REST otherwise.

Whichever way an order operation goes, it takes the same place in the exchange's rate limits, and passes the same breaker.
It goes one way only: before anything of it has left, REST can take the stream's place; after that, nobody knows until the
exchange says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial

from actors.accounts.codec import AccountCodec, PreparedRequest, ProtocolError, StreamOrderEntry
from actors.accounts.session import REQUEST_TIMEOUT_SECONDS, AccountSession
from actors.accounts.stream_requests import StreamRequests
from market.symbol import Symbol
from network.errors import NetworkError
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order, Transport
from orders.reports import OrderReport
from orders.request import OrderRequest

Leaving = Callable[[Transport], int | None]
Departing = Callable[[Transport], object]
"""Called in the moment of sending, with the way that it goes."""


class OrderEntry:
    """Places, cancels and amends orders of one account. Every method raises what `AccountSession` does.

    An operation over the stream is sent once, whatever it is; over REST, a cancellation is retried.
    """

    def __init__(self, *, session: AccountSession, requests: StreamRequests) -> None:
        self._session = session
        self._requests = requests

    @property
    def codec(self) -> AccountCodec:
        return self._session.codec

    def exchange_time_milliseconds(self) -> int:
        """Now, by the exchange's clock."""
        return self._session.exchange_time_milliseconds()

    async def place(self, request: OrderRequest, *, leaving: Leaving) -> OrderReport:
        """Send one placement, never twice.

        `leaving` is called in the moment of sending, with the way that the order goes: it may raise to hold the order back,
        records that the order may be at the exchange from now on, and returns the exchange's time after which it must refuse
        the order (None: never).
        """

        def write(entry: StreamOrderEntry, request_id: str) -> str | bytes:
            expires_at_milliseconds = leaving(Transport.WEBSOCKET)
            return entry.place(
                request,
                request_id=request_id,
                timestamp_milliseconds=self.exchange_time_milliseconds(),
                expires_at_milliseconds=expires_at_milliseconds,
            )

        body = await self._over_stream(request.symbol, lambda: self.codec.place(request, expires_at_milliseconds=None), write)
        if body is not None:
            return self.codec.decode_placed(request, body)
        return await self._session.place(request, leaving=partial(leaving, Transport.REST))

    async def cancel(self, order: Order, *, leaving: Departing) -> OrderReport | None:
        """How the order stands now, or None where the exchange has only taken note. `leaving` is called at each repetition, too."""

        def write(entry: StreamOrderEntry, request_id: str) -> str | bytes:
            leaving(Transport.WEBSOCKET)
            return entry.cancel(order, request_id=request_id, timestamp_milliseconds=self.exchange_time_milliseconds())

        body = await self._over_stream(order.request.symbol, lambda: self.codec.cancel(order), write, urgent=True)
        if body is not None:
            return self.codec.decode_changed(body)
        return await self._session.cancel(order, leaving=partial(leaving, Transport.REST))

    async def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None, leaving: Departing) -> OrderReport | None:
        """As `cancel`. `leaving` may raise to hold the amendment back."""

        def write(entry: StreamOrderEntry, request_id: str) -> str | bytes:
            leaving(Transport.WEBSOCKET)
            now = self.exchange_time_milliseconds()
            return entry.amend(order, price=price, quantity=quantity, request_id=request_id, timestamp_milliseconds=now)

        by_rest = partial(self.codec.amend, order, price=price, quantity=quantity)
        body = await self._over_stream(order.request.symbol, by_rest, write)
        if body is not None:
            return self.codec.decode_changed(body)
        return await self._session.amend(order, price=price, quantity=quantity, leaving=partial(leaving, Transport.REST))

    async def _over_stream(
        self,
        symbol: Symbol,
        by_rest: Callable[[], PreparedRequest],
        write: Callable[[StreamOrderEntry, str], str | bytes],
        *,
        urgent: bool = False,
    ) -> bytes | None:
        """The exchange's answer, or None if the operation cannot go over the stream: nothing of it has left then.

        `by_rest` says which rate limit it counts against.
        """
        if self._stream_for(symbol) is None:
            return None
        prepared, limits = by_rest(), self._session.limits
        await limits.acquire(prepared.group, prepared.weight, urgent=urgent)
        entry = self._stream_for(symbol)
        if entry is None:
            return None  # it went while we waited; over REST the operation takes a place of its own
        try:
            with limits.breaker.admit(urgent=urgent) as permit:
                try:
                    body = await self._requests.ask(partial(write, entry), timeout_seconds=REQUEST_TIMEOUT_SECONDS)
                except ExchangeError as error:
                    if error.http_status >= 500:
                        permit.failed(str(error))
                    raise
                # No other verdict: a stream that works or dies says nothing of REST, without which no fate can be asked for.
                limits.accepted(prepared.group)
                return body
        except ExchangeError as error:
            await self._heed(error, prepared.group)
            raise

    def way(self, symbol: Symbol) -> Transport:
        """The way that an operation on this symbol would go now."""
        return Transport.REST if self._stream_for(symbol) is None else Transport.WEBSOCKET

    def _stream_for(self, symbol: Symbol) -> StreamOrderEntry | None:
        entry = self.codec.order_entry
        if entry is None or not self.codec.capabilities.websocket_order_entry:
            return None
        return entry if self._requests.is_usable and entry.carries(symbol) else None

    async def _heed(self, error: ExchangeError, group: str) -> None:
        if error.kind is ErrorKind.RATE_LIMITED:
            self._session.limits.slow_down(group, str(error))
        elif error.kind is ErrorKind.CLOCK_SKEW:
            with suppress(NetworkError, ExchangeError, ProtocolError):  # it is this operation's refusal that counts
                await self._session.measure_clock_offset()
