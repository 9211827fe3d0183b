"""A connection that waits for nobody for long: between Hypercorn, which waits for a reader for ever and cannot be cancelled, and Trio.

Theory of operation. Hypercorn keeps what belongs to a connection after the other side has gone: for as long as an idle one may be, and
for ever where it had stopped reading (after a handshake that failed, or behind a request that nobody reads the answer of). So the
connection is served in a scope that ends here: a while after the last byte, soon after the other side's last, and at once if that does
not read; but never while the application answers, which has times of its own.
"""

from __future__ import annotations

import re
import socket

import trio

from assembly.page.guard import Application, Receive, Scope, Send

SEND_SECONDS_MAX = 10.0
"""Who has not read what was sent before after so long is let go."""
QUIET_SECONDS_MAX = 40.0
"""So long nothing may come and go while nothing is answered: longer than Hypercorn lets a connection be idle, when it does."""
GONE_SECONDS_MAX = 0.25
"""For handing what came last to the application, once nothing more will come."""
UNACKNOWLEDGED_MILLISECONDS_MAX = 30_000
# Compressing what is pushed would take each page longer than the look at the run; of HTTP only version 1 is spoken.
_NOT_TAKEN_UP = re.compile(rb"(?i)\r\n(?:sec-websocket-extensions:|upgrade:[ \t]*h2c)[^\r\n]*")
_HTTP_1 = b"HTTP/1."
_HTTP_2_UPGRADE = re.compile(rb"(?i)HTTP/1.1 101 [^\r\n]*\r\n(?:[^\r\n]+\r\n)*upgrade:[ \t]*h2c")
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


class PatientStream:
    """What Hypercorn needs of a stream. `abandon` ends it from outside, whatever is being sent.

    `serving` is the scope in which it is served.
    """

    def __init__(self, stream: trio.SocketStream, serving: trio.CancelScope) -> None:
        self.socket = stream.socket
        self._stream = stream
        self._serving = serving
        self._sending: trio.CancelScope | None = None
        self._has_sent = False
        self._has_gone = False
        self._is_abandoned = False
        self._answering = 0
        self._wait_anew()
        if _USER_TIMEOUT is not None:  # a machine that has gone says nothing, and would keep its page's place
            stream.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS_MAX)

    def answering(self, app: Application) -> Application:
        """The application, which is waited for here."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            self._answering += 1
            self._wait_anew()
            try:
                await app(scope, receive, send)
            finally:
                self._answering -= 1
                self._wait_anew()

        return answer

    async def send_all(self, data: bytes) -> None:
        """
        Raises:
            trio.BrokenResourceError: it could not be sent in time, or must not be.
        """
        if not self._has_sent and (not data.startswith(_HTTP_1) or _HTTP_2_UPGRADE.match(data)):
            self.abandon()  # HTTP/2, of which one connection may hold as much as all should, and wait for ever
        self._has_sent = True
        try:
            with trio.move_on_after(SEND_SECONDS_MAX) as self._sending:
                if not self._is_abandoned:
                    await self._stream.send_all(data)
                    self._wait_anew()
                    return
        except trio.BrokenResourceError:
            self.abandon()
            raise
        self.abandon()
        raise trio.BrokenResourceError("nobody reads it")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What comes, without offers that are not to be taken up."""
        data = b""
        try:
            data = bytes(await self._stream.receive_some(max_bytes))
        finally:
            self._has_gone = not data
            self._wait_anew()
        return _NOT_TAKEN_UP.sub(b"", data) if data.startswith((b"GET ", b"HEAD ")) else data

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abandon(self) -> None:
        """It is served no longer, and whoever is sending stops at once."""
        self._is_abandoned = True
        self._serving.cancel("the connection is given up")
        if self._sending is not None:
            self._sending.cancel("the connection is given up")

    def _wait_anew(self) -> None:
        seconds = GONE_SECONDS_MAX if self._has_gone else QUIET_SECONDS_MAX
        self._serving.deadline = float("inf") if self._answering else trio.current_time() + seconds
