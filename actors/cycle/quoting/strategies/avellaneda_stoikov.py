"""`avellaneda_stoikov`: quotes around a reservation price, with the spread that volatility and trading intensity make best.

Theory of operation. At each decision volatility and intensity are estimated from the last minutes (`estimators`), and one of the
papers' closed forms says how far from the mid the reservation price is and how wide to quote (`models`). Prices are fractions of the
mid and inventory is counted in orders, so that the same parameters mean the same for bitcoin and for a coin of a millionth. The fee
of a fill is added to each side: what is earned by a fill at delta is delta less the fee, so that the best delta is larger by just
that. Bounds of the spread, levels, amounts, patience and bands are those of all two-sided strategies (`two_sided`).
"""

from __future__ import annotations

import enum
import math
from decimal import Decimal

from actors.cycle.quoting.contract import QuotingView, Wanted
from actors.cycle.quoting.strategies.estimators import ARRIVALS_MIN, RETURNS_MIN, Intensity, trading_intensity, volatility
from actors.cycle.quoting.strategies.models import ModelQuotes, finite_horizon, glft, infinite_horizon
from actors.cycle.quoting.strategies.parameters import TwoSidedParameters
from actors.cycle.quoting.strategies.two_sided import Aim, Situation, quote_around, survey, waiting

# Nobody means to quote further from the market than this, whatever a model makes of an estimate.
SHIFT_MAX = 0.2
HALF_SPREAD_MIN = 1e-9


class Model(enum.Enum):
    """Avellaneda and Stoikov with sessions that end and begin anew, or without an end; or Guéant, Lehalle and Fernandez-Tapia."""

    FINITE_HORIZON = "finite_horizon"
    INFINITE_HORIZON = "infinite_horizon"
    GLFT = "glft"


