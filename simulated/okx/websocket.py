"""The websocket side: sessions, logins, subscriptions, pings and order operations. One per path."""

from __future__ import annotations

from typing import Any

import msgspec
import trio
from starlette.websockets import WebSocket

from simulated.faults import Faults
from simulated.okx import messages, private_channels
from simulated.okx.auth import Authenticator
from simulated.okx.errors import OkxError
from simulated.okx.operations import OPERATIONS, Operations
from simulated.okx.private_channels import PrivateChannels
from simulated.okx.public_channels import PublicChannels, no_such_channel
from simulated.okx.venue import OkxVenue
from simulated.session import Session

_SILENCE_SECONDS_MAX = 30.0
_CLOSED_FOR_SILENCE = 4004


class _Request(msgspec.Struct):
    """What a client sends."""

    op: str
    args: list[dict[str, Any]] = []
    id: str | None = None
    expTime: str | None = None  # as OKX spells it


_DECODER = msgspec.json.Decoder(_Request)


class _TimedSession(Session):
    """Knows when something was last pushed to it."""

    def __init__(self, number: int, websocket: WebSocket, outgoing_messages_max: int) -> None:
        super().__init__(number, websocket, outgoing_messages_max)
        self.pushed_at = trio.current_time()

    def push(self, message: str | bytes) -> None:
        self.pushed_at = trio.current_time()
        super().push(message)


class WebsocketSide:
    """Accepts clients of all paths and answers their messages."""

    def __init__(
        self,
        venue: OkxVenue,
        auth: Authenticator,
        faults: Faults,
        public: PublicChannels,
        private: PrivateChannels,
        operations: Operations,
    ) -> None:
        self._venue = venue
        self._auth = auth
        self._faults = faults
        self._public = public
        self._private = private
        self._operations = operations
        self._session_count = 0

    async def serve(self, websocket: WebSocket) -> None:
        """Talk to one client until it leaves or is cut off."""
        await websocket.receive()  # websocket.connect
        if self._faults.is_in_maintenance() or self._faults.is_banned():
            await websocket.close()
            return
        await websocket.send({"type": "websocket.accept"})
        self._session_count += 1
        session = _TimedSession(self._session_count, websocket, self._venue.settings.outgoing_messages_max)
        self._private.add(session)
        path = websocket.url.path.rsplit("/", 1)[-1]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.write)
                nursery.start_soon(self._operations.serve, session)
                nursery.start_soon(_close_when_silent, session, websocket)
                await self._read(session, websocket, path)
                nursery.cancel_scope.cancel()
        finally:
            self._private.discard(session)
            self._public.unsubscribe(session)
            self._operations.discard(session)
            session.close()

    async def _read(self, session: Session, websocket: WebSocket, path: str) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = (message.get("text") or "").encode() or message.get("bytes") or b""
            if text == b"ping":
                session.push("pong")
            else:
                await self._answer(session, text, path)

    async def _answer(self, session: Session, text: bytes, path: str) -> None:
        try:
            request = _DECODER.decode(text)
        except msgspec.MsgspecError:
            session.push(messages.error("60012", f"Invalid request: {text[:200].decode(errors='replace')}", None, session.client_id))
            return
        try:
            if request.op == "login":
                self._login(session, request)
            elif request.op in ("subscribe", "unsubscribe"):
                self._subscriptions(session, request, path)
            elif request.op in OPERATIONS and path == "private":
                await self._operations.submit(session, request.op, request.id, request.args, request.expTime)
            else:
                session.push(messages.error("60012", f"Invalid request: unknown op {request.op}", request.id, session.client_id))
        except OkxError as error:
            session.push(messages.error(error.code, error.message, request.id, session.client_id))

    def _login(self, session: Session, request: _Request) -> None:
        if session.account is not None:
            raise OkxError("60031", "The WebSocket endpoint does not allow multiple or repeated logins")
        session.account = self._auth.login(request.args[0] if request.args else {})
        session.push(messages.logged_in(session.client_id))

    def _subscriptions(self, session: Session, request: _Request, path: str) -> None:
        for arg in request.args:
            is_private = arg.get("channel") in private_channels.CHANNELS
            if is_private and path != "private":
                raise no_such_channel(arg)
            if request.op == "subscribe":
                self._subscribe(session, request, arg, path, is_private=is_private)
                continue
            if is_private:
                self._private.unsubscribe(session, arg)
            else:
                self._public.unsubscribe(session, [self._public.key_of(arg, path)])
            session.push(messages.acknowledgement("unsubscribe", arg, request.id, session.client_id))

    def _subscribe(self, session: Session, request: _Request, arg: dict[str, Any], path: str, *, is_private: bool) -> None:
        if is_private:
            count = self._private.subscribe(session, arg)
            session.push(messages.acknowledgement("subscribe", arg, request.id, session.client_id))
            session.push(messages.connection_count(arg["channel"], count, session.client_id))
            self._private.joined(session, arg)
        else:
            topic = self._public.subscribe(session, self._public.key_of(arg, path))
            session.push(messages.acknowledgement("subscribe", arg, request.id, session.client_id))
            topic.joined(session)


async def _close_when_silent(session: _TimedSession, websocket: WebSocket) -> None:
    """A connection on which nothing is pushed is closed; a client that pings is answered, so that it is not silent."""
    silent_until = session.pushed_at + _SILENCE_SECONDS_MAX
    while silent_until > trio.current_time():
        await trio.sleep_until(silent_until)
        silent_until = session.pushed_at + _SILENCE_SECONDS_MAX
    session.close()  # what is pushed from now on, a late pong say, has no connection any more
    await websocket.close(_CLOSED_FOR_SILENCE, "No data received in 30s.")
