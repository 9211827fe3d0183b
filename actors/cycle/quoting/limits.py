"""A strategy's own limits on what it may buy and sell: whatever its orders fill, in whatever order, they hold. Pure.

Theory of operation. What may still be bought is the limit less what is held; what may be sold, likewise. Both sides are taken by
themselves: nothing says that the other side fills first. `clipped` makes a decision no larger than that, so that it can be
carried out whole. An order that is not wanted any more still fills until its end is known, so before anything is placed or made larger
`Allowance` is asked, which counts all that may still fill: what does not fit yet waits until something has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from actors.cycle.quoting.contract import Quote, Wanted
from actors.cycle.quoting.matching import is_tradable
from actors.cycle.terms import StrategyLimits
from market.events import Side
from market.exact import exact_sum
from market.instrument import Instrument
from orders.order import ZERO, Order
from orders.tally import Tally


class SideRoom(msgspec.Struct, frozen=True):
    """How much may trade on one side from now on, beyond the trades known, and which limit says so; None: as much as you like."""

    quantity: Decimal | None = None
    limit: str = ""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """How much may trade from now on."""

    buy: SideRoom = SideRoom()
    sell: SideRoom = SideRoom()

    def of(self, side: Side) -> SideRoom:
        return self.buy if side is Side.BUY else self.sell


def room_of(limits: StrategyLimits, tally: Tally) -> Room:
    """What `limits` leave after these trades. Beyond a limit already (a person has lowered it), nothing is left towards it."""
    net, held = tally.traded.quantity, tally.inventory
    return Room(
        buy=_tightest({"net_buy_max": _less(limits.net_buy_max, net), "inventory_max": _less(limits.inventory_max, held)}),
        sell=_tightest({"net_sell_max": _less(limits.net_sell_max, -net), "inventory_max": _less(limits.inventory_max, -held)}),
    )


def _less(most: Decimal | None, used: Decimal) -> Decimal | None:
    return None if most is None else max(ZERO, most - used)


def _tightest(rooms: dict[str, Decimal | None]) -> SideRoom:
    known = [(quantity, limit) for limit, quantity in rooms.items() if quantity is not None]
    return SideRoom(*min(known)) if known else SideRoom()


def clipped(wanted: Wanted, room: Room, instrument: Instrument) -> Wanted:
    """`wanted` with no more on a side than there is room for: higher levels are left out first, the last that fits in part is made smaller.

    What would be smaller than the exchange takes is left out. The phase says which limit cut something off.
    """
    if wanted.hold:
        return wanted
    kept: dict[int, Quote] = {}
    cuts: list[str] = []
    for side in Side:
        left, is_cut = room.of(side).quantity, False
        numbered = [(number, quote) for number, quote in enumerate(wanted.quotes) if quote.side is side]
        for number, quote in sorted(numbered, key=lambda each: (each[1].level, each[0])):
            quantity = quote.quantity if left is None else min(quote.quantity, instrument.round_quantity_down(left))
            is_cut |= quantity < quote.quantity
            if quantity < quote.quantity and not is_tradable(quantity, quote.price, instrument):
                continue
            kept[number] = quote if quantity == quote.quantity else replace(quote, quantity=quantity)
            left = None if left is None else left - quantity
        if is_cut:
            cuts.append(f"{'bids' if side is Side.BUY else 'asks'} cut by {room.of(side).limit}")
    if not cuts:
        return wanted
    return replace(wanted, quotes=tuple(kept[number] for number in sorted(kept)), phase="; ".join((wanted.phase, *cuts)))


class Allowance:
    """The room, while it is given out to placements and amendments.

    `orders` are all of the cycle's that may trade, or have traded what is not in the tally yet: those that are live, and those that have
    ended while some of their fills are not known.
    """

    def __init__(self, room: Room, orders: Iterable[Order]) -> None:
        open_quantities = {Side.BUY: ZERO, Side.SELL: ZERO}
        for order in orders:
            open_quantities[order.request.side] += still_to_count(order)
        self._left: dict[Side, Decimal | None] = {}
        for side in Side:
            quantity = room.of(side).quantity
            self._left[side] = None if quantity is None else quantity - open_quantities[side]

    def covers(self, quote: Quote, order: Order | None = None) -> bool:
        """Whether `quote` may be placed, or `order` amended to it, now."""
        left, needed = self._left[quote.side], _needed(quote, order)
        return left is None or not needed or needed <= left

    def spend(self, quote: Quote, order: Order | None = None) -> None:
        """It is placed, or amended."""
        left = self._left[quote.side]
        if left is not None:
            self._left[quote.side] = left - _needed(quote, order)


def still_to_count(order: Order) -> Decimal:
    """Base units that an order may add to its owner's trades, on top of the fills that are known.

    As long as it could trade that is all of it, as large as an amendment of unknown outcome may have made it, reduce-only or
    not: what it reduces is the account's position, in which others may have a part.
    """
    known = exact_sum(fill.quantity for fill in order.fills)
    most = order.filled_quantity if order.is_terminal else max(order.largest_request.quantity or ZERO, order.filled_quantity)
    return max(ZERO, most - known)


def _needed(quote: Quote, order: Order | None) -> Decimal:
    """How much more may trade than could without it; while an amendment is under way, either size may be the one in force."""
    if order is None:
        return quote.quantity
    most = max(order.largest_request.quantity or ZERO, order.filled_quantity)
    return max(ZERO, order.filled_quantity + quote.quantity - most)
