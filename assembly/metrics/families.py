"""What a metric is: its name, its kind, what tells its samples apart, and what it means. Defined beside what reads it, once."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family

from measuring.histogram import HistogramSnapshot

Labels = tuple[str, ...]
Number = int | float | Decimal


class Kind(enum.Enum):
    """Of Prometheus' kinds those that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. `unit` is `seconds`, or what is counted or measured; `help` is a sentence without a full stop."""

    name: str
    kind: Kind
    labels: Labels = ()
    unit: str = ""
    help: str

    def of(self, samples: Iterable[tuple[Labels, Number]]) -> Family:
        """A counter or gauge with these values, by their labels.

        Raises:
            ValueError: a sample has not one value for each label, or this is a histogram.
        """
        if self.kind is Kind.HISTOGRAM:
            raise ValueError(f"{self.name} is a histogram, which has buckets and no values")
        make = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family = make(self.name, self.help, labels=self.labels)
        for labels, value in samples:
            self._check(labels)
            family.add_metric(labels, float(value))
        return family

    def of_histograms(self, snapshots: Mapping[Labels, HistogramSnapshot]) -> Family:
        """A histogram with these buckets, by their labels.

        Raises:
            ValueError: as `of`; this is no histogram.
        """
        if self.kind is not Kind.HISTOGRAM:
            raise ValueError(f"{self.name} is no histogram")
        family = HistogramMetricFamily(self.name, self.help, labels=self.labels)
        for labels, snapshot in snapshots.items():
            self._check(labels)
            bounds = (*map(repr, snapshot.bounds), "+Inf")
            family.add_metric(labels, list(zip(bounds, map(float, snapshot.cumulative()), strict=True)), snapshot.total)
        return family

    def of_states(self, states: Mapping[Labels, enum.Enum]) -> Family:
        """A gauge that is 1 for the state that something is in and 0 for every other; the state is the last label."""
        return self.of(((*labels, str(each.value)), int(each is state)) for labels, state in states.items() for each in type(state))

    def _check(self, labels: Labels) -> None:
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has {len(self.labels)} labels ({', '.join(self.labels)}), not {labels}")


def counter(name: str, labels: Labels, unit: str, help: str) -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, labels=labels, unit=unit, help=help)


def gauge(name: str, labels: Labels, unit: str, help: str) -> Metric:
    return Metric(name=name, kind=Kind.GAUGE, labels=labels, unit=unit, help=help)


def histogram(name: str, labels: Labels, unit: str, help: str) -> Metric:
    return Metric(name=name, kind=Kind.HISTOGRAM, labels=labels, unit=unit, help=help)
