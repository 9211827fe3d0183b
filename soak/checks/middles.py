"""The middle of a book that the program's accounts know last.

An account takes in what it hears of books when it needs a price. Of a book that has changed and was lost since it last looked, it
hears of the loss alone: what it knows last is one of the middles of some seconds before.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import trio

from market.events import BookChanged, BookLost
from market.symbol import Symbol
from market.touch import touch_of
from soak.checks.loss_reference import LATE_SECONDS


class Middles(msgspec.Struct, frozen=True):
    """What may be the last middle known is one of these, or the only one."""

    lowest: Decimal
    highest: Decimal


class LastMiddles:
    """Those of all books of one world."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, Symbol], Middles] = {}
        self._recent: dict[tuple[str, Symbol], list[tuple[float, Decimal]]] = {}

    def of(self, exchange: str, symbol: Symbol) -> Middles | None:
        """None before there was a book."""
        return self._of.get((exchange, symbol))

    def see(self, event: BookChanged | BookLost) -> None:
        """What the program says of one of its books."""
        book, now = (event.exchange, event.symbol), trio.current_time()
        recent = self._recent.setdefault(book, [])
        while len(recent) > 1 and recent[1][0] <= now - LATE_SECONDS:
            del recent[0]  # the next one was there before that already
        if isinstance(event, BookChanged):
            middle = touch_of(event).middle
            self._of[book] = Middles(middle, middle)
            recent.append((now, middle))
        elif recent:
            heard = [middle for _, middle in recent]
            self._of[book] = Middles(min(heard), max(heard))

    def clear(self) -> None:
        """Another run of the program begins, which knows nothing of them."""
        self._of.clear()
        self._recent.clear()
