"""The dead-man's switch: what it covers is cancelled unless the client re-arms it in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

Scope = TypeVar("Scope")


class Countdowns(Generic[Scope]):
    """Armed switches, one per account and scope (a pair, a tag). They run while `run` does and survive a restart.

    `fire` is called with the account's name and the scope when a switch was not re-armed in time.
    """

    def __init__(self, fire: Callable[[str, Scope], object]) -> None:
        self._fire = fire
        self._deadlines: dict[tuple[str, Scope], float] = {}
        self._changed = trio.Event()

    def arm(self, account: str, scope: Scope, timeout_seconds: int) -> None:
        """(Re-)arm, or disarm with 0."""
        key = (account, scope)
        self._changed.set()
        if timeout_seconds:
            self._deadlines[key] = trio.current_time() + timeout_seconds
        else:
            self._deadlines.pop(key, None)

    def due_at(self, account: str) -> float | None:
        """When the first of an account's switches fires, by Trio's clock; None if none is armed."""
        return min((deadline for (name, _), deadline in self._deadlines.items() if name == account), default=None)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fire what is due, until cancelled."""
        task_status.started()
        while True:
            self._changed = trio.Event()
            with trio.move_on_at(min(self._deadlines.values(), default=float("inf"))):
                await self._changed.wait()
            for key, deadline in list(self._deadlines.items()):
                if deadline <= trio.current_time():
                    del self._deadlines[key]
                    self._fire(*key)
