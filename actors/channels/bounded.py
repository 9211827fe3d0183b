"""A channel in which every item counts: the sender waits when it is full."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
import trio

T = TypeVar("T")
SendT = TypeVar("SendT", contravariant=True)
ReceiveT = TypeVar("ReceiveT", covariant=True)


class BoundedStatistics(msgspec.Struct, frozen=True):
    """A bounded channel at one moment. A send that had to wait counts as sent once its task runs again."""

    capacity: int
    used: int
    used_max: int
    sent: int
    received: int
    senders_waiting: int
    receivers_waiting: int


class _Counts:
    """What Trio's channel does not count; shared by every end of one channel."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0


# A class only so that the type of the items can be said: open_bounded[int](…).
class open_bounded(tuple["BoundedSender[T]", "BoundedReceiver[T]"]):
    """Open a channel that holds at most `capacity` items. Whoever opens it closes both ends.

    Raises:
        ValueError: `capacity` is not a whole number above zero; there is no unbounded channel.
    """

    def __new__(cls, capacity: int) -> tuple[BoundedSender[T], BoundedReceiver[T]]:
        if type(capacity) is not int or capacity <= 0:
            raise ValueError(f"a bounded channel's capacity is a whole number above zero, not {capacity!r}")
        sender, receiver = trio.open_memory_channel[T](capacity)
        counts = _Counts()
        return BoundedSender(sender, counts), BoundedReceiver(receiver, counts)


class BoundedSender(trio.abc.SendChannel[SendT], Generic[SendT]):
    """The sending end. Several tasks may send on it; items keep the order in which the calls were made."""

    def __init__(self, sender: trio.MemorySendChannel[SendT], counts: _Counts) -> None:
        self._sender = sender
        self._counts = counts

    async def send(self, value: SendT) -> None:
        """Send `value`, waiting while the channel is full. A cancelled call has sent nothing.

        Raises:
            trio.ClosedResourceError: this end was closed.
            trio.BrokenResourceError: every receiver was closed.
        """
        await self._sender.send(value)
        self._counts.sent += 1

    def send_nowait(self, value: SendT) -> None:
        """Send `value` at once.

        Raises:
            trio.WouldBlock: the channel is full.
            trio.ClosedResourceError: this end was closed.
            trio.BrokenResourceError: every receiver was closed.
        """
        self._sender.send_nowait(value)
        self._counts.sent += 1

    def clone(self) -> BoundedSender[SendT]:
        """Another sending end of the same channel; the receiver sees the end once all of them are closed."""
        return BoundedSender(self._sender.clone(), self._counts)

    def close(self) -> None:
        """Close this end; tasks waiting in its `send` raise `trio.ClosedResourceError`. Items sent stay receivable."""
        self._sender.close()

    async def aclose(self) -> None:
        """As `close`; also a checkpoint."""
        await self._sender.aclose()

    def statistics(self) -> BoundedStatistics:
        return _statistics(self._sender.statistics(), self._counts)


class BoundedReceiver(trio.abc.ReceiveChannel[ReceiveT], Generic[ReceiveT]):
    """The receiving end; also an async iterator that ends when every sender is closed and all items are taken."""

    def __init__(self, receiver: trio.MemoryReceiveChannel[ReceiveT], counts: _Counts) -> None:
        self._receiver = receiver
        self._counts = counts

    async def receive(self) -> ReceiveT:
        """Take the oldest item, waiting for one. A cancelled call has taken nothing.

        Raises:
            trio.EndOfChannel: every sender was closed and nothing is left.
            trio.ClosedResourceError: this end was closed.
        """
        value = await self._receiver.receive()
        self._counts.received += 1
        return value

    def receive_nowait(self) -> ReceiveT:
        """Take the oldest item at once.

        Raises:
            trio.WouldBlock: the channel is empty.
            trio.EndOfChannel: every sender was closed and nothing is left.
            trio.ClosedResourceError: this end was closed.
        """
        value = self._receiver.receive_nowait()
        self._counts.received += 1
        return value

    def clone(self) -> BoundedReceiver[ReceiveT]:
        """Another receiving end of the same channel; each item goes to one of them."""
        return BoundedReceiver(self._receiver.clone(), self._counts)

    def close(self) -> None:
        """Close this end; tasks waiting in its `receive` raise `trio.ClosedResourceError`. What is left in it is lost."""
        self._receiver.close()

    async def aclose(self) -> None:
        """As `close`; also a checkpoint."""
        await self._receiver.aclose()

    def statistics(self) -> BoundedStatistics:
        return _statistics(self._receiver.statistics(), self._counts)


def _statistics(of_trio: trio.MemoryChannelStatistics, counts: _Counts) -> BoundedStatistics:
    return BoundedStatistics(
        capacity=int(of_trio.max_buffer_size),
        used=of_trio.current_buffer_used,
        used_max=of_trio.peak_buffer_used,
        sent=counts.sent,
        received=counts.received,
        senders_waiting=of_trio.tasks_waiting_send,
        receivers_waiting=of_trio.tasks_waiting_receive,
    )
