"""`mm-soak`: run the whole program in simulated worlds drawn from seeds, and check what must be true. Exit status: see --help."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import trio
from msgspec.structs import replace
from rich.console import Console

from assembly.presenter.vocabulary import tell
from market.events import BookChanged
from soak.campaign.arguments import Arguments, parse_arguments
from soak.campaign.progress import CampaignProgress
from soak.campaign.report import Report, SoakStatus
from soak.campaign.seeds import options_of, run_in_order, run_seeds
from soak.campaign.shrinking import Small, shrink
from soak.campaign.tables import print_failure, print_report
from soak.outcome import Outcome, Verdict
from soak.run import run_options
from soak.worlds.world import World


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
    with CampaignProgress(arguments, errors) as progress, closing(run_seeds(arguments, tell=progress.tell)) as running:
        for outcome in running:
            outcomes.append(outcome)
            _show_failure(progress.console, arguments, outcome)
            progress.add(outcome)


def _shrink(arguments: Arguments, seconds: float, errors: Console) -> int:
    """Reduce the world, telling each step, and print the smallest that fails; interrupted, the smallest so far."""
    seed, began_at = arguments.first_seed, time.monotonic()
    small: Small | None = None
    try:
        for small in shrink(
            options_of(seed, arguments),
            run=run_options,
            is_over=lambda: time.monotonic() - began_at > seconds,
            run_each=partial(run_in_order, arguments.jobs) if arguments.jobs > 1 else None,
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
