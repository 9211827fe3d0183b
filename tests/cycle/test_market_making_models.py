"""The papers' closed forms: against numbers of the papers, against one another, and against the exact solutions that they approximate."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.cycle.quoting.strategies.models import ModelQuotes, finite_horizon, glft, infinite_horizon

# Avellaneda and Stoikov, section 3.3: prices in dollars, a session of one unit of time.
SIGMA, K, A, SESSION, STEP = 2.0, 1.5, 140.0, 1.0, 0.005

inventories = st.floats(-10, 10)
gammas = st.floats(1e-6, 1e3)
sigmas = st.floats(0, 0.01)
decays = st.floats(1, 1e6)


@pytest.mark.parametrize(("gamma", "spread"), [(0.1, 1.49), (0.01, 1.35)])
def test_mean_spread_of_the_papers_sessions_is_met(gamma: float, spread: float) -> None:
    steps = round(SESSION / STEP)
    mean = statistics.fmean(
        2 * finite_horizon(q=0, gamma=gamma, sigma=SIGMA, k=K, seconds_left=SESSION - n * STEP).half_spread for n in range(steps)
    )
    assert mean == pytest.approx(spread, abs=0.005)


def session(rng: random.Random, *, leans: bool) -> tuple[float, int]:
    """Profit and final inventory of one session of the paper's simulation, with or without an eye on the inventory."""
    price, q, cash = 100.0, 0, 0.0
    for step in range(round(SESSION / STEP)):
        quotes = finite_horizon(q=q if leans else 0, gamma=0.1, sigma=SIGMA, k=K, seconds_left=SESSION - step * STEP)
        for side in (1, -1):  # the bid is bought at, the ask sold at
            delta = quotes.half_spread - side * quotes.shift
            if rng.random() < A * math.exp(-K * delta) * STEP:
                q += side
                cash -= side * (price - side * delta)
        price += SIGMA * math.sqrt(STEP) * rng.choice((-1, 1))
    return cash + q * price, q


def test_papers_simulation_comes_out_as_in_the_paper() -> None:
    """Its table 1: a profit of 65.0 +- 6.6 and an inventory of 0 +- 2.9 in the end; without leaning 68.4 +- 12.7 and 0 +- 8.4."""
    rng = random.Random(1)
    leaning, symmetric = ([session(rng, leans=leans) for _ in range(300)] for leans in (True, False))
    assert statistics.fmean(profit for profit, _ in leaning) == pytest.approx(65.0, abs=1.5)
    assert statistics.stdev(profit for profit, _ in leaning) == pytest.approx(6.6, rel=0.15)
    assert statistics.stdev(q for _, q in leaning) == pytest.approx(2.9, rel=0.15)
    assert statistics.fmean(profit for profit, _ in symmetric) == pytest.approx(68.4, abs=2.5)
    assert statistics.stdev(profit for profit, _ in symmetric) == pytest.approx(12.7, rel=0.15)
    assert statistics.stdev(q for _, q in symmetric) == pytest.approx(8.4, rel=0.15)


@given(st.integers(-9, 9), st.floats(0.01, 2), st.floats(0.01, 2), st.sampled_from((1e-3, 1e9)))
def test_who_trades_at_the_infinite_horizons_reservation_price_is_as_well_off_as_before(
    q: int, gamma: float, sigma: float, horizon_seconds: float
) -> None:
    found = infinite_horizon(q=q, q_max=10, gamma=gamma, sigma=sigma, k=K, horizon_seconds=horizon_seconds)
    omega = max(1 / horizon_seconds, gamma**2 * sigma**2 * 11**2 / 2)
    half = found.half_spread - math.log(1 + gamma / K) / gamma

    def utility(cash: float, inventory: int) -> float:
        """The paper's v(x, s, q) of holding on for ever, at s = 0."""
        return -math.exp(-gamma * cash) / (omega - gamma**2 * inventory**2 * sigma**2 / 2)

    assert utility(-(found.shift - half), q + 1) == pytest.approx(utility(0, q))
    assert utility(found.shift + half, q - 1) == pytest.approx(utility(0, q))


def test_infinite_horizon_prices_a_small_inventory_as_the_finite_one_does() -> None:
    gamma, sigma, k = 20.0, 0.0001, 2_000.0
    for q in (-2, -1, 0, 0.5, 2):
        finite = finite_horizon(q=q, gamma=gamma, sigma=sigma, k=k, seconds_left=600)
        infinite = infinite_horizon(q=q, q_max=10, gamma=gamma, sigma=sigma, k=k, horizon_seconds=600)
        assert infinite.shift == pytest.approx(finite.shift, rel=0.02)
        assert infinite.half_spread == pytest.approx(finite.half_spread, rel=0.02)


