"""Orders over the private stream, in the whole program: which way they go, and what becomes of them when the stream is in trouble.

Fates that are unclear whichever way an order went are in `test_unclear_fates`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio
from private_line import PRIVATE_HOST, open_private_line
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, World, run_world, scenario

from actors.accounts.events import AccountConnected, AccountDisconnected
from actors.accounts.session import REQUEST_TIMEOUT_SECONDS
from actors.accounts.stream_requests import DOUBT_AFTER_SECONDS
from assembly.presenter.vocabulary import tell
from assembly.registry import EXCHANGES
from market.events import Side
from orders.commands import CancelOrder, PlaceOrder
from orders.events import OrderCancelRequested, OrderEnded, OrderFateUnknown, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from orders.order import Transport
from orders.reconciliation import CycleReconciled
from orders.request import OrderRequest, OrderType, TimeInForce
from simulated.faults import Operation

WITH_ORDER_ENTRY = sorted(name for name, entry in EXCHANGES.items() if entry.account_codec().capabilities.websocket_order_entry)
BY_HAND = "mm-hand-0000000001"


def ways(world: World) -> list[Transport | None]:
    return [order.transport for order in world.account.ledger.orders()]


def orders_at_the_exchange(world: World, side: Side) -> int:
    return sum(order.side is side for order in world.exchange.orders())


async def start_with_private_line(world: World, **settings: Any) -> None:
    """Start the program with its private stream on a host of its own."""
    await world.start(private_websocket_url=await open_private_line(world), **settings)


@pytest.mark.parametrize("exchange_name", WITH_ORDER_ENTRY)
def test_every_order_of_a_cycle_goes_over_the_websocket_and_is_told_so(exchange_name: str) -> None:
    async def story(world: World) -> None:
        await world.start(cycles=2)
        await world.end()
        assert len(world.seen(OrderPlaced)) >= 4
        assert set(ways(world)) == {Transport.WEBSOCKET}
        told = [tell(event) for event in world.seen(OrderPlaced)]
        assert {event.fields["transport"] for event in told if event is not None} == {"websocket"}

    run_world(story, seed=3, exchange_name=exchange_name)


def test_exchange_without_order_entry_over_its_stream_gets_its_orders_by_rest() -> None:
    async def story(world: World) -> None:
        await world.start()
        await world.end()
        assert set(ways(world)) == {Transport.REST}

    assert "mexc_spot" not in WITH_ORDER_ENTRY
    run_world(story, seed=3, exchange_name="mexc_spot")


@scenario(seed=201, simulation=NO_TAKERS)
async def test_placement_whose_answer_is_lost_while_the_stream_tells_of_the_order_is_never_unknown(world: World) -> None:
    world.exchange.lose_answers(Operation.PLACE, 2)
    world.exchange.freeze_flow()
    await world.start()
    sell = await placed_sell(world)
    await trio.sleep(REQUEST_TIMEOUT_SECONDS + 1)
    world.exchange.fill_order(exchange_id(sell))
    await world.end()
    assert not world.seen(OrderFateUnknown)
    assert orders_at_the_exchange(world, Side.BUY) == 1


@pytest.mark.parametrize("seconds", [2.0, REQUEST_TIMEOUT_SECONDS + 2.0])
def test_answer_that_comes_long_after_the_streams_own_word_changes_nothing(seconds: float) -> None:
    async def story(world: World) -> None:
        world.exchange.delay_answers(Operation.PLACE, seconds, 1)
        await world.start()
        await world.end()
        assert not world.seen(OrderFateUnknown, lambda event: event.order.request.side is Side.BUY)
        assert orders_at_the_exchange(world, Side.BUY) == 1

    run_world(story, seed=202)


@scenario(seed=203)
async def test_placement_whose_answer_takes_longer_than_its_time_out_is_found_and_the_answer_comes_to_nobody(world: World) -> None:
    world.exchange.delay_answers(Operation.PLACE, REQUEST_TIMEOUT_SECONDS + 2.0, 1)
    world.exchange.drop_private_events(1_000)
    await world.start()
    await world.wait_for(OrderFateUnknown)
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1


@scenario(seed=204)
async def test_stream_cut_before_the_exchange_has_carried_out_a_placement_leaves_it_unknown_until_it_cannot_be_accepted(
    world: World,
) -> None:
    world.exchange.delay_requests(Operation.PLACE, 1.0, 1)
    await start_with_private_line(world)
    submitted = await world.wait_for(OrderSubmitted)
    await trio.sleep(0.1)
    world.network.drop_connections(PRIVATE_HOST)
    unknown = await world.wait_for(OrderFateUnknown, within_seconds=0.1)
    ended = await world.wait_for(OrderEnded)
    assert unknown.order.client_order_id == ended.order.client_order_id == submitted.order.client_order_id
    assert (ended.order.state, ended.order.transport) == (OrderState.REJECTED, Transport.WEBSOCKET)
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1, "only the second buy reached the book"


@scenario(seed=205)
async def test_stream_cut_after_the_exchange_has_carried_out_a_placement_has_it_found_and_not_placed_again(world: World) -> None:
    world.exchange.delay_answers(Operation.PLACE, 1.0, 1)
    world.exchange.drop_private_events(1_000)
    await start_with_private_line(world)
    await world.wait_for(OrderSubmitted)
    await trio.sleep(0.1)
    world.network.drop_connections(PRIVATE_HOST)
    await world.wait_for(OrderFateUnknown, within_seconds=0.1)
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1


@scenario(seed=206, simulation=NO_TAKERS)
async def test_placement_that_the_exchange_refuses_over_the_stream_has_ended_and_is_tried_anew(world: World) -> None:
    world.exchange.delay_requests(Operation.PLACE, 0.5, 2)
    await world.start()
    sell = await world.wait_for(OrderSubmitted, lambda event: event.order.request.side is Side.SELL)
    held, _ = world.exchange.balances()["BTC"]
    world.exchange.drop_private_events(1)
    world.exchange.withdraw("BTC", held)
    refused = await world.wait_for(OrderEnded, lambda event: event.order.client_order_id == sell.order.client_order_id)
    assert (refused.order.state, refused.order.transport) == (OrderState.REJECTED, Transport.WEBSOCKET)
    assert "BALANCE_NOT_ENOUGH" in refused.order.reason
    world.exchange.deposit("BTC", held)
    again = await placed_sell(world)
    world.exchange.fill_order(exchange_id(again))
    await world.end()
    assert not world.seen(OrderFateUnknown)


@scenario(seed=207, simulation=NO_TAKERS)
async def test_while_the_stream_is_down_commands_are_carried_out_by_rest(world: World) -> None:
    await start_with_private_line(world)
    sell = await placed_sell(world)
    with world.network.refuse(PRIVATE_HOST):
        world.network.drop_connections(PRIVATE_HOST)
        await world.wait_for(AccountDisconnected)
        request = OrderRequest(
            client_order_id=BY_HAND,
            owner="hand",
            symbol=BTC_USDT,
            side=Side.BUY,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=Decimal("0.001"),
            price=Decimal(50_000),
        )
        command = PlaceOrder(request=request, expires_at=trio.current_time() + 2)
        world.account.commands_sender.send_nowait(command)
        placed = await world.wait_for(OrderPlaced, lambda event: event.order.client_order_id == BY_HAND, within_seconds=1)
        assert placed.order.transport is Transport.REST
        world.account.commands_sender.send_nowait(CancelOrder(BY_HAND))
        ended = await world.wait_for(OrderEnded, lambda event: event.order.client_order_id == BY_HAND, within_seconds=1)
        assert ended.order.state is OrderState.CANCELLED
    world.exchange.fill_order(exchange_id(sell))
    await world.end()


@scenario(seed=208, simulation=NO_TAKERS)
async def test_after_the_stream_is_back_orders_go_over_it_again(world: World) -> None:
    await start_with_private_line(world, cycles=1)
    await placed_sell(world)
    world.network.drop_connections(PRIVATE_HOST)
    await world.wait_for(AccountConnected, count=2)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert second.transport is Transport.WEBSOCKET


@scenario(seed=209, simulation=NO_TAKERS)
async def test_stream_that_is_dead_without_anybody_knowing_delays_a_cancellation_by_seconds_and_rest_takes_over(world: World) -> None:
    await start_with_private_line(world)
    await placed_sell(world)
    with world.network.partition(PRIVATE_HOST, "to"):
        world.exchange.move_market(BTC_USDT, Decimal(59_000))
        asked = await world.wait_for(OrderCancelRequested)
        asked_at = trio.current_time()
        cancelled = await world.wait_for(OrderEnded, is_sell, within_seconds=3)
        assert trio.current_time() - asked_at > DOUBT_AFTER_SECONDS
        assert (cancelled.order.client_order_id, cancelled.order.state) == (asked.order.client_order_id, OrderState.CANCELLED)
        second = await placed_sell(world, 2, within_seconds=1)
        assert second.transport is Transport.REST
        assert not world.seen(AccountDisconnected), "nobody knows: the stream goes on telling"
        world.exchange.fill_order(exchange_id(second))
        await world.end()


@scenario(seed=210)
async def test_placement_into_a_stream_that_is_dead_without_anybody_knowing_is_known_never_to_have_arrived(world: World) -> None:
    await start_with_private_line(world)
    await world.wait_for(AccountConnected)
    with world.network.partition(PRIVATE_HOST, "to"):
        ended = await world.wait_for(OrderEnded, within_seconds=12)
        assert (ended.order.state, ended.order.transport) == (OrderState.REJECTED, Transport.WEBSOCKET)
        assert len(world.seen(OrderFateUnknown)) == 1
        placed = await world.wait_for(OrderPlaced, within_seconds=5)
        assert placed.order.transport is Transport.REST
    await world.end()
    assert orders_at_the_exchange(world, Side.BUY) == 1


@scenario(seed=211, simulation=NO_TAKERS)
async def test_stop_while_the_stream_is_dead_without_anybody_knowing_cancels_by_rest_in_time(world: World) -> None:
    await start_with_private_line(world, stop_deadline_seconds=5.0)
    await placed_sell(world)
    with world.network.partition(PRIVATE_HOST):
        world.exchange.move_market(BTC_USDT, Decimal(59_000))
        await world.wait_for(OrderCancelRequested)
        world.stop()
        await world.end(within_seconds=5)


@scenario(seed=212, simulation=NO_TAKERS)
async def test_account_that_crashes_while_a_placement_is_under_way_over_the_stream_leaves_nothing_open(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(OrderSubmitted, lambda event: event.order.request.side is Side.SELL)
    world.crash_account()
    sell = await placed_sell(world)
    await world.wait_for(OrderEnded, lambda event: event.order.client_order_id == sell.client_order_id)
    await placed_sell(world, 2)
    world.stop()
    await world.end()
    assert not world.seen(CycleReconciled)
