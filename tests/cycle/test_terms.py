"""New terms of a cycle that runs: from when on they hold, and that no death of it loses them."""

from __future__ import annotations

from decimal import Decimal

import trio
from cycle_desk import TICK_SECONDS, Desk

from actors.cycle.rounds.sell_on_top import SellOnTop, SellOnTopParameters
from market.events import Side
from orders.commands import CancelOrder, PlaceOrder
from orders.reconciliation import CycleFinished, CycleStarted

SOON_SECONDS, LONG_SECONDS = 0.5, 5.0


def with_offset(ticks: int) -> SellOnTop:
    return SellOnTop(SellOnTopParameters(reprice_interval_seconds=0, price_offset_ticks=ticks))


async def test_new_strategy_decides_next_and_the_quote_follows_it(autojump_clock: object) -> None:
    desk = Desk(with_offset(0))
    async with desk.open():
        sell = await desk.resting_sell()
        assert sell.request.price == Decimal("100.1")
        desk.controller = with_offset(1)
        desk.change_terms()
        assert (await desk.resting_sell(2)).request.price == Decimal("100.0")


async def test_terms_that_came_while_no_incarnation_lived_are_those_of_the_next(autojump_clock: object) -> None:
    desk = Desk(with_offset(0))
    async with desk.open():
        await desk.resting_sell()
        await desk.kill()
        old, desk.controller = desk.controller, with_offset(1)
        desk.change_terms()
        desk.controller = old  # even if it were made as before
        desk.start()
        assert (await desk.resting_sell(2)).request.price == Decimal("100.0")


async def test_terms_are_taken_up_between_decisions_also_where_nothing_else_happens(autojump_clock: object) -> None:
    desk = Desk()
    desk.tick_seconds = 30.0
    async with desk.open():
        await desk.until(lambda: desk.account.placements(Side.SELL))
        desk.tick_seconds, desk.book_age_seconds_max = TICK_SECONDS, 5.0
        desk.change_terms()
        desk.tell_book()
        await trio.sleep(5.0 + SOON_SECONDS)
        assert len(desk.account.seen(CancelOrder)) == 1, "the book is too old by the new terms, and it looks as often as they say"


async def test_quantity_changes_with_the_next_round_and_not_in_the_middle_of_one(autojump_clock: object) -> None:
    desk = Desk(rounds_max=2)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.quote_quantity = Decimal(40)
        desk.change_terms()
        await trio.sleep(LONG_SECONDS)
        assert desk.account.seen(CancelOrder) == []
        desk.account.fill(sell.client_order_id)
        await desk.until(lambda: len(desk.account.placements(Side.BUY)) == 2)
        assert [buy.request.quote_quantity for buy in desk.account.placements(Side.BUY)] == [Decimal(100), Decimal(40)]
        assert [started.quote_quantity for started in desk.seen(CycleStarted)] == [Decimal(100), Decimal(40)]


async def test_quantity_of_a_round_outlives_a_crash_in_it(autojump_clock: object) -> None:
    desk = Desk()
    desk.account.deaf_to = {PlaceOrder}
    async with desk.open():
        await desk.until(lambda: desk.account.placements(Side.BUY))
        await desk.kill()
        desk.quote_quantity = Decimal(40)
        desk.change_terms()
        desk.start()
        await desk.until(lambda: len(desk.account.placements(Side.BUY)) == 2)
        assert desk.account.placements(Side.BUY)[1].request.quote_quantity == Decimal(100)


async def test_fewer_rounds_end_the_cycle_after_the_one_in_progress_and_not_before(autojump_clock: object) -> None:
    desk = Desk(rounds_max=0)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.rounds_max = 1
        desk.change_terms()
        await trio.sleep(LONG_SECONDS)
        assert desk.seen(CycleFinished) == []
        desk.account.fill(sell.client_order_id)
        assert await desk.ended() is None
        assert len(desk.seen(CycleFinished)) == 1


async def test_cycle_that_waits_for_its_next_round_ends_when_there_is_to_be_none(autojump_clock: object) -> None:
    desk = Desk(rounds_max=2)
    async with desk.open():
        sell = await desk.resting_sell()
        desk.lose_account()
        desk.account.fill(sell.client_order_id)
        await trio.sleep(LONG_SECONDS)
        assert len(desk.account.placements(Side.BUY)) == 1
        desk.rounds_max = 1
        desk.change_terms()
        assert await desk.ended() is None
        assert len(desk.account.placements(Side.BUY)) == 1
