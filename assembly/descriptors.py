"""The standard streams of a process whose parent has closed some of them."""

from __future__ import annotations

import os
from collections.abc import Mapping

DUMB_TERMINALS = ("dumb", "unknown", "")  # that neither move their cursor nor have colours


def fill_closed_descriptors() -> None:
    """Whoever started us with a closed standard stream must not make a connection to an exchange take its number.

    They are opened for reading: what is written to a closed standard output fails, as it should.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number, which is this one


def shows_colors(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether what is written there may be coloured: a terminal that has colours, and whose user wants them."""
    return os.isatty(descriptor) and environment.get("TERM", "") not in DUMB_TERMINALS and not environment.get("NO_COLOR")
