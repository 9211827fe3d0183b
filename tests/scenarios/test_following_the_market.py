"""The sell on top of the book as the market moves, fills it in parts, or goes away."""

from __future__ import annotations

from decimal import Decimal

import trio
from world import BTC_USDT, World, scenario

from market.events import BookLost, Side
from orders.events import OrderEnded, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleReconciled
from simulated.faults import Operation
from simulated.settings import MarketSettings, SimulationSettings

# Makers quote and nobody takes: a sell rests until the scenario has it filled.
NO_TAKERS = SimulationSettings(markets=(MarketSettings(taker_rate_per_second=0.0, gap_rate_per_second=0.0, volatility_per_second=0.0),))


def is_sell(event: OrderSubmitted | OrderPlaced | OrderEnded | OrderFilled) -> bool:
    return event.order.request.side is Side.SELL


async def placed_sell(world: World, count: int = 1, *, within_seconds: float = 120.0) -> Order:
    """The `count`-th sell that the exchange has."""
    return (await world.wait_for(OrderPlaced, is_sell, count=count, within_seconds=within_seconds)).order


def exchange_id(order: Order) -> int:
    assert order.exchange_order_id is not None
    return int(order.exchange_order_id)


@scenario(seed=11, simulation=NO_TAKERS)
async def test_sell_is_one_tick_under_the_best_ask_of_others(world: World) -> None:
    world.exchange.freeze_flow()
    await world.start()
    best_ask_before = world.exchange.best_ask(BTC_USDT)
    sell = await placed_sell(world)
    assert best_ask_before is not None
    assert sell.request.price is not None
    # The buy took from the best level without emptying it: the best ask of others is where it was.
    assert sell.request.price == best_ask_before - Decimal("0.1")
    await trio.sleep(20)
    assert len(world.seen(OrderPlaced, is_sell)) == 1, "a sell that is on top stays: it does not undercut itself"
    world.exchange.fill_order(exchange_id(sell))
    await world.end()


@scenario(seed=12, simulation=NO_TAKERS)
async def test_sell_is_replaced_each_time_the_market_moves_away_from_it(world: World) -> None:
    await world.start()
    for count, price in enumerate((59_000, 58_500, 58_000), start=1):
        await placed_sell(world, count)
        world.exchange.move_market(BTC_USDT, Decimal(price))
    last = await placed_sell(world, 4)
    assert last.request.price is not None
    assert 57_900 < last.request.price < 58_100
    replaced = world.seen(OrderEnded, lambda event: is_sell(event) and event.order.state is OrderState.CANCELLED)
    assert len(replaced) == 3
    world.exchange.fill_order(exchange_id(last))
    await world.end()


@scenario(seed=13, simulation=NO_TAKERS)
async def test_partial_fill_is_carried_over_to_the_replacement(world: World) -> None:
    await world.start()
    first = await placed_sell(world)
    world.exchange.fill_order(exchange_id(first), Decimal("0.0006"))
    await world.wait_for(OrderFilled, is_sell)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    second = await placed_sell(world, 2)
    assert first.request.quantity is not None
    assert second.request.quantity == first.request.quantity - Decimal("0.0006")
    world.exchange.fill_order(exchange_id(second))
    report = await world.end()
    sold = sum(order.filled_quantity for order in report.orders["main"] if order.request.side is Side.SELL)
    assert sold == first.request.quantity
    assert world.seen(CycleReconciled)[0].sold_quantity == sold


@scenario(seed=14, simulation=NO_TAKERS)
async def test_rest_too_small_to_be_placed_anew_stays_where_it_is(world: World) -> None:
    await world.start()
    first = await placed_sell(world)
    assert first.request.quantity is not None
    world.exchange.fill_order(exchange_id(first), first.request.quantity - Decimal("0.00002"))  # 1.2 USDT are left, the minimum is 3
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await trio.sleep(30)
    assert len(world.seen(OrderPlaced, is_sell)) == 1
    world.exchange.fill_order(exchange_id(first))
    await world.end()


@scenario(seed=15, simulation=NO_TAKERS)
async def test_quotes_are_pulled_when_the_book_is_lost_and_placed_again_when_it_is_back(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.withhold_book_updates(BTC_USDT, 1)
    world.exchange.delay_answers(Operation.MARKET_DATA, 3.0, 1)
    await world.wait_for(BookLost)
    await world.wait_for(OrderEnded, lambda event: is_sell(event) and event.order.state is OrderState.CANCELLED)
    world.check_nothing_is_open()
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
