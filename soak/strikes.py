"""Every kind of fault that a random world may have, each with its strength drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from types import MappingProxyType

import msgspec
import trio

from network.faults import Direction, InstalledFault
from simulated.faults import Operation
from soak.private_line import PRIVATE_HOST
from soak.world import BTC_USDT, HOST, World

DIRECTIONS: tuple[Direction, ...] = ("to", "from", "both")
ORDER_OPERATIONS = (Operation.PLACE, Operation.CANCEL, Operation.QUERY)

Undo = Callable[[], object]


def nothing() -> None:
    """For what is over as soon as it has happened."""


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A fault to come: `begin` lets it strike and gives what ends it, or None if there is nothing to strike at."""

    kind: str
    text: str
    begin: Callable[[World], Undo | None]
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.2f} s" if self.seconds else ""
        return f"{self.kind} {self.text}".rstrip() + lasting


def _for_a_while(rng: random.Random) -> float:
    return rng.choice((rng.uniform(0.05, 1.0), rng.uniform(1, 6), rng.uniform(5, 40)))


# The network


def _once(kind: str, act: Callable[[World], object]) -> Callable[[random.Random], Strike]:
    def begin(world: World) -> Undo:
        act(world)
        return nothing

    return lambda _: Strike(kind=kind, text="", begin=begin)


def _refuse(rng: random.Random) -> Strike:
    return Strike(kind="refuse", text="", begin=lambda world: world.network.refuse(HOST).repair, seconds=_for_a_while(rng))


def _partition(rng: random.Random) -> Strike:
    way = rng.choice(DIRECTIONS)
    return Strike(kind="partition", text=way, begin=lambda world: world.network.partition(HOST, way).repair, seconds=_for_a_while(rng))


def _stall(rng: random.Random) -> Strike:
    way = rng.choice(DIRECTIONS)
    return Strike(kind="stall", text=way, begin=lambda world: world.network.stall(HOST, way).repair, seconds=_for_a_while(rng))


def _slow(rng: random.Random) -> Strike:
    speed = rng.choice((500.0, 5_000.0, 50_000.0))
    return Strike(kind="slow", text=f"{speed:g} B/s", begin=lambda world: world.network.slow(HOST, speed).repair, seconds=_for_a_while(rng))


def _fail_dns(rng: random.Random) -> Strike:
    return Strike(kind="fail_dns", text="", begin=lambda world: world.network.fail_dns(HOST).repair, seconds=_for_a_while(rng))


def _cut_after(rng: random.Random) -> Strike:
    way, size = rng.choice(DIRECTIONS), rng.choice((0, 1, 30, 100, 500, 2_000))
    return Strike(
        kind="cut_after", text=f"{size} bytes {way}", begin=lambda world: world.network.cut_after(HOST, size, way).repair, seconds=60
    )


def _latency(rng: random.Random) -> Strike:
    slowest = rng.choice((0.05, 0.3, 2.0))

    def begin(world: World) -> Undo:
        world.network.set_latency(HOST, 0.001, slowest)
        return partial(world.network.set_latency, HOST, 0.001, 0.005)

    return Strike(kind="latency", text=f"up to {slowest:g} s", begin=begin, seconds=_for_a_while(rng))


# Requests and answers


def _answers(
    kind: str, act: Callable[[World, Operation, int], object], operations: tuple[Operation, ...]
) -> Callable[[random.Random], Strike]:
    def draw(rng: random.Random) -> Strike:
        operation, count = rng.choice(operations), rng.choice((1, 1, 2, 5))

        def begin(world: World) -> Undo:
            act(world, operation, count)
            return nothing

        return Strike(kind=kind, text=f"{count} x {operation.value}", begin=begin)

    return draw


def _delay_requests(rng: random.Random) -> Strike:
    operation, seconds, count = rng.choice(ORDER_OPERATIONS), rng.choice((0.3, 2.0, 3.5, 6.0, 12.0)), rng.choice((1, 1, 3))

    def begin(world: World) -> Undo:
        world.exchange.delay_requests(operation, seconds, count)
        return nothing

    return Strike(kind="delay_requests", text=f"{count} x {operation.value} by {seconds:g} s", begin=begin)


def _delay_answers(rng: random.Random) -> Strike:
    operation, seconds, count = rng.choice((*ORDER_OPERATIONS, Operation.MARKET_DATA)), rng.choice((0.3, 2.0, 6.0)), rng.choice((1, 1, 3))

    def begin(world: World) -> Undo:
        world.exchange.delay_answers(operation, seconds, count)
        return nothing

    return Strike(kind="delay_answers", text=f"{count} x {operation.value} by {seconds:g} s", begin=begin)


