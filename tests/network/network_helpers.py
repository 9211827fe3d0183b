"""A real web server and a real websocket server on whatever network is installed."""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket as ServerSocket
from starlette.websockets import WebSocketDisconnect

from network.http import HttpRequest
from network.simulated_network import SimulatedNetwork

HOST = "api.gate.sim"
ADDRESS = "10.1.0.1"
URL = f"http://{HOST}"
WS_URL = f"ws://{HOST}/ws"


class Exchange:
    """A server that remembers what reached it, and does as it is told."""

    def __init__(self) -> None:
        self.received: list[tuple[float, str, str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.responses: list[Response] = []  # what to answer next; empty: 200 with the body echoed
        self.think_seconds = 0.0
        self.on_websocket: Callable[[ServerSocket], Any] = echo
        self.websockets_open = 0

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, _, body in self.received]

    def app(self) -> Starlette:
        methods = ["GET", "POST", "DELETE"]
        return Starlette(routes=[
            Route("/drip", self._drip, methods=methods),
            Route("/huge", self._huge, methods=methods),
            WebSocketRoute("/ws", self._websocket),
            Route("/{path:path}", self._answer, methods=methods),
        ])  # fmt: skip

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        target = request.scope["raw_path"].decode() + (
            f"?{request.scope['query_string'].decode()}" if request.scope["query_string"] else ""
        )
        self.received.append((trio.current_time(), request.method, target, body))
        self.headers.append(dict(request.headers))
        await trio.sleep(self.think_seconds)
        return self.responses.pop(0) if self.responses else Response(body)

    async def _drip(self, request: Request) -> Response:
        return StreamingResponse(Chunks(b".", 0.5))

    async def _huge(self, request: Request) -> Response:
        return StreamingResponse(Chunks(b"x" * 10_000, 0))

    async def _websocket(self, socket: ServerSocket) -> None:
        self.websockets_open += 1
        try:
            await self.on_websocket(socket)
        except WebSocketDisconnect:
            pass
        finally:
            self.websockets_open -= 1


class Chunks:
    """A thousand chunks, as a plain iterator: Starlette leaves a generator behind when its client goes away."""

    def __init__(self, chunk: bytes, interval_seconds: float) -> None:
        self._chunk = chunk
        self._interval_seconds = interval_seconds
        self._left = 1000

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        await trio.sleep(self._interval_seconds)
        return self._chunk


async def echo(socket: ServerSocket) -> None:
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())


async def serve(
    app: Starlette, port: int = 80, *, host: str = ADDRESS, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED
) -> None:
    """Hypercorn's own connection handling on a listener of the installed network."""
    config = Config()
    config.include_date_header = False
    config.keep_alive_timeout = 7200
    config.errorlog = None

    async def handle(stream: trio.SocketStream) -> None:
        try:
            await TCPServer(ASGIWrapper(app), config, WorkerContext(None), ConnectionState({}), stream)  # type: ignore[arg-type]
        except* trio.BusyResourceError:
            pass  # Hypercorn (0.18) shuts a connection down under its own sender, on any network, and does not expect this error

    await trio.serve_tcp(handle, port, host=host, task_status=task_status)


@asynccontextmanager
async def simulated_exchange(seed: int = 1, **network_options: Any) -> AsyncIterator[tuple[SimulatedNetwork, Exchange]]:
    """A simulated network with one exchange on it, at `URL` and `WS_URL`."""
    network = SimulatedNetwork(random.Random(seed), **network_options)
    network.add_host(HOST, ADDRESS)
    exchange = Exchange()
    with network.install():
        async with trio.open_nursery() as nursery:
            await nursery.start(functools.partial(serve, exchange.app()))
            yield network, exchange
            nursery.cancel_scope.cancel()


def get(path: str = "/time", **fields: Any) -> HttpRequest:
    return HttpRequest(method="GET", path=path, **fields)


def post(body: bytes = b"order", path: str = "/orders", **fields: Any) -> HttpRequest:
    return HttpRequest(method="POST", path=path, body=body, **fields)
