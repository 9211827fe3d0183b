"""What waits to be told: the newest of each kind, within a bound, and how much was left out. Putting in never waits.

It outlives the actor's incarnations. What is being sent stays in hand until it is delivered, so that neither a failure nor a crash of the
actor loses it.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Mapping

import msgspec
import trio

KEPT_MAX = 20
"""Of each kind."""


class NotificationKind(enum.Enum):
    """What can be told, by the word that settings have for it."""

    FILLS = "fills"
    RESTARTS = "restarts"
    LIMITS = "limits"
    HALTS = "halts"
    UNKNOWN_ORDERS = "unknown_orders"
    STOP = "stop"


class Notification(msgspec.Struct, frozen=True):
    """One thing to tell, in one line of text."""

    kind: NotificationKind
    time_milliseconds: int
    text: str


class Batch(msgspec.Struct, frozen=True):
    """What is told together, oldest first, and how many of each kind there was no room for."""

    notifications: tuple[Notification, ...]
    left_out: Mapping[NotificationKind, int] = {}


class OutboxStatistics(msgspec.Struct, frozen=True):
    """An outbox at one moment. `waiting` are not told yet; `dropped` were left out since it was made."""

    waiting: int
    dropped: int


class Outbox:
    """Holds notifications of these kinds; others are not taken."""

    def __init__(self, kinds: Iterable[NotificationKind]) -> None:
        self._waiting: dict[NotificationKind, deque[tuple[int, Notification]]] = {kind: deque() for kind in kinds}
        self._left_out: dict[NotificationKind, int] = {}
        self._in_hand: Batch | None = None
        self._count = 0
        self._dropped = 0
        self._arrived = trio.Event()
        self._hurry = trio.Event()

    def wants(self, kind: NotificationKind) -> bool:
        return kind in self._waiting

    def put(self, notification: Notification) -> None:
        """Keep it until it is told; the oldest of its kind is left out for it, if there are too many. The end of a run is urgent."""
        waiting = self._waiting.get(notification.kind)
        if waiting is None:
            return
        self._count += 1
        waiting.append((self._count, notification))
        if len(waiting) > KEPT_MAX:
            waiting.popleft()
            self._dropped += 1
            self._left_out[notification.kind] = self._left_out.get(notification.kind, 0) + 1
        self._arrived.set()
        if notification.kind is NotificationKind.STOP:
            self._hurry.set()

    def statistics(self) -> OutboxStatistics:
        in_hand = 0 if self._in_hand is None else len(self._in_hand.notifications)
        return OutboxStatistics(in_hand + sum(map(len, self._waiting.values())), self._dropped)

    @property
    def is_empty(self) -> bool:
        """Nothing waits, and nothing is in hand."""
        return self._in_hand is None and not any(self._waiting.values())

    async def wait(self) -> None:
        """Return once there is something to tell."""
        if not self.is_empty:
            await trio.lowlevel.checkpoint()
            return
        self._arrived = trio.Event()
        await self._arrived.wait()

    async def wait_urgent(self) -> None:
        """Return once something came that should not wait for its turn."""
        await self._hurry.wait()

    def take(self) -> Batch:
        """What is in hand, or else all that waits, which is in hand from now on, until it is `delivered`."""
        if self._in_hand is None:
            numbered = sorted((pair for waiting in self._waiting.values() for pair in waiting), key=lambda pair: pair[0])
            self._in_hand = Batch(tuple(notification for _, notification in numbered), self._left_out)
            self._left_out = {}
            for waiting in self._waiting.values():
                waiting.clear()
            self._hurry = trio.Event()
        return self._in_hand

    def delivered(self) -> None:
        """What was in hand was told."""
        self._in_hand = None
