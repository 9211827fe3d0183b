"""The guardian by itself, as a process whose runtime is the test: what it does, at what cost, and what it leaves alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from guardians import Watched, guarded, open_orders_at, records_in, settings_at
from meddling_server import MeddlingServer
from processes import NO_GUARDIAN, PATIENCE_SECONDS, QUIET_MARKET, ROOT, Exchange, Program, exchange_settings, guardians_of

from assembly.guardian.plan import GuardedAccount

DEADLINE_SECONDS = 15.0
NOBODY = GuardedAccount(
    name="main", exchange="mexc_spot", rest_url="http://127.0.0.1:9", is_testnet=False, credential_variables=()
)  # where nobody answers
WRONG = {"GATEIO_API_KEY": "k3yThatOpensNothingAtAll7c19e5f02b6d", "GATEIO_API_SECRET": "s3cretThatSignsNothingAtAll0d1f4b7a92c6"}


def now_milliseconds() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def mexc(tmp_path: Path) -> Generator[Exchange]:
    with Exchange("--exchange", "mexc_spot", "--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange:
        yield exchange


def leave_an_order_open(name: str, exchange: Exchange, folder: Path) -> None:
    """As a program of installation "mm" that was killed, and has no guardian."""
    ours = open_orders_at(name, exchange)
    with Program(settings_at(name, exchange, folder, runtime=NO_GUARDIAN)) as program:
        program.wait_for("order_placed", count=2)
        exchange.wait_until(lambda: len(ours()) == 1)
        program.send(signal.SIGSTOP)
        assert len(ours()) == 1, "it was between two orders: start the test again"
        program.send(signal.SIGKILL)


def test_guardian_imports_nothing_that_costs_and_stays_small() -> None:
    listing = "import sys, assembly.guardian.watch; print(*sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not set(found) & {"trio", "httpx", "msgspec", "json", "subprocess", "socket", "ssl", "asyncio", "logging", "threading", "typing"}
    assert {module for module in found if module.startswith("assembly")} == {"assembly", "assembly.guardian", "assembly.guardian.watch"}


def test_guardian_that_watches_needs_little_memory_and_hardly_any_time(tmp_path: Path) -> None:
    with Watched(tmp_path, NOBODY, silence_seconds=20) as watched:
        watched.hear_plan(told_last_milliseconds=1)
        before = _ticks(watched.popen.pid)
        for number in range(1000):  # a quarter of an hour
            watched.hear(f"alive {number}")
        watched.hear("plan {}")  # answered, so that all of it was read
        assert watched.channel.recv(100) == b"watching\n"
        assert (_ticks(watched.popen.pid) - before) / os.sysconf("SC_CLK_TCK") < 0.5
        status = Path(f"/proc/{watched.popen.pid}/status").read_text()
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        assert kilobytes < 14_000


def _ticks(process: int) -> int:
    """User and system time."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_guardian_whose_runtime_says_goodbye_leaves_at_once_and_does_nothing(tmp_path: Path) -> None:
    with Watched(tmp_path, NOBODY) as watched:
        watched.hear_plan(told_last_milliseconds=1)
        watched.hear("bye")
        watched.die()
        assert watched.wait_exit() == 0
        assert watched.err.text == ""
        assert records_in(watched.folder) == []


