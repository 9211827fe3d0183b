"""Diagnostics: where they go, what they look like, that they block nothing and hold no secret."""

from __future__ import annotations

import contextvars
import json
import logging
import os
import pty
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import trio
import trio.testing
from collecting_sink import BlockedSink, BrokenSink, CollectingSink
from loguru import logger
from presenter_samples import BOOK, EVENTS, RISK, TIME

from actors.accounts.credential import Credential
from assembly.acting import named
from assembly.descriptors import shows_colors
from assembly.log_lines import Happening, JsonLines
from assembly.logs import LogFile, Logs, start_logging
from assembly.presenter.report import LogLine, Notice
from assembly.redaction import redactor
from market.events import BookChanged
from market.symbol import Symbol
from orders.events import AccountReady, BalanceChanged
from supervision.child import Child, ChildContext, CleanupCause
from supervision.errors import SupervisionError
from supervision.intensity import Intensity
from supervision.supervisor import Supervisor

CREDENTIAL = Credential(key="the-real-key", secret="the-real-secret")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Loguru's logger and the root logger are the process's: leave them as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logger.remove()
    logger.configure(patcher=lambda _: None, extra={})


async def written(logs: Logs, sink: CollectingSink) -> list[str]:
    assert await logs.close()
    return sink.lines


async def test_line_has_time_level_actor_message_and_what_was_bound() -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink)
    logger.bind(actor="feed:gateio_spot", attempt=2).warning("slow {}", "answer")
    (line,) = await written(logs, sink)
    assert line[12:] == " WARNING  feed:gateio_spot     slow answer attempt=2"


async def test_line_below_the_level_is_not_written() -> None:
    sink = CollectingSink()
    logs = start_logging(level="WARNING", stderr=sink)
    logger.info("quiet")
    logger.error("loud")
    assert [line[13:] for line in await written(logs, sink)] == ["ERROR    mm-runtime           loud"]


async def test_lines_are_written_while_the_run_goes_on(nursery: trio.Nursery) -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink)
    logger.info("before")
    await nursery.start(logs.run)
    logger.info("after")
    await trio.testing.wait_all_tasks_blocked()
    assert [line[43:] for line in sink.lines] == ["before", "after"]
    await logs.close()


async def test_error_is_one_line_for_people_with_every_cause_of_a_group() -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink)
    logger.opt(exception=ExceptionGroup("many", [ValueError("one"), KeyError("two")])).error("failed")
    (line,) = await written(logs, sink)
    assert line.endswith("failed (ValueError: one; KeyError: 'two')")


async def test_debug_level_shows_the_traceback() -> None:
    sink = CollectingSink()
    logs = start_logging(level="DEBUG", stderr=sink)
    _log_an_error()
    lines = await written(logs, sink)
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-1] == "    ValueError: refused the-real-key"


def _fail() -> None:
    local_secret = "the-real-secret"
    raise ValueError("refused the-real-key" if local_secret else "")


def _log_an_error() -> None:
    try:
        _fail()
    except ValueError as error:
        logger.opt(exception=error).error("failed")


