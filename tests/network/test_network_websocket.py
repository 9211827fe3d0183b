"""`WebSocket` against a real server over the simulated network: every way of living, dying and closing."""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio_websocket
from network_helpers import ADDRESS, HOST, WS_URL, simulated_exchange
from starlette.websockets import WebSocket as ServerSocket
from wsproto.connection import ConnectionState

from network.backoff import Backoff
from network.errors import ConnectionFailed, ConnectionLost
from network.http import USER_AGENT
from network.simulated_network import SimulatedNetwork
from network.url import UrlError
from network.websocket import WebSocket, open_websocket

QUIET = {"ping_interval_seconds": 1e6}  # no heartbeat within the test


async def test_messages_go_both_ways_as_text_and_bytes(autojump_clock: trio.abc.Clock) -> None:
    async def serve(socket: ServerSocket) -> None:
        await socket.accept()
        assert await socket.receive_text() == "subscribe"
        await socket.send_text("é")
        await socket.send_bytes(b"\x00\xff")
        assert await socket.receive_bytes() == b"done"
        await socket.close(1000, "bye")

    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = serve
        async with open_websocket(WS_URL) as websocket:
            await websocket.send("subscribe")
            assert await websocket.receive() == "é"
            assert await websocket.receive() == b"\x00\xff"
            await websocket.send(b"done")
            with pytest.raises(ConnectionLost) as lost:
                await websocket.receive()
        assert (lost.value.code, lost.value.reason) == (1000, "bye")


async def test_headers_go_with_the_request_that_opens_it(autojump_clock: trio.abc.Clock) -> None:
    seen: list[tuple[str, str]] = []

    async def serve(socket: ServerSocket) -> None:
        seen.extend(socket.headers.items())
        await socket.accept()

    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = serve
        async with open_websocket(WS_URL, headers=(("X-Gate-Size-Decimal", "1"), ("x-other", "b c"))):
            pass
    assert {("x-gate-size-decimal", "1"), ("x-other", "b c"), ("user-agent", USER_AGENT)} <= set(seen)


async def test_messages_before_the_close_frame_are_delivered_before_the_error(autojump_clock: trio.abc.Clock) -> None:
    async def serve(socket: ServerSocket) -> None:
        await socket.accept()
        for n in range(50):
            await socket.send_text(str(n))
        await socket.close(4001, "maintenance")

    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = serve
        async with open_websocket(WS_URL) as websocket:
            await trio.sleep(1)
            assert [await websocket.receive() for _ in range(50)] == [str(n) for n in range(50)]
            for _ in range(2):
                with pytest.raises(ConnectionLost, match="4001 maintenance") as lost:
                    await websocket.receive()
                assert (lost.value.code, lost.value.reason) == (4001, "maintenance")
            with pytest.raises(ConnectionLost):
                await websocket.send("too late")


async def test_connection_is_open_until_its_end_is_known_whichever_way_it_went(autojump_clock: trio.abc.Clock) -> None:
    async def serve(socket: ServerSocket) -> None:
        await socket.accept()
        await trio.sleep(1)
        await socket.close(4001, "maintenance")

    async with simulated_exchange() as (network, exchange):
        async with open_websocket(WS_URL) as websocket:
            assert websocket.is_open
            network.drop_connections(HOST)
            await trio.sleep(0.1)
            assert not websocket.is_open, "before anybody has tried to send or receive"
        async with open_websocket(WS_URL) as websocket:
            network.close_without_frame(HOST)
            await trio.sleep(0.1)
            assert not websocket.is_open
        exchange.on_websocket = serve
        async with open_websocket(WS_URL) as websocket:
            await trio.sleep(0.5)
            assert websocket.is_open
            await trio.sleep(1)
            assert not websocket.is_open
        async with open_websocket(WS_URL, ping_interval_seconds=1, pong_timeout_seconds=1) as websocket:
            with network.partition(HOST):
                await trio.sleep(3)
                assert not websocket.is_open, "given up for its silence"


async def test_connection_reset_is_1006_with_its_cause_in_the_reason(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), open_websocket(WS_URL) as websocket:
        await websocket.send("a")
        assert await websocket.receive() == "a"
        assert network.drop_connections(HOST) == 1
        with pytest.raises(ConnectionLost, match="reset") as lost:
            await websocket.receive()
        assert lost.value.code == 1006
        with pytest.raises(ConnectionLost) as lost:
            await websocket.send("b")
        assert lost.value.code == 1006


