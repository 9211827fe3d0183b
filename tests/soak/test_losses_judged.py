"""Limits of losses in a world: they strike when the exchange's own trades say so, hold until a person lifts them, and are never claimed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
import trio
from msgspec.structs import replace
from test_watcher import quiet_world

from actors.accounts.daily_loss import DailyLoss
from actors.accounts.drawdown import Drawdown
from actors.accounts.limits import OnDailyLoss
from assembly.settings import CycleLimitSettings
from market.events import Side
from market.symbol import Symbol
from orders.events import AccountLost, AccountReady, OrderPlaced
from orders.states import StateEntered, TradingState
from orders.tally import Tally
from simulated.faults import Operation
from soak.options import LossLimit, Options
from soak.outcome import Outcome, Verdict
from soak.run import run_options
from soak.worlds.world import World

BTC_USDT = Symbol("BTC", "USDT")
ENOUGH = Decimal(1)
FAR_TOO_MUCH = Decimal(100)


def with_drawdown(most: Decimal, action: OnDailyLoss = OnDailyLoss.HALT, *, name: str = "gateio_spot") -> Options:
    options = quiet_world(name)
    (cycle,) = options.cycles
    return replace(options, cycles=(replace(cycle, limits=CycleLimitSettings(drawdown_max=most, on_drawdown=action)),))


def when_bought(options: Options, act: Callable[[World], object]) -> Outcome:
    """What comes of the world if something happens when the cycle has bought and wants to sell."""

    def watch(world: World) -> None:
        is_first = True

        async def soon() -> None:
            await trio.sleep(0.01)
            act(world)

        def see(event: object) -> None:
            nonlocal is_first
            if isinstance(event, OrderPlaced) and event.order.request.side is Side.SELL and is_first:
                is_first = False
                world.nursery.start_soon(soon)

        world.observers.append(see)

    return run_options(options, watch=watch)


def let_prices_fall(world: World, percent: int = 5) -> None:
    best = world.exchange.best_bid(BTC_USDT)
    assert best is not None
    world.exchange.freeze_flow()
    world.exchange.move_market(BTC_USDT, (best * (100 - percent) / 100).quantize(Decimal("0.1")))


@pytest.mark.parametrize("action", OnDailyLoss)
@pytest.mark.parametrize("name", ["gateio_spot", "okx_swap"])
def test_drawdown_strikes_where_prices_fall_is_counted_and_is_lifted_in_the_end(action: OnDailyLoss, name: str) -> None:
    outcome = when_bought(with_drawdown(ENOUGH, action, name=name), let_prices_fall)
    assert outcome.verdict is Verdict.FINE, outcome.told
    assert outcome.losses_struck == {f"drawdown_max {action.state.value}": 1}


@pytest.mark.parametrize("action", OnDailyLoss)
def test_daily_losses_of_account_and_program_strike_and_are_counted(action: OnDailyLoss) -> None:
    limit = LossLimit(ENOUGH, action)
    outcome = when_bought(replace(quiet_world("gateio_spot"), losses={"gateio_spot": limit}, program_loss=limit), let_prices_fall)
    assert outcome.verdict is Verdict.FINE, outcome.told
    assert outcome.losses_struck == {f"{scope}max_daily_loss {action.state.value}": 1 for scope in ("", "global ")}


def test_limits_that_are_never_come_to_do_not_strike() -> None:
    limit = LossLimit(FAR_TOO_MUCH, OnDailyLoss.HALT)
    outcome = when_bought(replace(with_drawdown(FAR_TOO_MUCH), losses={"gateio_spot": limit}, program_loss=limit), let_prices_fall)
    assert (outcome.verdict, outcome.losses_struck) == (Verdict.FINE, {}), outcome.told


def test_drawdown_that_does_not_strike_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drawdown, "look", lambda self: None)
    outcome = when_bought(with_drawdown(ENOUGH), let_prices_fall)
    assert outcome.verdict is Verdict.VIOLATION
    assert "drawdown_max of cycle:one is 1, and " in outcome.first_line
    assert "it is run, and not halted" in outcome.first_line


@pytest.mark.parametrize("scope", ["account:main", "global"])
def test_daily_loss_that_does_not_strike_is_found(scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DailyLoss, "look", lambda self: None)
    limit = LossLimit(ENOUGH, OnDailyLoss.REDUCE_ONLY)
    options = quiet_world("gateio_spot")
    options = replace(options, program_loss=limit) if scope == "global" else replace(options, losses={"gateio_spot": limit})
    outcome = when_bought(options, let_prices_fall)
    assert outcome.verdict is Verdict.VIOLATION
    assert "max_daily_loss" in outcome.first_line
    assert "it is run, and not reduce_only" in outcome.first_line


def test_profit_that_forgets_fees_is_found_where_the_limit_is_only_passed_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "profit", lambda self, price: self.traded.realised + self.traded.unrealised(price))
    (cycle,) = quiet_world("gateio_spot").cycles
    fee = cycle.quote_quantity * Decimal("0.002")
    outcome = when_bought(with_drawdown(fee / 2), lambda world: world.exchange.freeze_flow())
    assert outcome.verdict is Verdict.VIOLATION
    assert "has been lost by the exchange's trades" in outcome.first_line


def test_drawdown_that_is_claimed_and_was_not_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    really = Tally.profit
    monkeypatch.setattr(Tally, "profit", lambda self, price: really(self, price) - (5 if self.trades else 0))
    outcome = when_bought(with_drawdown(Decimal(3)), lambda world: None)
    assert outcome.verdict is Verdict.VIOLATION
    assert "cycle:one is said to have lost 5." in outcome.first_line
    assert "by the exchange's trades it is 0." in outcome.first_line


def test_loss_that_is_lifted_by_nobody_is_found() -> None:
    def free_it(world: World) -> None:
        def see(event: object) -> None:
            if isinstance(event, StateEntered) and event.state is TradingState.HALTED:
                world.nursery.start_soon(lift)

        async def lift() -> None:
            await trio.sleep(1)
            assert world.runtime is not None
            world.runtime.tree.states.enter("cycle:one", TradingState.RUN, "prices are calm")

        world.observers.append(see)
        let_prices_fall(world)

    outcome = when_bought(with_drawdown(ENOUGH), free_it)
    assert outcome.verdict is Verdict.VIOLATION
    assert "cycle:one was halted, and is run without anybody who lifted it: prices are calm" in outcome.first_line


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_what_was_lost_before_a_kill_counts_after_it_and_is_missed_where_it_is_forgotten(is_forgotten: bool) -> None:
    def lose_twice(world: World) -> None:
        async def act() -> None:
            let_prices_fall(world, percent=2)
            await trio.sleep(7)
            world.kill()
            if is_forgotten:
                world.journal.rows("DELETE FROM loss_baselines")
            await trio.sleep(0.1)
            let_prices_fall(world, percent=2)

        world.nursery.start_soon(act)

    (cycle,) = quiet_world("gateio_spot").cycles
    most = cycle.quote_quantity * Decimal("0.03")
    options = replace(quiet_world("gateio_spot"), losses={"gateio_spot": LossLimit(most, OnDailyLoss.HALT)})
    outcome = when_bought(options, lose_twice)
    if is_forgotten:
        assert outcome.verdict is Verdict.VIOLATION
        assert "max_daily_loss of account:main is " in outcome.first_line
    else:
        assert outcome.verdict is Verdict.FINE, outcome.told
        assert outcome.losses_struck == {"max_daily_loss halted": 1}


def test_loss_is_counted_from_what_there_was_while_the_account_was_lost() -> None:
    """The program looks at losses all the while, and so the day's loss that a person accepts is the one of that time."""
    told: list[object] = []

    def accept_while_lost(world: World) -> None:
        async def act() -> None:
            let_prices_fall(world)
            await trio.sleep(2)
            world.exchange.delay_requests(Operation.QUERY, 3.0)
            world.exchange.disconnect_all()
            await trio.sleep(0.5)
            assert world.runtime is not None
            world.runtime.tree.states.enter("account:main", TradingState.RUN, "by a person")
            await trio.sleep(1.5)
            let_prices_fall(world, percent=1)
            await trio.sleep(0.5)
            world.exchange.clear_faults()
            await trio.sleep(4)
            let_prices_fall(world, percent=3)

        def see(event: object) -> None:
            if isinstance(event, AccountLost | AccountReady | StateEntered) and len(told) < 5:
                told.append(event)

        world.observers.append(see)
        world.nursery.start_soon(act)

    options = quiet_world("gateio_spot", seconds=20.0)
    limit = LossLimit(options.cycles[0].quote_quantity * Decimal("0.03"), OnDailyLoss.HALT)
    outcome = when_bought(replace(options, losses={"gateio_spot": limit}), accept_while_lost)
    assert outcome.verdict is Verdict.FINE, outcome.told
    assert [type(event) for event in told] == [StateEntered, AccountLost, StateEntered, AccountReady, StateEntered]
    assert outcome.losses_struck == {"max_daily_loss halted": 2}


def lose_before_and_after_midnight(monkeypatch: pytest.MonkeyPatch, *, is_noticed: bool) -> Outcome:
    """Each time less than the limit, and together more."""

    def lose(world: World) -> None:
        async def act() -> None:
            let_prices_fall(world, percent=2)
            await trio.sleep(14)
            let_prices_fall(world, percent=2)

        world.nursery.start_soon(act)

    if not is_noticed:
        monkeypatch.setattr(DailyLoss, "_day", lambda self: "2026-09-21")
    options = quiet_world("gateio_spot")
    limit = LossLimit(options.cycles[0].quote_quantity * Decimal("0.03"), OnDailyLoss.HALT)
    return when_bought(replace(options, losses={"gateio_spot": limit}, day_ends_after_seconds=8.0), lose)


def test_loss_of_the_day_before_does_not_count_in_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = lose_before_and_after_midnight(monkeypatch, is_noticed=True)
    assert (outcome.verdict, outcome.losses_struck) == (Verdict.FINE, {}), outcome.told


def test_loss_of_the_day_before_that_counts_in_the_new_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = lose_before_and_after_midnight(monkeypatch, is_noticed=False)
    assert outcome.verdict is Verdict.VIOLATION
    assert "account:main is said to have lost " in outcome.first_line
