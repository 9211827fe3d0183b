"""The account's own prices: the newest of each book, and when it is none."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
import trio.testing
from limited_account import BOOK_AGE_SECONDS_MAX, Market

from market.symbol import Symbol
from market.touch import Touch
from orders.ledger import AccountLedger

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")


@pytest.fixture
def market() -> Market:
    return Market(AccountLedger(account="main", installation="mm"), (BTC, ETH))


def test_newest_book_of_each_symbol_counts(market: Market) -> None:
    market.quote(1.0, 2.0, received_at=0.0)
    market.quote(99.9, 100.1, received_at=1.0)
    market.quote(9.0, 10.0, symbol=ETH, received_at=1.0)
    prices = market.account.prices
    assert prices.touch(BTC, now=1.0) == Touch(Decimal("99.9"), Decimal("100.1"))
    assert prices.touch(ETH, now=1.0) == Touch(Decimal(9), Decimal(10))


def test_book_that_nothing_has_proven_for_too_long_is_no_price_and_is_the_last_one_known(market: Market) -> None:
    market.quote(9.0, 10.0, received_at=1.0)
    prices = market.account.prices
    assert prices.touch(BTC, now=1.0 + BOOK_AGE_SECONDS_MAX) is not None
    assert prices.touch(BTC, now=1.1 + BOOK_AGE_SECONDS_MAX) is None
    assert prices.why_none(BTC, now=1.1 + BOOK_AGE_SECONDS_MAX) == "the book of BTC/USDT was proven 5.1 s ago"
    assert prices.last(BTC) == Touch(Decimal(9), Decimal(10))


def test_lost_book_is_no_price_until_there_is_another(market: Market) -> None:
    prices = market.account.prices
    market.quote(9.0, 10.0, received_at=1.0)
    assert prices.touch(BTC, now=1.0) is not None
    market.lose("a gap")
    assert prices.touch(BTC, now=1.0) is None
    assert prices.why_none(BTC, now=1.0) == "the book of BTC/USDT is lost (a gap)"
    assert prices.last(BTC) == Touch(Decimal(9), Decimal(10))
    market.quote(8.0, 9.0, received_at=2.0)
    assert prices.touch(BTC, now=2.0) == Touch(Decimal(8), Decimal(9))


def test_book_that_was_never_told_of_is_no_price(market: Market) -> None:
    prices = market.account.prices
    assert (prices.touch(BTC, now=0.0), prices.last(BTC)) == (None, None)
    assert prices.why_none(BTC, now=0.0) == "the book of BTC/USDT is not known yet"


async def test_change_of_a_book_wakes_nobody(market: Market) -> None:
    runs = 0

    class Counting(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal runs
            runs += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.testing.wait_all_tasks_blocked()
        counting = Counting()
        trio.lowlevel.add_instrument(counting)
        market.quote(9.0, 10.0)
        await trio.testing.wait_all_tasks_blocked()
        trio.lowlevel.remove_instrument(counting)
        nursery.cancel_scope.cancel()
    assert runs == 1, "this task, when it goes on"
