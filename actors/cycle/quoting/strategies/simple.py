"""`quoting`: bids and asks at spreads of one's choice around a reference price, which leans against the inventory."""

from __future__ import annotations

from decimal import Decimal

from actors.cycle.quoting.contract import QuotingView, Wanted
from actors.cycle.quoting.strategies.parameters import TwoSidedParameters
from actors.cycle.quoting.strategies.two_sided import Aim, Situation, quote_around, survey, waiting


class QuotingParameters(TwoSidedParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cycles.NAME.parameters]` of `quoting`: those of `TwoSidedParameters`, and

    `bid_spread_fraction`, `ask_spread_fraction`: how far the first bid and the first ask are from the reference price (0.0015).
    Both are widened in proportion to what fees and `spread_min_fraction` need, and narrowed to `spread_max_fraction`.
    `inventory_price_skew`: at the maximum inventory all prices are moved down by so many halves of the spread, at the maximum
    below the target up, in between in proportion (0.5; with 1 the first ask of a full inventory is at the reference price).
    """

    bid_spread_fraction: Decimal = Decimal("0.0015")
    ask_spread_fraction: Decimal = Decimal("0.0015")
    inventory_price_skew: Decimal = Decimal("0.5")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_above_zero("bid_spread_fraction", "ask_spread_fraction")
        self._check_below_one("bid_spread_fraction", "ask_spread_fraction")
        if not 0 <= self.inventory_price_skew <= 10:
            raise ValueError("inventory_price_skew is 0 to 10, in halves of the spread")


class Quoting:
    """The strategy. Holds nothing but its parameters."""

    def __init__(self, parameters: QuotingParameters) -> None:
        self._parameters = parameters

    @property
    def history_seconds(self) -> float:
        return self._parameters.band_history_seconds

    def decide(self, view: QuotingView) -> Wanted:
        situation = survey(view, self._parameters)
        return waiting(situation) if isinstance(situation, str) else quote_around(self._aim(situation), situation, self._parameters)

    def _aim(self, situation: Situation) -> Aim:
        bid, ask = self._parameters.bid_spread_fraction, self._parameters.ask_spread_fraction
        spread = max(self._parameters.spread_needed_fraction, min(bid + ask, self._parameters.spread_max_fraction))
        lean = situation.inventory.fraction * self._parameters.inventory_price_skew * spread / 2
        return Aim(centre_price=situation.reference_price * (1 - lean), bid_spread_fraction=bid, ask_spread_fraction=ask)