async def test_file_has_json_lines_with_the_traceback_and_no_values_of_variables(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    logs = start_logging(level="INFO", stderr=CollectingSink(), file=LogFile(path=path))
    logger.bind(actor="account:main", attempt=2).info("ready")
    _log_an_error()
    await logs.close()
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert (first["level"], first["actor"], first["message"], first["fields"]) == ("INFO", "account:main", "ready", {"attempt": "2"})
    assert "ValueError: refused the-real-key" in second["exception"]
    assert "the-real-secret" not in path.read_text()


def _contents(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:  # not there yet, or just being rotated
        return ""


async def test_file_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    logs = start_logging(level="INFO", stderr=CollectingSink(), file=LogFile(path=path, bytes_max=10, files_kept=1))
    async with trio.open_nursery() as nursery:
        await nursery.start(logs.run)
        for number in range(3):
            logger.info("line {}", number)
            with trio.fail_after(10):  # the file is written in a thread, so that real time passes
                while f"line {number}" not in _contents(path):
                    await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    await logs.close()
    assert sorted(os.listdir(tmp_path)) == ["run.log", "run.log.1"]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_secrets_never_appear_in_message_value_exception_or_file(tmp_path: Path, level: str) -> None:
    sink, lines = CollectingSink(), list[LogLine]()
    path = tmp_path / "run.log"
    logs = start_logging(level=level, redact=redactor([CREDENTIAL]), stderr=sink, file=LogFile(path=path), on_line=lines.append)
    logger.info("connecting with the-real-key")
    logger.bind(signature="the-real-secret").warning("bound")
    logger.bind(actor="the-real-key").warning("as an actor")
    _log_an_error()
    logging.getLogger("httpx").error("sent %s", "the-real-secret")
    assert await logs.close()
    everything = sink.text + path.read_text() + repr(lines)
    assert "connecting with ***" in everything
    assert "the-real" not in everything


async def test_patcher_redacts_for_any_other_sink_too() -> None:
    logs = start_logging(level="INFO", redact=redactor([CREDENTIAL]), stderr=CollectingSink())
    heard: list[str] = []
    logger.add(heard.append, format="{message}")
    logger.info("the-real-key")
    await logs.close()
    assert heard == ["***\n"]


async def test_libraries_are_heard_from_warning_on() -> None:
    sink = CollectingSink()
    logs = start_logging(level="DEBUG", stderr=sink)
    logging.getLogger("httpx").info("HTTP Request: GET https://gate.example")
    logging.getLogger("httpx").warning("odd %s", "{braces}")
    (line,) = await written(logs, sink)
    assert line.endswith("WARNING  mm-runtime           odd {braces} library=httpx")


async def test_live_view_gets_lines_as_events_and_standard_error_nothing() -> None:
    lines: list[LogLine] = []
    logs = start_logging(level="INFO", on_line=lines.append, writes_to_stderr=False)
    logger.bind(actor="cycle:btc").info("selling")
    await logs.close()
    assert lines == [LogLine("INFO", "cycle:btc", "selling")]


async def test_log_from_another_thread_arrives(nursery: trio.Nursery) -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink)
    await nursery.start(logs.run)
    await trio.to_thread.run_sync(logger.info, "from a thread")
    await trio.testing.wait_all_tasks_blocked()
    assert [line[43:] for line in sink.lines] == ["from a thread"]
    await logs.close()


async def test_control_characters_are_written_out() -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink)
    logger.info("bad\nnews\x1b[2J")
    (line,) = await written(logs, sink)
    assert line.endswith("bad\\x0anews\\x1b[2J")


async def test_standard_error_that_blocks_costs_lines_and_says_how_many(nursery: trio.Nursery) -> None:
    sink = BlockedSink()
    logs = start_logging(level="INFO", stderr=sink)
    await nursery.start(logs.run)
    logger.info("first")
    await trio.testing.wait_all_tasks_blocked()
    for number in range(5000):
        logger.info("{}", number)
    sink.release.set()
    await trio.testing.wait_all_tasks_blocked()
    assert sink.lines[1] == "(904 log lines were dropped)"
    assert sink.lines[-1].endswith(" 4999")
    await logs.close()


async def test_close_gives_up_at_its_deadline(autojump_clock: trio.testing.MockClock) -> None:
    logs = start_logging(level="INFO", stderr=BlockedSink())
    logger.info("stuck")
    assert not await logs.close(deadline_seconds=3)
    assert trio.current_time() == 3.0


async def test_standard_error_that_nobody_reads_any_more_stops_nothing(nursery: trio.Nursery) -> None:
    logs = start_logging(level="INFO", stderr=BrokenSink())
    await nursery.start(logs.run)
    logger.info("lost")
    await trio.testing.wait_all_tasks_blocked()
    logger.info("lost too")
    assert not await logs.close()


async def test_log_file_that_cannot_be_written_is_said_once_on_standard_error(tmp_path: Path, nursery: trio.Nursery) -> None:
    sink = CollectingSink()
    (tmp_path / "occupied").write_text("a file, not a folder")
    logs = start_logging(level="INFO", stderr=sink, file=LogFile(path=tmp_path / "occupied" / "run.log"))
    await nursery.start(logs.run)
    logger.info("hello")
    with trio.fail_after(10):  # the file is written in a thread, so that real time passes
        while len(sink.lines) < 2:
            await trio.lowlevel.checkpoint()
    logger.info("still here")
    assert not await logs.close()
    lost = "the log file cannot be written: File exists; it is tried again every 5 s"
    assert [line[43:] for line in sink.lines] == ["hello", lost, "still here"]


