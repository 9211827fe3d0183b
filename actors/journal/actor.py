"""The journal actor: writes what comes through the port, in batches, and answers those who wait for it.

Theory of operation. Between taking entries and having written them there is no checkpoint, so that cancelling can fall only
between two batches. A write stops the whole program for as long as it takes, some tens of microseconds an entry; what waits
for the disk, the checkpoint of the write-ahead log, is done when nothing has come for a while. When the file cannot be
written, everybody who waits is told, and the actor dies of it: what to do then is its supervisor's decision, and what it had
not written waits in the queue for its next incarnation.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol

import trio

from actors.journal.errors import JournalBroken
from actors.journal.events import JournalFailed
from actors.journal.port import JournalQueue
from actors.journal.records import UnknownEvent
from actors.journal.store import JournalStore

BATCH_ENTRIES_MAX = 100
QUIET_SECONDS = 0.25
IDLE_SECONDS = 1.0  # so often it looks whether prices have changed, and shows that it lives
# In statements: some megabytes of log. A checkpoint takes some ten milliseconds of a common disk's time, however much it is.
CHECKPOINT_WRITES_MIN = 2_000
# Where it is never quiet the checkpoint must come in between: a log without end would fill the disk.
CHECKPOINT_WRITES_MAX = 20_000


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None: ...

    def progress(self) -> None: ...


class JournalActor:
    """Writes one journal. One incarnation: make a new one for each start, on the same store and queue.

    The caller opens and closes the store, and has begun a run in it. `report` takes every noteworthy event and never blocks.
    """

    def __init__(
        self, *, store: JournalStore, queue: JournalQueue, report: Callable[[object], None], flush_deadline_seconds: float = 2.0
    ) -> None:
        self._store = store
        self._queue = queue
        self._report = report
        self._flush_deadline_seconds = flush_deadline_seconds

    async def run(self, context: ActorContext) -> None:
        """Write until cancelled, and then what has been sent until then.

        Raises:
            JournalBroken: the file cannot be written; also in place of the cancellation, if it fails then.
        """
        self._queue.begin()
        context.started()
        try:
            while True:
                with trio.CancelScope(deadline=self._look_at()) as waiting:
                    while True:
                        context.progress()
                        await self._queue.wait_entry()
                        self._write_batch()
                        self._checkpoint_beyond(CHECKPOINT_WRITES_MAX)
                        waiting.deadline = self._look_at()
                self._write_batch()
                self._checkpoint_beyond(CHECKPOINT_WRITES_MIN)
        except trio.Cancelled:
            with trio.move_on_after(self._flush_deadline_seconds, shield=True):
                await self._flush()
            raise
        finally:
            self._queue.fail("the journal actor has stopped")

    def _look_at(self) -> float:
        """Until when to wait for an entry: after some quiet there may be prices to write, or a checkpoint to make."""
        is_checkpoint_due = self._store.writes_since_checkpoint >= CHECKPOINT_WRITES_MIN
        return trio.current_time() + (QUIET_SECONDS if is_checkpoint_due else IDLE_SECONDS)

    def _write_batch(self, *, is_last: bool = False) -> int:
        """Write the oldest entries and what prices are due; returns how many there were."""
        batch = self._queue.next_batch(BATCH_ENTRIES_MAX, is_last=is_last)
        with self._telling_failure():
            self._store.write(batch)
        self._queue.written()
        return len(batch)

    def _checkpoint_beyond(self, writes: int) -> None:
        if self._store.writes_since_checkpoint >= writes:
            with self._telling_failure():
                self._store.checkpoint()

    async def _flush(self) -> None:
        """Write all that is there. Cut off by the deadline, what is left is told."""
        try:
            while self._write_batch(is_last=True):
                await trio.lowlevel.checkpoint()
        except trio.Cancelled:
            self._fail("the journal was stopped before everything was written")
            raise

    @contextmanager
    def _telling_failure(self) -> Generator[None]:
        try:
            yield
        except (JournalBroken, UnknownEvent) as failure:
            self._fail(str(failure))
            raise

    def _fail(self, reason: str) -> None:
        self._report(JournalFailed(reason, self._queue.fail(reason)))
