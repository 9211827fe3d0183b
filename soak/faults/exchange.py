"""Faults of an exchange: what it answers and does not, what its streams lose, what its market and it itself do to our orders."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from market.events import Side
from network.causes import NO_CAUSE
from simulated.control import VenueControl
from simulated.faults import BookError, Operation, WrongLevel
from soak.faults.strike import Draw, Group, Kind, Strike, Undo, for_a_while, nothing, once
from soak.worlds.place import Place
from soak.worlds.world import World

ORDER_OPERATIONS = (Operation.PLACE, Operation.CANCEL, Operation.AMEND, Operation.QUERY)
CARRIED_OUT_TWICE = (Operation.PLACE, Operation.PLACE, Operation.CANCEL, Operation.AMEND)
ANSWERED_OPERATIONS = (*ORDER_OPERATIONS, Operation.MARKET_DATA)
BAN_SECONDS = (5.0, 20.0, 60.0)


def _control(world: World, place: Place) -> VenueControl:
    return place.venue(world).control


# Requests and answers


def _answers(act: Callable[[VenueControl, Operation, int], object], operations: tuple[Operation, ...] = ORDER_OPERATIONS) -> Draw:
    def draw(rng: random.Random) -> Strike:
        operation, count = rng.choice(operations), rng.choice((1, 1, 2, 5))

        def begin(world: World, place: Place) -> Undo:
            act(_control(world, place), operation, count)
            return nothing

        return Strike(text=f"{count} x {operation.value}", begin=begin)

    return draw


def _delays(act: Callable[[VenueControl, Operation, float, int], object], operations: tuple[Operation, ...]) -> Draw:
    def draw(rng: random.Random) -> Strike:
        operation, seconds, count = rng.choice(operations), rng.choice((0.3, 2.0, 3.5, 6.0, 12.0)), rng.choice((1, 1, 3))

        def begin(world: World, place: Place) -> Undo:
            act(_control(world, place), operation, seconds, count)
            return nothing

        return Strike(text=f"{count} x {operation.value} by {seconds:g} s", begin=begin)

    return draw


def _rate_limit(says_when: bool) -> Draw:
    def draw(rng: random.Random) -> Strike:
        seconds = rng.choice((1.0, 5.0, 15.0))

        def begin(world: World, place: Place) -> Undo:
            _control(world, place).rate_limit_for(seconds, retry_after_seconds=round(seconds) if says_when else None)
            return nothing

        return Strike(text=f"{seconds:g} s", begin=begin)

    return draw


def _ban(rng: random.Random) -> Strike:
    seconds = rng.choice(BAN_SECONDS)

    def begin(world: World, place: Place) -> Undo:
        _control(world, place).ban_for(seconds)
        return nothing

    return Strike(text=f"{seconds:g} s", begin=begin)


def _maintenance(rng: random.Random) -> Strike:
    disconnects = rng.random() < 0.5

    def begin(world: World, place: Place) -> Undo:
        control = _control(world, place)
        control.start_maintenance()
        if disconnects:
            control.disconnect_all()
        return control.end_maintenance

    return Strike(text="with disconnection" if disconnects else "", begin=begin, seconds=for_a_while(rng))


def _repeat_requests(rng: random.Random) -> Strike:
    """Something on the way sends a request once more, and the exchange carries it out once more."""
    operation, answers_first = rng.choice(CARRIED_OUT_TWICE), rng.random() < 0.5
    after_seconds, count = rng.choice((0.0, 0.0, 0.05, 1.0)), rng.choice((1, 2, 5))

    def begin(world: World, place: Place) -> Undo:
        _control(world, place).repeat_requests(operation, after_seconds=after_seconds, answers_first=answers_first, count=count)
        return nothing

    heard = "first" if answers_first else "second"
    return Strike(text=f"{count} x {operation.value}, again after {after_seconds:g} s, the {heard} is heard", begin=begin)


def _hide_new_orders(rng: random.Random) -> Strike:
    age = rng.choice((0.2, 0.9))

    def begin(world: World, place: Place) -> Undo:
        control = _control(world, place)
        control.hide_new_orders(age)
        return partial(control.hide_new_orders, 0.0)

    return Strike(text=f"{age:g} s", begin=begin, seconds=for_a_while(rng))


# Streams


def _private(act: Callable[[VenueControl, int], object]) -> Draw:
    def draw(rng: random.Random) -> Strike:
        count = rng.choice((1, 2, 5, 20, 200))

        def begin(world: World, place: Place) -> Undo:
            control = _control(world, place)
            act(control, count)
            return partial(act, control, 0)

        return Strike(text=str(count), begin=begin, seconds=for_a_while(rng))

    return draw


def _delay_private(rng: random.Random) -> Strike:
    seconds, jitter = rng.choice((0.0, 0.1, 2.0, 8.0)), rng.choice((0.0, 0.5, 4.0))

    def begin(world: World, place: Place) -> Undo:
        control = _control(world, place)
        control.delay_private_events(seconds, jitter_seconds=jitter)
        return partial(control.delay_private_events, 0.0)

    return Strike(text=f"{seconds:g} s, jitter {jitter:g} s", begin=begin, seconds=for_a_while(rng))


def _withhold_book(rng: random.Random) -> Strike:
    count = rng.choice((1, 3, 100_000))

    def begin(world: World, place: Place) -> Undo:
        control = _control(world, place)
        control.withhold_book_updates(place.symbol, count)
        return partial(control.withhold_book_updates, place.symbol, 0)

    return Strike(text=str(count), begin=begin, seconds=for_a_while(rng))


def _wrong_book(rng: random.Random) -> Strike:
    """The stream tells levels that are not so, in good order: near the best, where it matters most."""
    wrong = [
        WrongLevel(rng.choice(tuple(BookError)), rng.choice((Side.BUY, Side.SELL)), rng.choice((0, 0, 0, 1, 5)))
        for _ in range(rng.choice((1, 1, 3, 10)))
    ]

    def begin(world: World, place: Place) -> Undo:
        for level in wrong:
            _control(world, place).tell_wrong_level(place.symbol, level)
        return nothing

    return Strike(text=", ".join(f"{level.side.value} {level.depth} {level.error.name.lower()}" for level in wrong), begin=begin)


def _old_snapshots(rng: random.Random) -> Strike:
    """Snapshots by REST come from a cache that hangs, and a gap has one asked for."""

    def begin(world: World, place: Place) -> Undo:
        control = _control(world, place)
        control.freeze_snapshots(place.symbol)
        with NO_CAUSE.at_work():  # that only has one asked for
            control.withhold_book_updates(place.symbol, 1)
        return partial(control.thaw_snapshots, place.symbol)

    return Strike(text="", begin=begin, seconds=for_a_while(rng))


def _duplicate_book(rng: random.Random) -> Strike:
    count = rng.choice((1, 20, 200))

    def begin(world: World, place: Place) -> Undo:
        _control(world, place).duplicate_book_updates(place.symbol, count)
        return nothing

    return Strike(text=str(count), begin=begin)


# The market and our orders


def _move_market(rng: random.Random) -> Strike:
    fraction = rng.choice((-0.03, -0.005, -0.0005, 0.0005, 0.005, 0.03))

    def begin(world: World, place: Place) -> Undo | None:
        control = _control(world, place)
        ask = control.best_ask(place.symbol)
        if ask is None:
            return None
        tick = control.engine.instruments[place.symbol].price_tick
        control.move_market(place.symbol, (ask * Decimal(str(1 + fraction)) / tick).quantize(Decimal(1)) * tick)
        return nothing

    return Strike(text=f"{fraction:+.2%}", begin=begin)


def _freeze_flow(rng: random.Random) -> Strike:
    def begin(world: World, place: Place) -> Undo:
        control = _control(world, place)
        control.freeze_flow()
        return control.resume_flow

    return Strike(text="", begin=begin, seconds=for_a_while(rng))


def _cancel_ours(rng: random.Random) -> Strike:
    def begin(world: World, place: Place) -> Undo | None:
        ours = place.venue(world).open_orders()
        for order in ours:
            _control(world, place).cancel_order(order.id)
        return nothing if ours else None

    return Strike(text="", begin=begin)


_DRAWS: dict[str, Draw] = {
    "lose_answers": _answers(lambda control, operation, count: control.lose_answers(operation, count)),
    "fail_after": _answers(lambda control, operation, count: control.fail_after_accepting(operation, count=count)),
    "fail_before": _answers(lambda control, operation, count: control.fail_before_accepting(operation, count=count)),
    "answer_twice": _answers(lambda control, operation, count: control.answer_twice(operation, count)),
    "garble_answers": _answers(lambda control, operation, count: control.garble_answers(operation, count), ANSWERED_OPERATIONS),
    "delay_requests": _delays(
        lambda control, operation, seconds, count: control.delay_requests(operation, seconds, count), ORDER_OPERATIONS
    ),
    "delay_answers": _delays(
        lambda control, operation, seconds, count: control.delay_answers(operation, seconds, count), ANSWERED_OPERATIONS
    ),
    "rate_limit": _rate_limit(says_when=False),
    "rate_limit_retry_after": _rate_limit(says_when=True),
    "ban": _ban,
    "maintenance": _maintenance,
    "restart": once(lambda world, place: _control(world, place).restart()),
    "announce_shutdown": once(lambda world, place: _control(world, place).announce_shutdown()),
    "repeat_requests": _repeat_requests,
    "hide_new_orders": _hide_new_orders,
    "duplicate_private": _private(lambda control, count: control.duplicate_private_events(count)),
    "reorder_private": _private(lambda control, count: control.reorder_private_events(count)),
    "drop_private": _private(lambda control, count: control.drop_private_events(count)),
    "garble_private": _private(lambda control, count: control.garble_private_events(count)),
    "delay_private": _delay_private,
    "withhold_book": _withhold_book,
    "duplicate_book": _duplicate_book,
    "old_snapshots": _old_snapshots,
    "wrong_book": _wrong_book,
    "crossed_update": once(lambda world, place: _control(world, place).inject_crossed_update(place.symbol)),
    "move_market": _move_market,
    "freeze_flow": _freeze_flow,
    "cancel_ours": _cancel_ours,
}

EXCHANGE: tuple[Kind, ...] = tuple(Kind(name=name, group=Group.EXCHANGE, draw=draw) for name, draw in _DRAWS.items())
