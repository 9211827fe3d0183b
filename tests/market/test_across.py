"""A symbol's books at several exchanges beside one another."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.across import Arbitrage, ExchangeTop, best_arbitrage, best_ask_at, best_bid_at

CHEAP = ExchangeTop(bids=[(99.0, 5.0)], asks=[(100.0, 1.0), (101.0, 2.0), (103.0, 9.0)], taker_fee_fraction=0.001)
DEAR = ExchangeTop(bids=[(102.0, 2.0), (101.5, 4.0)], asks=[(104.0, 1.0)], taker_fee_fraction=0.001)


def test_best_of_each_side_is_named_with_its_exchange() -> None:
    assert (best_bid_at({"cheap": CHEAP, "dear": DEAR}), best_ask_at({"cheap": CHEAP, "dear": DEAR})) == ("dear", "cheap")


def test_exchange_without_a_side_is_not_the_best_of_it() -> None:
    empty = ExchangeTop(bids=[], asks=[], taker_fee_fraction=0.0)
    assert (best_bid_at({"empty": empty, "cheap": CHEAP}), best_ask_at({"empty": empty})) == ("cheap", None)


def test_arbitrage_takes_level_by_level_what_earns_after_both_fees() -> None:
    # 1 at 100 and 1 at 101 into 102, then 1 at 101 into 101.5: 0.4985 less 0.2025 in fees still earns.
    found = best_arbitrage({"cheap": CHEAP, "dear": DEAR})
    profit = (102 * 0.999 - 100 * 1.001) + (102 * 0.999 - 101 * 1.001) + (101.5 * 0.999 - 101 * 1.001)
    assert found == Arbitrage("cheap", "dear", 3.0, pytest.approx(profit))


def test_gap_that_fees_eat_is_none() -> None:
    tops = {"cheap": CHEAP, "dear": ExchangeTop(bids=[(100.15, 1.0)], asks=[], taker_fee_fraction=0.001)}
    assert best_arbitrage(tops) is None


sides = st.lists(st.tuples(st.integers(90, 110), st.integers(1, 4)), max_size=5, unique_by=lambda level: level[0])
tops = st.builds(
    lambda bids, asks, fee: ExchangeTop(
        bids=[(float(price), float(quantity)) for price, quantity in sorted(bids, reverse=True)],
        asks=[(float(price), float(quantity)) for price, quantity in sorted(asks)],
        taker_fee_fraction=fee,
    ),
    sides,
    sides,
    st.sampled_from([0.0, 0.001, 0.02]),
)


@given(st.lists(tops, min_size=2, max_size=3))
def test_arbitrage_is_the_most_that_any_pair_earns_unit_by_unit(found: list[ExchangeTop]) -> None:
    def by_units(bought: ExchangeTop, sold: ExchangeTop) -> float:
        asks = [price * (1 + bought.taker_fee_fraction) for price, quantity in bought.asks for _ in range(int(quantity))]
        bids = [price * (1 - sold.taker_fee_fraction) for price, quantity in sold.bids for _ in range(int(quantity))]
        return sum(max(0.0, bid - ask) for ask, bid in zip(asks, bids, strict=False))

    most = max(by_units(one, other) for one, other in product(found, found) if one is not other)
    best = best_arbitrage({str(number): top for number, top in enumerate(found)})
    assert (0.0 if best is None else best.profit) == pytest.approx(most)
