"""The program around a run: settings, output, signals and the exit status."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
import trio

from assembly.arguments import ArgumentsError, OutputForm, parse_arguments
from assembly.decoding import SettingsError
from assembly.logs import Logs, open_logs
from assembly.output import DescriptorSink
from assembly.presenter.presenter import Presenter, open_presenter
from assembly.presenter.report import ExitStatus, Notice, RunReport, RuntimeStarted
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.runtime import Runtime
from assembly.settings import Settings, live_permissions, load_settings
from assembly.version import version
from market.clock import SystemWallClock

STANDARD_OUTPUT = 1
# After this many signals the stop is forced: the first stops in order, the second tells what is awaited.
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
    report = trio.run(_run, settings, parsed.output_form, environment)
    return report.exit_status


async def _run(settings: Settings, form: OutputForm, environment: Mapping[str, str]) -> RunReport:
    wall_clock = SystemWallClock()
    seed = settings.runtime.seed if settings.runtime.seed is not None else random.SystemRandom().getrandbits(32)
    secrets = [text for credential in settings.credentials.values() for text in (credential.key, credential.secret) if text]
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:

        def report(event: object) -> None:
            logs.note(event)
            presenter.event(wall_clock.milliseconds(), event)

        runtime = Runtime(settings, wall_clock=wall_clock, seed=seed, report=report)
        presenter = open_presenter(
            form,
            sink=DescriptorSink(STANDARD_OUTPUT),
            is_terminal=os.isatty(STANDARD_OUTPUT),
            environment=environment,
            log_level=settings.runtime.log_level,
            redact=lambda text: _redact(text, secrets),
            on_output_lost=lambda reason: runtime.request_stop(f"nobody reads the output any more: {reason}"),
            actors=runtime.tree.root.snapshot,
            book_max_age_seconds_by_exchange={name: parts.settings.book_max_age_seconds for name, parts in runtime.tree.exchanges.items()},
            cycles_wanted={name: cycle.cycles for name, cycle in settings.cycles.items()},
        )
        logs: Logs = open_logs(settings.runtime, secrets=secrets, presenter=presenter, wall_clock=wall_clock)
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
        await logs.finish()
    return ended


async def _obey_signals(signals: AsyncIterator[int], runtime: Runtime, presenter: Presenter) -> None:
    """The first signal stops in order, the second tells what is still awaited, the third forces the end."""
    count = 0
    async for number in signals:
        count += 1
        if count == 1:
            runtime.request_stop(f"{signal.Signals(number).name} received")
        elif count < SIGNALS_TO_FORCE:
            runtime.tell_what_is_awaited()
        else:
            await presenter.finish(runtime.statement(forced=True))
            # What the stop waits for is shielded from cancellation, so only this ends it now.
            os._exit(ExitStatus.MAY_BE_LIVE)


def _redact(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


