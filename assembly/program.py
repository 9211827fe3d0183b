"""The program around a run: settings, output, signals and the exit status."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import trio
from loguru import logger

from actors.journal.errors import JournalError
from actors.journal.store import JournalStore
from assembly.arguments import Arguments, ArgumentsError, parse_arguments
from assembly.control.listening import ControlSocket
from assembly.control.place import ControlUnavailable
from assembly.decoding import SettingsError
from assembly.descriptors import shows_colors
from assembly.guardian.guard import Guard
from assembly.guardian.planning import guard_plan
from assembly.logs import LogFile, Logs, start_logging
from assembly.output import DescriptorSink
from assembly.presenter.ending import last_words, may_be_live
from assembly.presenter.lifting import HowToLift
from assembly.presenter.presenter import Presenter, open_presenter
from assembly.presenter.report import ExitStatus, LogLine, Notice, RunReport, RuntimeStarted
from assembly.redaction import redactor
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.reloading.source import DiskSource
from assembly.runtime import Runtime
from assembly.settings import Settings, live_permissions
from assembly.settings_loading import FileRead, SettingsFile, table_of
from assembly.signal_answers import SignalAnswers
from assembly.signals import STANDARD_ERROR, ProcessSignals
from assembly.version import version
from market.clock import SystemWallClock
from supervision.child import DeathKind
from supervision.events import ChildDied, CleanupFailed, IntensityExceeded

STANDARD_OUTPUT = 1


def run_program(arguments: Sequence[str], environment: Mapping[str, str], signals: ProcessSignals) -> ExitStatus:
    """Run as the command line says; returns the exit status. Nothing is sent before everything was checked."""
    try:
        parsed = parse_arguments(arguments)
        file = SettingsFile(
            parsed.settings_path,
            overrides=parsed.overrides,
            environment=environment,
            known_exchanges={name: entry.known for name, entry in EXCHANGES.items()},
            strategies=STRATEGIES,
        )
        read = file.read()
        settings = file.settings(table_of(read))
        _check_log_file(settings)
    except (ArgumentsError, SettingsError) as error:
        with contextlib.suppress(OSError):  # nobody listens, but the exit status says it too
            os.write(STANDARD_ERROR, f"{error}\n".encode(errors="replace"))
        return ExitStatus.USAGE
    try:
        journal = _open_journal(settings)
    except JournalError as error:
        with contextlib.suppress(OSError):
            os.write(STANDARD_ERROR, f"{error}\n".encode(errors="replace"))
        return ExitStatus.USAGE
    with journal or contextlib.nullcontext():
        try:
            control, no_control = _open_control(settings)
        except ControlUnavailable as error:
            with contextlib.suppress(OSError):
                os.write(STANDARD_ERROR, f"{error}\n".encode(errors="replace"))
            return ExitStatus.USAGE
        with control or contextlib.nullcontext():
            return trio.run(partial(_run, settings, file, read, parsed, environment, signals, journal, control, no_control))


def _open_journal(settings: Settings) -> JournalStore | None:
    """None where nothing outlives the run and no journal is asked for. Raises `JournalError`."""
    if settings.journal.path is None:
        return None
    redact = redactor(settings.credentials.values(), webhook=settings.webhook, page_token=settings.page_token)
    return JournalStore(settings.journal.path, synchronous=settings.journal.synchronous, redact=redact)


def _open_control(settings: Settings) -> tuple[ControlSocket | None, str | None]:
    """The control socket, and else what a person must be told. A run whose exchanges end with it may go on without one.

    Raises:
        ControlUnavailable: there can be none, and this run must not begin without: it could not be halted.
    """
    if not settings.runtime.control_socket:
        return None, None
    try:
        return ControlSocket(Path(settings.runtime.control_socket)), None
    except ControlUnavailable as error:
        if not all(exchange.is_embedded for exchange in settings.exchanges.values()):
            raise
        return None, f"bin/mm-ctl cannot reach this run, which goes on: {error}"


async def _run(
    settings: Settings,
    file: SettingsFile,
    read: FileRead,
    arguments: Arguments,
    environment: Mapping[str, str],
    signals: ProcessSignals,
    journal: JournalStore | None,
    control: ControlSocket | None,
    no_control: str | None,
) -> ExitStatus:
    wall_clock = SystemWallClock()
    seed = settings.runtime.seed if settings.runtime.seed is not None else random.SystemRandom().getrandbits(32)
    redact = redactor(settings.credentials.values(), webhook=settings.webhook, page_token=settings.page_token)
    lifting = HowToLift(settings_path=str(arguments.settings_path), has_control=control is not None, process=os.getpid())

    def report(event: object) -> None:
        now_milliseconds = wall_clock.milliseconds()
        _log(event)
        logs.note(now_milliseconds, event)
        presenter.event(now_milliseconds, event)

    def tell(event: object) -> None:
        """What is told from around the run, of which it would not hear."""
        report(event)
        note_on_page(event)

    def tell_of_line(line: LogLine) -> None:
        if presenter.is_live:
            report(line)
        note_on_page(line)

    def note_on_page(event: object) -> None:
        if runtime.page is not None:
            runtime.page.note(event)

    try:
        runtime = Runtime(
            settings,
            wall_clock=wall_clock,
            seed=seed,
            report=report,
            journal=journal,
            redact=redact,
            control=control,
            lifting=lifting,
            settings_path=str(arguments.settings_path.resolve()),
            source=DiskSource(file),
            read=read,
        )
    except JournalError as error:  # it could be opened, but this run not be written into it
        with contextlib.suppress(OSError):
            os.write(STANDARD_ERROR, f"{error}\n".encode(errors="replace"))
        return ExitStatus.USAGE
    book_ages = {name: parts.settings.book_max_age_seconds for name, parts in runtime.tree.exchanges.items()}
    cycles_wanted = {name: cycle.cycles for name, cycle in settings.cycles.items()}
    presenter = open_presenter(
        arguments.output_form,
        sink=DescriptorSink(STANDARD_OUTPUT),
        is_terminal=os.isatty(STANDARD_OUTPUT),
        environment=environment,
        log_level=settings.runtime.log_level,
        redact=redact,
        on_output_lost=lambda reason: runtime.request_stop(f"the output cannot be written any more: {reason}", ExitStatus.FAILED),
        actors=runtime.tree.root.snapshot,
        book_max_age_seconds_by_exchange=book_ages,
        cycles_wanted=cycles_wanted,
        markets={name: (settings.exchange_of(name), cycle.symbol) for name, cycle in settings.cycles.items()},
        wall_clock=wall_clock,
        lifting=lifting,
    )
    logs = start_logging(
        level=settings.runtime.log_level,
        redact=redact,
        color=shows_colors(STANDARD_ERROR, environment),
        file=_log_file(settings),
        on_line=tell_of_line,
        writes_to_stderr=not (presenter.is_live and os.isatty(STANDARD_ERROR)),
    )

    def show_by(changed: Settings) -> None:
        """Output is as the settings want it that run now."""
        book_ages.update({name: exchange.book_max_age_seconds for name, exchange in changed.exchanges.items() if name in book_ages})
        cycles_wanted.update({name: cycle.cycles for name, cycle in changed.cycles.items()})
        presenter.set_log_level(changed.runtime.log_level)
        logs.set_level(changed.runtime.log_level)

    runtime.settings_observers.append(show_by)
    runtime.outputs.update(screen=lambda: presenter.dropped, log=logs.dropped)
    guard = Guard(
        guard_plan(settings, runtime.tree.accounts, environment),
        silence_seconds=settings.runtime.guardian_silence_seconds,
        wall_clock=wall_clock,
        report=tell,
    )
    async with trio.open_nursery() as nursery:

        def force() -> None:
            nursery.start_soon(_force, runtime, presenter, logs)

        with SignalAnswers(runtime, nursery, report=tell, force=force).listening(signals):
            await nursery.start(_show, presenter)
            await nursery.start(logs.run)
            for line in live_permissions(settings):
                tell(Notice(line))
            tell(RuntimeStarted(version=version(), installation=settings.runtime.installation, exchanges=runtime.modes()))
            if no_control is not None:
                tell(Notice(no_control))
            await nursery.start(guard.run)
            ended = await runtime.run()
        nursery.cancel_scope.cancel()
    status = await _tell_end(ended, presenter, logs)
    if status is not ExitStatus.MAY_BE_LIVE:
        await guard.say_goodbye()  # otherwise it goes on where this run has ended
    return status


async def _show(presenter: Presenter, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Run the presenter. A picture that cannot be drawn is a defect of ours, but trading is not stopped for it."""
    try:
        await presenter.run(task_status=task_status)
    except Exception as error:  # noqa: BLE001
        logger.opt(exception=error).error("the output is broken and stays as it is; the run goes on")
        await trio.sleep_forever()


