"""The words for events. The golden files are the interface of `--json` and of the lines: change them knowingly.

``PYTHONPATH=.:tests/assembly python tests/assembly/write_golden_events.py`` rewrites them.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from presenter_samples import BTC, EVENTS, TIME, Symbol, run_report, sell
from write_golden_events import GOLDEN_JSON, GOLDEN_LINES, as_json, as_lines

from actors.accounts import events as account_events
from actors.feeds import reports as feed_reports
from assembly.guardian import events as guardian_events
from assembly.presenter import report as runtime_events
from assembly.presenter.ending import last_words
from assembly.presenter.phrases import line, time_of_day
from assembly.presenter.report import ExitStatus, LogLine, RunReport, StateLeft
from assembly.presenter.times import iso_time
from assembly.presenter.vocabulary import fields_of, level_of, tell
from market import events as market_events
from orders import events as order_events
from orders import reconciliation, states
from orders.life_cycle import OrderState
from supervision import events as supervision_events

MODULES_OF_EVENTS = (
    market_events,
    feed_reports,
    account_events,
    order_events,
    reconciliation,
    states,
    supervision_events,
    guardian_events,
    runtime_events,
)
BASES = {supervision_events.SupervisionEvent, supervision_events.ChildEvent}


def _structs(module: ModuleType) -> set[type]:
    found = {kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, msgspec.Struct)}
    return {kind for kind in found if kind.__module__ == module.__name__}


@pytest.mark.parametrize("module", MODULES_OF_EVENTS, ids=lambda module: module.__name__)
def test_every_event_has_a_sample(module: ModuleType) -> None:
    assert _structs(module) - {type(event) for event in EVENTS} <= BASES | {
        order_events.OrderChanged,
        order_events.PositionCounted,
        order_events.BalanceBaselined,
        order_events.CountingBegan,
        states.Standing,
        states.StandingChanged,
        RunReport,
        StateLeft,
    }


def test_every_sample_has_its_words_in_the_table_and_none_is_told_by_its_class() -> None:
    silent = [type(event).__name__ for event in EVENTS if tell(event) is None]
    assert silent == []
    names = [told.name for event in EVENTS if (told := tell(event)) is not None]
    assert not [name for name in names if name.startswith(("child_", "runtime_", "ledger_"))]


def test_names_that_others_rely_on_are_told() -> None:
    names = {told.name for event in EVENTS if (told := tell(event)) is not None}
    fixed = {"book_top", "order_placed", "order_filled", "cycle_reconciled", "actor_restarted", "order_submitted", "order_cancelled"}
    assert fixed <= names


def test_json_of_every_event_is_as_agreed() -> None:
    assert as_json() == GOLDEN_JSON.read_text(encoding="utf-8")


def test_line_of_every_event_is_as_agreed() -> None:
    assert as_lines() == GOLDEN_LINES.read_text(encoding="utf-8")


def test_every_json_line_has_event_and_time_first_and_money_as_text() -> None:
    for text in GOLDEN_JSON.read_text(encoding="utf-8").splitlines():
        found = json.loads(text)
        assert list(found)[:2] == ["event", "time"]
        for key in ("price", "quantity", "bid", "ask", "total", "available", "filled_quantity", "average_price", "rate", "last"):
            assert isinstance(found.get(key, ""), str)


def test_order_changed_says_nothing_because_the_events_beside_it_do() -> None:
    assert tell(order_events.OrderChanged("main", sell())) is None


def test_log_line_below_warning_is_left_to_standard_error() -> None:
    assert tell(LogLine("INFO", "", "started")) is None


class SomethingNewHappened(msgspec.Struct, frozen=True):
    account: str
    symbol: Symbol
    ratio: float


def test_event_that_the_table_does_not_know_is_told_by_its_class_and_fields() -> None:
    told = tell(SomethingNewHappened("main", BTC, float("nan")))
    assert told is not None
    assert (told.name, told.fields) == ("something_new_happened", {"account": "main", "symbol": "BTC/USDT", "ratio": "nan"})


def test_event_that_is_no_struct_is_told_by_its_text() -> None:
    assert fields_of(ValueError("odd")) == {"text": "odd"}


def test_line_has_no_control_character_whatever_an_exchange_says() -> None:
    told = tell(order_events.AccountLost("main", "bad\n\x1b[2Jnews\u2028\x9b"))
    assert told is not None
    assert line(TIME, told).isprintable()


def test_times_are_utc() -> None:
    assert (time_of_day(TIME), iso_time(TIME), iso_time(0)) == ("01:00:01.123", "2025-11-20T01:00:01.123Z", "1970-01-01T00:00:00.000Z")


def test_golden_files_stand_beside_the_tests() -> None:
    assert {GOLDEN_JSON.parent, GOLDEN_LINES.parent} == {Path(__file__).parent}


@pytest.mark.parametrize(
    ("reason", "level"),
    [("the feed is stopping", "INFO"), ("the feed has stopped", "INFO"), ("the feed has crashed", "ERROR"), ("stale for 5 s", "ERROR")],
)
def test_book_is_lost_as_an_error_but_not_where_its_feed_stops(reason: str, level: str) -> None:
    told = tell(market_events.BookLost("gateio_spot", BTC, reason, 0.0))
    assert told is not None
    assert level_of(told) == level


def test_end_of_a_run_names_what_may_be_live_and_is_an_error_then_only() -> None:
    found = [
        (told.name, level_of(told), told.fields.get("client_order_id"))
        for status, orders in (
            (ExitStatus.CLEAN, [sell(OrderState.FILLED)]),
            (ExitStatus.MAY_BE_LIVE, [sell(OrderState.FILLED), sell(OrderState.UNKNOWN, number=7)]),
        )
        for told in last_words(run_report(*orders, status=status))
    ]
    assert found == [("stopped", "INFO", None), ("order_statement", "ERROR", "mm-btc-abc7"), ("stopped", "ERROR", None)]