def _rate_limit(rng: random.Random) -> Strike:
    seconds, retry_after_seconds = rng.choice((1.0, 5.0, 15.0)), rng.choice((None, 0, 2, 10))

    def begin(world: World) -> Undo:
        world.exchange.rate_limit_for(seconds, retry_after_seconds=retry_after_seconds)
        return nothing

    return Strike(kind="rate_limit", text=f"{seconds:g} s, Retry-After {retry_after_seconds}", begin=begin)


def _ban(rng: random.Random) -> Strike:
    seconds = rng.choice((2.0, 10.0, 40.0))

    def begin(world: World) -> Undo:
        world.exchange.ban_for(seconds)
        return nothing

    return Strike(kind="ban", text=f"{seconds:g} s", begin=begin)


def _maintenance(rng: random.Random) -> Strike:
    disconnects = rng.random() < 0.5

    def begin(world: World) -> Undo:
        world.exchange.start_maintenance()
        if disconnects:
            world.exchange.disconnect_all()
        return world.exchange.end_maintenance

    return Strike(kind="maintenance", text="with disconnection" if disconnects else "", begin=begin, seconds=_for_a_while(rng))


def _hide_new_orders(rng: random.Random) -> Strike:
    age = rng.choice((0.2, 0.9))

    def begin(world: World) -> Undo:
        world.exchange.hide_new_orders(age)
        return partial(world.exchange.hide_new_orders, 0.0)

    return Strike(kind="hide_new_orders", text=f"{age:g} s", begin=begin, seconds=_for_a_while(rng))


# Streams


def _private(kind: str, act: Callable[[World, int], object]) -> Callable[[random.Random], Strike]:
    def draw(rng: random.Random) -> Strike:
        count = rng.choice((1, 2, 5, 20, 200))

        def begin(world: World) -> Undo:
            act(world, count)
            return partial(act, world, 0)

        return Strike(kind=kind, text=str(count), begin=begin, seconds=_for_a_while(rng))

    return draw


def _delay_private(rng: random.Random) -> Strike:
    seconds, jitter = rng.choice((0.0, 0.1, 2.0, 8.0)), rng.choice((0.0, 0.5, 4.0))

    def begin(world: World) -> Undo:
        world.exchange.delay_private_events(seconds, jitter_seconds=jitter)
        return partial(world.exchange.delay_private_events, 0.0)

    return Strike(kind="delay_private", text=f"{seconds:g} s, jitter {jitter:g} s", begin=begin, seconds=_for_a_while(rng))


def _withhold_book(rng: random.Random) -> Strike:
    count = rng.choice((1, 3, 100_000))

    def begin(world: World) -> Undo:
        world.exchange.withhold_book_updates(BTC_USDT, count)
        return partial(world.exchange.withhold_book_updates, BTC_USDT, 0)

    return Strike(kind="withhold_book", text=str(count), begin=begin, seconds=_for_a_while(rng))


# Market, clock, our orders


def _move_market(rng: random.Random) -> Strike:
    fraction = rng.choice((-0.03, -0.005, -0.0005, 0.0005, 0.005, 0.03))

    def begin(world: World) -> Undo | None:
        ask = world.exchange.best_ask(BTC_USDT)
        if ask is None:
            return None
        world.exchange.move_market(BTC_USDT, (ask * Decimal(str(1 + fraction))).quantize(Decimal("0.1")))
        return nothing

    return Strike(kind="move_market", text=f"{fraction:+.2%}", begin=begin)


def _freeze_flow(rng: random.Random) -> Strike:
    def begin(world: World) -> Undo:
        world.exchange.freeze_flow()
        return world.exchange.resume_flow

    return Strike(kind="freeze_flow", text="", begin=begin, seconds=_for_a_while(rng))


def _skew_clock(rng: random.Random) -> Strike:
    milliseconds = rng.choice((-90_000, -20_000, -2_500, -400, 400, 2_500, 20_000, 90_000))

    def begin(world: World) -> Undo:
        world.exchange.skew_clock(milliseconds)
        return partial(world.exchange.skew_clock, 0)

    return Strike(kind="skew_clock", text=f"{milliseconds:+} ms", begin=begin, seconds=_for_a_while(rng))


def _fill_ours(rng: random.Random) -> Strike:
    fraction = rng.choice((0.05, 0.5, 0.97, 1.0))

    def begin(world: World) -> Undo | None:
        ours = [order for order in world.exchange.open_orders() if order.client_id.startswith("t-mm-")]
        if not ours:
            return None
        step = Decimal("0.000001")
        quantity = max(step, (ours[0].remaining_quantity * Decimal(str(fraction))).quantize(step))
        world.exchange.fill_order(ours[0].id, min(quantity, ours[0].remaining_quantity))
        return nothing

    return Strike(kind="fill_ours", text=f"{fraction:.0%}", begin=begin)


