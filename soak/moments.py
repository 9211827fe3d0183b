"""When a fault strikes: at an instant, or at a chosen moment of an order's, an account's or a cycle's life."""

from __future__ import annotations

import random

import msgspec
import trio

from actors.accounts.events import AccountDisconnected
from market.events import BookLost
from orders.events import (
    AccountReady,
    OrderCancelRequested,
    OrderEnded,
    OrderFateUnknown,
    OrderFilled,
    OrderPlaced,
    OrderSubmitted,
)
from orders.reconciliation import CycleReconciled, CycleStarted
from soak.worlds.world import World
from supervision.events import CleanupStarted

MOMENTS: tuple[type, ...] = (
    OrderSubmitted,
    OrderPlaced,
    OrderFilled,
    OrderCancelRequested,
    OrderFateUnknown,
    OrderEnded,
    CycleStarted,
    CycleReconciled,
    AccountReady,
    AccountDisconnected,
    BookLost,
    CleanupStarted,
)


class When(msgspec.Struct, frozen=True, kw_only=True):
    """After so many seconds, counted from now, or from the `number`-th event of a kind."""

    seconds: float
    moment: type | None = None
    number: int = 1

    def __str__(self) -> str:
        since = f" after {self.moment.__name__} {self.number}" if self.moment is not None else ""
        return f"{self.seconds:.3f} s{since}"

    async def wait(self, world: World) -> None:
        """Until it has come."""
        if self.moment is not None:
            await self._wait_moment(world)
        await trio.sleep(self.seconds)

    async def _wait_moment(self, world: World) -> None:
        come, left = trio.Event(), self.number

        def count(event: object) -> None:
            nonlocal left
            if type(event) is self.moment:
                left -= 1
                if not left:
                    come.set()

        world.observers.append(count)
        try:
            await come.wait()
        finally:
            world.observers.remove(count)


def draw_when(rng: random.Random, seconds_max: float) -> When:
    if rng.random() < 0.5:
        return When(seconds=rng.uniform(0, seconds_max))
    seconds = rng.choice((0.0, rng.uniform(0, 0.02), rng.uniform(0, 1.0)))
    return When(seconds=seconds, moment=rng.choice(MOMENTS), number=rng.choice((1, 1, 2, 3, 5)))
