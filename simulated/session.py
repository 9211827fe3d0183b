"""One websocket client: its outgoing queue and what it has subscribed to."""

from __future__ import annotations

import msgspec
import trio
from starlette.websockets import WebSocket

from market.symbol import Symbol
from simulated.serving import Connection
from simulated.settings import AccountSettings


class PrivateSubscription(msgspec.Struct):
    """A private channel of an account; `symbols` is None for all pairs."""

    account: AccountSettings
    symbols: set[Symbol] | None


class Session:
    """Messages wait in a bounded queue until they have left; a client that does not read them is disconnected when it overflows."""

    def __init__(self, number: int, websocket: WebSocket, outgoing_messages_max: int) -> None:
        self.number = number
        self.account: AccountSettings | None = None
        self.private: dict[str, PrivateSubscription] = {}
        self._websocket = websocket
        self._connection: Connection = websocket.scope["state"]["connection"]
        self._outgoing: list[str | bytes] = []
        self._outgoing_messages_max = outgoing_messages_max
        self._writer = trio.lowlevel.ParkingLot()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<session {self.number}>"

    @property
    def client_id(self) -> str:
        return f"simulated-{self.number:08x}"

    def push(self, message: str | bytes) -> None:
        """Queue a text or binary message. On overflow the connection is aborted; the message is lost with it."""
        if self._is_closed:
            return  # the session is ending
        if len(self._outgoing) >= self._outgoing_messages_max:
            self._connection.abort()
            return
        self._outgoing.append(message)
        if self._writer:
            self._writer.unpark()

    async def write(self) -> None:
        """Send what is queued, until cancelled. What was queued in one moment leaves in one piece, as from a busy exchange."""
        while True:
            if not self._outgoing:
                await self._writer.park()
            leaving = self._outgoing.copy()
            await self._websocket.send({"type": "websocket.send", "messages": leaving})
            del self._outgoing[: len(leaving)]

    def abort(self) -> None:
        """End the connection at once, without a close frame."""
        self._connection.abort()

    def close(self) -> None:
        """Nothing more will be sent."""
        self._is_closed = True
