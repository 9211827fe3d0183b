"""As much of Prometheus' query language as it takes to see which metrics, labels and values an expression names."""

from __future__ import annotations

import re

import msgspec

from assembly.metrics.families import Kind, Metric

SELECTOR = re.compile(r"\b(?P<name>mm_\w+)(?:\{(?P<matchers>[^}]*)\})?")
MATCHER = re.compile(r'\s*(?P<label>\w+)\s*(?P<operator>=~|!~|!=|=)\s*"(?P<value>[^"]*)"\s*')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
OF_SCRAPING = {"instance", "job"}
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


class Matcher(msgspec.Struct, frozen=True):
    """One condition of a selector."""

    metric: str
    label: str
    operator: str
    value: str


def metric_of(series: str, metrics: dict[str, Metric]) -> Metric | None:
    """The metric that a series belongs to; None if there is none."""
    found = metrics.get(series)
    if found is not None:
        return None if found.kind is Kind.HISTOGRAM else found
    for suffix in HISTOGRAM_SUFFIXES:
        base = metrics.get(series.removesuffix(suffix))
        if series.endswith(suffix) and base is not None and base.kind is Kind.HISTOGRAM:
            return base
    return None


def matchers(expression: str) -> list[Matcher]:
    """Every condition of every selector.

    Raises:
        ValueError: something in braces is no list of conditions.
    """
    found: list[Matcher] = []
    for selector in SELECTOR.finditer(expression):
        for part in filter(None, (selector["matchers"] or "").split(",")):
            match = MATCHER.fullmatch(part)
            if match is None:
                raise ValueError(f"no condition: {part!r} in {expression}")
            found.append(Matcher(selector["name"], match["label"], match["operator"], match["value"]))
    return found


def complaints(expression: str, metrics: dict[str, Metric]) -> list[str]:
    """Metrics and labels that it names and that are not there, and what is not as it has to be."""
    found: list[str] = []
    used: list[Metric] = []
    series = [selector["name"] for selector in SELECTOR.finditer(expression)]
    for name in series:
        metric = metric_of(name, metrics)
        if metric is None:
            found.append(f"there is no series {name}")
        else:
            used.append(metric)
    for matcher in matchers(expression):
        metric = metric_of(matcher.metric, metrics)
        if metric is not None and matcher.label not in {*metric.labels, *OF_SCRAPING}:
            found.append(f"{matcher.metric} has no label {matcher.label}")
    labels = {label for metric in used for label in metric.labels} | OF_SCRAPING | {"le"}
    for group in GROUPING.findall(expression):
        found += [f"nothing has a label {label.strip()}" for label in group.split(",") if label.strip() not in labels]
    for metric in used:
        is_rated = re.search(rf"(rate|increase)\({metric.name}", expression) is not None
        if is_rated is not (metric.kind is not Kind.GAUGE):
            found.append(f"{metric.name} is a {metric.kind.value}: {'no' if is_rated else 'its'} rate is what one looks at")
    if any(expression.count(left) != expression.count(right) for left, right in ("()", "{}", "[]")):
        found.append("brackets do not match")
    if not series:
        found.append("it asks for nothing of ours")
    return found
