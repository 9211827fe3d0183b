"""Faults aimed at moments of an order's life that chance seldom meets: the end that comes before the first word, the answer that is lost
of what has ended, the wish to cancel that crosses the end, the order that is gone and forgotten.

Where a kind needs a hand, that orders and calls off in haste meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial

import trio

from market.events import Side
from network.causes import NO_CAUSE, current_cause
from orders.commands import CancelOrder
from orders.events import OrderCancelRequested, OrderFateUnknown
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import TimeInForce
from simulated.control import VenueControl
from simulated.engine.order import Order as OrderThere
from simulated.faults import Moment, Operation
from soak.faults.fills import calling, concerned, fill
from soak.faults.orders import ENTRY, EVENTS_OF_AN_END
from soak.faults.strike import Group, Kind, Strike, Undo, nothing
from soak.worlds.interference import Hang, can_hang, tasks_of_account
from soak.worlds.place import Place
from soak.worlds.venue import Venue
from soak.worlds.world import World

TOO_LATE_SECONDS = 12.0  # by then whoever placed an order has given it up, and where orders expire it has
AGAIN_SECONDS = 0.5
JUMP = Decimal("0.002")  # of a price, beyond every spread
OLD_ENOUGH_SECONDS = 5.0  # for its absence to be believed, where orders expire


def _hurry(world: World) -> Undo:
    """From now on hands are in haste; gives what ends that."""
    world.hands_in_haste += 1
    is_over = False

    def end() -> None:
        nonlocal is_over
        world.hands_in_haste -= not is_over
        is_over = True

    return end


def _all(*undos: Undo) -> Undo:
    def undo() -> None:
        for each in undos:
            each()

    return undo


def _live_orders(world: World, venue: Venue) -> list[Order]:
    """What may still trade, as the program thinks."""
    if world.runtime is None or not world.is_running:
        return []
    return world.runtime.tree.accounts[venue.account].ledger.live_orders()


# Answers that come when all is over, or not at all


def _lose_hasty_answers(rng: random.Random) -> Strike:
    """What becomes of orders the stream tells, soon or late; the answers about them are lost, unreadable or later still."""
    operations = rng.choice(((Operation.CANCEL,), (Operation.AMEND,), (Operation.AMEND,), (Operation.CANCEL, Operation.AMEND), ENTRY))
    trouble, count = rng.choice(("lost", "lost", "unreadable", "late", "late")), rng.choice((2, 5, 20))
    answers_seconds, stream_seconds = rng.choice((1.5, 3.5)), rng.choice((0.0, 0.3, 0.8, 0.8, 2.0))

    def begin(world: World, place: Place) -> Undo:
        control = place.venue(world).control
        for operation in operations:
            if trouble == "lost":
                control.lose_answers(operation, count)
            elif trouble == "unreadable":
                control.garble_answers(operation, count)
            else:
                control.delay_answers(operation, answers_seconds, count)
        with NO_CAUSE.at_work():  # what is looked for are the answers
            control.delay_private_events(stream_seconds)
        return _all(_hurry(world), partial(control.delay_private_events, 0.0))

    named = "+".join(operation.value for operation in operations)
    text = (
        f"{count} x {named} {trouble}{f' by {answers_seconds:g} s' if trouble == 'late' else ''}, the stream late by {stream_seconds:g} s"
    )
    return Strike(text=text, begin=begin, seconds=rng.uniform(5, 20))


def _what_comes_next(rng: random.Random) -> tuple[str, Callable[[VenueControl, OrderThere], object]]:
    """What the exchange does to an order that has just come."""
    fraction = rng.choice((0.3, 0.3, 0.97, 1.0))
    drawn = rng.choice(("nothing", "fill", "fill", "fill", "cancel", "both"))
    if drawn == "fill":
        return f"filled by {fraction:.0%}", lambda control, order: fill(control, order, fraction)
    if drawn == "cancel":
        return "cancelled", lambda control, order: control.cancel_order(order.id)
    if drawn == "both":
        return "filled by 30% and cancelled", _fill_and_cancel
    return "left alone", lambda control, order: None


def _fill_and_cancel(control: VenueControl, order: OrderThere) -> None:
    fill(control, order, 0.3)
    if order.is_open:
        control.cancel_order(order.id)


def _repeat_placements(rng: random.Random) -> Strike:
    """Placements are sent twice on their way, and all that is heard is that the second was refused: the first has moved on by then.

    Where it is refused as one too many, the stream has told of the first: or else the refusal would be believed, as it must be.
    """
    count, is_hasty, is_too_many = rng.choice((5, 20)), rng.random() < 0.3, rng.random() < 0.8
    text, act = _what_comes_next(rng)

    def begin(world: World, place: Place) -> Undo:
        venue = place.venue(world)

        async def refuse_the_second() -> None:
            await trio.sleep(AGAIN_SECONDS * 0.9)
            if all(order.exchange_order_id is not None for order in _live_orders(world, venue)):
                venue.control.rate_limit_for(AGAIN_SECONDS * 0.2)

        def go_on() -> None:
            for order in concerned(world, venue, OrderState.PENDING_NEW):
                act(venue.control, order)
            if is_too_many:
                world.nursery.start_soon(refuse_the_second)

        venue.control.repeat_requests(Operation.PLACE, after_seconds=AGAIN_SECONDS, answers_first=False, count=count)
        return _all(_hurry(world) if is_hasty else nothing, calling(venue, Operation.PLACE, Moment.DONE, go_on, count))

    refused = "one too many" if is_too_many else "a duplicate"
    return Strike(text=f"{count}, again refused as {refused}; the first is {text}", begin=begin, seconds=rng.uniform(5, 30))


def _tell_end_first(rng: random.Random) -> Strike:
    """The stream does not tell that an order has come: its first word is a fill, or the end."""
    count, answers_seconds = rng.choice((3, 10)), rng.choice((0.0, 0.5))
    text, act = _what_comes_next(rng)

    def begin(world: World, place: Place) -> Undo:
        venue = place.venue(world)
        control = venue.control

        def go_on() -> None:
            control.drop_private_events(0)
            for order in concerned(world, venue, OrderState.PENDING_NEW):
                act(control, order)

        if answers_seconds:
            control.delay_answers(Operation.PLACE, answers_seconds, count)
        return _all(
            calling(venue, Operation.PLACE, Moment.ARRIVED, partial(control.drop_private_events, EVENTS_OF_AN_END), count),
            calling(venue, Operation.PLACE, Moment.DONE, go_on, count),
            partial(control.drop_private_events, 0),
        )

    return Strike(text=f"{count}, {text}, answers late by {answers_seconds:g} s", begin=begin, seconds=rng.uniform(1, 20))


def _cross_at_place(rng: random.Random) -> Strike:
    """The market jumps through a post-only order as it arrives, and some that rest trade; perhaps nobody hears what became of them."""
    count, is_lost, is_untold, fills = rng.choice((3, 6, 10)), rng.random() < 0.7, rng.random() < 0.7, rng.random() < 0.3

    def begin(world: World, place: Place) -> Undo:
        venue = place.venue(world)
        control = venue.control

        def jump() -> None:
            if is_untold:
                control.drop_private_events(EVENTS_OF_AN_END)
            for order in _live_orders(world, venue):
                request = order.request
                if order.state is OrderState.PENDING_NEW and request.time_in_force is TimeInForce.POST_ONLY and request.price is not None:
                    tick = control.engine.instruments[request.symbol].price_tick
                    beyond = request.price * (1 - JUMP if request.side is Side.BUY else 1 + JUMP)
                    control.move_market(request.symbol, (beyond / tick).quantize(Decimal(1)) * tick)
                    return

        def be_told_again() -> None:
            if is_untold:
                control.drop_private_events(0)

        def done() -> None:
            if fills:
                for order in concerned(world, venue, OrderState.PENDING_NEW):
                    fill(control, order, 0.3)
            be_told_again()

        if is_lost:
            control.lose_answers(Operation.PLACE, count)
        return _all(
            _hurry(world),
            calling(venue, Operation.PLACE, Moment.ARRIVED, jump, count),
            calling(venue, Operation.PLACE, Moment.DONE, done, count),
            be_told_again,
        )

    told = f"{'its answer is lost' if is_lost else 'answered'}, {'not told' if is_untold else 'told'}"
    return Strike(text=f"{count}, {told}", begin=begin, seconds=rng.uniform(2, 20))


# Orders that the exchange does not know: any more, or not at all


def _forget_ended(rng: random.Random) -> Strike:
    """Unfilled orders are cancelled and forgotten at once, and so is what is cancelled from now on; of none of them the stream tells.

    Then all connections are cut, so that orders are looked for.
    """
    loses_answers, look_after_seconds = rng.random() < 0.5, rng.choice((0.5, OLD_ENOUGH_SECONDS, OLD_ENOUGH_SECONDS))

    def begin(world: World, place: Place) -> Undo | None:
        venue = place.venue(world)
        control = venue.control
        ours = [order for order in venue.open_orders() if not order.filled_quantity]
        known: list[OrderThere] = []

        def be_silent() -> None:
            known[:] = venue.open_orders()
            control.drop_private_events(EVENTS_OF_AN_END)

        def forget() -> None:
            control.drop_private_events(0)
            for order in known:
                control.forget_order(order.id)

        be_silent()
        for order in ours:
            control.cancel_order(order.id)
        forget()
        if loses_answers:
            control.lose_answers(Operation.CANCEL, 5)
        world.nursery.start_soon(_disconnect_later, control, look_after_seconds)
        undo = _all(
            calling(venue, Operation.CANCEL, Moment.ARRIVED, be_silent),
            calling(venue, Operation.CANCEL, Moment.DONE, forget),
            partial(control.drop_private_events, 0),
        )
        if ours:
            return undo
        undo()
        return None

    text = f"all cut after {look_after_seconds:g} s{', answers to cancellations lost' if loses_answers else ''}"
    return Strike(text=text, begin=begin, seconds=rng.uniform(10, 30))


async def _disconnect_later(control: VenueControl, seconds: float) -> None:
    await trio.sleep(seconds)
    control.disconnect_all()


def _lose_placements(rng: random.Random) -> Strike:
    """Placements come too late to be accepted. When that becomes clear, all connections are cut, and some queries are slow: several ask."""
    count, queries = rng.choice((3, 8)), rng.choice((1, 2, 3))

    def begin(world: World, place: Place) -> Undo:
        control = place.venue(world).control
        is_struck = False

        def disconnect(event: object) -> None:
            nonlocal is_struck
            if isinstance(event, OrderFateUnknown) and not is_struck:
                is_struck = True
                control.delay_answers(Operation.QUERY, 2.0, queries)
                world.nursery.start_soon(_disconnect_later, control, 0.0)

        control.delay_requests(Operation.PLACE, TOO_LATE_SECONDS, count)
        world.observers.append(disconnect)
        return _all(_hurry(world), partial(world.observers.remove, disconnect))

    return Strike(text=f"{count}, then {queries} queries slow", begin=begin, seconds=rng.uniform(8, 30))


def _crash_in_flight(rng: random.Random) -> Strike:
    """Placements do not arrive, and the account dies as one is called off of which nothing is known."""
    count = rng.choice((2, 5))

    def begin(world: World, place: Place) -> Undo:
        venue = place.venue(world)
        control, runtime, cause = venue.control, world.runtime, current_cause()
        is_struck = False

        def crash(event: object) -> None:
            nonlocal is_struck
            if is_struck or world.runtime is not runtime or not isinstance(event, OrderCancelRequested):
                return
            order = event.order
            if event.account == venue.account and order.sent and order.exchange_order_id is None:
                with suppress(trio.WouldBlock), cause.at_work():  # the account does not keep up
                    world.crash_account(venue.account)
                    is_struck = True

        with NO_CAUSE.at_work():  # what is looked for is the crash
            control.delay_requests(Operation.PLACE, TOO_LATE_SECONDS, count)
        world.observers.append(crash)
        return _all(_hurry(world), partial(world.observers.remove, crash))

    return Strike(text=str(count), begin=begin, seconds=rng.uniform(5, 20))


# A program that does not keep up


def _stand_still(rng: random.Random) -> Strike:
    """Again and again an account stands still as an order of the hand arrives, which is called off; then its tasks go on one by one."""
    count, seconds, chance = rng.choice((5, 20)), rng.choice((0.05, 0.3, 1.0)), random.Random(rng.random())

    def begin(world: World, place: Place) -> Undo | None:
        if world.runtime_task is None or not world.is_running:
            return None
        venue, program, runtime = place.venue(world), world.runtime_task, world.runtime
        is_standing, left = False, count

        async def stand() -> None:
            nonlocal is_standing
            hangs = [Hang(task) for task in tasks_of_account(program, venue.account) if can_hang(task)]
            await trio.sleep(seconds)
            _call_off(world, venue)
            chance.shuffle(hangs)
            for hang in hangs:
                hang.end()
                for _ in range(chance.choice((0, 0, 1, 2))):
                    await trio.lowlevel.checkpoint()
            is_standing = False

        def arrived() -> None:
            nonlocal is_standing, left
            if left and not is_standing and world.runtime is runtime and _orders_of_hand(world, venue):
                is_standing, left = True, left - 1
                world.nursery.start_soon(stand)

        return _all(_hurry(world), calling(venue, Operation.PLACE, Moment.ARRIVED, arrived))

    return Strike(text=f"{count} times for {seconds:g} s", begin=begin, seconds=rng.uniform(5, 20))


def _orders_of_hand(world: World, venue: Venue) -> list[Order]:
    """Those of which the exchange has said nothing yet."""
    return [order for order in _live_orders(world, venue) if order.request.owner == "hand" and order.state is OrderState.PENDING_NEW]


def _call_off(world: World, venue: Venue) -> None:
    """The hand does not want any more what it has ordered."""
    for order in _orders_of_hand(world, venue):
        if world.runtime is not None:
            with suppress(trio.WouldBlock):  # the account does not keep up
                world.runtime.tree.accounts[venue.account].commands_sender.send_nowait(CancelOrder(order.client_order_id))


HASTE: tuple[Kind, ...] = (
    Kind(name="lose_hasty_answers", group=Group.EXCHANGE, draw=_lose_hasty_answers, needs_hand=True),
    Kind(name="repeat_placements", group=Group.EXCHANGE, draw=_repeat_placements),
    Kind(name="tell_end_first", group=Group.EXCHANGE, draw=_tell_end_first),
    Kind(name="cross_at_place", group=Group.EXCHANGE, draw=_cross_at_place, needs_hand=True),
    Kind(name="forget_ended", group=Group.EXCHANGE, draw=_forget_ended),
    Kind(name="lose_placements", group=Group.EXCHANGE, draw=_lose_placements, needs_hand=True),
    Kind(name="crash_in_flight", group=Group.CRASH, draw=_crash_in_flight, needs_hand=True),
    Kind(name="stand_still", group=Group.LOAD, draw=_stand_still, needs_hand=True),
)