def test_guardian_whose_runtime_dies_before_it_could_have_placed_anything_does_nothing(tmp_path: Path) -> None:
    with Watched(tmp_path, NOBODY) as watched:
        watched.die()
        assert watched.wait_exit() == 0
        assert records_in(watched.folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_guardian_and_what_it_starts_are_not_ended_by_signals_that_ask_the_runtime_to_stop(number: signal.Signals, tmp_path: Path) -> None:
    with Watched(tmp_path, NOBODY) as watched:
        watched.hear_plan(told_last_milliseconds=1)
        watched.popen.send_signal(number)
        watched.die()
        os.kill(watched.sweeper(), number)
        watched.wait_said("was not sent")  # it has tried, and goes on
        assert watched.popen.poll() is None


def test_what_acts_is_started_again_when_it_crashes_and_finishes(tmp_path: Path, mexc: Exchange) -> None:
    leave_an_order_open("mexc_spot", mexc, tmp_path)
    mexc.freeze()
    with Watched(tmp_path, guarded("mexc_spot", mexc)) as watched:
        watched.hear_plan(told_last_milliseconds=now_milliseconds())
        watched.die()
        watched.wait_said("died without saying goodbye")
        mexc.wait_until(lambda: bool(records_in(watched.folder)), within_seconds=DEADLINE_SECONDS)
        os.kill(watched.sweeper(), signal.SIGKILL)
        watched.wait_said("what cancels its orders died (status -9); it is started again")
        mexc.thaw()
        mexc.wait_until(lambda: not open_orders_at("mexc_spot", mexc)(), within_seconds=DEADLINE_SECONDS)
        assert watched.wait_exit() == 0
        assert [record["accounts"]["main"]["outcome"] for record in records_in(watched.folder)] == ["under way", "confirmed"]


def test_exchange_that_does_not_answer_is_tried_until_it_does(tmp_path: Path, mexc: Exchange) -> None:
    leave_an_order_open("mexc_spot", mexc, tmp_path)
    mexc.freeze()
    with Watched(tmp_path, guarded("mexc_spot", mexc)) as watched:
        watched.hear_plan(told_last_milliseconds=now_milliseconds())
        watched.die()
        watched.wait_said("trying again")
        mexc.thaw()
        assert watched.wait_exit() == 0
        record = watched.record()["accounts"]["main"]
        assert (record["outcome"], len(record["cancelled"]), record["trouble"]) == ("confirmed", 1, "")
    assert open_orders_at("mexc_spot", mexc)() == []


def test_account_whose_credential_is_refused_holds_up_no_other_and_is_tried_on(
    tmp_path: Path, mexc: Exchange, quiet_exchange: Exchange
) -> None:
    leave_an_order_open("mexc_spot", mexc, tmp_path)
    refused = guarded("gateio_spot", quiet_exchange, account="hedge", credential_variables=tuple(WRONG))
    with Watched(tmp_path, refused, guarded("mexc_spot", mexc), environment=WRONG) as watched:
        watched.hear_plan(told_last_milliseconds=now_milliseconds())
        watched.die()
        watched.wait_said("main (mexc_spot): no order of ours is open; 1 cancelled")
        assert "INVALID_KEY" in watched.wait_said("hedge (gateio_spot):")
        watched.wait_record(lambda accounts: (accounts["main"]["outcome"], accounts["hedge"]["outcome"]) == ("confirmed", "under way"))
        assert watched.popen.poll() is None
        written = watched.err.text + str(watched.record())
        assert not any(secret in written for secret in WRONG.values())


def test_orders_of_other_installations_and_of_runs_that_began_later_are_left_alone(tmp_path: Path, mexc: Exchange) -> None:
    before = now_milliseconds()
    leave_an_order_open("mexc_spot", mexc, tmp_path)
    ours = open_orders_at("mexc_spot", mexc)()
    with ExitStack() as stack:
        for installation, told_last in (("mm", before), ("m", now_milliseconds()), ("mm2", now_milliseconds())):
            watched = Watched(tmp_path / installation, guarded("mexc_spot", mexc), installation=installation)
            stack.enter_context(watched).hear_plan(told_last_milliseconds=told_last)
            watched.die()
            stack.callback(watched.wait_said, "no order of ours is open; 0 cancelled")
    assert open_orders_at("mexc_spot", mexc)() == ours


def test_silence_is_acted_on_once_until_the_runtime_is_back_which_is_told_what_happened(tmp_path: Path, mexc: Exchange) -> None:
    leave_an_order_open("mexc_spot", mexc, tmp_path)
    ours = open_orders_at("mexc_spot", mexc)
    with Watched(tmp_path, guarded("mexc_spot", mexc), silence_seconds=1) as watched:
        watched.hear_plan(told_last_milliseconds=now_milliseconds())
        mexc.wait_until(lambda: not ours(), within_seconds=DEADLINE_SECONDS)
        watched.hear(f"alive {now_milliseconds()}")
        assert watched.channel.recv(100) == b"acted\n"
        watched.wait_said("is back")
        assert watched.record()["accounts"]["main"]["outcome"] == "runtime back"
        watched.hear("bye")
        assert watched.wait_exit() == 0
        assert len(records_in(watched.folder)) == 1


def test_silence_means_nothing_where_that_is_wanted(tmp_path: Path) -> None:
    with Watched(tmp_path, NOBODY, silence_seconds=0) as silent, Watched(tmp_path / "2", NOBODY, silence_seconds=1) as other:
        silent.hear_plan(told_last_milliseconds=1)
        other.hear_plan(told_last_milliseconds=1)
        other.wait_said("gave no sign of life")
        other.wait_said("was not sent")
        assert silent.err.text == ""


def test_time_in_which_the_guardian_itself_was_frozen_is_no_silence(tmp_path: Path) -> None:
    """As when a whole machine is suspended: the runtime thaws with it."""
    with Watched(tmp_path, NOBODY, silence_seconds=4) as watched, Watched(tmp_path / "2", NOBODY, silence_seconds=5) as clock:
        watched.hear_plan(told_last_milliseconds=1)
        watched.popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, watched.popen.pid, os.WSTOPPED | os.WNOWAIT)
        clock.hear_plan(told_last_milliseconds=1)
        clock.wait_said("gave no sign of life", within_seconds=PATIENCE_SECONDS)  # so much time has passed
        watched.popen.send_signal(signal.SIGCONT)
        watched.hear("plan {}")  # no sign of life, but answered once the time that has passed was counted
        assert watched.channel.recv(100) == b"watching\n"
        watched.hear("alive 2")
        watched.hear("bye")
        assert watched.wait_exit() == 0
        assert watched.err.text == ""


