"""The beginning of a cycle's round, with all that its end will be compared with: what a restart needs to go on with it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.symbol import Symbol
from orders.commands import BalanceCapture


class RoundBegan(msgspec.Struct, frozen=True, kw_only=True):
    """A round begins; it is over with the `CycleReconciled` of the same number and `started_at_milliseconds`.

    Said before the round's first order. `rounds_completed` are those before it, `carried_quantity` is base that they have
    left over.
    """

    account: str
    cycle: str
    number: int
    symbol: Symbol
    before: BalanceCapture
    carried_quantity: Decimal
    rounds_completed: int
    started_at_milliseconds: int
