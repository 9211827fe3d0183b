"""From the quotes that should be live to the requests that bring it about: pure planning, with the fewest requests.

Rules. What is within tolerance stays: its place in the queue is worth money. What is not is amended where the exchange can, and
else cancelled and replaced later. An order occupies its place until the exchange has told its end, also while it is being
cancelled or its fate is unknown: so there are never more live orders on a side than it should have quotes, a replacement counts
the last fill of what it replaces, and one slot never has two live orders. Only orders at rest are asked anything. What an
amendment may make of an order counts from the moment in which it was sent, also while the account has not read it.

Nothing is placed or amended at or through an order of ours on the other side that may be live, wherever amendments may have
taken it. Levels that funds do not cover are left out, the highest first; where a higher level holds what a lower one lacks, it
is cancelled. A side is not left empty for it: where funds do not cover even the best level, that is made as small as they do, and
stays so until they cover it whole, or its price moves. Else a cycle that got less than an order's worth, by a fee taken from
what it bought, could not sell that, and not buy either where its limits are reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import count

import msgspec
from msgspec.structs import replace

from actors.cycle.quoting.contract import Quote, Wanted
from actors.cycle.quoting.funds import Funds
from actors.cycle.quoting.limits import Allowance, Room
from actors.cycle.quoting.matching import (
    Pair,
    boldest_price,
    fits,
    fits_but_is_smaller,
    is_at_rest,
    is_leaving,
    is_of_kind,
    is_tradable,
    pair_nearest,
    possible_quotes,
    remaining_of,
    would_meet,
)
from actors.cycle.slots import slot_of
from market.events import Side
from market.instrument import Instrument
from orders.amendments import amendment_asked
from orders.commands import AmendOrder
from orders.order import Order

TAG = "q"
_SLOT_LETTER = {Side.BUY: "b", Side.SELL: "s"}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What planning must know besides orders and quotes.

    `best_bid` and `best_ask` are those of the book (ours among them); `room` is what the strategy's limits leave. With
    `may_place` false only cancels are planned. `may_amend`: the exchange can. `asked` are orders that a command of ours is on
    its way for, `amending` those of the commands that amend, by order; `not_amendable` are orders that are rather cancelled.
    `price_bounds`: a post-only bid must not be above, a post-only ask not below; nothing is placed on the `pausing` sides.
    """

    instrument: Instrument
    best_bid: Decimal | None
    best_ask: Decimal | None
    funds: Funds
    room: Room = Room()
    may_place: bool = True
    may_amend: bool = False
    asked: frozenset[str] = frozenset()
    amending: Mapping[str, AmendOrder] = {}
    not_amendable: frozenset[str] = frozenset()
    price_bounds: Mapping[Side, Decimal] = {}
    pausing: frozenset[Side] = frozenset()


