"""What the program says without reason is found: each thing is made to look so to it once, in a world in which it was not so."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace
from test_watcher import when_placed

from actors.accounts.actor import BEING_ALONE
from actors.accounts.events import AccountTrouble
from market.events import Side
from market.symbol import Symbol
from orders.events import ForeignFillSeen, LeftoverOrderFound
from orders.order import Order
from orders.reconciliation import CycleFinished
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import StateEntered, TradingState
from simulated.engine.order import NewOrder
from soak.checks.claims import untrue_claim
from soak.outcome import Verdict
from soak.worlds.world import World

BTC_USDT = Symbol("BTC", "USDT")
FILL = FillReport(
    trade_id="t1",
    exchange_order_id="77",
    client_order_id=None,
    symbol=BTC_USDT,
    side=Side.SELL,
    price=Decimal(100),
    quantity=Decimal(1),
    fee=Decimal(0),
    fee_asset="USDT",
    maker=True,
)


REQUEST = OrderRequest(
    client_order_id="mm-one-0000000001",
    owner="one",
    symbol=BTC_USDT,
    side=Side.SELL,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
    quantity=Decimal(1),
    price=Decimal(100),
)


def deposit(world: World) -> None:
    world.exchange.deposit("BTC", Decimal(1))


def order_by_hand(world: World) -> None:
    new = NewOrder(account="main", symbol=BTC_USDT, side=Side.BUY, price=Decimal(50_000), quantity=Decimal("0.001"), client_id="t-by-hand")
    world.exchange.engine.place(new, world.wall_clock.milliseconds())


@pytest.mark.parametrize(
    ("happens", "told"),
    [
        (deposit, "every change of BTC at main has its trade or payment, and 1 is said to have none"),
        (order_by_hand, "is said to be somebody else's (by-hand)"),
    ],
)
def test_event_that_nothing_in_the_world_is_the_reason_of_is_a_violation(happens: Callable[[World], object], told: str) -> None:
    outcome = when_placed(happens, seconds=40.0)
    assert outcome.verdict is Verdict.VIOLATION
    assert told in outcome.told


def test_after_the_journal_has_lost_its_end_only_other_programs_and_orders_are_wrongly_claimed() -> None:
    found = LeftoverOrderFound("main", Order(request=REQUEST))
    lost = StateEntered("cycle:one", TradingState.HALTED, "a trade is in no round, since the journal has lost its end: …")
    ours = ForeignFillSeen("main", replace(FILL, client_order_id="mm-one-0000000001"))
    alone = AccountTrouble("main", BEING_ALONE, "order …")
    for event, is_explained in ((lost, True), (found, True), (ours, True), (alone, False)):
        assert untrue_claim(event, has_lost_records=False)
        assert bool(untrue_claim(event, has_lost_records=True)) is not is_explained


def test_position_that_is_said_to_be_closed_by_somebody_else_is_a_claim_in_a_stop_too() -> None:
    ended = CycleFinished(account="main", cycle="one", cycles_completed=0, reason="it was liquidated, or closed by somebody else; …")
    assert untrue_claim(ended, has_lost_records=False)
    assert not untrue_claim(replace(ended, reason="no funds"), has_lost_records=False)


def test_state_that_somebody_enters_is_no_claim() -> None:
    assert not untrue_claim(StateEntered("cycle:one", TradingState.HALTED, "the plan says so"), has_lost_records=False)
