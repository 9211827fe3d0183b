"""A session with an exchange that really matches, and across which everything goes wrong that goes wrong between machines.

`DisorderedSession` stands where an `AccountSession` does. A request may never leave, be lost, arrive late, or after whoever sent
it has stopped waiting; so may its answer. What is asked for is shown as it was a moment ago, so that an order may not be found
just after it was accepted, and one that was cancelled without a fill is forgotten after a while. What the exchange says by
itself comes late, twice, not at all and in any order. The exchange keeps its word about two things: it refuses a placement that
arrives after its expiry, and it shows nothing older than `STALENESS_SECONDS_MAX`. All of it ends with `calm_down`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import TypeVar, cast

import trio
from msgspec.structs import replace

from actors.accounts.gateio.spot import GateioSpotAccountCodec
from actors.accounts.session import REQUEST_TIMEOUT_SECONDS, AccountSession, LastLook
from market.symbol import Symbol
from network.errors import RequestNotSent, ResponseLost
from orders.errors import ErrorKind, ExchangeError
from orders.order import Order
from orders.reports import FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest
from tests.orders.disordered_exchange import Dice, DisorderedExchange, ExchangeOrder

STALENESS_SECONDS_MAX = 0.9
FORGOTTEN_AFTER_SECONDS = 3.0
STREAM_DELAY_SECONDS_MAX = 3.0

T = TypeVar("T")


class DisorderedSession:
    """`hear` is given what the exchange says by itself; `on_change` is called after everything that happens there or here."""

    def __init__(
        self,
        *,
        rng: random.Random,
        nursery: trio.Nursery,
        stream_loses_words: bool,
        hear: Callable[[OrderReport | FillReport], None],
        on_change: Callable[[], None],
    ) -> None:
        codec = GateioSpotAccountCodec()
        capabilities = replace(codec.capabilities, amend=True, order_expiry=True, cancel_batch_max=1)
        self.codec = SimpleNamespace(capabilities=capabilities, order_entry=None, identity=codec.identity, amend=codec.amend)
        self.exchange = DisorderedExchange(fills_name_their_owner=rng.random() < 0.7, hear=lambda report: None)
        self.on_the_wire: dict[str, OrderRequest] = {}
        """Placements that the exchange may still accept."""
        self._is_calm = False
        self._stream_loses_words = stream_loses_words
        self._rng = rng
        self._nursery = nursery
        self._hear = hear
        self._on_change = on_change
        self._past: dict[str, list[tuple[float, OrderReport]]] = {}  # how each order stood, and since when
        self._slots: dict[str | None, str] = {}
        self._traded_at: dict[tuple[str, str], float] = {}
        self._clock_ahead_milliseconds = rng.randrange(-5_000, 5_000)

    @property
    def session(self) -> AccountSession:
        return cast("AccountSession", self)

    def calm_down(self) -> None:
        """From now on everything arrives, quickly and once; what is under way still comes when it comes."""
        self._is_calm = True

    # The market

    async def trade_with_everybody(self) -> None:
        """Until it calms down."""
        while not self._is_calm:
            await trio.sleep(self._rng.uniform(0.1, 0.6))
            if self.exchange.open_orders():
                order = self._rng.choice(self.exchange.open_orders())
                if self._rng.random() < 0.8:
                    self.exchange.trade(order, self._dice())
                    self._say(order.fills[-1])
                else:
                    self.exchange.end(order, self._rng.choice([ReportedStatus.CANCELLED, ReportedStatus.EXPIRED]))
                self._changed(order)

    # What an account asks of it

    def exchange_time_milliseconds(self) -> int:
        return round(trio.current_time() * 1000) + self._clock_ahead_milliseconds

    async def measure_clock_offset(self) -> int:
        await self._ask(lambda: None)
        return self._clock_ahead_milliseconds

    async def place(self, request: OrderRequest, *, leaving: Callable[[], int | None]) -> OrderReport:
        await trio.sleep(self._rng.choice([0, 0, 0.1, 1]))  # for its place in the rate limit
        expires_at_milliseconds = leaving()
        if self._happens(0.04):
            raise RequestNotSent("there was no connection")
        self.on_the_wire[request.client_order_id] = request

        def arrives() -> OrderReport:
            del self.on_the_wire[request.client_order_id]
            if expires_at_milliseconds is not None and self.exchange_time_milliseconds() > expires_at_milliseconds:
                raise refused(ErrorKind.INVALID_PARAMETERS, "it has expired")
            if self._happens(0.1):
                raise refused(ErrorKind.INSUFFICIENT_BALANCE, "not enough")
            others = [order.client_order_id for order in self.exchange.open_orders() if self._slots[order.client_order_id] == request.tag]
            assert not others, f"intent {request.tag} has two live orders: {others} and {request.client_order_id}"
            self._slots[request.client_order_id] = request.tag
            assert request.price is not None
            assert request.quantity is not None
            order = self.exchange.accept(request.client_order_id, request.symbol, request.side, request.price, request.quantity)
            self._changed(order)
            return order.report()

        # The slowest of all requests, up to and beyond the expiry.
        slowly = None if self._is_calm else self._rng.choice([0.01, 0.1, 1.0, 2.9, 4.0])
        return await self._do(arrives, slowly, never_arrives=lambda: self.on_the_wire.pop(request.client_order_id))

    async def cancel(self, order: Order, *, leaving: LastLook) -> OrderReport | None:
        leaving()
        return await self._do(lambda: self._cancel(self._shown_by_our_id(order)))

    async def cancel_reported(self, report: OrderReport) -> OrderReport | None:
        return await self._do(lambda: self._cancel(self.exchange.order(report.client_order_id or "")))

    async def amend(self, order: Order, *, price: Decimal | None, quantity: Decimal | None, leaving: LastLook) -> OrderReport | None:
        await trio.sleep(self._rng.choice([0, 0, 0.1, 1]))  # as a placement
        leaving()

        def arrives() -> OrderReport | None:
            real = self._shown_by_our_id(order)
            if not real.is_open:
                raise refused(ErrorKind.ALREADY_CLOSED, "it has ended")
            if self._happens(0.2):
                raise refused(ErrorKind.INVALID_PARAMETERS, "not so")
            self.exchange.amend(real, price=price or real.price, quantity=quantity or real.quantity)
            self._changed(real)
            return real.report() if self._rng.random() < 0.5 else None

        return await self._do(arrives)

    async def query_order(self, order: Order) -> OrderReport:
        return await self._ask(lambda: self._shown(self._shown_by_our_id(order)))

    async def open_orders(self, symbol: Symbol | None = None) -> list[OrderReport]:
        return await self._ask(lambda: [report for report in self._all_shown() if report.status is ReportedStatus.OPEN])

    async def finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> list[OrderReport]:
        return await self._ask(lambda: [report for report in self._all_shown() if report.status is not ReportedStatus.OPEN])

    async def fills(self, symbol: Symbol, *, exchange_order_id: str | None = None) -> list[FillReport]:
        def arrives() -> list[FillReport]:
            until = self._shown_until()
            return [
                fill
                for fill in self.exchange.fills()
                if (fill.symbol, fill.exchange_order_id) == (symbol, exchange_order_id) and self._traded_at[_key(fill)] <= until
            ]

        return await self._ask(arrives)

    # How it goes wrong

    async def _do(
        self, act: Callable[[], T], delay_seconds: float | None = None, *, never_arrives: Callable[[], object] = lambda: None
    ) -> T:
        """As `_ask`, of what changes something there; it goes wrong more often, so that there is something to ask about."""
        return await self._ask(act, delay_seconds, never_arrives=never_arrives, risk=1.0)

    async def _ask(
        self,
        act: Callable[[], T],
        delay_seconds: float | None = None,
        *,
        never_arrives: Callable[[], object] = lambda: None,
        risk: float = 0.25,
    ) -> T:
        """`act` when the request arrives, if it does; its answer when that comes back, if it does and we still wait."""
        outcomes: list[T | ExchangeError] = []
        answered = trio.Event()
        is_lost, is_answered = self._happens(0.1 * risk), not self._happens(0.15 * risk)

        async def travel() -> None:
            await trio.sleep(self._delay_seconds() if delay_seconds is None else delay_seconds)
            if is_lost:
                never_arrives()
                return
            try:
                outcomes.append(act())
            except ExchangeError as error:
                outcomes.append(error)
            self._on_change()
            await trio.sleep(self._delay_seconds())
            if is_answered:
                answered.set()

        self._nursery.start_soon(travel)
        # A connection that breaks is noticed at any time, also before the request has arrived.
        patience_seconds = REQUEST_TIMEOUT_SECONDS if not self._happens(0.3 * risk) else self._rng.choice([0.1, 0.5, 2.0])
        with trio.move_on_after(patience_seconds):
            await answered.wait()
        if not answered.is_set():
            raise ResponseLost("no answer")
        if self._happens(0.1 * risk):
            raise refused(ErrorKind.UNKNOWN, "bad gateway", http_status=502)
        outcome = outcomes[0]
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    def _happens(self, probability: float) -> bool:
        return self._rng.random() < probability and not self._is_calm

    def _delay_seconds(self) -> float:
        return self._rng.choice([0.01, 0.01, 0.02, 0.02, 0.05, 0.1, 0.4, 1.5]) if not self._is_calm else 0.01

    def _dice(self) -> Dice:
        return Dice([self._rng.randrange(2**16) for _ in range(8)])

    # What it shows

    def _changed(self, order: ExchangeOrder) -> None:
        for fill in order.fills:
            self._traded_at.setdefault(_key(fill), trio.current_time())
        self._past.setdefault(order.client_order_id or "", []).append((trio.current_time(), order.report()))
        self._say(order.report())
        self._on_change()

    def _say(self, report: OrderReport | FillReport) -> None:
        async def travel() -> None:
            await trio.sleep(self._rng.uniform(0, STREAM_DELAY_SECONDS_MAX) if not self._is_calm else 0.01)
            self._hear(report)
            self._on_change()

        if not (self._stream_loses_words and self._happens(0.15)):
            for _ in range(2 if self._happens(0.15) else 1):
                self._nursery.start_soon(travel)

    def _shown_until(self) -> float:
        return trio.current_time() - (self._rng.uniform(0, STALENESS_SECONDS_MAX) if not self._is_calm else 0)

    def _shown(self, order: ExchangeOrder) -> OrderReport:
        """As it was a moment ago."""
        until = self._shown_until()
        past = [report for since, report in self._past[order.client_order_id or ""] if since <= until]
        since = self._past[order.client_order_id or ""][-1][0]
        is_forgotten = order.status is ReportedStatus.CANCELLED and not order.fills and since + FORGOTTEN_AFTER_SECONDS < until
        if not past or is_forgotten:
            raise refused(ErrorKind.ORDER_NOT_FOUND, "no such order", http_status=404)
        return past[-1]

    def _all_shown(self) -> list[OrderReport]:
        shown: list[OrderReport] = []
        for order in self.exchange.orders:
            try:
                shown.append(self._shown(order))
            except ExchangeError:
                continue
        return shown

    def _shown_by_our_id(self, order: Order) -> ExchangeOrder:
        real = self.exchange.order(order.client_order_id)
        if real is None:
            raise refused(ErrorKind.ORDER_NOT_FOUND, "no such order", http_status=404)
        self._shown(real)
        return real

    def _cancel(self, order: ExchangeOrder | None) -> OrderReport | None:
        if order is None:
            raise refused(ErrorKind.ORDER_NOT_FOUND, "no such order", http_status=404)
        if not order.is_open:
            raise refused(ErrorKind.ALREADY_CLOSED, "it has ended")
        self.exchange.end(order, ReportedStatus.CANCELLED)
        self._changed(order)
        return order.report() if self._rng.random() < 0.7 else None


def refused(kind: ErrorKind, message: str, *, http_status: int = 400) -> ExchangeError:
    return ExchangeError(kind, code=kind.name, message=message, http_status=http_status)


def _key(fill: FillReport) -> tuple[str, str]:
    return fill.exchange_order_id, fill.trade_id
