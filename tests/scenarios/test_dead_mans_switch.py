"""The exchange's own switch: it cancels when it no longer hears from us, and is disarmed when we leave in order."""

from __future__ import annotations

from decimal import Decimal

import trio
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, World, scenario

from actors.accounts.events import DeadMansSwitchArmed, DeadMansSwitchDisarmed
from market.events import Side
from orders.events import OrderEnded, OrderSubmitted
from orders.life_cycle import OrderState
from simulated.engine.order import NewOrder
from simulated.faults import Operation


@scenario(seed=101, simulation=NO_TAKERS)
async def test_switch_is_armed_before_the_first_order(world: World) -> None:
    world.exchange.fail_before_accepting(Operation.CANCEL, count=6)  # arming is counted among the cancels
    await world.start(cycles=0)
    await placed_sell(world)
    times = {type(event): time for time, event in reversed(world.events)}
    assert times[DeadMansSwitchArmed] < times[OrderSubmitted]
    world.stop()
    await world.end()


@scenario(seed=102, simulation=NO_TAKERS)
async def test_exchange_cancels_our_orders_when_it_no_longer_hears_from_us(world: World) -> None:
    world.exchange.freeze_flow()
    await world.start(cycles=1)
    await placed_sell(world)
    await trio.sleep(120)
    assert world.our_open_orders(), "while we live, it is renewed"
    with world.network.partition("exchange.sim"):
        await trio.sleep(35)
        world.check_nothing_is_open()
    await world.wait_for(OrderEnded, lambda event: is_sell(event) and event.order.state is OrderState.CANCELLED)
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()


@scenario(seed=103, simulation=NO_TAKERS)
async def test_order_placed_by_hand_after_an_orderly_stop_is_not_cancelled(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    world.stop()
    await world.end()
    assert world.seen(DeadMansSwitchDisarmed)
    by_hand = NewOrder(account="main", symbol=BTC_USDT, side=Side.BUY, price=Decimal(50_000), quantity=Decimal("0.001"), client_id="t-x")
    placed = world.exchange.engine.place(by_hand, world.wall_clock.milliseconds())
    await trio.sleep(120)
    assert [order.id for order in world.exchange.open_orders()] == [placed.id]


@scenario(seed=104, simulation=NO_TAKERS)
async def test_switch_stays_armed_while_orders_may_be_live_after_a_stop(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    world.network.partition("exchange.sim")
    world.stop()
    await world.ended()
    assert world.our_open_orders()
    await trio.sleep(35)
    world.check_nothing_is_open()


@scenario(seed=105, simulation=NO_TAKERS)
async def test_no_switch_is_armed_where_none_is_wanted(world: World) -> None:
    await world.start(cycles=0, dead_mans_switch_seconds=0)
    await placed_sell(world)
    with world.network.partition("exchange.sim"):
        await trio.sleep(60)
        assert world.our_open_orders()
    assert not world.seen(DeadMansSwitchArmed)
    world.stop()
    await world.end()
