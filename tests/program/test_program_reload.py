"""Other settings for the real program: by its file, by SIGHUP, by `mm-ctl`; and a SIGHUP that says that the terminal was closed."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
from pathlib import Path

from processes import NO_GUARDIAN, Exchange, Program, settings
from test_program_control import Said

STOP_SECONDS = 10.0


def change(path: Path, old: str, new: str) -> None:
    """As an editor saves it: another file is put in its place."""
    text = path.read_text()
    assert text.count(old) == 1, old
    saved = path.with_name("saved.toml")
    saved.write_text(text.replace(old, new))
    saved.replace(path)


def test_file_that_is_saved_moves_the_quote_and_a_broken_or_unsafe_one_is_refused_with_its_reason(
    tmp_path: Path, quiet_exchange: Exchange
) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN, cycle_table="parameters = { price_offset_ticks = 1 }")
    with Program(path, "--json") as program:
        program.wait_for('"order_placed"', count=2)
        change(path, "price_offset_ticks = 1", "price_offset_ticks = 3")
        told = program.wait_for('"setting_changed"')
        assert '"key":"cycles.btc.parameters.price_offset_ticks","before":"1","after":"3","by":"the file"' in told
        program.wait_for('"order_placed"', count=3)
        change(path, "price_offset_ticks = 3", "price_offset_ticks = ")
        assert f"{path}:" in program.wait_for('"settings_refused"')
        change(path, "price_offset_ticks = ", "price_offset_ticks = 5")
        change(path, "[runtime]", '[runtime]\ninstallation = "mn"')
        assert "needs a restart: runtime.installation. Nothing else of it" in program.wait_for('"settings_refused"', count=2)
        assert len(quiet_exchange.our_open_orders()) == 1
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        assert program.stdout.count('"setting_changed"') == 1
    with sqlite3.connect(tmp_path / "var" / "journal.sqlite") as journal:
        written = [name for (name,) in journal.execute("SELECT name FROM events WHERE name LIKE 'setting%' ORDER BY rowid")]
    assert written == ["setting_changed", "settings_refused", "settings_refused"]


def test_sighup_has_the_file_read_at_once_and_stops_nothing(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as program:
        program.wait_for("order_placed", count=2)
        program.send(signal.SIGHUP)
        program.wait_for(f"SIGHUP: Nothing in {path} differs from what runs.")
        change(path, "stop_deadline_seconds = 10", "stop_deadline_seconds = 7")
        program.send(signal.SIGHUP)
        assert "runtime.stop_deadline_seconds: 10 -> 7, at once (by SIGHUP)" in program.wait_for("setting_changed")
        assert len(quiet_exchange.our_open_orders()) == 1
        program.send(signal.SIGTERM)
        assert "deadline_seconds=7" in program.wait_for(" stopping ")
        assert program.wait_exit(STOP_SECONDS) == 0


def test_terminal_that_is_closed_stops_the_program_in_order(tmp_path: Path, quiet_exchange: Exchange) -> None:
    ours, theirs = pty.openpty()
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path, stdin=theirs, before=["setsid", "--ctty", "--wait"]) as program:
        program.wait_for("order_placed", count=2)
        program.send(signal.SIGHUP)
        program.wait_for("SIGHUP: Nothing in ")  # while it is there, somebody has sent it
        os.close(theirs)
        os.close(ours)
        assert program.wait_exit(STOP_SECONDS) == 0
        assert "SIGHUP received" in program.stdout
        assert "exit status 0: clean" in program.stdout
    assert quiet_exchange.our_open_orders() == []


def test_mm_ctl_sets_what_runs_and_not_the_file_and_a_restart_goes_by_the_file(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    text = path.read_text()
    with Program(path) as program:
        program.wait_for("order_placed", count=2)
        said = Said(path, "set", "btc", "parameters.price_offset_ticks", "3")
        assert (said.status, said.stderr) == (0, "")
        assert said.stdout.splitlines() == [
            "cycles.btc.parameters.price_offset_ticks: 1 -> 3, from the cycle's next decision on",
            f"This run only: {path} says 1, and a restart goes by that.",
        ]
        program.wait_for("order_placed", count=3)
        limited = Said(path, "set", "account:main", "limits.max_order_notional", "150", "--reason", "a thin day", "--json").json()
        assert limited["changes"] == [
            {"key": "accounts.main.limits.max_order_notional", "before": "none", "after": "150", "applies": "from the next order on"}
        ]
        assert "(by mm-ctl: a thin day)" in program.wait_for("accounts.main.limits.max_order_notional")
        refused = Said(path, "set", "btc", "quantity", "151")
        assert refused.status == 1
        assert "cycles.btc.quantity is 151, more than accounts.main.limits.max_order_notional = 150" in refused.stderr
        refused = Said(path, "set", "cycles.btc.symbol", "ETH_USDT")
        assert refused.stderr == "Refused, and nothing was changed: needs a restart: cycles.btc.symbol.\n"
        change(path, "stop_deadline_seconds = 10", "stop_deadline_seconds = 7")
        reloaded = Said(path, "reload")
        assert reloaded.status == 0
        assert "Still 150, as set by mm-ctl: accounts.main.limits.max_order_notional (the file says none)." in reloaded.stdout
        assert "SET: cycles.btc.parameters.price_offset_ticks is 3, and 1 in the settings file" in Said(path, "status").stdout
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
    assert path.read_text() == text.replace("stop_deadline_seconds = 10", "stop_deadline_seconds = 7")
    with Program(path) as program:
        program.wait_for("account_ready")
        assert "SET" not in Said(path, "status").stdout
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0


def test_set_that_cannot_be_meant_is_said_with_status_2(tmp_path: Path) -> None:
    path = settings(tmp_path)
    for arguments, said in (
        ((path, "set", "quantity"), "set is followed by a cycle, a key of its table and a value"),
        ((path, "reload", "now"), "unrecognized arguments: now"),
        ((path, "halt", "global", "now"), "unrecognized arguments: now"),
    ):
        ended = Said(*arguments)
        assert (ended.status, ended.stdout) == (2, ""), arguments
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
