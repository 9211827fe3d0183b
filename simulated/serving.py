"""Serving an ASGI application on Trio sockets, with hands on the connections underneath.

Hypercorn shields its sends, so a client that does not read would hold up a cancelled server for ever; every connection
can therefore be aborted, and all are when the server stops.
"""

from __future__ import annotations

from typing import Any, NoReturn

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.logging import Logger
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.applications import Starlette


class Connection:
    """One accepted TCP connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    def abort(self) -> None:
        """Close the socket at once: no close frame, no rest of an answer. Harmless when it is closed."""
        self._stream.socket.close()


class Connections:
    """The connections that are open now, oldest first."""

    def __init__(self) -> None:
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        self._open[connection] = None

    def discard(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    def abort_all(self) -> None:
        for connection in list(self._open):
            connection.abort()


class _FailLoudly(Logger):
    """A defect of the simulation must not look like a bad day of the exchange: it ends the server."""

    async def access(self, request: Any, response: Any, request_time: float) -> None:
        pass

    async def exception(self, message: str, *args: Any, **kwargs: Any) -> NoReturn:
        raise  # Hypercorn calls this while it handles the application's exception


async def serve_app(
    app: Starlette,
    host: str,
    port: int,
    *,
    connections: Connections,
    ping_interval_seconds: float,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until cancelled; `started` gives the bound port. Each request finds its `Connection` in `scope["state"]`.

    Raises:
        OSError: the address cannot be bound.
        Exception: whatever the application raised and did not handle.
    """
    config = Config()
    config.logger_class = _FailLoudly
    config.errorlog = None
    config.include_date_header = False  # it would read the machine's clock
    config.include_server_header = False
    config.keep_alive_timeout = 75
    config.keep_alive_max_requests = 10**9
    config.websocket_ping_interval = ping_interval_seconds
    wrapped = ASGIWrapper(app)  # type: ignore[arg-type]  # Starlette's own types of the same protocol
    context = WorkerContext(None)

    async def handle(stream: trio.SocketStream) -> None:
        connection = Connection(stream)
        connections.add(connection)
        try:
            await TCPServer(wrapped, config, context, ConnectionState({"connection": connection}), stream)  # type: ignore[arg-type]
        finally:
            connections.discard(connection)

    async def abort_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            connections.abort_all()

    listeners = await trio.open_tcp_listeners(port, host=host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(abort_when_cancelled)
        task_status.started(int(listeners[0].socket.getsockname()[1]))
        await trio.serve_listeners(handle, listeners)