async def test_stream_that_ends_without_a_close_frame_is_1006(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), open_websocket(WS_URL) as websocket:
        await websocket.send("a")
        assert await websocket.receive() == "a"
        network.close_without_frame(HOST)
        with pytest.raises(ConnectionLost, match="without a close frame") as lost:
            await websocket.receive()
        assert lost.value.code == 1006


@asynccontextmanager
async def raw_websocket_server(handle: Callable[[trio_websocket.WebSocketConnection], Awaitable[None]]) -> AsyncIterator[SimulatedNetwork]:
    """A websocket server that does what Hypercorn would not: the handler has the protocol in its hands."""
    network = SimulatedNetwork(random.Random(1))
    network.add_host(HOST, ADDRESS)

    async def accept(request: trio_websocket.WebSocketRequest) -> None:
        await handle(await request.accept())

    with network.install():
        async with trio.open_nursery() as nursery:
            await nursery.start(functools.partial(trio_websocket.serve_websocket, accept, ADDRESS, 80, None))
            yield network
            nursery.cancel_scope.cancel()


async def test_close_frame_without_a_code_is_1005(autojump_clock: trio.abc.Clock) -> None:
    async def handle(connection: trio_websocket.WebSocketConnection) -> None:
        await connection._stream.send_all(b"\x88\x00")
        await trio.sleep_forever()

    async with raw_websocket_server(handle), open_websocket(WS_URL) as websocket:
        with pytest.raises(ConnectionLost) as lost:
            await websocket.receive()
        assert lost.value.code == 1005


async def test_server_that_says_goodbye_and_never_hangs_up_does_not_hold_up_leaving(autojump_clock: trio.abc.Clock) -> None:
    async def handle(connection: trio_websocket.WebSocketConnection) -> None:
        await connection._stream.send_all(b"\x88\x02\x03\xe8")  # a close frame, 1000, and the TCP connection stays
        await trio.sleep_forever()

    async with raw_websocket_server(handle):
        async with open_websocket(WS_URL, close_timeout_seconds=2) as websocket:
            with pytest.raises(ConnectionLost) as lost:
                await websocket.receive()
            assert lost.value.code == 1000
            left_at = trio.current_time()
        assert trio.current_time() - left_at <= 2


@pytest.mark.parametrize("junk", [b"\xff\xff\xff\xff", b"\x81\x02\xff\xfe", b"\x83\x00", b"\x89\xfe\x00\x00", b"\x80\x01a"])
async def test_bytes_that_are_no_websocket_frame_are_connection_lost(autojump_clock: trio.abc.Clock, junk: bytes) -> None:
    async def handle(connection: trio_websocket.WebSocketConnection) -> None:
        await connection._stream.send_all(junk)
        await trio.sleep_forever()

    async with raw_websocket_server(handle), open_websocket(WS_URL) as websocket:
        with trio.fail_after(30), pytest.raises(ConnectionLost):
            await websocket.receive()


async def test_ping_of_the_server_during_closing_disturbs_nobody(autojump_clock: trio.abc.Clock) -> None:
    async def handle(connection: trio_websocket.WebSocketConnection) -> None:
        while connection._wsproto.state is ConnectionState.OPEN:
            await connection._stream.send_all(b"\x89\x00")
            await trio.sleep(0.0005)

    async with raw_websocket_server(handle), open_websocket(WS_URL) as websocket:
        await trio.sleep(0.1)
        assert "WebSocket" in repr(websocket)


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_rejected_handshake_carries_the_status(autojump_clock: trio.abc.Clock, status: int) -> None:
    async def serve(socket: ServerSocket) -> None:
        await socket.send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await socket.send({"type": "websocket.http.response.body", "body": b"no"})

    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = serve
        with pytest.raises(ConnectionFailed, match=str(status)) as failed:
            async with open_websocket(WS_URL):
                pytest.fail("opened")
        assert failed.value.status == status


