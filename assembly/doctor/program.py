"""The program around the checks: command line, settings, output and the exit status."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping, Sequence
from decimal import localcontext
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec
import trio

from assembly.arguments import ArgumentsError
from assembly.decoding import SettingsError
from assembly.doctor.check import Check, CheckStatus
from assembly.doctor.exchange_look import ExchangeLook
from assembly.doctor.table import table
from assembly.output import DescriptorSink
from assembly.redaction import redactor
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.settings import Overrides, Settings
from assembly.settings_loading import load_settings
from assembly.signals import STANDARD_ERROR
from market.clock import SystemWallClock, WallClock
from market.exact import PRECISE

STANDARD_OUTPUT = 1
ALL_WELL, SOMETHING_FAILED, UNUSABLE = 0, 1, 2
COLUMNS_OF_A_PIPE = 100

_DESCRIPTION = (
    "Ask every exchange and account of a settings file whether they would do for trading: reachable over REST and websocket, clock, "
    "credential, permissions, rules, quantities, funds. Never places, amends or cancels an order and never arms a switch."
)
_EPILOG = """\
exit status:
  0    nothing failed (there may be warnings)
  1    something failed, or the result could not be written
  2    the command line or the settings cannot be used
  130  interrupted by Ctrl-C (143: SIGTERM, 129: SIGHUP), at once
"""


async def examine(settings: Settings, *, wall_clock: WallClock) -> list[Check]:
    """Every check of every exchange of the settings, all exchanges at once. Takes at most about 15 seconds."""
    looks = [ExchangeLook(name, settings, wall_clock=wall_clock) for name in settings.exchanges]
    with localcontext(PRECISE):
        async with trio.open_nursery() as nursery:
            for look in looks:
                nursery.start_soon(look.run)
    return [check for look in looks for check in look.checks]


def run_doctor(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run as the command line says; returns the exit status."""
    try:
        found = _parser().parse_args(arguments)
        settings = load_settings(
            found.settings_path,
            overrides=Overrides(exchange=found.exchange),
            environment=environment,
            known_exchanges={name: entry.known for name, entry in EXCHANGES.items()},
            strategies=STRATEGIES,
        )
    except (ArgumentsError, SettingsError) as error:
        _write(STANDARD_ERROR, f"{error}\n")
        return UNUSABLE
    checks, seconds = trio.run(partial(_examine_for, settings))
    redact = redactor(settings.credentials.values())
    if found.json:
        text = "".join(f"{msgspec.json.encode(check).decode()}\n" for check in checks)
    else:
        modes = {name: exchange.mode_in_words for name, exchange in settings.exchanges.items()}
        is_terminal = os.isatty(STANDARD_OUTPUT)
        width = shutil.get_terminal_size((COLUMNS_OF_A_PIPE, 25)).columns
        text = table(checks, modes, width=width, coloured=is_terminal and not environment.get("NO_COLOR"), seconds=seconds)
    is_written = _write(STANDARD_OUTPUT, redact(text))
    has_failed = any(check.status is CheckStatus.FAIL for check in checks)
    return SOMETHING_FAILED if has_failed or not is_written else ALL_WELL


async def _examine_for(settings: Settings) -> tuple[list[Check], float]:
    began_at = trio.current_time()
    checks = await examine(settings, wall_clock=SystemWallClock())
    return checks, trio.current_time() - began_at


def _write(descriptor: int, text: str) -> bool:
    try:
        DescriptorSink(descriptor).write_bytes(text.encode(errors="replace"))
    except OSError:  # nobody reads it; the exit status says it too
        return False
    return True


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentsError(f"{self.prog}: {message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mm-doctor", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "settings_path",
        metavar="SETTINGS",
        nargs="?",
        type=Path,
        default=Path("config.toml"),
        help="the settings file that mm-runtime would be given (default: config.toml)",
    )
    parser.add_argument("--exchange", metavar="NAME", help="as mm-runtime's: look at this exchange, with every cycle moved there")
    parser.add_argument("--json", action="store_true", help="one JSON object per check, one per line")
    return parser
