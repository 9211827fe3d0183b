"""Output that never blocks the program: a bounded ring that drops and counts, drained into a sink by a task.

Whoever reads our standard output may stop reading (a pager, a full disk, Ctrl-S on a terminal). Trading must not notice:
`Pump.put` is synchronous and never waits, and the write happens in a thread that may be left behind.
"""

from __future__ import annotations

import errno
import os
import select
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import trio

from actors.channels.dropping import DroppingReceiver, DroppingSender, open_dropping

RING_CAPACITY = 4096
# Text is made of so many in one step of the task that drains: some 10 us each, and nothing else runs meanwhile.
ITEMS_PER_WRITE_MAX = 64

T = TypeVar("T")


class Sink(Protocol):
    """Where text goes."""

    async def write(self, text: str) -> None:
        """Write `text` after everything that was given before.

        What a call has not written, because it was cancelled or failed, the next one writes first, if the sink is one that may
        come right again.

        Raises:
            OSError: the other side is gone, or takes nothing now.
        """
        ...


class ThreadSink(ABC):
    """A sink whose writes happen in a thread, one at a time. A write that never ends holds up its successors only."""

    def __init__(self) -> None:
        self._unwritten: deque[bytes] = deque()
        # One thread at a time keeps the order; an abandoned one holds its place until its write ends.
        self._limiter = trio.CapacityLimiter(1)

    async def write(self, text: str) -> None:
        # Kept here until a thread has written it, so that a call that is cancelled or fails loses nothing that a later one can still write.
        if text:
            self._unwritten.append(text.encode(errors="replace"))
        await trio.to_thread.run_sync(self._write_all, abandon_on_cancel=True, limiter=self._limiter)

    def write_bytes(self, data: bytes) -> None:
        """Write all of `data`, blocking. Raises: OSError: it cannot be."""
        while data:
            data = data[self.write_some(data) :]

    def _write_all(self) -> None:
        while self._unwritten:
            data = self._unwritten[0]
            written = self.write_some(data)
            if written < len(data):
                self._unwritten[0] = data[written:]
            else:
                self._unwritten.popleft()

    @abstractmethod
    def write_some(self, data: bytes) -> int:
        """Write the beginning of `data`, blocking; how many bytes. Raises: OSError: nothing can be written."""


class DescriptorSink(ThreadSink):
    """A file descriptor (a pipe, a terminal, a file). It is not closed here."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def write_some(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # somebody who shares the terminal has made it non-blocking
            select.select([], [self._descriptor], [])
            return 0


class Outlet:
    """A sink that may fail: then `on_lost` is called once, with the reason, and everything after is discarded.

    With `retry_seconds` it is a sink that may come right again (a full disk): then nothing is discarded here, the same is tried again and
    again, and `on_lost` is called once for each time that it begins to fail, `on_regained` when it is over.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        on_lost: Callable[[str], None],
        retry_seconds: float | None = None,
        on_regained: Callable[[], None] = lambda: None,
    ) -> None:
        self._sink = sink
        self._on_lost = on_lost
        self._retry_seconds = retry_seconds
        self._on_regained = on_regained
        self._turn = trio.Lock()
        self._unwritten: list[str] = []
        self._was_cut_short = False
        self._is_failing = False
        self.is_lost = False

    async def write(self, text: str) -> None:
        """Write `text` after what others are writing; always a checkpoint. What a cancelled call has left, the next one writes."""
        self._unwritten.append(text)
        async with self._turn:
            text = "".join(self._unwritten)
            self._unwritten.clear()
            if self.is_lost or not (text or self._was_cut_short):
                return
            # A sink that was cut short writes what it still has, if only it is called again.
            self._was_cut_short = True
            while not await self._is_written(text) and self._retry_seconds is not None:
                await trio.sleep(self._retry_seconds)
                text = ""  # the sink has it
            self._was_cut_short = False

    async def _is_written(self, text: str) -> bool:
        try:
            await self._sink.write(text)
        except OSError as error:
            self.is_lost = self._retry_seconds is None
            if not self._is_failing:
                self._is_failing = True
                self._on_lost(_reason(error))
            return False
        if self._is_failing:
            self._is_failing = False
            self._on_regained()
        return True


class Pump(Generic[T]):
    """Items on their way to a sink. `render` makes text of some items, told how many were dropped before them. For a sink that
    may come right again see `Outlet`.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        render: Callable[[Sequence[T], int], str],
        on_lost: Callable[[str], None],
        retry_seconds: float | None = None,
        on_regained: Callable[[], None] = lambda: None,
        capacity: int = RING_CAPACITY,
    ) -> None:
        self._outlet = Outlet(sink, on_lost=on_lost, retry_seconds=retry_seconds, on_regained=on_regained)
        self._render = render
        ring: tuple[DroppingSender[T], DroppingReceiver[T]] = open_dropping(capacity)
        self._sender, self._receiver = ring

    @property
    def dropped(self) -> int:
        """How many items were dropped because the sink did not keep up."""
        return self._receiver.statistics().dropped

    def put(self, item: T) -> None:
        """Send an item on its way; never waits. Call it in Trio's thread only."""
        if not self._outlet.is_lost:
            self._sender.send_nowait(item)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drain for ever. Cancelled, it leaves what it has not written to the next `run` or `finish`."""
        task_status.started()
        while True:
            await self._write([await self._receiver.receive(), *self._take(ITEMS_PER_WRITE_MAX - 1)])

    async def finish(self, closing: Callable[[], str] = str, *, deadline_seconds: float) -> bool:
        """Write what is left and then the `closing` text, shielded from cancellation.

        False if not all of it was out by the deadline.
        """
        with trio.move_on_after(deadline_seconds, shield=True):
            while items := self._take(ITEMS_PER_WRITE_MAX):
                await self._write(items)
            await self._outlet.write(closing())
            return not self._outlet.is_lost
        return False

    async def _write(self, items: list[T]) -> None:
        await self._outlet.write(self._render(items, self._receiver.take_dropped()))

    def _take(self, count: int) -> list[T]:
        items: list[T] = []
        try:
            while len(items) < count:
                items.append(self._receiver.receive_nowait())
        except trio.WouldBlock:
            pass
        return items


def _reason(error: OSError) -> str:
    if error.errno == errno.EPIPE:
        return "its reader has gone"
    return error.strerror or str(error)
