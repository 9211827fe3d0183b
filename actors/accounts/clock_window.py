"""How far apart the clocks may be for what is signed by ours to be accepted."""

from __future__ import annotations

import msgspec


class ClockWindow(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange refuses a signed request whose time is further `behind` its own clock, or further `ahead` of it."""

    behind_milliseconds: int
    ahead_milliseconds: int

    def accepts(self, offset_milliseconds: int) -> bool:
        """Whether it does where its clock less ours is so much."""
        return -self.ahead_milliseconds <= offset_milliseconds <= self.behind_milliseconds
