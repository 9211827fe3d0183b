"""From an aim, a price to quote around and a spread, to the quotes of both sides. What strategies that quote both sides share. Pure.

Theory of operation. Each side is built by itself, with the same code mirrored. The first level is the aim's, widened to what
the fees and `spread_min_fraction` need, eased back to just ahead of the others (`order_optimisation`), never into the market,
on a tick; further levels follow at their spacing. Levels beyond a band, or of an amount that the exchange does not take, are
left out. Then what is live has its say: an order that may not be moved yet takes the place of the level nearest to it
(`refresh_seconds`); after a fill of its side nothing new comes (`filled_order_delay_seconds`); orders left alone by a fill of
the other side stay besides (`hanging_orders_max`). At last the side is cut to what the inventory has room for, best price first.

Memory is derived from the view: an order's age from the order, a fill from `last_fills`. So bids and asks cannot meet: all bids
are under the aim's centre and all asks above it, the live ones that stay too, or else they do not stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from actors.cycle.quoting.contract import Quote, QuotingView, Wanted
from actors.cycle.quoting.matching import boldest_price, is_leaving, price_of, remaining_of
from actors.cycle.quoting.strategies.inventory import Inventory
from actors.cycle.quoting.strategies.parameters import TwoSidedParameters
from actors.cycle.quoting.strategies.pricing import OthersBook, moving_average, others_book, reference_price
from actors.cycle.quoting.strategies.sides import away, best_first, further, is_beyond, is_open_for, nearer, round_away
from market.events import Side
from orders.order import ZERO, Order

ONE = Decimal(1)


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """Where a strategy wants to quote: around `centre_price`, the first bid and ask so far from it, as fractions above 0 of it.

    `facts` are the numbers of its own that led there.
    """

    centre_price: Decimal
    bid_spread_fraction: Decimal
    ask_spread_fraction: Decimal
    facts: dict[str, Decimal | float] = {}


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What an aim is taken from. `order_base` is the amount of a first level's order in base units."""

    view: QuotingView
    book: OthersBook
    reference_price: Decimal
    order_base: Decimal
    inventory: Inventory


def survey(view: QuotingView, parameters: TwoSidedParameters) -> Situation | str:
    """The situation, or in words what it is waited for."""
    if view.book is None:
        return "the book"
    book = others_book(view, view.book)
    reference = reference_price(parameters.price_source, view, book)
    if isinstance(reference, str):
        return reference
    order_base = parameters.order_amount_base or view.order_quote / reference
    maximum = parameters.inventory_max_base or parameters.inventory_max_orders * order_base
    inventory = Inventory(held=view.tally.inventory, target=parameters.inventory_target_base, maximum=maximum)
    return Situation(view=view, book=book, reference_price=reference, order_base=order_base, inventory=inventory)


def waiting(reason: str) -> Wanted:
    """Nothing is wanted until something is there."""
    return Wanted(phase=f"waiting for {reason}")


def quote_around(aim: Aim, situation: Situation, parameters: TwoSidedParameters) -> Wanted:
    """The quotes of both sides, and what there is to say about them."""
    aim, least = _with_bounds(aim, parameters)
    middle = _middle_of_band(situation, parameters)
    bids, why_no_bids = _SideBuilder(Side.BUY, aim, least, middle, situation, parameters).build()
    asks, why_no_asks = _SideBuilder(Side.SELL, aim, least, middle, situation, parameters).build()
    facts: dict[str, Decimal | float] = {
        "reference_price": situation.reference_price,
        "centre_price": aim.centre_price,
        "bid_spread_fraction": aim.bid_spread_fraction,
        "ask_spread_fraction": aim.ask_spread_fraction,
        "inventory_fraction": situation.inventory.fraction,
    }
    return Wanted(phase=_phase(why_no_bids, why_no_asks), quotes=bids + asks, tolerance=parameters.tolerance, facts=facts | aim.facts)


def _with_bounds(aim: Aim, parameters: TwoSidedParameters) -> tuple[Aim, dict[Side, Decimal]]:
    """The aim with its spread inside the bounds, and for each side the nearest that an order may be to the centre, as a fraction.

    Both keep the proportion of the sides. A bid at centre x (1 - b) and an ask at centre x (1 + a) leave, after a fee of f on
    each, a(1 - f) + b(1 + f) - 2f of the centre price.
    """
    bid, ask, fee = aim.bid_spread_fraction, aim.ask_spread_fraction, parameters.maker_fee_fraction
    least = (2 * fee + parameters.spread_min_fraction) / (ask * (ONE - fee) + bid * (ONE + fee))
    most = parameters.spread_max_fraction / (bid + ask)
    factor = max(least, min(ONE, most))
    bounded = msgspec.structs.replace(aim, bid_spread_fraction=bid * factor, ask_spread_fraction=ask * factor)
    return bounded, {Side.BUY: bid * least, Side.SELL: ask * least}


