"""A websocket whose every way of dying is one typed error, and whose closing has a deadline."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import trio
import trio_websocket

from network.errors import ConnectionFailed, cause_text
from network.tls import shared_tls_context
from network.url import Url, parse_url
from network.watched_stream import WatchedStream
from network.websocket_link import WebSocketLink


class WebSocket:
    """An open connection, made and closed by `open_websocket`. Any task may send; messages go to whoever receives first."""

    def __init__(self, host: str, link: WebSocketLink, *, send_timeout_seconds: float) -> None:
        self._host = host
        self._link = link
        self._connection = link.established()
        self._send_timeout_seconds = send_timeout_seconds

    def __repr__(self) -> str:
        return f"<WebSocket {self._host}>"

    @property
    def is_open(self) -> bool:
        """Whether nothing is known yet of the connection's end. Once False, nothing that is handed to `send` leaves."""
        return self._link.is_open

    async def receive(self) -> str | bytes:
        """The next message. A cancelled call loses none.

        Messages that had arrived before the connection died are still delivered, in order.

        Raises:
            ConnectionLost: there will be no more.
        """
        try:
            return await self._connection.get_message()
        except trio_websocket.ConnectionClosed:
            error = self._link.lost()
        raise error  # outside of the handler: the cause is what the link knows, not the library's own error

    async def send(self, message: str | bytes) -> None:
        """Hand `message` to the network; returning says nothing of its arrival.

        A call that is cancelled part way gives the connection up, because half a frame may have left.

        Raises:
            ConnectionLost: the connection is gone, or took nothing for as long as a pong may take.
        """
        try:
            with trio.move_on_after(self._send_timeout_seconds) as scope:
                await self._connection.send_message(message)
        except trio_websocket.ConnectionClosed:
            is_lost = True
        except trio.Cancelled:
            if self._link.stream.is_torn:
                await self._link.give_up("a send was cancelled part way")
            raise
        else:
            is_lost = scope.cancelled_caught
            if is_lost:
                await self._link.give_up(f"nothing could be sent for {self._send_timeout_seconds:g} s")
        if is_lost:
            raise self._link.lost()


def open_websocket(
    url: str,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    connect_timeout_seconds: float = 10.0,
    close_timeout_seconds: float = 2.0,
    message_bytes_max: int = 4 * 1024 * 1024,
    queue_messages_max: int = 256,
    ping_interval_seconds: float = 10.0,
    pong_timeout_seconds: float = 5.0,
    tls_context: ssl.SSLContext | None = None,
) -> AbstractAsyncContextManager[WebSocket]:
    """Connect on entering, say goodbye on leaving: ``async with open_websocket(url) as websocket``.

    - Opening, TLS and handshake take at most `connect_timeout_seconds` together.
    - A ping goes out every `ping_interval_seconds`. When, after it, not one byte is heard for `pong_timeout_seconds`, the connection is
      lost. A reader that is held up because nobody receives is not the other side's silence.
    - At most `queue_messages_max` messages wait to be received; beyond that the other side is held up. A message longer than
      `message_bytes_max` (counted in characters for text) ends the connection with code 1009.
    - Leaving takes at most `close_timeout_seconds`, also when cancelled, and raises nothing of its own: the body's exception, or its
      cancellation, comes out as it was raised. The connection's death does not interrupt a body that neither sends nor receives.

    `headers` go with the request that opens it. `tls_context` replaces the shared one for ``wss``.

    Raises:
        UrlError: at once, where `url` is not a websocket URL.
        ConnectionFailed: on entering.
        ConnectionLost: from `receive` and `send`.
    """
    return _OpenWebSocket(
        parse_url(url, schemes=("ws", "wss")),
        tls_context,
        headers=headers,
        connect_timeout_seconds=connect_timeout_seconds,
        close_timeout_seconds=close_timeout_seconds,
        message_bytes_max=message_bytes_max,
        queue_messages_max=queue_messages_max,
        ping_interval_seconds=ping_interval_seconds,
        pong_timeout_seconds=pong_timeout_seconds,
    )


