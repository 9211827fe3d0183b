"""What the journal is for: a run that ended in the middle of something is gone on with, and nothing happens unwritten."""

from __future__ import annotations

from decimal import Decimal

from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, World, scenario

from actors.journal.events import JournalFailed
from assembly.presenter.report import ExitStatus, RunRecovered
from market.events import Side
from market.symbol import Symbol
from orders.events import AccountReady, OrderFateUnknown, OrderPlaced, OrderSubmitted
from orders.order import Order
from orders.reconciliation import CycleReconciled, CycleStarted
from simulated.faults import Operation


def buys_at_the_exchange(world: World) -> int:
    return sum(order.side is Side.BUY for order in world.exchange.orders())


async def die_with_an_open_sell(world: World) -> Order:
    """The connection is gone, so that the stop cannot cancel: as after `kill -9`, the order is left behind."""
    sell = await placed_sell(world)
    with world.network.partition("exchange.sim"):
        world.stop()
        report = await world.ended()
        assert report is not None
        assert report.exit_status is ExitStatus.MAY_BE_LIVE
    assert world.our_open_orders()
    return sell


@scenario(seed=301, simulation=NO_TAKERS)
async def test_restart_goes_on_with_the_round_that_was_in_progress_and_buys_nothing_again(world: World) -> None:
    await world.start()
    await die_with_an_open_sell(world)
    await world.start()
    recovered = await world.wait_for(RunRecovered)
    assert recovered.rounds_in_progress == ("btc",)
    assert len(recovered.orders_that_may_be_live) == 1
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert buys_at_the_exchange(world) == 1
    assert len(world.seen(CycleStarted)) == 1
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


@scenario(seed=302, simulation=NO_TAKERS)
async def test_fill_that_happened_while_nobody_was_there_is_counted_once_and_the_round_reconciles(world: World) -> None:
    await world.start()
    sell = await die_with_an_open_sell(world)
    world.exchange.fill_order(exchange_id(sell))
    await world.start()
    await world.end()
    assert buys_at_the_exchange(world) == 1
    (reconciled,) = world.seen(CycleReconciled)
    assert reconciled.agrees
    assert reconciled.sold_quantity == sell.request.quantity


@scenario(seed=303, simulation=NO_TAKERS)
async def test_part_of_an_order_that_filled_before_the_end_is_not_counted_again(world: World) -> None:
    await world.start()
    sell = await placed_sell(world)
    world.exchange.fill_order(exchange_id(sell), Decimal("0.0005"))
    await world.wait_for(OrderPlaced, lambda event: is_sell(event), count=1)
    await die_with_an_open_sell(world)
    await world.start()
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


@scenario(seed=304, simulation=NO_TAKERS)
async def test_buy_whose_answer_was_lost_in_the_moment_of_death_is_found_and_its_base_is_sold(world: World) -> None:
    world.exchange.lose_answers(Operation.PLACE)
    world.exchange.drop_private_events(1_000)
    await world.start()
    await world.wait_for(OrderSubmitted)
    await world.wait_until(lambda: bool(world.exchange.trades()))
    with world.network.partition("exchange.sim"):
        world.stop()
        await world.ended()
    world.exchange.clear_faults()
    await world.start()
    sell = await placed_sell(world)
    world.exchange.fill_order(exchange_id(sell))
    await world.end()
    assert buys_at_the_exchange(world) == 1
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


@scenario(seed=305, simulation=NO_TAKERS)
async def test_round_that_was_closed_is_over_and_a_restart_begins_a_new_one(world: World) -> None:
    await world.start()
    sell = await placed_sell(world)
    world.exchange.fill_order(exchange_id(sell))
    await world.end()
    await world.start()
    assert (await world.wait_for(RunRecovered)).rounds_in_progress == ()
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert buys_at_the_exchange(world) == 2
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True, True]


@scenario(seed=306)
async def test_no_order_reaches_the_exchange_before_its_intent_is_in_the_journal(world: World) -> None:
    faults, unwritten = world.exchange.faults, list[str]()
    take_delay_seconds = faults.take_request_delay_seconds

    def look(operation: Operation) -> float:
        if operation is Operation.PLACE:
            written = {row[0] for row in world.journal_rows("SELECT client_order_id FROM orders")}
            unwritten.extend(order.client_order_id for order in world.account.ledger.orders() if order.client_order_id not in written)
        return take_delay_seconds(operation)

    faults.take_request_delay_seconds = look  # type: ignore[method-assign]
    await world.start(cycles=3)
    await world.end()
    assert unwritten == []
    assert len(world.journal_rows("SELECT client_order_id FROM orders")) >= 6


@scenario(seed=307)
async def test_journal_holds_every_order_fill_and_round_as_the_exchange_does(world: World) -> None:
    await world.start(cycles=2)
    await world.end()
    orders = {row[0]: row[1] for row in world.journal_rows("SELECT exchange_order_id, state FROM orders")}
    assert set(orders) == {str(order.id) for order in world.exchange.orders()}
    trades = sorted(str(trade.id) for trade in world.exchange.trades())
    assert sorted(row[0] for row in world.journal_rows("SELECT trade_id FROM fills")) == trades
    assert [row[0] for row in world.journal_rows("SELECT agrees FROM rounds ORDER BY id")] == [1, 1]


@scenario(seed=308, simulation=NO_TAKERS)
async def test_journal_that_is_full_halts_trading_cancels_what_is_open_and_says_why(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    known = len(world.journal_rows("SELECT id FROM order_events"))
    world.fill_journal()
    failed = await world.wait_for(JournalFailed)
    assert "full" in failed.reason
    report = await world.ended()
    assert report is not None
    assert report.exit_status is ExitStatus.FAILED
    assert "journal" in report.reason
    world.check_nothing_is_open()
    assert len(world.journal_rows("SELECT id FROM order_events")) >= known, "nothing that was known is lost"


@scenario(seed=309, simulation=NO_TAKERS)
async def test_order_is_not_placed_while_the_journal_cannot_be_written(world: World) -> None:
    await world.start(cycles=0)
    await world.wait_for(AccountReady)
    world.fill_journal()
    report = await world.ended()
    assert report is not None
    assert not world.seen(OrderPlaced)
    assert not world.seen(OrderFateUnknown)
    assert world.exchange.orders() == ()
    assert report.exit_status is ExitStatus.FAILED


@scenario(seed=310)
async def test_cycle_of_another_symbol_does_not_inherit_the_round(world: World) -> None:
    await world.start()
    await die_with_an_open_sell(world)
    await world.start(symbol=Symbol("ETH", "USDT"))
    await world.wait_for(CycleStarted, lambda event: event.symbol == Symbol("ETH", "USDT"))
    world.check_nothing_is_open()
    world.stop()
    await world.end()
    assert {order.symbol for order in world.exchange.orders() if order.side is Side.BUY} >= {BTC_USDT}
