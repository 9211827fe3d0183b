"""What the whole program must do on every registered exchange, over its wire protocol, in virtual time.

One world per test and exchange; the scenarios in `tests/scenarios` go deeper, on one exchange.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from assembly.presenter.report import ExitStatus
from assembly.registry import EXCHANGES, ExchangeEntry
from market.events import BookLost, Side
from orders.events import OrderEnded, OrderFilled, OrderPlaced
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleReconciled
from simulated.engine.position import Position
from simulated.faults import Operation
from simulated.settings import MarketSettings, SimulationSettings
from supervision.events import CleanupFinished

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from world import BTC_USDT, World, run_world

every_exchange = pytest.mark.parametrize("name", sorted(EXCHANGES))
NO_TAKERS = SimulationSettings(markets=(MarketSettings(taker_rate_per_second=0.0, gap_rate_per_second=0.0, volatility_per_second=0.0),))


def has_switch(entry: ExchangeEntry) -> bool:
    return entry.account_codec().capabilities.dead_mans_switch_seconds_min is not None


def run_on(name: str, story: Callable[[World], Awaitable[None]], *, seed: int, simulation: SimulationSettings | None = NO_TAKERS) -> None:
    run_world(story, seed=seed, simulation=simulation, exchange_name=name)


def is_sell(event: OrderPlaced | OrderEnded | OrderFilled) -> bool:
    return event.order.request.side is Side.SELL


async def placed_sell(world: World, count: int = 1) -> Order:
    return (await world.wait_for(OrderPlaced, is_sell, count=count)).order


async def next_sell(world: World) -> Order:
    """The next sell from now on, however often the one before was replaced."""
    return await placed_sell(world, len(world.seen(OrderPlaced, is_sell)) + 1)


def open_positions(world: World) -> list[Position]:
    """Of an exchange of contracts; none of an exchange of assets."""
    return list(world.exchange.positions().values()) if world.codec.capabilities.positions else []


def part_of(world: World, order: Order) -> Decimal:
    """A part of the order's quantity that can be traded."""
    assert order.request.quantity is not None
    return world.exchange.engine.instruments[BTC_USDT].round_quantity_down(order.request.quantity * Decimal("0.36"))


def fill(world: World, order: Order, quantity: Decimal | None = None) -> None:
    theirs = world.exchange.order_by_client_id(world.codec.wire_client_order_id(order.client_order_id))
    assert theirs is not None
    world.exchange.fill_order(theirs.id, quantity)


@every_exchange
def test_cycles_buy_sell_and_reconcile_to_the_last_digit(name: str) -> None:
    """S1, T1, T5"""

    async def story(world: World) -> None:
        await world.start(cycles=3)
        await world.end(within_seconds=600)
        assert [one.agrees for one in world.seen(CycleReconciled)] == [True] * 3

    run_on(name, story, seed=1, simulation=None)


@every_exchange
def test_partial_fill_is_carried_over_when_the_market_moves(name: str) -> None:
    """S1"""

    async def story(world: World) -> None:
        await world.start()
        first = await placed_sell(world)
        part = part_of(world, first)
        fill(world, first, part)
        await world.wait_for(OrderFilled, is_sell)
        world.exchange.move_market(BTC_USDT, Decimal(59_000))
        second = await placed_sell(world, 2)
        assert first.request.quantity is not None
        assert 0 < part < first.request.quantity
        assert second.request.quantity == first.request.quantity - part
        fill(world, second)
        await world.end()

    run_on(name, story, seed=2)


@every_exchange
def test_stop_cancels_and_confirms_and_leaves_nothing_open(name: str) -> None:
    """R2"""

    async def story(world: World) -> None:
        await world.start(cycles=0)
        await placed_sell(world)
        world.stop()
        buy, *sells = (await world.end()).orders["main"]
        # Money that buys no further step may count as bought with, or as given back. A contract is a large step.
        assert buy.state in (OrderState.FILLED, OrderState.EXPIRED)
        assert buy.filled_quote > 90
        assert sells
        assert {sell.state for sell in sells} == {OrderState.CANCELLED}

    run_on(name, story, seed=3)


