"""Faults of the wire: of an exchange's host, or of the private stream's alone where that has one of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from network.faults import Direction, InstalledFault
from network.simulated_network import SimulatedNetwork
from soak.faults.strike import Draw, Group, Kind, Strike, Undo, for_a_while, nothing
from soak.worlds.place import Place
from soak.worlds.private_line import private_host
from soak.worlds.world import World

DIRECTIONS: tuple[Direction, ...] = ("to", "from", "both")

Host = Callable[[World, Place], str]


def _host(world: World, place: Place) -> str:
    return place.venue(world).host


def _private_host(world: World, place: Place) -> str:
    return private_host(world, place.venue(world))


def _acting(host: Host, act: Callable[[SimulatedNetwork, str], object]) -> Draw:
    """Something that happens to the connections there are."""

    def begin(world: World, place: Place) -> Undo | None:
        return nothing if act(world.network, host(world, place)) else None

    return lambda rng: Strike(text="", begin=begin)


def _installed(host: Host, install: Callable[[SimulatedNetwork, str], InstalledFault]) -> Draw:
    def begin(world: World, place: Place) -> Undo:
        return install(world.network, host(world, place)).repair

    return lambda rng: Strike(text="", begin=begin, seconds=for_a_while(rng))


def _directed(host: Host, install: Callable[[SimulatedNetwork, str, Direction], InstalledFault]) -> Draw:
    def draw(rng: random.Random) -> Strike:
        way = rng.choice(DIRECTIONS)

        def begin(world: World, place: Place) -> Undo:
            return install(world.network, host(world, place), way).repair

        return Strike(text=way, begin=begin, seconds=for_a_while(rng))

    return draw


def _slow(rng: random.Random) -> Strike:
    speed = rng.choice((500.0, 5_000.0, 50_000.0))

    def begin(world: World, place: Place) -> Undo:
        return world.network.slow(_host(world, place), speed).repair

    return Strike(text=f"{speed:g} B/s", begin=begin, seconds=for_a_while(rng))


def _cut_after(host: Host) -> Draw:
    def draw(rng: random.Random) -> Strike:
        way, size = rng.choice(DIRECTIONS), rng.choice((0, 1, 30, 100, 500, 2_000))

        def begin(world: World, place: Place) -> Undo:
            return world.network.cut_after(host(world, place), size, way).repair

        return Strike(text=f"{size} bytes {way}", begin=begin, seconds=60)

    return draw


def _latency(rng: random.Random) -> Strike:
    slowest = rng.choice((0.05, 0.3, 2.0))

    def begin(world: World, place: Place) -> Undo:
        host = _host(world, place)
        world.network.set_latency(host, 0.001, slowest)
        return partial(world.network.set_latency, host, 0.001, 0.005)

    return Strike(text=f"up to {slowest:g} s", begin=begin, seconds=for_a_while(rng))


def _swizzle(rng: random.Random) -> Strike:
    """Stall several exchanges one after the other and let them go on in another order, as FoundationDB's swizzle-clogging."""
    seconds = for_a_while(rng)

    def begin(world: World, place: Place) -> Undo:
        order = random.Random(f"{world.seed}:{place.cycle}:{seconds}")
        hosts = [venue.host for venue in world.venues.values()] + [
            private_host(world, venue) for venue in world.venues.values() if venue.private_url is not None
        ]
        stalls = [world.network.stall(host) for host in order.sample(hosts, k=order.randint(1, len(hosts)))]

        def undo() -> None:
            order.shuffle(stalls)
            for stall in stalls:
                stall.repair()

        return undo

    return Strike(text="", begin=begin, seconds=seconds)


def _kinds(prefix: str, host: Host, *, private: bool) -> tuple[Kind, ...]:
    draws: dict[str, Draw] = {
        "drop": _acting(host, lambda network, name: network.drop_connections(name)),
        "close": _acting(host, lambda network, name: network.close_without_frame(name)),
        "half_open": _acting(host, lambda network, name: network.half_open(name)),
        "refuse": _installed(host, lambda network, name: network.refuse(name)),
        "partition": _directed(host, lambda network, name, way: network.partition(name, way)),
        "stall": _directed(host, lambda network, name, way: network.stall(name, way)),
        "cut_after": _cut_after(host),
    }
    return tuple(Kind(name=f"{prefix}{name}", group=Group.NETWORK, draw=draw, needs_private_line=private) for name, draw in draws.items())


NETWORK: tuple[Kind, ...] = (
    *_kinds("", _host, private=False),
    *_kinds("private_", _private_host, private=True),
    Kind(name="fail_dns", group=Group.NETWORK, draw=_installed(_host, lambda network, name: network.fail_dns(name))),
    Kind(name="slow", group=Group.NETWORK, draw=_slow),
    Kind(name="latency", group=Group.NETWORK, draw=_latency),
    Kind(name="swizzle", group=Group.NETWORK, draw=_swizzle),
)
