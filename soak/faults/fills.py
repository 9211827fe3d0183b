"""Faults of an exchange that trades our orders at the worst moment: while they are cancelled or amended, or just after."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import trio

from network.causes import NO_CAUSE
from orders.life_cycle import OrderState
from simulated.control import VenueControl
from simulated.engine.order import Order
from simulated.faults import Moment, Operation
from soak.faults.strike import Draw, Group, Kind, Strike, Undo, for_a_while, nothing
from soak.worlds.place import Place
from soak.worlds.venue import Venue
from soak.worlds.world import World

REQUESTS = 1_000  # as many as come while a fault lasts


def fill(control: VenueControl, order: Order, fraction: float) -> None:
    """A part of what is left of an order trades, at least its market's step."""
    rules = control.engine.instruments[order.symbol]
    part = rules.round_quantity_down(order.remaining_quantity * Decimal(str(fraction)))
    control.fill_order(order.id, min(max(part, rules.quantity_step), order.remaining_quantity))


def _fill_ours(rng: random.Random) -> Strike:
    fraction = rng.choice((0.05, 0.5, 0.97, 1.0))

    def begin(world: World, place: Place) -> Undo | None:
        venue = place.venue(world)
        ours = venue.open_orders()
        if not ours:
            return None
        fill(venue.control, ours[0], fraction)
        return nothing

    return Strike(text=f"{fraction:.0%}", begin=begin)


def concerned(world: World, venue: Venue, state: OrderState) -> list[Order]:
    """Orders of ours that are in this state here, and open there."""
    if world.runtime is None or world.process.is_dead:
        return []
    ledger = world.runtime.tree.accounts[venue.account].ledger
    wire_ids = {venue.codec.wire_client_order_id(order.client_order_id) for order in ledger.live_orders() if order.state is state}
    return [order for order in venue.open_orders() if order.client_id in wire_ids]


def _fill_at(operation: Operation, state: OrderState) -> Draw:
    """A part of the order trades as the request about it arrives."""

    def draw(rng: random.Random) -> Strike:
        fraction = rng.choice((0.3, 0.97, 1.0))

        def begin(world: World, place: Place) -> Undo:
            venue = place.venue(world)

            def trade() -> None:
                for order in concerned(world, venue, state):
                    fill(venue.control, order, fraction)

            return calling(venue, operation, Moment.ARRIVED, trade)

        return Strike(text=f"{fraction:.0%}", begin=begin, seconds=for_a_while(rng))

    return draw


def _fill_after_amend_ack(rng: random.Random) -> Strike:
    """It trades when the exchange has just amended it: before its answer comes, or when that has come."""
    fraction, seconds = rng.choice((0.3, 1.0)), rng.choice((0.0, 0.02, 0.3))

    def begin(world: World, place: Place) -> Undo:
        venue = place.venue(world)

        def trade() -> None:
            for order in concerned(world, venue, OrderState.PENDING_AMEND):
                world.nursery.start_soon(_fill_later, venue.control, order, fraction, seconds)

        return calling(venue, Operation.AMEND, Moment.DONE, trade)

    return Strike(text=f"{fraction:.0%} after {seconds:g} s", begin=begin, seconds=for_a_while(rng))


def _fill_after_cancel_ack(rng: random.Random) -> Strike:
    """We hear that it was cancelled before we hear that it has traded.

    Where an answer promises only that the cancellation was accepted, as OKX's, it really trades after that; elsewhere it has traded
    just before, and the stream is late.
    """
    fraction, seconds = rng.choice((0.3, 0.97, 1.0)), rng.choice((0.3, 1.0, 3.0))

    def begin(world: World, place: Place) -> Undo:
        venue = place.venue(world)
        control = venue.control

        def trade() -> None:
            for order in concerned(world, venue, OrderState.PENDING_CANCEL):
                fill(control, order, min(fraction, 0.97))

        def trade_later() -> None:
            for order in concerned(world, venue, OrderState.PENDING_CANCEL):
                world.nursery.start_soon(_fill_later, control, order, fraction, seconds / 2)

        if venue.name.startswith("okx_"):
            with NO_CAUSE.at_work():  # what is looked for are the trades
                control.carry_out_late(Operation.CANCEL, seconds, REQUESTS)
            return calling(venue, Operation.CANCEL, Moment.DONE, trade_later)
        with NO_CAUSE.at_work():
            control.delay_private_events(seconds)
        undo = calling(venue, Operation.CANCEL, Moment.ARRIVED, trade)

        def end() -> None:
            undo()
            control.delay_private_events(0.0)

        return end

    return Strike(text=f"{fraction:.0%}, {seconds:g} s", begin=begin, seconds=for_a_while(rng))


async def _fill_later(control: VenueControl, order: Order, fraction: float, seconds: float) -> None:
    await trio.sleep(seconds)
    if order.is_open:
        fill(control, order, fraction)


def calling(venue: Venue, operation: Operation, moment: Moment, call: Callable[[], object], count: int = REQUESTS) -> Undo:
    """Call at this moment of each of the next `count` such requests; gives what ends that."""
    is_over = False

    def call_until_over() -> None:
        if not is_over:
            call()

    def end() -> None:
        nonlocal is_over
        is_over = True

    venue.control.call_at(operation, moment, call_until_over, count)
    return end


_DRAWS: dict[str, Draw] = {
    "fill_ours": _fill_ours,
    "fill_at_cancel": _fill_at(Operation.CANCEL, OrderState.PENDING_CANCEL),
    "fill_at_amend": _fill_at(Operation.AMEND, OrderState.PENDING_AMEND),
    "fill_after_cancel_ack": _fill_after_cancel_ack,
    "fill_after_amend_ack": _fill_after_amend_ack,
}

FILLS: tuple[Kind, ...] = tuple(
    Kind(name=name, group=Group.EXCHANGE, draw=draw, needs_hand=name.startswith(("fill_at_amend", "fill_after_amend")))
    for name, draw in _DRAWS.items()
)
