"""The websocket side: sessions, subscriptions, pings and the order API."""

from __future__ import annotations

from typing import Any

import msgspec
import trio
from starlette.websockets import WebSocket

from simulated.faults import Faults
from simulated.gateio import messages
from simulated.gateio.auth import Authenticator
from simulated.gateio.errors import UNKNOWN_NAME_LABELS, GateError
from simulated.gateio.messages import BAD_FORMAT, INVALID_ARGUMENT, NOT_AUTHORISED
from simulated.gateio.private_channels import PrivateChannels
from simulated.gateio.product import Product
from simulated.gateio.public_channels import PublicChannels
from simulated.gateio.session import GateSession
from simulated.gateio.websocket_api import WebsocketApi
from simulated.session import PrivateSubscription
from simulated.venue import Venue


class _Request(msgspec.Struct):
    """What a client sends. `payload` stays raw: a login signs the very text of a part of it."""

    channel: str
    event: str = ""
    time: int | str | None = None
    id: int | str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")
    auth: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Request)


class WebsocketSide:
    """Accepts clients and answers their messages."""

    def __init__(
        self,
        product: Product,
        venue: Venue,
        auth: Authenticator,
        faults: Faults,
        public: PublicChannels,
        private: PrivateChannels,
        api: WebsocketApi,
    ) -> None:
        self._product = product
        self._venue = venue
        self._auth = auth
        self._faults = faults
        self._public = public
        self._private = private
        self._api = api
        self._session_count = 0

    async def serve(self, websocket: WebSocket) -> None:
        """Talk to one client until it leaves or is cut off."""
        await websocket.receive()  # websocket.connect
        if self._faults.is_in_maintenance() or self._faults.is_banned():
            await websocket.close()
            return
        await websocket.send({"type": "websocket.accept"})
        self._session_count += 1
        session = GateSession(self._session_count, websocket, self._venue.settings.outgoing_messages_max)
        self._private.add(session)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.write)
                nursery.start_soon(self._api.serve, session)
                await self._read(session, websocket)
                nursery.cancel_scope.cancel()
        finally:
            self._private.discard(session)
            self._public.unsubscribe(session)
            self._api.discard(session)
            session.close()

    async def _read(self, session: GateSession, websocket: WebSocket) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._answer(session, (message.get("text") or "").encode() or message.get("bytes") or b"")

    async def _answer(self, session: GateSession, text: bytes) -> None:
        try:
            request = _DECODER.decode(text)
        except msgspec.MsgspecError:
            self._reject(session, {}, BAD_FORMAT, "bad request format")
            return
        if request.event == "api":
            await self._api.submit(session, request.channel, request.payload)
            return
        echo = _echo(request)
        try:
            self._control(session, request, echo)
        except GateError as error:
            code = INVALID_ARGUMENT if error.label in UNKNOWN_NAME_LABELS else NOT_AUTHORISED
            self._reject(session, echo, code, error.message)

    def _control(self, session: GateSession, request: _Request, echo: dict[str, Any]) -> None:
        now = self._venue.now()
        if request.channel == f"{self._product.name}.ping":
            channel = f"{self._product.name}.pong"
            pong = {"time": now // 1000, "time_ms": now, "channel": channel, "event": "", "error": None, "result": None}
            session.push(messages.text_of_frame({**pong, "id": request.id} if request.id is not None else pong))
        elif request.event not in ("subscribe", "unsubscribe"):
            self._reject(session, echo, BAD_FORMAT, f"unknown event {request.event}")
        elif request.channel in self._private.channels:
            self._private_subscription(session, request, echo)
        elif request.channel in self._public.channels:
            self._public_subscription(session, request, echo)
        else:
            self._reject(session, echo, INVALID_ARGUMENT, f"unknown channel {request.channel}")

    def _public_subscription(self, session: GateSession, request: _Request, echo: dict[str, Any]) -> None:
        keys = self._public.keys_of(session, request.channel, _payload(echo))
        if request.event == "unsubscribe":
            self._public.unsubscribe(session, keys)
            self._acknowledge(session, echo)
            return
        topics = self._public.subscribe(session, keys)
        if not self._venue.settings.obu_full_before_acknowledgement:
            self._acknowledge(session, echo)
        for topic in topics:
            topic.joined(session)
        if self._venue.settings.obu_full_before_acknowledgement:
            self._acknowledge(session, echo)

    def _private_subscription(self, session: GateSession, request: _Request, echo: dict[str, Any]) -> None:
        account = self._auth.subscription(request.channel, request.event, request.time, request.auth)
        symbols = self._private.symbols_of(request.channel, _payload(echo), account)
        known = session.private.get(request.channel)
        if request.event == "unsubscribe":
            if known is not None and known.symbols is not None and symbols is not None:
                known.symbols -= symbols
            else:
                session.private.pop(request.channel, None)
        elif known is not None and known.account.name == account.name and known.symbols is not None and symbols is not None:
            known.symbols |= symbols
        else:
            session.private[request.channel] = PrivateSubscription(account, symbols)
        self._acknowledge(session, echo)

    def _acknowledge(self, session: GateSession, echo: dict[str, Any]) -> None:
        session.push(messages.acknowledgement(echo, session.client_id, self._venue.now()))

    def _reject(self, session: GateSession, echo: dict[str, Any], code: int, message: str) -> None:
        session.push(messages.rejection(echo, code, message, session.client_id, self._venue.now()))


def _echo(request: _Request) -> dict[str, Any]:
    """The parts of a request that its answer repeats."""
    echo: dict[str, Any] = {"channel": request.channel, "event": request.event, "payload": msgspec.json.decode(request.payload)}
    if request.id is not None:
        echo["id"] = request.id
    return echo


def _payload(echo: dict[str, Any]) -> list[str]:
    payload = echo["payload"]
    if payload is None:
        return []
    if not isinstance(payload, list) or not all(isinstance(item, str) for item in payload):  # type: ignore[misc]
        raise GateError("INVALID_PARAM_VALUE", "payload must be an array of texts")
    return payload  # type: ignore[return-value]
