"""The metrics keep to Prometheus' conventions, as its own linter knows them: names, units, types, labels."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

from assembly.metrics.collector import METRICS
from assembly.metrics.families import Family, Kind, Metric, counter, gauge, histogram
from measuring.histogram import Histogram

RESERVED_SUFFIXES = ("_count", "_sum", "_bucket", "_created", "_info_total")
RESERVED_LABELS = {"le", "quantile", "job", "instance"}
ABBREVIATED = re.compile(r"_(s|ms|sec|secs|us|ns|minutes?|hours?|days?|kb|mb|pct|percent|bytes_total_bytes)(_|$)")
TYPE_WORDS = re.compile(r"_(gauge|counter|histogram|summary|metric)(_|$)")


def complaints(metric: Metric) -> list[str]:
    """What a linter would say of it."""
    found: list[str] = []
    name = metric.name
    if not re.fullmatch(r"mm(_[a-z]+)+", name):
        found.append("a name is lower case words behind mm_")
    if name.endswith("_total") is not (metric.kind is Kind.COUNTER):
        found.append("counters, and only they, end in _total")
    if name.endswith(RESERVED_SUFFIXES):
        found.append("the suffix belongs to histograms")
    if ABBREVIATED.search(name):
        found.append("units are base units, in full words")
    if TYPE_WORDS.search(name):
        found.append("a type has no place in a name")
    if (metric.unit == "seconds") is not name.removesuffix("_total").endswith("_seconds"):
        found.append("what is in seconds says so at its end, and nothing else does")
    if metric.unit in ("quote units", "base units") and not name.removesuffix("_total").endswith((f"_{metric.unit.split()[0]}",)):
        found.append("what is an amount says of what")
    if not all(re.fullmatch(r"[a-z]+", label) for label in metric.labels) or RESERVED_LABELS & set(metric.labels):
        found.append("labels are words, and none of Prometheus' own")
    if len(set(metric.labels)) != len(metric.labels):
        found.append("a label comes once")
    if not metric.help or metric.help.endswith(".") or (not metric.help[0].isupper() and not metric.help[0].isdigit()):
        found.append("help is a sentence without a full stop")
    return found


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_metric_keeps_to_the_conventions(metric: Metric) -> None:
    assert complaints(metric) == []


@pytest.mark.parametrize(
    "metric",
    [
        counter("mm_orders", (), "orders", "Orders"),
        gauge("mm_orders_total", (), "orders", "Orders"),
        gauge("mm_age", (), "seconds", "An age"),
        histogram("mm_frame_ms", (), "milliseconds", "A time"),
        gauge("orders", (), "orders", "Orders"),
        gauge("mm_orders_count", (), "orders", "Orders"),
        gauge("mm_orders", ("le",), "orders", "Orders"),
        gauge("mm_orders", ("account", "account"), "orders", "Orders"),
        gauge("mm_orders", (), "orders", "Orders."),
        gauge("mm_profit", (), "quote units", "A profit"),
        gauge("mm_orders_gauge", (), "orders", "Orders"),
    ],
)
def test_what_is_against_the_conventions_is_found(metric: Metric) -> None:
    assert complaints(metric)


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(metric.name for metric in METRICS).items() if count > 1] == []


def test_sample_with_too_few_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 labels"):
        gauge("mm_orders", ("account", "cycle"), "orders", "Orders").of([(("main",), 1)])


def test_histogram_is_told_with_cumulative_buckets_and_read_back_as_it_was() -> None:
    told = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        told.observe(value)
    family = histogram("mm_wait_seconds", ("account",), "seconds", "A wait").of_histograms({("main",): told.snapshot()})
    samples = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert samples == {
        ("mm_wait_seconds_bucket", "0.1"): 2,
        ("mm_wait_seconds_bucket", "1.0"): 3,
        ("mm_wait_seconds_bucket", "+Inf"): 4,
        ("mm_wait_seconds_count", None): 4,
        ("mm_wait_seconds_sum", None): 7.65,
    }
    registry = CollectorRegistry()
    registry.register(_Told(family))
    (parsed,) = text_string_to_metric_families(generate_latest(registry).decode())
    assert [tuple(sample)[:3] for sample in parsed.samples] == [tuple(sample)[:3] for sample in family.samples]


class _Told(Collector):
    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> list[Family]:
        return [self._family]