class AvellanedaStoikovParameters(TwoSidedParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cycles.NAME.parameters]` of `avellaneda_stoikov`: those of `TwoSidedParameters`, and

    `model`: "infinite_horizon", "finite_horizon" or "glft". `horizon_seconds`: how long an inventory is expected to be held (600); of
    the finite horizon the length of a session, at whose end inventory counts for nothing. `risk_aversion`: by how many standard deviations
    of the price over that time the reservation price moves at the maximum inventory (1, of the finite horizon at a session's beginning);
    it makes gamma = risk_aversion / (maximum in orders x volatility x sqrt(horizon_seconds)), at most k. `gamma`: the papers' own
    parameter instead (30), per order and per fraction of the price: constant, so that the price moves with the variance.

    `estimate_seconds`: how far back volatility and trading intensity look (600). `volatility_sample_seconds`: the least time between two
    prices that make a return (1). `warm_up_seconds`: nothing is quoted before so much was seen (60). In a market with too few
    trades to estimate from, or for what one knows better: `volatility_per_sqrt_second`, a fraction of the price (0.0001, which is 2.9 % a
    day); `intensity_decay`, the k of A exp(-k delta) with delta as a fraction of the price (2000: at a tenth of a percent, e^-2 is left);
    and `intensity_arrivals_per_second`, its A for one side (0.5).
    """

    model: Model = Model.INFINITE_HORIZON
    horizon_seconds: float = 600.0
    risk_aversion: float = 1.0
    gamma: float | None = None
    estimate_seconds: float = 600.0
    volatility_sample_seconds: float = 1.0
    warm_up_seconds: float = 60.0
    volatility_per_sqrt_second: float | None = None
    intensity_decay: float | None = None
    intensity_arrivals_per_second: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_above_zero("horizon_seconds", "risk_aversion", "gamma", "estimate_seconds", "volatility_sample_seconds")
        self._check_above_zero("volatility_per_sqrt_second", "intensity_decay", "intensity_arrivals_per_second")
        self._check_zero_or_more("warm_up_seconds")
        if self.warm_up_seconds > self.estimate_seconds:
            raise ValueError("warm_up_seconds is at most estimate_seconds: nothing longer is looked back upon")
        if (self.intensity_decay is None) != (self.intensity_arrivals_per_second is None):
            raise ValueError("intensity_decay and intensity_arrivals_per_second are given together or not at all")


class AvellanedaStoikov:
    """The strategy. Holds nothing but its parameters."""

    def __init__(self, parameters: AvellanedaStoikovParameters) -> None:
        self._parameters = parameters

    @property
    def history_seconds(self) -> float:
        # Beyond what is estimated from, so that the warm-up is seen to be over when it is as long as that.
        return max(self._parameters.estimate_seconds + self._parameters.warm_up_seconds, self._parameters.band_history_seconds)

    def decide(self, view: QuotingView) -> Wanted:
        situation = survey(view, self._parameters)
        if isinstance(situation, str):
            return waiting(situation)
        sigma = self._volatility(view)
        if sigma is None:
            return waiting(self._what_volatility_needs(view))
        intensity = self._intensity(situation)
        if intensity is None:
            seconds = f"{self._parameters.estimate_seconds:g}"
            return waiting(
                f"trading intensity: fewer than {ARRIVALS_MIN} orders that take in {seconds} s; in a market as quiet as this, state "
                "intensity_decay and intensity_arrivals_per_second"
            )
        return quote_around(self._aim(situation, sigma, intensity), situation, self._parameters)

    def _what_volatility_needs(self, view: QuotingView) -> str:
        chosen, mids = self._parameters, view.history.mids
        if not mids or view.now - mids[0].at < chosen.warm_up_seconds:
            return f"volatility: {chosen.warm_up_seconds:g} s of the market are seen first (warm_up_seconds)"
        return f"volatility: {RETURNS_MIN} prices {chosen.volatility_sample_seconds:g} s from each other (volatility_sample_seconds)"

    def _volatility(self, view: QuotingView) -> float | None:
        chosen, mids = self._parameters, view.history.mids
        if chosen.volatility_per_sqrt_second is not None:
            return chosen.volatility_per_sqrt_second
        if not mids or view.now - mids[0].at < chosen.warm_up_seconds:
            return None
        return volatility(mids, now=view.now, window_seconds=chosen.estimate_seconds, spacing_seconds=chosen.volatility_sample_seconds)

    def _intensity(self, situation: Situation) -> Intensity | None:
        chosen, view = self._parameters, situation.view
        if chosen.intensity_decay is not None and chosen.intensity_arrivals_per_second is not None:
            return Intensity(arrivals_per_second=chosen.intensity_arrivals_per_second, decay=chosen.intensity_decay)
        tick_fraction = float(view.instrument.price_tick / situation.reference_price)
        return trading_intensity(
            view.history.trades, view.history.mids, now=view.now, window_seconds=chosen.estimate_seconds, tick_fraction=tick_fraction
        )

    def _aim(self, situation: Situation, sigma: float, intensity: Intensity) -> Aim:
        q = float(situation.inventory.excess / situation.order_base)
        q_max = max(1.0, float(situation.inventory.maximum / situation.order_base))
        gamma = self._gamma(q_max, sigma, intensity.decay)
        found = self._quotes(situation.view.now, max(-q_max, min(q_max, q)), q_max, gamma, sigma, intensity)
        shift = max(-SHIFT_MAX, min(SHIFT_MAX, found.shift))
        half_spread = max(HALF_SPREAD_MIN, found.half_spread + float(self._parameters.maker_fee_fraction)) / (1 + shift)
        centre = situation.reference_price * Decimal(repr(1 + shift))
        return Aim(
            centre_price=centre,
            bid_spread_fraction=Decimal(repr(half_spread)),
            ask_spread_fraction=Decimal(repr(half_spread)),
            facts={
                "reservation_price": centre,
                "volatility_per_sqrt_second": sigma,
                "intensity_decay": intensity.decay,
                "intensity_arrivals_per_second": intensity.arrivals_per_second,
                "gamma": gamma,
                "inventory_orders": q,
            },
        )

    def _gamma(self, q_max: float, sigma: float, k: float) -> float:
        if self._parameters.gamma is not None:
            return self._parameters.gamma
        deviation = q_max * sigma * math.sqrt(self._parameters.horizon_seconds)
        # Where nothing moves there is nothing to be averse to: without the bound a calm market would be quoted ever narrower.
        return min(k, self._parameters.risk_aversion / deviation) if deviation else k

    def _quotes(self, now: float, q: float, q_max: float, gamma: float, sigma: float, intensity: Intensity) -> ModelQuotes:
        horizon_seconds, k = self._parameters.horizon_seconds, intensity.decay
        match self._parameters.model:
            case Model.FINITE_HORIZON:
                return finite_horizon(q=q, gamma=gamma, sigma=sigma, k=k, seconds_left=horizon_seconds - now % horizon_seconds)
            case Model.INFINITE_HORIZON:
                return infinite_horizon(q=q, q_max=q_max, gamma=gamma, sigma=sigma, k=k, horizon_seconds=horizon_seconds)
            case Model.GLFT:
                return glft(q=q, gamma=gamma, sigma=sigma, k=k, arrivals_per_second=intensity.arrivals_per_second)
