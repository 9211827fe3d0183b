"""The program around a report: command line, journal, output and the exit status."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec

from actors.journal.errors import JournalBroken, JournalUnusable
from actors.journal.reading import JournalReader, OrderFilter
from assembly.arguments import ArgumentsError
from assembly.output import DescriptorSink
from assembly.report.order_story import order_lines, order_object
from assembly.signals import STANDARD_ERROR
from market.clock import SystemWallClock, WallClock
from market.symbol import Symbol, SymbolError, parse_symbol

STANDARD_OUTPUT = 1
REPORTED, CUT_SHORT, UNUSABLE = 0, 1, 2

_DESCRIPTION = "Report what a journal of mm-runtime says, also while mm-runtime writes it. Changes nothing."
_EPILOG = """\
exit status:
  0    reported, if only that there is nothing
  1    the report is not whole: the journal could not be read to its end, or the output not written
  2    the command line cannot be used, or the file: there is none, or it is no journal that this program can read
"""
_AGO = re.compile(r"(\d{1,6})([smhd])")
_AGO_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def run_report(arguments: Sequence[str], *, wall_clock: WallClock | None = None) -> int:
    """Report as the command line says; returns the exit status."""
    try:
        found = _parser().parse_args(arguments)
        which = OrderFilter(
            cycle=found.cycle,
            symbol=_symbol(found.symbol),
            since_milliseconds=_since(found.since, wall_clock or SystemWallClock()),
            may_exist_only=found.open,
        )
        reader = JournalReader(found.journal_path)
    except (ArgumentsError, JournalUnusable, JournalBroken) as error:
        _write(STANDARD_ERROR, f"{error}\n")
        return UNUSABLE
    with reader:
        try:
            for text in _texts(reader, which, as_json=found.json):
                if not _write(STANDARD_OUTPUT, text):
                    return CUT_SHORT
        except JournalBroken as error:
            _write(STANDARD_ERROR, f"{error}; the report is not whole\n")
            return CUT_SHORT
    return REPORTED


def _texts(reader: JournalReader, which: OrderFilter, *, as_json: bool) -> Iterator[str]:
    """Raises: JournalBroken: it cannot be read to the end."""
    states: Counter[str] = Counter()
    for history in reader.orders(which):
        if as_json:
            yield f"{msgspec.json.encode(order_object(history)).decode()}\n"
        else:
            states[history.order.state.value if history.order.is_terminal else "may still exist"] += 1
            yield "".join(f"{line}\n" for line in (*order_lines(history), ""))
    if not as_json:
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        yield f"{states.total()} order{'' if states.total() == 1 else 's'}{': ' if counts else ''}{counts}\n"


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
        return wall_clock.milliseconds() - int(ago[1]) * _AGO_SECONDS[ago[2]] * 1000
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentsError(
            f"mm-report: --since: {text!r} is no time: write it as 2026-02-01, 2026-02-01T05:30 (UTC), 90m, 12h or 7d"
        ) from None
    return round((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp() * 1000)


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
        prog="mm-report", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("journal_path", metavar="JOURNAL", type=Path, help="the journal's file")
    report = parser.add_mutually_exclusive_group(required=True)
    report.add_argument("--orders", action="store_true", help="what happened to each order, from its first intent to its end")
    parser.add_argument("--cycle", metavar="NAME", help="only orders of this cycle")
    parser.add_argument("--symbol", metavar="SYMBOL", help="only orders of this symbol, as BTC_USDT")
    parser.add_argument("--since", metavar="TIME", help="only orders since then: 2026-02-01, 2026-02-01T05:30 (UTC), 90m, 12h or 7d ago")
    parser.add_argument("--open", action="store_true", help="only orders that may still exist")
    parser.add_argument("--json", action="store_true", help="one JSON object per order, one per line")
    return parser
