"""What came of many worlds, for people: tables that fit a terminal of 80 columns, and what must be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from orders.life_cycle import TRANSITIONS, OrderInput, OrderState
from soak.campaign.arguments import Arguments
from soak.campaign.report import Report
from soak.campaign.seeds import has_repeated
from soak.outcome import Outcome
from soak.transitions import SELDOM, UNREACHABLE, name_of

_STATES = {
    OrderState.PENDING_NEW: "new",
    OrderState.OPEN: "open",
    OrderState.PARTIALLY_FILLED: "part",
    OrderState.PENDING_AMEND: "amnd",
    OrderState.PENDING_CANCEL: "cnc?",
    OrderState.UNKNOWN: "unkn",
    OrderState.FILLED: "fill",
    OrderState.CANCELLED: "cncl",
    OrderState.EXPIRED: "exp",
    OrderState.REJECTED: "rej",
}


_TABLES_WIDTH = 80  # in less, figures would be cut off


def print_report(console: Console, report: Report) -> None:
    """The tables, what never happened, and at the end how it stands."""
    _print_figures(console, report)
    if report.strikes:
        _print_strikes(console, report)
    if report.transitions:
        _print_transitions(console, report)
    if report.losses_struck:
        _list(
            console, "limits of losses struck: " + "; ".join(f"{name}: {number}" for name, number in sorted(report.losses_struck.items()))
        )
    if report.losses_never_struck and report.is_enough_for_transitions:
        _list(console, f"limits of losses that never struck: {'; '.join(report.losses_never_struck)}")
    if report.endings:
        _list(console, "runs ended: " + "; ".join(f"{name}: {number}" for name, number in sorted(report.endings.items())))
    enough = report.arguments.enough
    if report.never_struck and report.is_enough:
        _list(console, f"faults that never struck: {', '.join(report.never_struck)}")
    if report.never_took_effect and report.is_enough_for_effects:
        told = (f"{kind} (struck {report.strikes.get(kind, 0):,} times)" for kind in report.never_took_effect)
        _list(console, f"faults that never took effect: {', '.join(told)}")
    elif report.never_took_effect and report.arguments.groups:
        note = f"no failure: fewer than {enough} seeds, or than as many virtual hours of all exchanges"
        _list(console, f"faults that never took effect: {len(report.never_took_effect)} ({note})")
    if report.never_reached and report.is_enough_for_transitions:
        _list(console, f"order transitions never reached: {', '.join(report.never_reached)}")
    elif report.never_reached and report.transitions:
        note = f"no failure: fewer than {enough} virtual hours of all faults and exchanges"
        _list(console, f"order transitions never reached: {len(report.never_reached)} ({note})")
    if report.reached_all_the_same:
        _list(console, f"called unreachable, and reached (mend soak/transitions.py): {', '.join(report.reached_all_the_same)}")
    for outcome in report.repeated:
        if not has_repeated(outcome):
            _say(console, f"seed {outcome.seed} did not repeat: {outcome.trace_hash}, elsewhere {outcome.other_hashes}")
    for outcome in report.failures:
        told = outcome.first_line.removesuffix(":").partition(f" (seed {outcome.seed})")[0]
        _say(console, f"seed {outcome.seed}, {outcome.verdict.value}: {told}")
        _say(console, f"  replay: {report.arguments.replay(outcome.seed)}")
    _say(console, f"exit status {report.status.value}: {report.status_words}")


def print_failure(console: Console, arguments: Arguments, outcome: Outcome) -> None:
    """What was broken, the last events of the order concerned, the drawn options, and the command that replays it."""
    title = f"seed {outcome.seed}: {outcome.verdict.value} after {outcome.virtual_seconds:.1f} virtual seconds"
    for line in (title, *(f"  {option}" for option in outcome.options), outcome.told, f"replay: {arguments.replay(outcome.seed)}", ""):
        _say(console, line)


def _list(console: Console, line: str) -> None:
    """Wrapped between words."""
    console.print(line, markup=False, highlight=False)


def _say(console: Console, line: str) -> None:
    """As it is, to be copied whole."""
    console.print(line, soft_wrap=True, markup=False, highlight=False)


def _print_figures(console: Console, report: Report) -> None:
    figures = report.figures().items()
    cells = [(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else f"{value:,.1f}") for name, value in figures]
    heads = ("figure", "value")
    _print_halves(console, heads, cells, Table(*heads, *heads, title="mm-soak", box=SIMPLE_HEAD))


def _print_strikes(console: Console, report: Report) -> None:
    heads = ("fault", "struck", "took effect")
    cells = [(name, f"{number:,}", f"{report.effects.get(name, 0):,}") for name, number in sorted(report.strikes.items())]
    _print_halves(console, heads, cells, Table(*heads, *heads, title="faults", box=SIMPLE_HEAD, padding=(0, 0, 0, 1)))


def _print_halves(console: Console, heads: tuple[str, ...], cells: Sequence[tuple[str, ...]], table: Table) -> None:
    """Names, each with its numbers, the second half beside the first; where there is no room for that, each in a line."""
    if console.width < _TABLES_WIDTH:
        _print_lines(console, f"{table.title}: {', '.join(heads)}", cells)
        return
    width, half = len(table.columns) // 2, (len(cells) + 1) // 2
    for number, column in enumerate(table.columns):
        column.justify = "right" if number % width else "left"
        column.overflow = "fold"
    for left, right in zip_longest(cells[:half], cells[half:], fillvalue=("",) * width):
        table.add_row(*left, *right)
    console.print(table)


def _print_lines(console: Console, title: str, cells: Sequence[tuple[str, ...]]) -> None:
    for line in (title, *(f"  {name}: {', '.join(numbers)}" for name, *numbers in cells), ""):
        _say(console, line)


def _print_transitions(console: Console, report: Report) -> None:
    """The life cycle's table, with how often each cell was come to; where there is no room for it, those that were."""
    if console.width < _TABLES_WIDTH:
        _print_lines(console, "order transitions", [(name, f"{number:,}") for name, number in sorted(report.transitions.items())])
        return
    table = Table(
        "", *_STATES.values(), title="order transitions (-: seldom or never reached in simulated worlds)", box=SIMPLE_HEAD, padding=0
    )
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for happened in OrderInput:
        table.add_row(happened.value, *(_cell(report, state, happened) for state in _STATES))
    console.print(table)


def _cell(report: Report, state: OrderState, happened: OrderInput) -> str:
    number = report.transitions.get(name_of(state, happened), 0)
    if (state, happened) not in TRANSITIONS:
        return ""
    if not number:
        return "-" if (state, happened) in UNREACHABLE or (state, happened) in SELDOM else "[bold]0[/]"
    return f"{number}" if number < 10_000 else f"{number / 1000:.0f}k"
