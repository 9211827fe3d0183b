"""What the private stream does not tell: each way of learning it all the same, with every other one out of reach."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from private_line import PRIVATE_HOST, open_private_line
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, World, scenario

from actors.accounts.events import AccountConnected, AccountDisconnected, AccountReconciled, ClockOffsetMeasured, OrderRefused
from actors.accounts.timing import AccountTiming
from assembly.presenter.report import ExitStatus
from market.events import Side
from orders.events import BalanceChanged, OrderEnded, OrderFateUnknown, OrderFilled, OrderPlaced
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleReconciled
from supervision.events import SupervisorStopping

NEVER = 1_000_000.0
TEN_MINUTES_MILLISECONDS = 600_000


def fill_unheard(world: World, sell: Order) -> None:
    """The order fills, and the stream loses every word about it."""
    world.exchange.drop_private_events(1_000)
    world.exchange.fill_order(exchange_id(sell))
    world.exchange.drop_private_events(0)


def time_of(world: World, wanted: object) -> float:
    return next(time for time, event in world.events if event is wanted)


@scenario(seed=111, simulation=NO_TAKERS)
async def test_fill_of_which_the_stream_was_silent_is_learned_when_the_stream_is_opened_anew(world: World) -> None:
    world.exchange.freeze_flow()
    url = await open_private_line(world)
    timing = AccountTiming(reconcile_seconds=NEVER, poll_seconds=NEVER)
    await world.start(private_websocket_url=url, timing=timing)
    sell = await placed_sell(world)
    fill_unheard(world, sell)
    await trio.sleep(100)
    assert not world.seen(OrderFilled, is_sell), "nothing but a new stream can reveal it"
    world.network.drop_connections(PRIVATE_HOST)
    await world.wait_for(OrderFilled, is_sell, within_seconds=3)
    assert len(world.seen(AccountConnected)) == 2
    await world.wait_for(AccountReconciled, lambda event: event.why == "stream is back", within_seconds=1)
    await world.end()


@scenario(seed=112, simulation=NO_TAKERS)
async def test_everything_that_happens_while_the_stream_is_refused_is_learned_over_rest_before_it_is_back(world: World) -> None:
    world.exchange.freeze_flow()
    url = await open_private_line(world)
    await world.start(private_websocket_url=url, timing=AccountTiming(reconcile_seconds=NEVER))
    sell = await placed_sell(world)
    with world.network.refuse(PRIVATE_HOST):
        world.network.drop_connections(PRIVATE_HOST)
        await world.wait_for(AccountDisconnected)
        # A deposit shows in the balances alone: no inquiry about an order reveals it.
        world.exchange.deposit("ETH", Decimal(7))
        await world.wait_for(BalanceChanged, lambda event: event.asset == "ETH" and event.total % 10 == 7, within_seconds=30)
        world.exchange.fill_order(exchange_id(sell))
        await world.wait_for(OrderFilled, is_sell, within_seconds=30)
        await world.ended()
        assert len(world.seen(AccountConnected)) == 1, "the round has ended without the stream"
    await world.end()


@scenario(seed=113, simulation=NO_TAKERS)
async def test_event_lost_by_a_living_stream_is_learned_by_the_periodic_comparison(world: World) -> None:
    world.exchange.freeze_flow()
    await world.start(timing=AccountTiming(reconcile_seconds=30.0))
    sell = await placed_sell(world)
    filled_at = trio.current_time()
    fill_unheard(world, sell)
    filled = await world.wait_for(OrderFilled, is_sell, within_seconds=31)
    seconds = time_of(world, filled) - filled_at
    assert seconds == pytest.approx(30, abs=3), "by nothing sooner, and no later"
    assert not world.seen(AccountDisconnected)
    await world.wait_for(AccountReconciled, lambda event: event.why == "periodic", within_seconds=1)
    await world.end()


@scenario(seed=114, simulation=NO_TAKERS)
async def test_exchanges_clock_that_jumps_in_mid_run_is_measured_anew_and_no_order_is_refused(world: World) -> None:
    world.exchange.freeze_flow()
    # Without a switch to renew and without comparisons nothing is signed until the next order.
    timing = AccountTiming(clock_seconds=60.0, reconcile_seconds=NEVER)
    await world.start(timing=timing, dead_mans_switch_seconds=0)
    await placed_sell(world)
    world.exchange.skew_clock(TEN_MINUTES_MILLISECONDS)
    await world.wait_for(ClockOffsetMeasured, lambda event: event.offset_milliseconds > TEN_MINUTES_MILLISECONDS - 1_000, within_seconds=61)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert [event.order.state for event in world.seen(OrderEnded)] == [OrderState.FILLED, OrderState.CANCELLED, OrderState.FILLED]
    assert not world.seen(OrderRefused)


@scenario(seed=115, simulation=NO_TAKERS)
async def test_orders_go_on_at_once_after_the_exchanges_clock_has_jumped(world: World) -> None:
    """Before it is measured again, each refusal for the time of a request is what has it measured."""
    world.exchange.freeze_flow()
    await world.start(timing=AccountTiming(clock_seconds=NEVER, reconcile_seconds=NEVER), dead_mans_switch_seconds=0)
    await placed_sell(world)
    world.exchange.skew_clock(TEN_MINUTES_MILLISECONDS)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    second = await placed_sell(world, 2)
    world.exchange.skew_clock(-TEN_MINUTES_MILLISECONDS)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert not world.seen(OrderFateUnknown)
    assert len(world.seen(OrderPlaced, lambda event: event.order.request.side is Side.SELL)) == 2


@scenario(seed=116, simulation=NO_TAKERS)
async def test_gates_are_closed_before_the_tree_stops_by_itself(world: World) -> None:
    found: list[str | None] = []

    def look(event: object) -> None:
        if isinstance(event, SupervisorStopping) and event.supervisor == "root":
            found.append(world.account.gate.closed_reason)

    world.observers.append(look)
    await world.start(cycles=1)
    sell = await placed_sell(world)
    world.exchange.fill_order(exchange_id(sell))
    await world.end()
    assert len(world.seen(CycleReconciled)) == 1
    assert len(found) == 1
    assert found[0] is not None


@scenario(seed=117, simulation=NO_TAKERS)
async def test_gates_are_closed_before_the_tree_stops_because_it_gives_up(world: World) -> None:
    found: list[str | None] = []

    def look(event: object) -> None:
        if isinstance(event, SupervisorStopping) and event.supervisor == "root":
            found.append(world.account.gate.closed_reason)

    world.observers.append(look)
    await world.start(cycles=0)
    for count in range(1, 7):
        await placed_sell(world, count)
        world.crash_account()
    await world.end(status=ExitStatus.FAILED)
    assert len(found) == 1
    assert found[0] is not None
