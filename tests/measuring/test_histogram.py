"""Histograms: what is counted where, what is told of it, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measuring.family import LABELLINGS_MAX, HistogramFamily
from measuring.histogram import LATENCY_BOUNDS_SECONDS, Histogram, HistogramSnapshot

SECONDS = st.floats(min_value=0, max_value=100, allow_subnormal=False)


def observed(*values: float, bounds: tuple[float, ...] = LATENCY_BOUNDS_SECONDS) -> HistogramSnapshot:
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    return histogram.snapshot()


def test_value_at_a_bound_is_in_the_bucket_below_it_as_prometheus_counts() -> None:
    assert observed(1.0, 1.5, 2.0, 2.1, bounds=(1.0, 2.0)).counts == (1, 2, 1)


def test_empty_histogram_has_neither_percentile_nor_mean() -> None:
    snapshot = observed()
    assert (snapshot.count, snapshot.percentile(0.5), snapshot.mean, snapshot.largest) == (0, None, None, 0.0)


def test_percentile_lies_evenly_within_its_bucket() -> None:
    snapshot = observed(*[1.5] * 50, *[10.0] * 50, bounds=(1.0, 2.0, 8.0, 16.0))
    assert snapshot.percentile(0.25) == pytest.approx(1.5)
    assert snapshot.percentile(0.5) == pytest.approx(2.0)
    assert snapshot.percentile(0.6) == pytest.approx(9.6)


def test_percentile_is_never_beyond_the_largest_value() -> None:
    assert observed(1.1, bounds=(1.0, 2.0)).percentile(1) == 1.1
    assert observed(7.5, 9.0, bounds=(1.0, 2.0)).percentile(0.5) == 9.0  # beyond the last bound nothing finer is known


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_percentile_of_no_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        observed(1.0).percentile(fraction)


@pytest.mark.parametrize("bounds", [(), (1.0, 1.0), (2.0, 1.0), (1.0, math.inf), (math.nan,)])
def test_bounds_that_do_not_rise_are_refused(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="bounds that rise"):
        Histogram(bounds)


@given(st.lists(SECONDS, min_size=1))
def test_every_value_is_counted_once_and_percentiles_are_within_a_bucket_of_the_truth(values: list[float]) -> None:
    snapshot = observed(*values)
    assert snapshot.count == snapshot.cumulative()[-1] == len(values)
    assert snapshot.total == pytest.approx(sum(values))
    assert snapshot.largest == max(values)
    for fraction in (0.5, 0.9, 0.99, 1.0):
        told = snapshot.percentile(fraction)
        true = sorted(values)[max(0, math.ceil(fraction * len(values)) - 1)]
        upper = min((bound for bound in LATENCY_BOUNDS_SECONDS if bound >= true), default=math.inf)
        lower = max((bound for bound in LATENCY_BOUNDS_SECONDS if bound < true), default=0.0)
        assert told is not None
        assert min(lower, snapshot.largest) <= told <= upper


@given(st.lists(SECONDS), st.lists(SECONDS))
def test_what_came_since_and_both_together_are_counted_exactly(earlier: list[float], later: list[float]) -> None:
    before, after = observed(*earlier), observed(*earlier, *later)
    since = after.since(before)
    assert since.counts == observed(*later).counts
    assert since.total == pytest.approx(sum(later))
    assert before.plus(observed(*later)).counts == after.counts


def test_snapshot_does_not_move_with_its_histogram() -> None:
    histogram = Histogram()
    snapshot = histogram.snapshot()
    histogram.observe(1.0)
    assert snapshot.count == 0


def test_snapshots_of_other_histograms_are_not_compared() -> None:
    with pytest.raises(ValueError, match="other bounds"):
        observed(1.0, bounds=(1.0,)).plus(observed(1.0, bounds=(2.0,)))
    with pytest.raises(ValueError, match="not an earlier one"):
        observed(1.0).since(observed(1.0, 1.0))


def test_family_keeps_one_histogram_for_each_labelling() -> None:
    family = HistogramFamily(("request", "transport"))
    family.of("place", "rest").observe(0.5)
    family.of("place", "rest").observe(0.5)
    family.of("cancel", "rest").observe(0.5)
    assert {labels: snapshot.count for labels, snapshot in family.snapshots().items()} == {("place", "rest"): 2, ("cancel", "rest"): 1}


def test_family_refuses_labels_that_are_none() -> None:
    family = HistogramFamily(("group",))
    with pytest.raises(ValueError, match="1 labels are wanted"):
        family.of("orders", "rest")
    for number in range(LABELLINGS_MAX):
        family.of(f"order-{number}")
    with pytest.raises(ValueError, match="no label"):
        family.of("one-more")
