"""`mm-report`: from the command line to the exit status. Run as ``python -m assembly.report.command``.

A signal may end it at any moment, the way it ends any program; what it was writing is then taken away.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from assembly.descriptors import fill_closed_descriptors


class Stopped(BaseException):
    """A signal says that this is to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def dying_in_order() -> Generator[None]:
    """Inside, a signal lets every block be left before it ends the process."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        yield
    except Stopped as stopped:
        signal.signal(stopped.number, signal.SIG_DFL)
        os.kill(os.getpid(), stopped.number)


def main() -> None:
    """Report, and leave with the exit status (see `--help`)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fill_closed_descriptors()
    from assembly.report.program import run_report  # the heavy imports

    with dying_in_order():
        sys.exit(run_report(sys.argv[1:]))


if __name__ == "__main__":
    main()
