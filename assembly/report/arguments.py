"""The command line of `mm-report`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec

from assembly.arguments import ArgumentsError
from market.clock import WallClock
from market.symbol import Symbol, SymbolError, parse_symbol

_DESCRIPTION = """\
Report what a journal of mm-runtime says, also while mm-runtime writes it. Changes nothing in it.

Without a choice of what to write it prints a summary, and writes the whole report, one HTML file, beside the journal.
"""
_EPILOG = """\
exit status:
  0    reported, if only that there is nothing
  1    the report is not whole: the journal could not be read to its end, or the output not written
  2    the command line cannot be used, or the file: there is none, or it is no journal that this program can read
"""
_AGO = re.compile(r"(\d{1,6})([smhd])")
_AGO_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SINCE_MILLISECONDS_MAX = round(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000)


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. None of a choice means all; of a file or folder that it is not to be written."""

    journal_path: Path
    orders: bool
    open_only: bool
    as_json: bool
    html_path: Path | None
    csv_folder: Path | None
    parquet_folder: Path | None
    cycle: str | None
    symbol: Symbol | None
    since_milliseconds: int | None


def read_arguments(arguments: Sequence[str], wall_clock: WallClock) -> Arguments:
    """
    Raises:
        ArgumentsError: they cannot be used; the message says why.
    """
    found = _parser().parse_args(arguments)
    writes_something = found.html is not None or found.csv is not None or found.parquet is not None
    if found.orders and (writes_something or found.summary):
        raise ArgumentsError("mm-report: --orders prints a list of its own: it goes with no --summary, --html, --csv or --parquet")
    if found.open and not found.orders:
        raise ArgumentsError("mm-report: --open chooses orders: it goes with --orders")
    is_default = not (found.orders or found.summary or writes_something)
    return Arguments(
        journal_path=found.journal_path,
        orders=found.orders,
        open_only=found.open,
        as_json=found.json,
        html_path=_beside(found.journal_path) if is_default else found.html,
        csv_folder=found.csv,
        parquet_folder=found.parquet,
        cycle=found.cycle,
        symbol=_symbol(found.symbol),
        since_milliseconds=_since(found.since, wall_clock),
    )


def _beside(journal_path: Path) -> Path:
    """Where the page is put unless somebody says where: never in the journal's own place, nor anywhere for what has no name (`.`)."""
    name = journal_path.name
    return (
        journal_path.with_name(f"{name}.html" if journal_path.suffix == ".html" else f"{journal_path.stem}.html") if name else journal_path
    )


def _symbol(text: str | None) -> Symbol | None:
    """Raises: ArgumentsError: it is none."""
    if text is None:
        return None
    try:
        return parse_symbol(text)
    except SymbolError as error:
        raise ArgumentsError(f"mm-report: --symbol: {error}") from error


def _since(text: str | None, wall_clock: WallClock) -> int | None:
    """Raises: ArgumentsError: it is no time."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(0, wall_clock.milliseconds() - int(ago[1]) * _AGO_SECONDS[ago[2]] * 1000)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentsError(
            f"mm-report: --since: {text!r} is no time: write it as 2026-02-01, 2026-02-01T05:30 (UTC), 90m, 12h or 7d"
        ) from None
    milliseconds = round((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp() * 1000)
    return min(max(0, milliseconds), _SINCE_MILLISECONDS_MAX)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentsError(f"{self.prog}: {message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mm-report", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("journal_path", metavar="JOURNAL", type=Path, help="the journal's file")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the report there (default: beside the journal, as JOURNAL.html)")
    parser.add_argument("--csv", metavar="FOLDER", type=Path, help="write its tables there as CSV, for tools of one's own")
    parser.add_argument("--parquet", metavar="FOLDER", type=Path, help="the same as Parquet")
    parser.add_argument("--summary", action="store_true", help="write no file that is not asked for: print the summary alone")
    parser.add_argument("--orders", action="store_true", help="instead: what happened to each order, from its first intent to its end")
    parser.add_argument("--open", action="store_true", help="with --orders: only those that may still exist")
    parser.add_argument("--cycle", metavar="NAME", help="only this cycle")
    parser.add_argument("--symbol", metavar="SYMBOL", help="only this symbol, as BTC_USDT")
    parser.add_argument("--since", metavar="TIME", help="only what came since then: 2026-02-01, 2026-02-01T05:30 (UTC), 90m, 12h or 7d ago")
    parser.add_argument("--json", action="store_true", help="print one JSON object; with --orders one for each, one per line")
    return parser
