"""What a run does on each signal: stops, tells what the stop waits for, is forced to its end, pauses, goes on, reads its settings again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

import trio

from assembly.control.protocol import Command
from assembly.presenter.report import Notice
from assembly.runtime import Runtime
from assembly.signals import HANGUP_SIGNAL, PAUSE_SIGNAL, STATE_SIGNALS, ProcessSignals

SIGNALS_TO_FORCE = 3
DECISION_SECONDS_MIN = 1.0
HANGUP_SECONDS = 0.2


class SignalAnswers:
    """Those of one run.

    Of the signals to stop, the first stops in order, the second tells what is awaited, the third has `force` end the process, which must
    not wait. It takes a decision to force: a signal that comes within a second of the answer to the one before (a key held down) only
    gets that answer again. SIGHUP is one of them where it comes of a terminal that was closed. What takes time runs in `nursery`.
    """

    def __init__(self, runtime: Runtime, nursery: trio.Nursery, *, report: Callable[[object], None], force: Callable[[], object]) -> None:
        self._runtime = runtime
        self._nursery = nursery
        self._report = report
        self._force = force
        self._count = 0
        self._last_at = 0.0

    @contextmanager
    def listening(self, signals: ProcessSignals) -> Generator[None]:
        """Answer those that come until the end of the block, each between two steps of the running `trio.run`."""
        token = trio.lowlevel.current_trio_token()
        with signals.listen(lambda number: token.run_sync_soon(self._answer, number, signals)):
            yield

    def _answer(self, number: signal.Signals, signals: ProcessSignals) -> None:
        if number in STATE_SIGNALS:
            self._change_state(number)
        elif number == HANGUP_SIGNAL and not signals.is_terminal_gone():
            self._nursery.start_soon(self._reload_or_stop, signals)
        else:
            self._stop(number)

    def _stop(self, number: signal.Signals) -> None:
        in_haste, self._last_at = trio.current_time() - self._last_at < DECISION_SECONDS_MIN, trio.current_time()
        if self._count < 2 or not in_haste:
            self._count += 1
        if self._count == 1:
            self._runtime.request_stop(f"{number.name} received")
        elif self._count < SIGNALS_TO_FORCE:
            self._runtime.tell_what_is_awaited()
        elif self._count == SIGNALS_TO_FORCE:
            self._force()

    async def _reload_or_stop(self, signals: ProcessSignals) -> None:
        """What SIGHUP asks for. A terminal may be taken away only just after it has told that it was closed."""
        await trio.sleep(HANGUP_SECONDS)
        if signals.is_terminal_gone():
            self._stop(HANGUP_SIGNAL)
        elif self._runtime.settings_desk is not None:
            await self._runtime.settings_desk.reload(by=HANGUP_SIGNAL.name)

    def _change_state(self, number: signal.Signals) -> None:
        """Pause everything, or go on: what mm-ctl does, for whom it is out of reach."""
        command = Command.PAUSE if number is PAUSE_SIGNAL else Command.RESUME
        said = self._runtime.desk.enter(command, by=number.name)
        if said is not None:
            self._report(Notice(f"{number.name}: {said}"))
