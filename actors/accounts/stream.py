"""The private websocket: connect, log in, listen. It hands on decoded reports and knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from actors.accounts.codec import AccountCodec, ProtocolError
from actors.accounts.credential import Credential
from network.errors import NetworkError
from network.websocket import WebSocket, open_websocket
from orders.errors import ErrorKind, ExchangeError
from orders.reports import PrivateReport, StreamClosing, StreamConfirmed, StreamPong, StreamRefused

CONNECT_TIMEOUT_SECONDS = 10.0
CONFIRM_TIMEOUT_SECONDS = 10.0
# A goodbye is a courtesy; a stop must not wait long for its answer.
CLOSE_TIMEOUT_SECONDS = 0.5
# Frames in a row that cannot be read: then the connection is not worth keeping.
BAD_FRAMES_MAX = 3


class StreamLost(Exception):
    """The private stream cannot go on: the exchange closes it, does not answer, or sends what cannot be read."""


class PrivateStream:
    """An open private stream whose channels are all confirmed."""

    def __init__(self, websocket: WebSocket, codec: AccountCodec, exchange_time_milliseconds: Callable[[], int]) -> None:
        self._websocket = websocket
        self._codec = codec
        self._exchange_time_milliseconds = exchange_time_milliseconds
        self._bad_frames = 0
        self._heard_at = trio.current_time()

    async def receive(self) -> list[PrivateReport]:
        """The reports of the next frame.

        Raises:
            StreamLost: the exchange announced the end, or sent rubbish repeatedly.
            NetworkError: the connection broke.
            ProtocolError: this frame cannot be read; the next one may.
        """
        frame = await self._websocket.receive()
        self._heard_at = trio.current_time()
        try:
            reports = self._codec.decode_frame(frame)
        except ProtocolError:
            self._bad_frames += 1
            if self._bad_frames >= BAD_FRAMES_MAX:
                raise StreamLost(f"{self._bad_frames} frames in a row could not be read") from None
            raise
        self._bad_frames = 0
        for report in reports:
            if isinstance(report, StreamClosing):
                raise StreamLost(f"the exchange closes the connection: {report.reason}")
        return reports

    async def keep_alive(self) -> None:
        """Ping at the exchange's interval for ever.

        Raises:
            StreamLost: nothing at all was heard for three intervals.
            NetworkError: the connection broke.
        """
        interval_seconds = self._codec.ping_interval_seconds
        while True:
            await trio.sleep(interval_seconds)
            if trio.current_time() - self._heard_at > 3 * interval_seconds:
                raise StreamLost(f"nothing heard for {trio.current_time() - self._heard_at:.0f} s")
            await self._websocket.send(self._codec.ping_frame(timestamp_milliseconds=self._exchange_time_milliseconds()))


@asynccontextmanager
async def open_private_stream(
    url: str, *, codec: AccountCodec, credential: Credential, exchange_time_milliseconds: Callable[[], int]
) -> AsyncGenerator[tuple[PrivateStream, list[PrivateReport]]]:
    """Connect, subscribe to every private channel, and wait until all are confirmed.

    Gives the stream and the reports that came in between. Leaving the block closes the connection.

    Raises:
        NetworkError: no connection, or it broke.
        StreamLost: not confirmed in time, or closed by the exchange.
        ExchangeError: a subscription was refused, classified as an authentication error.
    """
    async with open_websocket(
        url, connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS, close_timeout_seconds=CLOSE_TIMEOUT_SECONDS
    ) as websocket:
        stream = PrivateStream(websocket, codec, exchange_time_milliseconds)
        for frame in codec.subscribe_frames(credential, timestamp_milliseconds=exchange_time_milliseconds()):
            await websocket.send(frame)
        early: list[PrivateReport] = []
        waiting = set(codec.private_channels)
        with trio.move_on_after(CONFIRM_TIMEOUT_SECONDS):
            while waiting:
                for report in await stream.receive():
                    match report:
                        case StreamConfirmed(channel):
                            waiting.discard(channel)
                        case StreamRefused(channel, code, message):
                            raise ExchangeError(ErrorKind.AUTHENTICATION, code=code, message=f"{channel}: {message}", http_status=0)
                        case StreamPong():
                            pass
                        case _:
                            early.append(report)
        if waiting:
            raise StreamLost(f"not confirmed within {CONFIRM_TIMEOUT_SECONDS:.0f} s: {', '.join(sorted(waiting))}")
        yield stream, early


STREAM_ERRORS = (NetworkError, StreamLost)
