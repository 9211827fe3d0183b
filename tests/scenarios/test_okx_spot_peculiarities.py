"""What is peculiar to OKX spot, through the whole program: pushed books with checksums, notices, orders that are ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
import trio
from test_following_the_market import NO_TAKERS, is_sell
from test_order_types import bid, probe_in
from world import BTC_USDT, World, run_world

from actors.accounts.events import AccountConnected, AccountDisconnected, DeadMansSwitchArmed
from actors.feeds.reports import BookDiscarded, FeedConnected, FeedDisconnected
from market.events import BookChanged, BookLost, Side
from orders.events import OrderPlaced
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderType, TimeInForce
from simulated.engine.order import NewOrder
from simulated.settings import SimulationSettings


def run_on_okx(story: Callable[[World], Awaitable[None]], *, seed: int, simulation: SimulationSettings | None = NO_TAKERS) -> None:
    run_world(story, seed=seed, simulation=simulation, exchange_name="okx_spot")


async def placed_sell(world: World, count: int = 1) -> Order:
    return (await world.wait_for(OrderPlaced, is_sell, count=count)).order


def fill(world: World, order: Order) -> None:
    theirs = world.exchange.order_by_client_id(world.codec.wire_client_order_id(order.client_order_id))
    assert theirs is not None
    world.exchange.fill_order(theirs.id)


def test_every_checksum_of_a_busy_book_agrees() -> None:
    async def story(world: World) -> None:
        await world.start(cycles=0)
        await trio.sleep(60)
        assert len(world.seen(BookChanged)) > 100
        assert not world.seen(BookDiscarded)
        world.stop()
        await world.end()

    run_on_okx(story, seed=301, simulation=SimulationSettings(book_checksums=True))


def test_broken_book_is_pushed_anew_on_the_same_connection() -> None:
    async def story(world: World) -> None:
        await world.start(cycles=0)
        await placed_sell(world)
        world.exchange.inject_crossed_update(BTC_USDT)
        discarded = await world.wait_for(BookDiscarded)
        whole_before = len(world.seen(BookChanged))
        await world.wait_until(lambda: len(world.seen(BookChanged)) > whole_before, within_seconds=5)
        assert discarded.symbol == BTC_USDT
        assert len(world.seen(FeedConnected)) == 1, "a new subscription, on the same connection"
        world.stop()
        await world.end()

    run_on_okx(story, seed=302)


def test_quiet_book_is_not_lost_though_the_exchange_counts_changes_that_it_does_not_push() -> None:
    async def story(world: World) -> None:
        world.exchange.freeze_flow()
        await world.start(cycles=0)
        await placed_sell(world)
        await trio.sleep(3)
        engine, now = world.exchange.engine, world.wall_clock.milliseconds
        passing = NewOrder(account="main", symbol=BTC_USDT, side=Side.BUY, price=Decimal(50_000), quantity=Decimal("0.0001"), client_id="x")
        engine.cancel(engine.place(passing, now()).id, now())  # there and back within one interval of the stream
        lost_before = len(world.seen(BookLost))
        await trio.sleep(60)
        assert len(world.seen(BookLost)) == lost_before
        world.stop()
        await world.end()

    run_on_okx(story, seed=303)


def test_announced_end_of_both_connections_is_followed_at_once_and_no_order_is_lost() -> None:
    async def story(world: World) -> None:
        await world.start()
        await placed_sell(world)
        world.exchange.announce_shutdown()
        await world.wait_for(FeedDisconnected, within_seconds=5)
        await world.wait_for(AccountDisconnected, within_seconds=5)
        await world.wait_for(AccountConnected, count=2, within_seconds=5)
        fill(world, await placed_sell(world, 2))
        await world.end()

    run_on_okx(story, seed=304)


@pytest.mark.parametrize(("time_in_force", "reason"), [(TimeInForce.POST_ONLY, "post-only"), (TimeInForce.FILL_OR_KILL, "fill-or-kill")])
def test_order_that_is_accepted_and_then_thrown_out_at_the_book_has_ended_unfilled_with_the_reason(
    time_in_force: TimeInForce, reason: str
) -> None:
    async def story(world: World) -> None:
        probe = await probe_in(world)
        price = bid(world) if time_in_force is TimeInForce.POST_ONLY else bid(world) + 1_000
        doomed = await probe.place(Side.SELL, OrderType.LIMIT, time_in_force, quantity="0.001", price=str(price))
        ended = await probe.wait_until_settled(doomed)
        assert (ended.state, ended.filled_quantity) == (OrderState.EXPIRED, 0)
        assert ended.exchange_order_id is not None
        assert ended.reason.startswith(reason)
        world.stop()
        await world.end()

    run_on_okx(story, seed=305)


def test_switch_spares_the_orders_of_others() -> None:
    async def story(world: World) -> None:
        world.exchange.freeze_flow()
        await world.start(cycles=0)
        await placed_sell(world)
        assert world.seen(DeadMansSwitchArmed)
        theirs = NewOrder(
            account="main", symbol=BTC_USDT, side=Side.BUY, price=Decimal(50_000), quantity=Decimal("0.001"), client_id="byHand"
        )
        world.exchange.engine.place(theirs, world.wall_clock.milliseconds())
        with world.network.partition("exchange.sim"):
            await trio.sleep(35)
            world.check_nothing_is_open()
            assert [order.client_id for order in world.exchange.open_orders()] == ["byHand"]
        world.stop()
        await world.end()

    run_on_okx(story, seed=306)
