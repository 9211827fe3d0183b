"""Estimates against closed forms, and against markets simulated with known volatility and intensity."""

from __future__ import annotations

import math
import random

import pytest
from strategy_views import flow, steady, trade, walk

from actors.cycle.quoting.contract import MidSample
from actors.cycle.quoting.strategies.estimators import Intensity, trading_intensity, volatility
from market.events import Side, TradeHappened

SIGMA = 0.0001  # 2.9 % a day
TICK_FRACTION = 1e-7
WINDOW_SECONDS = 600.0


def sigma_of(mids: list[MidSample], *, spacing_seconds: float = 1.0) -> float | None:
    return volatility(mids, now=mids[-1].at, window_seconds=WINDOW_SECONDS, spacing_seconds=spacing_seconds)


def intensity_of(trades: list[TradeHappened], mids: list[MidSample]) -> Intensity | None:
    return trading_intensity(trades, mids, now=mids[-1].at, window_seconds=WINDOW_SECONDS, tick_fraction=TICK_FRACTION)


# Volatility.


def test_volatility_of_equal_returns_is_their_size() -> None:
    mids = [MidSample(at * 4.0, 100.0 * (1.001 if at % 2 else 1.0)) for at in range(100)]
    assert sigma_of(mids) == pytest.approx(math.log(1.001) / 2)  # ln(1.001) in each 4 seconds


@pytest.mark.parametrize("seed", range(5))
def test_volatility_of_a_simulated_market_is_found_within_three_standard_errors(seed: int) -> None:
    rng = random.Random(seed)
    even = [float(at) for at in range(601)]
    uneven = sorted(rng.uniform(0, 600) for _ in range(601))
    assert sigma_of(walk(SIGMA, even, rng)) == pytest.approx(SIGMA, rel=3 / math.sqrt(2 * 600))
    # Of uneven moments many are nearer than the spacing, and the weights differ: fewer returns, less evenly counted.
    assert sigma_of(walk(SIGMA, uneven, rng), spacing_seconds=0.1) == pytest.approx(SIGMA, rel=5 / math.sqrt(2 * 600))


def test_volatility_is_the_same_at_any_price() -> None:
    mids = walk(SIGMA, [float(at) for at in range(601)], random.Random(1))
    assert sigma_of([MidSample(sample.at, sample.mid * 1e-9) for sample in mids]) == pytest.approx(sigma_of(mids))


def test_flicker_between_samples_that_are_too_near_makes_no_volatility() -> None:
    mids = [MidSample(at / 10, 60_000.0 + (5 if at % 10 else 0)) for at in range(6001)]
    assert sigma_of(mids) == 0
    assert sigma_of(mids, spacing_seconds=0.1) != 0


def test_ticks_that_come_a_little_early_or_late_are_all_looked_at() -> None:
    jitter = random.Random(1)
    mids = [MidSample(at + jitter.uniform(0, 0.01), 60_000.0) for at in range(31)]
    assert sigma_of(mids) == 0  # 30 returns, which are just enough


def test_price_that_moved_while_the_market_was_not_seen_makes_no_volatility() -> None:
    mids = [MidSample(float(at), 60_000.0 if at < 300 else 66_000.0) for at in range(601) if not 200 < at < 400]
    assert sigma_of(mids) == 0


def test_volatility_looks_no_further_back_than_its_window_and_waits_for_enough_returns() -> None:
    wild = [MidSample(float(at), 60_000.0 * (1 + at % 2)) for at in range(600)]
    calm = [MidSample(600.0 + at, 60_000.0) for at in range(601)]
    assert sigma_of(wild + calm) == 0
    assert sigma_of(calm[:30]) is None
    assert sigma_of(calm[:31]) == 0
    assert volatility([], now=0.0, window_seconds=600, spacing_seconds=1) is None


# Trading intensity.


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("arrivals", "decay"), [(1.0, 2_000.0), (0.5, 10_000.0), (1.5, 300.0)])
def test_intensity_that_trades_were_drawn_with_is_found_within_three_standard_errors(seed: int, arrivals: float, decay: float) -> None:
    rng, mids = random.Random(seed), steady()
    found = intensity_of(flow(arrivals, decay, mids, rng), mids)
    assert found is not None
    error = 3 / math.sqrt(min(2 * arrivals * 600, 1_000))
    assert found.decay == pytest.approx(decay, rel=error)
    assert found.arrivals_per_second == pytest.approx(arrivals, rel=error)


