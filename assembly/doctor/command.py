"""`mm-doctor`: from the command line to the exit status. Run as ``python -m assembly.doctor.command``.

It changes nothing at any exchange, so that a signal ends it at once, with the status that a shell gives to who dies of it.
The handlers are there before the heavy imports. A private stream's key that is in use then expires by itself.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from assembly.descriptors import fill_closed_descriptors
from assembly.signals import HANGUP_SIGNAL, STANDARD_ERROR, STOP_SIGNALS

_SIGNAL_STATUS = 128


def main() -> None:
    """Run the checks and leave with their exit status (see `--help`)."""
    for number in (*STOP_SIGNALS, HANGUP_SIGNAL):
        if number is not HANGUP_SIGNAL or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    fill_closed_descriptors()
    from assembly.doctor.program import run_doctor  # the heavy imports

    sys.exit(run_doctor(sys.argv[1:], os.environ))


def _leave(number: int, frame: FrameType | None) -> None:
    try:
        os.write(STANDARD_ERROR, b"mm-doctor: interrupted; nothing was placed, amended or cancelled\n")
    finally:
        os._exit(_SIGNAL_STATUS + number)


if __name__ == "__main__":
    main()