BLOCKED_PROGRAM = """
import sys, trio
from loguru import logger
from assembly.logs import start_logging

async def main():
    logs = start_logging(level="INFO")
    slowest = 0.0
    async with trio.open_nursery() as nursery:
        await nursery.start(logs.run)
        for _ in range(20):
            for number in range(100):
                logger.info("line {}", number)
            before = trio.current_time()
            await trio.sleep(0.01)
            slowest = max(slowest, trio.current_time() - before)
        nursery.cancel_scope.cancel()
    print(await logs.close(deadline_seconds=0.2), slowest)

trio.run(main)
"""


def test_standard_error_that_is_a_full_pipe_does_not_hold_up_the_program() -> None:
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        try:
            while os.write(writer, bytes(65536)):
                pass
        except BlockingIOError:
            os.set_blocking(writer, True)
        root = str(Path(__file__).parent.parent.parent)
        program = subprocess.run(
            [sys.executable, "-c", BLOCKED_PROGRAM],
            stdout=subprocess.PIPE,
            stderr=writer,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": root},
        )
    finally:
        os.close(reader)
        os.close(writer)
    closed, slowest = program.stdout.decode().split()
    assert closed == "False"
    assert float(slowest) < 2.0


async def test_every_event_of_the_run_is_in_the_log_file_with_its_actor_and_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    logs = start_logging(level="INFO", stderr=CollectingSink(), file=LogFile(path=path), redact=redactor([CREDENTIAL]))
    logs.note(1_790_000_000_000, Notice("the-real-secret is out"))
    logs.note(1_790_000_000_001, AccountReady("main"))
    assert await logs.close()
    notice, ready = [json.loads(line) for line in path.read_text().splitlines()]
    assert (notice["event"], notice["level"], notice["fields"]) == ("notice", "INFO", {"text": "*** is out"})
    assert (ready["event"], ready["actor"], ready["time"]) == ("account_ready", "account:main", "2026-09-21T14:13:20.001Z")


async def test_books_are_in_the_log_file_for_people_who_debug_only(tmp_path: Path) -> None:
    book = BookChanged("gateio_spot", Symbol("BTC", "USDT"), ((1.0, 1.0),), ((2.0, 1.0),), 1, 1, 0, 0.0)
    lines: list[int] = []
    for level in ("INFO", "DEBUG"):
        path = tmp_path / f"{level}.log"
        logs = start_logging(level=level, stderr=CollectingSink(), file=LogFile(path=path))
        logs.note(1_790_000_000_000, book)
        assert await logs.close()
        lines.append(len(path.read_text().splitlines()) if path.exists() else 0)
    assert lines == [0, 1]


# Who said it


async def test_every_line_from_an_actors_tasks_threads_and_libraries_names_it_also_while_it_is_cleaned_up() -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink)

    async def run(context: ChildContext) -> None:
        context.started()
        logger.info("in its task")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_log_in_a_task)
        await trio.to_thread.run_sync(logging.getLogger("websockets").warning, "in its thread")
        raise ValueError("died")

    async def clean_up(_: CleanupCause) -> None:
        logger.info("in its cleanup")

    async def _log_in_a_task() -> None:
        logger.info("in a task of its own")

    async with trio.open_nursery() as nursery:
        await nursery.start(logs.run)
        child = Child("account:main", run, cleanup=clean_up)
        with pytest.raises(SupervisionError):
            await Supervisor("root", [named(child)], intensity=Intensity(restarts_max=0), report=lambda _: None, rng=random.Random(1)).run()
        logger.info("after it")
        nursery.cancel_scope.cancel()
    said = {line[43:]: line[22:42].strip() for line in await written(logs, sink)}
    assert said == {
        "in its task": "account:main",
        "in a task of its own": "account:main",
        "in its thread library=websockets": "account:main",
        "in its cleanup": "account:main",
        "after it": "mm-runtime",
    }


