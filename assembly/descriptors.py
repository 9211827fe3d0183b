"""The standard streams of a process whose parent has closed some of them."""

from __future__ import annotations

import os


def fill_closed_descriptors() -> None:
    """Whoever started us with a closed standard stream must not make a connection to an exchange take its number.

    They are opened for reading: what is written to a closed standard output fails, as it should.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number, which is this one
