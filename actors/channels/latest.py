"""A channel in which only the newest value of each key counts: a newer one overwrites, and the sender never waits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec

from actors.channels.mailbox import Mailbox, MailboxReceiver, MailboxSender

T = TypeVar("T")
SendT = TypeVar("SendT", contravariant=True)
ReceiveT = TypeVar("ReceiveT", covariant=True)


class TooManyKeys(RuntimeError):
    """More keys are pending than the channel was opened for: the key function or `keys_max` is wrong. Ours to fix."""


class LatestStatistics(msgspec.Struct, frozen=True):
    """A latest channel at one moment. While it is open, sent = received + overwritten + pending."""

    keys_max: int
    pending: int
    pending_max: int
    overwritten: int
    sent: int
    received: int


# A class only so that the type of the items can be said: open_latest[int](…).
class open_latest(tuple["LatestSender[T]", "LatestReceiver[T]"]):
    """Open a channel that holds the newest value of each of at most `keys_max` keys. Whoever opens it closes both ends.

    `key` is pure and cheap; it is called once per value sent.

    Raises:
        ValueError: `keys_max` is not a whole number above zero.
    """

    def __new__(cls, key: Callable[[T], Hashable], keys_max: int) -> tuple[LatestSender[T], LatestReceiver[T]]:
        if type(keys_max) is not int or keys_max <= 0:
            raise ValueError(f"a latest channel's keys_max is a whole number above zero, not {keys_max!r}")
        mailbox = LatestMailbox(key, keys_max)
        return LatestSender(mailbox), LatestReceiver(mailbox)


class LatestMailbox(Mailbox[T]):
    """Values by key in the order in which the keys became pending."""

    __slots__ = ("_key", "_pending", "keys_max", "overwritten", "pending_max")

    def __init__(self, key: Callable[[T], Hashable], keys_max: int) -> None:
        super().__init__()
        self.keys_max = keys_max
        self.overwritten = 0
        self.pending_max = 0
        self._key = key
        # An OrderedDict takes its first item in constant time; a dict walks over the holes left by those before it.
        self._pending: OrderedDict[Hashable, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, value: T) -> None:
        """Send `value`; it takes the place of a pending value of the same key, and that value's place in the queue.

        Raises:
            TooManyKeys: `keys_max` other keys are pending; the channel is unchanged.
            trio.ClosedResourceError: the sender was closed.
            trio.BrokenResourceError: the receiver was closed.
        """
        if self.sender_closed or self.receiver_closed:
            self.refuse_if_closed()
        key = self._key(value)
        pending = self._pending
        if key in pending:
            self.overwritten += 1
            pending[key] = value
        else:
            if len(pending) >= self.keys_max:
                raise TooManyKeys(
                    f"a latest channel opened for keys_max={self.keys_max} keys has that many pending and was sent another, {key!r}: "
                    "open it for more keys, or mend its key function"
                )
            pending[key] = value
            if len(pending) > self.pending_max:
                self.pending_max = len(pending)
        self.sent += 1
        if self._arrival is not None:
            self.wake()

    def take_oldest(self) -> T:
        self.received += 1
        return self._pending.popitem(last=False)[1]

    def clear(self) -> None:
        self._pending.clear()

    def statistics(self) -> LatestStatistics:
        return LatestStatistics(
            keys_max=self.keys_max,
            pending=len(self._pending),
            pending_max=self.pending_max,
            overwritten=self.overwritten,
            sent=self.sent,
            received=self.received,
        )


class LatestSender(MailboxSender[SendT], Generic[SendT]):
    """The sending end: `send_nowait` (see `LatestMailbox.put` for what it raises), and `send` for Trio's interface."""

    def __init__(self, mailbox: LatestMailbox[SendT]) -> None:
        super().__init__(mailbox)
        self._latest = mailbox

    def statistics(self) -> LatestStatistics:
        return self._latest.statistics()


class LatestReceiver(MailboxReceiver[ReceiveT], Generic[ReceiveT]):
    """The receiving end: one value per key, the key that has been pending longest first."""

    def __init__(self, mailbox: LatestMailbox[ReceiveT]) -> None:
        super().__init__(mailbox)
        self._latest = mailbox

    def statistics(self) -> LatestStatistics:
        return self._latest.statistics()
