"""Signals from the first line of the program to its last: those that ask for the stop, and those that pause and go on.

SIGINT and SIGTERM stop; SIGUSR1 and SIGUSR2 change the trading state. SIGHUP stops where it says that the terminal was closed, and
else, as of a service, has the settings read again. One handler for the whole life of the process: between two handlers a signal would
be lost or answered with a lie. Imports nothing heavy, because it must be in place before whatever takes time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANGUP_SIGNAL = signal.SIGHUP
PAUSE_SIGNAL, RESUME_SIGNAL = signal.SIGUSR1, signal.SIGUSR2
STATE_SIGNALS = (PAUSE_SIGNAL, RESUME_SIGNAL)
ALL_SIGNALS = (*STOP_SIGNALS, HANGUP_SIGNAL, *STATE_SIGNALS)
STANDARD_ERROR = 2
TERMINAL = "/dev/tty"
_MESSAGE = b"stopped before anything was sent: no order of this run is live\n"

Listener = Callable[[signal.Signals], None]


class ProcessSignals:
    """What a signal to stop does: at first the process leaves at once, for nothing was sent; then a listener decides;
    once that has ended nothing happens, since the process is ending and its exit status is settled.

    Of the signals that change the trading state, the last one that came early is what the listener hears first. A SIGHUP that has
    come early is forgotten, unless the terminal was closed: the settings were about to be read.
    """

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._is_over = False
        self._early: signal.Signals | None = None
        self._had_terminal = False

    def install(self) -> None:
        """Take the signals. Call it in the main thread. A SIGHUP that is ignored already (`nohup`) stays so."""
        self._had_terminal = _is_there_a_terminal()
        for number in ALL_SIGNALS:
            if number is not HANGUP_SIGNAL or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.take)

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
        for number in ALL_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def is_terminal_gone(self) -> bool:
        """Whether the terminal that the program was started from has been closed since. One that never had any has lost none."""
        return self._had_terminal and not _is_there_a_terminal()

    def take(self, number: int, frame: FrameType | None = None) -> None:
        """What the system calls for each."""
        if self._listener is not None:
            self._listener(signal.Signals(number))
        elif number in STATE_SIGNALS:
            self._early = signal.Signals(number)
        elif number == HANGUP_SIGNAL and not self.is_terminal_gone():
            pass
        elif not self._is_over:
            try:
                os.write(STANDARD_ERROR, _MESSAGE)
            finally:
                os._exit(0)


def _is_there_a_terminal() -> bool:
    """Whether the process has a controlling terminal: the system takes it away before, or just after, it tells that it was closed."""
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
