"""What random worlds and critical reading have found, each kept as the shortest story that shows it.

Which seed found what is told in docs/found_by_simulation.md.
"""

from __future__ import annotations

from decimal import Decimal

import trio
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, HOST, World, scenario

from actors.accounts.events import AccountDisconnected, AccountReconciled, ClockOffsetMeasured
from actors.cycle.sell_on_top import SellOnTopParameters
from assembly.presenter.report import ExitStatus
from market.events import Side
from orders.events import OrderEnded, OrderFateUnknown, OrderFilled, OrderSubmitted
from orders.life_cycle import OrderState
from orders.reconciliation import CycleReconciled, CycleStarted
from simulated.faults import Operation
from supervision.events import ChildHung, CleanupStarted, CleanupTimedOut, IntensityExceeded


@scenario(seed=194, simulation=NO_TAKERS)
async def test_acknowledged_order_that_queries_do_not_find_yet_is_not_taken_for_ended(world: World) -> None:
    world.exchange.hide_new_orders(0.9)
    await world.start()
    sell = await placed_sell(world)
    world.exchange.garble_private_events(1)
    world.exchange.fill_order(exchange_id(sell), Decimal("0.0005"))
    await world.wait_for(AccountReconciled, lambda event: event.why == "a frame could not be read")
    assert world.our_open_orders() == [f"t-{sell.client_order_id}"]
    assert [order.client_order_id for order in world.account.ledger.live_orders()] == [sell.client_order_id]
    world.exchange.fill_order(exchange_id(sell))
    await world.end()


@scenario(seed=80)
async def test_placements_refused_because_the_exchange_clock_jumped_are_repeated_by_the_right_time(world: World) -> None:
    await world.start()
    await world.wait_for(CycleStarted)
    world.exchange.skew_clock(20_000)  # each placement now expires before it arrives; the clock is compared once a minute
    await world.end(within_seconds=30)
    refused = [event.order for event in world.seen(OrderEnded) if event.order.state is OrderState.REJECTED]
    assert refused[0].refused_for_now
    assert len(refused) == 1
    assert len(world.seen(CycleReconciled)) == 1


@scenario(seed=218)
async def test_private_stream_refused_because_the_exchange_clock_jumped_is_opened_by_the_right_time(world: World) -> None:
    await world.start()
    await world.wait_for(ClockOffsetMeasured)
    world.exchange.skew_clock(-90_000)
    await world.wait_for(AccountDisconnected, lambda event: "gap between" in event.reason)
    await world.end()


@scenario(seed=81)
async def test_order_in_doubt_is_not_given_up_while_the_exchange_clock_says_that_it_may_still_be_accepted(world: World) -> None:
    await world.start()
    await world.wait_for(CycleStarted)
    world.exchange.delay_requests(Operation.PLACE, 12.0, 1)
    await world.wait_for(OrderSubmitted)
    await trio.sleep(0.5)
    world.exchange.skew_clock(-20_000)  # by its own clock the order has not expired when it comes at last
    unknown = await world.wait_for(OrderFateUnknown)
    await world.end()
    ended = [event.order for event in world.seen(OrderEnded) if event.order.request.side is Side.BUY]
    assert [(order.client_order_id, order.state) for order in ended] == [(unknown.order.client_order_id, OrderState.FILLED)]


@scenario(seed=7, simulation=NO_TAKERS)
async def test_buy_that_would_trade_with_the_sell_of_a_sister_cycle_waits_until_it_would_not(world: World) -> None:
    await world.start(cycles=2, names=("one", "two"), parameters=SellOnTopParameters(retry_seconds=0.2))
    first = await placed_sell(world)
    await placed_sell(world, 2)
    world.exchange.freeze_flow()
    world.exchange.fill_order(exchange_id(first))
    await world.wait_for(OrderEnded, lambda event: event.order.reason == "stp", count=6)
    (sister,) = world.exchange.open_orders()
    world.exchange.fill_order(sister.id)
    await world.wait_for(OrderFilled, lambda event: event.order.request.tag == "2:buy")
    world.stop()
    await world.end()


@scenario(seed=12)
async def test_buys_refused_by_a_long_rate_limit_do_not_end_the_round(world: World) -> None:
    await world.start()
    await world.wait_for(CycleStarted)
    world.exchange.rate_limit_for(25)
    await world.end()
    assert len(world.seen(CycleReconciled)) == 1


