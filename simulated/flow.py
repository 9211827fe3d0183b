"""Synthetic order flow: fair prices on a random walk, makers around them, takers that hit either side.

A driver is synchronous: it says when it wants to act next and acts when told. The server gives it the time, so that the
same flow runs in real and in virtual time. All randomness comes from one generator.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Protocol

from market.events import Side
from market.symbol import Symbol
from simulated.engine.matching import MatchingEngine
from simulated.house import House
from simulated.settings import MarketSettings

_TAKER_REACH = 0.003  # how far from the fair price a taker's limit lies
_SKEW_SECONDS_MAX = 1.0  # a clock that jumped does not make the price jump


class MarketDriver(Protocol):
    """Moves the market: the synthetic flow, or a recording."""

    def warm_up(self, now_milliseconds: int) -> None:
        """Make every book two-sided."""
        ...

    def delay_seconds(self, now_milliseconds: int) -> float | None:
        """How long to wait before the next `step`; None when there is none any more."""
        ...

    def step(self, now_milliseconds: int) -> None:
        """Act once."""
        ...

    def move_to(self, symbol: Symbol, price: Decimal, now_milliseconds: int) -> None:
        """Move the market of `symbol` to `price` at once, through whatever rests in between."""
        ...

    def fair_price(self, symbol: Symbol) -> float | None:
        """Where the market is drawn to; None where only the book tells. Raises: KeyError: `symbol` is not traded."""
        ...


class SyntheticFlow:
    """Makers and takers of every market, in one stream of events."""

    def __init__(self, engine: MatchingEngine, markets: Sequence[MarketSettings], rng: random.Random) -> None:
        self._rng = rng
        self._markets = [_MarketFlow(House(engine, settings, rng), settings, rng) for settings in markets]
        self._rates = list(accumulate(settings.maker_rate_per_second + settings.taker_rate_per_second for settings in markets))

    def warm_up(self, now_milliseconds: int) -> None:
        for market in self._markets:
            market.warm_up(now_milliseconds)

    def delay_seconds(self, now_milliseconds: int) -> float | None:
        return self._rng.expovariate(self._rates[-1]) if self._rates and self._rates[-1] > 0 else None

    def step(self, now_milliseconds: int) -> None:
        index = min(bisect(self._rates, self._rng.random() * self._rates[-1]), len(self._markets) - 1)
        self._markets[index].step(now_milliseconds)

    def move_to(self, symbol: Symbol, price: Decimal, now_milliseconds: int) -> None:
        for market in self._markets:
            if market.house.symbol == symbol:
                market.move_to(float(price), now_milliseconds)

    def fair_price(self, symbol: Symbol) -> float:
        """Where the market is drawn to. Raises: KeyError: `symbol` is not traded."""
        return {market.house.symbol: market.fair for market in self._markets}[symbol]


class _MarketFlow:
    """One market's random walk and its participants."""

    def __init__(self, house: House, settings: MarketSettings, rng: random.Random) -> None:
        self.house = house
        self.fair = float(settings.start_price)
        self._settings = settings
        self._rng = rng
        self._fair_min = float(house.price_on_tick(0, up=True)) * 1000
        self._moved_at_milliseconds = 0
        self._maker_share = settings.maker_rate_per_second / max(1e-9, settings.maker_rate_per_second + settings.taker_rate_per_second)

    def warm_up(self, now_milliseconds: int) -> None:
        self._moved_at_milliseconds = now_milliseconds
        self.house.requote(self.fair, now_milliseconds)

    def move_to(self, price: float, now_milliseconds: int) -> None:
        self.fair = price
        self.house.requote(price, now_milliseconds)

    def step(self, now_milliseconds: int) -> None:
        if self._walk(now_milliseconds):
            self.house.requote(self.fair, now_milliseconds)
        elif self._rng.random() < self._maker_share:
            for _ in range(self._settings.maker_quotes_at_once):
                side = Side.BUY if self._rng.random() < 0.5 else Side.SELL
                self.house.refresh(side, self._rng.randrange(self._settings.maker_levels), self.fair, now_milliseconds)
        else:
            self._take(now_milliseconds)
        if not self.house.is_two_sided:
            self.house.requote(self.fair, now_milliseconds)

    def _walk(self, now_milliseconds: int) -> bool:
        """Move the fair price by the time gone by; True when it jumped."""
        settings = self._settings
        elapsed = min(max(0, now_milliseconds - self._moved_at_milliseconds) / 1000, _SKEW_SECONDS_MAX)
        self._moved_at_milliseconds = now_milliseconds
        move = settings.drift_per_second * elapsed + settings.volatility_per_second * math.sqrt(elapsed) * self._rng.gauss(0, 1)
        jumped = self._rng.random() < settings.gap_rate_per_second * elapsed
        if jumped:
            move += settings.gap_fraction * self._rng.choice((-1, 1))
        self.fair = max(self._fair_min, self.fair * math.exp(move))
        return jumped

    def _take(self, now_milliseconds: int) -> None:
        side = Side.BUY if self._rng.random() < self._settings.taker_buy_share else Side.SELL
        limit = self.fair * (1 + _TAKER_REACH if side is Side.BUY else 1 - _TAKER_REACH)
        quantity = self.house.quantity_for(self._settings.taker_notional * self._rng.expovariate(1), self.fair)
        self.house.take(side, quantity, self.house.price_on_tick(limit, up=side is Side.BUY), now_milliseconds)
