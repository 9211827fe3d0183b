"""Every kind of order and command at every registered exchange, over its wire protocol, in virtual time; and bad days of its service.

What an exchange does not offer is left out by its capabilities. Each test names the rows of the requirements that it is about.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from hand import Hand, hand_in

from assembly.registry import EXCHANGES
from market.events import Side
from orders.capabilities import Capabilities
from orders.commands import AmendOrder, CancelOrder, CancelOrders
from orders.events import OrderPlaced
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleReconciled
from orders.request import TimeInForce
from simulated.engine.order import NewOrder
from simulated.engine.order import Order as TheirOrder
from simulated.settings import MarketSettings, SimulationSettings

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
from world import BTC_USDT, World, run_world

CAPABILITIES = {name: entry.account_codec().capabilities for name, entry in EXCHANGES.items()}
every_exchange = pytest.mark.parametrize("name", sorted(EXCHANGES))
NO_TAKERS = SimulationSettings(markets=(MarketSettings(taker_rate_per_second=0.0, gap_rate_per_second=0.0, volatility_per_second=0.0),))
QUANTITY = Decimal("0.0016")
FAR_BELOW, FAR_ABOVE = Decimal(59_000), Decimal(61_000)
ENDED_WITHOUT_FILLS = (OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)


def every_exchange_that(offers: Callable[[Capabilities], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", sorted(name for name, capabilities in CAPABILITIES.items() if offers(capabilities)))


def run_on(name: str, story: Callable[[World, Hand], Awaitable[None]], *, seed: int) -> None:
    """A frozen market and a hand in it; at the end nothing is open and the ledger is the exchange's."""

    async def whole(world: World) -> None:
        await story(world, await hand_in(world))
        world.stop()
        await world.end()

    run_world(whole, seed=seed, simulation=NO_TAKERS, exchange_name=name)


def best(world: World, side: Side) -> Decimal:
    """The best price that an order of `side` would take."""
    price = world.exchange.best_ask(BTC_USDT) if side is Side.BUY else world.exchange.best_bid(BTC_USDT)
    assert price is not None
    return price


def theirs(world: World, order: Order) -> TheirOrder:
    found = world.exchange.order_by_client_id(world.codec.wire_client_order_id(order.client_order_id))
    assert found is not None
    return found


@every_exchange
@pytest.mark.parametrize("side", list(Side))
def test_limit_order_rests_as_it_was_asked_for_until_it_is_cancelled(name: str, side: Side) -> None:
    """T1, T7"""

    async def story(world: World, hand: Hand) -> None:
        price = FAR_BELOW if side is Side.BUY else FAR_ABOVE
        order = await hand.order(side, QUANTITY, price=price)
        assert order.state is OrderState.OPEN
        resting = theirs(world, order)
        assert (resting.side, resting.price, resting.quantity) == (side, price, QUANTITY)
        await world.account.commands_sender.send(CancelOrder(order.client_order_id))
        await world.wait_until(lambda: not world.exchange.open_orders())
        assert (await hand.ended(order)).state is OrderState.CANCELLED

    run_on(name, story, seed=1)


@every_exchange
@pytest.mark.parametrize("side", list(Side))
def test_limit_order_that_meets_the_book_takes_and_is_filled(name: str, side: Side) -> None:
    """T1, T3"""

    async def story(world: World, hand: Hand) -> None:
        order = await hand.ended(await hand.order(side, QUANTITY, price=best(world, side)))
        assert (order.state, order.filled_quantity) == (OrderState.FILLED, QUANTITY)
        assert not any(fill.maker for fill in order.fills)

    run_on(name, story, seed=2)


@every_exchange_that(lambda capabilities: capabilities.market_buy_by_base)
@pytest.mark.parametrize("side", list(Side))
def test_market_order_of_a_quantity_trades_that_quantity(name: str, side: Side) -> None:
    """T1, T3"""

    async def story(world: World, hand: Hand) -> None:
        order = await hand.order(side, QUANTITY)
        assert (order.state, order.filled_quantity) == (OrderState.FILLED, QUANTITY)
        assert theirs(world, order).filled_quantity == QUANTITY

    run_on(name, story, seed=3)


@every_exchange_that(lambda capabilities: capabilities.market_buy_by_quote)
def test_market_buy_of_an_amount_spends_that_amount_and_no_more(name: str) -> None:
    """T1, T3"""

    async def story(world: World, hand: Hand) -> None:
        order = await hand.order(Side.BUY, quote_quantity=Decimal(50))
        assert order.state in (OrderState.FILLED, OrderState.EXPIRED), "what buys no further step may be given back"
        assert Decimal(49) < order.filled_quote <= Decimal(50)

    run_on(name, story, seed=4)


@every_exchange
@pytest.mark.parametrize("side", list(Side))
def test_post_only_order_rests_or_comes_to_nothing_and_never_takes(name: str, side: Side) -> None:
    """T1"""

    async def story(world: World, hand: Hand) -> None:
        across = await hand.order(side, QUANTITY, price=best(world, side), time_in_force=TimeInForce.POST_ONLY)
        assert across.state in ENDED_WITHOUT_FILLS
        assert not world.exchange.trades()
        behind = await hand.order(side, QUANTITY, price=best(world, side.opposite), time_in_force=TimeInForce.POST_ONLY)
        assert behind.state is OrderState.OPEN

    run_on(name, story, seed=5)