@scenario(seed=48, simulation=NO_TAKERS)
async def test_stop_keeps_its_deadline_when_the_exchange_does_not_answer_to_the_disarming_of_the_switch(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    world.exchange.delay_requests(Operation.QUERY, 8.8, None)
    stopped_at = trio.current_time()
    world.stop()
    await trio.sleep(8.4)
    world.exchange.clear_faults()
    world.network.stall(HOST)
    await world.ended()
    assert trio.current_time() - stopped_at <= 10.0


@scenario(seed=610, simulation=NO_TAKERS)
async def test_market_that_moves_through_a_rest_too_small_to_trade_with_goes_on(world: World) -> None:
    await world.start()
    sell = await placed_sell(world)
    assert sell.request.quantity is not None
    world.exchange.fill_order(exchange_id(sell), sell.request.quantity - Decimal("0.00002"))
    world.exchange.move_market(BTC_USDT, Decimal(61_000))  # up, through the 1.2 USDT that are left
    await world.end()
    assert [event.order.state for event in world.seen(OrderEnded, is_sell)] == [OrderState.FILLED]


@scenario(seed=82)
async def test_account_that_waits_long_for_each_of_several_answers_is_not_taken_for_hung(world: World) -> None:
    names = ("a", "b", "c", "d", "e", "f")
    await world.start(cycles=1, names=names, quantity="20")
    await world.wait_for(CycleStarted, count=len(names))
    world.exchange.lose_answers(Operation.PLACE, len(names))
    world.exchange.drop_private_events(1_000)
    await world.wait_for(OrderFateUnknown, count=len(names))
    world.exchange.lose_answers(Operation.QUERY, 60)
    await trio.sleep(150)
    world.exchange.clear_faults()
    await world.end(within_seconds=600)
    assert not world.seen(ChildHung)


@scenario(seed=83)
async def test_balances_that_lag_behind_the_trades_are_asked_for_again_before_a_round_is_called_wrong(world: World) -> None:
    await world.start(cycles=2)
    await world.wait_for(OrderEnded, is_sell)
    world.exchange.deposit("USDT", Decimal(1))  # as if a balance were not yet what the trades have made it
    await trio.sleep(4)
    world.exchange.withdraw("USDT", Decimal(1))
    await world.end()
    assert all(reconciled.agrees for reconciled in world.seen(CycleReconciled))


@scenario(seed=84)
async def test_feed_that_cannot_reach_the_exchange_at_its_start_tries_on_and_does_not_end_the_program(world: World) -> None:
    with world.network.fail_dns(HOST):
        await world.start()
        await trio.sleep(90)
    await world.end()
    assert not world.seen(IntensityExceeded)


@scenario(seed=3833, simulation=NO_TAKERS)
async def test_stop_while_a_crashed_cycle_awaits_an_account_that_has_died_keeps_its_deadline(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 4.0, 2)
    world.crash_cycle()
    await world.wait_for(CleanupStarted, lambda event: event.child == "cycle:btc")
    await trio.sleep(0.1)
    world.crash_account()
    await trio.sleep(0.1)
    world.stop()
    await world.end(within_seconds=10.0)
    assert not world.seen(CleanupTimedOut)


@scenario(seed=3834, simulation=NO_TAKERS)
async def test_crashed_cycle_whose_account_died_over_the_closing_of_its_orders_asks_again_and_goes_on(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 1.0, 2)
    world.crash_cycle()
    await world.wait_for(CleanupStarted, lambda event: event.child == "cycle:btc")
    await trio.sleep(0.1)
    world.crash_account()
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert not world.seen(CleanupTimedOut)


@scenario(seed=6377, simulation=NO_TAKERS)
async def test_stop_while_a_crashed_account_is_being_cleaned_up_in_vain_keeps_its_deadline(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    world.exchange.start_maintenance()
    world.crash_account()  # it tries for ten seconds to do what will kill it
    await trio.sleep(6)
    world.stop()
    stopped_at = trio.current_time()
    await world.wait_for(CleanupStarted, lambda event: event.child == "account:main")
    report = await world.ended()
    assert report is not None
    assert report.exit_status is ExitStatus.MAY_BE_LIVE
    assert trio.current_time() - stopped_at <= 10.0