@every_exchange
@pytest.mark.parametrize("fault", ["answer lost", "failed after", "failed before", "held up"])
def test_placement_of_unclear_fate_is_never_doubled_and_the_cycle_completes(name: str, fault: str) -> None:
    """T3, T4"""

    async def story(world: World) -> None:
        world.exchange.drop_private_events(1_000)
        match fault:
            case "answer lost":
                world.exchange.lose_answers(Operation.PLACE)
            case "failed after":
                world.exchange.fail_after_accepting(Operation.PLACE)
            case "failed before":
                world.exchange.fail_before_accepting(Operation.PLACE)
            case _:
                world.exchange.delay_requests(Operation.PLACE, 8.0, 1)
        await world.start()
        await world.end(within_seconds=600)
        bought = sum(order.filled_notional for order in world.exchange.orders() if order.side is Side.BUY)
        assert Decimal(90) < bought <= Decimal(100), "it was bought for once"
        assert all(not position.quantity for position in open_positions(world)), "and what was bought was sold"

    run_on(name, story, seed=4, simulation=None)


@every_exchange
def test_account_crash_cancels_its_order_before_it_restarts(name: str) -> None:
    """T3, R2"""

    async def story(world: World) -> None:
        await world.start()
        await placed_sell(world)
        world.crash_account()
        await world.wait_for(CleanupFinished, lambda event: event.child == "account:main")
        world.check_nothing_is_open()
        fill(world, await next_sell(world))
        await world.end()

    run_on(name, story, seed=5)


@every_exchange
def test_connections_that_drop_without_a_goodbye_are_recovered_and_no_order_is_lost(name: str) -> None:
    """D1, T4, X2"""

    async def story(world: World) -> None:
        await world.start()
        await placed_sell(world)
        world.exchange.disconnect_all()
        dropped_at = trio.current_time()
        await world.wait_for(BookLost)
        second = await next_sell(world)
        assert trio.current_time() - dropped_at < 5, "recovered within five seconds"
        fill(world, second)
        await world.end()

    run_on(name, story, seed=6)


@pytest.mark.parametrize("name", sorted(name for name, entry in EXCHANGES.items() if has_switch(entry)))
def test_exchange_cancels_what_is_open_when_it_no_longer_hears_from_us(name: str) -> None:
    """T10, R2, X1, X4"""

    async def story(world: World) -> None:
        world.exchange.freeze_flow()
        await world.start()
        await placed_sell(world)
        await trio.sleep(120)
        assert world.our_open_orders(), "while we live, it is renewed"
        with world.network.partition("exchange.sim"):
            await trio.sleep(35)
            world.check_nothing_is_open()
        fill(world, await placed_sell(world, 2))
        await world.end()

    run_on(name, story, seed=10)


@every_exchange
def test_gap_in_the_book_pulls_the_quote_until_it_is_whole_again(name: str) -> None:
    """D1, D3"""

    async def story(world: World) -> None:
        await world.start()
        await placed_sell(world)
        world.exchange.delay_answers(Operation.MARKET_DATA, 3.0, 1)
        world.exchange.withhold_book_updates(BTC_USDT, 1)
        await world.wait_for(BookLost)
        fill(world, await placed_sell(world, 2) if world.seen(OrderEnded, is_sell) else await placed_sell(world))
        await world.end()

    run_on(name, story, seed=7)


@every_exchange
def test_clock_that_is_wrong_by_minutes_is_corrected_before_anything_is_signed(name: str) -> None:
    """T8"""

    async def story(world: World) -> None:
        world.exchange.skew_clock(-300_000)
        await world.start()
        await world.end(within_seconds=600)

    run_on(name, story, seed=8, simulation=None)


@every_exchange
def test_refused_credential_is_a_usage_error_that_shows_no_secret(name: str) -> None:
    """R3, X9"""

    async def story(world: World) -> None:
        await world.start(wrong_secret=True)
        report = await world.end(status=ExitStatus.USAGE)
        assert "credential" in report.reason

    run_on(name, story, seed=9)
