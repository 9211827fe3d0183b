"""What the guardian does for a program that cannot do it any more, at exchanges that do nothing by themselves.

Rows T7 and T10; pains 5, 9 and 27 of the peers: ghosts left behind, others' orders cancelled, a shutdown that cannot finish.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from guardians import open_orders_at, records_in, settings_at
from processes import NO_GUARDIAN, QUIET_MARKET, Exchange, Program, exchange_settings, settings, take_time_to_decide
from terminal import CTRL_C, ProgramOnTerminal

# From the death to the last cancellation; on a busy machine most of it is the start of the process that cancels.
DEADLINE_SECONDS = 15.0
SILENCE_SECONDS = 5.0
LEAVES_SECONDS = 5.0
SHORT_SILENCE = f"guardian_silence_seconds = {SILENCE_SECONDS}"
LOG_FILE = 'log_file = "run.log"'

Asking = Callable[[], list[str]]


@pytest.fixture
def mexc(tmp_path: Path) -> Generator[Exchange]:
    """It has no dead-man's switch at all. Not shared: what one test leaves open is none of the next one's."""
    config = exchange_settings(tmp_path, QUIET_MARKET + QUIET_MARKET.replace("BTC", "ETH"))
    with Exchange("--exchange", "mexc_spot", "--config", config) as exchange:
        yield exchange


@pytest.fixture
def ours(mexc: Exchange) -> Asking:
    return open_orders_at("mexc_spot", mexc)


def wait_gone(condition: Callable[[], bool], within_seconds: float) -> None:
    give_up_at = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"it did not become so within {within_seconds:g} s"


def check_guardian_leaves(program: Program) -> None:
    wait_gone(lambda: not program.guardians(), LEAVES_SECONDS)


def resting(path: Path, *arguments: str) -> Program:
    """A program whose sell rests."""
    program = Program(path, *arguments)
    try:
        program.wait_for("order_placed", count=2)
    except BaseException:
        program.__exit__(None, None, None)
        raise
    return program


def ids_of(program: Program, *event_names: str) -> set[str]:
    return {event["client_order_id"] for event in program.events() if event["event"] in event_names}


def kill_with_one_open(program: Program, ours: Asking) -> str:
    """In a moment in which it has an order open, rather than between one and the next; its id as ours."""
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while True:
        program.send(signal.SIGSTOP)
        if len(found := ours()) == 1:
            break
        assert time.monotonic() < give_up_at, program.story()
        program.send(signal.SIGCONT)
    program.send(signal.SIGKILL)
    return found[0].removeprefix("t-")


@pytest.mark.parametrize("name", ["mexc_spot", "gateio_spot"])
def test_guardian_cancels_for_a_program_that_was_killed_and_the_next_start_tells_it(name: str, tmp_path: Path, request) -> None:
    exchange = request.getfixturevalue({"mexc_spot": "mexc", "gateio_spot": "quiet_exchange"}[name])
    ours = open_orders_at(name, exchange)
    path = settings_at(name, exchange, tmp_path, runtime=LOG_FILE)
    with resting(path) as program:
        left_behind = kill_with_one_open(program, ours)
        assert program.wait_exit() == -signal.SIGKILL  # standard error ends with the guardian
        exchange.wait_until(lambda: not ours(), within_seconds=DEADLINE_SECONDS)
        check_guardian_leaves(program)
        died = f"mm-runtime (process {program.popen.pid}) died without saying goodbye"
        for said in (program.stderr, (tmp_path / "run.log").read_text()):
            assert died in said
            assert f"main ({name}): cancelling {left_behind}" in said
            assert f"main ({name}): no order of ours is open; 1 cancelled" in said

    with resting(path, "--json") as program:
        program.send(signal.SIGINT)
        assert program.wait_exit() == 0
        (acted,) = [event for event in program.events() if event["event"] == "guardian_acted"]
        assert (acted["cause"], acted["outcome"], acted["cancelled"]) == (died, "confirmed", [left_behind])
        assert not [event for event in program.events() if event["event"] == "leftover_order_found"]
    assert [file.suffix for file in (tmp_path / "var/guardian").iterdir()] == [".told"], "what was told is not told again"


def test_guardian_cancels_for_a_frozen_program_which_goes_on_once_it_is_thawed(tmp_path: Path, mexc: Exchange, ours: Asking) -> None:
    with resting(settings_at("mexc_spot", mexc, tmp_path, runtime=SHORT_SILENCE)) as program:
        program.send(signal.SIGSTOP)
        frozen_at = time.monotonic()
        mexc.wait_until(lambda: not ours(), within_seconds=SILENCE_SECONDS + DEADLINE_SECONDS)
        assert time.monotonic() - frozen_at > SILENCE_SECONDS - 2
        program.send(signal.SIGCONT)
        program.wait_for("order_placed", count=3)
        assert "gave no sign of life" in program.wait_for("guardian_acted")
        program.send(signal.SIGINT)
        assert program.wait_exit() == 0
        check_guardian_leaves(program)
        assert len(program.stdout.split("guardian_acted")) == 2
    assert ours() == []


def test_program_that_is_killed_while_it_is_frozen_is_swept_again(tmp_path: Path, mexc: Exchange, ours: Asking) -> None:
    with resting(settings_at("mexc_spot", mexc, tmp_path, runtime=SHORT_SILENCE)) as program:
        program.send(signal.SIGSTOP)
        program.wait_for("gave no sign of life", stderr=True)
        program.send(signal.SIGKILL)
        program.wait_exit()
        check_guardian_leaves(program)
        assert "died without saying goodbye" in program.stderr
    assert ours() == []
    assert [record["outcome"] for record in records_in(tmp_path / "var/guardian")[-1]["accounts"].values()] == ["confirmed"]


def test_program_that_ends_by_itself_or_is_stopped_leaves_no_guardian_and_no_record(tmp_path: Path, mexc: Exchange) -> None:
    with resting(settings_at("mexc_spot", mexc, tmp_path)) as program:
        (guardian,) = program.guardians()
        assert f"process={guardian} accounts=[main]" in program.wait_for("guardian_watching")
        program.send(signal.SIGTERM)
        assert program.wait_exit() == 0
        check_guardian_leaves(program)
        assert program.stderr == ""
    with Program(settings_at("mexc_spot", mexc, tmp_path), "--for", "100ms") as program:
        assert program.wait_exit() == 0
        check_guardian_leaves(program)
    assert records_in(tmp_path / "var/guardian") == []


def test_guardian_that_is_killed_is_told_and_replaced_by_one_that_acts_as_well(tmp_path: Path, mexc: Exchange, ours: Asking) -> None:
    with resting(settings_at("mexc_spot", mexc, tmp_path)) as program:
        (first,) = program.guardians()
        os.kill(first, signal.SIGKILL)
        assert f'process={first} reason="it was ended by SIGKILL"' in program.wait_for("guardian_lost")
        program.wait_for("guardian_watching", count=2)
        (second,) = program.guardians()
        assert second != first
        program.send(signal.SIGKILL)
        mexc.wait_until(lambda: not ours(), within_seconds=DEADLINE_SECONDS)


def test_guardian_outlives_ctrl_c_until_the_stop_is_over(tmp_path: Path) -> None:
    with (
        Exchange("--exchange", "mexc_spot", "--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange,
        ProgramOnTerminal(settings_at("mexc_spot", exchange, tmp_path).rename(tmp_path / "p.toml")) as terminal,
    ):
        ours = open_orders_at("mexc_spot", exchange)
        terminal.wait_screen(lambda text: " sell " in text and " open" in text)
        guardians = terminal.program.guardians()
        assert len(guardians) == 1
        exchange.freeze()
        terminal.press(CTRL_C)
        terminal.wait_screen(lambda text: "STOPPING: SIGINT received" in text)
        assert terminal.program.guardians() == guardians
        terminal.program.send(signal.SIGKILL)
        exchange.thaw()
        exchange.wait_until(lambda: not ours(), within_seconds=DEADLINE_SECONDS)


def test_forced_stop_leaves_the_rest_to_the_guardian_until_the_exchange_answers_again(tmp_path: Path) -> None:
    with Exchange("--exchange", "mexc_spot", "--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange:
        ours = open_orders_at("mexc_spot", exchange)
        with resting(settings_at("mexc_spot", exchange, tmp_path)) as program:
            exchange.freeze()
            program.send(signal.SIGINT)
            program.wait_for("closing main")
            program.send(signal.SIGINT)
            program.wait_for("stop_awaited")
            take_time_to_decide()
            program.send(signal.SIGINT)
            assert program.popen.wait(5) == 3
            program.wait_for("died without saying goodbye", stderr=True)
            exchange.thaw()
            exchange.wait_until(lambda: not ours(), within_seconds=DEADLINE_SECONDS)
            program.wait_for("no order of ours is open; 1 cancelled", stderr=True)


def test_stop_that_runs_into_its_deadline_leaves_the_rest_to_the_guardian(tmp_path: Path) -> None:
    with Exchange("--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange:
        path = settings(tmp_path, exchange=exchange, stop_deadline_seconds=2)
        path.write_text(path.read_text().replace('exchange = "gateio_spot"\n', 'exchange = "gateio_spot"\ndead_mans_switch_seconds = 0\n'))
        with resting(path) as program:
            exchange.freeze()
            program.send(signal.SIGINT)
            assert program.popen.wait(10) == 3
            program.wait_for("died without saying goodbye", stderr=True)
            exchange.thaw()
            exchange.wait_until(lambda: not exchange.our_open_orders(), within_seconds=DEADLINE_SECONDS)


def test_stop_that_takes_longer_than_the_guardian_bears_silence_is_no_silence(tmp_path: Path) -> None:
    with Exchange("--exchange", "mexc_spot", "--config", exchange_settings(tmp_path, QUIET_MARKET)) as exchange:
        path = settings_at("mexc_spot", exchange, tmp_path, runtime=SHORT_SILENCE)
        path.write_text(path.read_text().replace("stop_deadline_seconds = 10", "stop_deadline_seconds = 60"))
        with resting(path) as program:
            exchange.freeze()
            program.send(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):  # a frozen exchange answers nothing: it goes on stopping
                program.popen.wait(SILENCE_SECONDS + 1.5)
            exchange.thaw()
            assert program.wait_exit() == 0
            check_guardian_leaves(program)
            assert "no sign of life" not in program.stderr


def test_new_program_started_at_once_and_one_of_another_installation_are_left_alone(tmp_path: Path, mexc: Exchange, ours: Asking) -> None:
    other_path = settings_at("mexc_spot", mexc, tmp_path, runtime='installation = "mm2"\ncontrol_socket = "var/other.sock"').rename(
        tmp_path / "other.toml"
    )
    # Another symbol, so that the two do not outbid each other, another journal and another socket.
    other_text = other_path.read_text().replace("BTC_USDT", "ETH_USDT")
    other_path.write_text(f'{other_text}\n[journal]\npath = "var/other.sqlite"\n')
    path = settings_at("mexc_spot", mexc, tmp_path)
    others = open_orders_at("mexc_spot", mexc, installation="mm2")
    with resting(other_path, "--json") as other, resting(path) as killed:
        kill_with_one_open(killed, ours)
        with resting(path, "--json") as program:
            assert killed.guardians(), "this is to happen while the guardian is still looking"
            wait_gone(lambda: not killed.guardians(), DEADLINE_SECONDS)
            for living in (program, other):  # whose orders follow the market
                taken_over = {one for event in living.events() for one in event.get("orders_that_may_be_live", ())}
                assert ids_of(living, "order_cancelled") <= ids_of(living, "order_cancel_requested", "leftover_order_found") | taken_over
            program.send(signal.SIGINT)
            assert program.wait_exit() == 0
        other.send(signal.SIGINT)
        assert other.wait_exit() == 0
    assert others() == ours() == []


def test_new_program_tells_how_the_guardian_of_the_last_one_ended_as_soon_as_it_has(tmp_path: Path, mexc: Exchange, ours: Asking) -> None:
    path = settings_at("mexc_spot", mexc, tmp_path)
    with resting(path) as killed:
        kill_with_one_open(killed, ours)
        wait_gone(lambda: bool(records_in(tmp_path / "var/guardian")), DEADLINE_SECONDS)
        with Program(path) as program:
            assert "under way" in program.wait_for("guardian_acted")
            assert "nothing is open" in program.wait_for("guardian_acted", count=2)


def test_program_has_no_guardian_where_it_is_not_wanted_or_serves_the_exchange_itself(tmp_path: Path, mexc: Exchange) -> None:
    unwanted = settings_at("mexc_spot", mexc, tmp_path, runtime=NO_GUARDIAN).rename(tmp_path / "unwanted.toml")
    for path in (unwanted, settings(tmp_path)):
        with resting(path) as program:
            assert program.guardians() == []
            program.send(signal.SIGINT)
            assert program.wait_exit() == 0
            assert "guardian" not in program.stdout


def test_guardian_folder_that_cannot_be_written_is_told_and_the_orders_are_cancelled(tmp_path: Path, mexc: Exchange, ours: Asking) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    path = settings_at("mexc_spot", mexc, tmp_path, runtime='guardian_folder = "blocked/guardian"')
    with resting(path) as program:
        program.send(signal.SIGKILL)
        mexc.wait_until(lambda: not ours(), within_seconds=DEADLINE_SECONDS)
        assert "cannot be written" in program.wait_for(str(tmp_path / "blocked/guardian"), stderr=True)
