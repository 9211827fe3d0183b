"""Events as lines and as JSON: what is written when, what is left out, and how a run ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from collecting_sink import BlockedSink, BrokenSink, CollectingSink
from presenter_samples import BOOK, BTC, FILL, TIME, buy, partly_filled_sell, reconciled, run_report, sell, tree

from actors.accounts.credential import Credential
from assembly.arguments import OutputForm
from assembly.output import Sink
from assembly.presenter.lifting import HowToLift
from assembly.presenter.live import LivePresenter
from assembly.presenter.presenter import Presenter, open_presenter
from assembly.presenter.report import ExitStatus, RunReport
from assembly.presenter.stream import StreamPresenter, json_renderer
from assembly.redaction import redactor
from market.clock import SystemWallClock
from market.events import TradeHappened
from market.symbol import Symbol
from orders.events import AccountLost, AccountReady, OrderPlaced
from orders.life_cycle import OrderState
from orders.states import StateEntered, StateRecovered, TradingState


def stream(sink: Sink, form: OutputForm = OutputForm.JSON, **options: Any) -> Presenter:
    return open_presenter(
        form,
        sink=sink,
        is_terminal=False,
        environment={},
        actors=tree,
        book_max_age_seconds_by_exchange={},
        cycles_wanted={},
        markets={},
        wall_clock=SystemWallClock(),
        **{"on_output_lost": _unexpected, **options},
    )


def _unexpected(reason: str) -> None:
    raise AssertionError(reason)


async def told(presenter: Presenter, sink: CollectingSink, report: RunReport | None = None) -> list[dict[str, Any]]:
    """The JSON objects that are written in all."""
    assert await presenter.finish(report or run_report())
    return [json.loads(line) for line in sink.lines]


async def test_event_is_written_while_the_run_goes_on(nursery: trio.Nursery) -> None:
    sink = CollectingSink()
    presenter = stream(sink)
    await nursery.start(presenter.run)
    presenter.event(TIME, AccountReady("main"))
    await trio.testing.wait_all_tasks_blocked()
    assert sink.text == '{"event":"account_ready","time":"2025-11-20T01:00:01.123Z","account":"main"}\n'


async def test_line_for_people_has_time_name_and_facts(nursery: trio.Nursery) -> None:
    sink = CollectingSink()
    presenter = stream(sink, OutputForm.LINES)
    await nursery.start(presenter.run)
    presenter.event(TIME, OrderPlaced("main", sell()))
    await trio.testing.wait_all_tasks_blocked()
    assert sink.text == "01:00:01.123 order_placed           cycle=btc sell 0.0016 BTC @ 61234.5 (mm-btc-abc2)\n"


async def test_state_that_holds_orders_back_is_told_with_the_command_that_lifts_it_and_run_without() -> None:
    sink = CollectingSink()
    presenter = stream(sink, lifting=HowToLift(settings_path="live.toml"))
    presenter.event(TIME, StateRecovered("global", TradingState.HALTED, "by mm-ctl", TIME))
    presenter.event(TIME, StateEntered("cycle:btc", TradingState.PAUSED, "by mm-ctl"))
    presenter.event(TIME, StateEntered("cycle:btc", TradingState.RUN, "by mm-ctl"))
    recovered, paused, run, *_ = await told(presenter, sink)
    assert recovered["lifted_by"] == "bin/mm-ctl live.toml resume --from-halt"
    assert paused["lifted_by"] == "bin/mm-ctl live.toml resume cycle:btc"
    assert "lifted_by" not in run


async def test_book_top_is_told_once_a_second_for_each_market() -> None:
    sink = CollectingSink()
    presenter = stream(sink)
    eth = msgspec.structs.replace(BOOK, symbol=Symbol("ETH", "USDT"))
    for milliseconds in (0, 10, 999, 1000, 1500, 2000):
        presenter.event(TIME + milliseconds, BOOK)
        presenter.event(TIME + milliseconds, eth)
    times = [(event["symbol"], event["time"][-7:-1]) for event in await told(presenter, sink) if event["event"] == "book_top"]
    assert times == [
        ("BTC/USDT", "01.123"),
        ("ETH/USDT", "01.123"),
        ("BTC/USDT", "02.123"),
        ("ETH/USDT", "02.123"),
        ("BTC/USDT", "03.123"),
        ("ETH/USDT", "03.123"),
    ]


async def test_wall_clock_that_is_set_back_does_not_silence_the_book() -> None:
    sink = CollectingSink()
    presenter = stream(sink)
    presenter.event(TIME, BOOK)
    presenter.event(TIME - 3_600_000, BOOK)
    assert [event["event"] for event in await told(presenter, sink)] == ["book_top", "book_top", "stopped"]


@pytest.mark.parametrize(("log_level", "names"), [("INFO", ["book_top"]), ("DEBUG", ["book_top", "book_top", "trade"])])
async def test_debug_level_tells_every_book_top_and_quiet_events(log_level: str, names: list[str]) -> None:
    sink = CollectingSink()
    presenter = stream(sink, log_level=log_level)
    presenter.event(TIME, BOOK)
    presenter.event(TIME, BOOK)
    presenter.event(TIME, TradeHappened("gateio_spot", BTC, "9", FILL.side, 1.0, 1.0, TIME, 0.0))
    assert [event["event"] for event in await told(presenter, sink)] == [*names, "stopped"]


async def test_dropped_events_are_counted_and_said(nursery: trio.Nursery) -> None:
    sink = BlockedSink()
    presenter = StreamPresenter(
        sink,
        renderer=json_renderer,
        log_level="INFO",
        redact=str,
        on_output_lost=_unexpected,
        finish_deadline_seconds=1,
        capacity=2,
    )
    await nursery.start(presenter.run)
    presenter.event(TIME, AccountReady("first"))
    await trio.testing.wait_all_tasks_blocked()
    for name in ("a", "b", "c", "d"):
        presenter.event(TIME, AccountReady(name))
    sink.release.set()
    await trio.testing.wait_all_tasks_blocked()
    found = [json.loads(line) for line in sink.lines]
    assert [event.get("account", event.get("count")) for event in found] == ["first", 2, "c", "d"]
    assert found[1]["event"] == "output_dropped"
    assert presenter.dropped == 2


async def test_reconciliation_that_was_dropped_is_told_at_the_end_and_only_then(nursery: trio.Nursery) -> None:
    sink = BlockedSink()
    presenter = StreamPresenter(
        sink,
        renderer=json_renderer,
        log_level="INFO",
        redact=str,
        on_output_lost=_unexpected,
        finish_deadline_seconds=1,
        capacity=1,
    )
    await nursery.start(presenter.run)
    presenter.event(TIME, AccountReady("main"))
    await trio.testing.wait_all_tasks_blocked()
    presenter.event(TIME, reconciled(1))
    presenter.event(TIME, reconciled(2))
    sink.release.set()
    await trio.testing.wait_all_tasks_blocked()
    found = await told(presenter, sink)
    assert [(event["event"], event.get("number")) for event in found if event["event"] == "cycle_reconciled"] == [
        ("cycle_reconciled", 2),
        ("cycle_reconciled", 1),
    ]
    assert found[-1]["cycles_reconciled"] == 2


async def test_json_run_ends_with_a_statement_of_each_order_and_stopped() -> None:
    sink = CollectingSink()
    presenter = stream(sink)
    report = run_report(partly_filled_sell(), buy(OrderState.UNKNOWN), sell(OrderState.CANCELLED, number=3), status=ExitStatus.MAY_BE_LIVE)
    *statements, stopped = await told(presenter, sink, report)
    assert [(event["event"], event["client_order_id"], event["state"], event["may_be_live"]) for event in statements] == [
        ("order_statement", "mm-btc-abc2", "partially_filled", True),
        ("order_statement", "mm-btc-abc1", "unknown", True),
        ("order_statement", "mm-btc-abc3", "cancelled", False),
    ]
    assert statements[0]["fees"] == {"USDT": "0.0734814"}
    assert stopped == {
        "event": "stopped",
        "time": "2025-11-20T01:00:02.123Z",
        "exit_status": 3,
        "meaning": "ORDERS OF OURS MAY STILL BE LIVE: look at the exchange and cancel what is listed above",
        "reason": "all cycles are done",
        "seconds": 21.5,
        "cycles_reconciled": 0,
        "orders": 3,
        "may_be_live": ["mm-btc-abc2", "mm-btc-abc1"],
        "states": [],
        "states_are_kept": True,
    }


async def test_run_for_people_ends_with_tables_and_the_meaning_of_the_exit_status() -> None:
    sink = CollectingSink()
    presenter = stream(sink, OutputForm.LINES)
    presenter.event(TIME, reconciled())
    await presenter.finish(run_report(sell(OrderState.CANCELLED)))
    assert "cycle btc #1 BTC/USDT on main: reconciled, balances agree" in sink.lines
    assert "orders of account main: 1 cancelled" in sink.lines
    assert sink.lines[-1] == "exit status 0: clean: no order of ours is live (all cycles are done; ran 21.5 s)"


async def test_broken_pipe_is_told_to_the_runtime_once_and_the_run_goes_on(nursery: trio.Nursery) -> None:
    reasons: list[str] = []
    presenter = stream(BrokenSink(), on_output_lost=reasons.append)
    await nursery.start(presenter.run)
    for _ in range(3):
        presenter.event(TIME, AccountReady("main"))
        await trio.testing.wait_all_tasks_blocked()
    assert not await presenter.finish(run_report())
    assert reasons == ["its reader has gone"]


@pytest.mark.parametrize("form", [OutputForm.JSON, OutputForm.LINES])
async def test_known_secrets_are_taken_out_of_whatever_is_written(form: OutputForm) -> None:
    sink = CollectingSink()
    credential = Credential(key="the-real-key", secret='the"real\\secret')
    presenter = stream(sink, form, redact=redactor([credential]))
    presenter.event(TIME, AccountLost("main", f"refused {credential.key} signed by {credential.secret}"))
    await presenter.finish(msgspec.structs.replace(run_report(), reason=f"gave up on {credential.key}"))
    assert "refused *** signed by ***" in sink.text
    assert "gave up on ***" in sink.text
    assert "the-real" not in sink.text
    assert "real\\" not in sink.text


# Which presenter a run has


@pytest.mark.parametrize(
    ("form", "is_terminal", "term", "is_live"),
    [
        (OutputForm.AUTOMATIC, True, "xterm", True),
        (OutputForm.AUTOMATIC, True, "dumb", False),
        (OutputForm.AUTOMATIC, False, "xterm", False),
        (OutputForm.LINES, True, "xterm", False),
        (OutputForm.JSON, True, "xterm", False),
    ],
)
def test_live_view_is_for_terminals_that_can_show_it(form: OutputForm, is_terminal: bool, term: str, is_live: bool) -> None:
    presenter = open_presenter(
        form,
        sink=CollectingSink(),
        is_terminal=is_terminal,
        environment={"TERM": term},
        on_output_lost=_unexpected,
        actors=tree,
        book_max_age_seconds_by_exchange={},
        cycles_wanted={},
        markets={},
        wall_clock=SystemWallClock(),
    )
    assert presenter.is_live is is_live
    assert isinstance(presenter, LivePresenter) is is_live


def test_redactor_without_secrets_changes_nothing() -> None:
    redact: Callable[[str], str] = redactor([])
    assert redact("the text") == "the text"


def test_redactor_leaves_no_end_of_a_longer_secret_behind() -> None:
    redact = redactor([Credential(key="abcdef", secret="abcdef-and-more", passphrase="with space&")])
    assert redact("abcdef-and-more abcdef with%20space%26") == "*** *** ***"
