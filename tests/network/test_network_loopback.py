"""The same clients over real sockets of this machine, plain and with TLS."""

from __future__ import annotations

import functools
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from network_helpers import Exchange, get, post
from starlette.websockets import WebSocket as ServerSocket

from network.errors import ConnectionFailed, ConnectionLost, RequestNotSent, ResponseLost
from network.http import HttpClient
from network.websocket import open_websocket


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("TLS is not tested here: making a certificate needs the openssl command, and this machine has none")
    folder = tmp_path_factory.mktemp("tls")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@asynccontextmanager
async def real_exchange(certificate: Path | None = None) -> AsyncIterator[tuple[Exchange, int, trio.Nursery]]:
    """An exchange on a free port of 127.0.0.1, with TLS where a certificate is given."""
    exchange = Exchange()
    config = Config()
    config.errorlog = None

    async def handle(stream: trio.SocketStream) -> None:
        try:
            await TCPServer(ASGIWrapper(exchange.app()), config, WorkerContext(None), ConnectionState({}), stream)  # type: ignore[arg-type]
        except* (trio.BusyResourceError, trio.BrokenResourceError):
            pass

    async with trio.open_nursery() as nursery:
        if certificate is None:
            listeners = await nursery.start(functools.partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
            port = listeners[0].socket.getsockname()[1]
        else:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
            listeners = await nursery.start(functools.partial(trio.serve_ssl_over_tcp, handle, 0, context, host="127.0.0.1"))
            port = listeners[0].transport_listener.socket.getsockname()[1]
        yield exchange, port, nursery
        nursery.cancel_scope.cancel()


async def test_plain_http_and_websocket_over_real_sockets() -> None:
    async with real_exchange() as (exchange, port, _), HttpClient(f"http://127.0.0.1:{port}") as client:
        for n in range(3):
            assert (await client.send(post(str(n).encode()), timeout_seconds=10)).body == str(n).encode()
        async with open_websocket(f"ws://127.0.0.1:{port}/ws") as websocket:
            await websocket.send("real")
            assert await websocket.receive() == "real"
        assert exchange.bodies == [b"0", b"1", b"2"]


async def test_refused_real_connection_is_not_sent() -> None:
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and connecting is refused
        port = unused.getsockname()[1]
        async with HttpClient(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(RequestNotSent, match="refused"):
                await client.send(get(), timeout_seconds=10)
        with pytest.raises(ConnectionFailed, match="refused"):
            async with open_websocket(f"ws://127.0.0.1:{port}/ws"):
                pytest.fail("opened")


async def test_real_connection_that_ends_after_the_request_is_response_lost() -> None:
    received: list[bytes] = []

    async def hang_up(stream: trio.SocketStream) -> None:
        received.append(await stream.receive_some())

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(functools.partial(trio.serve_tcp, hang_up, 0, host="127.0.0.1"))
        async with HttpClient(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}") as client:
            with pytest.raises(ResponseLost):
                await client.send(post(b"order"), timeout_seconds=10)
        nursery.cancel_scope.cancel()
    assert received[0].startswith(b"POST /orders HTTP/1.1\r\n")


async def test_real_server_that_never_answers_is_response_lost_at_the_deadline() -> None:
    async with real_exchange() as (exchange, port, _), HttpClient(f"http://127.0.0.1:{port}") as client:
        exchange.think_seconds = 1000
        with trio.fail_after(10), pytest.raises(ResponseLost, match=r"within 0\.2 s"):
            await client.send(post(), timeout_seconds=0.2)
        assert exchange.bodies == [b"order"]


async def test_tls_with_a_trusted_authority_works_for_http_and_websocket(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
    async with real_exchange(certificate) as (exchange, port, _):
        async with HttpClient(f"https://127.0.0.1:{port}", tls_context=trusting) as client:
            assert (await client.send(post(b"secret"), timeout_seconds=10)).body == b"secret"
            exchange.think_seconds = 1000
            with pytest.raises(ResponseLost):
                await client.send(post(), timeout_seconds=0.2)
        async with open_websocket(f"wss://127.0.0.1:{port}/ws", tls_context=trusting) as websocket:
            await websocket.send("secret")
            assert await websocket.receive() == "secret"


async def test_websocket_over_tls_that_the_server_ends_is_connection_lost(certificate: Path) -> None:
    async def leave(socket: ServerSocket) -> None:
        await socket.accept()
        await socket.receive_text()
        await socket.close(4000, "gone")

    trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
    async with real_exchange(certificate) as (exchange, port, _):
        exchange.on_websocket = leave
        async with open_websocket(f"wss://127.0.0.1:{port}/ws", tls_context=trusting) as websocket:
            await websocket.send("hello")
            with pytest.raises(ConnectionLost) as lost:
                await websocket.receive()
            assert (lost.value.code, lost.value.reason) == (4000, "gone")


async def test_certificate_of_nobody_we_trust_is_not_sent_and_connection_failed(certificate: Path) -> None:
    async with real_exchange(certificate) as (exchange, port, _):
        async with HttpClient(f"https://127.0.0.1:{port}") as client:
            with pytest.raises(RequestNotSent, match="certificate verify failed"):
                await client.send(post(), timeout_seconds=10)
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            async with open_websocket(f"wss://127.0.0.1:{port}/ws"):
                pytest.fail("opened")
        assert exchange.received == []


async def test_tls_to_a_port_that_speaks_plain_is_not_sent_and_connection_failed() -> None:
    async with real_exchange() as (exchange, port, _):
        async with HttpClient(f"https://127.0.0.1:{port}") as client:
            with pytest.raises(RequestNotSent):
                await client.send(post(), timeout_seconds=10)
        with pytest.raises(ConnectionFailed):
            async with open_websocket(f"wss://127.0.0.1:{port}/ws"):
                pytest.fail("opened")
        assert exchange.received == []
