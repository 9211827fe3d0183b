"""A byte stream that knows since when the other side has been silent, and how it ended."""

from __future__ import annotations

from collections.abc import Callable

import trio


class WatchedStream(trio.abc.Stream):
    """Passes everything to the stream it wraps, and remembers what a websocket's heartbeat and its errors need to know.

    It owns `inner`: closing it closes that. `on_end` is called once, when reading has found the end.
    """

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner
        self.head = b""  # the first bytes received: they hold the status of a refused handshake
        self.ending = ""  # how reading ended, in words; empty while it has not
        self.is_torn = False  # a send was cancelled part way: nothing intelligible can follow
        self.listening_since: float | None = None  # Trio time; None while nobody listens, as when the reader waits for room in a queue
        self.on_end: Callable[[], None] | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        self.listening_since = trio.current_time()
        try:
            data = bytes(await self.inner.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._end(str(error.__cause__ or error) or "the connection was closed on this side")
            raise
        finally:
            self.listening_since = None
        if not data:
            self._end("the stream ended without a close frame")
        elif len(self.head) < 16:
            self.head += data[:16]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self.inner.send_all(data)
        except trio.Cancelled:
            self.is_torn = True
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _end(self, how: str) -> None:
        if not self.ending:
            self.ending = how
            if self.on_end is not None:
                self.on_end()