async def test_event_bears_the_actor_that_told_it_and_else_the_one_that_it_is_about(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    logs = start_logging(level="INFO", stderr=CollectingSink(), file=LogFile(path=path))

    async def run(context: ChildContext) -> None:
        logs.note(1, BalanceChanged("main", "BTC", Decimal(1), Decimal(1)))

    await named(Child("cycle:btc", run)).start(ChildContext("root/cycle:btc"))
    _ACTOR_OF_NOBODY.run(logs.note, 2, BalanceChanged("main", "BTC", Decimal(1), Decimal(1)))
    assert await logs.close()
    assert [json.loads(line)["actor"] for line in path.read_text().splitlines()] == ["cycle:btc", "account:main"]


_ACTOR_OF_NOBODY = contextvars.Context()


# The schema of the file


async def test_every_line_of_the_file_has_the_keys_of_the_schema_in_order_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    logs = start_logging(level="TRACE", stderr=CollectingSink(), file=LogFile(path=path))
    for event in EVENTS:
        logs.note(TIME, event)
    logger.bind(actor="account:main", attempt=2).info("ready")
    _log_an_error()
    assert await logs.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) > len(EVENTS) - 5
    required = ["time", "level", "process", "actor", "event", "message"]
    for line in lines:
        assert list(line)[: len(required)] == required
        assert set(line) <= {*required, "fields", "where", "exception"}
        assert line["process"] == os.getpid()
        assert line["level"] in ("DEBUG", "INFO", "WARNING", "ERROR")
    assert {line["event"]: line["level"] for line in lines}.items() >= {
        "book_lost": "ERROR",
        "balance_differs": "WARNING",
        "order_placed": "INFO",
        "trade": "DEBUG",
        "log": "ERROR",
    }.items()


@pytest.mark.parametrize(("level", "written_levels"), [("DEBUG", 4), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
async def test_events_below_the_level_are_not_in_the_file(tmp_path: Path, level: str, written_levels: int) -> None:
    path = tmp_path / "run.log"
    logs = start_logging(level=level, stderr=CollectingSink(), file=LogFile(path=path))
    for event in EVENTS:
        logs.note(TIME, event)
    assert await logs.close()
    levels = {json.loads(line)["level"] for line in path.read_text().splitlines()}
    assert levels == set(("ERROR", "WARNING", "INFO", "DEBUG")[:written_levels])


async def test_how_a_quoting_cycle_stands_is_in_the_file_once_in_ten_seconds(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    logs = start_logging(level="INFO", stderr=CollectingSink(), file=LogFile(path=path))
    for seconds in range(25):
        logs.note(TIME + seconds * 1000, RISK)
    assert await logs.close()
    assert len(path.read_text().splitlines()) == 3


async def test_warning_that_the_live_view_shows_is_in_the_file_once(tmp_path: Path) -> None:
    path = tmp_path / "run.log"

    def report(event: object) -> None:
        logs.note(TIME, event)

    logs = start_logging(level="INFO", writes_to_stderr=False, on_line=report, file=LogFile(path=path))
    logger.warning("slow")
    assert await logs.close()
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == ["slow"]


class Odd:
    def __str__(self) -> str:
        raise ValueError("no words")


async def test_bound_value_that_has_no_text_costs_its_line_and_not_the_run(nursery: trio.Nursery) -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink)
    await nursery.start(logs.run)
    logger.bind(odd=Odd()).info("lost")
    logger.info("there")
    first, second = await written(logs, sink)
    assert first == "a line that cannot be told: ValueError: no words"
    assert second.endswith("there")


def test_line_that_cannot_be_told_says_so_and_the_others_are_written() -> None:
    lines = JsonLines(redact=str, level=lambda: "INFO")
    first, second = [json.loads(line) for line in lines.render([Happening(TIME, "", Odd()), Happening(TIME, "", BOOK)], 0).splitlines()]
    assert (first["level"], first["message"]) == ("ERROR", "a line that cannot be told: ValueError: no words")
    assert second["event"] == "book_top"


# Colours


@pytest.mark.parametrize("color", [True, False])
async def test_lines_are_coloured_only_where_colours_are_shown_and_have_the_same_columns(color: bool) -> None:
    sink = CollectingSink()
    logs = start_logging(level="INFO", stderr=sink, color=color)
    logger.warning("slow")
    (line,) = await written(logs, sink)
    assert ("\x1b[33mWARNING \x1b[0m" in line) is color
    assert re.sub(r"\x1b\[[0-9;]*m", "", line)[13:] == "WARNING  mm-runtime           slow"


@pytest.mark.parametrize(
    ("environment", "shown"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({}, False)],
)
def test_colours_are_for_a_terminal_that_has_them_and_whose_user_wants_them(environment: dict[str, str], shown: bool) -> None:
    ours, theirs = pty.openpty()
    reader, writer = os.pipe()
    assert shows_colors(theirs, environment) is shown
    assert not shows_colors(writer, environment)
    for descriptor in (ours, theirs, reader, writer):
        os.close(descriptor)
