"""What a loss is counted from, as far as it can be known from outside: the highest profit, or what there was when the day began.

The program looks each second and with each order, we at other instants: between two values it is somewhere.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf

import msgspec
import trio

from orders.order import ZERO

LATE_SECONDS = 5.0
"""The program has looked within so long: it does each second."""
RISES_KEPT_SECONDS = 10.0


class Worth(msgspec.Struct, frozen=True):
    """What something has earned at the last middle of its books: by the exchange's trades, and by those of them that the program knows.

    It is at least the one and at most the other of each pair, for it is not always known from outside which middle was the last one.
    """

    real: tuple[Decimal, Decimal]
    known: tuple[Decimal, Decimal]
    knows_all: bool


class Reference:
    """At least `low` and at most `high`, nothing at first. One that `rises` follows the worth to its highest."""

    def __init__(self, *, rises: bool) -> None:
        self.low = self.high = ZERO
        self._rises = rises
        self._is_settled = True
        self._settling_since = inf
        self._settled_at = -inf
        self._floor, self._floor_since = ZERO, inf
        self._rose: list[tuple[float, Decimal]] = []  # when `low` did, and from what, of the last seconds

    @property
    def is_settled(self) -> bool:
        """Whether the program has taken it since it began anew."""
        return self._is_settled

    def begin_anew(self, worth: Worth | None, *, is_sure: bool) -> None:
        """From now on it is what the program finds at its next look; where that is not `is_sure`, it may be, and may be what it was."""
        if is_sure:
            self.low, self.high = Decimal("inf"), Decimal("-inf")
        self._is_settled, self._settling_since = False, inf
        self._rose.clear()
        self.pause()
        if worth is not None:
            self._widen(worth)

    def forget(self, *, seconds: float, least: Decimal) -> None:
        """The program has ended: what it took in the last seconds is not written down, and no rise by less than `least`."""
        since = trio.current_time() - seconds
        self.pause()
        self._settling_since = inf
        if self._settled_at > since:
            self.begin_anew(None, is_sure=False)
        self.low = min((low for at, low in self._rose if at > since), default=self.low) - (least if self._rises else ZERO)

    def pause(self) -> None:
        """Nothing is sure of this moment: the program does not look, or does not know every trade."""
        self._floor_since = inf

    def note(self, worth: Worth, *, looks: bool) -> None:
        """So much it is worth now, while the program `looks` again and again."""
        now = trio.current_time()
        if not self._is_settled:
            self._widen(worth)
            self._settling_since = min(self._settling_since, now) if looks else inf
            if now - self._settling_since > LATE_SECONDS:
                self._is_settled, self._settled_at = True, now
        if not self._rises:
            return
        self.high = max(self.high, *worth.real, *worth.known)
        if not looks or not worth.knows_all:
            self.pause()
            return
        if self._floor_since == inf:
            self._floor, self._floor_since = worth.real[0], now
        self._floor = min(self._floor, *worth.real)
        if now - self._floor_since > LATE_SECONDS:  # it was never less in a time in which the program has looked
            self._rise(self._floor, now)
            self._floor_since = inf

    def _rise(self, low: Decimal, now: float) -> None:
        if self._is_settled and low > self.low:
            self._rose = [(at, was) for at, was in self._rose if at > now - RISES_KEPT_SECONDS] + [(now, self.low)]
            self.low = low

    def _widen(self, worth: Worth) -> None:
        possible = (*worth.real, *worth.known)
        self.low, self.high = min(self.low, *possible), max(self.high, *possible)
