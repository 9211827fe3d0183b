"""The asking side: command line, settings file, the socket, and what is told of the answer."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, cast

import msgspec
import tomli

from assembly.control.place import CONTROL_SOCKET, ControlUnavailable, check_length, control_path, process_at
from assembly.control.protocol import ANSWER_BYTES_MAX, VERSION, Answer, Command, Request
from assembly.control.words import answer_lines
from assembly.presenter.lifting import HowToLift
from orders.states import GLOBAL, cycle_scope

DONE, REFUSED, USAGE, NOT_RUNNING = 0, 1, 2, 3
WAIT_SECONDS = 15.0  # much more than a run that works takes to say what it could not wait for
WAIT_SECONDS_MAX = 3600.0
REASON_LENGTH_MAX = 300
_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2

_HOW_TO_SET = (
    "set is followed by a cycle, a key of its table and a value, as in: set btc quantity 200; or by a whole key and a value, as in: "
    "set limits.max_open_orders 5"
)
_DESCRIPTION = "Speak to the run of mm-runtime that SETTINGS is the settings file of."
_EPILOG = """\
commands:
  status         what it does: states and who lifts them, accounts, orders of unknown fate, cycles
  pause          cancel what is open and place nothing, until resume
  reduce-only    place and keep only what makes a position smaller
  halt           as pause, and only somebody who says --from-halt lifts it
  resume         back to run
  reload         take over the settings file, as a change of it is within two seconds
  set            give one setting another value, for this run only
  flatten        sell at market what a cycle holds (CYCLE), or every cycle (all), and leave it in reduce-only

A state is of a scope: everything (global), one account, one cycle. The strictest that concerns an order counts.
It stays until it is lifted, over restarts too.

examples:
  mm-ctl config.toml status
  mm-ctl config.toml halt --reason "prices look wrong"
  mm-ctl config.toml resume --from-halt
  mm-ctl config.toml pause cycle:btc
  mm-ctl config.toml set btc quantity 200
  mm-ctl config.toml set btc parameters.price_offset_ticks 2
  mm-ctl config.toml set limits.max_open_orders 5
  mm-ctl config.toml flatten btc

exit status:
  0  done
  1  refused, or it failed; nothing was changed unless it says so
  2  the command line or the settings file cannot be used
  3  no run of these settings is there to be asked
