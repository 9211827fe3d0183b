"""How long to wait before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Delays that grow by `factor` from `initial_seconds` up to `seconds_max`, each shortened at random by up to `jitter` of itself.

    `jitter` is between 0 (none) and 1 (anything from nothing to the whole delay): it keeps clients that failed together from
    coming back together. `rng` is the caller's, so that a seed decides the delays.
    """

    def __init__(self, initial_seconds: float, factor: float, seconds_max: float, jitter: float, rng: random.Random) -> None:
        if not (0 < initial_seconds <= seconds_max and factor >= 1 and 0 <= jitter <= 1):
            raise ValueError(
                f"a back-off needs 0 < initial_seconds <= seconds_max, factor >= 1 and 0 <= jitter <= 1, "
                f"not {initial_seconds}, {seconds_max}, {factor}, {jitter}"
            )
        self.initial_seconds = initial_seconds
        self.factor = factor
        self.seconds_max = seconds_max
        self.jitter = jitter
        self._rng = rng
        self._seconds = initial_seconds

    def next_delay_seconds(self) -> float:
        """The delay before the next try; each call gives the following one."""
        seconds = self._seconds
        self._seconds = min(seconds * self.factor, self.seconds_max)
        return seconds * (1 - self.jitter * self._rng.random())

    def reset(self) -> None:
        """Begin again at `initial_seconds`: what was tried has worked."""
        self._seconds = self.initial_seconds
