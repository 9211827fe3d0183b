"""`mm-soak`: run the whole program in simulated worlds drawn from seeds, and check what must be true. Exit status: see --help."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
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
from soak.campaign.telling import run_telling
from soak.campaign.terminations import heard_as_interrupts
from soak.options import Options
from soak.outcome import Outcome, Verdict
from soak.run import run_options


class _Output(Console):
    """Where nobody reads it any more it says so; Rich would end the process with the status of a violation."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status. Whatever nobody has thought of is a crash of the simulator, and says nothing of the program."""
    with heard_as_interrupts() as is_terminated:

        def interrupted_as() -> SoakStatus:
            return SoakStatus.TERMINATED if is_terminated() else SoakStatus.INTERRUPTED

        return int(_soak_or_crash(argv, interrupted_as))


def _soak_or_crash(argv: Sequence[str] | None, interrupted_as: Callable[[], SoakStatus]) -> SoakStatus:
    try:
        try:
            return _soak(parse_arguments(argv), interrupted_as)
        finally:
            sys.stdout.flush()  # here, where it may fail, and not when Python ends
    except BrokenPipeError:
        _give_output_up()
        return SoakStatus.NOBODY_READS
    except KeyboardInterrupt:  # before anything was done, or the second one
        return interrupted_as()
    except OSError as error:
        _complain(f"mm-soak: the simulator crashed, for what it found cannot be written: {error}\n")
    except Exception:  # noqa: BLE001  or else Python ends with the status of a violation
        _complain(f"{traceback.format_exc()}mm-soak: the simulator itself crashed\n")
    _give_output_up()
    return SoakStatus.HARNESS_CRASHED


def _give_output_up() -> None:
    """What is left to be written is lost, and Python says no more of it when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)


def _soak(arguments: Arguments, interrupted_as: Callable[[], SoakStatus]) -> SoakStatus:
    errors = _Output(stderr=True)
    began_at = time.monotonic()
    outcomes: list[Outcome] = []
    interrupted: SoakStatus | None = None
    try:
        if arguments.cycles:
            options_of(arguments.first_seed, arguments)
    except ValueError as error:
        errors.print(f"mm-soak: {error}", highlight=False)
        return SoakStatus.USAGE
    if arguments.shrink_seconds is not None:
        return _shrink(arguments, arguments.shrink_seconds, errors)
    try:
        if arguments.traces:
            outcomes.append(_run_and_tell(options_of(arguments.first_seed, arguments)))
            _show_failure(errors, arguments, outcomes[-1])
        else:
            _run_all(arguments, outcomes, errors)
    except KeyboardInterrupt:
        interrupted = interrupted_as()
    report = Report(arguments, outcomes, real_seconds=time.monotonic() - began_at, interrupted_as=interrupted)
    if arguments.as_json:
        sys.stdout.buffer.write(report.as_json() + b"\n")
        sys.stdout.flush()
    else:
        print_report(_Output(), report)
    return report.status


def _run_all(arguments: Arguments, outcomes: list[Outcome], errors: Console) -> None:
    with CampaignProgress(arguments, errors) as progress, closing(run_seeds(arguments, tell=progress.tell)) as running:
        for outcome in running:
            outcomes.append(outcome)
            _show_failure(progress.console, arguments, outcome)
            progress.add(outcome)


def _shrink(arguments: Arguments, seconds: float, errors: Console) -> SoakStatus:
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
        if small is None:
            raise
        errors.print("interrupted: this is the smallest so far", highlight=False)
    if small is None:
        errors.print(f"seed {seed} does not fail with these arguments: there is nothing to shrink", highlight=False)
        return SoakStatus.FINE
    print_failure(_Output(), replace(arguments, plan=small.options.plan, cycles=small.options.cycle_names), small.outcome)
    return Report(arguments, [small.outcome], real_seconds=time.monotonic() - began_at).status


def _show_failure(console: Console, arguments: Arguments, outcome: Outcome) -> None:
    if outcome.verdict is not Verdict.FINE:
        print_failure(console, arguments, outcome)


def _run_and_tell(options: Options) -> Outcome:
    """Print everything that is told, as it happens."""

    def tell_event(event: object) -> None:
        if isinstance(event, BookChanged):
            return
        told = tell(event)
        words = repr(event) if told is None else f"{told.name} {told.fields}"
        sys.stdout.write(f"{trio.current_time():12.4f} {words}\n")

    def tell_note(text: str) -> None:
        sys.stdout.write(f"{trio.current_time():12.4f} *** {text}\n")

    return run_telling(options, tell_event=tell_event, tell_note=tell_note)


if __name__ == "__main__":
    sys.exit(main())
