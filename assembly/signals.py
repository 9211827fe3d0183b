"""Signals from the first line of the program to its last: those that ask for the stop, and those that pause and go on.

SIGINT, SIGTERM and SIGHUP (a terminal that was closed) stop; SIGUSR1 and SIGUSR2 change the trading state. One handler for the
whole life of the process: between two handlers a signal would be lost or answered with a lie. Imports nothing heavy, because it
must be in place before whatever takes time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PAUSE_SIGNAL, RESUME_SIGNAL = signal.SIGUSR1, signal.SIGUSR2
STATE_SIGNALS = (PAUSE_SIGNAL, RESUME_SIGNAL)
STANDARD_ERROR = 2
_MESSAGE = b"stopped before anything was sent: no order of this run is live\n"

Listener = Callable[[signal.Signals], None]


class ProcessSignals:
    """What a signal to stop does: at first the process leaves at once, for nothing was sent; then a listener decides;
    once that has ended nothing happens, since the process is ending and its exit status is settled.

    Of the signals that change the trading state, the last one that came early is what the listener hears first.
    """

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._is_over = False
        self._early: signal.Signals | None = None

    def install(self) -> None:
        """Take the signals. Call it in the main thread. A SIGHUP that is ignored already (`nohup`) stays so."""
        for number in (*STOP_SIGNALS, *STATE_SIGNALS):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)

    @contextmanager
    def listen(self, listener: Listener) -> Generator[None]:
        """Let `listener` decide until the end of the block, for good. It is called between any two steps of the main thread."""
        self._listener = listener
        if self._early is not None:
            listener(self._early)
        try:
            yield
        finally:
            self._is_over = True
            self._listener = None

    def ignore(self) -> None:
        """Leave signals to nobody, also while the interpreter is taken down, which would undo a handler of ours."""
        for number in (*STOP_SIGNALS, *STATE_SIGNALS):
            signal.signal(number, signal.SIG_IGN)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._listener is not None:
            self._listener(signal.Signals(number))
        elif number in STATE_SIGNALS:
            self._early = signal.Signals(number)
        elif not self._is_over:
            try:
                os.write(STANDARD_ERROR, _MESSAGE)
            finally:
                os._exit(0)