def test_credential_that_an_exchange_repeats_in_its_errors_is_in_nothing_that_a_guardian_writes(
    tmp_path: Path, quiet_exchange: Exchange
) -> None:
    real = f"http://127.0.0.1:{quiet_exchange.facts['port']}"
    with MeddlingServer(real, signed_status=400, secret=WRONG["GATEIO_API_SECRET"]).serving() as (server, address):
        account = msgspec.structs.replace(
            guarded("gateio_spot", quiet_exchange, credential_variables=tuple(WRONG)), rest_url=f"{address}/api/v4"
        )
        with Watched(tmp_path, account, environment=WRONG) as watched:
            watched.hear_plan(told_last_milliseconds=1)
            watched.die()
            watched.wait_said("trying again")
            watched.wait_record(lambda accounts: accounts["main"]["trouble"])
            assert server.keys_seen
            written = watched.err.text + str(watched.record())
            command_lines = [Path(f"/proc/{process}/cmdline").read_text() for process in guardians_of(watched.runtime_process)]
            assert len(command_lines) == 2
            assert not any(secret in text for secret in WRONG.values() for text in (written, *command_lines))


def test_time_told_last_does_not_go_back_with_a_clock_that_does(tmp_path: Path, mexc: Exchange) -> None:
    leave_an_order_open("mexc_spot", mexc, tmp_path)
    with Watched(tmp_path, guarded("mexc_spot", mexc)) as watched:
        watched.hear_plan(told_last_milliseconds=now_milliseconds())
        watched.hear("alive 1000")
        watched.die()
        assert watched.wait_exit() == 0
    assert open_orders_at("mexc_spot", mexc)() == []
