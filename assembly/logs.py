"""Diagnostics through loguru: to standard error for people, to a file as JSON, to the live view as events.

People see an error in one line, and its traceback at the levels DEBUG and TRACE; the file always has the traceback, and the
events of the run beside it. docs/logs.md has what lines look like.

Nothing here waits for who reads them, and nothing is put into words where it is logged: that is done where lines are written, behind a
bounded ring (see `output.Pump`). What is logged from an actor's tasks and threads bears its name (`acting`), libraries' lines too; other
bound values follow the message. Times are UTC.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio
from loguru import logger

from actors.cycle.quoting.risk import RiskMeasured
from assembly.acting import acting
from assembly.log_lines import Diagnostic, Happening, HumanLines, JsonLines, log_line
from assembly.output import DescriptorSink, Pump, Sink
from assembly.presenter.report import LogLine
from assembly.presenter.times import Interval
from assembly.presenter.vocabulary import LEVELS_OF_QUIET, QUIET_KINDS, RISK_INTERVAL_MILLISECONDS
from assembly.rotating_file import RotatingFileSink
from market.events import BookChanged

if TYPE_CHECKING:
    from loguru import Message, Record

LIBRARY_LEVEL = logging.WARNING  # what libraries say below that is noise, and httpx says URLs
FILE_RETRY_SECONDS = 5.0
_NEVER_NOTED: frozenset[type] = frozenset({LogLine})  # the diagnostic itself is in the file


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of JSON lines and how it is rotated."""

    path: Path
    bytes_max: int = 10_000_000
    files_kept: int = 5


def start_logging(
    *,
    level: str,
    redact: Callable[[str], str] = str,
    stderr: Sink | None = None,
    color: bool = False,
    file: LogFile | None = None,
    on_line: Callable[[LogLine], None] | None = None,
    writes_to_stderr: bool = True,
) -> Logs:
    """Send what loguru and the libraries log through rings; call it in Trio's thread, before or after Trio runs.

    `stderr` is another sink in place of standard error; with `color` its lines are coloured. With a live view, which owns the
    terminal, `writes_to_stderr` is False and `on_line` shows the lines. Only one `Logs` is in force at a time: loguru's logger is
    the process's.
    """
    logs = Logs(
        redact=redact,
        stderr=(stderr or DescriptorSink(2)) if writes_to_stderr else None,
        color=color,
        file=RotatingFileSink(file.path, bytes_max=file.bytes_max, files_kept=file.files_kept) if file is not None else None,
        on_line=on_line,
    )
    logger.configure(patcher=logs.patch, extra={"actor": ""})
    logs.set_level(level)
    root = logging.getLogger()
    root.handlers[:] = [_ToLoguru(level=LIBRARY_LEVEL)]
    root.setLevel(LIBRARY_LEVEL)
    return logs


class Logs:
    """Where log lines go. `run` writes them; `close` writes what is left and must be awaited on the way out."""

    def __init__(
        self,
        *,
        redact: Callable[[str], str],
        stderr: Sink | None,
        color: bool,
        file: Sink | None,
        on_line: Callable[[LogLine], None] | None,
    ) -> None:
        self._redact = redact
        self._level = "INFO"
        self._shows_tracebacks = False
        self._kinds_left_out = _NEVER_NOTED
        self._risks_noted = Interval[str](RISK_INTERVAL_MILLISECONDS)
        self._on_line = on_line
        self._thread = threading.get_ident()
        self._trio_token: trio.lowlevel.TrioToken | None = None
        human, as_json = HumanLines(redact=redact, color=color), JsonLines(redact=redact, level=lambda: self._level)
        self._stderr = Pump[Diagnostic](stderr, render=human.render, on_lost=_ignore) if stderr is not None else None
        self._file = (
            None
            if file is None
            else Pump[Happening | Diagnostic](
                file, render=as_json.render, on_lost=_file_lost, retry_seconds=FILE_RETRY_SECONDS, on_regained=_file_regained
            )
        )

    def set_level(self, level: str) -> None:
        """Take lines of this level and above from now on, in place of whatever loguru has sent them to."""
        self._level = level
        self._shows_tracebacks = level in LEVELS_OF_QUIET
        self._kinds_left_out = _NEVER_NOTED if self._shows_tracebacks else _NEVER_NOTED | QUIET_KINDS | {BookChanged}
        logger.remove()
        # `diagnose` would show the values of variables, secrets among them; `backtrace` frames that caught nothing.
        logger.add(self.take, level=level, format="{message}", diagnose=False, backtrace=False, catch=False, colorize=False)

    def dropped(self) -> int:
        """How many lines were not written because standard error or the file did not keep up."""
        return sum(pump.dropped for pump in (self._stderr, self._file) if pump is not None)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled."""
        self._thread = threading.get_ident()
        self._trio_token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            for pump in (self._stderr, self._file):
                if pump is not None:
                    await nursery.start(pump.run)
            task_status.started()
            await trio.sleep_forever()

    async def close(self, *, deadline_seconds: float = 1.0) -> bool:
        """Write what is left, shielded from cancellation; False if it could not all be written by the deadline.

        What is logged afterwards goes nowhere.
        """
        written = True
        if self._file is not None:
            # First, while standard error still listens: there it is told if the file cannot be written.
            deadline_seconds /= 2
            written = await self._file.finish(deadline_seconds=deadline_seconds)
        logger.remove()
        self._trio_token = None
        if self._stderr is not None:
            written = await self._stderr.finish(deadline_seconds=deadline_seconds) and written
        return written

    def note(self, time_milliseconds: int, event: object) -> None:
        """Have an event written to the log file, where there is one; call it in Trio's thread only.

        It must cost next to nothing: every book comes by here. What is for people who debug is written at DEBUG only, and how a quoting
        cycle stands once in ten seconds.
        """
        kind = type(event)
        if self._file is None or kind in self._kinds_left_out:
            return
        if isinstance(event, RiskMeasured) and not self._shows_tracebacks and not self._risks_noted.is_over(event.cycle, time_milliseconds):
            return
        self._file.put(Happening(time_milliseconds, acting(), event))

    def patch(self, record: Record) -> None:
        """Loguru's patcher: every line names its actor, and no message carries a secret, whatever sink it goes to."""
        if not record["extra"].get("actor"):
            record["extra"]["actor"] = acting()
        record["message"] = self._redact(record["message"])

    def take(self, message: Message) -> None:
        """Loguru's sink."""
        diagnostic = Diagnostic(message.record, self._shows_tracebacks)
        if threading.get_ident() == self._thread:
            self._put(diagnostic)
        elif self._trio_token is not None:  # a thread must not touch Trio's events itself
            self._trio_token.run_sync_soon(self._put, diagnostic)

    def _put(self, diagnostic: Diagnostic) -> None:
        if self._stderr is not None:
            self._stderr.put(diagnostic)
        if self._file is not None:
            self._file.put(diagnostic)
        if self._on_line is not None:
            line = log_line(diagnostic.record)
            self._on_line(LogLine(line.level, self._redact(line.actor), self._redact(line.message)))


def _file_lost(reason: str) -> None:
    logger.error("the log file cannot be written: {}; it is tried again every {:g} s", reason, FILE_RETRY_SECONDS)


def _file_regained() -> None:
    logger.warning("the log file can be written again")


class _ToLoguru(logging.Handler):
    """What libraries log by the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in ("WARNING", "ERROR", "CRITICAL") else "INFO"
        logger.bind(library=record.name).opt(exception=record.exc_info).log(level, "{}", record.getMessage())


def _ignore(reason: str) -> None:
    """Nobody reads standard error: there is nobody to tell."""
