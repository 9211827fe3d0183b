"""An account at an exchange whose every word is a test's, and the real parts that listen to it: ledger, bookkeeper, session.

`ScriptedSession` stands where an `AccountSession` does, and shows lists that a test fills. `ScriptedHttp` stands where an
`HttpClient` does, under a real `AccountSession` with a real rate limiter and the codec of Gate.io; `ScriptedStream` where a
`PrivateStream` does.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import msgspec
import trio
from msgspec.structs import replace

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.credential import Credential
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from actors.accounts.session import AccountSession, ClockOffset
from market.clock import VirtualWallClock
from market.events import Side
from market.symbol import Symbol
from network.breaker import CircuitBreaker
from network.http import HttpClient, HttpRequest, HttpResponse
from network.limits import ExchangeLimits
from network.rate_limit import RateLimit, RateLimiter
from network.rest import RestClient, RetryPolicy
from orders.errors import ErrorKind, ExchangeError
from orders.ledger import AccountLedger
from orders.order import Order
from orders.recording import NoRecorder
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")


def sell(client_order_id: str, *, owner: str = "btc", quantity: str = "1") -> OrderRequest:
    return OrderRequest(
        client_order_id=client_order_id,
        owner=owner,
        symbol=BTC,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(100),
    )


def said(
    client_order_id: str | None, exchange_order_id: str, status: ReportedStatus = ReportedStatus.OPEN, *, filled: str = "0"
) -> OrderReport:
    return OrderReport(
        exchange_order_id=exchange_order_id,
        client_order_id=client_order_id,
        symbol=BTC,
        side=Side.SELL,
        status=status,
        filled_quantity=Decimal(filled),
        filled_quote=Decimal(filled) * 100,
        price=Decimal(100),
        quantity=Decimal(1),
    )


def trade(client_order_id: str, exchange_order_id: str, trade_id: str = "t1", *, quantity: str = "1") -> FillReport:
    return FillReport(
        trade_id=trade_id,
        exchange_order_id=exchange_order_id,
        client_order_id=client_order_id,
        symbol=BTC,
        side=Side.SELL,
        price=Decimal(100),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_asset="USDT",
        maker=True,
    )


def refusal(kind: ErrorKind, *, http_status: int = 400) -> ExchangeError:
    return ExchangeError(kind, code=kind.name, message="scripted", http_status=http_status)


class Books:
    """A ledger, its bookkeeper, and everything that was told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.ledger = AccountLedger(account="main", installation="mm")
        self.bookkeeper = Bookkeeper(ledger=self.ledger, inboxes={}, recorder=NoRecorder(), report=self.told.append)

    def seen(self, kind: type) -> list[object]:
        return [event for event in self.told if isinstance(event, kind)]

    def intend(self, request: OrderRequest) -> None:
        """Written down, and nothing has left."""
        self.ledger.record_intent(request, now=trio.current_time())

    def send(self, request: OrderRequest, *, sent_at_milliseconds: int = 0, expires_at_milliseconds: int | None = None) -> None:
        """The placement has left, and nothing was heard of it."""
        self.intend(request)
        self.ledger.record_sent(
            request.client_order_id, sent_at_milliseconds=sent_at_milliseconds, expires_at_milliseconds=expires_at_milliseconds
        )

    def hear(self, report: OrderReport) -> None:
        self.bookkeeper.take(report)

    def order(self, client_order_id: str) -> Order:
        order = self.ledger.order(client_order_id)
        assert order is not None
        return order


