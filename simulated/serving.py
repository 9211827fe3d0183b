"""Serving an ASGI application on Trio sockets, with hands on the connections underneath."""

from __future__ import annotations

import trio
from starlette.applications import Starlette

from network.causes import current_cause
from simulated.asgi.connection import serve_connection


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
            current_cause().had_effect()


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
        Exception: whatever the application raised and did not handle: a defect of the simulation must not look like a bad day.
    """

    async def handle(stream: trio.SocketStream) -> None:
        connection = Connection(stream)
        connections.add(connection)
        try:
            await serve_connection(app, stream, state={"connection": connection}, ping_interval_seconds=ping_interval_seconds)
        finally:
            connections.discard(connection)

    listeners = await trio.open_tcp_listeners(port, host=host)
    task_status.started(int(listeners[0].socket.getsockname()[1]))
    await trio.serve_listeners(handle, listeners)