@pytest.mark.parametrize(("answer", "status"), [
    (b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\nslow down", 429),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n", 101),
    (b"SSH-2.0-OpenSSH_9.6\r\n", None),
    (b"", None),
])  # fmt: skip
async def test_server_that_answers_the_handshake_with_something_else_is_connection_failed_at_once(
    autojump_clock: trio.abc.Clock, answer: bytes, status: int | None
) -> None:
    network = SimulatedNetwork(random.Random(1))
    network.add_host(HOST, ADDRESS)

    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)

    with network.install():
        async with trio.open_nursery() as nursery:
            await nursery.start(functools.partial(trio.serve_tcp, handle, 80, host=ADDRESS))
            with pytest.raises(ConnectionFailed) as failed:
                async with open_websocket(WS_URL, connect_timeout_seconds=10):
                    pytest.fail("opened")
            assert failed.value.status == status
            assert trio.current_time() < 1
            await trio.sleep(1)
            assert network.statistics().connections_open == 0
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("verb", ["refuse", "fail_dns", "partition", "stall"])
async def test_connection_that_cannot_be_opened_is_connection_failed_within_the_deadline(autojump_clock: trio.abc.Clock, verb: str) -> None:
    async with simulated_exchange() as (network, _):
        with getattr(network, verb)(HOST):
            with pytest.raises(ConnectionFailed, match=HOST) as failed:
                async with open_websocket(WS_URL, connect_timeout_seconds=3):
                    pytest.fail("opened")
            assert failed.value.status is None
            assert trio.current_time() <= 3.001
        async with open_websocket(WS_URL) as websocket:
            await websocket.send("back")
            assert await websocket.receive() == "back"
    assert network.statistics().connections_open == 0


async def test_connection_reset_during_the_handshake_is_connection_failed_at_once(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _):
        network.cut_after(HOST, 10, "from")
        with pytest.raises(ConnectionFailed, match="reset"):
            async with open_websocket(WS_URL):
                pytest.fail("opened")
        assert trio.current_time() < 1


async def test_silence_after_a_ping_is_connection_lost_after_the_pong_timeout(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _):
        async with open_websocket(WS_URL, ping_interval_seconds=10, pong_timeout_seconds=5) as websocket:
            network.partition(HOST)
            started = trio.current_time()
            with pytest.raises(ConnectionLost, match="no pong within 5 s") as lost:
                await websocket.receive()
            assert lost.value.code == 1006
            assert trio.current_time() - started == pytest.approx(15, abs=0.1)
        assert trio.current_time() - started < 18


async def test_quiet_connection_that_answers_pings_lives_on(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), open_websocket(WS_URL, ping_interval_seconds=10, pong_timeout_seconds=5) as websocket:
        await trio.sleep(7200)
        await websocket.send("still here")
        assert await websocket.receive() == "still here"
        assert network.statistics().connections_opened == 1


async def test_reader_held_up_by_a_full_queue_is_not_taken_for_the_servers_silence(autojump_clock: trio.abc.Clock) -> None:
    async def flood(socket: ServerSocket) -> None:
        await socket.accept()
        for n in range(3000):
            await socket.send_text(f"{n:04} " + "x" * 200)
        await trio.sleep_forever()

    async with simulated_exchange() as (network, exchange):
        exchange.on_websocket = flood
        async with open_websocket(WS_URL, queue_messages_max=8, ping_interval_seconds=10, pong_timeout_seconds=5) as websocket:
            await trio.sleep(600)
            assert network.statistics().bytes_from_hosts < 3000 * 205  # the server is held up: nothing piles up on this side
            for n in range(3000):
                assert str(await websocket.receive()).startswith(f"{n:04}")
            await trio.sleep(60)  # and now the queue is empty, and pings are answered again
            network.partition(HOST)
            with pytest.raises(ConnectionLost, match="no pong"):
                await websocket.receive()


async def test_send_that_nobody_takes_is_connection_lost(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), open_websocket(WS_URL, **QUIET, pong_timeout_seconds=5) as websocket:
        network.partition(HOST)
        with pytest.raises(ConnectionLost, match="nothing could be sent for 5 s"):
            await websocket.send("x" * 200_000)
        with pytest.raises(ConnectionLost):
            await websocket.receive()


async def test_cancelled_send_gives_the_connection_up_because_half_a_frame_may_have_left(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), open_websocket(WS_URL, **QUIET, pong_timeout_seconds=60) as websocket:
        network.stall(HOST)
        with trio.move_on_after(1):
            await websocket.send("x" * 200_000)
        network.repair()
        assert not websocket.is_open
        with pytest.raises(ConnectionLost, match="cancelled part way"):
            await websocket.receive()


