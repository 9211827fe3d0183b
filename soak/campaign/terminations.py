"""SIGTERM, heard as Ctrl-C is: by the same code, and held back by the same."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heard_as_interrupts() -> Generator[Callable[[], bool]]:
    """In the block SIGTERM interrupts; what is given tells whether one has come."""
    has_come = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal has_come
        has_come = True
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it starts in the background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield lambda: has_come
    finally:
        signal.signal(signal.SIGTERM, before)
