"""What a quoting cycle goes by, as its settings have it."""

from __future__ import annotations

from decimal import Decimal

from actors.cycle.quoting.contract import QuotingStrategy
from actors.cycle.terms import CycleTerms

REACT_TO_MOVE_FRACTION = Decimal("0.0005")


class QuotingTerms(CycleTerms[QuotingStrategy], frozen=True, kw_only=True):
    """The terms of one quoting cycle at one time. `quote_quantity` is the amount of a level's order; `rounds_max` means nothing here.

    Between two ticks it decides at once when the middle of the book has moved by more than `react_to_move_fraction` since the
    last decision (0: never for that), and after a fill if `reacts_to_fills`. A reference book older than
    `reference_age_seconds_max` is none.
    """

    react_to_move_fraction: Decimal = REACT_TO_MOVE_FRACTION
    reacts_to_fills: bool = True
    reference_age_seconds_max: float = 5.0
