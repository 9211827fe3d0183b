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
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import trio

from actors.channels.dropping import DroppingReceiver, DroppingSender, open_dropping

RING_CAPACITY = 4096
ITEMS_PER_WRITE_MAX = 256

T = TypeVar("T")


class Sink(Protocol):
    """Where text goes."""

    async def write(self, text: str) -> None:
        """Write `text` after everything that was given before; a cancelled call may still write it later.

        Raises:
            OSError: the other side is gone.
        """
        ...


class ThreadSink(ABC):
    """A sink whose writes happen in a thread, one at a time. A write that never ends holds up its successors only."""

    def __init__(self) -> None:
        self._unwritten: deque[bytes] = deque()
        # One thread at a time keeps the order; an abandoned one holds its place until its write ends.
        self._limiter = trio.CapacityLimiter(1)

    async def write(self, text: str) -> None:
        # Kept here until a thread has taken it, so that a cancelled call loses nothing that a later one can still write.
        self._unwritten.append(text.encode(errors="replace"))
        await trio.to_thread.run_sync(self._write_all, abandon_on_cancel=True, limiter=self._limiter)

    def _write_all(self) -> None:
        while self._unwritten:
            self.write_bytes(self._unwritten.popleft())

    @abstractmethod
    def write_bytes(self, data: bytes) -> None:
        """Write all of `data`, blocking. Raises: OSError: it cannot be."""


class DescriptorSink(ThreadSink):
    """A file descriptor (a pipe, a terminal, a file). It is not closed here."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def write_bytes(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody who shares the terminal has made it non-blocking
                select.select([], [self._descriptor], [])


class RotatingFileSink(ThreadSink):
    """A file that is renamed to ``name.1`` (and that to ``name.2``, up to `files_kept`) when it would outgrow `bytes_max`."""

    def __init__(self, path: Path, *, bytes_max: int, files_kept: int) -> None:
        super().__init__()
        self._path = path
        self._bytes_max = bytes_max
        self._files_kept = files_kept

    def write_bytes(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        size = self._path.stat().st_size if self._path.exists() else 0
        if size and size + len(data) > self._bytes_max:
            self._rotate()
        with self._path.open("ab") as file:
            file.write(data)

    def _rotate(self) -> None:
        for number in range(self._files_kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class Outlet:
    """A sink that may fail: then `on_lost` is called once, with the reason, and everything after is discarded."""

    def __init__(self, sink: Sink, *, on_lost: Callable[[str], None]) -> None:
        self._sink = sink
        self._on_lost = on_lost
        self._turn = trio.Lock()
        self._unwritten: list[str] = []
        self._was_cut_short = False
        self.is_lost = False

    async def write(self, text: str) -> None:
        """Write `text` after what others are writing; always a checkpoint. What a cancelled call has left, the next one writes."""
        self._unwritten.append(text)
        async with self._turn:
            text = "".join(self._unwritten)
            self._unwritten.clear()
            if self.is_lost or not (text or self._was_cut_short):
                return
            try:
                # A sink that was cut short writes what it still has, if only it is called again.
                self._was_cut_short = True
                await self._sink.write(text)
                self._was_cut_short = False
            except OSError as error:
                self.is_lost = True
                self._on_lost(_reason(error))


class Pump(Generic[T]):
    """Items on their way to a sink. `render` makes text of some items, told how many were dropped before them."""

    def __init__(
        self,
        sink: Sink,
        *,
        render: Callable[[Sequence[T], int], str],
        on_lost: Callable[[str], None],
        capacity: int = RING_CAPACITY,
    ) -> None:
        self._outlet = Outlet(sink, on_lost=on_lost)
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
