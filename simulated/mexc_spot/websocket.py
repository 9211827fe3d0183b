"""The websocket side: sessions and their subscriptions, pings, and the reasons for which MEXC ends a connection.

It never says goodbye: a connection that has lasted a day, says nothing, subscribes to nothing or floods is simply gone, and
so is one whose listen key has ended.
"""

from __future__ import annotations

import msgspec
import trio
from starlette.websockets import WebSocket

from simulated.faults import Faults
from simulated.mexc_spot.listen_keys import ListenKeys
from simulated.mexc_spot.private_channels import CHANNELS, PrivateChannels
from simulated.mexc_spot.public_channels import PublicChannels
from simulated.mexc_spot.rate_limits import WEBSOCKET
from simulated.mexc_spot.venue import MexcVenue
from simulated.rate_limits import RateLimits
from simulated.session import PrivateSubscription, Session
from simulated.topics import Topic

LIFETIME_SECONDS = 24 * 3600.0
WITHOUT_SUBSCRIPTION_SECONDS_MAX = 30.0
SILENCE_SECONDS_MAX = 60.0
SUBSCRIPTIONS_MAX = 30
CONNECTIONS_PER_KEY_MAX = 5


class _Request(msgspec.Struct):
    method: str
    params: list[str] = []
    id: int = 0


_DECODER = msgspec.json.Decoder(_Request)


class _Client(Session):
    """A session that knows when something last went over it, either way."""

    def __init__(self, number: int, websocket: WebSocket, outgoing_messages_max: int, key: str) -> None:
        super().__init__(number, websocket, outgoing_messages_max)
        self.key = key
        self.topics: dict[str, None] = {}
        self.opened_at = self.active_at = self.subscribed_at = trio.current_time()

    def push(self, message: str | bytes) -> None:
        self.active_at = trio.current_time()
        super().push(message)

    @property
    def subscriptions(self) -> int:
        return len(self.topics) + len(self.private)


class WebsocketSide:
    """Accepts clients and answers their messages."""

    def __init__(
        self, venue: MexcVenue, faults: Faults, limits: RateLimits, public: PublicChannels, private: PrivateChannels, keys: ListenKeys
    ) -> None:
        self._venue = venue
        self._faults = faults
        self._limits = limits
        self._public = public
        self._private = private
        self._keys = keys
        self._clients: dict[_Client, None] = {}
        self._session_count = 0
        keys.on_end = self._cut_off

    async def serve(self, websocket: WebSocket) -> None:
        """Talk to one client until it leaves or is cut off."""
        await websocket.receive()  # websocket.connect
        if self._faults.is_in_maintenance() or self._faults.is_banned():
            await websocket.close()
            return
        await websocket.send({"type": "websocket.accept"})
        key = websocket.query_params.get("listenKey", "")
        account = self._keys.account_of(key)
        sharing = sum(client.key == key for client in self._clients)
        if key and (account is None or sharing >= CONNECTIONS_PER_KEY_MAX):
            await websocket.send({"type": "websocket.send", "text": "Invalid listen key"})
            await websocket.close()
            return
        self._session_count += 1
        client = _Client(self._session_count, websocket, self._venue.settings.outgoing_messages_max, key)
        client.account = account
        self._clients[client] = None
        self._private.add(client)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.write)
                nursery.start_soon(self._end_in_time, client)
                await self._read(client, websocket)
                nursery.cancel_scope.cancel()
        finally:
            del self._clients[client]
            self._private.discard(client)
            self._public.unsubscribe(client)
            client.close()

    async def _read(self, client: _Client, websocket: WebSocket) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            client.active_at = trio.current_time()
            if self._limits.spend(WEBSOCKET, str(client.number), self._venue.now()).is_exceeded:
                client.abort()
            self._answer(client, message.get("text") or "")

    async def _end_in_time(self, client: _Client) -> None:
        while True:
            ends_at = min(
                client.opened_at + LIFETIME_SECONDS,
                client.active_at + SILENCE_SECONDS_MAX,
                float("inf") if client.subscriptions else client.subscribed_at + WITHOUT_SUBSCRIPTION_SECONDS_MAX,
                (self._keys.valid_until(client.key) or 0.0) if client.key else float("inf"),
            )
            if ends_at <= trio.current_time():
                client.abort()
                return
            # What is looked at may change meanwhile, mostly for the better; the last subscription may also be given up.
            await trio.sleep_until(min(ends_at, trio.current_time() + WITHOUT_SUBSCRIPTION_SECONDS_MAX))

    def _cut_off(self, key: str) -> None:
        for client in self._clients:
            if client.key == key:
                client.abort()

    def _answer(self, client: _Client, text: str) -> None:
        try:
            request = _DECODER.decode(text)
        except msgspec.MsgspecError:
            self._say(client, 0, "msg format invalid")
            return
        match request.method.upper():
            case "PING":
                self._say(client, 0, "PONG")
            case "SUBSCRIPTION":
                self._subscribe(client, request)
            case "UNSUBSCRIPTION":
                for topic in request.params:
                    client.topics.pop(topic, None)
                    client.private.pop(topic, None)
                    self._public.unsubscribe(client, topic)
                if not client.subscriptions:
                    client.subscribed_at = trio.current_time()
                self._say(client, request.id, ",".join(request.params))
            case _:
                self._say(client, 0, "msg format invalid")

    def _subscribe(self, client: _Client, request: _Request) -> None:
        accepted: list[str] = []
        joined: list[Topic] = []
        for topic in request.params:
            is_new = topic not in client.topics and topic not in client.private
            if is_new and client.subscriptions >= SUBSCRIPTIONS_MAX:
                self._refuse(client, topic, "Exceeded the maximum number of subscriptions!")
            elif topic in CHANNELS and client.account is not None:
                client.private[topic] = PrivateSubscription(client.account, None)
                accepted.append(topic)
            elif self._public.has(topic):
                client.topics[topic] = None
                joined.append(self._public.subscribe(client, topic))
                accepted.append(topic)
            else:
                self._refuse(client, topic, "Blocked!")
        if accepted:
            self._say(client, request.id, ",".join(accepted))
        for topic in joined:
            topic.joined(client)

    def _refuse(self, client: _Client, topic: str, reason: str) -> None:
        """Its code is 0 as for a success, its id 0 whatever the request's, its colon full-width: so it was seen."""
        self._say(client, 0, f"Not Subscribed successfully! [{topic}].  Reason： {reason}")

    @staticmethod
    def _say(client: _Client, request_id: int, text: str) -> None:
        client.push(msgspec.json.encode({"id": request_id, "code": 0, "msg": text}).decode())