async def test_cancelled_receive_loses_no_message(autojump_clock: trio.abc.Clock) -> None:
    async def serve(socket: ServerSocket) -> None:
        await socket.accept()
        for n in range(100):
            await socket.send_text(str(n))
            await trio.sleep(0.0101)
        await trio.sleep_forever()

    received: list[str | bytes] = []
    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = serve
        async with open_websocket(WS_URL) as websocket:
            while len(received) < 100:
                with trio.move_on_after(0.0007):
                    received.append(await websocket.receive())
    assert received == [str(n) for n in range(100)]


async def test_message_larger_than_allowed_is_connection_lost_with_1009(autojump_clock: trio.abc.Clock) -> None:
    async def serve(socket: ServerSocket) -> None:
        await socket.accept()
        await socket.send_text("x" * 1000)
        await socket.send_text("x" * 1001)

    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = serve
        async with open_websocket(WS_URL, message_bytes_max=1000) as websocket:
            assert await websocket.receive() == "x" * 1000
            with pytest.raises(ConnectionLost) as lost:
                await websocket.receive()
            assert lost.value.code == 1009


class Mine(Exception):
    """An error of the body's own."""


async def test_exception_of_the_body_comes_out_unchanged(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _):
        error = Mine("mine")
        for fault in (None, network.drop_connections, network.close_without_frame, network.partition):
            with pytest.raises(Mine) as caught:  # noqa: PT012 - the body is the point
                async with open_websocket(WS_URL) as websocket:
                    await websocket.send("a")
                    if fault is not None:
                        fault(HOST)
                    await trio.sleep(1)
                    raise error
            assert caught.value is error
            assert error.__cause__ is None
            assert error.__context__ is None
            network.repair()