def _cancel_ours(world: World) -> None:
    for order in world.exchange.open_orders():
        world.exchange.cancel_order(order.id)


# Crashes


def _crash_account(world: World) -> None:
    if world.is_running:
        try:
            world.crash_account()
        except trio.WouldBlock:
            return  # its commands are piled up: it will hang or die of something else


def _crash_cycle(rng: random.Random) -> Strike:
    index = rng.randrange(2)

    def begin(world: World) -> Undo | None:
        if not world.is_running or world.runtime is None:
            return None
        names = list(world.runtime.tree.cycles)
        world.crash_cycle(names[index % len(names)])
        return nothing

    return Strike(kind="crash_cycle", text=str(index), begin=begin)


# The private stream alone, where it has a host of its own


def _private_line(kind: str, install: Callable[[World, Direction], object]) -> Callable[[random.Random], Strike]:
    def draw(rng: random.Random) -> Strike:
        way = rng.choice(DIRECTIONS)

        def begin(world: World) -> Undo:
            installed = install(world, way)
            return installed.repair if isinstance(installed, InstalledFault) else nothing

        return Strike(kind=kind, text=way, begin=begin, seconds=_for_a_while(rng))

    return draw


def _cut_private_line(rng: random.Random) -> Strike:
    way, size = rng.choice(DIRECTIONS), rng.choice((0, 1, 30, 100, 500))
    return Strike(
        kind="private_cut_after",
        text=f"{size} bytes {way}",
        begin=lambda world: world.network.cut_after(PRIVATE_HOST, size, way).repair,
        seconds=30,
    )


PRIVATE_LINE_KINDS: MappingProxyType[str, Callable[[random.Random], Strike]] = MappingProxyType(
    {
        "private_drop": _private_line("private_drop", lambda world, way: world.network.drop_connections(PRIVATE_HOST)),
        "private_refuse": _private_line("private_refuse", lambda world, way: world.network.refuse(PRIVATE_HOST)),
        "private_partition": _private_line("private_partition", lambda world, way: world.network.partition(PRIVATE_HOST, way)),
        "private_stall": _private_line("private_stall", lambda world, way: world.network.stall(PRIVATE_HOST, way)),
        "private_cut_after": _cut_private_line,
    }
)

KINDS: MappingProxyType[str, Callable[[random.Random], Strike]] = MappingProxyType(
    {
        "drop": _once("drop", lambda world: world.network.drop_connections(HOST)),
        "close": _once("close", lambda world: world.network.close_without_frame(HOST)),
        "refuse": _refuse,
        "partition": _partition,
        "stall": _stall,
        "slow": _slow,
        "fail_dns": _fail_dns,
        "cut_after": _cut_after,
        "latency": _latency,
        "lose_answers": _answers("lose_answers", lambda w, o, n: w.exchange.lose_answers(o, n), ORDER_OPERATIONS),
        "fail_after": _answers("fail_after", lambda w, o, n: w.exchange.fail_after_accepting(o, count=n), ORDER_OPERATIONS),
        "fail_before": _answers("fail_before", lambda w, o, n: w.exchange.fail_before_accepting(o, count=n), ORDER_OPERATIONS),
        "garble_answers": _answers(
            "garble_answers", lambda w, o, n: w.exchange.garble_answers(o, n), (*ORDER_OPERATIONS, Operation.MARKET_DATA)
        ),
        "delay_requests": _delay_requests,
        "delay_answers": _delay_answers,
        "rate_limit": _rate_limit,
        "ban": _ban,
        "maintenance": _maintenance,
        "restart": _once("restart", lambda world: world.exchange.restart()),
        "announce_shutdown": _once("announce_shutdown", lambda world: world.exchange.announce_shutdown()),
        "hide_new_orders": _hide_new_orders,
        "duplicate_private": _private("duplicate_private", lambda world, n: world.exchange.duplicate_private_events(n)),
        "reorder_private": _private("reorder_private", lambda world, n: world.exchange.reorder_private_events(n)),
        "drop_private": _private("drop_private", lambda world, n: world.exchange.drop_private_events(n)),
        "garble_private": _private("garble_private", lambda world, n: world.exchange.garble_private_events(n)),
        "delay_private": _delay_private,
        "withhold_book": _withhold_book,
        "crossed_update": _once("crossed_update", lambda world: world.exchange.inject_crossed_update(BTC_USDT)),
        "move_market": _move_market,
        "freeze_flow": _freeze_flow,
        "skew_clock": _skew_clock,
        "fill_ours": _fill_ours,
        "cancel_ours": _once("cancel_ours", _cancel_ours),
        "crash_account": _once("crash_account", _crash_account),
        "crash_cycle": _crash_cycle,
        "crash_feed": _once("crash_feed", lambda world: world.crash_feed()),
    }
)
