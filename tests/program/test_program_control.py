"""`mm-ctl` and the signals against the real program: what a person types, what it says, and what a restart and `kill -9` make of it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from processes import NO_GUARDIAN, ROOT, Exchange, Process, Program, settings
from terminal import CTRL_C, ProgramOnTerminal

STOP_SECONDS = 10.0


class Said(Process):
    """`mm-ctl` with these arguments, once it has ended."""

    def __init__(self, *arguments: str | Path, folder: Path = ROOT) -> None:
        super().__init__("assembly.control.command", *arguments, folder=folder)
        with self:
            self.status = self.wait_exit()

    def json(self) -> dict[str, Any]:
        return json.loads(self.stdout)


def test_pause_pulls_the_quote_resume_goes_on_and_status_tells_both(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as program:
        program.wait_for("order_placed", count=2)
        paused = Said(path, "pause", "--reason", "lunch break")
        assert quiet_exchange.our_open_orders() == []
        assert (paused.status, paused.stderr) == (0, "")
        lift = f"bin/mm-ctl {path} resume"
        assert paused.stdout.splitlines() == [
            "global is paused now.",
            "1 order pulled: 1 cancelled, nothing is left open.",
            f"Lift it with: {lift}",
        ]
        assert f"global is PAUSED: by mm-ctl: lunch break; LIFT IT WITH: {lift}" in program.wait_for("state_entered")

        told = Said(path, "status", "--json").json()["status"]
        assert [(state["scope"], state["state"], state["reason"]) for state in told["states"]] == [
            ("global", "paused", "by mm-ctl: lunch break")
        ]
        assert (told["process"], told["accounts"][0]["stream"], told["accounts"][0]["live_orders"]) == (program.popen.pid, "connected", 0)
        assert told["cycles"][0]["state"] == "paused"
        words = Said(path, "status").stdout
        assert "PAUSED: global, since " in words
        assert f"  lift it with: {lift}\n" in words

        refused = Said(path, "pause", "cycle:bct")
        assert (refused.status, refused.stdout) == (1, "")
        assert 'there is no scope "cycle:bct". Did you mean "cycle:btc"?' in refused.stderr

        assert Said(path, "resume").status == 0
        program.wait_for("order_placed", count=3)
        assert len(quiet_exchange.our_open_orders()) == 1
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
    gone = Said(path, "status")
    assert gone.status == 3
    assert f"Start it: bin/mm-runtime {path}" in gone.stderr


def test_flatten_sells_what_the_cycle_holds_and_says_what_lets_it_run_again(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    nothing_named = Said(path, "flatten")
    assert (nothing_named.status, nothing_named.stderr) == (2, "mm-ctl: flatten needs the name of a cycle, or all\n")
    with Program(path) as program:
        program.wait_for("order_placed", count=2)
        flattened = Said(path, "flatten", "btc", "--reason", "going away")
        assert (flattened.status, flattened.stderr) == (0, "")
        sold, stands, lift = flattened.stdout.splitlines()
        assert sold.startswith("cycle:btc sold 0.00")
        assert sold.endswith(" BTC is left: less than can be traded.")
        assert stands == "cycle:btc is reduce_only, flattened by mm-ctl: going away."
        assert lift == f"Let cycle:btc run again with: bin/mm-ctl {path} resume cycle:btc"
        assert quiet_exchange.our_open_orders() == []
        assert "cycle=btc sold 0.00" in program.wait_for("cycle_flattened")
        again = Said(path, "flatten", "all", "--json").json()
        assert [(each["cycle"], each["side"], each["is_flat"]) for each in again["flattened"]] == [("btc", None, True)]
        Said(path, "halt", "cycle:btc")
        assert Said(path, "flatten", "btc").stdout.splitlines()[-1].endswith(f"bin/mm-ctl {path} resume cycle:btc --from-halt")
        program.send(signal.SIGINT)
        program.wait_exit(STOP_SECONDS)


def test_halt_survives_kill_9_and_is_lifted_by_who_has_looked(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as killed:
        killed.wait_for("order_placed", count=2)
        assert Said(path, "halt", "--reason", "prices look wrong").status == 0
        killed.send(signal.SIGKILL)
        killed.wait_exit()
    assert (tmp_path / "var" / "control.sock").is_socket(), "left behind"
    assert Said(path, "status").status == 3

    placed = quiet_exchange.orders_ever()
    with ProgramOnTerminal(path, columns=200) as terminal:
        lift = f"bin/mm-ctl {path} resume --from-halt"
        shown = terminal.wait_screen(lambda text: ("account:main ready" in text and "waiting: global" in text) or "global is halt" in text)
        assert "HALTED: global, since " in shown.splitlines()[1]
        assert "by mm-ctl: prices look wrong" in shown.splitlines()[1]
        assert shown.splitlines()[2] == f"  lift it with: {lift}"
        refused = Said(path, "resume")
        assert refused.status == 1
        assert "global was halted by mm-ctl: prices look wrong." in refused.stderr
        assert refused.stderr.splitlines()[-1] == f"  {lift}"
        assert quiet_exchange.orders_ever() == placed
        terminal.press(CTRL_C)
        assert terminal.wait_exit(STOP_SECONDS) == 0
        terminal.wait_written("exit status 0: clean")
        assert "HALTED: global, by mm-ctl: prices look wrong; the next run begins with it" in terminal.text
        assert f"  lift it, once it runs, with: {lift}" in terminal.text

    with Program(path) as program:
        assert f"LIFT IT WITH: {lift}" in program.wait_for("global is HALTED since ")
        # At once: it can be spoken to before the feeds are up, whatever that takes.
        assert Said(path, "resume", "--from-halt").status == 0
        program.wait_for("order_placed")
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0


def test_signals_pause_and_resume_but_do_not_lift_a_halt_nor_disturb_the_stop(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, runtime=NO_GUARDIAN)
    with Program(path) as program:
        program.wait_catches(signal.SIGUSR1)
        program.send(signal.SIGUSR1)  # before anything else is there: it counts
        program.wait_for("global is PAUSED: by SIGUSR1")
        program.wait_for("waiting: global is paused: by SIGUSR1")
        program.send(signal.SIGUSR1)
        program.wait_for("SIGUSR1: global is paused already, by SIGUSR1.")
        program.send(signal.SIGUSR2)
        program.wait_for("order_placed", count=2)
        assert Said(path, "halt").status == 0
        program.send(signal.SIGUSR2)
        program.wait_for("SIGUSR2: global was halted by mm-ctl. Only somebody who has looked into that lifts it")
        program.send(signal.SIGINT)
        program.wait_for(" stopping ")
        program.send(signal.SIGUSR1)
        assert program.wait_exit(STOP_SECONDS) == 0
        assert "exit status 0: clean" in program.stdout
    assert quiet_exchange.our_open_orders() == []


def test_second_run_on_one_socket_goes_on_without_where_its_exchange_ends_with_it(tmp_path: Path) -> None:
    path = settings(tmp_path)
    other = tmp_path / "other.toml"
    other.write_text(path.read_text())
    with Program(path) as first:
        first.wait_for("account_ready")
        with Program(other) as second:
            said = second.wait_for("bin/mm-ctl cannot reach this run, which goes on: ")
            assert f"belongs to process {first.popen.pid}, which is running" in said
            second.wait_for("order_placed")
            refused = Said(other, "halt")
            assert refused.status == 1, "the first one is not halted in its place"
            assert f"this is the run of {path}, not of {other}" in refused.stderr
            second.send(signal.SIGUSR1)
            assert f"LIFT IT WITH: kill -USR2 {second.popen.pid}" in second.wait_for("state_entered")
            second.send(signal.SIGINT)
            assert second.wait_exit(STOP_SECONDS) == 0
        assert "This run has no journal: the next one knows nothing of it." in Said(path, "halt").stdout
        first.send(signal.SIGINT)
        assert first.wait_exit(STOP_SECONDS) == 0
        assert "this run has no journal, and the next one knows nothing of it" in first.stdout
    assert not (tmp_path / "var" / "control.sock").exists()


def test_run_that_trades_elsewhere_does_not_start_where_it_could_not_be_halted(tmp_path: Path, quiet_exchange: Exchange) -> None:
    orders = quiet_exchange.orders_ever()
    (tmp_path / "taken").write_text("")
    path = settings(tmp_path, exchange=quiet_exchange, runtime=f'control_socket = "taken"\n{NO_GUARDIAN}')
    with Program(path) as program:
        assert program.wait_exit() == 2
        assert "is there and is no socket: move it away, or name another runtime.control_socket" in program.stderr
        assert program.stdout == ""
    assert quiet_exchange.orders_ever() == orders


def test_run_that_is_frozen_is_said_to_be_so(tmp_path: Path) -> None:
    path = settings(tmp_path)
    with Program(path) as program:
        program.wait_for("account_ready")
        program.send(signal.SIGSTOP)
        os.waitid(os.P_PID, program.popen.pid, os.WSTOPPED | os.WNOWAIT)
        asked = Said(path, "status", "--wait", "0.3")
        assert asked.status == 1
        assert f"process {program.popen.pid} has {tmp_path / 'var' / 'control.sock'} and does not answer: it may be frozen" in asked.stderr


def test_command_line_and_settings_that_cannot_be_used_are_said_with_status_2(tmp_path: Path) -> None:
    path = settings(tmp_path)
    for arguments, said in (
        (("status",), "required: COMMAND"),
        (("halt", "now"), "invalid choice: 'now'"),
        (("halt", "status"), "the settings file comes first: mm-ctl config.toml halt"),
        ((path, "stop"), "invalid choice: 'stop'"),
        ((tmp_path / "no.toml", "status"), "no.toml: cannot be read: No such file or directory"),
        ((path, "halt", "--reason", "x" * 301), "--reason may have 300 characters"),
    ):
        ended = Said(*arguments)
        assert (ended.status, ended.stdout) == (2, ""), arguments
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
