"""Flattening at a stop: what a run's fills have left of a cycle is sold, or of contracts brought back to nothing, and no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import cast

import pytest
import trio
from msgspec.structs import replace
from trio.testing import wait_all_tasks_blocked

from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.flattening import ATTEMPTS_MAX, EXPIRY_MILLISECONDS, UNTAKEN_PAUSE_SECONDS, flatten
from actors.accounts.session import AccountSession
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.errors import ErrorKind, ExchangeError
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from orders.recording import NoRecorder, NotRecorded, Recorder
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")
RULES = Instrument(
    exchange="scripted",
    symbol=BTC,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.02"),
    notional_min=Decimal(0),
)


class FillingSession:
    """Fills at once whatever is placed, as far as there is so much; of each order no more than `takes` says, one after the other."""

    def __init__(self, *, positions: bool, available: str = "1000", takes: Sequence[str] = ()) -> None:
        self.available = Decimal(available)
        self.takes = [Decimal(quantity) for quantity in takes]
        self.codec = SimpleNamespace(capabilities=SimpleNamespace(positions=positions, order_expiry=True))
        self.placed: list[tuple[OrderRequest, int | None]] = []
        self.taken: list[tuple[OrderRequest, Decimal]] = []

    def exchange_time_milliseconds(self) -> int:
        return 1_000_000

    async def place(self, request: OrderRequest, *, leaving: Callable[[], int | None]) -> OrderReport:
        expires_at = leaving()
        self.placed.append((request, expires_at))
        await trio.lowlevel.checkpoint()
        quantity = request.quantity or Decimal(0)
        if quantity > self.available:
            raise ExchangeError(ErrorKind.INSUFFICIENT_BALANCE, code="30004", message="not enough BTC", http_status=400)
        filled = min(quantity, self.takes.pop(0)) if self.takes else quantity
        self.taken.append((request, filled))
        return OrderReport(
            exchange_order_id=f"{98 + len(self.placed)}",
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            status=ReportedStatus.FILLED if filled == quantity else ReportedStatus.EXPIRED,
            filled_quantity=filled,
            filled_quote=filled * 100,
        )

    async def balances(self) -> list[BalanceReport]:
        await trio.lowlevel.checkpoint()
        return [BalanceReport(asset="BTC", total=self.available, available=self.available)]

    async def fills(self, symbol: Symbol, *, exchange_order_id: str | None = None) -> list[FillReport]:
        await trio.lowlevel.checkpoint()
        request, filled = self.taken[-1]
        return [trade(replace(request, quantity=filled), exchange_order_id or "")] if filled else []


def trade(request: OrderRequest, exchange_order_id: str) -> FillReport:
    return FillReport(
        trade_id=request.client_order_id,
        exchange_order_id=exchange_order_id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        price=Decimal(100),
        quantity=request.quantity or Decimal(0),
        fee=Decimal(0),
        fee_asset="USDT",
        maker=False,
    )


class SlowRecorder(NoRecorder):
    """What it was given is written at last, or is not; `wait` says."""

    def __init__(self, wait: Callable[[], Awaitable[None]]) -> None:
        self._wait = wait

    async def written(self) -> None:
        await self._wait()


async def flattened(
    side: Side, quantity: str, *, positions: bool, rules: Mapping[Symbol, Instrument] | None = None
) -> list[tuple[OrderRequest, int | None]]:
    """What is placed when cycle btc has had one fill, and another cycle one of its own."""
    session, ledger = FillingSession(positions=positions), ledger_after(side, quantity, positions=positions)
    await flatten_cycle(session, ledger, NoRecorder(), rules=rules)
    assert not ledger.live_orders()
    return session.placed


def ledger_after(side: Side, quantity: str, *, positions: bool = False) -> AccountLedger:
    ledger = AccountLedger(account="main", installation="mm", holds_positions=positions)
    for number, owner in enumerate(("btc", "eth")):
        request = OrderRequest(
            client_order_id=f"mm-{owner}-{number}",
            owner=owner,
            symbol=BTC,
            side=side,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            quantity=Decimal(quantity),
        )
        ledger.record_intent(request, now=0.0)
        ledger.record_sent(request.client_order_id, sent_at_milliseconds=0, expires_at_milliseconds=None)
        ledger.apply_fill(trade(request, str(number)), now=0.0)
    return ledger


async def flatten_cycle(
    session: FillingSession, ledger: AccountLedger, recorder: Recorder, *, rules: Mapping[Symbol, Instrument] | None = None
) -> None:
    numbers = count(9)
    await flatten(
        session=cast("AccountSession", session),
        bookkeeper=Bookkeeper(ledger=ledger, inboxes={}, recorder=recorder, report=lambda event: None),
        owner="btc",
        rules={BTC: RULES} if rules is None else rules,
        next_id=lambda: f"mm-btc-{next(numbers)}",
    )


async def test_what_was_bought_is_sold_at_market_rounded_down_to_a_step(autojump_clock: object) -> None:
    ((request, expires_at),) = await flattened(Side.BUY, "0.509", positions=False)
    assert (request.side, request.quantity, request.reduce_only, request.owner) == (Side.SELL, Decimal("0.50"), False, "btc")
    assert (request.type, request.time_in_force) == (OrderType.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL)
    assert expires_at == 1_000_000 + EXPIRY_MILLISECONDS


async def test_what_another_has_sold_of_it_is_left_and_the_rest_is_sold_at_a_stop(autojump_clock: object) -> None:
    session, ledger = FillingSession(positions=False, available="0.409"), ledger_after(Side.BUY, "0.5")
    await flatten_cycle(session, ledger, NoRecorder())
    assert [request.quantity for request, _ in session.placed] == [Decimal("0.50"), Decimal("0.40")]
    assert ledger.holdings("btc") == {BTC: Decimal("0.1")}


async def test_market_that_takes_little_or_nothing_is_asked_again_at_a_stop_a_few_times(autojump_clock: object) -> None:
    session, ledger = FillingSession(positions=False, takes=["0", "0.2"]), ledger_after(Side.BUY, "0.5")
    began_at = trio.current_time()
    await flatten_cycle(session, ledger, NoRecorder())
    assert [request.quantity for request, _ in session.placed] == [Decimal("0.5"), Decimal("0.5"), Decimal("0.3")]
    assert ledger.holdings("btc") == {BTC: Decimal(0)}
    assert trio.current_time() - began_at == pytest.approx(UNTAKEN_PAUSE_SECONDS), "where nobody came, somebody may"

    session, ledger = FillingSession(positions=False, takes=["0"] * 9), ledger_after(Side.BUY, "0.5")
    await flatten_cycle(session, ledger, NoRecorder())
    assert len(session.placed) == ATTEMPTS_MAX
    assert ledger.holdings("btc") == {BTC: Decimal("0.5")}


async def test_what_was_sold_of_an_asset_is_not_bought_back(autojump_clock: object) -> None:
    assert await flattened(Side.SELL, "0.5", positions=False) == []


@pytest.mark.parametrize(("filled", "side"), [(Side.BUY, Side.SELL), (Side.SELL, Side.BUY)])
async def test_position_is_brought_back_from_either_side_by_an_order_that_can_only_reduce(
    autojump_clock: object, filled: Side, side: Side
) -> None:
    ((request, _),) = await flattened(filled, "0.5", positions=True)
    assert (request.side, request.quantity, request.reduce_only) == (side, Decimal("0.5"), True)


async def test_less_than_the_least_that_can_be_traded_is_left_and_so_is_what_has_no_rules(autojump_clock: object) -> None:
    assert await flattened(Side.BUY, "0.019", positions=True) == []
    assert await flattened(Side.BUY, "0.5", positions=True, rules={}) == []


def flattening(ledger: AccountLedger) -> Order:
    order = ledger.order("mm-btc-9")
    assert order is not None
    return order


async def test_nothing_leaves_before_it_is_written_down(autojump_clock: object) -> None:
    session, ledger, written = FillingSession(positions=False), ledger_after(Side.BUY, "0.5"), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flatten_cycle, session, ledger, SlowRecorder(written.wait))
        await wait_all_tasks_blocked()
        assert flattening(ledger).state is OrderState.PENDING_NEW
        assert not session.placed
        written.set()
    assert flattening(ledger).state is OrderState.FILLED


async def test_what_was_given_up_before_it_left_does_not_leave(autojump_clock: object) -> None:
    session, ledger, written = FillingSession(positions=False), ledger_after(Side.BUY, "0.5"), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flatten_cycle, session, ledger, SlowRecorder(written.wait))
        await wait_all_tasks_blocked()
        ledger.record_input(flattening(ledger).client_order_id, OrderInput.NEVER_SENT, now=0.0, reason="given up")
        written.set()
    assert not session.placed
    assert (flattening(ledger).state, flattening(ledger).reason) == (OrderState.REJECTED, "given up")


async def test_what_cannot_be_written_down_is_not_sold(autojump_clock: object) -> None:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise NotRecorded("the journal has lost something")

    session, ledger = FillingSession(positions=False), ledger_after(Side.BUY, "0.5")
    await flatten_cycle(session, ledger, SlowRecorder(fail))
    assert not session.placed
    assert (flattening(ledger).state, flattening(ledger).reason) == (OrderState.REJECTED, "not sent: the journal has lost something")


async def test_what_was_not_sent_when_the_time_was_over_is_not_said_to_be_live(autojump_clock: object) -> None:
    session, ledger = FillingSession(positions=False), ledger_after(Side.BUY, "0.5")
    with trio.move_on_after(2):
        await flatten_cycle(session, ledger, SlowRecorder(trio.sleep_forever))
    assert not session.placed
    assert not ledger.live_orders()
