"""The private websocket: connect, log in, listen. It hands on decoded reports and knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import trio

from actors.accounts.codec import ProtocolError, StreamKeys
from actors.accounts.credential import Credential
from actors.accounts.session import AccountSession
from network.errors import NetworkError
from network.websocket import WebSocket
from orders.errors import ErrorKind, ExchangeError
from orders.reports import PrivateReport, StreamClosing, StreamConfirmed, StreamRefused, StreamReply

CONNECT_TIMEOUT_SECONDS = 10.0
CONFIRM_TIMEOUT_SECONDS = 10.0
# A goodbye is a courtesy; a stop must not wait long for its answer.
CLOSE_TIMEOUT_SECONDS = 0.5
# Frames in a row that cannot be read: then the connection is not worth keeping.
BAD_FRAMES_MAX = 3


class StreamLost(Exception):
    """The private stream cannot go on: the exchange closes it, does not answer, or sends what cannot be read."""


class SubscriptionRefused(ExchangeError):
    """The exchange refused a private channel: the credential is wrong, or the time that it was signed with."""

    def __init__(self, refused: StreamRefused) -> None:
        message = f"{refused.channel}: {refused.message}"
        super().__init__(ErrorKind.AUTHENTICATION, code=refused.code, message=message, http_status=0)


class PrivateStream:
    """An open private stream whose channels are all confirmed."""

    def __init__(self, websocket: WebSocket, session: AccountSession, key: str = "") -> None:
        self._websocket = websocket
        self._session = session
        self._codec = session.codec
        self._key = key
        self._bad_frames = 0
        self._opened_at = self._heard_at = trio.current_time()

    @property
    def is_open(self) -> bool:
        """Once False, nothing that is sent leaves."""
        return self._websocket.is_open

    async def send(self, frame: str | bytes) -> None:
        """Send a frame; returning says nothing of its arrival.

        Raises:
            NetworkError: the connection is gone; the frame may have left.
        """
        await self._websocket.send(frame)

    async def receive(self) -> list[PrivateReport]:
        """The reports of the next frame; what it asks to be answered has been.

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
            if isinstance(report, StreamReply):
                await self._websocket.send(report.frame)
        return reports

    async def subscribe(self, credential: Credential) -> list[PrivateReport]:
        """Ask for every private channel, and wait until all are confirmed; gives the reports that came in between.

        Raises:
            StreamLost: not confirmed in time.
            SubscriptionRefused: as it says.
        """
        now_milliseconds = self._session.exchange_time_milliseconds()
        for frame in self._codec.subscribe_frames(credential, timestamp_milliseconds=now_milliseconds):
            await self._websocket.send(frame)
        early: list[PrivateReport] = []
        waiting = set(self._codec.private_channels)
        with trio.move_on_after(CONFIRM_TIMEOUT_SECONDS):
            while waiting:
                for report in await self.receive():
                    match report:
                        case StreamConfirmed(channel):
                            waiting.discard(channel)
                        case StreamRefused():
                            raise SubscriptionRefused(report)
                        case _:
                            early.append(report)
        if waiting:
            raise StreamLost(f"not confirmed within {CONFIRM_TIMEOUT_SECONDS:.0f} s: {', '.join(sorted(waiting))}")
        return early

    async def keep_alive(self) -> None:
        """Ping at the exchange's interval for ever, and renew the stream's key.

        Raises:
            StreamLost: nothing at all was heard for three intervals, the key cannot be renewed, or the exchange would end
                the connection soon.
            NetworkError: the connection broke.
        """
        interval_seconds = self._codec.ping_interval_seconds
        key_renewed_at = trio.current_time()
        while True:
            await trio.sleep(interval_seconds)
            now = trio.current_time()
            if now - self._heard_at > 3 * interval_seconds:
                raise StreamLost(f"nothing heard for {now - self._heard_at:.0f} s")
            seconds_max = self._codec.stream_seconds_max
            if seconds_max is not None and now - self._opened_at > seconds_max:
                raise StreamLost("renewed before the exchange ends it")
            keys = self._codec.stream_keys
            if keys is not None and now - key_renewed_at >= keys.renewal_seconds:
                await self._renew_key(keys)
                key_renewed_at = now
            await self._websocket.send(self._codec.ping_frame(timestamp_milliseconds=self._session.exchange_time_milliseconds()))

    async def _renew_key(self, keys: StreamKeys) -> None:
        try:
            await self._session.keep_stream_key(keys, self._key)
        except (NetworkError, ExchangeError, ProtocolError) as error:
            raise StreamLost(f"the stream's key could not be renewed: {error}") from error


@asynccontextmanager
async def open_private_stream(
    url: str, *, session: AccountSession, credential: Credential
) -> AsyncGenerator[tuple[PrivateStream, list[PrivateReport]]]:
    """Connect, subscribe to every private channel, and wait until all are confirmed.

    Gives the stream and the reports that came in between. Leaving the block closes the connection.

    Raises:
        NetworkError: no connection, or it broke.
        StreamLost: no key to be had now, not confirmed in time, or closed by the exchange.
        SubscriptionRefused: as it says.
        ExchangeError: the exchange refused the credential.
        ProtocolError: the answer to the request for a key could not be read.
    """
    async with (
        _stream_address(url, session) as (address, key),
        session.limits.open_websocket(
            address,
            headers=session.codec.websocket_headers,
            connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
            close_timeout_seconds=CLOSE_TIMEOUT_SECONDS,
        ) as websocket,
    ):
        stream = PrivateStream(websocket, session, key)
        yield stream, await stream.subscribe(credential)


@asynccontextmanager
async def _stream_address(url: str, session: AccountSession) -> AsyncGenerator[tuple[str, str]]:
    """Where to connect, and with which key: fetched on entering; one that was made for us is given back on leaving, or expires."""
    try:
        await session.learn_instruments()
    except ExchangeError as error:
        if error.kind is ErrorKind.AUTHENTICATION:
            raise
        raise StreamLost(f"the instruments could not be learned: {error}") from error
    keys = session.codec.stream_keys
    if keys is None:
        yield url, ""
        return
    key, is_ours = await _stream_key(session, keys)
    try:
        yield keys.url(url, key), key
    finally:
        if is_ours:
            with trio.move_on_after(CLOSE_TIMEOUT_SECONDS, shield=True), suppress(NetworkError, ExchangeError, ProtocolError):
                await session.end_stream_key(keys, key)


async def _stream_key(session: AccountSession, keys: StreamKeys) -> tuple[str, bool]:
    """A key, and whether it was made for us.

    An exchange makes so many and no more, and runs that were killed have left theirs behind. Which refusal says so is not documented
    everywhere: whatever is about neither the credential nor the moment is taken for it, for asking for the valid ones does no harm.
    """
    try:
        return await session.open_stream_key(keys), True
    except ExchangeError as error:
        if error.kind is ErrorKind.AUTHENTICATION:
            raise
        refused = error
    try:
        borrowed = None if refused.is_passing else await session.borrow_stream_key(keys)
    except ExchangeError as error:
        if error.kind is ErrorKind.AUTHENTICATION:
            raise
        raise StreamLost(f"no key for the stream: {refused}; nor one of the valid ones: {error}") from error
    if borrowed is None:
        raise StreamLost(f"no key for the stream: {refused}") from refused
    return borrowed, False


STREAM_ERRORS = (NetworkError, StreamLost, ProtocolError)
