"""No quoting before agreement, and what is done about all that does not agree: balances, positions, fills, orders of others."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
import trio
from msgspec.structs import replace
from test_account_reconciliation import time_of
from test_following_the_market import NO_TAKERS, exchange_id, placed_sell
from test_trading_states import fill_quote
from world import BTC_USDT, World, run_world, scenario

from actors.accounts.events import (
    AccountDisconnected,
    AccountNotReady,
    AccountReconciled,
    AccountTrouble,
    OrderFateLearned,
    OrderStillUnknown,
)
from actors.accounts.policies import ForeignOrders, UnexplainedBalances
from actors.accounts.session import AccountSession
from actors.accounts.timing import AccountTiming
from assembly.settings import Settings
from market.events import Side
from network.errors import ResponseLost
from orders.events import (
    AccountReady,
    BalanceDiffers,
    ForeignFillSeen,
    ForeignOrderSeen,
    LeftoverOrderFound,
    OrderFateUnknown,
    OrderPlaced,
    OrderSubmitted,
)
from orders.identity import ClientOrderIds
from orders.reconciliation import CycleReconciled
from orders.states import RestraintLifted, RestraintPlaced, StateEntered, TradingState
from simulated.engine.order import NewOrder, Order, OrderKind
from simulated.faults import Operation
from supervision.events import ChildStarting

SILENT_SECONDS = 27.0
QUIET_SECONDS = 40.0


def foreign_order(world: World, client_id: str = "t-by-hand", price: int = 50_000) -> Order:
    order = NewOrder(account="main", symbol=BTC_USDT, side=Side.BUY, price=Decimal(price), quantity=Decimal("0.001"), client_id=client_id)
    return world.exchange.engine.place(order, world.wall_clock.milliseconds())


def trade_by_hand(world: World, side: Side, quantity: str, *, at_milliseconds: int | None = None) -> None:
    order = NewOrder(account="main", symbol=BTC_USDT, side=side, kind=OrderKind.MARKET, quantity=Decimal(quantity), client_id="t-by-hand")
    world.exchange.engine.place(order, at_milliseconds or world.wall_clock.milliseconds())


def with_account(world: World, **changes: object) -> None:
    """From the next start on, the account's settings are so."""
    make = world.settings

    def settings(**given: object) -> Settings:
        found = make(**given)  # type: ignore[arg-type]
        return replace(found, accounts={"main": replace(found.accounts["main"], **changes)})

    world.settings = settings  # type: ignore[method-assign]


def with_runtime(world: World, **changes: object) -> None:
    make = world.settings

    def settings(**given: object) -> Settings:
        found = make(**given)  # type: ignore[arg-type]
        return replace(found, runtime=replace(found.runtime, **changes))

    world.settings = settings  # type: ignore[method-assign]


def orders_at_the_exchange(world: World) -> int:
    return len(world.exchange.orders())


async def finish(world: World) -> None:
    """Fill the sell that is open, once one is, and wait for the end of the run."""
    await fill_quote(world)
    await world.end()


# No quoting before agreement

QUESTIONS = [
    ("gateio_spot", "open_orders"),
    ("gateio_spot", "fills"),
    ("gateio_spot", "balances"),
    ("okx_swap", "positions"),
]


