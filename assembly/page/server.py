"""The page's server: an actor that listens, and has Hypercorn speak HTTP with whoever connects.

It promises the rest of the program that nobody who connects can hold anything up: few connections, short requests, a time for
everything. One incarnation: make a new one for each start.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState
from loguru import logger

from assembly.page.guard import Application
from assembly.page.stream import PatientStream

CONNECTIONS_MAX = 64
IDLE_SECONDS_MAX = 30
MESSAGE_BYTES_MAX = 1_024


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None: ...


class PageServer:
    """Serves an application on what `open_listeners` gives, and closes that; `meanwhile` is told of its port and run beside it."""

    def __init__(
        self,
        app: Application,
        *,
        open_listeners: Callable[[], Awaitable[list[trio.SocketListener]]],
        meanwhile: Callable[[int], Awaitable[None]],
    ) -> None:
        self._app = app
        self._open_listeners = open_listeners
        self._meanwhile = meanwhile
        self._config = _config()
        self._context = WorkerContext(None)
        self._streams: set[PatientStream] = set()

    async def run(self, context: ActorContext) -> None:
        """Serve until cancelled, which ends every connection at once."""
        context.started()  # nothing waits for it, and an address that is taken is waited for
        listeners = await self._open_listeners()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._abandon_when_cancelled)
                nursery.start_soon(self._meanwhile, int(listeners[0].socket.getsockname()[1]))
                await trio.serve_listeners(self._serve, listeners)
        finally:
            for listener in listeners:
                listener.socket.close()

    async def _serve(self, stream: trio.SocketStream) -> None:
        if len(self._streams) >= CONNECTIONS_MAX:
            return
        serving = trio.CancelScope()
        patient = PatientStream(stream, serving)
        app = ASGIWrapper(cast("Any", patient.answering(self._app)))
        self._streams.add(patient)
        try:
            with serving:
                await TCPServer(app, self._config, self._context, ConnectionState(LifespanState({})), cast("Any", patient)).run()
        except Exception as error:  # noqa: BLE001 - what one client sends must not end the connections of the others
            logger.opt(exception=error).warning("a connection to the page has failed")
        finally:
            self._streams.discard(patient)

    async def _abandon_when_cancelled(self) -> None:
        """Hypercorn shields what it sends: who does not read it would hold up the stop of the run."""
        try:
            await trio.sleep_forever()
        finally:
            for stream in self._streams:
                stream.abandon()


def _config() -> Config:
    config = Config()
    config.errorlog = logging.getLogger("hypercorn.error")  # which goes where all that libraries log goes
    config.include_date_header = False  # the machine's clock has no place in a simulation
    config.include_server_header = False
    config.keep_alive_timeout = IDLE_SECONDS_MAX
    config.h11_max_incomplete_size = 16_384
    config.websocket_max_message_size = MESSAGE_BYTES_MAX
    return config
