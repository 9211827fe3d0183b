"""The ASGI server of the simulated exchanges, byte by byte: what it answers, refuses, waits for and bounds."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import wsproto
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Pong, Request, TextMessage

from network.simulated_network import SimulatedNetwork
from network.wire_trace import WireEvent
from simulated.asgi.connection import IDLE_SECONDS_MAX
from simulated.asgi.http_exchange import BODY_BYTES_MAX
from simulated.asgi.websocket_exchange import MESSAGE_BYTES_MAX
from simulated.serving import Connections, serve_app

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
GET = b"GET /here?a=1 HTTP/1.1\r\nHost: exchange.sim\r\n\r\n"


class Served:
    """A server, what it was asked, and what it has put on the wire."""

    def __init__(self) -> None:
        self.connections = Connections()
        self.heard: list[Any] = []
        self.sent: list[bytes] = []
        self.cancel_scope = trio.CancelScope()

    def note(self, event: WireEvent) -> None:
        if event.direction == "from" and event.kind == "data":
            self.sent.append(event.data)


@asynccontextmanager
async def serving(app: Callable[..., Awaitable[None]]) -> AsyncGenerator[Served]:
    served = Served()
    network = SimulatedNetwork(random.Random(1), trace=served.note)
    network.add_host("exchange.sim", "10.1.0.1")
    with network.install():
        async with trio.open_nursery() as nursery:
            served.cancel_scope = nursery.cancel_scope
            serve = partial(serve_app, partial(app, served), connections=served.connections, ping_interval_seconds=20)
            await nursery.start(serve, "10.1.0.1", 80)
            yield served
            nursery.cancel_scope.cancel()


async def connected() -> trio.SocketStream:
    return await trio.open_tcp_stream("exchange.sim", 80)


async def everything(stream: trio.SocketStream) -> bytes:
    """What comes until the server ends the connection."""
    return b"".join([chunk async for chunk in stream])


async def read_until(stream: trio.SocketStream, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        chunk = await stream.receive_some()
        assert chunk, f"the connection ended after {data!r}"
        data += chunk
    return data


async def answer(send: Send, body: bytes = b"fine", *, headers: bool = True) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))] if headers else []})
    await send({"type": "http.response.body", "body": body})


async def echo(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answers with the body of the request."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            served.heard.append((scope["method"], scope["path"], scope["query_string"], body))
            await answer(send, body or b"fine")
            return
    served.heard.append(message["type"])
    await answer(send)


# HTTP


async def test_requests_one_after_the_other_are_answered_on_one_connection_each_in_one_piece(autojump_clock: MockClock) -> None:
    async with serving(echo) as served, await connected() as client:
        for _ in range(3):
            await client.send_all(GET)
            assert (await read_until(client, b"fine")).startswith(b"HTTP/1.1 200 ")
    assert served.heard == [("GET", "/here", b"a=1", b"")] * 3
    assert len(served.sent) == 3


async def test_request_that_drips_in_byte_by_byte_is_answered(autojump_clock: MockClock) -> None:
    async with serving(echo) as served, await connected() as client:
        for byte in b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc":
            await client.send_all(bytes([byte]))
            await trio.sleep(1)
        await read_until(client, b"abc")
    assert served.heard == [("POST", "/", b"", b"abc")]


async def test_chunked_body_is_put_together_and_an_answer_without_a_length_is_chunked(autojump_clock: MockClock) -> None:
    async def app(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        pieces = [await receive() for _ in range(3)]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece["body"], "more_body": piece["more_body"]})

    async with serving(app), await connected() as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        told = await read_until(client, b"0\r\n\r\n")
        assert told.endswith(b"\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert b"chunked" in told.lower()


async def test_client_that_waits_to_be_told_to_go_on_is_told(autojump_clock: MockClock) -> None:
    async with serving(echo), await connected() as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await read_until(client, b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await client.send_all(b"abc")
        await read_until(client, b"abc")


async def test_head_is_answered_without_a_body(autojump_clock: MockClock) -> None:
    async with serving(echo), await connected() as client:
        await client.send_all(GET.replace(b"GET", b"HEAD"))
        assert b"content-length: 4\r\n" in await read_until(client, b"\r\n\r\n")
        await client.send_all(GET)
        await read_until(client, b"fine")


@pytest.mark.parametrize(
    ("nonsense", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no host
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"431"),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_ended(autojump_clock: MockClock, nonsense: bytes, status: bytes) -> None:
    async with serving(echo) as served, await connected() as client:
        await client.send_all(nonsense)
        assert (await everything(client)).startswith(b"HTTP/1.1 " + status)
    assert served.heard == []


@pytest.mark.parametrize("together", [True, False])
async def test_request_before_the_answer_to_the_first_is_not_carried_out_and_ends_the_connection(
    autojump_clock: MockClock, together: bool
) -> None:
    async def slow(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        served.heard.append(scope["path"])
        await trio.sleep(1)
        await answer(send)

    async with serving(slow) as served, await connected() as client:
        await client.send_all(GET * 2 if together else GET)
        if not together:
            await trio.sleep(0.5)
            await client.send_all(GET)
        told = await everything(client)
    assert served.heard == ["/here"] * (1 if together else 2)
    assert told.count(b"HTTP/1.1 200") == (1 if together else 2), "a second request that has not been read is as good as a later one"


async def test_request_that_comes_while_the_end_is_waited_for_ends_the_connection(autojump_clock: MockClock) -> None:
    async def silent(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            pass
        served.heard.append(message["type"])
        await answer(send)

    async with serving(silent) as served, await connected() as client:
        await client.send_all(GET)
        await trio.sleep(0.5)
        await client.send_all(GET)
        assert (await everything(client)).count(b"HTTP/1.1 200") == 1
    assert served.heard == ["http.disconnect"]


async def test_application_that_waits_hears_when_the_client_has_left(autojump_clock: MockClock) -> None:
    async with serving(echo) as served:
        async with await connected() as client:
            await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab")
        await trio.sleep(1)
        assert served.heard == ["http.disconnect"]
        assert len(served.connections) == 0


async def test_answer_to_a_client_that_has_left_is_lost_without_a_word(autojump_clock: MockClock) -> None:
    async def slow(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await trio.sleep(5)
        await answer(send)
        await trio.sleep(5)
        served.heard.append("answered")

    async with serving(slow) as served:
        async with await connected() as client:
            await client.send_all(GET)
        await trio.sleep(20)
        assert served.heard == ["answered"]
        assert len(served.connections) == 0


async def test_body_that_is_too_long_is_given_up(autojump_clock: MockClock) -> None:
    async with serving(echo) as served, await connected() as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (2 * BODY_BYTES_MAX))
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"x" * 2 * BODY_BYTES_MAX)
    assert served.heard == ["http.disconnect"]


async def test_connection_that_is_silent_between_requests_is_ended_after_a_while(autojump_clock: MockClock) -> None:
    async with serving(echo), await connected() as client:
        began_at = trio.current_time()
        assert await everything(client) == b""
        assert trio.current_time() - began_at == pytest.approx(IDLE_SECONDS_MAX, abs=0.1)


async def test_application_that_does_not_answer_ends_the_server(autojump_clock: MockClock) -> None:
    async def mute(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="did not answer GET /here"), flatten_subgroups=True):
        async with serving(mute), await connected() as client:
            await client.send_all(GET)
            await everything(client)
            await trio.sleep(1)


# Websockets


class Peer:
    """The client's side of one websocket, by wsproto."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)

    async def send(self, *events: Event) -> None:
        await self.stream.send_all(b"".join(self.protocol.send(event) for event in events))

    async def events(self) -> list[Event]:
        """What comes next; nothing at the end."""
        data = await self.stream.receive_some()
        if not data:
            return []
        self.protocol.receive_data(data)
        return [event for event in self.protocol.events() if not isinstance(event, Ping | Pong) or event.payload]

    async def event(self) -> Event | None:
        """The one thing that comes next, but for the server's empty pings."""
        while True:
            data = await self.stream.receive_some()
            if not data:
                return None
            self.protocol.receive_data(data)
            events = [event for event in self.protocol.events() if not (isinstance(event, Ping) and not event.payload)]
            if events:
                (event,) = events
                return event