def _middle_of_band(situation: Situation, parameters: TwoSidedParameters) -> Decimal | None:
    """What the moving band is around; None where there is none."""
    if parameters.moving_band_fraction is None:
        return None
    mean = moving_average(situation.view.history.mids, situation.view.now, parameters.moving_band_seconds)
    return situation.reference_price if mean is None else mean


def _phase(why_no_bids: str, why_no_asks: str) -> str:
    if not why_no_bids and not why_no_asks:
        return "quoting"
    if why_no_bids and why_no_asks:
        return f"quoting nothing: {why_no_bids if why_no_bids == why_no_asks else f'{why_no_bids}; {why_no_asks}'}"
    return f"only selling: {why_no_bids}" if why_no_bids else f"only buying: {why_no_asks}"


class _Level(msgspec.Struct):
    """A level in the making: a quote of it, and whether that is a live order which stays where it is."""

    price: Decimal
    quantity: Decimal
    stays: bool = False


class _SideBuilder:
    """One side of one decision."""

    def __init__(
        self,
        side: Side,
        aim: Aim,
        least: dict[Side, Decimal],
        middle_of_band: Decimal | None,
        situation: Situation,
        parameters: TwoSidedParameters,
    ) -> None:
        self._side = side
        self._aim = aim
        self._spread_fraction = aim.bid_spread_fraction if side is Side.BUY else aim.ask_spread_fraction
        self._least_fraction = least[side]
        self._situation = situation
        self._view = situation.view
        self._instrument = situation.view.instrument
        self._parameters = parameters
        self._band = self._band_limit(middle_of_band)

    def build(self) -> tuple[tuple[Quote, ...], str]:
        """The side's quotes, best first; if there are none, why."""
        why_closed = self._why_closed()
        if why_closed:
            return (), why_closed
        staying = [order for order in self._view.orders if self._may_stay(order)]
        hanging = self._hanging(staying)
        others = [order for order in staying if order not in hanging]
        levels = self._levels()
        why_none = "" if levels else self._why_no_levels()
        if self._is_delayed():
            others.sort(key=lambda order: best_first(self._side, price_of(order)))
            levels = [_staying(order) for order in others[: self._level_count()]]
            why_none = "" if levels else "pausing after a fill"
        else:
            self._seat(levels, [order for order in others if self._is_fresh(order)], {price_of(order) for order in hanging})
        levels += [_staying(order) for order in hanging]
        quotes = self._within_room(levels)
        return quotes, "" if quotes else why_none or "inventory at its maximum"

    def _why_closed(self) -> str:
        if not is_open_for(self._side, self._instrument.status):
            return "closed by the exchange"
        if self._parameters.ping_pong:
            mine, other = (self._view.last_fills.get(side) for side in (self._side, self._side.opposite))
            if mine is not None and (other is None or mine.at > other.at):
                return "ping-pong"
        return ""

    def _why_no_levels(self) -> str:
        if not self._level_count():
            return "inventory at its maximum"
        first = round_away(self._side, self._instrument, self._first_price())
        if self._is_out_of_band(first):
            return "price above its ceiling" if self._side is Side.BUY else "price under its floor"
        if not self._tradable(self._amount(0, first), first):
            return "amount below the exchange's minimum"
        return "inventory near its maximum"

    # Prices

    def _levels(self) -> list[_Level]:
        """The side as it would be if nothing were live; levels that cannot be are left out."""
        levels: list[_Level] = []
        first = self._first_price()
        price = round_away(self._side, self._instrument, first)
        # Of the reference price: of the centre, which leans, it would let a level of an eased side move against the inventory.
        step = distance = self._situation.reference_price * self._parameters.level_spacing_fraction
        factor = self._situation.inventory.size_factor(self._side, self._parameters.inventory_size_skew)
        for number in range(self._level_count()):
            if number:
                wanted = round_away(self._side, self._instrument, away(self._side, first, distance))
                price = further(self._side, wanted, away(self._side, price, self._instrument.price_tick))
                step *= self._parameters.level_spacing_growth
                distance += step
            quantity = self._tradable(self._amount(number, price) * factor, price)
            if quantity and not self._is_out_of_band(price):
                levels.append(_Level(price, quantity))
        return levels

    def _first_price(self) -> Decimal:
        """Not yet on a tick."""
        centre, tick = self._aim.centre_price, self._instrument.price_tick
        price = away(self._side, centre, centre * self._spread_fraction)
        if self._parameters.order_optimisation:
            ahead = away(self._side, self._situation.book.price_at_depth(self._side, self._parameters.optimisation_depth_quote), -tick)
            both = self._aim.bid_spread_fraction + self._aim.ask_spread_fraction
            widest = away(self._side, centre, centre * self._spread_fraction / both * self._parameters.spread_max_fraction)
            price = further(self._side, price, nearer(self._side, ahead, widest))
        touch = away(self._side, self._situation.book.best(self._side.opposite), tick)
        return further(self._side, price, touch)

    def _band_limit(self, middle: Decimal | None) -> Decimal | None:
        """Nothing is bought above it, or sold under it."""
        limits: list[Decimal] = []
        fixed = self._parameters.price_ceiling if self._side is Side.BUY else self._parameters.price_floor
        if fixed is not None:
            limits.append(fixed)
        if middle is not None and self._parameters.moving_band_fraction is not None:
            limits.append(away(self._side.opposite, middle, middle * self._parameters.moving_band_fraction))
        return min(limits, default=None) if self._side is Side.BUY else max(limits, default=None)

    def _is_out_of_band(self, price: Decimal) -> bool:
        return self._band is not None and not is_beyond(self._side, price, self._band)

    # Amounts

    def _level_count(self) -> int:
        return self._situation.inventory.level_count(self._side, self._parameters.levels, self._parameters.inventory_level_skew)

    def _amount(self, number: int, price: Decimal) -> Decimal:
        """Base units of a level, before inventory. By quote amount, no order is worth more than that."""
        base = self._parameters.order_amount_base or self._view.order_quote / max(price, self._situation.reference_price)
        return base * self._parameters.level_amount_growth**number

    def _tradable(self, quantity: Decimal, price: Decimal) -> Decimal:
        """As much of it as the exchange takes in one order; 0 where that is too little, or there is no such price."""
        rules = self._instrument
        if price <= 0:
            return ZERO
        if rules.quantity_max is not None:
            quantity = min(quantity, rules.quantity_max)
        if rules.notional_max is not None:
            quantity = min(quantity, rules.notional_max / price)
        quantity = rules.round_quantity_down(quantity)
        return quantity if quantity >= rules.quantity_min and quantity * price >= rules.notional_min and quantity > 0 else ZERO

    def _within_room(self, levels: Iterable[_Level]) -> tuple[Quote, ...]:
        """The levels, best first, cut to what the inventory has room for."""
        room = self._situation.inventory.room(self._side)
        quotes: list[Quote] = []
        for level in sorted(levels, key=lambda level: best_first(self._side, level.price)):
            quantity = level.quantity if level.quantity <= room else self._tradable(room, level.price)
            if quantity and level.price > 0:
                quotes.append(Quote(side=self._side, price=level.price, quantity=quantity, level=len(quotes)))
                room -= quantity
        return tuple(quotes)

    # What is live

    def _may_stay(self, order: Order) -> bool:
        """Whether an order of this side could be left where it is: near enough is wrong, too near is dangerous."""
        if order.request.side is not self._side or is_leaving(order):
            return False
        centre, boldest = self._aim.centre_price, boldest_price(order)
        nearest = away(self._side, centre, centre * self._least_fraction)
        return boldest > 0 and is_beyond(self._side, boldest, nearest) and not self._is_out_of_band(boldest)

    def _is_fresh(self, order: Order) -> bool:
        """Whether it is too young to be moved. An amended order began anew with its last change."""
        placed_at = order.changed_at if order.amended else order.created_at
        return self._view.now - placed_at < self._parameters.refresh_seconds

    def _is_delayed(self) -> bool:
        fill = self._view.last_fills.get(self._side)
        return fill is not None and self._view.now - fill.at < self._parameters.filled_order_delay_seconds

    def _hanging(self, staying: list[Order]) -> list[Order]:
        """The orders that the other side's newest fill has left alone: those placed before it, nearest to the market first."""
        fill = self._view.last_fills.get(self._side.opposite)
        if fill is None or not self._parameters.hanging_orders_max:
            return []
        reference = self._situation.reference_price
        furthest = away(self._side, reference, reference * self._parameters.hanging_distance_max_fraction)
        alone = [o for o in staying if o.created_at < fill.at and is_beyond(self._side.opposite, price_of(o), furthest)]
        alone.sort(key=lambda order: best_first(self._side, price_of(order)))
        return alone[: self._parameters.hanging_orders_max]

    def _seat(self, levels: list[_Level], fresh: list[Order], taken: set[Decimal]) -> None:
        """Give each order that may not be moved the place of the level nearest to it; the levels left keep off prices that are taken."""
        pairs = sorted(
            ((abs(level.price - price_of(order)), number, order.client_order_id) for number, level in enumerate(levels) for order in fresh),
        )
        free = {order.client_order_id: order for order in fresh}
        for _, number, client_order_id in pairs:
            if client_order_id in free and not levels[number].stays:
                levels[number] = _staying(free.pop(client_order_id))
        taken |= {level.price for level in levels if level.stays}
        for level in levels:
            if not level.stays:
                while level.price in taken:
                    level.price = away(self._side, level.price, self._instrument.price_tick)
                taken.add(level.price)


def _staying(order: Order) -> _Level:
    return _Level(price_of(order), remaining_of(order), stays=True)
