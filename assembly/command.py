"""`mm-runtime`: from the command line to the exit status. Run as ``python -m assembly.command``.

A signal may come at any moment. Until the program is ready to stop in order, it has sent nothing, so that it can simply
leave; that is why the signals are taken before the heavy imports.
"""

from __future__ import annotations

import os
import sys

from assembly.signals import StopSignals


def main() -> None:
    """Run the program and leave with its exit status (see `--help`)."""
    signals = StopSignals()
    signals.install()
    _fill_closed_descriptors()
    from assembly.program import run_program  # the heavy imports

    status = run_program(sys.argv[1:], os.environ, signals)
    signals.ignore()
    sys.exit(status)


def _fill_closed_descriptors() -> None:
    """Whoever started us with a closed standard stream must not make a connection to an exchange take its number.

    They are opened for reading: what is written to a closed standard output fails, as it should.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number, which is this one


if __name__ == "__main__":
    main()
