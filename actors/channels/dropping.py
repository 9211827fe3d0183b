"""A channel for telemetry only: the sender never waits, the oldest item is dropped when it is full, drops are counted."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import msgspec

from actors.channels.mailbox import Mailbox, MailboxReceiver, MailboxSender

T = TypeVar("T")
SendT = TypeVar("SendT", contravariant=True)
ReceiveT = TypeVar("ReceiveT", covariant=True)


class DroppingStatistics(msgspec.Struct, frozen=True):
    """A dropping channel at one moment. While it is open, sent = received + dropped + pending.

    `dropped` counts since the channel was opened; `take_dropped` does not reset it.
    """

    capacity: int
    pending: int
    dropped: int
    sent: int
    received: int


# A class only so that the type of the items can be said: open_dropping[int](…).
class open_dropping(tuple["DroppingSender[T]", "DroppingReceiver[T]"]):
    """Open a channel that keeps the newest `capacity` items. Whoever opens it closes both ends.

    For what may be lost: never for orders, fills or balances.

    Raises:
        ValueError: `capacity` is not a whole number above zero.
    """

    def __new__(cls, capacity: int) -> tuple[DroppingSender[T], DroppingReceiver[T]]:
        if type(capacity) is not int or capacity <= 0:
            raise ValueError(f"a dropping channel's capacity is a whole number above zero, not {capacity!r}")
        mailbox: DroppingMailbox[T] = DroppingMailbox(capacity)
        return DroppingSender(mailbox), DroppingReceiver(mailbox)


class DroppingMailbox(Mailbox[T]):
    """The newest items, oldest first, and how many were dropped to make room."""

    __slots__ = ("_dropped_taken", "_pending", "capacity", "dropped")

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.dropped = 0
        self._dropped_taken = 0
        self._pending: deque[T] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, value: T) -> None:
        """Send `value`, dropping the oldest pending item when the channel is full.

        Raises:
            trio.ClosedResourceError: the sender was closed.
            trio.BrokenResourceError: the receiver was closed.
        """
        if self.sender_closed or self.receiver_closed:
            self.refuse_if_closed()
        pending = self._pending
        if len(pending) == self.capacity:
            self.dropped += 1
        pending.append(value)
        self.sent += 1
        if self._arrival is not None:
            self.wake()

    def take_oldest(self) -> T:
        self.received += 1
        return self._pending.popleft()

    def clear(self) -> None:
        self._pending.clear()

    def take_dropped(self) -> int:
        taken, self._dropped_taken = self.dropped - self._dropped_taken, self.dropped
        return taken

    def statistics(self) -> DroppingStatistics:
        return DroppingStatistics(
            capacity=self.capacity,
            pending=len(self._pending),
            dropped=self.dropped,
            sent=self.sent,
            received=self.received,
        )


class DroppingSender(MailboxSender[SendT], Generic[SendT]):
    """The sending end: `send_nowait` (see `DroppingMailbox.put` for what it raises), and `send` for Trio's interface."""

    def __init__(self, mailbox: DroppingMailbox[SendT]) -> None:
        super().__init__(mailbox)
        self._dropping = mailbox

    def statistics(self) -> DroppingStatistics:
        return self._dropping.statistics()


class DroppingReceiver(MailboxReceiver[ReceiveT], Generic[ReceiveT]):
    """The receiving end: what was not dropped, oldest first."""

    def __init__(self, mailbox: DroppingMailbox[ReceiveT]) -> None:
        super().__init__(mailbox)
        self._dropping = mailbox

    def take_dropped(self) -> int:
        """How many items were dropped since the last call."""
        return self._dropping.take_dropped()

    def statistics(self) -> DroppingStatistics:
        return self._dropping.statistics()
