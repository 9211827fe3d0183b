"""The program around a report: command line, journal, output and the exit status."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import localcontext
from pathlib import Path

import msgspec

from actors.journal.errors import JournalBroken, JournalUnusable
from actors.journal.figures import JournalFigures
from actors.journal.file import OWN_SUFFIXES, beside
from actors.journal.reading import JournalReader, OrderFilter
from assembly.arguments import ArgumentsError
from assembly.output import DescriptorSink
from assembly.presenter.vocabulary import Fields
from assembly.report.analysis import Choice, analyse
from assembly.report.arguments import Arguments, read_arguments
from assembly.report.document import document
from assembly.report.export import TABLES, write_csv
from assembly.report.files import FileNotWritten, make_folder, replacing
from assembly.report.order_story import order_lines, order_object
from assembly.report.progress import Progress
from assembly.report.summary import summary_lines, summary_object
from assembly.signals import STANDARD_ERROR
from market.clock import SystemWallClock, WallClock
from market.exact import PRECISE

STANDARD_OUTPUT = 1
REPORTED, CUT_SHORT, UNUSABLE = 0, 1, 2


def run_report(arguments: Sequence[str], *, wall_clock: WallClock | None = None) -> int:
    """Report as the command line says; returns the exit status."""
    wall_clock = wall_clock or SystemWallClock()
    try:
        asked = read_arguments(arguments, wall_clock)
        _spare_the_journal(asked)
        reader = JournalReader(asked.journal_path)
    except (ArgumentsError, JournalUnusable, JournalBroken) as error:
        _write(STANDARD_ERROR, f"{error}\n")
        return UNUSABLE
    with reader:
        try:
            for text in _order_texts(reader, asked) if asked.orders else _report_texts(reader, asked, wall_clock):
                if not _write(STANDARD_OUTPUT, text):
                    return CUT_SHORT
        except JournalBroken as error:
            _write(STANDARD_ERROR, f"{error}; the report is not whole\n")
            return CUT_SHORT
        except FileNotWritten as error:
            _write(STANDARD_ERROR, f"{error}\n")
            return CUT_SHORT
    return REPORTED


def _spare_the_journal(asked: Arguments) -> None:
    """Nothing is written where the journal is, or what belongs to it.

    Raises:
        ArgumentsError: it would be.
    """
    wanted = [] if asked.html_path is None else [asked.html_path]
    wanted += [] if asked.csv_folder is None else [asked.csv_folder / f"{table.name}.csv" for table in TABLES]
    wanted += [] if asked.parquet_folder is None else [asked.parquet_folder / f"{table.name}.parquet" for table in TABLES]
    try:
        journal = asked.journal_path.resolve()
        own = {journal, *(beside(journal, suffix) for suffix in OWN_SUFFIXES)}
        found = next((path for path in wanted if path.resolve() in own), None)
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name that is none
        raise ArgumentsError(f"mm-report: {asked.journal_path}: {error}") from error
    if found is not None and journal.is_file():
        raise ArgumentsError(f"mm-report: the report would be written over the journal, to {found}: name another place")


def _report_texts(reader: JournalReader, asked: Arguments, wall_clock: WallClock) -> Iterator[str]:
    """Write what was asked for, and tell it.

    Raises:
        JournalBroken: it cannot be read to the end.
        FileNotWritten: a file cannot be written.
    """
    progress = Progress(lambda text: _write(STANDARD_ERROR, text), is_terminal=os.isatty(STANDARD_ERROR))
    choice = Choice(cycle=asked.cycle, symbol=asked.symbol, since_milliseconds=asked.since_milliseconds)
    figures = JournalFigures(reader, progress.told)
    written: dict[str, Path] = {}
    with localcontext(PRECISE):
        analysis = analyse(figures, choice, path=str(asked.journal_path))
        if asked.html_path is not None:
            installations = ", ".join(dict.fromkeys(run.installation for run in analysis.runs))
            text = document(analysis, title=f"mm-runtime {installations}", made_at=wall_clock.milliseconds())
            with replacing(asked.html_path) as path:
                path.write_text(text, encoding="utf-8", errors="replace")
            written["report"] = asked.html_path
    counts = _write_tables(figures, asked, choice, written)
    progress.end()
    if asked.as_json:
        told: Fields = {**summary_object(analysis), "files": {name: str(path) for name, path in written.items()}, "rows": counts}
        yield f"{msgspec.json.encode(told).decode()}\n"
        return
    lines = summary_lines(analysis)
    if written:
        lines += ["", *(f"{name}: {path}" for name, path in written.items())]
    yield "".join(f"{line}\n" for line in lines)


def _write_tables(figures: JournalFigures, asked: Arguments, choice: Choice, written: dict[str, Path]) -> dict[str, int]:
    """The tables that were asked for; returns their numbers of rows, and notes where they are."""
    counts: dict[str, int] = {}
    if asked.csv_folder is not None:
        make_folder(asked.csv_folder)
        counts |= {table.name: write_csv(table, figures, choice, asked.csv_folder) for table in TABLES}
        written["csv"] = asked.csv_folder
    if asked.parquet_folder is not None:
        try:
            from assembly.report.parquet import write_parquet  # what only this environment has
        except ImportError as error:
            raise FileNotWritten(f"--parquet needs {error.name}, which this environment has not: start it as bin/mm-report") from error
        make_folder(asked.parquet_folder)
        counts |= {table.name: write_parquet(table, figures, choice, asked.parquet_folder) for table in TABLES}
        written["parquet"] = asked.parquet_folder
    return counts


def _order_texts(reader: JournalReader, asked: Arguments) -> Iterator[str]:
    """Raises: JournalBroken: it cannot be read to the end."""
    which = OrderFilter(cycle=asked.cycle, symbol=asked.symbol, since_milliseconds=asked.since_milliseconds, may_exist_only=asked.open_only)
    states: Counter[str] = Counter()
    for history in reader.orders(which):
        if asked.as_json:
            yield f"{msgspec.json.encode(order_object(history)).decode()}\n"
        else:
            states[history.order.state.value if history.order.is_terminal else "may still exist"] += 1
            yield "".join(f"{line}\n" for line in (*order_lines(history), ""))
    if not asked.as_json:
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        yield f"{states.total()} order{'' if states.total() == 1 else 's'}{': ' if counts else ''}{counts}\n"


def _write(descriptor: int, text: str) -> bool:
    try:
        DescriptorSink(descriptor).write_bytes(text.encode(errors="replace"))
    except OSError:  # nobody reads it; the exit status says it too
        return False
    return True