class ScriptedSession:
    """The exchange's lists as a test fills them; `calls` holds what was asked, when, and about what.

    A cancelled order leaves `listed` for `known`. `failures` are raised by the next calls of a method; `before` is awaited by
    every call, with the method's name; `refuse` may raise, knowing also what is asked about.
    """

    def __init__(self, *, cancel_batch_max: int = 1) -> None:
        capabilities = replace(GateioSpotAccountCodec().capabilities, cancel_batch_max=cancel_batch_max)
        self.codec = SimpleNamespace(capabilities=capabilities)
        self.known: dict[str, OrderReport] = {}
        self.listed: list[OrderReport] = []
        self.finished: list[OrderReport] = []
        self.trades: list[FillReport] = []
        self.failures: dict[str, list[Exception]] = {}
        self.calls: list[tuple[float, str, object]] = []
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.refuse: Callable[[str, object], None] = lambda method, what: None
        self.clock_offset_milliseconds = 0
        """How far the exchange's clock really is ahead of ours; we know of it when it was measured."""
        self.known_offset_milliseconds = 0
        self.switch_timeouts: list[tuple[float, int]] = []

    @property
    def session(self) -> AccountSession:
        return cast("AccountSession", self)

    def asked(self, method: str) -> list[object]:
        return [what for _, called, what in self.calls if called == method]

    def times(self, method: str) -> list[float]:
        return [when for when, called, _ in self.calls if called == method]

    async def _called(self, method: str, what: object = None) -> None:
        self.calls.append((trio.current_time(), method, what))
        await trio.lowlevel.checkpoint()
        if self.before is not None:
            await self.before(method)
        self.refuse(method, what)
        if self.failures.get(method):
            raise self.failures[method].pop(0)

    def exchange_time_milliseconds(self) -> int:
        return round(trio.current_time() * 1000) + self.known_offset_milliseconds

    async def measure_clock_offset(self) -> int:
        await self._called("measure_clock_offset")
        self.known_offset_milliseconds = self.clock_offset_milliseconds
        return self.known_offset_milliseconds

    async def query_order(self, order: Order) -> OrderReport:
        await self._called("query_order", order.client_order_id)
        for report in (*self.listed, *self.known.values()):
            if report.client_order_id == order.client_order_id:
                return report
        raise refusal(ErrorKind.ORDER_NOT_FOUND, http_status=404)

    async def open_orders(self, symbol: Symbol | None = None) -> list[OrderReport]:
        await self._called("open_orders", symbol)
        return list(self.listed)

    async def finished_orders(self, symbol: Symbol, *, since_milliseconds: int) -> list[OrderReport]:
        await self._called("finished_orders", since_milliseconds)
        return list(self.finished)

    async def fills(self, symbol: Symbol, *, exchange_order_id: str | None = None) -> list[FillReport]:
        await self._called("fills", exchange_order_id)
        return [fill for fill in self.trades if fill.exchange_order_id == exchange_order_id]

    async def balances(self) -> list[BalanceReport]:
        await self._called("balances")
        return []

    async def cancel_reported(self, report: OrderReport) -> OrderReport | None:
        await self._called("cancel_reported", report.exchange_order_id)
        return self._cancel(report)

    async def cancel_batch(self, reports: Sequence[OrderReport]) -> list[OrderReport | tuple[str, ExchangeError]]:
        await self._called("cancel_batch", [report.exchange_order_id for report in reports])
        return [self._cancel(report) for report in reports]

    def _cancel(self, report: OrderReport) -> OrderReport:
        self.listed = [other for other in self.listed if other.exchange_order_id != report.exchange_order_id]
        cancelled = replace(report, status=ReportedStatus.CANCELLED)
        self.known[report.exchange_order_id] = cancelled
        return cancelled

    async def set_dead_mans_switch(self, symbols: Sequence[Symbol], *, timeout_seconds: int) -> None:
        await self._called("set_dead_mans_switch", timeout_seconds)
        self.switch_timeouts.append((trio.current_time(), timeout_seconds))


class ScriptedStream:
    """Carries requests as an open private stream does; `sent` holds what was handed over, of which `on_sent` is told."""

    def __init__(self) -> None:
        self.is_open = True
        self.failure: Exception | None = None
        self.sent: list[str] = []
        self.on_sent: Callable[[str], None] = lambda frame: None

    async def send(self, frame: str | bytes) -> None:
        self.sent.append(frame if isinstance(frame, str) else frame.decode())
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        self.on_sent(self.sent[-1])


Answer = HttpResponse | Exception


class ScriptedHttp:
    """Answers requests in turn as `answers` has it; `sent` holds what really left, and when."""

    host = "exchange.scripted"

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.answer_delay_seconds = 0.0
        self.sent: list[tuple[float, HttpRequest]] = []
        self._lane = trio.CapacityLimiter(10)

    def lane(self, *, urgent: bool = False) -> trio.CapacityLimiter:
        return self._lane

    async def send(self, request: HttpRequest, *, timeout_seconds: float) -> HttpResponse:
        self.sent.append((trio.current_time(), request))
        await trio.sleep(self.answer_delay_seconds)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answered(status: int, /, **fields: object) -> HttpResponse:
    return HttpResponse(status=status, headers={}, body=msgspec.json.encode(fields))


def order_answer(client_order_id: str, *, status: str = "open", exchange_order_id: str = "77", price: str = "100") -> HttpResponse:
    """An order as Gate.io shows it."""
    return answered(
        201,
        id=exchange_order_id,
        text=f"t-{client_order_id}",
        status=status,
        finish_as=status,
        currency_pair="BTC_USDT",
        type="limit",
        side="sell",
        amount="1",
        price=price,
        left="1",
        filled_amount="0",
        filled_total="0",
        update_time_ms=0,
    )


def real_session(http: ScriptedHttp, *, wall_clock: VirtualWallClock, orders_per_second: int = 10) -> AccountSession:
    """A real session over scripted answers. Placements have a rate limit of their own: `orders_per_second`."""
    codec = GateioSpotAccountCodec()
    limits = dict(codec.rate_limits) | {"orders": RateLimit(capacity=orders_per_second, period_seconds=1.0)}
    shared = ExchangeLimits(RateLimiter(limits), CircuitBreaker("scripted", on_change=lambda change: None))
    return AccountSession(
        codec=codec,
        rest=RestClient(cast("HttpClient", http), shared, rng=random.Random(1)),
        credential=Credential(key="key", secret="secret"),
        wall_clock=wall_clock,
        offset=ClockOffset(),
        retry=RetryPolicy(attempts_max=1),
    )
