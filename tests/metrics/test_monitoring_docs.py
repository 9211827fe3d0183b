"""What docs/monitoring says of metrics is what there is: the tables, every alert, every panel, both ways."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from monitoring_docs import FOLDER, alert_rules, dashboard, dashboard_targets, documented_rows
from promql import OF_SCRAPING, SELECTOR, complaints, matchers, metric_of

from actors.accounts.measures import OrderMilestone, RequestKind
from actors.feeds.book_sync import LossKind
from actors.feeds.measures import BOOK_DELTA, MESSAGE_KINDS
from assembly.metrics.accounts import REJECTION_KINDS
from assembly.metrics.collector import METRICS
from assembly.metrics.feeds import EVERYTHING
from network.breaker import BreakerState
from network.measures import RequestOutcome
from orders.order import Transport
from orders.states import TradingState
from supervision.snapshot import ChildState

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {metric.name: metric for metric in METRICS}
RULES = alert_rules()
TARGETS = list(dashboard_targets())
# The labels whose values are words of the program; those of the others are names of somebody's settings.
WORDS: dict[tuple[str, str], set[str]] = {
    ("mm_actor_state", "state"): {state.value for state in ChildState},
    ("mm_breaker_state", "state"): {state.value for state in BreakerState},
    ("mm_trading_state", "state"): {state.value for state in TradingState},
    ("mm_book_losses_total", "reason"): {kind.value for kind in LossKind},
    ("mm_rest_requests_total", "outcome"): {outcome.value for outcome in RequestOutcome},
    ("mm_order_rejections_total", "kind"): set(REJECTION_KINDS),
    ("mm_order_events_total", "event"): {milestone.value for milestone in OrderMilestone},
    ("mm_feed_messages_total", "kind"): {BOOK_DELTA, *MESSAGE_KINDS.values()},
    ("mm_hold_seconds", "group"): {EVERYTHING},
    ("mm_holds_total", "group"): {EVERYTHING},
    ("mm_message_to_order_seconds", "request"): {kind.value for kind in RequestKind},
    ("mm_message_to_order_seconds", "transport"): {transport.value for transport in Transport},
}


def test_tables_and_metrics_are_the_same_both_ways() -> None:
    defined = [(one.name, one.kind.value, one.unit, ", ".join(one.labels), one.help) for one in METRICS]
    assert documented_rows() == defined


def test_every_label_is_explained() -> None:
    text = (FOLDER / "README.md").read_text()
    explained = {label for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE) for label in re.findall(r"`(\w+)`", row)}
    used = {label for metric in METRICS for label in metric.labels}
    assert used - explained == {"version", "installation"}, "which say themselves what they are"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_names_only_what_there_is_and_says_what_to_do(rule: dict[str, str]) -> None:
    assert complaints(rule["expr"], BY_NAME) == []
    assert set(rule) == {"alert", "expr", "for", "severity", "summary", "description"}
    assert rule["severity"] in ("critical", "warning", "info")
    assert re.fullmatch(r"\d+[sm]", rule["for"])
    assert re.fullmatch(r"Mm[A-Za-z]+", rule["alert"])
    assert len(rule["description"].split()) >= 10, "what it means, and what to do"
    templates = set(re.findall(r"\$labels\.(\w+)", rule["summary"] + rule["description"]))
    of_metrics = {
        label for name in SELECTOR.finditer(rule["expr"]) if (metric := metric_of(name["name"], BY_NAME)) for label in metric.labels
    }
    grouped = re.findall(r"by \(([^)]*)\)", rule["expr"])
    assert all("instance" in group for group in grouped), "runs whose accounts are called the same are not one"
    left = {label.strip() for label in grouped[-1].split(",")} - {"le"} if grouped else of_metrics
    assert templates <= left, "a label that the expression does not keep is shown as nothing"


def test_alert_names_are_unique() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) > 20


@pytest.mark.parametrize(("title", "expression", "legend"), TARGETS, ids=[f"{title}: {legend}" for title, _, legend in TARGETS])
def test_panel_names_only_what_there_is(title: str, expression: str, legend: str) -> None:
    assert complaints(expression, BY_NAME) == [], title
    (selector, *_) = SELECTOR.finditer(expression)
    metric = metric_of(selector["name"], BY_NAME)
    assert metric is not None
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    kept = {label.strip() for label in grouped[0].split(",")} if grouped else set(metric.labels)
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= kept, "a label that the expression does not keep is shown as nothing"


@pytest.mark.parametrize("expression", sorted({rule["expr"] for rule in RULES} | {expression for _, expression, _ in TARGETS}))
def test_values_that_are_asked_for_are_words_of_the_program(expression: str) -> None:
    for matcher in matchers(expression):
        metric = metric_of(matcher.metric, BY_NAME)
        assert metric is not None
        if matcher.label in OF_SCRAPING:
            continue
        words = WORDS[metric.name, matcher.label]  # a value of any other label would be somebody's own name
        for value in matcher.value.split("|"):
            assert value in words, f"{metric.name} has no {matcher.label} {value}"


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {
        metric.name
        for _, expression, _ in TARGETS
        for found in SELECTOR.finditer(expression)
        if (metric := metric_of(found["name"], BY_NAME))
    }
    assert set(BY_NAME) - shown == set()


def test_dashboard_is_laid_out_and_needs_nothing_but_a_data_source() -> None:
    board = dashboard()
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "instance"]
    assert board["schemaVersion"] >= 36
    assert "id" not in board, "an id is the database's that imports it"
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, f"{panel['title']} lies on another panel"
        assert max(x for x, _ in cells) < 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
    for title, expression, _ in TARGETS:
        assert 'instance=~"$instance"' in expression, title


@pytest.mark.parametrize(
    "expression",
    [
        "mm_nothing > 1",
        'mm_book_usable{account="main"} == 0',
        "sum by (account) (mm_book_usable)",
        "rate(mm_book_usable[5m])",
        "mm_actor_restarts_total > 3",
        "rate(mm_feed_frame_seconds[5m])",
        "increase(mm_actor_restarts_total[5m]",
        "up == 0",
    ],
)
def test_expression_that_is_wrong_is_found(expression: str) -> None:
    assert complaints(expression, BY_NAME)


def test_what_reads_metrics_is_not_loaded_by_a_run_that_nobody_asks() -> None:
    """Its memory and its time belong to runs with a page."""
    import subprocess

    code = "import assembly.runtime, sys; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
