"""The last middle that the program's accounts may know, as it is seen from outside."""

from __future__ import annotations

from decimal import Decimal

import trio

from market.events import BookChanged, BookLost
from market.symbol import Symbol
from soak.checks.loss_reference import LATE_SECONDS
from soak.checks.middles import LastMiddles, Middles

BTC_USDT = Symbol("BTC", "USDT")


def book_changed(middle: float) -> BookChanged:
    return BookChanged("one", BTC_USDT, ((middle - 1, 1.0),), ((middle + 1, 1.0),), 1, 1, 0, trio.current_time())


def book_lost() -> BookLost:
    return BookLost("one", BTC_USDT, "gap", trio.current_time())


def between(lowest: int, highest: int) -> Middles:
    return Middles(Decimal(lowest), Decimal(highest))


async def test_middle_of_a_book_that_is_there_is_its_last_one(autojump_clock) -> None:
    middles = LastMiddles()
    assert middles.of("one", BTC_USDT) is None
    for middle in (100, 103):
        middles.see(book_changed(middle))
        assert middles.of("one", BTC_USDT) == between(middle, middle)
    assert middles.of("two", BTC_USDT) is None


async def test_middle_of_a_lost_book_is_any_of_the_last_seconds_and_exact_again_with_the_next_book(autojump_clock) -> None:
    middles = LastMiddles()
    for middle in (90, 100, 103, 101):
        middles.see(book_changed(middle))
        await trio.sleep(LATE_SECONDS / 2)
    middles.see(book_lost())
    assert middles.of("one", BTC_USDT) == between(101, 103), "it was 103 when the last seconds began"
    middles.see(book_changed(95))
    assert middles.of("one", BTC_USDT) == between(95, 95)


async def test_middle_of_a_book_that_was_quiet_before_it_was_lost_is_its_last_one(autojump_clock) -> None:
    middles = LastMiddles()
    for middle in (100, 120, 110):
        middles.see(book_changed(middle))
        await trio.sleep(LATE_SECONDS / 2)
    await trio.sleep(LATE_SECONDS)
    middles.see(book_lost())
    assert middles.of("one", BTC_USDT) == between(110, 110)


async def test_run_that_begins_knows_no_middle_of_the_one_before(autojump_clock) -> None:
    middles = LastMiddles()
    middles.see(book_changed(100))
    middles.clear()
    middles.see(book_lost())
    assert middles.of("one", BTC_USDT) is None
