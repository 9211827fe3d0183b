"""The half that `latest` and `dropping` share: a box of pending values whose sender never waits.

Values stay in the box until a receiver's task runs and takes them synchronously, so that cancelling a receiver at any
point can neither lose nor duplicate one. Waking is by an Event that only a waiting receiver creates: putting a value
while nobody waits costs no Trio call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import trio

T = TypeVar("T")
SendT = TypeVar("SendT", contravariant=True)
ReceiveT = TypeVar("ReceiveT", covariant=True)


class Mailbox(ABC, Generic[T]):
    """Pending values and their counts. A subclass says what is kept when it is full."""

    __slots__ = ("_arrival", "received", "receiver_closed", "sender_closed", "sent")

    def __init__(self) -> None:
        self.sent: int = 0
        self.received: int = 0
        self.sender_closed = False
        self.receiver_closed = False
        self._arrival: trio.Event | None = None

    @abstractmethod
    def __len__(self) -> int:
        """How many values are pending."""

    @abstractmethod
    def put(self, value: T) -> None:
        """Keep `value` by the channel's policy and wake whoever waits; never blocks."""

    @abstractmethod
    def take_oldest(self) -> T:
        """Remove the value whose place in the queue is first; at least one is pending."""

    @abstractmethod
    def clear(self) -> None:
        """Forget all pending values."""

    def refuse_if_closed(self) -> None:
        """Raise the error that a sender meets on a channel of which an end was closed, if one was."""
        if self.sender_closed:
            raise trio.ClosedResourceError("this sender was closed")
        if self.receiver_closed:
            raise trio.BrokenResourceError("the receiver was closed")

    def wake(self) -> None:
        """Wake every waiting receiver; each looks again for itself."""
        if self._arrival is not None:
            self._arrival.set()
            self._arrival = None

    async def wait_pending(self) -> None:
        """Return when a value is pending; always a checkpoint, always before anything is taken."""
        if self or self.receiver_closed or self.sender_closed:
            await trio.lowlevel.checkpoint()
        while not self:
            self.refuse_to_receive()
            if self._arrival is None:
                self._arrival = trio.Event()
            await self._arrival.wait()

    def refuse_to_receive(self) -> None:
        """Raise what a receiver meets on an empty channel of which an end was closed, if one was."""
        if self.receiver_closed:
            raise trio.ClosedResourceError("this receiver was closed")
        if self.sender_closed:
            raise trio.EndOfChannel


class MailboxSender(trio.abc.SendChannel[SendT], Generic[SendT]):
    """A sending end that never waits. Several tasks may share it."""

    def __init__(self, mailbox: Mailbox[SendT]) -> None:
        self._mailbox = mailbox
        # Bound once: the hot path is one call, not two.
        self.send_nowait = mailbox.put

    async def send(self, value: SendT) -> None:
        """As `send_nowait`, then a checkpoint that is not cancellable: a call that was begun has sent."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self.send_nowait(value)
        await trio.lowlevel.cancel_shielded_checkpoint()

    def close(self) -> None:
        """Close the sending side. What is pending stays receivable; then receivers meet `trio.EndOfChannel`."""
        self._mailbox.sender_closed = True
        self._mailbox.wake()

    async def aclose(self) -> None:
        """As `close`; also a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()


class MailboxReceiver(trio.abc.ReceiveChannel[ReceiveT], Generic[ReceiveT]):
    """A receiving end; also an async iterator that ends when the sender is closed and nothing is pending."""

    def __init__(self, mailbox: Mailbox[ReceiveT]) -> None:
        self._mailbox = mailbox

    async def receive(self) -> ReceiveT:
        """Take the first pending value, waiting for one. A cancelled call has taken nothing.

        Raises:
            trio.EndOfChannel: the sender was closed and nothing is pending.
            trio.ClosedResourceError: this end was closed.
        """
        await self._mailbox.wait_pending()
        return self._mailbox.take_oldest()

    def receive_nowait(self) -> ReceiveT:
        """Take the first pending value at once.

        Raises:
            trio.WouldBlock: nothing is pending.
            trio.EndOfChannel: the sender was closed and nothing is pending.
            trio.ClosedResourceError: this end was closed.
        """
        if not self._mailbox:
            self._mailbox.refuse_to_receive()
            raise trio.WouldBlock
        return self._mailbox.take_oldest()

    def close(self) -> None:
        """Close the receiving side. What is pending is lost; senders then meet `trio.BrokenResourceError`."""
        self._mailbox.receiver_closed = True
        self._mailbox.clear()
        self._mailbox.wake()

    async def aclose(self) -> None:
        """As `close`; also a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()
