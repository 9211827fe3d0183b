"""What befalls a cycle besides its orders: a book that stays away, money moved by hand, a strategy or a listener that fails."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal

import pytest
import trio
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, InjectedCrash, World, run_world, scenario

from actors.cycle.rounds.controller import Decision, RoundView
from actors.cycle.rounds.sell_on_top import SellOnTop, SellOnTopParameters
from assembly.presenter.report import ExitStatus
from assembly.registry import STRATEGIES, StrategyEntry
from market.events import BookChanged, BookLost, Side
from orders.events import BalanceDiffers, OrderEnded, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from orders.reconciliation import CycleFinished, CyclePhaseChanged, CycleReconciled, CycleStarted
from orders.states import StateEntered, TradingState
from simulated.faults import Operation
from supervision.errors import leaf_errors
from supervision.events import ChildDied, ChildReady, ChildStarting, CleanupFinished, IntensityExceeded

AWAY_SECONDS = 60.0


def is_cancelled_sell(event: OrderEnded) -> bool:
    return is_sell(event) and event.order.state is OrderState.CANCELLED


def placements(world: World) -> int:
    return len(world.seen(OrderSubmitted))


# The book


@scenario(seed=71, simulation=NO_TAKERS)
async def test_quote_stays_pulled_for_as_long_as_the_book_is_away_though_the_price_has_not_changed(world: World) -> None:
    world.exchange.freeze_flow()
    await world.start()
    sell = await placed_sell(world)
    before = placements(world)
    # No snapshot and no change of the book arrives any more: what the cycle last saw is what the market still is.
    world.exchange.fail_before_accepting(Operation.MARKET_DATA, count=10_000)
    world.exchange.withhold_book_updates(BTC_USDT, 1_000_000)
    world.exchange.disconnect_all()
    await world.wait_for(BookLost)
    await world.wait_for(OrderEnded, is_cancelled_sell, within_seconds=3)
    books = len(world.seen(BookChanged))
    await trio.sleep(AWAY_SECONDS)
    assert len(world.seen(BookChanged)) == books, "the book has stayed away"
    assert placements(world) == before, "nothing is placed on a market that nobody sees"
    world.check_nothing_is_open()
    world.exchange.clear_faults()
    world.exchange.freeze_flow()
    second = await placed_sell(world, 2)
    assert second.request.price == sell.request.price
    world.exchange.fill_order(exchange_id(second))
    await world.end()


# Money moved by hand


def deposits_bitcoin(world: World) -> None:
    world.exchange.deposit("BTC", Decimal("0.25"))


def withdraws_money(world: World) -> None:
    world.exchange.withdraw("USDT", Decimal(7))


@pytest.mark.parametrize(("move", "difference"), [(deposits_bitcoin, ("BTC", "0.25")), (withdraws_money, ("USDT", "-7"))])
def test_money_moved_by_hand_in_the_middle_of_a_round_is_named_once_and_the_round_ends_by_its_fills(
    move: Callable[[World], None], difference: tuple[str, str]
) -> None:
    asset, amount = difference

    async def body(world: World) -> None:
        await world.start(cycles=0)
        sell = await placed_sell(world)
        move(world)
        world.exchange.fill_order(exchange_id(sell))
        [reconciled] = [await world.wait_for(CycleReconciled)]
        assert reconciled.agrees
        assert reconciled.unexplained == {asset: Decimal(amount)}
        await trio.sleep(AWAY_SECONDS)
        [differs] = world.seen(BalanceDiffers)
        assert (differs.asset, differs.difference) == (asset, Decimal(amount))
        assert differs.actual - differs.expected == Decimal(amount)
        [entered] = world.seen(StateEntered)
        assert (entered.scope, entered.state) == ("account:main", TradingState.REDUCE_ONLY)
        assert f"{amount.lstrip('-')} {asset} {'less' if amount.startswith('-') else 'more'}" in entered.reason
        assert len(world.seen(CycleStarted)) == 1, "it does not trade on by itself"
        assert world.runtime is not None
        world.runtime.tree.states.enter("account:main", TradingState.RUN, "")
        await placed_sell(world, 2)
        world.stop()
        await world.end()
        assert len(world.seen(BalanceDiffers)) == 1, "once named it is reckoned with"

    run_world(body, seed=72, simulation=NO_TAKERS)


# A strategy that fails


class FailingSellOnTop(SellOnTop):
    """Fails on views of a resting sell, as often as `failures_left` says."""

    failures_left = 0

    def decide(self, view: RoundView) -> Decision:
        if FailingSellOnTop.failures_left and any(
            order.request.side is Side.SELL and order.state is OrderState.OPEN for order in view.orders
        ):
            FailingSellOnTop.failures_left -= 1
            raise ZeroDivisionError("the strategy has a bug")
        return super().decide(view)


@contextmanager
def failing_strategy(times: int) -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STRATEGIES, "sell_on_top", StrategyEntry(parameters=SellOnTopParameters, make=FailingSellOnTop))
        patch.setattr(FailingSellOnTop, "failures_left", times)
        yield


@scenario(seed=74, simulation=NO_TAKERS)
async def test_cycle_whose_strategy_raises_what_nobody_foresaw_is_restarted_after_its_orders_are_cancelled(world: World) -> None:
    world.exchange.freeze_flow()  # nothing but the cleanup gives a reason to cancel
    with failing_strategy(1):
        await world.start()
        await world.wait_for(CleanupFinished, lambda event: event.child == "cycle:btc")
        world.check_nothing_is_open()
        assert len(world.seen(OrderEnded, is_cancelled_sell)) == 1
        assert not world.seen(ChildStarting, lambda event: event.child == "cycle:btc" and event.incarnation == 2)
        await world.wait_for(ChildReady, lambda event: event.child == "cycle:btc" and event.incarnation == 2)
        second = await placed_sell(world, 2)
        world.exchange.fill_order(exchange_id(second))
        await world.end()
    [died] = world.seen(ChildDied, lambda event: event.child == "cycle:btc" and event.error is not None)
    assert isinstance(died.error, ZeroDivisionError)
    assert not world.seen(ChildDied, lambda event: event.child == "account:main" and event.error is not None), "the account lives on"
    assert sum(order.side is Side.BUY for order in world.exchange.orders()) == 1, "it does not buy again"
    assert len(world.seen(CycleStarted)) == 1, "the round goes on"


@scenario(seed=75, simulation=NO_TAKERS)
async def test_cycle_whose_strategy_raises_every_time_is_given_up_and_the_reason_is_told(world: World) -> None:
    with failing_strategy(1_000):
        await world.start()
        report = await world.end(status=ExitStatus.FAILED, within_seconds=300)
    assert len(world.seen(IntensityExceeded)) >= 1
    assert "cycle:btc" in report.reason
    assert "the strategy has a bug" in report.reason
    assert sum(order.side is Side.BUY for order in world.exchange.orders()) == 1


# A listener that fails


def of_side(side: Side) -> Callable[[object], bool]:
    def matches(event: object) -> bool:
        return isinstance(event, OrderSubmitted | OrderPlaced | OrderFilled | OrderEnded) and event.order.request.side is side

    return matches


def phase(words: str) -> Callable[[object], bool]:
    return lambda event: isinstance(event, CyclePhaseChanged) and event.phase == words


def both(kind: type[object], matches: Callable[[object], bool] = lambda event: True) -> Callable[[object], bool]:
    return lambda event: isinstance(event, kind) and matches(event)


@pytest.mark.parametrize(
    ("matches", "victim"),
    [
        pytest.param(phase("waiting for the market and the account"), "cycle:btc", id="before the round"),
        pytest.param(both(CycleStarted), "cycle:btc", id="round started"),
        pytest.param(phase("buying"), "cycle:btc", id="buying"),
        pytest.param(phase("selling"), "cycle:btc", id="selling"),
        pytest.param(phase("reconciling"), "cycle:btc", id="reconciling"),
        pytest.param(both(CycleReconciled), "cycle:btc", id="reconciled"),
        pytest.param(both(CycleFinished), "cycle:btc", id="finished"),
        pytest.param(both(OrderSubmitted, of_side(Side.BUY)), "account:main", id="buy submitted"),
        pytest.param(both(OrderPlaced, of_side(Side.BUY)), "account:main", id="buy placed"),
        pytest.param(both(OrderFilled, of_side(Side.BUY)), "account:main", id="buy filled"),
        pytest.param(both(OrderEnded, of_side(Side.BUY)), "account:main", id="buy ended"),
        pytest.param(both(OrderSubmitted, of_side(Side.SELL)), "account:main", id="sell submitted"),
        pytest.param(both(OrderPlaced, of_side(Side.SELL)), "account:main", id="sell placed"),
        pytest.param(both(OrderFilled, of_side(Side.SELL)), "account:main", id="sell filled"),
    ],
)
def test_actor_whose_report_raises_is_restarted_and_the_round_is_bought_once_and_reconciled(
    matches: Callable[[object], bool], victim: str
) -> None:
    async def body(world: World) -> None:
        world.crash_when(matches)
        await world.start()
        await world.end(within_seconds=300)
        died = world.seen(ChildDied, lambda event: event.error is not None)
        assert [event.child for event in died] == [victim]
        assert any(isinstance(leaf, InjectedCrash) for leaf in leaf_errors(died[0].error or ValueError()))
        buys = [order for order in world.exchange.orders() if order.side is Side.BUY]
        assert len([buy for buy in buys if buy.filled_quantity]) == 1
        rounds = world.seen(CycleReconciled)
        assert rounds
        assert all(one.agrees and one.number == 1 for one in rounds)

    run_world(body, seed=76)
