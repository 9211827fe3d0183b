"""What a market cost at a moment, by the samples in the journal.

A sample holds until the next one, which is written within a second of a change. So between two of them the price is that of the later
one if that is the nearer and no more than half a second away, and otherwise that of the earlier one, however old; in the moment of a fill
it is exact. There is none while no run wrote, or while the market had no book.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal

from actors.journal.figures import PriceRows
from market.exact import PRECISE
from market.instrument import decimal_from_book

NEAR_MILLISECONDS = 500

Span = tuple[int, int]
"""From when until when, in milliseconds."""


class PriceHistory:
    """One market. `lives` are the spans, in order, in which somebody wrote prices.

    `is_sampled` is False of what only stands in for prices: it says what something is worth, and nothing of moments.
    """

    def __init__(self, rows: PriceRows, lives: Sequence[Span], *, is_sampled: bool = True) -> None:
        self._rows = rows
        self._lives = lives
        self._life_begins = [begin for begin, _ in lives]
        self.is_sampled = is_sampled
        self.at = rows.at
        self.mids = array("d")
        """The middle, as a float, of each row; of one without a book, that of the one before it."""
        last = next((bid for bid in rows.bid if bid == bid), 0.0)
        for bid, ask in zip(rows.bid, rows.ask, strict=True):
            if bid == bid:  # not NaN
                last = (bid + ask) / 2
            self.mids.append(last)

    def __len__(self) -> int:
        return len(self.at)

    def near(self, at: int) -> Decimal | None:
        """The middle at that time; None where it is not known."""
        if not self.is_sampled:
            return None
        life = bisect_right(self._life_begins, at) - 1
        if life < 0 or at > self._lives[life][1]:
            return None
        begin, end = self._lives[life]
        place = bisect_right(self.at, at) - 1
        age = at - self.at[place] if place >= 0 and self.at[place] >= begin else NEAR_MILLISECONDS
        later = place + 1
        if later < len(self.at) and self.at[later] <= min(at + min(age, NEAR_MILLISECONDS), end):
            place = later
        if place < 0 or self.at[place] < begin:
            return None
        return self._middle(place)

    def last_known(self, at: int) -> Decimal | None:
        """The newest middle that was known then, however old: what is held is worth something also while nobody looks."""
        place = bisect_right(self.at, at) - 1
        while place >= 0:
            middle = self._middle(place)
            if middle is not None:
                return middle
            place -= 1
        return None

    def first_after(self, at: int) -> int:
        """The place of the first row that is not older."""
        return bisect_left(self.at, at)

    def _middle(self, place: int) -> Decimal | None:
        bid, ask = self._rows.bid[place], self._rows.ask[place]
        if bid != bid:  # NaN: no book
            return None
        return PRECISE.divide(PRECISE.add(decimal_from_book(bid), decimal_from_book(ask)), Decimal(2))
