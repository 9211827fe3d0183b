"""The control server: reads requests off the socket, has them carried out, writes the answers.

It promises the rest of the program that nobody who connects can hold anything up: few clients, short lines, and a time for
everything. One incarnation: make a new one for each start, on the same listening socket.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import trio

from assembly.control.protocol import ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, Answer, BadRequest, Request, decode_request

CLIENTS_MAX = 4
REQUEST_SECONDS_MAX = 10.0  # from an answer, or the connecting, to the end of the next request
ANSWER_SECONDS_MAX = 5.0  # until the client has taken it
REFUSAL_SECONDS_MAX = 1.0
_CHUNK_BYTES = 4_096


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None: ...


class ControlServer:
    """Serves one listening socket, which stays open. `redact` takes secrets out of answers."""

    def __init__(self, listener: socket.socket, *, carry_out: Callable[[Request], Awaitable[Answer]], redact: Callable[[str], str]) -> None:
        self._listener = listener
        self._carry_out = carry_out
        self._redact = redact
        self._clients = 0

    async def run(self, context: ActorContext) -> None:
        """Serve until cancelled. What a client was waiting for then, it does not hear."""
        # A socket of its own on the same queue: what is listened with is closed in the end.
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._listener.dup()))
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._serve, [listener])
            context.started()

    async def _serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            if self._clients >= CLIENTS_MAX:
                answer = Answer(done=False, message=f"{self._clients} others speak to this run already: try again in a moment")
                with trio.move_on_after(REFUSAL_SECONDS_MAX):
                    await self._send(stream, answer)
                return
            self._clients += 1
            try:
                await self._talk(stream)
            finally:
                self._clients -= 1

    async def _talk(self, stream: trio.SocketStream) -> None:
        unread = bytearray()
        goes_on = True
        while goes_on:
            line: bytes | None = None
            with trio.move_on_after(REQUEST_SECONDS_MAX):
                line = await _next_line(stream, unread)
            if line is None:
                return
            answer, goes_on = await self._answer(line)
            taken = False
            with trio.move_on_after(ANSWER_SECONDS_MAX):
                taken = await self._send(stream, answer)
            goes_on = goes_on and taken

    async def _answer(self, line: bytes) -> tuple[Answer, bool]:
        """And whether to go on listening: after a line that was no request, what follows may be anything."""
        try:
            request = decode_request(line)
        except BadRequest as error:
            await trio.lowlevel.checkpoint()
            return Answer(done=False, message=str(error)), False
        return await self._carry_out(request), True

    async def _send(self, stream: trio.SocketStream, answer: Answer) -> bool:
        """False if nobody is there to take it."""
        text = self._redact(msgspec.json.encode(answer).decode())
        if len(text) > ANSWER_BYTES_MAX:
            text = msgspec.json.encode(Answer(done=answer.done, message="the answer is too long to be told")).decode()
        try:
            await stream.send_all(f"{text}\n".encode())
        except trio.BrokenResourceError:
            return False
        return True


async def _next_line(stream: trio.SocketStream, unread: bytearray) -> bytes | None:
    """The next line without its end, or as much as was read of one that is too long; None if there is none."""
    while True:
        end = unread.find(b"\n")
        if end >= 0 or len(unread) > REQUEST_BYTES_MAX:
            line = bytes(unread[:end] if end >= 0 else unread)
            del unread[: len(line) + 1]
            return line
        try:
            data = await stream.receive_some(_CHUNK_BYTES)
        except trio.BrokenResourceError:
            return None
        if not data:
            return None
        unread += data