async def parrot(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Says what it hears, until the end; then what that was."""
    served.heard.append((await receive())["type"])
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        served.heard.append(message.get("text") or message.get("bytes"))
        if message.get("text") == "enough":
            await send({"type": "websocket.close", "code": 4004, "reason": "enough"})
            return
        if message.get("text") == "leave":
            return
        await send({"type": "websocket.send", "messages": [message.get("text") or message["bytes"]]})
    served.heard.append(message["code"])


@asynccontextmanager
async def opened() -> AsyncGenerator[Peer]:
    async with await connected() as stream:
        peer = Peer(stream)
        await peer.send(Request(host="exchange.sim", target="/ws"))
        assert isinstance(await peer.event(), AcceptConnection)
        yield peer


async def test_texts_and_bytes_go_both_ways_and_the_client_ends_it_in_order(autojump_clock: MockClock) -> None:
    async with serving(parrot) as served, opened() as peer:
        await peer.send(TextMessage(data="hear"))
        assert await peer.event() == TextMessage(data="hear")
        await peer.send(BytesMessage(data=b"\x00\xff"))
        assert await peer.event() == BytesMessage(data=bytearray(b"\x00\xff"))
        await peer.send(CloseConnection(code=1001, reason="going"))
        assert await peer.event() == CloseConnection(code=1001, reason="going")
        assert await peer.event() is None
    assert served.heard == ["websocket.connect", "hear", b"\x00\xff", 1001]


async def test_message_in_frames_that_come_byte_by_byte_is_put_together(autojump_clock: MockClock) -> None:
    async with serving(parrot) as served, opened() as peer:
        frames = [peer.protocol.send(TextMessage(data=part, message_finished=part == "c")) for part in "abc"]
        for byte in b"".join(frames):
            await peer.stream.send_all(bytes([byte]))
            await trio.sleep(0.1)
        assert await peer.event() == TextMessage(data="abc")
    assert served.heard[:2] == ["websocket.connect", "abc"]


async def test_frame_that_comes_together_with_the_handshake_is_read(autojump_clock: MockClock) -> None:
    async with serving(parrot) as served, await connected() as stream:
        handshake = wsproto.WSConnection(wsproto.ConnectionType.CLIENT).send(Request(host="exchange.sim", target="/ws"))
        frame = b"\x81\x83\x00\x00\x00\x00abc"  # masked by zeros
        await stream.send_all(handshake + frame)
        data = b""
        while b"\x81\x03abc" not in data:
            data += await stream.receive_some()
    assert served.heard[:2] == ["websocket.connect", "abc"]


async def test_ping_is_answered_and_the_server_pings_at_its_interval(autojump_clock: MockClock) -> None:
    async with serving(parrot) as served, opened() as peer:
        await peer.send(Ping(payload=b"there?"))
        assert await peer.event() == Pong(payload=b"there?")
        before = len(served.sent)
        await trio.sleep(100)
        assert served.sent[before:] == [b"\x89\x00"] * 5


async def test_application_ends_it_with_a_code_and_a_reason(autojump_clock: MockClock) -> None:
    async with serving(parrot) as served, opened() as peer:
        await peer.send(TextMessage(data="enough"))
        closing = await peer.event()
        assert closing == CloseConnection(code=4004, reason="enough")
        await peer.send(CloseConnection(code=4004))
        assert await peer.event() is None
        await wait_all_tasks_blocked()
        assert len(served.connections) == 0


async def test_client_that_never_answers_the_close_frame_is_left_after_a_while(autojump_clock: MockClock) -> None:
    async with serving(parrot), opened() as peer:
        await peer.send(TextMessage(data="enough"))
        assert isinstance(await peer.event(), CloseConnection)
        began_at = trio.current_time()
        assert await peer.event() is None
        assert trio.current_time() - began_at == pytest.approx(5, abs=0.1)


async def test_application_that_just_returns_is_an_internal_error_to_the_client(autojump_clock: MockClock) -> None:
    async with serving(parrot), opened() as peer:
        await peer.send(TextMessage(data="leave"))
        closing = await peer.event()
        assert isinstance(closing, CloseConnection)
        assert closing.code == 1011


async def test_websocket_that_is_refused_hears_403(autojump_clock: MockClock) -> None:
    async def refuse(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close"})

    async with serving(refuse), await connected() as stream:
        await stream.send_all(wsproto.WSConnection(wsproto.ConnectionType.CLIENT).send(Request(host="exchange.sim", target="/ws")))
        assert (await everything(stream)).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        "POST /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ],
    ids=["no key", "another version", "no GET"],
)
async def test_handshake_that_is_none_is_refused(autojump_clock: MockClock, request_text: str) -> None:
    async with serving(parrot) as served, await connected() as stream:
        await stream.send_all(request_text.encode())
        assert (await everything(stream)).startswith(b"HTTP/1.1 400 ")
    assert served.heard == []


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"\x81\x03abc", 1002),  # not masked
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # no such kind of frame
        (b"\x81\x82\x00\x00\x00\x00\xff\xff", 1007),  # no text
        (b"\x02\xff" + (65_536).to_bytes(8, "big") + b"\x00" * 4 + b"x" * 65_536, None),  # only a part so far: nothing is wrong
    ],
    ids=["unmasked", "unknown", "not text", "part"],
)
async def test_nonsense_on_a_websocket_ends_it_with_the_code_for_it(autojump_clock: MockClock, frames: bytes, code: int | None) -> None:
    async with serving(parrot), opened() as peer:
        await peer.stream.send_all(frames)
        with trio.move_on_after(15):
            closing = await peer.event()
            assert isinstance(closing, CloseConnection)
            assert closing.code == code
            return
    assert code is None


async def test_message_that_never_ends_is_refused_before_it_fills_the_memory(autojump_clock: MockClock) -> None:
    async with serving(parrot), opened() as peer:
        for _ in range(MESSAGE_BYTES_MAX // 65_536 + 1):
            await peer.send(BytesMessage(data=b"x" * 65_536, message_finished=False))
        closing = await peer.event()
        assert isinstance(closing, CloseConnection)
        assert closing.code == 1009


async def test_messages_that_are_sent_together_leave_in_one_piece(autojump_clock: MockClock) -> None:
    async def talk(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await trio.sleep(1)
        await send({"type": "websocket.send", "messages": ["one", b"two", "three"]})
        await receive()

    async with serving(talk) as served, opened() as peer:
        await trio.sleep(2)
        assert [event.data for event in await peer.events() if isinstance(event, TextMessage | BytesMessage)] == ["one", b"two", "three"]
        assert served.sent[-1].count(b"two") == served.sent[-1].count(b"one") == 1


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_message_of_any_size_arrives_whole(autojump_clock: MockClock, size: int) -> None:
    async with serving(parrot), opened() as peer:
        for data in (TextMessage(data="é" + "x" * size), BytesMessage(data=b"\xff" * (size + 1))):
            await peer.send(data)
            parts: list[Any] = []
            while not (parts and parts[-1].message_finished):
                parts += [event for event in await peer.events() if isinstance(event, TextMessage | BytesMessage)]
            assert type(data.data)().join(part.data for part in parts) == data.data


async def test_client_that_does_not_read_holds_up_whoever_sends_but_not_the_end_of_the_server(autojump_clock: MockClock) -> None:
    async def flood(served: Served, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "x" * 10_000})
            served.heard.append(10_000)

    async with serving(flood) as served, opened():
        await trio.sleep(1_000)
        assert sum(served.heard) < 200_000  # what the network holds, and no more
        served.cancel_scope.cancel()


async def test_connection_that_is_aborted_ends_for_both_sides_without_a_close_frame(autojump_clock: MockClock) -> None:
    async with serving(parrot) as served, opened() as peer:
        await wait_all_tasks_blocked()
        served.connections.abort_all()
        assert await peer.event() is None
        await trio.sleep(1)
        assert served.heard == ["websocket.connect", 1006]
