"""`mm-report`: from the command line to the exit status. Run as ``python -m assembly.report.command``.

It only reads, so that a signal may end it at any moment, the way it ends any program.
"""

from __future__ import annotations

import signal
import sys

from assembly.descriptors import fill_closed_descriptors


def main() -> None:
    """Report, and leave with the exit status (see `--help`)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fill_closed_descriptors()
    from assembly.report.program import run_report  # the heavy imports

    sys.exit(run_report(sys.argv[1:]))


if __name__ == "__main__":
    main()
