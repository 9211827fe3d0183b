"""A histogram with fixed bounds: cheap enough to be told of every message, exact in count and sum, and otherwise as fine as its buckets.

Observing is a binary search among some twenty bounds and three additions. Everything else (percentiles, sums of histograms, what was
new since the last look) is worked out of a snapshot, by whoever asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import isfinite

import msgspec

LATENCY_BOUNDS_SECONDS = (
    *(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""From what a frame takes to be decoded to what an exchange may take to answer, three bounds a decade."""


class HistogramSnapshot(msgspec.Struct, frozen=True):
    """A histogram at one moment.

    `counts[i]` is how many values were at most `bounds[i]` and more than the bound before it; the last count, one more than there are
    bounds, is of those beyond all of them. `largest` is the largest value ever observed, 0 if there was none.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    largest: float

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """None where nothing was observed."""
        count = self.count
        return self.total / count if count else None

    def cumulative(self) -> tuple[int, ...]:
        """How many values were at most each bound, and at the end how many there were."""
        return tuple(accumulate(self.counts))

    def percentile(self, fraction: float) -> float | None:
        """The value that `fraction` (0 to 1) of all are at most, as if those of a bucket lay evenly in it; None where there are none.

        It is never more than `largest`. Beyond the last bound, `largest` is all that is known.

        Raises:
            ValueError: `fraction` is not between 0 and 1.
        """
        if not 0 <= fraction <= 1:
            raise ValueError(f"a percentile's fraction is between 0 and 1, not {fraction}")
        rank, below, lower = fraction * self.count, 0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and below + count >= rank:
                return min(lower + (bound - lower) * (rank - below) / count, self.largest)
            below, lower = below + count, bound
        return self.largest if self.counts[-1] else None

    def since(self, earlier: HistogramSnapshot) -> HistogramSnapshot:
        """What was observed after an `earlier` snapshot of the same histogram. `largest` stays that of all time.

        Raises:
            ValueError: it has other bounds, or holds more.
        """
        self._require_same_bounds(earlier)
        counts = tuple(now - before for now, before in zip(self.counts, earlier.counts, strict=True))
        if min(counts) < 0:
            raise ValueError("the other snapshot is not an earlier one of the same histogram: it holds more")
        return HistogramSnapshot(self.bounds, counts, self.total - earlier.total, self.largest)

    def plus(self, other: HistogramSnapshot) -> HistogramSnapshot:
        """Both together.

        Raises:
            ValueError: it has other bounds.
        """
        self._require_same_bounds(other)
        counts = tuple(one + more for one, more in zip(self.counts, other.counts, strict=True))
        return HistogramSnapshot(self.bounds, counts, self.total + other.total, max(self.largest, other.largest))

    def _require_same_bounds(self, other: HistogramSnapshot) -> None:
        if self.bounds != other.bounds:
            raise ValueError("histograms with other bounds cannot be compared")


class Histogram:
    """Counts values by bucket. `bounds` rise strictly; the default is for seconds. A value that equals a bound is in its bucket."""

    __slots__ = ("_bounds", "_counts", "_largest", "_total")

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS_SECONDS) -> None:
        if not bounds or not all(map(isfinite, bounds)) or any(low >= high for low, high in pairwise(bounds)):
            raise ValueError(f"a histogram needs finite bounds that rise, not {bounds}")
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._largest = 0.0

    def observe(self, value: float) -> None:
        """Count one more; some 150 ns."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value
        if value > self._largest:
            self._largest = value

    def snapshot(self) -> HistogramSnapshot:
        return HistogramSnapshot(self._bounds, tuple(self._counts), self._total, self._largest)