@pytest.mark.parametrize(("exchange", "question"), QUESTIONS)
def test_nothing_is_placed_at_the_start_before_each_question_is_answered(
    exchange: str, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(world: World) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(AccountSession, question, _unanswered)
            await world.start()
            await trio.sleep(SILENT_SECONDS)
            assert orders_at_the_exchange(world) == 0
            assert not world.seen(AccountReady)
            [told] = world.seen(AccountNotReady)
            assert "no answer" in told.waits_for
        await finish(world)

    run_world(body, seed=501, simulation=NO_TAKERS, exchange_name=exchange)


@pytest.mark.parametrize(("exchange", "question"), QUESTIONS)
def test_nothing_is_placed_after_a_reconnect_before_each_question_is_answered(
    exchange: str, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(world: World) -> None:
        await world.start(dead_mans_switch_seconds=0)
        await placed_sell(world)
        with monkeypatch.context() as patch:
            patch.setattr(AccountSession, question, _unanswered)
            world.exchange.disconnect_all()
            await world.wait_for(AccountDisconnected)
            placed = orders_at_the_exchange(world)
            world.exchange.move_market(BTC_USDT, Decimal(59_000))
            await trio.sleep(SILENT_SECONDS)
            assert orders_at_the_exchange(world) == placed
            assert len(world.seen(AccountReady)) == 1
            assert len(world.seen(AccountNotReady)) == 1
        await finish(world)

    run_world(body, seed=502, simulation=NO_TAKERS, exchange_name=exchange)


async def _unanswered(*_: object, **__: object) -> None:
    await trio.lowlevel.checkpoint()
    raise ResponseLost("no answer")


@scenario(seed=503, simulation=NO_TAKERS)
async def test_account_that_does_not_get_ready_says_what_it_waits_for_with_growing_pauses_over_all_its_starts(world: World) -> None:
    """Pain 12: "not ready" for ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountSession, "balances", _unanswered)
        await world.start()
        await trio.sleep(900)
        world.stop()
        await world.ended()
    told = world.seen(AccountNotReady)
    pauses = [after.seconds - before.seconds for before, after in pairwise(told)]
    assert 4 <= len(told) <= 6
    assert all(after > before for before, after in pairwise(pauses))
    assert len(world.seen(ChildStarting, lambda event: event.child == "account:main")) > len(told)


# Balances that nothing explains


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (UnexplainedBalances.REPORT, None),
        (UnexplainedBalances.REDUCE_ONLY, TradingState.REDUCE_ONLY),
        (UnexplainedBalances.HALT, TradingState.HALTED),
    ],
)
def test_difference_that_arose_between_two_runs_is_named_before_anything_is_quoted(
    policy: UnexplainedBalances, state: TradingState | None
) -> None:
    """Pains 10 and 29."""

    async def body(world: World) -> None:
        with_account(world, unexplained_balances=policy)
        await world.start()
        await finish(world)
        world.exchange.withdraw("BTC", Decimal("0.01"))
        placed = orders_at_the_exchange(world)
        at_naming: list[tuple[int, int]] = []

        def look(event: object) -> None:
            if isinstance(event, BalanceDiffers):
                at_naming.append((orders_at_the_exchange(world), len(world.seen(AccountReady))))

        world.observers.append(look)
        await world.start()
        differs = await world.wait_for(BalanceDiffers)
        assert (differs.asset, differs.difference) == ("BTC", Decimal("-0.01"))
        assert at_naming == [(placed, 1)], "the first run's readiness alone"
        await trio.sleep(QUIET_SECONDS)
        if state is None:
            assert not world.seen(StateEntered)
        else:
            assert [(event.scope, event.state) for event in world.seen(StateEntered)] == [("account:main", state)]
            assert orders_at_the_exchange(world) == placed
            assert world.runtime is not None
            world.runtime.tree.states.enter("account:main", TradingState.RUN, "")
        await finish(world)
        await world.start()  # told once, and reckoned with
        await finish(world)
        assert len(world.seen(BalanceDiffers)) == 1

    run_world(body, seed=504, simulation=NO_TAKERS)


@scenario(seed=505, simulation=NO_TAKERS)
async def test_withdrawal_while_a_quote_rests_is_named_within_two_comparisons_and_the_quote_stays(world: World) -> None:
    await world.start(timing=AccountTiming(reconcile_seconds=30.0))
    await placed_sell(world)
    world.exchange.withdraw("USDT", Decimal(7))
    differs = await world.wait_for(BalanceDiffers, within_seconds=45)
    assert (differs.asset, differs.difference) == ("USDT", Decimal(-7))
    assert len(world.our_open_orders()) == 1
    await finish(world)


@scenario(seed=506, simulation=NO_TAKERS)
async def test_trade_by_hand_explains_its_balances_and_is_told(world: World) -> None:
    await world.start(timing=AccountTiming(reconcile_seconds=5.0))
    await placed_sell(world)
    trade_by_hand(world, Side.SELL, "0.01")
    await world.wait_for(ForeignFillSeen, within_seconds=6)
    await trio.sleep(QUIET_SECONDS)
    await finish(world)
    assert not world.seen(BalanceDiffers)
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


@scenario(seed=507, simulation=NO_TAKERS)
async def test_trade_by_hand_while_nobody_was_there_is_found_and_explains_its_balances(world: World) -> None:
    await world.start()
    await finish(world)
    trade_by_hand(world, Side.BUY, "0.01")
    await trio.sleep(600)
    await world.start()
    await finish(world)
    assert len(world.seen(ForeignFillSeen)) == 1
    assert not world.seen(BalanceDiffers)


@scenario(seed=508, simulation=NO_TAKERS)
async def test_trade_by_hand_before_the_first_run_ever_is_no_difference_of_a_later_one(world: World) -> None:
    trade_by_hand(world, Side.BUY, "0.01")
    await trio.sleep(60)
    await world.start()
    await finish(world)
    await world.start()
    await finish(world)
    assert not world.seen(ForeignFillSeen)
    assert not world.seen(BalanceDiffers)


@pytest.mark.parametrize("exchange", ["okx_swap", "gateio_futures"])
def test_position_sold_by_hand_is_told_to_the_strategy_with_the_trade_and_its_round_ends_for_it(exchange: str) -> None:
    async def body(world: World) -> None:
        await world.start(timing=AccountTiming(reconcile_seconds=5.0))
        await placed_sell(world)
        assert world.runtime is not None
        memory = world.runtime.tree.cycles["btc"].memory
        believed = memory.position
        assert believed is not None
        sold = believed - Decimal("0.01")
        trade_by_hand(world, Side.SELL, "0.01")
        await world.wait_for(ForeignFillSeen, within_seconds=6)
        await world.wait_until(lambda: memory.position == sold, within_seconds=1)
        report = await world.ended()
        assert report is not None
        assert "closed by somebody else" in report.reason
        assert not world.seen(BalanceDiffers)

    run_world(body, seed=509, simulation=NO_TAKERS, exchange_name=exchange)


@pytest.mark.parametrize("exchange", ["okx_swap", "gateio_futures"])
def test_round_whose_position_is_gone_ends_again_at_the_next_start_with_nothing_sent(exchange: str) -> None:
    async def body(world: World) -> None:
        await world.start()
        await placed_sell(world)
        assert world.runtime is not None
        held = world.runtime.tree.cycles["btc"].memory.position
        assert held is not None
        trade_by_hand(world, Side.SELL, str(held))
        await world.ended()
        submitted = len(world.seen(OrderSubmitted))
        await world.start()
        report = await world.ended()
        assert report is not None
        assert "closed by somebody else" in report.reason
        assert len(world.seen(OrderSubmitted)) == submitted

    run_world(body, seed=510, simulation=NO_TAKERS, exchange_name=exchange)


@pytest.mark.parametrize("exchange", ["okx_swap", "gateio_futures"])
def test_rounds_in_contracts_and_their_rounded_prices_are_no_difference(exchange: str) -> None:
    async def body(world: World) -> None:
        trade_by_hand(world, Side.BUY, "0.0137")
        await world.start(cycles=3, timing=AccountTiming(reconcile_seconds=3.0))
        for _ in range(3):
            await fill_quote(world)
            await trio.sleep(15)
        await world.end()
        await world.start()
        await fill_quote(world)
        await world.end()
        assert not world.seen(BalanceDiffers)

    run_world(body, seed=510, simulation=NO_TAKERS, exchange_name=exchange)


# Orders of others


@scenario(seed=511, simulation=NO_TAKERS)
async def test_foreign_order_seen_at_the_start_halts_the_account_that_asks_for_it_and_is_not_touched(world: World) -> None:
    foreign = foreign_order(world)
    with_account(world, foreign_orders=ForeignOrders.HALT)
    await world.start()
    entered = await world.wait_for(StateEntered)
    assert (entered.scope, entered.state) == ("account:main", TradingState.HALTED)
    assert str(foreign.id) in entered.reason
    await trio.sleep(QUIET_SECONDS)
    assert orders_at_the_exchange(world) == 1
    assert world.runtime is not None
    world.runtime.tree.states.enter("account:main", TradingState.RUN, "")
    await finish(world)
    assert len(world.seen(StateEntered)) == 2, "once for each order"
    assert foreign.is_open


@scenario(seed=512, simulation=NO_TAKERS)
async def test_foreign_order_that_comes_later_pulls_our_quote(world: World) -> None:
    with_account(world, foreign_orders=ForeignOrders.HALT)
    await world.start(timing=AccountTiming(reconcile_seconds=5.0))
    await placed_sell(world)
    foreign = foreign_order(world)
    await world.wait_for(StateEntered, within_seconds=6)
    await world.wait_until(lambda: not world.our_open_orders(), within_seconds=2)
    assert foreign.is_open
    world.stop()
    await world.end()


@scenario(seed=513, simulation=NO_TAKERS)
async def test_foreign_order_is_only_reported_otherwise(world: World) -> None:
    foreign = foreign_order(world)
    await world.start()
    await finish(world)
    assert len(world.seen(ForeignOrderSeen)) == 1
    assert not world.seen(StateEntered)
    assert foreign.is_open


@scenario(seed=514, simulation=NO_TAKERS)
async def test_order_of_an_adopted_installation_is_cancelled_at_the_start_confirmed_and_stated(world: World) -> None:
    leftover = foreign_order(world, "t-old1-btc-4emintw000")
    foreign = foreign_order(world, "t-old2-btc-4emintw000")
    with_runtime(world, adopted_installations=("old1",))
    await world.start()
    await world.wait_for(AccountReady)
    assert not leftover.is_open
    assert foreign.is_open
    [found] = world.seen(LeftoverOrderFound)
    assert found.order.client_order_id == "old1-btc-4emintw000"
    assert found.order.request.owner == "old1-btc", "nobody's here, also not the cycle's of the same name"
    assert world.account.ledger.order("old1-btc-4emintw000") is not None
    await finish(world)
    assert world.report is not None
    assert "old1-btc-4emintw000" in [order.client_order_id for order in world.report.orders["main"]]
    assert [event.report.client_order_id for event in world.seen(ForeignOrderSeen)] == ["old2-btc-4emintw000"]


@scenario(seed=519, simulation=NO_TAKERS)
async def test_second_program_of_the_same_installation_is_told_of_once_and_what_a_former_run_left_is_not_one(world: World) -> None:
    def placed_by(started_milliseconds: int) -> Order:
        ids = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=started_milliseconds)
        return foreign_order(world, f"t-{ids.next_id()}")

    placed_by(world.wall_clock.milliseconds() - 60_000)
    await world.start()
    await placed_sell(world)
    assert world.seen(LeftoverOrderFound)
    assert not [event for event in world.seen(AccountTrouble) if "only program" in event.doing]
    others = [placed_by(world.wall_clock.milliseconds() + number) for number in range(2)]
    await trio.sleep(QUIET_SECONDS)
    [told] = [event for event in world.seen(AccountTrouble) if "only program" in event.doing]
    assert (others[0].client_id or "").removeprefix("t-") in told.reason
    assert "stop one of them" in told.reason
    world.stop()
    await world.end()


@scenario(seed=516, simulation=NO_TAKERS)
async def test_order_of_a_former_run_that_arrives_after_the_sweep_is_cancelled_too(world: World) -> None:
    await world.start()
    await placed_sell(world)
    ids = ClientOrderIds(installation="mm", owner="btc", run_started_milliseconds=world.wall_clock.milliseconds() - 60_000)
    late = foreign_order(world, f"t-{ids.next_id()}")
    await world.wait_for(LeftoverOrderFound)
    await world.wait_until(lambda: late.client_id not in world.our_open_orders(), within_seconds=5)
    assert len(world.our_open_orders()) == 1, "our own quote stays"
    world.stop()
    await world.end()


# Fills, once


@scenario(seed=515, simulation=NO_TAKERS)
async def test_fills_that_are_listed_again_with_each_start_are_counted_once(world: World) -> None:
    """Pain 11: the same fills reconciled again after each restart."""
    for _ in range(3):
        await world.start()
        await finish(world)
    trades = sorted(str(trade.id) for trade in world.exchange.trades())
    assert sorted(row[0] for row in world.journal_rows("SELECT trade_id FROM fills")) == trades
    assert not world.seen(BalanceDiffers)
    assert not world.seen(ForeignFillSeen)


@pytest.mark.parametrize("milliseconds", [-1, 0, 1])
def test_trade_by_hand_at_the_very_millisecond_until_which_all_were_known_is_counted_once(milliseconds: int) -> None:
    async def body(world: World) -> None:
        await world.start(timing=AccountTiming(reconcile_seconds=3.0))
        await placed_sell(world)
        await trio.sleep(10)
        known_until = world.account.memory.trades_known_until_milliseconds
        assert known_until is not None
        world.exchange.drop_private_events(1_000)  # so that only the list tells
        trade_by_hand(world, Side.SELL, "0.01", at_milliseconds=known_until + milliseconds)
        await world.wait_for(ForeignFillSeen, within_seconds=4)
        world.exchange.drop_private_events(0)
        await trio.sleep(30)
        await finish(world)
        await world.start()
        await finish(world)
        assert len(world.seen(ForeignFillSeen)) == 1
        assert not world.seen(BalanceDiffers)

    run_world(body, seed=516, simulation=NO_TAKERS)


@pytest.mark.parametrize(("milliseconds", "counts"), [(-1, False), (0, True)])
def test_trade_by_hand_counts_from_the_very_millisecond_on_at_which_counting_began(milliseconds: int, counts: bool) -> None:
    async def body(world: World) -> None:
        await world.start(timing=AccountTiming(reconcile_seconds=3.0))
        await world.wait_for(AccountReady)
        [(since,)] = world.journal_rows("SELECT since FROM countings")
        world.exchange.drop_private_events(1_000)
        trade_by_hand(world, Side.BUY, "0.01", at_milliseconds=since + milliseconds)
        world.exchange.drop_private_events(0)
        await trio.sleep(QUIET_SECONDS)
        assert bool(world.seen(ForeignFillSeen)) is counts
        assert bool(world.seen(BalanceDiffers)) is not counts
        world.stop()
        await world.end()

    run_world(body, seed=519, simulation=NO_TAKERS)


@scenario(seed=520, simulation=NO_TAKERS)
async def test_trade_by_hand_of_which_the_stream_was_silent_is_looked_for_before_a_difference_is_named(world: World) -> None:
    await world.start(timing=AccountTiming(reconcile_seconds=1_000.0))
    await placed_sell(world)
    world.exchange.drop_private_events(1_000)
    trade_by_hand(world, Side.SELL, "0.01")
    world.exchange.drop_private_events(0)
    await finish(world)
    assert len(world.seen(ForeignFillSeen)) == 1
    assert not world.seen(BalanceDiffers)
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


# Orders of unknown fate


@scenario(seed=517, simulation=NO_TAKERS)
async def test_symbol_is_reduced_only_while_an_order_stays_unknown_and_a_person_is_told(world: World) -> None:
    world.exchange.lose_answers(Operation.PLACE)
    world.exchange.drop_private_events(1_000)
    await world.start(timing=AccountTiming(unknown_patience_seconds=3.0))
    await world.wait_for(OrderSubmitted)
    world.exchange.delay_answers(Operation.QUERY, 4.0)
    await world.wait_for(OrderFateUnknown)
    still = await world.wait_for(OrderStillUnknown)
    [placed] = world.seen(RestraintPlaced, lambda event: event.scope == "symbol:main:BTC/USDT")
    assert placed.state is TradingState.REDUCE_ONLY
    assert still.asked == "place"
    world.exchange.clear_faults()
    learned = await world.wait_for(OrderFateLearned)
    assert learned.client_order_id == still.client_order_id
    [lifted] = world.seen(RestraintLifted, lambda event: event.scope == "symbol:main:BTC/USDT")
    assert time_of(world, lifted) == time_of(world, world.seen(OrderPlaced)[0]), "in the moment in which it is known"
    await finish(world)


# Trouble, not a flood


@scenario(seed=518, simulation=NO_TAKERS)
async def test_trouble_with_balances_is_told_with_growing_pauses_while_nobody_answers(world: World) -> None:
    await world.start(timing=AccountTiming(reconcile_seconds=1_000.0), dead_mans_switch_seconds=0)
    sell = await placed_sell(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountSession, "balances", _unanswered)
        world.exchange.fill_order(exchange_id(sell))
        await trio.sleep(60)
    troubles = world.seen(AccountTrouble, lambda event: event.doing == "fetching balances")
    assert 5 <= len(troubles) <= 25
    await world.end()
    assert world.seen(AccountReconciled)
