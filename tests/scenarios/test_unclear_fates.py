"""Placements and cancellations whose answer is lost, late or wrong: unknown is a state, and no order is ever lost or doubled."""

from __future__ import annotations

from decimal import Decimal

import trio
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, World, scenario

from market.events import Side
from orders.events import OrderCancelRequested, OrderEnded, OrderFateUnknown, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleReconciled
from simulated.faults import Operation


def orders_at_the_exchange(world: World, side: Side) -> int:
    return sum(order.side is side for order in world.exchange.orders())


def ended(world: World) -> list[Order]:
    return [event.order for event in world.seen(OrderEnded)]


@scenario(seed=21, both_ways=True)
async def test_placement_that_times_out_but_was_accepted_is_found_and_not_placed_again(world: World) -> None:
    world.exchange.lose_answers(Operation.PLACE)
    world.exchange.drop_private_events(1_000)
    await world.start()
    await world.wait_for(OrderFateUnknown)
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1
    assert len(world.seen(CycleReconciled)) == 1


@scenario(seed=22, both_ways=True)
async def test_placement_that_times_out_and_was_not_accepted_is_rejected_only_after_its_expiry(world: World) -> None:
    # The request is held up on its way for longer than its own expiry: the exchange refuses it when it arrives.
    world.exchange.delay_requests(Operation.PLACE, 8.0, 1)
    await world.start()
    unknown = await world.wait_for(OrderFateUnknown)
    rejected = await world.wait_for(OrderEnded)
    assert rejected.order.client_order_id == unknown.order.client_order_id
    assert rejected.order.state is OrderState.REJECTED
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1, "only the second attempt reached the book"


@scenario(seed=23, both_ways=True)
async def test_placement_answered_with_a_server_error_after_it_was_accepted_is_unknown_until_found(world: World) -> None:
    world.exchange.fail_after_accepting(Operation.PLACE)
    world.exchange.drop_private_events(1_000)
    await world.start()
    await world.wait_for(OrderFateUnknown)
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1


@scenario(seed=24, both_ways=True)
async def test_placement_answered_with_a_server_error_before_it_was_accepted_is_tried_anew_once_it_is_known(world: World) -> None:
    world.exchange.fail_before_accepting(Operation.PLACE)
    await world.start()
    await world.wait_for(OrderFateUnknown)
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1
    assert ended(world)[0].state is OrderState.REJECTED


@scenario(seed=25, simulation=NO_TAKERS, both_ways=True)
async def test_cancel_that_races_a_fill_counts_the_fill_once_and_sells_nothing_twice(world: World) -> None:
    await world.start()
    sell = await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 0.5, 1)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await world.wait_for(OrderCancelRequested)
    world.exchange.fill_order(exchange_id(sell))
    await world.end()
    assert [order.state for order in ended(world) if order.request.side is Side.SELL] == [OrderState.FILLED]
    assert len(world.seen(OrderFilled, is_sell)) == 1


@scenario(seed=26, simulation=NO_TAKERS, both_ways=True)
async def test_cancel_that_races_a_partial_fill_leaves_the_rest_to_the_replacement(world: World) -> None:
    await world.start()
    sell = await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 0.5, 1)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await world.wait_for(OrderCancelRequested)
    world.exchange.fill_order(exchange_id(sell), Decimal("0.0005"))
    second = await placed_sell(world, 2)
    assert sell.request.quantity is not None
    assert second.request.quantity == sell.request.quantity - Decimal("0.0005")
    world.exchange.fill_order(exchange_id(second))
    await world.end()


@scenario(seed=27, simulation=NO_TAKERS, both_ways=True)
async def test_cancel_whose_answer_is_lost_is_found_to_have_happened(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.lose_answers(Operation.CANCEL)
    world.exchange.drop_private_events(3)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()


@scenario(seed=28, both_ways=True)
async def test_private_events_that_come_twice_and_out_of_order_change_nothing(world: World) -> None:
    world.exchange.delay_private_events(0.05, jitter_seconds=0.5)
    world.exchange.duplicate_private_events(50)
    world.exchange.reorder_private_events(50)
    await world.start(cycles=3)
    await world.end()
    assert len(world.seen(CycleReconciled)) == 3
    fills = [(event.order.client_order_id, event.fill.trade_id) for event in world.seen(OrderFilled)]
    assert len(fills) == len(set(fills))


@scenario(seed=29, both_ways=True)
async def test_cycle_completes_over_rest_when_the_private_stream_tells_nothing(world: World) -> None:
    world.exchange.drop_private_events(10_000)
    await world.start()
    await world.end()
    assert len(world.seen(CycleReconciled)) == 1


@scenario(seed=30, both_ways=True)
async def test_placement_refused_by_the_rate_limit_is_not_unknown_and_the_cycle_completes(world: World) -> None:
    await world.start()
    await world.wait_for(OrderSubmitted)
    world.exchange.rate_limit_for(3.0)
    await trio.sleep(5)
    await world.end()
    assert len(world.seen(CycleReconciled)) == 1
    assert not world.seen(OrderFateUnknown)


@scenario(seed=31, both_ways=True)
async def test_connection_lost_in_the_middle_of_a_buy_is_recovered_over_rest_and_the_cycle_completes(world: World) -> None:
    await world.start()
    await world.wait_for(OrderSubmitted)
    world.network.drop_connections("exchange.sim")
    with world.network.refuse("exchange.sim"):
        await trio.sleep(4)
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) >= 1
    assert len(world.seen(CycleReconciled)) == 1


@scenario(seed=32, simulation=NO_TAKERS, both_ways=True)
async def test_fill_during_a_partition_is_learned_when_it_ends(world: World) -> None:
    await world.start()
    sell = await placed_sell(world)
    with world.network.partition("exchange.sim"):
        await trio.sleep(1)
        world.exchange.fill_order(exchange_id(sell))
        await trio.sleep(30)
    await world.end()
    assert len(world.seen(OrderPlaced, is_sell)) == 1
