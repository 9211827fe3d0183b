"""The command line of mm-runtime."""

from __future__ import annotations

import argparse
import enum
import re
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

import msgspec

from assembly.settings import Overrides
from assembly.version import version
from market.symbol import Symbol, SymbolError, parse_symbol

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS_BY_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_DESCRIPTION = "Run market-making cycles as a settings file says, until they are done or you press Ctrl-C."

_EPILOG = """\
examples:
  mm-runtime                                    as config.toml says: simulated, no account needed
  mm-runtime config.toml --cycles 0 --for 10m   until ten minutes have passed
  mm-runtime config.toml --exchange gateio_spot --symbol ETHUSDT --quantity 50 --cycles 1
  mm-runtime config.toml --json | jq .event     one JSON object per line

environment (wins over the file; the command line wins over both):
  GATEIO_API_KEY, GATEIO_API_SECRET   the credential; never read from the file
  GATEIO_TESTNET=1                    use the testnet, whatever mode the file says
  LOG_LEVEL                           as --log-level
  NO_COLOR                            no colours in the live view and in log lines

stopping:
  Ctrl-C (or SIGTERM, or closing the terminal) cancels the open orders, waits for the exchange to
  confirm and prints a statement; a second one tells what is still awaited; a third one ends the
  program at once.

exit status:
  0  ended or stopped cleanly: no order of ours is live
  1  failed, but no order of ours is live
  2  arguments, settings, journal or credential cannot be used; what a killed run left may be live
  3  an order of ours may still be live; its id is printed
"""


class ArgumentsError(Exception):
    """The command line cannot be used; the text is one line for the person who typed it."""


class OutputForm(enum.Enum):
    """What standard output shows; AUTOMATIC is LIVE on a terminal and LINES elsewhere."""

    AUTOMATIC = "automatic"
    LINES = "lines"
    JSON = "json"


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    settings_path: Path
    overrides: Overrides
    output_form: OutputForm


def parse_arguments(arguments: Sequence[str]) -> Arguments:
    """Read the command line (without the program's name).

    Raises:
        ArgumentsError: it cannot be used.
        SystemExit: with status 0, after `--help` or `--version` was printed.
    """
    found = _parser().parse_args(arguments)
    return Arguments(
        settings_path=found.settings_path,
        overrides=Overrides(
            exchange=found.exchange,
            symbol=found.symbol,
            quantity=found.quantity,
            cycles=found.cycles,
            run_for_seconds=found.run_for,
            log_level=found.log_level,
        ),
        output_form=found.output_form,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentsError(f"{self.prog}: {message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mm-runtime",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument(
        "settings_path",
        metavar="SETTINGS",
        nargs="?",
        type=Path,
        default=Path("config.toml"),
        help="the settings file, TOML (default: config.toml); its keys are explained in docs/configuration.md",
    )
    cycles = parser.add_argument_group("instead of what the file says, for every cycle")
    cycles.add_argument(
        "--exchange",
        metavar="NAME",
        help="trade on this exchange: the file's account there, or a simulated one if the file has none",
    )
    cycles.add_argument("--symbol", metavar="SYMBOL", type=_symbol, help="trade this: BTC_USDT, BTC/USDT, BTC-USDT or BTCUSDT")
    cycles.add_argument("--quantity", metavar="QUOTE", type=_quantity, help="what to buy for in each cycle, in quote units (USDT)")
    cycles.add_argument("--cycles", metavar="N", type=_count, help="how many cycles to run; 0: until stopped")
    run = parser.add_argument_group("the run")
    run.add_argument(
        "--for", dest="run_for", metavar="DURATION", type=_duration, help="stop after that long: 90s, 5m, 1h (no unit: seconds)"
    )
    run.add_argument("--log-level", metavar="LEVEL", help="TRACE, DEBUG, INFO, WARNING or ERROR; DEBUG also shows every book top")
    form = run.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        dest="output_form",
        action="store_const",
        const=OutputForm.JSON,
        default=OutputForm.AUTOMATIC,
        help="one JSON object per line",
    )
    form.add_argument(
        "--plain",
        dest="output_form",
        action="store_const",
        const=OutputForm.LINES,
        help="one line per event, no live view, as when the output is not a terminal",
    )
    other = parser.add_argument_group("other")
    other.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    other.add_argument("-h", "--help", action="help", help="print this and exit")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(f"mm-runtime {version()}\n")
        parser.exit()


def _symbol(text: str) -> Symbol:
    try:
        return parse_symbol(text)
    except SymbolError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _quantity(text: str) -> Decimal:
    try:
        quantity = Decimal(text)
    except InvalidOperation:
        quantity = Decimal(0)
    if not quantity.is_finite() or quantity <= 0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number above 0")
    return quantity


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 to 999999999")
    return int(text)


def _duration(text: str) -> float:
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _SECONDS_BY_UNIT[match[2] or "s"] if match else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s, 5m or 1h")
    return seconds