@pytest.mark.parametrize("seed", range(5))
def test_intensity_is_found_where_the_nearest_trades_are_half_a_spread_away(seed: int) -> None:
    rng, mids = random.Random(seed), steady()
    found = intensity_of(flow(2.0, 2_000.0, mids, rng, nearest=0.0005), mids)  # k d(0) = 1
    assert found is not None
    error = 3 / math.sqrt(2 * 2 * 600 * math.exp(-1))  # some 880 arrivals
    assert found.decay == pytest.approx(2_000, rel=error)
    assert found.arrivals_per_second == pytest.approx(2, rel=2 * error)  # that of k enters it


@pytest.mark.parametrize("seed", range(5))
def test_intensity_of_a_market_that_moves_between_ticks_is_found_within_a_tenth(seed: int) -> None:
    rng = random.Random(seed)
    fine = walk(SIGMA / 2, [at / 10 for at in range(6001)], rng)
    found = intensity_of(flow(2.0, 2_000.0, fine, rng), fine[::10])
    assert found is not None
    assert found.decay == pytest.approx(2_000, rel=0.1)
    assert found.arrivals_per_second == pytest.approx(2, rel=0.1)


def test_trades_of_one_order_are_one_arrival_as_deep_as_its_deepest() -> None:
    mids, depths = steady(100), [0.0001 * (1 + number % 5) for number in range(100)]
    once = [trade(number + 0.5, Side.BUY, 60_000 * (1 + depth)) for number, depth in enumerate(depths)]
    swept = [
        trade(at + 0.5, Side.BUY, 60_000 * (1 + depth * part), round(at * 1000 + 500))
        for at, depth in enumerate(depths)
        for part in (0.1, 1.0, 0.5)
    ]
    assert intensity_of(swept, mids) == intensity_of(once, mids)


def test_sellers_depth_is_measured_downwards() -> None:
    mids = steady(100)
    buys = [trade(number + 0.5, Side.BUY, 60_000 * (1 + 0.0001 * (1 + number % 5))) for number in range(100)]
    sells = [trade(number + 0.5, Side.SELL, 60_000 * (1 - 0.0001 * (1 + number % 5))) for number in range(100)]
    found, mirrored = intensity_of(buys, mids), intensity_of(sells, mids)
    assert found is not None
    assert mirrored is not None
    assert mirrored.decay == pytest.approx(found.decay)


def test_trades_all_at_one_price_reach_half_a_tick() -> None:
    trades = [trade(number + 0.5, Side.BUY, 60_000.0) for number in range(100)]
    found = trading_intensity(trades, steady(100), now=100.0, window_seconds=600, tick_fraction=0.001)
    assert found is not None
    assert found.decay == pytest.approx(98 / 100 / 0.0005)


def test_pauses_are_no_time_in_which_nothing_traded() -> None:
    rng, mids = random.Random(1), steady()
    trades = flow(1.0, 2_000.0, mids, rng)
    seen = [sample for sample in mids if not 200 < sample.at < 500]
    with_pause, whole = intensity_of([each for each in trades if not 200 < each.received_at < 500], seen), intensity_of(trades, mids)
    assert with_pause is not None
    assert whole is not None
    assert with_pause.arrivals_per_second == pytest.approx(whole.arrivals_per_second, rel=0.15)


def test_intensity_counts_from_the_first_trade_that_is_kept_and_waits_for_enough_of_them() -> None:
    mids = steady()
    lately = flow(1.0, 2_000.0, mids, random.Random(2))[-200:]
    found = intensity_of(lately, mids)
    assert found is not None
    assert found.arrivals_per_second == pytest.approx(1, rel=0.25)
    assert intensity_of(lately[:29], mids) is None
    assert intensity_of([], mids) is None


def test_only_the_newest_trades_count_where_there_are_very_many() -> None:
    mids = steady()
    shallow, deep = flow(4.0, 10_000.0, mids, random.Random(3)), flow(4.0, 500.0, mids, random.Random(4))
    found = intensity_of([*(each for each in deep if each.received_at < 300), *(each for each in shallow if each.received_at >= 300)], mids)
    assert found is not None
    assert found.decay == pytest.approx(10_000, rel=3 / math.sqrt(1_000))


def test_trades_before_the_first_sample_are_left_out() -> None:
    mids = [MidSample(100.0 + at, 60_000.0) for at in range(101)]
    early = [trade(float(at), Side.BUY, 66_000.0) for at in range(100)]
    later = [trade(100.5 + at, Side.BUY, 60_000 * (1 + 0.0001 * (1 + at % 5))) for at in range(100)]
    found, alone = intensity_of(early + later, mids), intensity_of(later, mids)
    assert found is not None
    assert alone is not None
    assert found.decay == alone.decay
