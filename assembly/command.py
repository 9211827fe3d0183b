"""`mm-runtime`: from the command line to the exit status. Run as ``python -m assembly.command``.

A signal may come at any moment. Until the program is ready to stop in order, it has sent nothing, so that it can simply
leave; that is why the handlers are set before the heavy imports.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_MESSAGE = b"stopped before anything was sent: no order of ours is live\n"


def _leave_at_once(signal_number: int, frame: FrameType | None) -> None:
    os.write(2, _MESSAGE)
    os._exit(0)


def main() -> None:
    """Run the program and leave with its exit status (see `--help`)."""
    signal.signal(signal.SIGINT, _leave_at_once)
    signal.signal(signal.SIGTERM, _leave_at_once)
    from assembly.program import run_program  # the heavy imports

    sys.exit(run_program(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
