from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.book import OrderBook
from market.events import Level

# Few prices and many zero quantities, so that levels are often set twice, deleted, and deleted where absent.
levels = st.lists(st.tuples(st.integers(1, 12).map(lambda tick: tick / 10), st.sampled_from([0.0, 0.0, 1.0, 2.5, 0.001])), max_size=12)
changes = st.lists(st.tuples(st.sampled_from(["apply", "apply", "apply", "replace"]), levels, levels), max_size=20)


class NaiveBook:
    """What the book must agree with: one dict a side, sorted anew for every question."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}

    def change(self, kind: str, bids: list[Level], asks: list[Level]) -> None:
        if kind == "replace":
            self.bids, self.asks = {}, {}
        for side, given_levels in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in given_levels:
                side[price] = quantity
                if not quantity:
                    del side[price]

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        return tuple(sorted(self.bids.items(), reverse=True)[:depth]), tuple(sorted(self.asks.items())[:depth])


@given(changes, st.integers(0, 13), st.floats(0.05, 1.4))
def test_book_after_any_changes_agrees_with_a_naive_model(changes, depth, limit) -> None:
    book, naive = OrderBook(), NaiveBook()
    for sequence, (kind, bids, asks) in enumerate(changes, start=1):
        getattr(book, kind)(bids, asks, sequence)
        naive.change(kind, bids, asks)
        assert book.sequence == sequence
        assert book.top(depth) == naive.top(depth)
        assert book.best_bid == max(naive.bids, default=None)
        assert book.best_ask == min(naive.asks, default=None)
        assert (book.bid_levels, book.ask_levels) == (len(naive.bids), len(naive.asks))
        assert book.has_both_sides == bool(naive.bids and naive.asks)
        assert book.is_crossed == (book.has_both_sides and max(naive.bids) >= min(naive.asks))
        for price in (limit, 0.5, 1.2):
            assert book.bid_quantity(price) == naive.bids.get(price, 0.0)
            assert book.ask_quantity(price) == naive.asks.get(price, 0.0)


def test_empty_book_has_no_best_and_is_not_crossed() -> None:
    book = OrderBook()
    assert (book.best_bid, book.best_ask, book.is_crossed, book.has_both_sides) == (None, None, False, False)
    assert book.top(5) == ((), ())


def test_book_keeps_all_levels_when_more_are_given_than_asked_for() -> None:
    book = OrderBook()
    book.replace([(float(price), 1.0) for price in range(1, 2001)], [(3000.5, 1.0)], 7)
    assert book.bid_levels == 2000
    assert book.top(2)[0] == ((2000.0, 1.0), (1999.0, 1.0))


@pytest.mark.parametrize("level", [(1.0, -1.0), (1.0, math.nan), (math.nan, 1.0), (-1.0, 1.0), (0.0, 1.0)])
def test_book_refuses_a_level_that_is_not_a_price_and_quantity(level: Level) -> None:
    book = OrderBook()
    book.replace([(1.0, 2.0)], [(2.0, 2.0)], 1)
    with pytest.raises(ValueError, match="level"):
        book.replace([level], [], 2)
    assert (book.sequence, book.top(5)) == (1, (((1.0, 2.0),), ((2.0, 2.0),)))
    with pytest.raises(ValueError, match="level"):
        book.apply([level], [], 2)
