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
    """Messages wait in a bounded queue; a client that does not read them is disconnected when it overflows."""

    def __init__(self, number: int, websocket: WebSocket, outgoing_messages_max: int) -> None:
        self.number = number
        self.account: AccountSettings | None = None
        self.private: dict[str, PrivateSubscription] = {}
        self._websocket = websocket
        self._connection: Connection = websocket.scope["state"]["connection"]
        self._send, self._receive = trio.open_memory_channel[str | bytes](outgoing_messages_max)

    def __repr__(self) -> str:
        return f"<session {self.number}>"

    @property
    def client_id(self) -> str:
        return f"simulated-{self.number:08x}"

    def push(self, message: str | bytes) -> None:
        """Queue a text or binary message. On overflow the connection is aborted; the message is lost with it."""
        try:
            self._send.send_nowait(message)
        except trio.WouldBlock:
            self._connection.abort()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the session is ending

    async def write(self) -> None:
        """Send what is queued, until cancelled."""
        async for message in self._receive:
            kind = "text" if isinstance(message, str) else "bytes"
            await self._websocket.send({"type": "websocket.send", kind: message})

    def abort(self) -> None:
        """End the connection at once, without a close frame."""
        self._connection.abort()

    def close(self) -> None:
        """Nothing more will be sent."""
        self._send.close()
        self._receive.close()