"""


class _Unusable(Exception):
    """The command line or the settings file cannot be used; the text says why."""


class _NotRunning(Exception):
    """Nobody listens; the text says what to do."""


class _Failed(Exception):
    """There was no answer; the text says why."""


def run_client(arguments: Sequence[str]) -> int:
    """Do as the command line says; returns the exit status."""
    try:
        found = _parser().parse_intermixed_args(arguments)
        settings_path, command = _settings_path(found.settings_path), Command(found.command)
        scope, key, value = _operands(command, found.operands)
        place = _place(settings_path)
        request = Request(
            version=VERSION,
            command=command,
            scope=scope,
            key=key,
            value=value,
            reason=_reason(found.reason),
            from_halt=found.from_halt,
            settings=str(settings_path.resolve()),
        )
        line = ask(place, msgspec.json.encode(request), settings_path=settings_path, wait_seconds=found.wait)
        answer = _decode(line)
    except (_Unusable, ControlUnavailable) as error:
        return _say_why(error, USAGE)
    except _NotRunning as error:
        return _say_why(error, NOT_RUNNING)
    except _Failed as error:
        return _say_why(error, REFUSED)
    if found.json:
        is_written = _write(_STANDARD_OUTPUT, line.decode(errors="replace"))
    else:
        lines = answer_lines(answer, request, HowToLift(settings_path=str(settings_path)))
        is_written = _write(_STANDARD_OUTPUT if answer.done else _STANDARD_ERROR, "\n".join(lines))
    return DONE if answer.done and is_written else REFUSED


def ask(place: Path, request: bytes, *, settings_path: Path, wait_seconds: float) -> bytes:
    """Send one request; returns the answer's line. No step of it takes longer than `wait_seconds`.

    Raises:
        _NotRunning: nobody listens there.
        _Failed: it could not be asked, or did not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(wait_seconds)
        try:
            connection.connect(os.fspath(place))
        except (FileNotFoundError, ConnectionRefusedError):
            raise _NotRunning(_how_to_go_on(place, settings_path)) from None
        except TimeoutError:
            raise _Failed(_silent(place)) from None
        except OSError as error:
            raise _Failed(f"{place} cannot be opened: {error.strerror}; it opens for the user alone whom mm-runtime runs as") from None
        try:
            connection.sendall(request + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                data = connection.recv(65_536)
                if not data or len(answer) > ANSWER_BYTES_MAX:
                    raise _Failed("the run has ended, or is ending, before it answered: look at its output")
                answer += data
        except TimeoutError:
            raise _Failed(_silent(place)) from None
        except OSError as error:
            raise _Failed(f"the run has ended, or is ending, before it answered ({error.strerror}): look at its output") from None
    return answer[:-1]


def _decode(line: bytes) -> Answer:
    try:
        return msgspec.json.decode(line, type=Answer)
    except msgspec.MsgspecError as error:
        raise _Failed(f"the answer cannot be read ({error}): use the bin/mm-ctl beside its bin/mm-runtime") from None


def _settings_path(path: Path) -> Path:
    if str(path) in {command.value for command in Command}:
        raise _Unusable(f"mm-ctl: the settings file comes first: mm-ctl config.toml {path}")
    return path


def _operands(command: Command, operands: Sequence[str]) -> tuple[str, str, str]:
    """Scope, key and value of what stands behind the command."""
    if command is Command.SET:
        if len(operands) not in (2, 3):
            raise _Unusable(f"mm-ctl: {_HOW_TO_SET}")
        *owner, key, value = operands
        return GLOBAL, ".".join([*(_owner(name) for name in owner), key]), value
    if len(operands) > (0 if command is Command.RELOAD else 1):
        raise _Unusable(f"mm-ctl: unrecognized arguments: {' '.join(operands[1:] or operands)} (see mm-ctl --help)")
    if command is Command.FLATTEN:
        return _scope_to_flatten(operands), "", ""
    return (operands[0] if operands else GLOBAL), "", ""


def _owner(name: str) -> str:
    """Where the settings of a cycle, or of what is named as a scope is, stand in the file."""
    kind, _, of = name.partition(":")
    return f"{kind}s.{of}" if kind in ("account", "cycle") and of else f"cycles.{name}"


def _scope_to_flatten(operands: Sequence[str]) -> str:
    """Selling is never meant by leaving something out. A cycle may be named by its name alone."""
    if not operands:
        raise _Unusable("mm-ctl: flatten needs the name of a cycle, or all")
    scope = operands[0]
    return GLOBAL if scope == "all" else scope if scope == GLOBAL or ":" in scope else cycle_scope(scope)


def _place(settings_path: Path) -> Path:
    """Where the run listens. Only that one key is looked at: a file that cannot be started with can still be halted with."""
    try:
        table = tomli.loads(settings_path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise _Unusable(f"{settings_path}: cannot be read: {error.strerror}; the first argument is the settings file of the run") from None
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise _Unusable(f"{settings_path}: is no TOML; bin/mm-runtime says what is wrong with it") from None
    runtime = table.get("runtime", {})
    setting = cast("dict[str, object]", runtime).get("control_socket", CONTROL_SOCKET) if isinstance(runtime, dict) else CONTROL_SOCKET
    place = control_path(settings_path.parent, setting) if isinstance(setting, str) else None
    if place is None:
        raise _Unusable(f"{settings_path}: runtime.control_socket is not a path, so that a run of this file has no control socket")
    check_length(place)
    return place


def _reason(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > REASON_LENGTH_MAX:
        raise _Unusable(f"mm-ctl: --reason may have {REASON_LENGTH_MAX} characters, and this has {len(text)}")
    return text


def _how_to_go_on(place: Path, settings_path: Path) -> str:
    return (
        f"no run of {settings_path} is there to be asked: nobody listens at {place}.\n"
        f"Start it: bin/mm-runtime {settings_path}. States that were in force when it ended are in force again then.\n"
        "If it died, its guardian cancels what it had open (docs/guardian.md); what may be open says\n"
        "bin/mm-report JOURNAL --orders --open, and for certain the exchange."
    )


def _silent(place: Path) -> str:
    return (
        f"{process_at(place)} has {place} and does not answer: it may be frozen or starved. What was asked may be done yet.\n"
        "Look at its output; end it with SIGKILL if it hangs: then its guardian cancels what it has open."
    )


def _say_why(error: Exception, status: int) -> int:
    _write(_STANDARD_ERROR, str(error))
    return status


def _write(descriptor: int, text: str) -> bool:
    rest = memoryview(f"{text}\n".encode(errors="replace"))
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:  # nobody reads it; the exit status says it too
        return False
    return True


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= WAIT_SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds above 0, at most {WAIT_SECONDS_MAX:g}")
    return seconds


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Unusable(f"{self.prog}: {message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mm-ctl", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("settings_path", metavar="SETTINGS", type=Path, help="the settings file that the run was started with")
    parser.add_argument("command", metavar="COMMAND", choices=[command.value for command in Command], help="see below")
    parser.add_argument(
        "operands", metavar="SCOPE", nargs="*", help="global (the default), account:NAME or cycle:NAME; of set: [CYCLE] KEY VALUE"
    )
    parser.add_argument("--reason", metavar="TEXT", default="", help="kept with the state, and shown wherever the state is")
    parser.add_argument("--from-halt", action="store_true", help="I have looked at why it was halted: lift the halt")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=_seconds, default=WAIT_SECONDS, help="for a run that does not answer (default: %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="the answer as one JSON object (docs/control.md)")
    return parser
