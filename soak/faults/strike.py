"""What a fault is: what it does where it strikes, and what ends it."""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Protocol

import msgspec

from network.causes import Cause
from soak.worlds.place import Place
from soak.worlds.world import World

Undo = Callable[[], object]


class Group(enum.Enum):
    """What ``--faults`` names."""

    NETWORK = "network"
    EXCHANGE = "exchange"
    CRASH = "crash"
    CLOCK = "clock"
    DISK = "disk"
    LOAD = "load"
    OPERATOR = "operator"


Begin = Callable[[World, Place], Undo | None]


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A fault to come: `begin` lets it strike and gives what ends it, or None if there is nothing to strike at.

    One that `ends_the_run` may end the program's run; it is started again afterwards. Whether it had an effect is told by what `begin` uses
    (see `network/causes.py`); what acts past that says so itself.
    """

    text: str
    begin: Begin
    seconds: float = 0.0
    ends_the_run: bool = False

    def start(self, world: World, place: Place, *, on_effect: Callable[[], object]) -> Undo | None:
        """As `begin`. If it strikes, `on_effect` is called once, as soon as that has had an effect: now, later, or never."""
        has_struck = had_effect = False

        def tell() -> None:
            nonlocal had_effect
            had_effect = True
            if has_struck:
                on_effect()

        with Cause(tell).at_work():
            undo = self.begin(world, place)
        has_struck = undo is not None
        if has_struck and had_effect:
            on_effect()
        return undo


class Draw(Protocol):
    def __call__(self, rng: random.Random) -> Strike: ...


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fault; `needs_private_line` if it strikes where the private stream has a host of its own, `needs_hand` if it is about
    amendments, which only hands send.
    """

    name: str
    group: Group
    draw: Draw
    needs_private_line: bool = False
    needs_hand: bool = False


def nothing() -> None:
    """For what is over as soon as it has happened."""


def for_a_while(rng: random.Random) -> float:
    """Seconds that a fault lasts: an instant, some seconds, or long enough for every time-out."""
    return rng.choice((rng.uniform(0.05, 1.0), rng.uniform(1, 6), rng.uniform(5, 40)))


def once(act: Callable[[World, Place], object]) -> Draw:
    """A fault without a strength, over at once."""

    def begin(world: World, place: Place) -> Undo:
        act(world, place)
        return nothing

    return lambda rng: Strike(text="", begin=begin)
