"""A recorded market instead of the synthetic flow: the book and the trades of a recording, in its own time.

The house stands in for everybody who was there: its levels are the recorded ones, its takers trade what was traded. A
client's order takes part: what was sold at or below its bid, or bought at or above its ask, is traded with it first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

from market.events import Side
from market.symbol import Symbol
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import ZERO
from simulated.house import House
from simulated.recording import BookRecorded, LevelsRecorded, Recording, Step, TradeRecorded
from simulated.settings import MarketSettings


class Replay:
    """A `MarketDriver` that follows a recording, `speed` times as fast as it was. When it ends, the book stays as it is."""

    def __init__(
        self, recording: Recording, engine: MatchingEngine, markets: Sequence[MarketSettings], rng: random.Random, *, speed: float = 1.0
    ) -> None:
        self._recording = recording
        self._speed = speed
        self._houses = {settings.parsed_symbol: House(engine, settings, rng) for settings in markets}
        self._last_prices: dict[Symbol, Decimal] = {}
        self._next = 0
        self._started_at_milliseconds = 0
        self._steps = [step for step in recording.steps if step.symbol in self._houses]
        self._first_books = _first_of_each(self._steps)

    def warm_up(self, now_milliseconds: int) -> None:
        """Start the recording's time and set every market's first book."""
        if self._next:
            return  # run again: the recording goes on where it was
        self._started_at_milliseconds = now_milliseconds
        for step in self._first_books:
            if isinstance(step, TradeRecorded):
                self._houses[step.symbol].requote(float(step.price), now_milliseconds)
            else:
                self._carry_out(step, now_milliseconds)

    def delay_seconds(self, now_milliseconds: int) -> float | None:
        if self._next == len(self._steps):
            return None
        after = (self._steps[self._next].at_milliseconds - self._steps[0].at_milliseconds) / self._speed
        return max(0.0, (self._started_at_milliseconds + after - now_milliseconds) / 1000)

    def step(self, now_milliseconds: int) -> None:
        step = self._steps[self._next]
        self._next += 1
        if not (isinstance(step, BookRecorded) and step in self._first_books):
            self._carry_out(step, now_milliseconds)

    def move_to(self, symbol: Symbol, price: Decimal, now_milliseconds: int) -> None:
        self._houses[symbol].requote(float(price), now_milliseconds)

    def fair_price(self, symbol: Symbol) -> float | None:
        """A recording knows no price but those of its book and trades."""
        return None

    def _carry_out(self, step: Step, now_milliseconds: int) -> None:
        house = self._houses[step.symbol]
        if isinstance(step, BookRecorded):
            recorded = {(side, price) for side, price, _ in step.levels}
            for side, price in house.levels():
                if (side, price) not in recorded:
                    house.set_level(side, price, ZERO, now_milliseconds)
        if isinstance(step, BookRecorded | LevelsRecorded):
            for side, price, quantity in step.levels:
                house.set_level(side, price, quantity, now_milliseconds)
        elif self._recording.has_books:
            self._trade_in_recorded_book(house, step, now_milliseconds)
        else:
            self._trade_in_built_book(house, step, now_milliseconds)

    def _trade_in_recorded_book(self, house: House, step: TradeRecorded, now_milliseconds: int) -> None:
        """The recorded changes of the book say what a trade left of a level, so what stood in its way is put back after it."""
        hit = step.side.opposite
        there = house.quantity_at(hit, step.price)
        aside = [
            (side, price, house.quantity_at(side, price))
            for side, price in house.levels()
            if (price <= step.price if side is Side.SELL else price >= step.price)
        ]
        for side, price, _ in aside:
            house.set_level(side, price, ZERO, now_milliseconds)
        house.set_level(hit, step.price, max(there, step.quantity), now_milliseconds)
        house.take(step.side, step.quantity, step.price, now_milliseconds)
        house.set_level(hit, step.price, ZERO, now_milliseconds)
        for side, price, quantity in aside:
            house.set_level(side, price, quantity, now_milliseconds)

    def _trade_in_built_book(self, house: House, step: TradeRecorded, now_milliseconds: int) -> None:
        """Quotes follow the price; what is traded stands at the recorded price just for the trade."""
        hit = step.side.opposite
        if self._last_prices.get(step.symbol) != step.price:
            self._last_prices[step.symbol] = step.price
            house.requote(float(step.price), now_milliseconds)
        house.clear_better_than(step.price, hit, now_milliseconds)
        house.set_level(hit, step.price, step.quantity, now_milliseconds)
        house.take(step.side, step.quantity, step.price, now_milliseconds)
        house.set_level(hit, step.price, ZERO, now_milliseconds)
        if not house.is_two_sided:
            house.requote(float(step.price), now_milliseconds)


def _first_of_each(steps: list[Step]) -> list[Step]:
    """For every market its first book; its first trade where no book is recorded."""
    first: dict[Symbol, Step] = {}
    for step in steps:
        known = first.get(step.symbol)
        if known is None or (isinstance(step, BookRecorded) and not isinstance(known, BookRecorded)):
            first[step.symbol] = step
    return list(first.values())
