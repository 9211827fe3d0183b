"""Actors that die, storms of them, and stops at any moment: no order outlives what placed it."""

from __future__ import annotations

import signal
from decimal import Decimal
from typing import Any, NoReturn

import trio
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, HOST, InjectedCrash, World, scenario

from actors.accounts.credential import Credential
from actors.accounts.events import AccountReconciled, AccountTrouble
from assembly.presenter.report import ExitStatus
from assembly.settings import LimitSettings
from market.events import BookLost, Side
from market.symbol import Symbol
from orders.events import AccountReady, OrderEnded, OrderPlaced
from orders.life_cycle import OrderState
from orders.reconciliation import CycleReconciled, CycleStarted
from simulated.engine.order import NewOrder
from simulated.faults import Operation
from supervision.events import ChildReady, ChildStarting, CleanupFinished, IntensityExceeded


@scenario(seed=41, simulation=NO_TAKERS)
async def test_account_crash_cancels_its_open_order_before_it_restarts_and_the_cycle_goes_on(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.crash_account()
    await world.wait_for(CleanupFinished, lambda event: event.child == "account:main")
    world.check_nothing_is_open()
    assert not world.seen(ChildStarting, lambda event: event.child == "account:main" and event.incarnation == 2)
    await world.wait_for(ChildReady, lambda event: event.child == "account:main" and event.incarnation == 2)
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert len(world.seen(CycleStarted)) == 1, "the round goes on; it does not buy again"


@scenario(seed=42, simulation=NO_TAKERS)
async def test_cycle_crash_cancels_its_orders_and_the_next_incarnation_sells_what_was_bought(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.crash_cycle()
    await world.wait_for(CleanupFinished, lambda event: event.child == "cycle:btc")
    world.check_nothing_is_open()
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert sum(order.side is Side.BUY for order in world.exchange.orders()) == 1, "it does not buy again"
    assert world.seen(CycleReconciled)[0].agrees


@scenario(seed=43, simulation=NO_TAKERS)
async def test_feed_crash_pulls_the_quote_until_the_book_is_back(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.crash_feed()
    await world.wait_for(BookLost)
    await world.wait_for(OrderEnded, lambda event: is_sell(event) and event.order.state is OrderState.CANCELLED)
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()


@scenario(seed=44, simulation=NO_TAKERS)
async def test_book_that_freezes_while_the_socket_is_open_pulls_the_quote(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.withhold_book_updates(BTC_USDT, 1_000_000)
    await world.wait_for(BookLost)
    await world.wait_for(OrderEnded, lambda event: is_sell(event) and event.order.state is OrderState.CANCELLED)
    world.check_nothing_is_open()
    world.exchange.clear_faults()
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()


@scenario(seed=45, simulation=NO_TAKERS)
async def test_storm_of_crashes_escalates_and_everything_is_cancelled(world: World) -> None:
    await world.start()
    for count in range(1, 7):
        await placed_sell(world, count)
        world.crash_account()
    await world.wait_for(IntensityExceeded)
    report = await world.end(status=ExitStatus.FAILED)
    assert "account:main" in report.reason


@scenario(seed=46, simulation=NO_TAKERS)
async def test_stop_cancels_the_open_order_and_confirms_it(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    world.stop()
    report = await world.end()
    assert [order.state for order in report.orders["main"]] == [OrderState.FILLED, OrderState.CANCELLED]


@scenario(seed=47, simulation=NO_TAKERS)
async def test_stop_while_the_exchange_is_unreachable_says_what_may_be_live(world: World) -> None:
    await world.start(cycles=0)
    sell = await placed_sell(world)
    world.network.partition("exchange.sim")
    stopped_at = trio.current_time()
    world.stop()
    report = await world.ended()
    assert report is not None
    assert report.exit_status is ExitStatus.MAY_BE_LIVE
    assert trio.current_time() - stopped_at <= 10.5, "the stop deadline holds"
    assert [order.client_order_id for order in report.orders["main"] if not order.is_terminal] == [sell.client_order_id]
    assert world.our_open_orders() == [f"t-{sell.client_order_id}"]


@scenario(seed=48, simulation=NO_TAKERS)
async def test_restart_of_the_program_sweeps_what_the_last_run_left(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    with world.network.partition("exchange.sim"):
        world.stop()
        await world.ended()
    assert world.our_open_orders()
    await world.start(cycles=1)
    await world.wait_for(AccountReady, count=2)
    world.check_nothing_is_open()
    world.stop()
    report = await world.ended()
    assert report is not None
    assert report.exit_status is ExitStatus.CLEAN
    world.check_nothing_is_open()


@scenario(seed=49, simulation=NO_TAKERS)
async def test_orders_of_others_are_reported_and_never_touched(world: World) -> None:
    foreign = world.exchange.engine.place(
        NewOrder(account="main", symbol=BTC_USDT, side=Side.BUY, price=Decimal(50_000), quantity=Decimal("0.001"), client_id="t-x"),
        world.wall_clock.milliseconds(),
    )
    await world.start(cycles=0)
    await placed_sell(world)
    world.stop()
    await world.ended()
    assert [order.id for order in world.exchange.open_orders()] == [foreign.id]


@scenario(seed=50, simulation=NO_TAKERS)
async def test_stop_with_a_placement_under_way_waits_for_its_fate(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(CycleStarted)
    world.exchange.delay_answers(Operation.PLACE, 2.0, 1)
    await trio.sleep(0.1)
    world.stop()
    await world.end()


@scenario(seed=51)
async def test_insufficient_balance_ends_the_cycle_with_a_clear_reason_and_nothing_sent(world: World) -> None:
    await world.start(quantity="20000")
    report = await world.end(status=ExitStatus.FAILED)
    assert "needs 20000 USDT" in report.reason
    assert not world.exchange.orders()


@scenario(seed=52)
async def test_quantity_below_the_minimum_notional_is_a_usage_error_and_nothing_is_sent(world: World) -> None:
    await world.start(quantity="2")
    report = await world.end(status=ExitStatus.USAGE)
    assert "below the minimum of 3 USDT" in report.reason
    assert not world.exchange.orders()


@scenario(seed=53)
async def test_unknown_symbol_is_a_usage_error_that_names_near_ones(world: World) -> None:
    await world.start(symbol=Symbol("BTT", "USDT"))
    report = await world.end(status=ExitStatus.USAGE)
    assert "BTC/USDT" in report.reason
    assert not world.exchange.orders()


@scenario(seed=54)
async def test_refused_credential_is_a_usage_error_and_not_tried_again(world: World) -> None:
    await world.start(credential=Credential(key="simulated-key-main", secret="wrong"))
    report = await world.end(status=ExitStatus.USAGE)
    assert "credential" in report.reason
    assert "wrong" not in report.reason


@scenario(seed=55)
async def test_limit_on_order_notional_refuses_the_order_before_it_is_sent(world: World) -> None:
    await world.start(limits=LimitSettings(max_order_notional=Decimal(50)))
    report = await world.end(status=ExitStatus.FAILED)
    assert "max_order_notional" in report.reason
    assert not world.exchange.orders()


@scenario(seed=56)
async def test_run_time_over_stops_in_order(world: World) -> None:
    await world.start(cycles=0, run_for_seconds=20)
    report = await world.end()
    assert "20 s are over" in report.reason


@scenario(seed=57)
async def test_maintenance_in_the_middle_of_a_run_is_waited_for(world: World) -> None:
    await world.start(cycles=2)
    await world.wait_for(OrderPlaced)
    world.exchange.start_maintenance()
    world.exchange.disconnect_all()
    await trio.sleep(60)
    world.exchange.end_maintenance()
    await world.end(within_seconds=300)
    assert len(world.seen(CycleReconciled)) == 2


@scenario(seed=58)
async def test_clock_that_is_wrong_by_minutes_is_corrected_before_anything_is_signed(world: World) -> None:
    world.exchange.skew_clock(-300_000)
    await world.start()
    await world.end()


@scenario(seed=59)
async def test_two_cycles_on_one_account_reconcile_both(world: World) -> None:
    await world.start(cycles=3, names=("one", "two"))
    await world.end(within_seconds=600)
    assert len(world.seen(CycleReconciled)) == 6


@scenario(seed=60, simulation=NO_TAKERS)
async def test_stop_that_flattens_sells_what_the_run_bought_and_nothing_else(world: World) -> None:
    before = world.exchange.balances()["BTC"]
    await world.start(cycles=0, flatten_on_stop=True)
    sell = await placed_sell(world)
    world.exchange.fill_order(exchange_id(sell), Decimal("0.0006"))
    world.stop()
    report = await world.end()
    flattening = report.orders["main"][-1]
    assert flattening.request.tag == "flatten"
    assert flattening.state is OrderState.FILLED
    assert sell.request.quantity is not None
    assert flattening.filled_quantity == sell.request.quantity - Decimal("0.0006")
    available, locked = world.exchange.balances()["BTC"]
    assert locked == 0
    assert 0 <= available - before[0] < Decimal("0.000001"), "less than one step of what it bought is left"


@scenario(seed=61, simulation=NO_TAKERS)
async def test_several_open_orders_are_cancelled_in_one_batch_at_a_stop(world: World) -> None:
    await world.start(cycles=0, names=("one", "two", "three"))
    await placed_sell(world, 3)
    world.stop()
    await world.end()


@scenario(seed=62, simulation=NO_TAKERS)
async def test_account_that_dies_of_a_command_before_writing_it_down_does_not_silence_the_cycle(world: World) -> None:
    await world.start()
    await placed_sell(world)
    ledger = world.account.ledger
    record_intent = ledger.record_intent

    def die_once(*_: Any, **__: Any) -> NoReturn:
        ledger.record_intent = record_intent
        raise InjectedCrash("before the intent was written down")

    ledger.record_intent = die_once
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    second = await placed_sell(world, 2, within_seconds=30)
    world.exchange.fill_order(exchange_id(second))
    await world.end()


@scenario(seed=63, simulation=NO_TAKERS)
async def test_program_started_again_in_the_same_moment_gives_new_order_ids(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    world.cancel()
    await world.ended()
    first_run = {order.client_id for order in world.exchange.orders()}
    world.lose_journal()
    await world.start(cycles=0)
    await placed_sell(world, 2)
    world.stop()
    await world.ended()
    second_run = [order.client_id for order in world.exchange.orders() if order.client_id not in first_run]
    assert len(second_run) >= 2
    world.check_nothing_is_open()


@scenario(seed=64, simulation=NO_TAKERS)
async def test_single_refused_signature_in_mid_run_is_borne_and_a_revoked_credential_ends_the_run(world: World) -> None:
    world.exchange.freeze_flow()
    await world.start(cycles=0, dead_mans_switch_seconds=0)
    await placed_sell(world)
    credential, secret = world.account.credential, world.account.credential.secret
    await world.wait_for(AccountReconciled, lambda event: event.why == "periodic")
    credential.secret = "spoilt on its way"
    await world.wait_for(AccountTrouble, lambda event: "INVALID_SIGNATURE" in event.reason)
    credential.secret = secret
    await world.wait_for(AccountReconciled, lambda event: event.why == "periodic", count=2)
    assert not world.runtime_is_stopping()
    credential.secret = "revoked"
    await world.wait_until(world.runtime_is_stopping)
    credential.secret = secret  # so that the stop can cancel
    report = await world.end(status=ExitStatus.USAGE)
    assert "credential" in report.reason


@scenario(seed=51, simulation=NO_TAKERS)
async def test_signals_go_the_way_of_the_programs_own_handler_pause_go_on_and_stop_in_order(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    assert world.signal(signal.SIGUSR1)
    await world.wait_until(lambda: not world.our_open_orders())
    assert world.signal(signal.SIGUSR2)
    await world.wait_until(lambda: bool(world.our_open_orders()))
    assert world.signal(signal.SIGTERM)
    report = await world.end()
    assert report.reason == "SIGTERM received"
    assert not world.signal(signal.SIGTERM), "nobody is there to take it"


@scenario(seed=52, simulation=NO_TAKERS)
async def test_third_signal_ends_a_stop_that_hangs_with_a_statement_of_what_may_be_live(world: World) -> None:
    await world.start(cycles=0)
    sell = await placed_sell(world)
    world.network.stall(HOST)
    for _ in range(3):
        assert world.signal(signal.SIGINT)
        await trio.sleep(1.1)
    assert not world.is_running
    assert world.forced is not None
    assert world.forced.exit_status is ExitStatus.MAY_BE_LIVE
    assert sell.client_order_id in [order.client_order_id for order in world.forced.orders["main"] if not order.is_terminal]
    assert world.our_open_orders() == [f"t-{sell.client_order_id}"]
    world.network.repair()
    await world.start()  # the next run finds what was left
    await world.wait_until(lambda: f"t-{sell.client_order_id}" not in world.our_open_orders())
    world.stop()
    await world.end()
