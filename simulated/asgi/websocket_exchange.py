"""One websocket, between an ASGI application and wsproto."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import h11
import trio
import wsproto
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from simulated.asgi.http_exchange import Application, Message, Scope
from simulated.asgi.wire import Wire

MESSAGE_BYTES_MAX = 1024 * 1024
CLOSE_SECONDS_MAX = 5.0


class WebSocketExchange:
    """Its `receive` and `send` are the application's, who must read: pings are answered and the end is seen only then.

    Besides ASGI's ``text`` and ``bytes``, ``websocket.send`` takes ``messages``: a list of texts and bytes that leave in one piece.
    """

    def __init__(self, wire: Wire, request: h11.Request, first_bytes: bytes) -> None:
        self._wire = wire
        self._protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        self._request = request
        self._first_bytes = first_bytes
        self._received: deque[Message] = deque()
        self._parts: list[Any] = []
        self._parts_size = 0
        self._end_code: int | None = None
        self._is_accepted = False
        self._is_over = False  # refused, or a close frame was sent or received
        self._begin_pings: Callable[[], None] = lambda: None

    def read_request(self) -> list[str] | None:
        """The subprotocols that are offered; None if the request does not ask for a websocket as it should. To be called first."""
        if self._request.method != b"GET":
            return None
        try:
            self._protocol.initiate_upgrade_connection(list(self._request.headers), self._request.target)
        except RemoteProtocolError:
            return None
        self._received.append({"type": "websocket.connect"})
        return next((event.subprotocols for event in self._protocol.events() if isinstance(event, Request)), None)

    async def run(self, app: Application, scope: Scope, *, ping_interval_seconds: float) -> None:
        """Until the application has returned and both sides know that it is over."""
        async with trio.open_nursery() as nursery:
            self._begin_pings = lambda: nursery.start_soon(self._ping, ping_interval_seconds)
            await app(scope, self.receive, self.send)
            await self._finish()
            nursery.cancel_scope.cancel()

    async def receive(self) -> Message:
        """The next message; then, again and again, that it is over."""
        while not self._received and self._end_code is None:
            data = await self._wire.receive()
            if data:
                await self._take(data)
            else:
                self._end(CloseReason.ABNORMAL_CLOSURE)
        if self._received:
            return self._received.popleft()
        return {"type": "websocket.disconnect", "code": self._end_code}

    async def send(self, message: Message) -> None:
        """What an application says after the end is lost, as on any network."""
        kind = message["type"]
        if self._is_over or self._end_code is not None:
            return
        if kind == "websocket.accept" and not self._is_accepted:
            self._is_accepted = True
            await self._send(AcceptConnection(subprotocol=message.get("subprotocol"), extra_headers=list(message.get("headers", ()))))
            self._begin_pings()
            if self._first_bytes:
                await self._take(self._first_bytes)
        elif kind == "websocket.close" and not self._is_accepted:
            self._is_over = True
            await self._send(RejectConnection(status_code=403, headers=[(b"content-length", b"0"), (b"connection", b"close")]))
            self._end(CloseReason.ABNORMAL_CLOSURE)
        elif kind == "websocket.send" and self._is_accepted:
            messages = message.get("messages") or [message["bytes"] if message.get("bytes") is not None else message["text"]]
            if self._protocol.state is ConnectionState.OPEN:
                await self._wire.send(b"".join([_frame(one) for one in messages]))
        elif kind == "websocket.close":
            self._is_over = True
            await self._send(CloseConnection(code=message.get("code", 1000), reason=message.get("reason") or None))
        else:
            raise RuntimeError(f"the application sends {kind} to a websocket that is {'' if self._is_accepted else 'not '}accepted")

    async def _ping(self, interval_seconds: float) -> None:
        while not self._is_over:
            await self._send(Ping())
            await trio.sleep(interval_seconds)

    async def _finish(self) -> None:
        """Say that it is over, unless that was said, and let the other side say so too."""
        if not self._is_accepted and not self._is_over:
            self._is_over = True
            await self._send(RejectConnection(status_code=500, headers=[(b"content-length", b"0"), (b"connection", b"close")]))
        elif self._is_accepted and not self._is_over and self._end_code is None:
            self._is_over = True
            await self._send(CloseConnection(code=CloseReason.INTERNAL_ERROR))
        if self._is_accepted:
            with trio.move_on_after(CLOSE_SECONDS_MAX):
                while self._end_code is None:
                    self._received.clear()
                    await self.receive()

    async def _take(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            await self._handle(event)
            if self._end_code is not None:
                return

    async def _handle(self, event: Event) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._parts.append(event.data)
            self._parts_size += len(event.data)
            if self._parts_size > MESSAGE_BYTES_MAX:
                await self._close_and_end(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
            elif event.message_finished:
                is_text = isinstance(event, TextMessage)
                whole: Any = ("" if is_text else b"").join(self._parts) if len(self._parts) > 1 else event.data
                self._received.append({"type": "websocket.receive", "text" if is_text else "bytes": whole if is_text else bytes(whole)})
                self._parts, self._parts_size = [], 0
        elif isinstance(event, Ping):
            await self._send(event.response())
        elif isinstance(event, CloseConnection):
            if self._protocol.state is ConnectionState.OPEN:
                await self._close_and_end(event)  # the protocol's own verdict on frames that are none
                return
            if self._protocol.state is ConnectionState.REMOTE_CLOSING:
                await self._send(event.response())
            self._end(event.code)

    async def _close_and_end(self, event: CloseConnection) -> None:
        await self._send(event)
        self._end(event.code)

    def _end(self, code: int) -> None:
        self._is_over = True
        if self._end_code is None:
            self._end_code = int(code)

    async def _send(self, *events: Event) -> None:
        try:
            leaving = b"".join([self._protocol.send(event) for event in events])
        except LocalProtocolError:
            return  # the close handshake has overtaken it
        await self._wire.send(leaving)


def _frame(message: str | bytes) -> bytes:
    """One unmasked frame (RFC 6455, section 5.2). Nearly all that a server of this kind sends; wsproto takes several times as long."""
    payload = message.encode() if isinstance(message, str) else message
    head = 0x81 if isinstance(message, str) else 0x82  # final, and text or binary
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65_536:
        return bytes((head, 126)) + size.to_bytes(2, "big") + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload
