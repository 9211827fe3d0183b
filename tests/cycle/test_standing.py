"""What a trading state leaves of a controller's decision."""

from __future__ import annotations

from decimal import Decimal

import pytest
from cycle_desk import BTC_USDT, RULES, Desk
from msgspec.structs import replace

from actors.cycle.rounds.controller import Decision, DesiredOrder, RoundView
from actors.cycle.rounds.standing import permitted
from market.events import Side
from orders.request import OrderType, TimeInForce
from orders.states import Standing, StandingChanged, TradingState

VIEW = RoundView(now=0.0, instrument=RULES, book=None, orders=(), carried_quantity=Decimal(0), quote_quantity=Decimal(100))
LUNCH = Standing(TradingState.PAUSED, "global", "lunch")
REDUCING = Standing(TradingState.REDUCE_ONLY, "account:main", "enough")


def wanted(side: Side, *, reduce_only: bool = False) -> DesiredOrder:
    return DesiredOrder(
        slot=side.value,
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(1),
        price=Decimal(100),
        reduce_only=reduce_only,
    )


BOTH = Decision(phase="quoting", desired=(wanted(Side.BUY), wanted(Side.SELL)))


def contract_view(position: int | None) -> RoundView:
    rules = replace(RULES, contract_size=Decimal(1))
    return replace(VIEW, instrument=rules, position=None if position is None else Decimal(position))


def test_decision_is_untouched_while_it_runs() -> None:
    assert permitted(BOTH, Standing(), VIEW) is BOTH


@pytest.mark.parametrize("state", [TradingState.PAUSED, TradingState.HALTED])
def test_nothing_is_wanted_while_paused_or_halted_and_the_phase_says_why(state: TradingState) -> None:
    decision = permitted(BOTH, replace(LUNCH, state=state), VIEW)
    assert decision.desired == ()
    assert decision.phase == f"quoting; global is {state.value}: lunch"


def test_order_that_runs_its_course_is_left_alone() -> None:
    held = Decision(phase="buying", hold=True)
    assert permitted(held, LUNCH, VIEW) is held


def test_round_with_nothing_left_to_do_ends_while_paused() -> None:
    assert permitted(Decision(phase="reconciling", finished=True), LUNCH, VIEW).finished


def test_of_assets_the_sells_stay_in_reduce_only() -> None:
    assert [order.side for order in permitted(BOTH, REDUCING, VIEW).desired] == [Side.SELL]


@pytest.mark.parametrize(("position", "left"), [(2, [Side.SELL]), (-2, [Side.BUY]), (0, []), (None, [])])
def test_of_contracts_the_side_against_the_position_stays_in_reduce_only(position: int | None, left: list[Side]) -> None:
    assert [order.side for order in permitted(BOTH, REDUCING, contract_view(position)).desired] == left


def test_order_that_the_exchange_keeps_from_enlarging_a_position_stays_in_reduce_only() -> None:
    decision = Decision(phase="quoting", desired=(wanted(Side.SELL, reduce_only=True),))
    assert permitted(decision, REDUCING, contract_view(None)) is decision


async def test_cycle_takes_its_quote_away_while_paused_and_puts_it_back(autojump_clock: object) -> None:
    desk = Desk()
    async with desk.open():
        first = await desk.resting_sell()
        desk.tell(StandingChanged("main", BTC_USDT, LUNCH))
        await desk.until(lambda: desk.account.orders[first.client_order_id].is_terminal)
        desk.tell(StandingChanged("main", BTC_USDT, Standing()))
        second = await desk.resting_sell(2)
        desk.account.fill(second.client_order_id)
        assert await desk.ended() is None


async def test_cycle_begins_no_round_while_anything_but_run_is_in_force(autojump_clock: object) -> None:
    desk = Desk()
    desk.tell(StandingChanged("main", BTC_USDT, REDUCING))
    async with desk.open():
        await desk.until(lambda: any("reduce_only" in getattr(report, "phase", "") for report in desk.reports))
        assert not desk.account.received
        desk.tell(StandingChanged("main", BTC_USDT, Standing()))
        await desk.resting_sell()
