"""How much the price moves and how deep trades reach: estimates from what the market did lately. Pure.

Everything is relative to the mid, so that an estimate means the same at any price: a distance of 0.001 is a tenth of a percent.

**Volatility** sigma, per square root of a second: of a Brownian motion seen at moments t(0) < t(1) < … the estimate is

    sigma^2 = sum of ln(mid(i) / mid(i-1))^2 / sum of (t(i) - t(i-1))

which is unbiased whatever the moments are, and has with n returns evenly spaced a relative error of 1 / sqrt(2 n) (one standard
deviation): 4 % with 300. Its absolute counterpart is sigma x mid. Samples nearer to each other than a given spacing are passed
over, because of a book's flicker between two ticks no volatility should be made.

**Trading intensity**: the rate at which orders that take reach a distance of delta from the mid, on one side, is modelled as
lambda(delta) = A exp(-k delta) (Avellaneda and Stoikov 2008, section 2.5). The trades of one such order (same side, same
millisecond) are one arrival, as deep as the deepest. Then depths beyond the nearest one, d(0), are exponentially distributed
with rate k, and arrivals are as frequent as lambda(d(0)) says:

    k = (n - 2) / sum of (d(i) - d(0))          A = arrivals a second and side x exp(k d(0))

k is unbiased, with a relative error of 1 / sqrt(n); that of A is about 1 / sqrt(n) too while k d(0) is small. Distances are measured
from the mid of the tick before the trade, as those of our quotes are; so what the price moves between two ticks makes them larger,
hence k smaller and spreads wider, where that is not small beside 1 / k. Prices have a tick themselves: the mean of the depths beyond
d(0) is taken to be half of one at least.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from actors.cycle.quoting.contract import MidSample
from actors.cycle.quoting.strategies.pricing import spaced_samples
from market.events import Side, TradeHappened

RETURNS_MIN = 30
ARRIVALS_MIN = 30
# More would make no estimate better, and each is looked at in every decision.
TRADES_MAX = 1_000
# Of the window: without a sample for longer than that, the market was not seen.
PAUSE_FRACTION = 0.1
# Beyond that the rate at the mid is an extrapolation of no meaning, and only has to stay a number.
EXPONENT_MAX = 20.0


class Intensity(msgspec.Struct, frozen=True, kw_only=True):
    """lambda(delta) = `arrivals_per_second` x exp(-`decay` x delta), for one side, delta as a fraction of the mid."""

    arrivals_per_second: float
    decay: float


def volatility(mids: Sequence[MidSample], *, now: float, window_seconds: float, spacing_seconds: float) -> float | None:
    """Of the mid, relative, per square root of a second; None with fewer than `RETURNS_MIN` returns in the window."""
    squares = seconds = 0.0
    returns = 0
    pause_seconds = window_seconds * PAUSE_FRACTION
    for before, after in pairwise(spaced_samples(mids, now - window_seconds, spacing_seconds)):
        passed_seconds = after.at - before.at
        if passed_seconds <= pause_seconds:
            squares += math.log(after.mid / before.mid) ** 2
            seconds += passed_seconds
            returns += 1
    return math.sqrt(squares / seconds) if returns >= RETURNS_MIN else None


def trading_intensity(
    trades: Sequence[TradeHappened], mids: Sequence[MidSample], *, now: float, window_seconds: float, tick_fraction: float
) -> Intensity | None:
    """Of arrivals on one side, both being taken together; None with fewer than `ARRIVALS_MIN` of them in the window.

    `tick_fraction` is the price tick as a fraction of the price.
    """
    first = max(bisect_left(trades, now - window_seconds, key=_received_at), len(trades) - TRADES_MAX)
    pause_seconds = window_seconds * PAUSE_FRACTION
    depths = list(_depths(trades, first, mids, pause_seconds))
    if len(depths) < ARRIVALS_MIN:
        return None
    # From the first arrival on: how far back the trades reach may be bounded by their number.
    seconds = _seconds_seen(mids, trades[first].received_at, now, pause_seconds)
    nearest = min(depths)
    beyond = max(sum(depths) - len(depths) * nearest, len(depths) * tick_fraction / 2)
    decay = (len(depths) - 2) / beyond
    rate = (len(depths) - 1) / 2 / max(seconds, 1e-9)
    return Intensity(arrivals_per_second=rate * math.exp(min(decay * nearest, EXPONENT_MAX)), decay=decay)


def _depths(trades: Sequence[TradeHappened], first: int, mids: Sequence[MidSample], pause_seconds: float) -> Iterator[float]:
    """How far from the mid each order that took has reached, as fractions; those while the market was not seen are left out."""
    order: tuple[Side, int] | None = None
    deepest: float | None = None
    # The first sample later than the trade: both are in order, so that one walk finds all.
    after = bisect_right(mids, trades[first].received_at, key=_at) if first < len(trades) else 0
    for number in range(first, len(trades)):
        trade = trades[number]
        if order != (trade.side, trade.exchange_time_milliseconds):
            if deepest is not None:
                yield deepest
            order, deepest = (trade.side, trade.exchange_time_milliseconds), None
        while after < len(mids) and mids[after].at <= trade.received_at:
            after += 1
        if after and trade.received_at - mids[after - 1].at <= pause_seconds:
            depth = (trade.price / mids[after - 1].mid - 1) * (1 if trade.side is Side.BUY else -1)
            deepest = max(depth, deepest or 0.0)
    if deepest is not None:
        yield deepest


def _seconds_seen(mids: Sequence[MidSample], since: float, now: float, pause_seconds: float) -> float:
    """The time since then, less pauses."""
    seen = pairwise([since, *(sample.at for sample in spaced_samples(mids, since, pause_seconds / 10)), now])
    return sum(after - before for before, after in seen if after - before <= pause_seconds)


def _received_at(trade: TradeHappened) -> float:
    return trade.received_at


def _at(sample: MidSample) -> float:
    return sample.at
