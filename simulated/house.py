"""The house: the simulation's own participants in one market, with deep pockets and no fees.

Makers and takers are two accounts, so that they may trade with one another. A maker's quote that meets the makers' own
stale one replaces it; a client's order in the way is filled like any other.
"""

from __future__ import annotations

import math
import random
from decimal import Decimal

from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import ZERO, NewOrder, Order, OrderRefused, SelfTrade, TimeInForce
from simulated.settings import MarketSettings

MAKERS = "house_makers"
TAKERS = "house_takers"
_DEEP = Decimal(10) ** 15


def open_house(engine: MatchingEngine, now_milliseconds: int) -> None:
    """Open the two house accounts and fill them with every asset that is traded, or that contracts are settled in."""
    assets: dict[str, None] = {}
    for symbol, instrument in engine.instruments.items():
        if not instrument.is_contract:
            assets[symbol.base] = None
        assets[symbol.quote] = None
    for name in (MAKERS, TAKERS):
        engine.open_account(Account(name, self_trade=SelfTrade.CANCEL_OLDEST, quiet=True))
        for asset in assets:
            engine.deposit(name, asset, _DEEP, now_milliseconds)


class House:
    """The house's hands in one market: quote, take, set a level. Prices given as floats are rounded away from the fair one."""

    def __init__(self, engine: MatchingEngine, settings: MarketSettings, rng: random.Random) -> None:
        self.symbol: Symbol = settings.parsed_symbol
        self.settings = settings
        self._engine = engine
        self._instrument: Instrument = engine.instruments[self.symbol]
        self._book = engine.books[self.symbol]
        self._makers = engine.accounts[MAKERS]
        self._rng = rng
        self._tick = float(self._instrument.price_tick)
        self._step = float(self._instrument.quantity_step)
        self._slots: dict[tuple[Side, int], int] = {}
        self._levels: dict[tuple[Side, Decimal], int] = {}

    @property
    def is_two_sided(self) -> bool:
        return self._book.bids.best is not None and self._book.asks.best is not None

    def requote(self, fair: float, now_milliseconds: int) -> None:
        """Take every quote away and quote both sides afresh around `fair`."""
        for key in list(self._slots):
            self._cancel(self._slots.pop(key), now_milliseconds)
        self._sweep(fair, now_milliseconds)
        for level in range(self.settings.maker_levels):
            for side in (Side.BUY, Side.SELL):
                self.refresh(side, level, fair, now_milliseconds)

    def refresh(self, side: Side, level: int, fair: float, now_milliseconds: int) -> None:
        """Replace the quote of one maker."""
        stale = self._slots.pop((side, level), None)
        if stale is not None:
            self._cancel(stale, now_milliseconds)
        settings = self.settings
        distance = settings.half_spread + settings.level_spacing * (level + 0.5 * self._rng.random())
        price = self.price_on_tick(fair * (1 - distance if side is Side.BUY else 1 + distance), up=side is Side.SELL)
        quantity = self.quantity_for(settings.maker_level_notional * (0.3 + 1.4 * self._rng.random()), fair)
        order = self._place(NewOrder(account=MAKERS, symbol=self.symbol, side=side, price=price, quantity=quantity), now_milliseconds)
        if order is not None and order.is_open:
            self._slots[(side, level)] = order.id

    def take(self, side: Side, quantity: Decimal, price_limit: Decimal, now_milliseconds: int) -> Order | None:
        """Hit the other side with an immediate-or-cancel order; None if the market's rules forbid it."""
        return self._place(
            NewOrder(
                account=TAKERS,
                symbol=self.symbol,
                side=side,
                time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
                price=price_limit,
                quantity=quantity,
            ),
            now_milliseconds,
        )

    def set_level(self, side: Side, price: Decimal, quantity: Decimal, now_milliseconds: int) -> None:
        """Make the house's own quantity at `price` exactly `quantity`; zero takes it away."""
        stale = self._levels.pop((side, price), None)
        if stale is not None:
            self._cancel(stale, now_milliseconds)
        if quantity:
            new = NewOrder(account=MAKERS, symbol=self.symbol, side=side, price=price, quantity=quantity)
            order = self._place(new, now_milliseconds)
            if order is not None and order.is_open:
                self._levels[(side, price)] = order.id

    def quantity_at(self, side: Side, price: Decimal) -> Decimal:
        """What is left of the quantity that `set_level` has put at `price`."""
        order = self._makers.open_orders.get(self._levels.get((side, price), 0))
        return ZERO if order is None else order.remaining_quantity

    def levels(self) -> list[tuple[Side, Decimal]]:
        """The prices that `set_level` has set and not taken away."""
        return list(self._levels)

    def clear_better_than(self, price: Decimal, side: Side, now_milliseconds: int) -> None:
        """Take away the house's quotes on `side` that would be matched before `price`."""
        for order in list(self._book.side(side).orders()):
            if order.price >= price if side is Side.SELL else order.price <= price:
                return
            if order.account == MAKERS:
                self._cancel(order.id, now_milliseconds)

    def price_on_tick(self, price: float, *, up: bool) -> Decimal:
        ticks = price / self._tick
        return max(1, math.ceil(ticks) if up else math.floor(ticks)) * self._instrument.price_tick

    def quantity_for(self, notional: float, price: float) -> Decimal:
        """A tradable quantity worth about `notional`, never below the market's minimum."""
        wanted = max(notional, 1.01 * float(self._instrument.notional_min)) / price
        return max(math.ceil(wanted / self._step) * self._instrument.quantity_step, self._instrument.quantity_min)

    def _sweep(self, fair: float, now_milliseconds: int) -> None:
        """Trade with everything that clients offer through the fair price: whole levels, so that quotes find room."""
        for side in (Side.BUY, Side.SELL):
            offered = self._book.side(side.opposite)
            while (best := offered.best) is not None and (best < fair if side is Side.BUY else best > fair):
                # The rest of a client's order may be too small to be traded with alone; what is beyond it is not taken.
                quantity = max(offered.quantity_at(best), self.quantity_for(0.0, float(best)))
                if self.take(side, quantity, best, now_milliseconds) is None:
                    break  # the market's rules forbid it: it stays

    def _place(self, new: NewOrder, now_milliseconds: int) -> Order | None:
        try:
            return self._engine.place(new, now_milliseconds)
        except OrderRefused:
            return None  # a recorded price or size that breaks this market's rules is left out, as an exchange would

    def _cancel(self, order_id: int, now_milliseconds: int) -> None:
        if order_id in self._makers.open_orders:
            self._engine.cancel(order_id, now_milliseconds)
