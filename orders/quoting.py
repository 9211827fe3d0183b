"""How a quoting cycle goes, as the cycle tells it. Frozen facts in the past tense."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.symbol import Symbol


class QuotingStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle quotes from now on, until it is stopped. `order_quote` is the amount of a level's order, in quote units."""

    account: str
    cycle: str
    exchange: str
    symbol: Symbol
    order_quote: Decimal
    tick_seconds: float


class TicksSkipped(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle could not decide at every tick: so many in all have passed while it, or the whole program, was busy. Told once a minute."""

    account: str
    cycle: str
    skipped: int
