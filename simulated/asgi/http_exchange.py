"""One HTTP request and its answer, between an ASGI application and h11."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote

import h11

from simulated.asgi.wire import Wire

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

BODY_BYTES_MAX = 4 * 1024 * 1024
_ASGI = {"version": "3.0", "spec_version": "2.3"}


def scope_of(request: h11.Request, wire_facts: MutableMapping[str, Any], *, kind: str) -> Scope:
    """What the application is told of a request. `wire_facts` are those of its connection."""
    path, _, query = request.target.partition(b"?")
    return {
        "type": kind,
        "method": request.method.decode("ascii"),
        "asgi": _ASGI,
        "http_version": request.http_version.decode("ascii"),
        "path": unquote(path.decode("ascii", "replace")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        **wire_facts,
    }


class HttpExchange:
    """Its `receive` and `send` are the application's. Nobody reads while the application does not ask."""

    def __init__(self, wire: Wire, protocol: h11.Connection, request: h11.Request) -> None:
        self._wire = wire
        self._protocol = protocol
        self._is_head = request.method == b"HEAD"
        self._is_read = False
        self._room_bytes = BODY_BYTES_MAX
        self._start: h11.Response | None = None
        self.is_complete = False
        """Whether the whole answer was given."""
        self.is_left = False
        """Whether the client has gone, or can no longer be followed."""

    async def receive(self) -> Message:
        """The next piece of the body; after its end, that the client has left, once it has."""
        while not self._is_read and not self.is_left:
            if self._protocol.they_are_waiting_for_100_continue:
                await self._wire.send(self._protocol.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            try:
                event = self._protocol.next_event()
            except h11.RemoteProtocolError:
                self.is_left = True  # what follows cannot be told from the next request
                break
            if isinstance(event, h11.Data):
                self._room_bytes -= len(event.data)
                if self._room_bytes < 0:
                    self.is_left = True
                    break
                return {"type": "http.request", "body": bytes(event.data), "more_body": True}
            if isinstance(event, h11.EndOfMessage):
                self._is_read = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if event is h11.NEED_DATA:
                self._protocol.receive_data(await self._wire.receive())
            else:
                self.is_left = True
        if not self.is_left:
            await self._wire.receive()  # the end; or more requests, which are refused by leaving them
            self.is_left = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Whole answers leave in one piece."""
        if message["type"] == "http.response.start":
            self._start = h11.Response(status_code=message["status"], headers=_headers(message.get("headers", ())))
            return
        if message["type"] != "http.response.body" or self.is_complete:
            raise RuntimeError(f"the application sends {message['type']} where a piece of an answer's body is due")
        leaving = b""
        if self._start is not None:
            leaving, self._start = self._protocol.send(self._start) or b"", None
        body = message.get("body", b"")
        if body and not self._is_head:
            leaving += self._protocol.send(h11.Data(data=body)) or b""
        if not message.get("more_body", False):
            leaving += self._protocol.send(h11.EndOfMessage()) or b""
            self.is_complete = True
        await self._wire.send(leaving)


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in pairs]
