"""Signals, as a person or an init system sends them: whatever the moment, nothing of ours stays live, or we say so."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest
from processes import NO_GUARDIAN, QUIET_MARKET, Exchange, Program, exchange_settings, settings, take_time_to_decide

SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM
STOP_SECONDS = 10.0
EACH_SIGNAL = pytest.mark.parametrize("number", [SIGINT, SIGTERM], ids=lambda number: number.name)


def check_clean_stop(program: Program, exchange: Exchange) -> None:
    """Exit 0 in time, a statement on standard output, nothing else on standard error, and nothing open at the exchange."""
    assert program.wait_exit(STOP_SECONDS) == 0
    assert exchange.our_open_orders() == []
    assert "exit status 0: clean: no order of ours is live" in program.stdout
    assert "orders of account main: " in program.stdout
    assert "MAY BE LIVE" not in program.stdout
    assert " order_submitted " not in program.stdout.partition(" stopping ")[2]  # the gate was closed first
    assert program.stderr == ""


@EACH_SIGNAL
def test_signal_before_imports_are_done_leaves_at_once_with_status_0_and_says_nothing_was_sent(
    number: signal.Signals, tmp_path: Path, lively_exchange: Exchange
) -> None:
    orders = lively_exchange.orders_ever()
    with Program(settings(tmp_path, exchange=lively_exchange)) as program:
        program.wait_catches(SIGTERM)
        program.send(number)
        assert program.wait_exit(STOP_SECONDS) == 0
        assert program.stdout == ""
        assert program.stderr == "stopped before anything was sent: no order of this run is live\n"
    assert lively_exchange.orders_ever() == orders


@EACH_SIGNAL
def test_signal_just_after_start_stops_cleanly(number: signal.Signals, tmp_path: Path, lively_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=lively_exchange, runtime='log_file = "run.log"')) as program:
        program.wait_for("book_top")
        program.send(number)
        check_clean_stop(program, lively_exchange)
        assert f"{number.name} received" in program.stdout
    lines = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    assert "ERROR" not in {line["level"] for line in lines}, "that it ends is no error"
    assert (lines[-1]["event"], lines[-1]["fields"]["exit_status"]) == ("stopped", 0)


@EACH_SIGNAL
def test_signal_in_the_middle_of_a_buy_finds_out_what_became_of_it(number: signal.Signals, tmp_path: Path, slow_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=slow_exchange)) as program:
        program.wait_for("order_submitted")
        slow_exchange.freeze()
        program.send(number)
        program.wait_for("closing main: ")
        slow_exchange.thaw()
        check_clean_stop(program, slow_exchange)
        assert re.search(r"^  mm-btc-\w+ .* buy +market .* (filled|cancelled|rejected)\b", program.stdout, re.MULTILINE)


@EACH_SIGNAL
def test_signal_with_a_sell_resting_cancels_it(number: signal.Signals, tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=quiet_exchange)) as program:
        program.wait_for("order_placed", count=2)
        assert len(quiet_exchange.our_open_orders()) == 1
        program.send(number)
        check_clean_stop(program, quiet_exchange)
        assert "1 filled, 1 cancelled" in program.stdout


@EACH_SIGNAL
def test_signal_during_reconcile_stops_cleanly(number: signal.Signals, tmp_path: Path, slow_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=slow_exchange)) as program:
        program.wait_for("reconciling")
        program.send(number)
        check_clean_stop(program, slow_exchange)


@EACH_SIGNAL
def test_second_signal_while_stopping_tells_what_is_awaited_and_the_stop_goes_on(
    number: signal.Signals, tmp_path: Path, slow_exchange: Exchange
) -> None:
    with Program(settings(tmp_path, exchange=slow_exchange)) as program:
        program.wait_for("order_placed", count=2)
        program.send(number)
        program.wait_for("closing main")
        program.send(number)
        told = program.wait_for("stop_awaited")
        assert "closing main" in told
        assert "once more to force the stop" in told
        check_clean_stop(program, slow_exchange)


@EACH_SIGNAL
def test_signal_after_the_last_word_does_not_change_the_exit_status(
    number: signal.Signals, tmp_path: Path, lively_exchange: Exchange
) -> None:
    with Program(settings(tmp_path, exchange=lively_exchange, symbol="NO_SUCH")) as program:
        program.wait_for("exit status 2")
        program.send(number)
        assert program.wait_exit(STOP_SECONDS) == 2
        assert "stopped before anything was sent" not in program.stderr


def test_third_signal_forces_the_end_lists_what_may_be_live_and_exits_3(tmp_path: Path) -> None:
    with (
        Exchange("--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange,
        Program(settings(tmp_path, exchange=exchange, stop_deadline_seconds=60, runtime=NO_GUARDIAN)) as program,
    ):
        program.wait_for("order_placed", count=2)
        (resting,) = exchange.our_open_orders()
        exchange.freeze()
        program.send(SIGINT)
        program.wait_for("closing main")
        program.send(SIGINT)
        told = program.wait_for("stop_awaited")
        assert "closing main: 1 order(s) may be live" in told
        assert "once more to force the stop" in told
        take_time_to_decide()
        program.send(SIGINT)
        assert program.wait_exit(5) == 3
        assert f"MAY BE LIVE {resting.removeprefix('t-')}" in program.stdout
        assert "exit status 3: ORDERS OF OURS MAY STILL BE LIVE" in program.stdout
        exchange.thaw()


def test_key_held_down_does_not_force_the_end_and_one_press_after_that_does(tmp_path: Path) -> None:
    with (
        Exchange("--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange,
        Program(settings(tmp_path, exchange=exchange, stop_deadline_seconds=60, runtime=NO_GUARDIAN)) as program,
    ):
        program.wait_for("order_placed", count=2)
        exchange.freeze()
        for _ in range(20):
            program.send(SIGINT)
            time.sleep(0.03)  # as a keyboard repeats
        program.wait_for("stop_awaited", count=3)
        take_time_to_decide()
        assert program.popen.poll() is None, program.story()
        assert "exit status" not in program.stdout
        program.send(SIGINT)
        assert program.wait_exit(5) == 3
        exchange.thaw()


def test_stop_deadline_alone_ends_a_stop_that_cannot_finish_with_status_3_and_the_ids(tmp_path: Path) -> None:
    with (
        Exchange("--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange,
        Program(settings(tmp_path, exchange=exchange, stop_deadline_seconds=3, runtime=NO_GUARDIAN)) as program,
    ):
        program.wait_for("order_placed", count=2)
        (resting,) = exchange.our_open_orders()
        exchange.freeze()
        asked_at = time.monotonic()
        program.send(SIGINT)
        assert program.wait_exit() == 3
        assert time.monotonic() - asked_at < 3 + 1
        assert f"MAY BE LIVE {resting.removeprefix('t-')}" in program.stdout
        exchange.thaw()


def test_exchange_that_died_while_an_order_rested_is_told_honestly_with_status_3(tmp_path: Path) -> None:
    with (
        Exchange("--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange,
        Program(settings(tmp_path, exchange=exchange, stop_deadline_seconds=3, runtime=NO_GUARDIAN)) as program,
    ):
        program.wait_for("order_placed", count=2)
        (resting,) = exchange.our_open_orders()
        exchange.send(signal.SIGKILL)
        program.wait_for("account_disconnected")
        asked_at = time.monotonic()
        program.send(SIGTERM)
        assert program.wait_exit() == 3
        assert time.monotonic() - asked_at < 3 + 1
        assert f"MAY BE LIVE {resting.removeprefix('t-')}" in program.stdout
        assert "exit status 3: ORDERS OF OURS MAY STILL BE LIVE" in program.stdout
        assert "Traceback" not in program.stderr
