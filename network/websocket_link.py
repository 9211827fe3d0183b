"""What runs behind an open websocket: trio-websocket's reader and the heartbeat. Nothing they meet escapes them as an exception."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import cast

import trio
import trio_websocket

from network.errors import ConnectionFailed, ConnectionLost
from network.http import USER_AGENT
from network.url import Url
from network.watched_stream import WatchedStream

_RECEIVE_BYTES = 64 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")


class WebSocketLink:
    """One connection from handshake to end. Its two tasks belong to whoever starts them; `give_up` and `close` belong to it."""

    def __init__(self, url: Url, stream: WatchedStream, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.stream = stream
        self.connection: trio_websocket.WebSocketConnection | None = None
        self.handshake_over = trio.Event()
        self._host = url.host_header
        self._target = url.target
        self._headers = [(name.encode(), value.encode()) for name, value in (("User-Agent", USER_AGENT), *headers)]
        self._verdict = ""  # why this side gave the connection up, where it did
        self._reader_error: BaseException | None = None

    async def read_until_closed(self, *, message_bytes_max: int, queue_messages_max: int) -> None:
        """Shake hands, then read until the end. `handshake_over` is set either way; `connection` says which."""
        try:
            async with trio.open_nursery() as nursery:
                with trio.CancelScope() as handshake:
                    self.stream.on_end = handshake.cancel  # trio-websocket would wait for ever for a handshake on a dead connection
                    self.connection = await trio_websocket.wrap_client_stream(
                        nursery,
                        # It is used as any stream; the narrower annotation serves only `local` and `remote`, which are not read here.
                        self.stream,  # pyright: ignore[reportArgumentType]
                        self._host,
                        self._target,
                        extra_headers=self._headers,
                        message_queue_size=queue_messages_max,
                        max_message_size=message_bytes_max,
                        receive_buffer_size=_RECEIVE_BYTES,
                    )
                    self.handshake_over.set()
        except* Exception as group:  # noqa: BLE001
            # Wide on purpose: what a third-party reader raises over the other side's bytes ends this connection and nothing else.
            self._reader_error = _first_leaf(group)
            await self.give_up(f"{type(self._reader_error).__name__} while reading")
        finally:
            self.handshake_over.set()

    async def ping_until_silent(self, *, ping_interval_seconds: float, pong_timeout_seconds: float) -> None:
        """Ping, and give the connection up when not a byte is heard for too long after it."""
        connection = self.established()
        number = 0
        while True:
            await trio.sleep(ping_interval_seconds)
            if connection.closed is not None:
                return
            number += 1
            answered = trio.Event()
            pinged_at = trio.current_time()
            async with trio.open_nursery() as nursery:
                # In a task of its own: to cancel a ping might leave half a frame behind on a connection that is only held up.
                nursery.start_soon(_ping, connection, number, answered)
                give_up_at = pinged_at + pong_timeout_seconds
                while not answered.is_set():
                    with trio.move_on_at(give_up_at):
                        await answered.wait()
                    if connection.closed is not None:
                        nursery.cancel_scope.cancel()
                        return
                    now = trio.current_time()
                    since = self.stream.listening_since
                    if answered.is_set() or since is None:  # nobody listening: held up on this side, which says nothing of the other
                        give_up_at = now + pong_timeout_seconds
                    else:
                        give_up_at = max(since, pinged_at) + pong_timeout_seconds
                    if give_up_at <= now:
                        await self.give_up(f"no pong within {pong_timeout_seconds:g} s")
                        nursery.cancel_scope.cancel()
                        return

    def established(self) -> trio_websocket.WebSocketConnection:
        """The connection, after a successful handshake."""
        if self.connection is None:
            raise RuntimeError("a WebSocket is used inside `async with open_websocket(...)`")
        return self.connection

    @property
    def is_open(self) -> bool:
        return self.established().closed is None and not self._verdict

    async def give_up(self, verdict: str) -> None:
        """End the connection at once, without a goodbye; whoever receives or sends learns `verdict`."""
        self._verdict = self._verdict or verdict
        with trio.CancelScope(shield=True):  # needs no deadline: a forceful close does not block
            await trio.aclose_forcefully(self.stream)

    async def close(self) -> None:
        """Say goodbye and wait for the answer, as long as the caller's deadline allows; a broken connection gets no goodbye."""
        if self.connection is not None and not self._verdict and not self.stream.is_torn:
            await self.connection.aclose()

    def lost(self) -> ConnectionLost:
        """All that is known about the end, as one error."""
        closed = self.established().closed
        code, reason = (1006, "") if closed is None else (int(closed.code), closed.reason or "")
        if code == 1006:  # no close frame: this side's own verdict tells most
            reason = self._verdict or reason or self.stream.ending
        error = ConnectionLost(f"websocket of {self._host} lost: {code} {reason}".rstrip(), code=code, reason=reason)
        error.__cause__ = self._reader_error
        return error

    def failed(self) -> ConnectionFailed:
        """Why the handshake did not succeed."""
        match = _STATUS_LINE.match(self.stream.head)
        status = int(match[1]) if match else None
        if status is not None and status != 101:
            text = f"{self._host} refused the websocket handshake with status {status}"
        else:
            text = f"the websocket handshake with {self._host} broke off: {self.stream.ending or self._reader_error}"
        error = ConnectionFailed(text, status=status)
        error.__cause__ = self._reader_error
        return error


async def _ping(connection: trio_websocket.WebSocketConnection, number: int, answered: trio.Event) -> None:
    with suppress(trio_websocket.ConnectionClosed):  # whoever receives or sends learns it; here nobody is left to ping
        # A payload of our own: trio-websocket would draw one from the unseeded global generator.
        await connection.ping(number.to_bytes(8, "big"))
    answered.set()


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_leaf(cast("BaseExceptionGroup[BaseException]", first)) if isinstance(first, BaseExceptionGroup) else first
