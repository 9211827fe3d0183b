"""Faults that bring an order's life to where it seldom comes: everything about it is late at once, or its end is told to nobody."""

from __future__ import annotations

import random
from functools import partial

from simulated.faults import Operation
from soak.faults.strike import Group, Kind, Strike, Undo, nothing
from soak.worlds.place import Place
from soak.worlds.world import World

ENTRY = (Operation.PLACE, Operation.AMEND, Operation.CANCEL)
EVENTS_OF_AN_END = 1_000


def _slow_order_entry(rng: random.Random) -> Strike:
    """The exchange takes placements, amendments and cancellations, and does nothing for seconds: all of them time out together."""
    seconds, count = rng.choice((1.0, 4.5, 6.0, 12.0)), rng.choice((1, 2, 5))

    def begin(world: World, place: Place) -> Undo:
        control = place.venue(world).control
        for operation in ENTRY:
            control.delay_requests(operation, seconds, count)
        return nothing

    return Strike(text=f"{count} of each by {seconds:g} s", begin=begin)


def _cancel_untold(rng: random.Random) -> Strike:
    """Our orders are cancelled, and the stream does not tell; an exchange that forgets quickly knows nothing of them soon."""

    def begin(world: World, place: Place) -> Undo | None:
        venue = place.venue(world)
        ours = [order for order in venue.open_orders() if not order.filled_quantity]
        venue.control.drop_private_events(EVENTS_OF_AN_END)
        for order in ours:
            venue.control.cancel_order(order.id)
        venue.control.drop_private_events(0)
        return nothing if ours else None

    return Strike(text="", begin=begin)


def _tell_nothing(rng: random.Random) -> Strike:
    """The exchange does what it is asked and says nothing of it for a while: neither answers, nor its stream, nor queries at once."""
    count, lag_seconds = rng.choice((1, 2, 5)), rng.choice((0.5, 3.5))

    def begin(world: World, place: Place) -> Undo:
        control = place.venue(world).control
        for operation in ENTRY:
            control.lose_answers(operation, count)
        control.delay_answers(Operation.QUERY, lag_seconds, 2 * count)
        control.drop_private_events(EVENTS_OF_AN_END)
        return partial(control.drop_private_events, 0)

    return Strike(text=f"{count} answers of each, queries by {lag_seconds:g} s", begin=begin, seconds=rng.uniform(2, 20))


ORDERS: tuple[Kind, ...] = (
    Kind(name="slow_order_entry", group=Group.EXCHANGE, draw=_slow_order_entry),
    Kind(name="tell_nothing", group=Group.EXCHANGE, draw=_tell_nothing),
    Kind(name="cancel_untold", group=Group.EXCHANGE, draw=_cancel_untold),
)
