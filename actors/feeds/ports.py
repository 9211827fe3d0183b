"""What a feed needs of the outside: a REST client, a way to open websockets, and whoever supervises it. Structural types only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from actors.feeds.codec import Frame
from network.http import HttpRequest, HttpResponse


class PublicRest(Protocol):
    """The exchange's shared REST client (`network.rest.RestClient`), which owns its rate limits and circuit breaker."""

    async def send(
        self, build: Callable[[], HttpRequest], *, group: str, weight: int = 1, timeout_seconds: float, wait_seconds_max: float
    ) -> HttpResponse:
        """Send what `build` makes, once the limits let it leave.

        Raises:
            NetworkError: no answer came.
        """
        ...


class FrameStream(Protocol):
    """An open websocket (`network.websocket.WebSocket`)."""

    async def receive(self) -> str | bytes:
        """The next frame.

        Raises:
            ConnectionLost: there will be none.
        """
        ...

    async def send(self, message: Frame, /) -> None:
        """Send a frame.

        Raises:
            ConnectionLost: the connection is gone.
        """
        ...


StreamOpener = Callable[[], AbstractAsyncContextManager[FrameStream]]
"""Opens a new connection on entering, raising `ConnectionFailed` where it cannot, and closes it on leaving."""


class FeedContext(Protocol):
    """Whoever started the feed."""

    def started(self) -> None:
        """Called once, when every symbol's first book is whole."""
        ...

    def progress(self) -> None:
        """Called again and again while the feed is alive, whatever the exchange does."""
        ...