@every_exchange_that(lambda capabilities: TimeInForce.IMMEDIATE_OR_CANCEL in capabilities.time_in_force)
def test_immediate_order_takes_what_is_there_and_rests_never(name: str) -> None:
    """T1"""

    async def story(world: World, hand: Hand) -> None:
        there = world.exchange.engine.books[BTC_USDT].asks.quantity_at(best(world, Side.BUY))
        step = world.exchange.engine.instruments[BTC_USDT].quantity_step
        more = await hand.order(
            Side.BUY, there + 5 * step, price=best(world, Side.BUY), time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL
        )  # fmt: skip
        assert more.filled_quantity == there
        assert more.state in (OrderState.CANCELLED, OrderState.EXPIRED)
        nothing = await hand.order(Side.BUY, QUANTITY, price=FAR_BELOW, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
        assert nothing.state in ENDED_WITHOUT_FILLS
        assert not nothing.fills

    run_on(name, story, seed=6)


@every_exchange_that(lambda capabilities: TimeInForce.FILL_OR_KILL in capabilities.time_in_force)
def test_fill_or_kill_order_is_filled_whole_or_not_at_all(name: str) -> None:
    """T1"""

    async def story(world: World, hand: Hand) -> None:
        there = world.exchange.engine.books[BTC_USDT].asks.quantity_at(best(world, Side.BUY))
        step = world.exchange.engine.instruments[BTC_USDT].quantity_step
        killed = await hand.order(Side.BUY, there + 5 * step, price=best(world, Side.BUY), time_in_force=TimeInForce.FILL_OR_KILL)
        assert killed.state in ENDED_WITHOUT_FILLS
        assert not world.exchange.trades()
        filled = await hand.order(Side.BUY, QUANTITY, price=best(world, Side.BUY), time_in_force=TimeInForce.FILL_OR_KILL)
        assert (filled.state, filled.filled_quantity) == (OrderState.FILLED, QUANTITY)

    run_on(name, story, seed=7)


@every_exchange_that(lambda capabilities: capabilities.amend)
@pytest.mark.parametrize(("price", "quantity"), [(FAR_BELOW + 100, None), (None, 2 * QUANTITY), (None, QUANTITY / 2)])
def test_amended_order_has_the_new_price_or_quantity_and_is_the_same_order(
    name: str, price: Decimal | None, quantity: Decimal | None
) -> None:
    """T1"""

    async def story(world: World, hand: Hand) -> None:
        order = await hand.order(Side.BUY, QUANTITY, price=FAR_BELOW)
        await world.account.commands_sender.send(AmendOrder(client_order_id=order.client_order_id, price=price, quantity=quantity))
        wanted = (price or FAR_BELOW, quantity or QUANTITY)
        await world.wait_until(lambda: (theirs(world, order).price, theirs(world, order).quantity) == wanted)
        await world.settle()
        amended = await hand.known(order.client_order_id)
        assert (amended.request.price, amended.request.quantity) == wanted
        assert amended.exchange_order_id == order.exchange_order_id
        assert len(world.our_open_orders()) == 1

    run_on(name, story, seed=8)


@every_exchange
def test_batch_is_placed_order_by_order_and_cancelled_whole(name: str) -> None:
    """T1, X10: as one request or several, by what the exchange offers"""

    async def story(world: World, hand: Hand) -> None:
        prices = [FAR_BELOW + 10 * number for number in range(7)]
        orders = await hand.orders([(Side.BUY, QUANTITY, price) for price in prices])
        assert [order.state for order in orders] == [OrderState.OPEN] * 7
        assert sorted(order.price for order in world.exchange.open_orders()) == prices
        await world.account.commands_sender.send(CancelOrders(tuple(order.client_order_id for order in orders)))
        await world.wait_until(lambda: not world.exchange.open_orders())
        assert [(await hand.ended(order)).state for order in orders] == [OrderState.CANCELLED] * 7

    run_on(name, story, seed=9)


@every_exchange
def test_order_beyond_tick_step_or_funds_is_refused_before_anything_is_sent(name: str) -> None:
    """T2"""

    async def story(world: World, hand: Hand) -> None:
        instrument = world.exchange.engine.instruments[BTC_USDT]
        orders_before = len(world.exchange.orders())
        for quantity, price in (
            (QUANTITY, FAR_BELOW + instrument.price_tick / 2),
            (QUANTITY + instrument.quantity_step / 2, FAR_BELOW),
            (Decimal(10_000), FAR_BELOW),
        ):
            refused = await hand.order(Side.BUY, quantity, price=price)
            assert refused.state is OrderState.REJECTED
            assert not refused.sent
            assert refused.reason
        assert len(world.exchange.orders()) == orders_before

    run_on(name, story, seed=10)


@every_exchange
def test_orders_of_others_on_the_same_account_are_never_touched(name: str) -> None:
    """T7: neither at the start, nor by a crash's cleanup, nor at the stop"""

    async def story(world: World) -> None:
        now = world.wall_clock.milliseconds()
        order = NewOrder(account="main", symbol=BTC_USDT, side=Side.BUY, price=FAR_BELOW, quantity=QUANTITY, client_id="mine-by-hand")
        foreign = world.exchange.engine.place(order, now)
        await world.start(cycles=0)
        await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)
        world.crash_account()
        await world.settle()
        world.stop()
        await world.end()
        assert foreign.is_open

    run_world(story, seed=11, simulation=NO_TAKERS, exchange_name=name)


@every_exchange
@pytest.mark.parametrize("trouble", ["too many requests", "maintenance"])
def test_exchange_that_takes_no_requests_for_a_while_is_left_alone_and_the_rounds_go_on(name: str, trouble: str) -> None:
    """T4, T8, T9"""

    async def story(world: World) -> None:
        await world.start(cycles=2)
        await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)
        if trouble == "maintenance":
            world.exchange.start_maintenance()
            await trio.sleep(8)
            world.exchange.end_maintenance()
        else:
            world.exchange.rate_limit_for(8)
        await world.end(within_seconds=600)
        assert [event.agrees for event in world.seen(CycleReconciled)] == [True, True]

    run_world(story, seed=12, exchange_name=name)
