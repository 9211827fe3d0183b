"""Somebody who has a run's page open: one who reads at once, a slow one, or one who does not read at all. Nothing may wait for him.

What he is told must be what a page is promised: all of it first, then one push after the other.
"""

from __future__ import annotations

import enum
import random
from contextlib import suppress
from math import inf

import msgspec
import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, wrap_client_stream

from assembly.page.place import PagePlace, parse_place
from assembly.page.protocol import Push
from soak.worlds.errors import Violation
from soak.worlds.world import World

NAME, ADDRESS = "localhost", "127.0.0.1"
PLACE: PagePlace = parse_place(f"{ADDRESS}:8321")
AGAIN_SECONDS = (0.5, 20.0)
BRISK_SECONDS = 0.4  # from one push to the next, on the average a little less than they come in
SLOW_SECONDS = 40.0
STUCK_SECONDS = 300.0


class Reader(enum.Enum):
    """How somebody reads the page; NOBODY has none."""

    NOBODY = "nobody"
    BRISK = "brisk"
    SLOW = "slow"
    STUCK = "stuck"


class Onlooker:
    """Looks for as long as the world lasts, at whichever run has the page."""

    def __init__(self, world: World, reader: Reader) -> None:
        self._reader = reader
        self._rng = random.Random(f"{world.seed}:onlooker")
        self.pushes = 0
        world.network.add_host(NAME, ADDRESS)

    async def look(self) -> None:
        """Raises: Violation: he is told something else than is promised."""
        while True:
            await self._look_once()
            await trio.sleep(self._rng.uniform(*AGAIN_SECONDS))

    async def _look_once(self) -> None:
        """Until the other side is gone, which it may be at any moment, or he has seen enough."""
        try:
            stream = await trio.open_tcp_stream(ADDRESS, PLACE.port)
        except OSError:
            return  # there is no run now, or its page is being restarted
        async with stream, trio.open_nursery() as nursery:
            with trio.move_on_after(self._rng.uniform(10.0, 600.0)):
                with suppress(ConnectionClosed, HandshakeError):
                    await self._read(await wrap_client_stream(nursery, stream, NAME, "/push"))
            nursery.cancel_scope.cancel("he has closed the page")

    async def _read(self, connection: WebSocketConnection) -> None:
        number = 0
        while True:
            number += 1
            try:
                push = msgspec.json.decode(await connection.get_message(), type=Push)
            except msgspec.MsgspecError as error:
                raise Violation(f"push {number} to the page is none: {error}") from error
            self.pushes += 1
            if push.number != number or push.whole is not (number == 1):
                raise Violation(f"push {number} to the page is told to be number {push.number}, whole: {push.whole}")
            if number == 1 and None in (push.program, push.tree, push.orders, push.accounts, push.books, push.log):
                raise Violation("the first push to a page lacks a section")
            await trio.sleep(self._pause_seconds())

    def _pause_seconds(self) -> float:
        match self._reader:
            case Reader.BRISK:
                return self._rng.uniform(0, BRISK_SECONDS)
            case Reader.SLOW:
                return self._rng.uniform(0, SLOW_SECONDS)
            case Reader.STUCK:
                return STUCK_SECONDS
            case Reader.NOBODY:
                return inf
