"""What a cycle goes by, as its settings have it: its strategy made from its parameters, and how much, how often, how long."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

StrategyT = TypeVar("StrategyT")


class StrategyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one cycle since the journal began, in base units; None means no limit.

    `net_buy_max`: how much more may be bought than was sold, and `net_sell_max` the other way round, fees left aside.
    `inventory_max`: how far what is held, less fees paid in base, may be from nothing, long or short.
    `drawdown_max`, in quote units: how much of the highest profit may be lost again. The account sees to that one
    (`actors/accounts/drawdown.py`).
    """

    net_buy_max: Decimal | None = None
    net_sell_max: Decimal | None = None
    inventory_max: Decimal | None = None
    drawdown_max: Decimal | None = None


class CycleTerms(msgspec.Struct, Generic[StrategyT], frozen=True, kw_only=True):
    """The terms of one cycle at one time; whoever changes them hands out a whole new record.

    `strategy` is of whatever kind the cycle's actor asks to decide. It holds nothing but its parameters, so that one that is made
    anew goes on where the last one stopped. `quote_quantity` is in quote units, `rounds_max` 0 means until stopped, and a book
    that nothing has proven for longer than `book_age_seconds_max` is not traded on. `limits` are for strategies that can hold to them.
    """

    strategy: StrategyT
    quote_quantity: Decimal
    rounds_max: int
    tick_seconds: float
    book_age_seconds_max: float
    limits: StrategyLimits = StrategyLimits()


class TermsChanged(msgspec.Struct, frozen=True):
    """From now on, and from its next decision at the latest, a cycle goes by these. Only its own inbox is told."""

    terms: CycleTerms[Any]
