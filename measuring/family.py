"""Histograms of one thing, told apart by labels: one for each combination that has come up, within a bound."""

from __future__ import annotations

from collections.abc import Sequence

from measuring.histogram import LATENCY_BOUNDS_SECONDS, Histogram, HistogramSnapshot

LABELLINGS_MAX = 1_000
"""Labels are names of the settings and words of the program. More than this, and something is taken for a label that is none."""


class HistogramFamily:
    """`labels` names what tells its histograms apart, in their order."""

    def __init__(self, labels: Sequence[str], bounds: Sequence[float] = LATENCY_BOUNDS_SECONDS) -> None:
        self.labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._histograms: dict[tuple[str, ...], Histogram] = {}

    def of(self, *values: str) -> Histogram:
        """The histogram with these labels, made if it is the first time.

        Raises:
            ValueError: not one value for each label, or there are too many histograms already.
        """
        histogram = self._histograms.get(values)
        if histogram is None:
            if len(values) != len(self.labels):
                raise ValueError(f"{len(self.labels)} labels are wanted ({', '.join(self.labels)}), not {len(values)}")
            if len(self._histograms) >= LABELLINGS_MAX:
                raise ValueError(f"more than {LABELLINGS_MAX} combinations of {', '.join(self.labels)}: is one of them no label?")
            histogram = self._histograms[values] = Histogram(self._bounds)
        return histogram

    def snapshots(self) -> dict[tuple[str, ...], HistogramSnapshot]:
        """Each as it is now, by its labels, in the order in which they came up."""
        return {values: histogram.snapshot() for values, histogram in self._histograms.items()}
