"""How a quoting cycle stands, wherever it is shown: in lines, live, at the end, by mm-ctl, and in the journal."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from collecting_sink import CollectingSink
from msgspec.structs import replace
from presenter_samples import BTC, RISK, TIME, run_report
from test_presenter_live import running_state, shown
from trio.testing import MockClock

from actors.cycle.quoting.risk import RiskMeasured, RiskSnapshot
from actors.journal.port import open_journal_port
from assembly.presenter.cycle_memory import CycleMemory
from assembly.presenter.risk_words import risk_lines
from assembly.presenter.statement import closing_text
from assembly.presenter.stream import StreamPresenter, line_renderer
from assembly.presenter.vocabulary import risk_fields
from assembly.recording import RISK_INTERVAL_SECONDS, JournalRecorder
from market.clock import VirtualWallClock

HOLDS = "holds 0.001998 BTC (122.346 USD), bids 298.5 asks 300 USDT, quoting 98.8% of the time"
EARNED = "profit -0.126543 USDT (realised 0.123457, unrealised -0.05, fees 0.2 and 0.01 GT), spread captured 0.4, volume 1234.5, 17 trades"


def test_two_lines_say_what_is_held_and_what_was_earned() -> None:
    assert risk_lines(risk_fields(RISK)) == (HOLDS, EARNED)


def test_what_is_not_known_is_left_out() -> None:
    unknown = RiskMeasured("main", "btc", BTC, RiskSnapshot(at=1.0, inventory=Decimal("0.5"), position=Decimal("-1")))
    assert risk_lines(risk_fields(unknown)) == (
        "holds 0.5 BTC, the account's position is -1, bids 0 asks 0 USDT",
        "profit not known without a price (realised 0), spread captured 0, volume 0, 0 trades",
    )


def test_live_view_has_a_row_for_each_quoting_cycle_and_none_without() -> None:
    state = running_state()
    assert not any(line.startswith("Risk") for line in shown(state, width=240))
    for balance in ("0.1", "0.2"):
        state.fold(TIME, replace(RISK, risk=replace(RISK.risk, at=99.6, inventory=Decimal(balance))))
    lines = shown(state, width=240)
    at = next(number for number, line in enumerate(lines) if line.startswith("Risk"))
    assert lines[at][:127].split() == (
        ["Risk", "inventory", "USD", "bids", "asks", "realised", "unrealised", "fees", "captured", "volume", "trades", "uptime", "age"]
    )
    row = "btc 0.2 BTC 122.346 298.5 300 +0.1235 -0.05 0.2 +0.01 GT 0.4 1234.5 17 98.8% 0.4 s"
    assert lines[at + 1][:150].split() == row.split()
    (cycle,) = [line for line in lines if line.startswith("  btc ")]
    assert "-0.1265" in cycle
    assert not any("risk_measured" in line for line in lines), "it is no news"
    assert sum(line.startswith("btc ") for line in lines) == 1


def test_end_of_a_run_states_how_each_quoting_cycle_stood_last() -> None:
    memory = CycleMemory()
    memory.risks["btc"] = RISK
    lines = closing_text(run_report(), memory, width=None, color=False).splitlines()
    assert f"cycle btc BTC/USDT {HOLDS}" in lines
    assert f"  {EARNED}" in lines


async def test_lines_tell_it_once_in_ten_seconds_for_each_cycle(autojump_clock: MockClock) -> None:
    sink = CollectingSink()
    presenter = StreamPresenter(
        sink,
        renderer=line_renderer,
        log_level="INFO",
        redact=str,
        on_output_lost=lambda reason: None,
        finish_deadline_seconds=5.0,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(presenter.run)
        for second in range(21):
            for cycle in ("btc", "eth"):
                presenter.event(TIME + second * 1000, replace(RISK, cycle=cycle))
        await presenter.finish(run_report())
        nursery.cancel_scope.cancel()
    told = [line for line in sink.text.splitlines() if " risk_measured " in line]
    assert len(told) == 6
    assert f"cycle=btc {HOLDS}; {EARNED}" in told[0]


async def test_journal_keeps_one_in_ten_seconds_for_each_cycle(autojump_clock: MockClock) -> None:
    port, queue = open_journal_port(100, wall_clock=VirtualWallClock(epoch_milliseconds=TIME))
    recorder = JournalRecorder(port, redact=str, on_lost=pytest.fail)
    for _ in range(25):
        for cycle in ("btc", "eth"):
            recorder.note(replace(RISK, cycle=cycle))
        await trio.sleep(1.0)
    batch = queue.next_batch(100)
    assert RISK_INTERVAL_SECONDS == 10.0
    assert [entry.events[0].fields["cycle"] for entry in batch] == ["btc", "eth"] * 3
