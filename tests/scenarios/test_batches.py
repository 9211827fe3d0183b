"""Batches of commands against simulated exchanges: placed, amended and cancelled together, some of them failing inside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
import trio
import trio.testing
from test_following_the_market import NO_TAKERS, placed_sell
from world import BTC_USDT, World, run_world

from actors.accounts.codec import Amendment
from actors.accounts.events import OrderRefused
from assembly.registry import EXCHANGES
from assembly.settings import LimitSettings
from market.events import Side
from orders.commands import AmendOrder, AmendOrders, CancelOrders, PlaceOrder, PlaceOrders
from orders.events import OrderEnded, OrderFateUnknown, OrderPlaced
from orders.life_cycle import OrderState
from orders.order import Order, Transport
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import GLOBAL, TradingState
from simulated.faults import Operation

IDS = tuple(f"mm-hand-{number:010}" for number in range(1, 7))


def exchanges_with(capability: str) -> list[str]:
    """Spot exchanges whose batches hold more than one."""
    return sorted(
        name
        for name, entry in EXCHANGES.items()
        if name.endswith("_spot") and getattr(entry.account_codec().capabilities, f"{capability}_batch_max") > 1
    )


def run_with_quote(story: Callable[[World], Awaitable[None]], *, exchange_name: str, seed: int, **settings: Any) -> None:
    """Run `story` while a cycle of the program has a sell in the book; nothing of it may be open at the end."""

    async def run(world: World) -> None:
        await world.start(**settings)
        await placed_sell(world)
        await story(world)
        world.stop()
        await world.end()

    run_world(run, seed=seed, simulation=NO_TAKERS, exchange_name=exchange_name)


def bid(client_order_id: str, *, price: int = 58_000, quantity: str = "0.001") -> PlaceOrder:
    request = OrderRequest(
        client_order_id=client_order_id,
        owner="hand",
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
        quantity=Decimal(quantity),
        price=Decimal(price),
    )
    return PlaceOrder(request=request, expires_at=trio.current_time() + 2)


async def place_together(world: World, *commands: PlaceOrder) -> None:
    """They have been read when this returns."""
    await world.account.commands_sender.send(PlaceOrders(commands))
    last = commands[-1].request.client_order_id
    await world.wait_until(lambda: world.account.ledger.order(last) is not None)


def order(world: World, client_order_id: str) -> Order:
    found = world.account.ledger.order(client_order_id)
    assert found is not None
    return found


def states(world: World, *client_order_ids: str) -> list[OrderState]:
    return [order(world, client_order_id).state for client_order_id in client_order_ids]


async def all_open(world: World, *client_order_ids: str) -> None:
    await world.wait_until(lambda: states(world, *client_order_ids) == [OrderState.OPEN] * len(client_order_ids), within_seconds=10)


def theirs(world: World, client_order_id: str) -> int:
    found = world.exchange.order_by_client_id(world.codec.wire_client_order_id(client_order_id))
    assert found is not None
    return found.id


@pytest.mark.parametrize("exchange_name", exchanges_with("place"))
def test_batch_of_placements_of_which_one_fails_inside_is_heeded_per_order(exchange_name: str) -> None:
    async def story(world: World) -> None:
        available, _ = world.exchange.balances()["USDT"]
        world.exchange.drop_private_events(1)  # we do not hear that there is less: the exchange itself refuses
        world.exchange.withdraw("USDT", available - Decimal(125))
        await place_together(world, *(bid(name) for name in IDS[:3]))  # 58 USDT each
        await world.wait_for(OrderEnded, lambda event: event.order.client_order_id in IDS)
        await world.wait_until(lambda: sorted(state.value for state in states(world, *IDS[:3])) == ["open", "open", "rejected"])
        assert {order(world, name).transport for name in IDS[:3]} == {Transport.REST}
        assert not world.seen(OrderFateUnknown)

    run_with_quote(story, exchange_name=exchange_name, seed=231)


@pytest.mark.parametrize("exchange_name", exchanges_with("place"))
def test_batch_of_placements_whose_answer_is_lost_is_found_order_by_order_and_nothing_is_placed_twice(exchange_name: str) -> None:
    async def story(world: World) -> None:
        world.exchange.lose_answers(Operation.PLACE)
        world.exchange.drop_private_events(20)
        await place_together(world, *(bid(name) for name in IDS[:3]))
        await world.wait_for(OrderFateUnknown, count=3, within_seconds=10)
        await all_open(world, *IDS[:3])
        assert sum(one.side is Side.BUY for one in world.exchange.open_orders()) == 3
        world.exchange.drop_private_events(0)

    run_with_quote(story, exchange_name=exchange_name, seed=232)


@pytest.mark.parametrize("exchange_name", exchanges_with("place"))
def test_limits_hold_for_each_placement_of_a_batch(exchange_name: str) -> None:
    async def story(world: World) -> None:
        await place_together(world, *(bid(name) for name in IDS[:3]), bid(IDS[3], price=70_000))
        await all_open(world, *IDS[:2])
        assert states(world, IDS[2], IDS[3]) == [OrderState.REJECTED] * 2
        assert "max_open_orders" in order(world, IDS[2]).reason
        assert "max_price_deviation" in order(world, IDS[3]).reason
        assert [event.client_order_id for event in world.seen(OrderRefused)] == [IDS[2], IDS[3]]

    run_with_quote(story, exchange_name=exchange_name, seed=233, limits=LimitSettings(max_open_orders=3))


@pytest.mark.parametrize("exchange_name", exchanges_with("cancel"))
def test_batch_of_cancellations_of_which_some_have_ended_already_ends_them_all(exchange_name: str) -> None:
    async def story(world: World) -> None:
        await place_together(world, *(bid(name) for name in IDS[:4]))
        await all_open(world, *IDS[:4])
        world.exchange.drop_private_events(4)
        world.exchange.cancel_order(theirs(world, IDS[0]))
        world.exchange.fill_order(theirs(world, IDS[1]))
        world.exchange.drop_private_events(0)
        await world.account.commands_sender.send(CancelOrders((*IDS[:4], "mm-hand-unknown")))
        await world.wait_until(lambda: all(order(world, name).is_settled for name in IDS[:4]), within_seconds=10)
        assert states(world, *IDS[:4]) == [OrderState.CANCELLED, OrderState.FILLED, OrderState.CANCELLED, OrderState.CANCELLED]

    run_with_quote(story, exchange_name=exchange_name, seed=234)


@pytest.mark.parametrize("exchange_name", exchanges_with("amend"))
def test_batch_of_amendments_of_which_one_has_ended_changes_the_others(exchange_name: str) -> None:
    async def story(world: World) -> None:
        await place_together(world, *(bid(name) for name in IDS[:4]))
        await all_open(world, *IDS[:4])
        world.exchange.drop_private_events(4)
        world.exchange.cancel_order(theirs(world, IDS[0]))
        world.exchange.drop_private_events(0)
        changes = (
            AmendOrder(client_order_id=IDS[0], price=Decimal(58_100)),
            AmendOrder(client_order_id=IDS[1], price=Decimal(58_200)),
            AmendOrder(client_order_id=IDS[2], quantity=Decimal("0.002")),
            AmendOrder(client_order_id=IDS[3], price=Decimal(58_300), quantity=Decimal("0.003")),
        )
        await world.account.commands_sender.send(AmendOrders(changes))
        await world.wait_until(lambda: states(world, *IDS[:4]) == [OrderState.CANCELLED] + [OrderState.OPEN] * 3, within_seconds=10)
        await trio.sleep(1)
        for name, price, quantity in ((IDS[1], 58_200, "0.001"), (IDS[2], 58_000, "0.002"), (IDS[3], 58_300, "0.003")):
            ours, real = order(world, name).request, world.exchange.engine.orders[theirs(world, name)]
            assert (ours.price, ours.quantity) == (real.price, real.quantity) == (Decimal(price), Decimal(quantity))

    run_with_quote(story, exchange_name=exchange_name, seed=235)


@pytest.mark.parametrize("exchange_name", exchanges_with("amend"))
def test_batch_of_amendments_whose_answer_is_lost_is_found_out(exchange_name: str) -> None:
    async def story(world: World) -> None:
        await place_together(world, *(bid(name) for name in IDS[:2]))
        await all_open(world, *IDS[:2])
        world.exchange.lose_answers(Operation.AMEND)
        world.exchange.drop_private_events(10)
        await world.account.commands_sender.send(
            AmendOrders(tuple(AmendOrder(client_order_id=name, price=Decimal(58_100)) for name in IDS[:2]))
        )
        await world.wait_for(OrderFateUnknown, count=2, within_seconds=10)
        await all_open(world, *IDS[:2])
        assert [order(world, name).request.price for name in IDS[:2]] == [Decimal(58_100)] * 2
        world.exchange.drop_private_events(0)

    run_with_quote(story, exchange_name=exchange_name, seed=236)


@pytest.mark.parametrize("exchange_name", exchanges_with("place"))
def test_stop_while_a_batch_is_under_way_leaves_nothing_open(exchange_name: str) -> None:
    async def story(world: World) -> None:
        world.exchange.delay_answers(Operation.PLACE, 1.0, 1)
        placed = len(world.seen(OrderPlaced))
        await place_together(world, *(bid(name) for name in IDS[:3]))
        await world.wait_until(lambda: len(world.seen(OrderPlaced)) > placed or len(world.exchange.open_orders()) > 1)

    run_with_quote(story, exchange_name=exchange_name, seed=237)


@pytest.mark.parametrize("exchange_name", ["gateio_spot", "okx_swap"])
@pytest.mark.parametrize("count", [1, 2])
def test_amendments_that_waited_for_the_rate_limit_until_they_were_stale_do_not_leave(exchange_name: str, count: int) -> None:
    async def story(world: World) -> None:
        await place_together(world, *(bid(name) for name in IDS[:count]))
        await all_open(world, *IDS[:count])
        await use_up(world, IDS[:count], seconds=5)
        expires_at = trio.current_time() + 2
        changes = tuple(AmendOrder(client_order_id=name, price=Decimal(58_100), expires_at=expires_at) for name in IDS[:count])
        await world.account.commands_sender.send(AmendOrders(changes))
        await world.wait_for(OrderRefused, lambda event: "until it was stale" in event.reason, count=count, within_seconds=10)
        assert trio.current_time() >= expires_at
        await trio.sleep(5)
        assert states(world, *IDS[:count]) == [OrderState.OPEN] * count
        assert {order(world, name).request.price for name in IDS[:count]} == {Decimal(58_000)}
        assert {world.exchange.engine.orders[theirs(world, name)].price for name in IDS[:count]} == {Decimal(58_000)}

    run_with_quote(story, exchange_name=exchange_name, seed=238)


def test_amendment_that_waits_for_the_rate_limit_while_the_state_forbids_it_does_not_leave() -> None:
    async def story(world: World) -> None:
        await place_together(world, bid(IDS[0]))
        await all_open(world, IDS[0])
        await use_up(world, IDS[:1], seconds=5)
        await world.account.commands_sender.send(AmendOrders((AmendOrder(client_order_id=IDS[0], price=Decimal(58_100)),)))
        await trio.sleep(1)
        assert world.runtime is not None
        world.runtime.tree.states.enter(GLOBAL, TradingState.PAUSED, "lunch")
        await world.wait_for(OrderRefused, lambda event: event.reason.startswith("not sent"), within_seconds=10)
        await world.wait_until(lambda: order(world, IDS[0]).is_settled)
        assert order(world, IDS[0]).request.price == Decimal(58_000)

    run_with_quote(story, exchange_name="gateio_spot", seed=239)


async def use_up(world: World, names: Sequence[str], *, seconds: float) -> None:
    """Take every place that amendments of these orders could have for so long: others of ours are before them."""
    codec, limits = world.account.codec, world.account.exchange.limits
    amendments = [Amendment(order=order(world, name), price=Decimal(58_100)) for name in names]
    prepared = codec.amend_batch(amendments) if len(names) > 1 else codec.amend(amendments[0].order, price=Decimal(58_100), quantity=None)
    limit = EXCHANGES[world.exchange_name].rate_limits[prepared.group]
    for _ in range(limit.capacity * ceil(seconds / limit.period_seconds)):
        world.nursery.start_soon(limits.acquire, prepared.group, 1)
    await trio.testing.wait_all_tasks_blocked()
