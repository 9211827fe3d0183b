"""Diagnostics through loguru: to standard error for people, to a file as JSON, to the live view as events.

People see an error in one line, and its traceback at the levels DEBUG and TRACE; the file always has the traceback.

Nothing here waits for who reads them: lines go through a bounded ring (see `output.Pump`). A logger that names its actor
is ``logger.bind(actor="feed:gateio_spot")``; other bound values follow the message. Times are UTC.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from loguru import logger

from assembly.output import DescriptorSink, Pump, RotatingFileSink, Sink
from assembly.presenter.phrases import printable
from assembly.presenter.report import LogLine
from assembly.presenter.times import iso_time
from assembly.presenter.vocabulary import WARNINGS, tell
from market.events import BookChanged
from supervision.errors import one_line

if TYPE_CHECKING:
    from loguru import Message, Record

LIBRARY_LEVEL = logging.WARNING  # what libraries say below that is noise, and httpx says URLs


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
    file: LogFile | None = None,
    on_line: Callable[[LogLine], None] | None = None,
    writes_to_stderr: bool = True,
) -> Logs:
    """Send what loguru and the libraries log through rings; call it in Trio's thread, before or after Trio runs.

    `stderr` is another sink in place of standard error. With a live view, which owns the terminal, `writes_to_stderr` is
    False and `on_line` shows the lines. Only one `Logs` is in force at a time: loguru's logger is the process's.
    """
    logs = Logs(
        redact=redact,
        stderr=(stderr or DescriptorSink(2)) if writes_to_stderr else None,
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
        file: Sink | None,
        on_line: Callable[[LogLine], None] | None,
    ) -> None:
        self._redact = redact
        self._shows_tracebacks = False
        self._on_line = on_line
        self._thread = threading.get_ident()
        self._trio_token: trio.lowlevel.TrioToken | None = None
        self._stderr = Pump[str](stderr, render=_join, on_lost=_ignore) if stderr is not None else None
        self._file = Pump[str](file, render=_join_json, on_lost=self._file_lost) if file is not None else None

    def set_level(self, level: str) -> None:
        """Take lines of this level and above from now on, in place of whatever loguru has sent them to."""
        self._shows_tracebacks = level in ("DEBUG", "TRACE")
        logger.remove()
        # `diagnose` would show the values of variables, secrets among them; `backtrace` frames that caught nothing.
        logger.add(self.take, level=level, format="{message}", diagnose=False, backtrace=False, catch=False, colorize=False)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled."""
        self._thread = threading.get_ident()
        self._trio_token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            for pump in self._pumps():
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
        """Write an event to the log file, where there is one: a line of JSON as the presenter's, with a level and an actor.

        Books and what else is for people who debug are written at DEBUG only.
        """
        if self._file is None or (type(event) is BookChanged and not self._shows_tracebacks):
            return
        told = tell(event)
        if told is None or (told.quiet and not self._shows_tracebacks):
            return
        actor = next((str(told.fields[key]) for key in ("cycle", "account", "actor", "exchange") if key in told.fields), "")
        level = "WARNING" if told.name in WARNINGS else "INFO"
        line = {"time": iso_time(time_milliseconds), "level": level, "actor": actor, "event": told.name, **told.fields}
        self._file.put(self._redact(f"{msgspec.json.encode(line).decode()}\n"))

    def patch(self, record: Record) -> None:
        """Loguru's patcher: no message carries a secret, whatever sink it goes to."""
        record["message"] = self._redact(record["message"])

    def take(self, message: Message) -> None:
        """Loguru's sink."""
        record = message.record
        actor = self._redact(str(record["extra"].get("actor", "")))
        text = self._redact(_text(record))
        line = LogLine(record["level"].name, actor, text)
        human = _human(record, line) + (self._redact(_traceback(record)) if self._shows_tracebacks else "")
        as_json = self._redact(_json(record, actor)) if self._file is not None else ""
        if threading.get_ident() == self._thread:
            self._put(line, human, as_json)
        elif self._trio_token is not None:  # a thread must not touch Trio's events itself
            self._trio_token.run_sync_soon(self._put, line, human, as_json)

    def _put(self, line: LogLine, human: str, as_json: str) -> None:
        if self._stderr is not None:
            self._stderr.put(human)
        if self._file is not None:
            self._file.put(as_json)
        if self._on_line is not None:
            self._on_line(line)

    def _pumps(self) -> list[Pump[str]]:
        return [pump for pump in (self._stderr, self._file) if pump is not None]

    def _file_lost(self, reason: str) -> None:
        logger.error("the log file cannot be written any more: {}", reason)


class _ToLoguru(logging.Handler):
    """What libraries log by the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in ("WARNING", "ERROR", "CRITICAL") else "INFO"
        logger.bind(actor=record.name).opt(exception=record.exc_info).log(level, "{}", record.getMessage())


def _text(record: Record) -> str:
    """The message, what was bound besides the actor, and the type and text of an exception unless the message has them."""
    bound = " ".join(f"{key}={value}" for key, value in record["extra"].items() if key != "actor")
    text = f"{record['message']} {bound}".rstrip()
    exception = record["exception"]
    if exception is not None and exception.value is not None and (error := one_line(exception.value)) not in text:
        text += f" ({error})"
    return text


def _human(record: Record, line: LogLine) -> str:
    time = record["time"].astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
    actor = f"{line.actor}: " if line.actor else ""
    return f"{time} {line.level:<7} {actor}{printable(line.message)}\n"


def _traceback(record: Record) -> str:
    exception = record["exception"]
    if exception is None or exception.value is None:
        return ""
    return "".join(f"    {printable(line)}\n" for line in "".join(traceback.format_exception(exception.value)).splitlines())


def _json(record: Record, actor: str) -> str:
    found: dict[str, Any] = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record["level"].name,
        "actor": actor,
        "message": record["message"],
        "where": f"{record['name']}:{record['line']}",
        **{key: str(value) for key, value in record["extra"].items() if key != "actor"},
    }
    exception = record["exception"]
    if exception is not None and exception.value is not None:
        found["exception"] = "".join(traceback.format_exception(exception.value))
    return f"{msgspec.json.encode(found).decode()}\n"


def _join(lines: Sequence[str], dropped: int) -> str:
    return (f"({dropped} log lines were dropped)\n" if dropped else "") + "".join(lines)


def _join_json(lines: Sequence[str], dropped: int) -> str:
    return (f'{{"dropped":{dropped}}}\n' if dropped else "") + "".join(lines)


def _ignore(reason: str) -> None:
    """Nobody reads standard error: there is nobody to tell."""
