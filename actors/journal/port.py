"""The way into the journal: one port that everybody shares, and the queue behind it, which outlives every incarnation.

Every entry counts and keeps its place; a sender waits while the queue is full. What may be lost (`note`) is let in only while
the queue is not half full, so that it never makes an order wait, and is counted when it is not. Once the journal has failed,
nobody waits for it any more: who asks to have something written is told at once, until an incarnation has written what its
predecessor could not; meanwhile at most twice the queue's capacity is kept for it.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

import msgspec
import trio

from actors.channels.bounded import BoundedReceiver, BoundedSender, open_bounded
from actors.channels.reply import Reply
from actors.journal.entries import Entry, EventTold
from actors.journal.errors import JournalBroken
from actors.journal.prices import PriceSampler
from actors.journal.records import UnknownEvent, has_table
from market.clock import WallClock

DROPPED = "journal_dropped"


class PortStatistics(msgspec.Struct, frozen=True):
    """A journal's port at one moment. `waiting` entries are not written yet; `dropped` counts notes since it was opened."""

    capacity: int
    waiting: int
    sent: int
    dropped: int


class _Shared:
    """What both ends know."""

    def __init__(self) -> None:
        self.failure: str | None = None
        self.dropped = 0
        self.unwritten: deque[Entry] = deque()


class JournalPort:
    """The sending end. Every event is of a kind with a table (`records.has_table`); `UnknownEvent` is raised of any other."""

    def __init__(self, sender: BoundedSender[Entry], shared: _Shared, wall_clock: WallClock) -> None:
        self._sender = sender
        self._shared = shared
        self._wall_clock = wall_clock

    async def record(self, *events: object) -> None:
        """Have events of this moment written, together; waits while the queue is full. A cancelled call has recorded nothing.

        Raises:
            JournalBroken: the journal has failed, and no more is kept: nothing was recorded.
        """
        if self._shared.failure is None:
            await self._sender.send(self._entry(events))
        else:
            await trio.lowlevel.checkpoint_if_cancelled()
            self.record_nowait(*events)
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def record_and_wait(self, *events: object) -> None:
        """As `record`, and return once they are written: from then on they outlive this process. Cancelled, they may be.

        Raises:
            JournalBroken: they could not be written now. They are when the journal works again, unless it had failed before.
        """
        if self._shared.failure is not None:
            raise JournalBroken(self._shared.failure)
        reply = Reply[None]()
        await self._sender.send(self._entry(events, reply))
        await reply.wait()

    def record_nowait(self, *events: object) -> None:
        """As `record`, for who cannot wait.

        Raises:
            trio.WouldBlock: the queue is full: nothing was recorded.
            JournalBroken: as `record`.
        """
        entry, failure = self._entry(events), self._shared.failure
        if failure is None:
            self._sender.send_nowait(entry)
            return
        if len(self._shared.unwritten) >= self._sender.statistics().capacity:
            raise JournalBroken(failure)
        try:
            self._sender.send_nowait(entry)
        except trio.WouldBlock:
            raise JournalBroken(failure) from None

    def note(self, told: EventTold) -> None:
        """Have something written that may be lost: never waits, never raises, and counts what it had to drop."""
        statistics = self._sender.statistics()
        if (statistics.used + len(self._shared.unwritten)) * 2 >= statistics.capacity:
            self._shared.dropped += 1
        else:
            self._sender.send_nowait(self._entry((told,)))

    def statistics(self) -> PortStatistics:
        """How full the queue is."""
        statistics = self._sender.statistics()
        waiting = statistics.used + statistics.senders_waiting + len(self._shared.unwritten)
        return PortStatistics(statistics.capacity, waiting, statistics.sent, self._shared.dropped)

    def _entry(self, events: tuple[object, ...], answer: Reply[None] | None = None) -> Entry:
        for event in events:  # here, where whoever has sent it can be seen
            if not has_table(type(event)):
                raise UnknownEvent(f"the journal has no table for {type(event).__name__}: tell it in words")
        return Entry(self._wall_clock.milliseconds(), events, answer)


class JournalQueue:
    """The receiving end, for one incarnation at a time. What one could not write waits here for the next.

    To each batch it adds what nobody sends: how much was dropped, and the prices that are due.
    """

    def __init__(self, receiver: BoundedReceiver[Entry], shared: _Shared, wall_clock: WallClock, prices: PriceSampler | None) -> None:
        self._prices = prices
        self._receiver = receiver
        self._shared = shared
        self._wall_clock = wall_clock
        self._in_batch = 0
        self._dropped_in_batch = 0
        self._dropped_told = 0

    def begin(self) -> None:
        """An incarnation begins to work: senders wait for it once it has shown that it can write what is here."""
        if not self._shared.unwritten:
            self._shared.failure = None

    async def wait_entry(self) -> None:
        """Return when an entry is there; always a checkpoint, and nothing is lost by cancelling it."""
        if self._shared.unwritten:
            await trio.lowlevel.checkpoint()
        else:
            self._shared.unwritten.append(await self._receiver.receive())

    def next_batch(self, size_max: int, *, is_last: bool = False) -> list[Entry]:
        """The oldest entries, which stay here until they are `written`; how much was dropped since the last of them, and prices.

        With what `is_last` all prices come that are not written yet.
        """
        unwritten = self._shared.unwritten
        while len(unwritten) < size_max:
            try:
                unwritten.append(self._receiver.receive_nowait())
            except trio.WouldBlock:
                break
        batch = list(islice(unwritten, size_max))
        self._in_batch, self._dropped_in_batch = len(batch), self._shared.dropped - self._dropped_told
        if self._dropped_in_batch:
            told = EventTold(DROPPED, {"count": self._dropped_in_batch}, "journal")
            batch.append(Entry(self._wall_clock.milliseconds(), (told,)))
        if self._prices is not None and (sampled := self._prices.take(everything=is_last)):
            batch.append(Entry(self._wall_clock.milliseconds(), sampled))
        return batch

    def written(self) -> None:
        """The last batch is in the journal: whoever waited for one of its entries hears it, and all may wait for the next."""
        self._shared.failure = None
        self._dropped_told += self._dropped_in_batch
        if self._prices is not None:
            self._prices.written()
        for _ in range(self._in_batch):
            entry = self._shared.unwritten.popleft()
            if entry.answer is not None:
                entry.answer.answer(None)

    def fail(self, reason: str) -> int:
        """Nobody writes any more: whoever waits hears it, and nobody waits from now on. Returns how many entries stay here."""
        self._shared.failure = self._shared.failure or reason
        unwritten = self._shared.unwritten
        while True:
            try:
                unwritten.append(self._receiver.receive_nowait())  # also makes room for senders that wait
            except trio.WouldBlock:
                break
        for index, entry in enumerate(unwritten):
            if entry.answer is not None:
                entry.answer.fail(JournalBroken(reason))
                unwritten[index] = Entry(entry.at_milliseconds, entry.events)
        return len(unwritten)


def open_journal_port(capacity: int, *, wall_clock: WallClock, prices: PriceSampler | None = None) -> tuple[JournalPort, JournalQueue]:
    """Open a way into the journal that holds at most `capacity` entries. What `prices` knows is written with them.

    Raises:
        ValueError: `capacity` is not a whole number above zero.
    """
    sender, receiver = open_bounded[Entry](capacity)
    shared = _Shared()
    return JournalPort(sender, shared, wall_clock), JournalQueue(receiver, shared, wall_clock, prices)
