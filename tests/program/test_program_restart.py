"""What `kill -9` leaves behind is swept by the next start, before anything else."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from processes import NO_GUARDIAN, Exchange, Program, settings


def test_restart_after_kill_9_cancels_the_order_left_behind_before_the_account_is_ready(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as killed:
        killed.wait_for("order_placed", count=2)
        killed.send(signal.SIGKILL)
        assert killed.wait_exit() == -signal.SIGKILL
    (left_behind,) = quiet_exchange.our_open_orders()

    with Program(path, "--json") as program:
        program.wait_for('"account_ready"')
        assert left_behind not in quiet_exchange.our_open_orders()
        program.wait_for('"order_placed"')
        program.send(signal.SIGINT)
        assert program.wait_exit() == 0
        names = [event["event"] for event in program.events()]
        recovered = next(event for event in program.events() if event["event"] == "recovered")
        assert recovered["orders_that_may_be_live"] == [left_behind.removeprefix("t-")]
        assert recovered["rounds_in_progress"] == ["btc"]
        assert names.index("recovered") < names.index("order_cancelled") < names.index("account_ready")
        assert names.index("account_ready") < names.index("order_submitted")
        sides = {event["side"] for event in program.events() if event["event"] == "order_submitted"}
        assert sides == {"sell"}, "the round goes on: nothing is bought again"
        statements = {event["client_order_id"]: event for event in program.events() if event["event"] == "order_statement"}
        assert statements[left_behind.removeprefix("t-")]["state"] == "cancelled"
    assert quiet_exchange.our_open_orders() == []


def test_restart_without_the_journal_finds_the_order_left_behind_by_its_prefix(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as killed:
        killed.wait_for("order_placed", count=2)
        killed.send(signal.SIGKILL)
        killed.wait_exit()
    (left_behind,) = quiet_exchange.our_open_orders()
    for file in (tmp_path / "var").glob("journal.sqlite*"):
        file.unlink()

    with Program(path, "--json") as program:
        program.wait_for('"account_ready"')
        assert left_behind not in quiet_exchange.our_open_orders()
        program.send(signal.SIGINT)
        assert program.wait_exit() == 0
        names = [event["event"] for event in program.events()]
        assert names.index("leftover_order_found") < names.index("order_cancelled") < names.index("account_ready")
    assert quiet_exchange.our_open_orders() == []


def test_second_program_on_one_journal_is_refused_with_status_2_and_says_who_has_it(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as first:
        first.wait_for("order_placed")
        with Program(path) as second:
            assert second.wait_exit() == 2
            assert f"in use by process {first.popen.pid}" in second.stderr
        first.send(signal.SIGINT)
        assert first.wait_exit() == 0


def test_journal_that_opens_and_takes_no_new_run_is_told_in_one_line_with_status_2(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as first:
        first.wait_for("order_placed")
        first.send(signal.SIGINT)
        assert first.wait_exit() == 0
    # What a disk does that became full between the opening and the first row.
    with closing(sqlite3.connect(tmp_path / "var" / "journal.sqlite")) as journal:
        journal.execute("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")

    with Program(path) as program:
        assert program.wait_exit() == 2
        assert program.stdout == ""
        assert program.stderr.count("\n") == 1, program.stderr
        assert "journal.sqlite cannot be written: database or disk is full" in program.stderr


def test_renamed_installation_is_told_that_it_does_not_go_on_with_the_round_in_progress(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=quiet_exchange, runtime=f'{NO_GUARDIAN}\ninstallation = "mm"')) as first:
        first.wait_for("order_placed", count=2)
        first.send(signal.SIGINT)
        assert first.wait_exit() == 0

    with Program(settings(tmp_path, exchange=quiet_exchange, runtime=f'{NO_GUARDIAN}\ninstallation = "neu"')) as renamed:
        told = renamed.wait_for("has a round in progress")
        assert 'cycle btc of installation "mm" has a round in progress in BTC/USDT, which this run does not go on with' in told
        renamed.send(signal.SIGINT)
        assert renamed.wait_exit() == 0
