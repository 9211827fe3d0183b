"""Where the papers quote: reservation prices and spreads in closed form. Pure arithmetic, in any consistent units.

Symbols as in the papers: s the mid, q the inventory in orders, gamma the risk aversion, sigma the volatility per square root of a
second, T - t the seconds left, and lambda(delta) = A exp(-k delta) the rate at which an order at a distance of delta is filled.
With prices as fractions of the mid, as this program has them, sigma, 1 / k and 1 / gamma are fractions too.

M. Avellaneda, S. Stoikov: High-frequency trading in a limit order book. Quantitative Finance 8(3), 2008, 217-224.
O. Guéant, C.-A. Lehalle, J. Fernandez-Tapia: Dealing with the inventory risk. A solution to the market making problem.
Mathematics and Financial Economics 7(4), 2013, 477-507.
"""

from __future__ import annotations

import math

import msgspec


class ModelQuotes(msgspec.Struct, frozen=True):
    """The reservation price, the middle of bid and ask, as a distance from the mid; and how far bid and ask are from it."""

    shift: float
    half_spread: float


def finite_horizon(*, q: float, gamma: float, sigma: float, k: float, seconds_left: float) -> ModelQuotes:
    """Avellaneda and Stoikov, equations 29 and 30:

    r - s = -q gamma sigma^2 (T - t), and a spread of gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k).
    """
    risk = gamma * sigma**2 * seconds_left
    return ModelQuotes(-q * risk, risk / 2 + _liquidity(gamma, k))


def infinite_horizon(*, q: float, q_max: float, gamma: float, sigma: float, k: float, horizon_seconds: float) -> ModelQuotes:
    """Avellaneda and Stoikov, section 2.3: the stationary reservation prices of bid and ask,

    r(b) - s = (1 / gamma) ln(1 - (1 + 2q) gamma^2 sigma^2 / (2 omega - gamma^2 q^2 sigma^2)),
    r(a) - s = -(1 / gamma) ln(1 - (1 - 2q) gamma^2 sigma^2 / (2 omega - gamma^2 q^2 sigma^2)),

    and from each of them (1 / gamma) ln(1 + gamma / k). (The ask is the bid's mirror image, as the paper's value function has it; as
    printed there it agrees with that to the first order only.) The discount rate omega is 1 / `horizon_seconds`, so that a small
    inventory is priced as by the finite horizon; but at least the paper's bound (1 / 2) gamma^2 sigma^2 (q_max + 1)^2. At that bound no
    price would be low enough to buy at q_max, hence |q| counts as q_max - 1/2 at most: what is bought there is not for prices to say.
    """
    q = max(0.5 - q_max, min(q_max - 0.5, q))
    variance = (gamma * sigma) ** 2
    if not variance:
        return ModelQuotes(0.0, _liquidity(gamma, k))
    denominator = max(2 / horizon_seconds, variance * (q_max + 1) ** 2) - variance * q**2
    bid = math.log1p(-(1 + 2 * q) * variance / denominator) / gamma
    ask = -math.log1p(-(1 - 2 * q) * variance / denominator) / gamma
    return ModelQuotes((ask + bid) / 2, (ask - bid) / 2 + _liquidity(gamma, k))


def glft(*, q: float, gamma: float, sigma: float, k: float, arrivals_per_second: float) -> ModelQuotes:
    """Guéant, Lehalle and Fernandez-Tapia, the closed-form approximation of the quotes far from the end (section 4):

    delta(b) = (1 / gamma) ln(1 + gamma / k) + (2q + 1) / 2 x Y and delta(a) = the same - (2q - 1) / 2 x Y, with
    Y = sqrt(sigma^2 gamma / (2 k A) (1 + gamma / k)^(1 + k / gamma)).
    """
    growth = math.exp((1 + k / gamma) * math.log1p(gamma / k))
    per_order = math.sqrt(sigma**2 * gamma / (2 * k * arrivals_per_second) * growth)
    return ModelQuotes(-q * per_order, per_order / 2 + _liquidity(gamma, k))


def _liquidity(gamma: float, k: float) -> float:
    """Half a spread for whom inventory costs nothing."""
    return math.log1p(gamma / k) / gamma
