"""Back-off: how long to wait before a restart."""

from __future__ import annotations

import random

import msgspec


class Backoff(msgspec.Struct, frozen=True):
    """A delay that grows by `factor` with each consecutive restart of a child, up to `seconds_max`.

    `jitter` takes a random part of up to that fraction off each delay, so that children that died together do not come
    back together. A child that was ready for `quiet_seconds` before it died starts over at `initial_seconds`.

    Raises:
        ValueError: a field is out of its range; the message says which.
    """

    initial_seconds: float = 0.5
    factor: float = 2.0
    seconds_max: float = 30.0
    jitter: float = 0.2
    quiet_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 <= self.initial_seconds <= self.seconds_max:
            raise ValueError(f"initial_seconds is from 0 to seconds_max={self.seconds_max!r}, not {self.initial_seconds!r}")
        if not self.factor >= 1:
            raise ValueError(f"factor is from 1 up, not {self.factor!r}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is a fraction from 0 to 1, not {self.jitter!r}")
        if not self.quiet_seconds >= 0:
            raise ValueError(f"quiet_seconds is a time from zero up, not {self.quiet_seconds!r}")

    def delay_seconds(self, restarts_before: int, rng: random.Random) -> float:
        """The delay before a restart that follows `restarts_before` consecutive ones; draws once from `rng`."""
        delay = self.initial_seconds
        for _ in range(restarts_before):
            if delay >= self.seconds_max or self.factor == 1 or delay == 0:
                break
            delay *= self.factor
        return min(delay, self.seconds_max) * (1 - self.jitter * rng.random())
