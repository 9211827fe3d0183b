"""Where something happens in a world."""

from __future__ import annotations

import msgspec

from market.symbol import Symbol
from soak.worlds.venue import Venue
from soak.worlds.world import World


class Place(msgspec.Struct, frozen=True):
    """One cycle, with its symbol and its exchange."""

    exchange: str
    symbol: Symbol
    cycle: str

    def venue(self, world: World) -> Venue:
        return world.venues[self.exchange]