async def test_exception_group_of_the_body_comes_out_unchanged(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange():
        group = ExceptionGroup("two", [Mine(), ValueError()])
        with pytest.raises(ExceptionGroup) as caught:
            async with open_websocket(WS_URL):
                raise group
        assert caught.value is group


async def test_connection_lost_inside_the_body_comes_out_as_itself(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _):
        with pytest.raises(ConnectionLost):  # noqa: PT012
            async with open_websocket(WS_URL) as websocket:
                network.drop_connections(HOST)
                await websocket.receive()


async def test_cancellation_stays_a_cancellation_at_every_instant(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange):
        for step in range(80):
            seen: BaseException | None = None
            is_open = False
            with trio.move_on_after(step * 0.0005) as scope:
                try:
                    async with open_websocket(WS_URL) as websocket:
                        is_open = True
                        while True:
                            await websocket.send("a")
                            await websocket.receive()
                except BaseException as error:
                    seen = error
                    raise
            assert scope.cancelled_caught
            if is_open:
                assert isinstance(seen, trio.Cancelled)
            elif isinstance(seen, BaseExceptionGroup):  # Trio's own, from the nursery that connects
                assert seen.split(trio.Cancelled)[1] is None
        await trio.sleep(10)
        assert exchange.websockets_open == 0
    assert network.statistics().connections_open == 0


@pytest.mark.parametrize("verb", ["partition", "stall"])
async def test_leaving_a_dead_connection_takes_no_longer_than_the_close_timeout(autojump_clock: trio.abc.Clock, verb: str) -> None:
    async with simulated_exchange() as (network, _):
        with trio.CancelScope() as scope:
            async with open_websocket(WS_URL, close_timeout_seconds=2) as websocket:
                await websocket.send("a")
                getattr(network, verb)(HOST)
                left_at = trio.current_time()
                if verb == "stall":
                    scope.cancel()  # cancelled or not, the goodbye has its deadline
                    await trio.lowlevel.checkpoint()
        assert trio.current_time() - left_at == pytest.approx(2)


async def test_leaving_says_goodbye_to_the_server(autojump_clock: trio.abc.Clock) -> None:
    ends: list[int] = []

    async def handle(connection: trio_websocket.WebSocketConnection) -> None:
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await connection.get_message()
        ends.append(closed.value.reason.code)

    async with raw_websocket_server(handle):
        async with open_websocket(WS_URL):
            pass
        await trio.sleep(1)
    assert ends == [1000]


async def test_cancelled_body_of_a_healthy_connection_still_says_goodbye_and_is_quick(autojump_clock: trio.abc.Clock) -> None:
    ends: list[int] = []

    async def handle(connection: trio_websocket.WebSocketConnection) -> None:
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await connection.get_message()
        ends.append(closed.value.reason.code)

    async with raw_websocket_server(handle):
        with trio.move_on_after(5):
            async with open_websocket(WS_URL, close_timeout_seconds=2) as websocket:
                await websocket.receive()
        assert trio.current_time() < 5.1
    assert ends == [1000]


async def test_close_code_of_the_server_outlives_whatever_it_sends_after_it(autojump_clock: trio.abc.Clock) -> None:
    async def handle(connection: trio_websocket.WebSocketConnection) -> None:
        await connection._stream.send_all(b"\x88\x02\x0f\xa1" + b"\x89\x00" * 3 + b"\xff\xff")
        await trio.sleep_forever()

    async with raw_websocket_server(handle), open_websocket(WS_URL) as websocket:
        await trio.sleep(1)
        with pytest.raises(ConnectionLost) as lost:
            await websocket.receive()
        assert (lost.value.code, lost.value.reason) == (4001, "")


async def test_leaving_with_unread_messages_and_a_blocked_server_is_quick(autojump_clock: trio.abc.Clock) -> None:
    async def flood(socket: ServerSocket) -> None:
        await socket.accept()
        for _ in range(2000):  # bounded: on a connection that is gone, Hypercorn's send neither raises nor checkpoints
            await socket.send_text("x" * 1000)

    async with simulated_exchange() as (_, exchange):
        exchange.on_websocket = flood
        async with open_websocket(WS_URL, queue_messages_max=4):
            await trio.sleep(5)
            left_at = trio.current_time()
        assert trio.current_time() - left_at <= 2.001


async def test_client_reconnects_after_each_drop_with_backoff(autojump_clock: trio.abc.Clock) -> None:
    backoff = Backoff(0.5, 2, 8, 0.5, random.Random(3))
    received = 0

    async def follow(websocket: WebSocket) -> None:
        nonlocal received
        await websocket.send("subscribe")
        while True:
            await websocket.receive()
            received += 1
            backoff.reset()

    async def ticks(socket: ServerSocket) -> None:
        await socket.accept()
        await socket.receive_text()
        while True:
            await socket.send_text("tick")
            await trio.sleep(0.1)

    async with simulated_exchange() as (network, exchange):
        exchange.on_websocket = ticks
        async with trio.open_nursery() as nursery:

            async def drop() -> None:
                for n in range(10):
                    await trio.sleep(2)
                    with network.refuse(HOST) if n % 2 else network.fail_dns(HOST):
                        (network.drop_connections if n % 3 else network.close_without_frame)(HOST)
                        await trio.sleep(1)
                await trio.sleep(5)
                nursery.cancel_scope.cancel()

            nursery.start_soon(drop)
            while True:
                try:
                    async with open_websocket(WS_URL) as websocket:
                        await follow(websocket)
                except (ConnectionFailed, ConnectionLost):
                    await trio.sleep(backoff.next_delay_seconds())
        assert received > 150
        assert network.statistics().connections_opened == 11


@pytest.mark.parametrize("url", ["http://api.gate.sim/ws", "wss://", "ws://me:secret@api.gate.sim/"])
def test_url_that_is_no_websocket_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(UrlError) as caught:
        open_websocket(url)
    assert "secret" not in str(caught.value)


async def test_errors_do_not_show_path_and_query_that_may_hold_a_listen_key(autojump_clock: trio.abc.Clock) -> None:
    url = f"{WS_URL}/do-not-show?listenKey=do-not-show"
    async with simulated_exchange() as (network, _):
        with pytest.raises(ConnectionFailed) as failed:  # no such path: 403
            async with open_websocket(url):
                pytest.fail("opened")
        assert "do-not-show" not in str(failed.value)
        async with open_websocket(f"{WS_URL}?listenKey=do-not-show") as websocket:
            network.drop_connections(HOST)
            with pytest.raises(ConnectionLost) as lost:
                await websocket.receive()
            assert "do-not-show" not in str(lost.value) + repr(websocket)
