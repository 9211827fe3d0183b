"""Wall time, in one place. Monotonic time is `trio.current_time()`; the two are never mixed."""

from __future__ import annotations

import time
from typing import Protocol

import trio


class WallClock(Protocol):
    """Tells the time of day. A virtual one moves with Trio's clock."""

    def milliseconds(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


class SystemWallClock:
    """The machine's clock; may jump when the machine's time is set. The only reader of it in the program."""

    def milliseconds(self) -> int:
        return time.time_ns() // 1_000_000


class VirtualWallClock:
    """Wall time for simulation: a fixed epoch plus Trio's (virtual) time, plus a skew that a test may change."""

    def __init__(self, epoch_milliseconds: int = 1_790_000_000_000) -> None:
        self._epoch_milliseconds = epoch_milliseconds
        self.skew_milliseconds = 0

    def milliseconds(self) -> int:
        return self._epoch_milliseconds + self.skew_milliseconds + round(trio.current_time() * 1000)
