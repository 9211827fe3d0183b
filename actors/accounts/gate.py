"""The one-way gate of an account: once closed, no new order can leave. It is the first thing that a stop does."""

from __future__ import annotations

import trio


class GateClosed(Exception):
    """A placement was refused because the gate is closed; nothing was sent."""


class OrderGate:
    """Open until closed, and never open again. It outlives the account actor's incarnations.

    It is asked synchronously, last of all checks, in the moment in which a placement is signed: between that answer and
    the send there is no point at which another task could close it.
    """

    def __init__(self) -> None:
        self._closed_reason: str | None = None
        self._closed = trio.Event()

    @property
    def closed_reason(self) -> str | None:
        """Why it was closed; None while it is open."""
        return self._closed_reason

    def close(self, reason: str) -> None:
        """Close for good. The first reason stands."""
        if self._closed_reason is None:
            self._closed_reason = reason
            self._closed.set()

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        await self._closed.wait()

    def ensure_open(self) -> None:
        """
        Raises:
            GateClosed: with the reason it was closed for.
        """
        if self._closed_reason is not None:
            raise GateClosed(self._closed_reason)
