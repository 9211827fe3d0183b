"""Standard streams and the log file in every bad state: trading never waits for them, and the stop is in order."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from processes import Exchange, Program, settings

PIPE_BYTES = 4096
STOP_SECONDS = 10.0


@contextmanager
def pipe() -> Generator[tuple[int, int]]:
    """A reader and a writer, both descriptors of ours; whoever closes one itself says so by `os.close`."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        yield reader, writer
    finally:
        for descriptor in (reader, writer):
            with suppress(OSError):
                os.close(descriptor)


def closing(descriptor: str) -> list[str]:
    """A command that runs another with a descriptor closed."""
    return ["sh", "-c", f'exec "$@" {descriptor}', "sh"]


def test_output_that_nobody_reads_holds_up_neither_trading_nor_stopping(tmp_path: Path, lively_exchange: Exchange) -> None:
    orders = lively_exchange.orders_ever()
    with pipe() as (_, writer), Program(settings(tmp_path, exchange=lively_exchange), "--log-level", "DEBUG", stdout=writer) as program:
        # What is told of so many orders is many times what the pipe holds.
        lively_exchange.wait_until(lambda: lively_exchange.orders_ever() >= orders + 8)
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 1
        assert lively_exchange.our_open_orders() == []
        assert "the statement could not be written to standard output" in program.stderr
        assert "Traceback" not in program.stderr


def test_reader_that_goes_away_stops_the_program_in_order_with_status_1(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with pipe() as (reader, writer), Program(settings(tmp_path, exchange=quiet_exchange), stdout=writer) as program:
        os.close(writer)
        assert b" started " in os.read(reader, PIPE_BYTES)
        os.close(reader)
        assert program.wait_exit(STOP_SECONDS) == 1
        assert quiet_exchange.our_open_orders() == []
        assert "the output cannot be written any more: its reader has gone" in program.stderr
        assert "Traceback" not in program.stderr
        assert "BrokenPipe" not in program.stderr


def test_full_disk_under_standard_output_stops_the_program_in_order_with_status_1(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Path("/dev/full").open("wb") as full, Program(settings(tmp_path, exchange=quiet_exchange), stdout=full) as program:
        assert program.wait_exit(STOP_SECONDS) == 1
        assert "the output cannot be written any more: No space left on device" in program.stderr
    assert quiet_exchange.our_open_orders() == []


def test_standard_output_closed_from_the_start_is_told_and_no_connection_takes_its_number(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=quiet_exchange), before=closing(">&-")) as program:
        assert program.wait_exit(STOP_SECONDS) == 1
        assert program.stdout == ""
        assert "the output cannot be written any more" in program.stderr
    assert quiet_exchange.our_open_orders() == []


@pytest.mark.parametrize(("descriptor", "redirection"), [(0, "<&-"), (2, "2>&-")])
def test_standard_input_or_error_closed_from_the_start_changes_nothing(
    descriptor: int, redirection: str, tmp_path: Path, quiet_exchange: Exchange
) -> None:
    with Program(settings(tmp_path, exchange=quiet_exchange), before=closing(redirection)) as program:
        program.wait_for("order_placed", count=2)
        assert os.readlink(f"/proc/{program.popen.pid}/fd/{descriptor}") == "/dev/null"
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        assert "exit status 0" in program.stdout
    assert quiet_exchange.our_open_orders() == []


def test_standard_error_whose_reader_has_gone_hides_no_exit_status(tmp_path: Path, quiet_exchange: Exchange) -> None:
    for path in (tmp_path / "nothing.toml", settings(tmp_path, exchange=quiet_exchange, symbol="NO_SUCH")):
        with pipe() as (reader, writer):
            os.close(reader)
            with Program(path, stderr=writer) as program:
                assert program.wait_exit(STOP_SECONDS) == 2


def test_full_disk_under_the_log_file_is_told_and_trading_goes_on(tmp_path: Path, quiet_exchange: Exchange) -> None:
    # Every event of the run is for the log file: its loss is found out at once, and told once however much is to be logged.
    with Program(settings(tmp_path, exchange=quiet_exchange, runtime='log_file = "/dev/full"')) as program:
        program.wait_for("the log file cannot be written: No space left on device", stderr=True)
        program.wait_for("order_placed", count=2)
        assert len(quiet_exchange.our_open_orders()) == 1
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        assert quiet_exchange.our_open_orders() == []
        assert program.stderr.count("the log file cannot be written") == 1


def test_full_disk_under_the_log_file_found_out_at_the_very_end_is_told_and_hides_no_exit_status(
    tmp_path: Path, quiet_exchange: Exchange
) -> None:
    path = settings(tmp_path, exchange=quiet_exchange, symbol="NO_SUCH", runtime='log_file = "/dev/full"')
    with Program(path) as program:
        assert program.wait_exit(STOP_SECONDS) == 2
        assert "the log file cannot be written: No space left on device" in program.stderr
        assert "does not list NO/SUCH" in program.stderr


def test_output_into_a_file_is_complete(tmp_path: Path, quiet_exchange: Exchange) -> None:
    written = tmp_path / "output.txt"
    with written.open("wb") as file, Program(settings(tmp_path, exchange=quiet_exchange), "--for", "1s", stdout=file) as program:
        assert program.popen.wait(STOP_SECONDS) == 0
    lines = written.read_text().splitlines()
    assert " started " in lines[0]
    assert "exit status 0" in lines[-1]


def test_output_through_head_stops_the_program_and_leaves_nothing_open(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange)
    with Program(path, before=["bash", "-c", 'set -o pipefail; "$@" | head -1', "bash"], stdin=subprocess.DEVNULL) as program:
        assert program.wait_exit(STOP_SECONDS) == 1
        assert program.stdout.count("\n") == 1
    assert quiet_exchange.our_open_orders() == []
