"""The private stream alone, over a scripted websocket: silence, frames that cannot be read, and what the exchange announces."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest
import trio

from actors.accounts.codec import ProtocolError
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from actors.accounts.session import AccountSession
from actors.accounts.stream import BAD_FRAMES_MAX, PrivateStream, StreamLost
from network.websocket import WebSocket
from orders.reports import StreamPong

INTERVAL_SECONDS = GateioSpotAccountCodec.ping_interval_seconds
PONG = msgspec.json.encode({"time": 1, "channel": "spot.pong", "event": "", "result": None}).decode()
UPGRADE = msgspec.json.encode({"channel": "spot.system", "event": "update", "result": {"type": "upgrade", "msg": "soon"}}).decode()
UNREADABLE = "{"


class ScriptedWebSocket:
    """Receives `frames` one after the other, and then nothing more; answers a ping with a pong for `pongs` times."""

    is_open = True

    def __init__(self, *, pongs: float = 0) -> None:
        self.sent: list[tuple[float, str]] = []
        self.pongs = pongs
        self.push, self._frames = trio.open_memory_channel[str](100)

    async def send(self, frame: str) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append((trio.current_time(), frame))
        if len(self.sent) <= self.pongs:
            self.push.send_nowait(PONG)

    async def receive(self) -> str:
        return await self._frames.receive()


class ScriptedClock:
    codec = GateioSpotAccountCodec()

    def exchange_time_milliseconds(self) -> int:
        return 1_790_000_000_000


def stream_over(websocket: ScriptedWebSocket) -> PrivateStream:
    return PrivateStream(cast("WebSocket", websocket), cast("AccountSession", ScriptedClock()))


async def listen(stream: PrivateStream) -> None:
    while True:
        await stream.receive()


async def test_stream_on_which_nothing_at_all_is_heard_for_three_intervals_is_lost(autojump_clock: object) -> None:
    websocket = ScriptedWebSocket(pongs=2)
    stream = stream_over(websocket)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, stream)
        with pytest.raises(StreamLost, match="nothing heard for"):
            await stream.keep_alive()
        nursery.cancel_scope.cancel()
    last_pong_at = 2 * INTERVAL_SECONDS
    assert trio.current_time() - last_pong_at == pytest.approx(4 * INTERVAL_SECONDS)


async def test_stream_that_answers_pings_is_kept(autojump_clock: object) -> None:
    stream = stream_over(ScriptedWebSocket(pongs=float("inf")))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, stream)
        with trio.move_on_after(100 * INTERVAL_SECONDS) as patience:
            await stream.keep_alive()
        assert patience.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_frames_that_cannot_be_read_are_forgiven_until_there_are_too_many_in_a_row(autojump_clock: object) -> None:
    websocket = ScriptedWebSocket()
    stream = stream_over(websocket)
    for _ in range(5):
        for frame in (*[UNREADABLE] * (BAD_FRAMES_MAX - 1), PONG):
            websocket.push.send_nowait(frame)
        for _ in range(BAD_FRAMES_MAX - 1):
            with pytest.raises(ProtocolError):
                await stream.receive()
        assert await stream.receive() == [StreamPong()], "one that can be read makes good for those before"
    for _ in range(BAD_FRAMES_MAX):
        websocket.push.send_nowait(UNREADABLE)
    for _ in range(BAD_FRAMES_MAX - 1):
        with pytest.raises(ProtocolError):
            await stream.receive()
    with pytest.raises(StreamLost, match=f"{BAD_FRAMES_MAX} frames in a row"):
        await stream.receive()


async def test_announced_end_is_the_end(autojump_clock: object) -> None:
    websocket = ScriptedWebSocket()
    websocket.push.send_nowait(UPGRADE)
    with pytest.raises(StreamLost, match="soon"):
        await stream_over(websocket).receive()
