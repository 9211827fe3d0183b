"""The program around a run: settings, output, signals and the exit status."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import trio
from loguru import logger

from assembly.arguments import ArgumentsError, OutputForm, parse_arguments
from assembly.decoding import SettingsError
from assembly.logs import LogFile, start_logging
from assembly.output import DescriptorSink
from assembly.presenter.presenter import Presenter, open_presenter
from assembly.presenter.report import ExitStatus, Notice, RunReport, RuntimeStarted
from assembly.redaction import redactor
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.runtime import Runtime
from assembly.settings import Settings, live_permissions, load_settings
from assembly.version import version
from market.clock import SystemWallClock
from supervision.child import DeathKind
from supervision.events import ChildDied, CleanupFailed, IntensityExceeded

STANDARD_OUTPUT = 1
# The first signal stops in order, the second tells what is awaited, this one forces the end.
SIGNALS_TO_FORCE = 3


def run_program(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run as the command line says; returns the exit status. Nothing is sent before everything was checked."""
    try:
        parsed = parse_arguments(arguments)
        settings = load_settings(
            parsed.settings_path,
            overrides=parsed.overrides,
            environment=environment,
            known_exchanges={name: entry.known for name, entry in EXCHANGES.items()},
            parameters_type_by_strategy={name: entry.parameters for name, entry in STRATEGIES.items()},
        )
    except (ArgumentsError, SettingsError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one message of a start that did not happen
        return ExitStatus.USAGE
    report = trio.run(partial(_run, settings, parsed.output_form, environment))
    return report.exit_status


async def _run(settings: Settings, form: OutputForm, environment: Mapping[str, str]) -> RunReport:
    wall_clock = SystemWallClock()
    seed = settings.runtime.seed if settings.runtime.seed is not None else random.SystemRandom().getrandbits(32)
    redact = redactor(settings.credentials.values())
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:

        def report(event: object) -> None:
            _log(event)
            presenter.event(wall_clock.milliseconds(), event)

        runtime = Runtime(settings, wall_clock=wall_clock, seed=seed, report=report)
        presenter = open_presenter(
            form,
            sink=DescriptorSink(STANDARD_OUTPUT),
            is_terminal=os.isatty(STANDARD_OUTPUT),
            environment=environment,
            log_level=settings.runtime.log_level,
            redact=redact,
            on_output_lost=lambda reason: runtime.request_stop(f"the output cannot be written any more: {reason}"),
            actors=runtime.tree.root.snapshot,
            book_max_age_seconds_by_exchange={name: parts.settings.book_max_age_seconds for name, parts in runtime.tree.exchanges.items()},
            cycles_wanted={name: cycle.cycles for name, cycle in settings.cycles.items()},
        )
        logs = start_logging(
            level=settings.runtime.log_level,
            redact=redact,
            file=_log_file(settings),
            on_line=report if presenter.is_live else None,
            writes_to_stderr=not presenter.is_live,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(presenter.run)
            await nursery.start(logs.run)
            nursery.start_soon(_obey_signals, signals, runtime, presenter)
            for line in live_permissions(settings):
                report(Notice(line))
            report(RuntimeStarted(version=version(), installation=settings.runtime.installation, exchanges=runtime.modes()))
            ended = await runtime.run()
            nursery.cancel_scope.cancel()
        await presenter.finish(ended)
        await logs.close()
    return ended


async def _obey_signals(signals: AsyncIterator[int], runtime: Runtime, presenter: Presenter) -> None:
    count = 0
    async for number in signals:
        count += 1
        if count == 1:
            runtime.request_stop(f"{signal.Signals(number).name} received")
        elif count < SIGNALS_TO_FORCE:
            runtime.tell_what_is_awaited()
        else:
            await presenter.finish(runtime.statement(forced=True))
            # What the stop waits for is shielded from cancellation: only the end of the process ends it now.
            os._exit(ExitStatus.MAY_BE_LIVE)


def _log(event: object) -> None:
    """Errors go to the log with their tracebacks; the presenter tells everything in words."""
    match event:
        case ChildDied(kind=DeathKind.CRASHED | DeathKind.HUNG, error=error) | CleanupFailed(error=error) | IntensityExceeded(error=error):
            logger.bind(actor=f"{event.supervisor}/{event.child}").opt(exception=error).error(event.what())
        case _:
            pass


def _log_file(settings: Settings) -> LogFile | None:
    runtime = settings.runtime
    if runtime.log_file is None:
        return None

    return LogFile(path=Path(runtime.log_file), bytes_max=runtime.log_file_megabytes_max * 1_000_000, files_kept=runtime.log_files_kept)
