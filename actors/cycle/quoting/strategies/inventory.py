"""How far the inventory is from where it should be, and what that does to sizes and to the number of levels. Pure."""

from __future__ import annotations

import math
from decimal import Decimal

import msgspec

from market.events import Side
from orders.order import ZERO

ONE = Decimal(1)


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What is held, in base units, against what should be.

    `maximum` is how far it may be from the target, in either direction.
    """

    held: Decimal
    target: Decimal
    maximum: Decimal

    @property
    def excess(self) -> Decimal:
        """Held above the target; negative under it."""
        return self.held - self.target

    @property
    def fraction(self) -> Decimal:
        """The excess as a part of the maximum, from -1 to 1."""
        return max(-ONE, min(ONE, self.excess / self.maximum))

    def excess_towards(self, side: Side) -> Decimal:
        """How far, from 0 to 1, the inventory already is where fills of this side lead."""
        return max(ZERO, self.fraction if side is Side.BUY else -self.fraction)

    def room(self, side: Side) -> Decimal:
        """What fills of this side may add up to before the maximum is reached."""
        return max(ZERO, self.maximum - self.excess if side is Side.BUY else self.maximum + self.excess)

    def size_factor(self, side: Side, skew: Decimal) -> Decimal:
        """What sizes of a side are multiplied with: 1, and less on the side that leads further away, 1 - `skew` at the maximum."""
        return ONE - skew * self.excess_towards(side)

    def level_count(self, side: Side, levels: int, skew: Decimal) -> int:
        """How many levels a side has: all, and fewer on the side that leads further away, with a skew of 1 none at the maximum."""
        return math.ceil(levels * (ONE - skew * self.excess_towards(side)))