def stationary_solution(q_max: int, gamma: float, sigma: float, k: float, arrivals: float) -> list[float]:
    """The exact one of Guéant, Lehalle and Fernandez-Tapia, by power iteration: the eigenvector of the smallest eigenvalue (theorem 2)."""
    alpha, eta = k / 2 * gamma * sigma**2, arrivals * (1 + gamma / k) ** -(1 + k / gamma)
    bound = alpha * q_max**2 + 2 * eta
    vector = [1.0] * (2 * q_max + 1)
    for _ in range(2_000):
        padded = [0.0, *vector, 0.0]
        vector = [
            (bound - alpha * (number - q_max) ** 2) * padded[number + 1] + eta * (padded[number] + padded[number + 2])
            for number in range(len(vector))
        ]
        largest = max(vector)
        vector = [value / largest for value in vector]
    return vector


@pytest.mark.parametrize(("sigma", "arrivals", "error"), [(0.4, 0.9, 0.003), (1.0, 0.2, 0.04)])
def test_glft_is_as_near_to_the_exact_solution_as_the_papers_figures_show(sigma: float, arrivals: float, error: float) -> None:
    gamma, k, q_max = 0.01, 0.3, 30  # per tick, as in its figures 4 and 5
    f = stationary_solution(q_max, gamma, sigma, k, arrivals)
    for q in range(-5, 6):
        found = glft(q=q, gamma=gamma, sigma=sigma, k=k, arrivals_per_second=arrivals)
        here = q + q_max
        exact_bid = math.log(f[here] / f[here + 1]) / k + math.log(1 + gamma / k) / gamma
        exact_ask = math.log(f[here] / f[here - 1]) / k + math.log(1 + gamma / k) / gamma
        assert found.half_spread - found.shift == pytest.approx(exact_bid, abs=error)
        assert found.half_spread + found.shift == pytest.approx(exact_ask, abs=error)


def models(q: float, gamma: float, sigma: float, k: float, scale: float = 1.0) -> list[ModelQuotes]:
    """All three, of a market whose prices are `scale` times as large."""
    gamma, sigma, k = gamma / scale, sigma * scale, k / scale
    return [
        finite_horizon(q=q, gamma=gamma, sigma=sigma, k=k, seconds_left=600),
        infinite_horizon(q=q, q_max=10, gamma=gamma, sigma=sigma, k=k, horizon_seconds=600),
        glft(q=q, gamma=gamma, sigma=sigma, k=k, arrivals_per_second=0.5),
    ]


@given(inventories, st.floats(0, 5), gammas, sigmas, decays)
def test_more_inventory_never_raises_bid_or_ask(q: float, more: float, gamma: float, sigma: float, k: float) -> None:
    for lighter, heavier in zip(models(q, gamma, sigma, k), models(q + more, gamma, sigma, k), strict=True):
        slack = 1e-12 + 1e-9 * (abs(lighter.shift) + lighter.half_spread)
        assert heavier.shift - heavier.half_spread <= lighter.shift - lighter.half_spread + slack
        assert heavier.shift + heavier.half_spread <= lighter.shift + lighter.half_spread + slack


@given(inventories, gammas, sigmas, decays)
def test_quotes_are_symmetric_and_the_spread_is_positive(q: float, gamma: float, sigma: float, k: float) -> None:
    for found, mirrored in zip(models(q, gamma, sigma, k), models(-q, gamma, sigma, k), strict=True):
        assert found.shift == pytest.approx(-mirrored.shift, rel=1e-6, abs=1e-15)
        assert found.half_spread == pytest.approx(mirrored.half_spread)
        assert found.half_spread > 0


@given(inventories, gammas, sigmas, decays, st.sampled_from((1e-6, 0.1, 1e5)))
def test_quotes_of_prices_so_many_times_as_large_are_so_many_times_as_far(
    q: float, gamma: float, sigma: float, k: float, scale: float
) -> None:
    for found, scaled in zip(models(q, gamma, sigma, k), models(q, gamma, sigma, k, scale), strict=True):
        assert scaled.shift == pytest.approx(found.shift * scale, rel=1e-6, abs=1e-12 * scale)
        assert scaled.half_spread == pytest.approx(found.half_spread * scale, rel=1e-6)


def test_market_that_does_not_move_has_no_reservation_price_of_its_own() -> None:
    for found in models(5, 10, 0.0, 2_000):
        assert found == ModelQuotes(pytest.approx(0), pytest.approx(math.log(1 + 10 / 2_000) / 10))
