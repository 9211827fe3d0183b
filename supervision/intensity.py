"""Restart intensity: how many restarts in how long are borne before a supervisor gives up."""

from __future__ import annotations

from collections import deque

import msgspec


class Intensity(msgspec.Struct, frozen=True):
    """At most `restarts_max` restarts in any `period_seconds`; one more exceeds it. 0 bears none.

    The defaults suit actors that talk to exchanges: several reconnect-like failures in a minute are weather, more
    mean that restarting does not help.

    Raises:
        ValueError: `restarts_max` is below zero or `period_seconds` is not above it.
    """

    restarts_max: int = 5
    period_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.restarts_max < 0:
            raise ValueError(f"restarts_max is a number from zero up, not {self.restarts_max!r}")
        if not self.period_seconds > 0:
            raise ValueError(f"period_seconds is a time above zero, not {self.period_seconds!r}")


class RestartWindow:
    """The restarts of the last period."""

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        # One more than the limit is all that is ever needed to know that it is exceeded.
        self._restart_times: deque[float] = deque(maxlen=intensity.restarts_max + 1)

    def add(self, now: float) -> None:
        """Count a restart, or what counts like one, at `now` (Trio's time)."""
        self._restart_times.append(now)

    def is_exceeded(self, now: float) -> bool:
        """Whether the restarts within the period that ends at `now` are more than the intensity bears."""
        while self._restart_times and self._restart_times[0] <= now - self._intensity.period_seconds:
            self._restart_times.popleft()
        return len(self._restart_times) > self._intensity.restarts_max
