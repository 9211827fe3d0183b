"""A connection that waits for nobody for long: between Hypercorn, which waits for a reader for ever and cannot be cancelled, and Trio."""

from __future__ import annotations

import re
import socket

import trio

SEND_SECONDS_MAX = 10.0
"""Who has not read what was sent before after so long is let go."""
UNACKNOWLEDGED_MILLISECONDS_MAX = 30_000
_COMPRESSION = re.compile(rb"(?i)\r\nsec-websocket-extensions:[^\r\n]*")
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


class PatientStream:
    """What Hypercorn needs of a stream. `abandon` ends it from outside, whatever is being sent."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.socket = stream.socket
        self._stream = stream
        self._sending: trio.CancelScope | None = None
        self._is_abandoned = False
        if _USER_TIMEOUT is not None:  # a machine that has gone says nothing, and would keep its page's place
            stream.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS_MAX)

    async def send_all(self, data: bytes) -> None:
        """
        Raises:
            trio.BrokenResourceError: it could not be sent in time, or must not be.
        """
        with trio.move_on_after(SEND_SECONDS_MAX) as self._sending:
            if not self._is_abandoned:
                await self._stream.send_all(data)
                return
        raise trio.BrokenResourceError("nobody reads it")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What comes. The offer to compress what is pushed is taken out: that would take each page longer than the look at the run."""
        data = bytes(await self._stream.receive_some(max_bytes))
        return _COMPRESSION.sub(b"", data) if data.startswith(b"GET ") else data

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abandon(self) -> None:
        """Whoever is sending stops at once."""
        self._is_abandoned = True
        if self._sending is not None:
            self._sending.cancel("the page's server stops")