class Placement(msgspec.Struct, frozen=True):
    """A quote to be placed, and its slot."""

    slot: str
    quote: Quote


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send now: cancels first. `is_waiting`: there is more to do, once something is heard of orders or balances.

    `short`: the sides on which quotes were left out, or made smaller, because funds do not cover them.
    """

    cancels: tuple[Order, ...] = ()
    amends: tuple[AmendOrder, ...] = ()
    places: tuple[Placement, ...] = ()
    is_waiting: bool = False
    short: tuple[Side, ...] = ()


def tag_of(slot: str) -> str:
    """What marks an order of a slot."""
    return f"{TAG}:{slot}"


def plan(wanted: Wanted, orders: Iterable[Order], around: Surroundings) -> Plan:
    """The requests that lead from the live ones among `orders` to `wanted`. Applied again after they took effect, it sends nothing.

    Of those that have ended, the ones whose fills are not all known count against the `room`.
    """
    if wanted.hold:
        return Plan()
    return _Planning(wanted, [_as_it_may_become(order, around.amending.get(order.client_order_id)) for order in orders], around).plan()


def _as_it_may_become(order: Order, sent: AmendOrder | None) -> Order:
    """With the amendment that is on its way to the account: else a second decision would give away what the first has given to it."""
    return order if sent is None or order.is_terminal else amendment_asked(order, sent.price, sent.quantity)


class _Planning:
    """One plan in the making."""

    def __init__(self, wanted: Wanted, orders: Sequence[Order], around: Surroundings) -> None:
        self._around = around
        self._live = live = [order for order in orders if not order.is_terminal]
        self._allowance = Allowance(around.room, orders)
        self._quotes = possible_quotes(
            wanted.quotes,
            around.instrument,
            best_bid=around.best_bid,
            best_ask=around.best_ask,
            price_bounds=around.price_bounds,
        )
        self._tolerance = wanted.tolerance
        self._budget = around.funds.budget(live)
        self._cancels: list[Order] = []
        self._amends: list[AmendOrder] = []
        self._places: list[Placement] = []
        self._is_waiting = False
        self._kept: list[Pair] = []
        self._room: dict[Side, int] = {}
        self._short: set[Side] = set()
        self._taken_slots = {slot_of(order) for order in live}
        self._boldest = [(order.request.side, boldest_price(order)) for order in live]

    def plan(self) -> Plan:
        # A second live order in a slot can only be one whose absence was wrongly believed: it goes, however well it fits.
        first_in_slot = {slot_of(order): order.client_order_id for order in reversed(self._live)}
        surplus = [order for order in self._live if first_in_slot[slot_of(order)] != order.client_order_id]
        for order in surplus:
            self._cancel(order)
        todo: list[tuple[Quote, Order | None]] = []
        for side in Side:
            todo += self._match(side, [order for order in self._live if order.request.side is side and order not in surplus])
        for quote, order in sorted(todo, key=lambda each: (each[0].level, each[0].side.value)):
            self._bring_about(quote, order)
        return Plan(
            cancels=tuple(self._cancels),
            amends=tuple(self._amends),
            places=tuple(self._places),
            is_waiting=self._is_waiting,
            short=tuple(side for side in Side if side in self._short),
        )

    def _match(self, side: Side, mine: Sequence[Order]) -> list[tuple[Quote, Order | None]]:
        """Keep what fits, cancel what serves nothing; returns quotes that lack an order, with the one to be amended if there is."""
        around, quotes = self._around, [quote for quote in self._quotes if quote.side is side]
        others = [quote.price for quote in self._quotes if quote.side is not side]
        self._room[side] = len(quotes) - sum(order.request.side is side for order in self._live)
        staying = [order for order in mine if not is_leaving(order)]
        # Tolerance must not keep an order where it is in the way of the other side.
        first_met = min(others, default=None) if side is Side.BUY else max(others, default=None)
        free = [order for order in staying if first_met is None or not would_meet(boldest_price(order), side, first_met)]
        kept = pair_nearest(free, quotes, partial(fits, tolerance=self._tolerance))
        if not kept and free == list(mine):
            kept = self._kept_for_want_of_funds(free, quotes)
        self._kept += kept
        served = {id(pair.quote) for pair in kept}
        left_quotes = [quote for quote in quotes if id(quote) not in served]
        serving = {pair.order.client_order_id for pair in kept}
        left_orders = [order for order in mine if order.client_order_id not in serving]
        may_amend = around.may_amend and around.may_place
        moved = pair_nearest([order for order in left_orders if may_amend and self._may_amend(order)], left_quotes, is_of_kind)
        order_by_quote = {id(pair.quote): pair.order for pair in moved}
        moving = {pair.order.client_order_id for pair in moved}
        for order in left_orders:
            if order.client_order_id not in moving:
                self._cancel(order)
        return [(quote, order_by_quote.get(id(quote))) for quote in left_quotes]

    def _kept_for_want_of_funds(self, mine: Sequence[Order], quotes: Sequence[Quote]) -> list[Pair]:
        """A side's only order, where it is the best quote but for its size, and funds do not cover the whole, as far as is known."""
        if len(mine) != 1 or not quotes or not fits_but_is_smaller(mine[0], quotes[0], self._tolerance):
            return []
        if self._budget.covers(quotes[0], mine[0]) and self._around.funds.are_settled:
            return []
        self._short.add(quotes[0].side)
        self._is_waiting |= not self._around.funds.are_settled
        return [Pair(mine[0], quotes[0])]

    def _may_amend(self, order: Order) -> bool:
        return self._may_ask(order) and order.client_order_id not in self._around.not_amendable

    def _may_ask(self, order: Order) -> bool:
        return is_at_rest(order) and order.client_order_id not in self._around.asked

    def _cancel(self, order: Order) -> None:
        if self._may_ask(order):
            self._cancels.append(order)
        else:
            self._is_waiting = True

    def _bring_about(self, quote: Quote, order: Order | None) -> None:
        if order is None and not self._may_place(quote.side):
            return
        if any(side is not quote.side and would_meet(quote.price, quote.side, price) for side, price in self._boldest):
            self._is_waiting = True  # until what is in the way has gone
            return
        if not self._allowance.covers(quote, order):
            self._is_waiting = True  # until what may still fill has ended
            return
        if not self._budget.covers(quote, order):
            self._go_short(quote, order)
            return
        self._send(quote, order)

    def _send(self, quote: Quote, order: Order | None) -> None:
        self._budget.spend(quote, order)
        self._allowance.spend(quote, order)
        self._boldest.append((quote.side, quote.price))
        if order is not None:
            self._amends.append(self._amendment(quote, order))
            return
        self._room[quote.side] -= 1
        slot = next(slot for number in count() if (slot := f"{_SLOT_LETTER[quote.side]}{number}") not in self._taken_slots)
        self._taken_slots.add(slot)
        self._places.append(Placement(slot, quote))

    def _may_place(self, side: Side) -> bool:
        if not self._around.may_place or side in self._around.pausing or side in self._short:
            return False
        if self._room[side] <= 0:
            self._is_waiting = True
            return False
        return True

    def _amendment(self, quote: Quote, order: Order) -> AmendOrder:
        """Only what is out of tolerance is changed: some exchanges take one change at a time in a batch, and all are quicker so."""
        keeps_price = abs((order.request.price or quote.price) - quote.price) <= self._tolerance.price_fraction * quote.price
        keeps_quantity = abs(remaining_of(order) - quote.quantity) <= self._tolerance.quantity_fraction * quote.quantity
        return AmendOrder(
            client_order_id=order.client_order_id,
            price=None if keeps_price and not keeps_quantity else quote.price,
            quantity=None if keeps_quantity else order.filled_quantity + quote.quantity,
        )

    def _go_short(self, quote: Quote, order: Order | None) -> None:
        """Funds do not cover it: what higher levels of its side hold is freed for it, if that suffices; else it is left out."""
        if not self._around.funds.are_settled:
            self._is_waiting = True
            return
        higher = [pair for pair in self._kept if pair.quote.side is quote.side and pair.quote.level > quote.level]
        freed: list[Order] = []
        for pair in sorted(higher, key=lambda pair: -pair.quote.level):
            if self._budget.covers(quote, order, freed=freed):
                break
            if self._may_ask(pair.order):
                freed.append(pair.order)
        if self._budget.covers(quote, order, freed=freed):
            for victim in freed:
                if victim not in self._cancels:
                    self._cancels.append(victim)
            self._is_waiting = True
            return
        self._short.add(quote.side)
        if order is not None:
            self._cancel(order)
        self._place_in_part(quote)

    def _place_in_part(self, quote: Quote) -> None:
        """As much of it as funds cover, where its side would be left empty otherwise."""
        side = quote.side
        staying = [order for order in self._live if order.request.side is side and order not in self._cancels]
        if staying or any(placement.quote.side is side for placement in self._places):
            return
        if any(order.request.side is side for order in self._live):
            self._is_waiting = True  # until what is being cancelled has ended, and its funds are told
            return
        part = replace(quote, quantity=self._around.instrument.round_quantity_down(self._budget.part_of(quote)))
        if is_tradable(part.quantity, part.price, self._around.instrument) and self._budget.covers(part, None):
            self._send(part, None)