class _OpenWebSocket(AbstractAsyncContextManager[WebSocket]):
    """A class and not a generator: the nursery never sees the body's exception, so it cannot wrap it in a group."""

    def __init__(
        self,
        url: Url,
        tls_context: ssl.SSLContext | None,
        *,
        headers: tuple[tuple[str, str], ...],
        connect_timeout_seconds: float,
        close_timeout_seconds: float,
        message_bytes_max: int,
        queue_messages_max: int,
        ping_interval_seconds: float,
        pong_timeout_seconds: float,
    ) -> None:
        self._url = url
        self._tls_context = tls_context
        self._headers = headers
        self._connect_timeout_seconds = connect_timeout_seconds
        self._close_timeout_seconds = close_timeout_seconds
        self._message_bytes_max = message_bytes_max
        self._queue_messages_max = queue_messages_max
        self._ping_interval_seconds = ping_interval_seconds
        self._pong_timeout_seconds = pong_timeout_seconds
        self._nursery_manager = trio.open_nursery()
        self._stream: WatchedStream | None = None
        self._link: WebSocketLink | None = None
        self._task_scopes: list[trio.CancelScope] = []

    async def __aenter__(self) -> WebSocket:
        self._nursery = await self._nursery_manager.__aenter__()
        try:
            with trio.move_on_after(self._connect_timeout_seconds):
                return await self._connect()
            text = f"websocket of {self._url.host_header} did not open within {self._connect_timeout_seconds:g} s"
            raise ConnectionFailed(text)  # noqa: TRY301 - the clean-up below is the same for it
        except BaseException:
            await self._tear_down()
            raise

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._tear_down()

    async def _connect(self) -> WebSocket:
        url = self._url
        try:
            plain = await trio.open_tcp_stream(url.host, url.port)
            self._stream = WatchedStream(plain)
            if url.is_secure:
                context = self._tls_context or shared_tls_context()
                secured = trio.SSLStream(plain, context, server_hostname=url.host, https_compatible=True)
                self._stream.inner = secured
                await secured.do_handshake()
        except (OSError, trio.BrokenResourceError) as error:
            raise ConnectionFailed(f"no connection for a websocket of {url.host_header}: {cause_text(error)}") from error

        link = self._link = WebSocketLink(url, self._stream, self._headers)
        read = functools.partial(
            link.read_until_closed, message_bytes_max=self._message_bytes_max, queue_messages_max=self._queue_messages_max
        )
        self._start(read)
        await link.handshake_over.wait()
        if link.connection is None:
            raise link.failed()
        ping = functools.partial(
            link.ping_until_silent, ping_interval_seconds=self._ping_interval_seconds, pong_timeout_seconds=self._pong_timeout_seconds
        )
        self._start(ping)
        return WebSocket(url.host_header, link, send_timeout_seconds=self._pong_timeout_seconds)

    def _start(self, run: Callable[[], Awaitable[None]]) -> None:
        """Start one of the link's tasks. It lives until the tear-down: the goodbye after a cancellation needs its answer read."""
        scope = trio.CancelScope(shield=True)
        self._task_scopes.append(scope)

        async def outlive_cancellation() -> None:
            with scope:
                await run()

        self._nursery.start_soon(outlive_cancellation)

    async def _tear_down(self) -> None:
        """The one clean-up: a goodbye with a deadline, then everything is closed whatever the other side does."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(self._close_timeout_seconds):
                if self._link is not None:
                    await self._link.close()
            if self._stream is not None:
                await trio.aclose_forcefully(self._stream)
        for scope in self._task_scopes:
            scope.cancel()
        # The tasks end now; shielded by its own scope, the nursery waits for just that, and an outer cancellation cannot interrupt it.
        self._nursery.cancel_scope.shield = True
        await self._nursery_manager.__aexit__(None, None, None)
