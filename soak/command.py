"""`mm-soak`: run the whole program in simulated worlds drawn from seeds, and check what must be true. Exit status: see --help."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing

import trio
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from assembly.presenter.vocabulary import tell
from market.events import BookChanged
from soak.arguments import Arguments, parse_arguments
from soak.campaign import options_of, run_seeds, running_each
from soak.outcome import Outcome, Verdict
from soak.report import Report, SoakStatus
from soak.run import run_options
from soak.shrinking import Small, shrink
from soak.tables import print_failure, print_report
from soak.world import World

PROGRESS_LINE_SECONDS = 30.0  # where no bar can be drawn


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    arguments = parse_arguments(argv)
    errors = Console(stderr=True)
    began_at = time.monotonic()
    outcomes: list[Outcome] = []
    is_interrupted = False
    try:
        if arguments.cycles:
            options_of(arguments.first_seed, arguments)
    except ValueError as error:
        errors.print(f"mm-soak: {error}", highlight=False)
        return int(SoakStatus.USAGE)
    if arguments.shrink_seconds is not None:
        return _shrink(arguments, arguments.shrink_seconds, errors)
    try:
        if arguments.traces:
            outcomes.append(run_options(options_of(arguments.first_seed, arguments), watch=_tell_story))
            _show_failure(errors, arguments, outcomes[-1])
        else:
            _run_all(arguments, outcomes, errors)
    except KeyboardInterrupt:
        is_interrupted = True
    report = Report(arguments, outcomes, real_seconds=time.monotonic() - began_at, is_interrupted=is_interrupted)
    if arguments.as_json:
        sys.stdout.buffer.write(report.as_json() + b"\n")
        sys.stdout.flush()
    else:
        print_report(Console(), report)
    return int(report.status)


def _run_all(arguments: Arguments, outcomes: list[Outcome], errors: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        closing(run_seeds(arguments)) as running,
        Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as progress,
    ):
        task = progress.add_task("seeds", total=len(arguments.seeds))
        told_at = time.monotonic()
        for outcome in running:
            outcomes.append(outcome)
            _show_failure(progress.console, arguments, outcome)
            bad = sum(one.verdict is not Verdict.FINE for one in outcomes)
            progress.update(task, advance=1, description=f"seeds, {bad} bad")
            if not errors.is_terminal and time.monotonic() - told_at > PROGRESS_LINE_SECONDS:
                told_at = time.monotonic()
                hours = sum(one.virtual_seconds for one in outcomes) / 3600
                errors.print(f"{len(outcomes)} of {len(arguments.seeds)} seeds, {hours:.1f} virtual hours, {bad} bad", highlight=False)


def _shrink(arguments: Arguments, seconds: float, errors: Console) -> int:
    """Reduce the world, telling each step, and print the smallest that fails; interrupted, the smallest so far."""
    seed, began_at = arguments.first_seed, time.monotonic()
    small: Small | None = None
    try:
        with running_each(arguments.jobs) as run_each:
            for small in shrink(
                options_of(seed, arguments),
                run=run_options,
                is_over=lambda: time.monotonic() - began_at > seconds,
                run_each=run_each,
                at_once=arguments.jobs,
            ):
                took = f"{time.monotonic() - began_at:.0f} s, run {small.attempts}"
                errors.print(f"{took}: {small.size}", highlight=False, soft_wrap=True)
    except KeyboardInterrupt:
        errors.print("interrupted: this is the smallest so far", highlight=False)
    if small is None:
        errors.print(f"seed {seed} does not fail with these arguments: there is nothing to shrink", highlight=False)
        return int(SoakStatus.FINE)
    print_failure(Console(), replace(arguments, plan=small.options.plan, cycles=small.options.cycle_names), small.outcome)
    return int(Report(arguments, [small.outcome], real_seconds=time.monotonic() - began_at).status)


def _show_failure(console: Console, arguments: Arguments, outcome: Outcome) -> None:
    if outcome.verdict is not Verdict.FINE:
        print_failure(console, arguments, outcome)


def _tell_story(world: World) -> None:
    """Print everything that is told, as it happens."""

    def tell_event(event: object) -> None:
        if isinstance(event, BookChanged):
            return
        told = tell(event)
        words = repr(event) if told is None else f"{told.name} {told.fields}"
        sys.stdout.write(f"{trio.current_time():12.4f} {words}\n")

    def tell_note(text: str) -> None:
        sys.stdout.write(f"{trio.current_time():12.4f} *** {text}\n")

    world.observers.append(tell_event)
    world.note_observers.append(tell_note)


if __name__ == "__main__":
    sys.exit(main())