async def _force(runtime: Runtime, presenter: Presenter, logs: Logs) -> None:
    # What the stop waits for is shielded from cancellation: only the end of the process ends it now.
    os._exit(await _tell_end(runtime.statement(forced=True), presenter, logs))


async def _tell_end(ended: RunReport, presenter: Presenter, logs: Logs) -> ExitStatus:
    """Write the end of the run; errors also to standard error, which is read when standard output is not.

    Returns the exit status: a run whose statement could not be written is not a clean one.
    """
    is_written = await presenter.finish(ended)
    status = ended.exit_status if is_written else max(ended.exit_status, ExitStatus.FAILED)
    live = may_be_live(ended)
    if ended.exit_status is not ExitStatus.CLEAN:
        logger.error("{}", ended.reason)
    if live:
        logger.error("orders that may still be live: {}", ", ".join(live))
    if not is_written:
        logger.error("the statement could not be written to standard output")
    for told in last_words(msgspec.structs.replace(ended, exit_status=status)):
        logs.note(ended.time_milliseconds, told)
    await logs.close()
    return status


def _log(event: object) -> None:
    """Errors go to the log with their tracebacks; the presenter tells everything in words."""
    match event:
        case ChildDied(kind=DeathKind.CRASHED | DeathKind.HUNG, error=error) | CleanupFailed(error=error) | IntensityExceeded(error=error):
            logger.bind(actor=event.child).opt(exception=error).error(event.what())
        case _:
            pass


def _check_log_file(settings: Settings) -> None:
    """Raises: SettingsError: it cannot be written."""
    file = _log_file(settings)
    if file is None:
        return
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.open("ab").close()
    except OSError as error:
        raise SettingsError(f"runtime.log_file: {file.path} cannot be written: {error.strerror}") from error


def _log_file(settings: Settings) -> LogFile | None:
    runtime = settings.runtime
    if runtime.log_file is None:
        return None

    return LogFile(path=Path(runtime.log_file), bytes_max=runtime.log_file_megabytes_max * 1_000_000, files_kept=runtime.log_files_kept)
