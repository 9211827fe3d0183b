"""`mm-runtime`: from the command line to the exit status. Run as ``python -m assembly.command``.

A signal may come at any moment. Until the program is ready to stop in order, it has sent nothing, so that it can simply
leave; that is why the signals are taken before the heavy imports.
"""

from __future__ import annotations

import os
import sys

from assembly.descriptors import fill_closed_descriptors
from assembly.signals import ProcessSignals


def main() -> None:
    """Run the program and leave with its exit status (see `--help`)."""
    signals = ProcessSignals()
    signals.install()
    fill_closed_descriptors()
    from assembly.program import run_program  # the heavy imports

    status = run_program(sys.argv[1:], os.environ, signals)
    signals.ignore()
    sys.exit(status)


if __name__ == "__main__":
    main()
