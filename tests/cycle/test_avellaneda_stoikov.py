"""`avellaneda_stoikov` decides purely: what it waits for, where it quotes, and what must hold of any view."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from strategy_views import (
    BTC,
    DOGE,
    MARKETS,
    NOW,
    History,
    Market,
    asks,
    bids,
    book_of,
    flow,
    fractions,
    orders_of,
    prices,
    quantities,
    shared_parameters,
    steady,
    view_of,
    views,
    walk,
)

from actors.cycle.quoting.contract import MidSample, QuotingView, Wanted
from actors.cycle.quoting.strategies.avellaneda_stoikov import AvellanedaStoikov, AvellanedaStoikovParameters, Model
from assembly.decoding import decode
from market.events import BookChanged

D = Decimal
SIGMA, DECAY, ARRIVALS = 0.0001, 2_000.0, 0.5
# What the market is like is given, and what a test is not about is left out.
PLAIN = AvellanedaStoikovParameters(
    volatility_per_sqrt_second=SIGMA,
    intensity_decay=DECAY,
    intensity_arrivals_per_second=ARRIVALS,
    maker_fee_fraction=D(0),
    spread_min_fraction=D("0.0001"),
    refresh_tolerance_fraction=D(0),
    inventory_size_skew=D(0),
    filled_order_delay_seconds=0,
)


@st.composite
def parameters(draw: st.DrawFn) -> AvellanedaStoikovParameters:
    shared = {name: draw(values) for name, values in shared_parameters().items()}
    return AvellanedaStoikovParameters(
        model=draw(st.sampled_from(Model)),
        risk_aversion=draw(st.floats(0.01, 10)),
        gamma=draw(st.one_of(st.none(), st.floats(0.1, 1_000))),
        horizon_seconds=draw(st.floats(10, 10_000)),
        volatility_per_sqrt_second=draw(st.floats(1e-6, 1e-3)),
        intensity_decay=draw(st.floats(100, 1e6)),
        intensity_arrivals_per_second=draw(st.floats(0.001, 100)),
        **shared,
    )


def decide(parameters: AvellanedaStoikovParameters, view: QuotingView) -> Wanted:
    return AvellanedaStoikov(parameters).decide(view)


def plain(view: QuotingView | None = None, **changes: object) -> Wanted:
    return decide(replace(PLAIN, **changes), view or view_of())


def fact(wanted: Wanted, name: str) -> float:
    return float(wanted.facts[name])


def inventory_of(orders: float) -> Decimal:
    """So many orders of 100 quote units, in bitcoin."""
    return D(str(orders)) * 100 / 60_000


# What always holds.


@given(parameters(), views())
def test_no_bid_ever_meets_an_ask_and_a_round_trip_leaves_the_minimum(chosen: AvellanedaStoikovParameters, view: QuotingView) -> None:
    wanted, fee = decide(chosen, view), chosen.maker_fee_fraction
    assert all(bid.price < ask.price for bid in bids(wanted) for ask in asks(wanted))
    if bids(wanted) and asks(wanted):
        left = asks(wanted)[0].price * (1 - fee) - bids(wanted)[0].price * (1 + fee)
        assert left >= chosen.spread_min_fraction * D(str(wanted.facts["centre_price"])) * D("0.9999999999")


@given(parameters(), views(with_orders=False), fractions("0", "8"))
def test_more_inventory_never_raises_a_quote(chosen: AvellanedaStoikovParameters, view: QuotingView, more: Decimal) -> None:
    # Sizes and counts are another test's; here every level is there to be compared.
    chosen = replace(chosen, inventory_max_orders=D(30), inventory_size_skew=D(0), inventory_level_skew=D(0), moving_band_fraction=None)
    held = view.tally.inventory + more * 100 / D(str(view.history.mids[0].mid))
    heavier = view_of(Market(view.instrument, D(1)), inventory=held, book=view.book)
    before, after = decide(chosen, view), decide(chosen, heavier)
    for side in (bids, asks):
        assert all(new <= old for new, old in zip(prices(side(after)), prices(side(before)), strict=False))


@given(parameters(), views())
def test_inventory_stays_within_its_maximum_if_everything_of_a_side_is_filled(
    chosen: AvellanedaStoikovParameters, view: QuotingView
) -> None:
    wanted, held = decide(chosen, view), view.tally.inventory
    maximum = chosen.inventory_max_orders * view.order_quote / D(str(wanted.facts["reference_price"])) * D("1.00000000000001")
    bought, sold = sum(quantities(bids(wanted))), sum(quantities(asks(wanted)))
    assert not bought or held + bought <= maximum
    assert not sold or held - sold >= -maximum


@given(parameters(), st.sampled_from(MARKETS), fractions("-9", "9"), st.integers(1, 200))
def test_decision_that_is_live_is_decided_again(
    chosen: AvellanedaStoikovParameters, here: Market, orders: Decimal, half_spread_ticks: int
) -> None:
    chosen = replace(chosen, refresh_seconds=0.0)
    book = book_of(here, half_spread_ticks=half_spread_ticks)
    view = view_of(here, inventory=orders * 100 / here.price, book=book)
    wanted = decide(chosen, view)
    own = book_of(here, half_spread_ticks=half_spread_ticks, own=wanted.quotes)
    assert decide(chosen, replace(view, book=own, orders=orders_of(wanted, here))).quotes == wanted.quotes


@given(parameters(), fractions("-9", "9"), st.integers(-4, 4))
def test_prices_ten_times_as_high_are_quoted_ten_times_as_high(chosen: AvellanedaStoikovParameters, orders: Decimal, power: int) -> None:
    scale = D(10) ** power
    rules = replace(BTC.instrument, price_tick=BTC.instrument.price_tick * scale, quantity_step=D("1e-12"), quantity_min=D("1e-12"))
    there = Market(rules, BTC.price * scale)
    here = Market(replace(rules, price_tick=BTC.instrument.price_tick), BTC.price)
    found, scaled = (decide(chosen, view_of(place, inventory=orders * 100 / place.price)) for place in (here, there))
    assert [(quote.side, quote.price * scale) for quote in found.quotes] == [(quote.side, quote.price) for quote in scaled.quotes]
    assert [float(quote.quantity / scale) for quote in found.quotes] == pytest.approx(
        [float(quote.quantity) for quote in scaled.quotes], rel=1e-4
    )


# Where it quotes.


def test_without_inventory_quotes_are_half_a_spread_from_the_mid() -> None:
    wanted = plain(model=Model.FINITE_HORIZON, gamma=20.0)
    left = 600 - NOW % 600
    half = 20 * SIGMA**2 * left / 2 + math.log(1 + 20 / DECAY) / 20
    assert float(bids(wanted)[0].price) == pytest.approx(60_000 * (1 - half), abs=0.1)
    assert float(asks(wanted)[0].price) == pytest.approx(60_000 * (1 + half), abs=0.1)


def test_inventory_moves_the_reservation_price_by_the_variance_that_is_left_in_the_session() -> None:
    early = plain(view_of(now=600.0, inventory=inventory_of(4)), model=Model.FINITE_HORIZON, gamma=20.0)
    late = plain(view_of(now=1199.0, inventory=inventory_of(4)), model=Model.FINITE_HORIZON, gamma=20.0)
    assert fact(early, "reservation_price") == pytest.approx(60_000 * (1 - 4 * 20 * SIGMA**2 * 600))
    assert fact(late, "reservation_price") == pytest.approx(60_000 * (1 - 4 * 20 * SIGMA**2 * 1))


def test_risk_aversion_of_one_moves_the_price_by_one_deviation_at_the_maximum() -> None:
    full = view_of(now=600.0, inventory=inventory_of(10))
    deviation = SIGMA * math.sqrt(600)
    for aversion in (0.5, 1.0, 2.0):
        wanted = plain(full, model=Model.FINITE_HORIZON, risk_aversion=aversion)
        assert fact(wanted, "reservation_price") == pytest.approx(60_000 * (1 - aversion * deviation))
    assert fact(plain(gamma=7.5), "gamma") == 7.5


def test_half_spread_is_a_distance_from_the_mid_also_where_the_reservation_price_is_far_away() -> None:
    wanted = plain(view_of(now=600.0, inventory=inventory_of(10)), model=Model.FINITE_HORIZON, gamma=2_500.0, spread_max_fraction=D("0.5"))
    shift, half = -10 * 2_500 * SIGMA**2 * 600, 2_500 * SIGMA**2 * 600 / 2 + math.log(1 + 2_500 / DECAY) / 2_500
    assert shift < -0.1
    assert fact(wanted, "ask_spread_fraction") == pytest.approx(half / (1 + shift))


def test_reservation_price_is_never_more_than_a_fifth_from_the_mid() -> None:
    for orders in (-9, 9):
        wanted = plain(view_of(now=600.0, inventory=inventory_of(orders)), model=Model.FINITE_HORIZON, gamma=1e6)
        assert fact(wanted, "reservation_price") == pytest.approx(60_000 * (1.2 if orders < 0 else 0.8))


def test_rebate_larger_than_the_models_spread_leaves_the_minimum_spread() -> None:
    wanted = plain(intensity_decay=1e6, maker_fee_fraction=D("-0.0002"), spread_min_fraction=D("0.001"))
    assert float(asks(wanted)[0].price - bids(wanted)[0].price) == pytest.approx(60_000 * 0.0006, abs=0.3)


def test_inventory_beyond_its_maximum_moves_the_price_no_further() -> None:
    full, fuller = (plain(view_of(inventory=inventory_of(orders)), model=Model.FINITE_HORIZON) for orders in (10, 15))
    assert fact(full, "reservation_price") == pytest.approx(fact(fuller, "reservation_price"))
    assert fact(fuller, "inventory_orders") == pytest.approx(15)


def test_models_agree_on_the_direction_and_differ_in_the_amount() -> None:
    found = {model: fact(plain(view_of(inventory=inventory_of(5)), model=model), "reservation_price") for model in Model}
    assert all(price < 60_000 for price in found.values())
    assert len(set(found.values())) == 3


def test_fee_is_added_to_each_side() -> None:
    free, paid = plain(), plain(maker_fee_fraction=D("0.001"))
    assert float(asks(paid)[0].price - asks(free)[0].price) == pytest.approx(60, abs=0.2)
    assert float(bids(free)[0].price - bids(paid)[0].price) == pytest.approx(60, abs=0.2)


def test_spread_is_kept_within_its_bounds() -> None:
    narrow = plain(intensity_decay=1e6, spread_min_fraction=D("0.004"))
    assert float(asks(narrow)[0].price - bids(narrow)[0].price) == pytest.approx(240, abs=0.2)
    wide = plain(intensity_decay=10.0, spread_max_fraction=D("0.004"))
    assert float(asks(wide)[0].price - bids(wide)[0].price) == pytest.approx(240, abs=0.2)


def test_calm_market_is_not_quoted_ever_narrower() -> None:
    calm = plain(volatility_per_sqrt_second=1e-12)
    assert fact(calm, "gamma") == DECAY
    assert float(asks(calm)[0].price) == pytest.approx(60_000 * (1 + math.log(2) / DECAY), abs=0.1)


# What it estimates, and waits for.


def seen(mids: list[MidSample], *, decay: float = DECAY, place: Market = BTC) -> QuotingView:
    """A view at the end of these mids, with trades of known intensity."""
    last = mids[-1]
    trades = flow(ARRIVALS, decay, mids, random.Random(1))
    book: BookChanged = book_of(place, mid=place.instrument.round_price_down(D(repr(last.mid))))
    return view_of(place, now=last.at, book=book, history=History(tuple(mids), tuple(trades)))


ESTIMATING = replace(PLAIN, volatility_per_sqrt_second=None, intensity_decay=None, intensity_arrivals_per_second=None)


def test_volatility_and_intensity_are_estimated_from_the_history() -> None:
    view = seen(walk(SIGMA / 2, [float(at) for at in range(601)], random.Random(1)))
    wanted = decide(ESTIMATING, view)
    assert wanted.phase == "quoting"
    assert fact(wanted, "volatility_per_sqrt_second") == pytest.approx(SIGMA / 2, rel=0.1)
    assert fact(wanted, "intensity_decay") == pytest.approx(DECAY, rel=0.15)
    assert fact(wanted, "intensity_arrivals_per_second") == pytest.approx(ARRIVALS, rel=0.15)
    assert AvellanedaStoikov(ESTIMATING).history_seconds == 660
    assert AvellanedaStoikov(replace(ESTIMATING, moving_band_fraction=D("0.1"), moving_band_seconds=900.0)).history_seconds == 900


def test_nothing_is_quoted_until_the_estimates_are_there() -> None:
    first = "waiting for volatility: 60 s of the market are seen first (warm_up_seconds)"
    assert decide(ESTIMATING, view_of()) == Wanted(phase=first)
    assert decide(ESTIMATING, seen(steady(59))).phase == first
    soon = replace(ESTIMATING, warm_up_seconds=5.0)
    prices = "waiting for volatility: 30 prices 1 s from each other (volatility_sample_seconds)"
    assert decide(soon, seen(steady(9))).phase == prices
    without_trades = replace(seen(steady(60)), history=History(tuple(steady(60))))
    assert decide(ESTIMATING, without_trades).phase.startswith("waiting for trading intensity: fewer than 30 orders that take in 600 s; in")
    assert decide(ESTIMATING, seen(steady(60))).phase == "quoting"
    assert decide(ESTIMATING, view_of(book=None)) == Wanted(phase="waiting for the book")


def test_warm_up_as_long_as_the_window_comes_to_an_end() -> None:
    slow = replace(ESTIMATING, warm_up_seconds=600.0)
    kept = [sample for sample in steady(2_000) if sample.at >= 2_000 - AvellanedaStoikov(slow).history_seconds + 0.5]
    assert decide(slow, seen(kept)).phase == "quoting"
    assert decide(slow, seen(kept[-590:])).phase.startswith("waiting for volatility: 600 s of")


@pytest.mark.parametrize("model", Model)
def test_estimates_of_a_coin_of_a_fraction_of_a_cent_quote_as_those_of_bitcoin_do(model: Model) -> None:
    mids = walk(SIGMA, [float(at) for at in range(601)], random.Random(3))
    factor = float(DOGE.price / BTC.price)
    small = [MidSample(sample.at, sample.mid * factor) for sample in mids]
    spreads: list[float] = []
    for place, samples in ((BTC, mids), (DOGE, small)):
        wanted = decide(replace(ESTIMATING, model=model), seen(samples, place=place))
        assert wanted.phase == "quoting"
        spreads.append(fact(wanted, "ask_spread_fraction"))
    assert spreads[1] == pytest.approx(spreads[0], rel=0.05)  # the price tick bounds how near depths can be


def test_defaults_quote_every_market_and_pay_their_fees() -> None:
    for place in MARKETS:
        mids = [
            MidSample(sample.at, sample.mid * float(place.price) / 60_000)
            for sample in walk(SIGMA, [float(s) for s in range(601)], random.Random(5))
        ]
        wanted = decide(AvellanedaStoikovParameters(), seen(mids, place=place))
        assert wanted.phase == "quoting"
        assert asks(wanted)[0].price * D("0.999") > bids(wanted)[0].price * D("1.001")


# Parameters.


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"risk_aversion": 0.0}, "risk_aversion is above 0"),
        ({"gamma": -1.0}, "gamma is above 0"),
        ({"horizon_seconds": 0.0}, "horizon_seconds is above 0"),
        ({"intensity_decay": 2.0}, "intensity_decay and intensity_arrivals_per_second are given together"),
        ({"warm_up_seconds": 700.0}, "warm_up_seconds is at most estimate_seconds"),
        ({"levels": 0}, "levels is 1 to 100"),
    ],
)
def test_parameter_out_of_range_is_refused_by_name(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AvellanedaStoikovParameters(**wrong)


def test_parameters_are_read_from_a_settings_table() -> None:
    chosen = decode({"model": "glft", "risk_aversion": 2, "levels": 3}, AvellanedaStoikovParameters, "cycles.btc.parameters")
    assert (chosen.model, chosen.risk_aversion, chosen.levels) == (Model.GLFT, 2.0, 3)


def test_every_parameter_is_explained_where_it_is_declared() -> None:
    text = AvellanedaStoikovParameters.__doc__ or ""
    assert all(f"`{name}`" in text for name in AvellanedaStoikovParameters.__annotations__)
