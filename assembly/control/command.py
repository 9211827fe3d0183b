"""`mm-ctl`: from the command line to the exit status. Run as ``python -m assembly.control.command``.

It changes nothing by itself, so that a signal may end it at any moment, the way it ends any program. It imports little: whoever
types `halt` must not wait for it.
"""

from __future__ import annotations

import signal
import sys

from assembly.control.client import run_client
from assembly.descriptors import fill_closed_descriptors


def main() -> None:
    """Ask, tell the answer, and leave with the exit status (see `--help`)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fill_closed_descriptors()
    sys.exit(run_client(sys.argv[1:]))


if __name__ == "__main__":
    main()
