"""What log lines look like: for people, and as JSON by one schema (docs/logs.md).

They are made where they are written, not where they are logged.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from assembly.presenter.phrases import phrase, printable
from assembly.presenter.report import LogLine
from assembly.presenter.times import iso_time
from assembly.presenter.vocabulary import Told, level_of, tell
from supervision.errors import one_line

if TYPE_CHECKING:
    from loguru import Record

LEVEL_WIDTH = 8  # CRITICAL
ACTOR_WIDTH = 20  # feed:gateio_futures, and one more
NOBODY = "mm-runtime"  # who says what no actor says, for people

_COLOR_BY_LEVEL = {"TRACE": "2", "DEBUG": "2", "WARNING": "33", "ERROR": "1;31", "CRITICAL": "1;31"}
_DIM, _CYAN = "2", "36"
_RANKS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "SUCCESS": 25, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


LineT = TypeVar("LineT")


class Happening(msgspec.Struct, frozen=True):
    """An event on its way into the log file, or one that is in words already. `actor` told it; empty outside of all actors."""

    time_milliseconds: int
    actor: str
    event: object


class Diagnostic(msgspec.Struct, frozen=True):
    """What loguru was given. `shows_traceback`: people get it too."""

    record: Record
    shows_traceback: bool


def is_told(level: str, least: str) -> bool:
    """Whether a line of this level is written where `least` is the level asked for."""
    return _RANKS[level] >= _RANKS[least]


def log_line(record: Record) -> LogLine:
    """A diagnostic in short: the message, what was bound besides the actor, and an exception unless the message names it."""
    bound = " ".join(f"{key}={value}" for key, value in record["extra"].items() if key != "actor")
    text = f"{record['message']} {bound}".rstrip()
    exception = record["exception"]
    if exception is not None and exception.value is not None and (error := one_line(exception.value)) not in text:
        text += f" ({error})"
    return LogLine(record["level"].name, str(record["extra"].get("actor", "")), text)


class HumanLines:
    """``12:00:01.123 WARNING  feed:gateio_spot     slow answer``, in columns; with `color` for a terminal that has it. Times are UTC."""

    def __init__(self, *, redact: Callable[[str], str], color: bool) -> None:
        self._redact = redact
        self._color = color

    def render(self, lines: Sequence[Diagnostic], dropped: int) -> str:
        found = [f"({dropped} log lines were dropped)\n"] if dropped else []
        return "".join((*found, *(_made(line, self._line, lambda _, error: f"{error}\n") for line in lines)))

    def _line(self, diagnostic: Diagnostic) -> str:
        record = diagnostic.record
        line = log_line(record)
        actor, message = (printable(self._redact(text)) for text in (line.actor, line.message))
        time = record["time"].astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
        level = self._painted(f"{line.level:<{LEVEL_WIDTH}}", _COLOR_BY_LEVEL.get(line.level, ""))
        who = self._painted(f"{actor or NOBODY:<{ACTOR_WIDTH}}", _CYAN)
        below = self._redact(_traceback(record)) if diagnostic.shows_traceback else ""
        return f"{self._painted(time, _DIM)} {level} {who} {message}\n{below}"

    def _painted(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._color and color else text


class JsonLines:
    """An object per line: ``time``, ``level``, ``process``, ``actor``, ``event``, ``message``, and what there is of ``fields``, ``where``
    and ``exception``."""

    def __init__(self, *, redact: Callable[[str], str], level: Callable[[], str]) -> None:
        self._redact = redact
        self._level = level
        self._process = os.getpid()

    def render(self, lines: Sequence[Happening | Diagnostic], dropped: int) -> str:
        found: list[str] = []
        if dropped:
            told = Told("output_dropped", {"count": dropped})
            found.append(self._encoded(_time(lines[0]) if lines else "", "WARNING", "", told))
        found += [_made(line, self._line, self._that_cannot_be_told) for line in lines]
        return self._redact("".join(found))

    def _line(self, line: Happening | Diagnostic) -> str:
        return self._diagnostic(line.record) if isinstance(line, Diagnostic) else self._happening(line)

    def _that_cannot_be_told(self, line: Happening | Diagnostic, error: str) -> str:
        return self._encoded(_time(line), "ERROR", "", Told("log", {}), message=error)

    def _happening(self, happening: Happening) -> str:
        told = happening.event if isinstance(happening.event, Told) else tell(happening.event)
        if told is None or not is_told(level := level_of(told), self._level()):
            return ""
        fields = told.fields
        actor = str(fields["actor"]) if "actor" in fields else happening.actor or _concerned(fields)
        return self._encoded(iso_time(happening.time_milliseconds), level, actor, told)

    def _diagnostic(self, record: Record) -> str:
        exception = record["exception"]
        more: dict[str, str] = {"where": f"{record['name']}:{record['line']}"}
        if exception is not None and exception.value is not None:
            more["exception"] = "".join(traceback.format_exception(exception.value))
        fields: dict[str, object] = {key: str(value) for key, value in record["extra"].items() if key != "actor"}
        actor = str(record["extra"].get("actor", ""))
        return self._encoded(_record_time(record), record["level"].name, actor, Told("log", fields), message=record["message"], **more)

    def _encoded(self, time: str, level: str, actor: str, told: Told, *, message: str | None = None, **more: str) -> str:
        found: dict[str, Any] = {
            "time": time,
            "level": level,
            "process": self._process,
            "actor": actor,
            "event": told.name,
            "message": phrase(told) if message is None else message,
            **({"fields": told.fields} if told.fields else {}),
            **more,
        }
        return f"{msgspec.json.encode(found).decode()}\n"


def _made(line: LineT, make: Callable[[LineT], str], otherwise: Callable[[LineT, str], str]) -> str:
    """A line that cannot be put into words must not end the others, let alone the run."""
    try:
        return make(line)
    except Exception as error:  # noqa: BLE001
        return otherwise(line, f"a line that cannot be told: {one_line(error)}")


def _concerned(fields: dict[str, object]) -> str:
    """The actor that an event is about which nobody told from within one: a closing at the end of the run, say."""
    for key, kind in (("account", "account"), ("cycle", "cycle"), ("exchange", "feed")):
        if isinstance(name := fields.get(key), str):
            return f"{kind}:{name}"
    return ""


def _time(line: Happening | Diagnostic) -> str:
    return _record_time(line.record) if isinstance(line, Diagnostic) else iso_time(line.time_milliseconds)


def _record_time(record: Record) -> str:
    return record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(record: Record) -> str:
    exception = record["exception"]
    if exception is None or exception.value is None:
        return ""
    return "".join(f"    {printable(line)}\n" for line in "".join(traceback.format_exception(exception.value)).splitlines())
