"""The best bid and the best ask of a market, as exact prices."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.events import BookChanged, Side
from market.instrument import decimal_from_book


class Touch(msgspec.Struct, frozen=True):
    """What somebody who trades now gets at best."""

    bid: Decimal
    ask: Decimal

    @property
    def middle(self) -> Decimal:
        """Half way between the two."""
        return (self.bid + self.ask) / 2

    def taken_by(self, side: Side) -> Decimal:
        """The price at which a market order of this side begins to trade."""
        return self.ask if side is Side.BUY else self.bid


def touch_of(book: BookChanged) -> Touch:
    """The top of a book."""
    return Touch(decimal_from_book(book.best_bid[0]), decimal_from_book(book.best_ask[0]))
