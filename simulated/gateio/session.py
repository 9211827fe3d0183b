"""A websocket client of Gate.io's."""

from __future__ import annotations

from simulated.gateio.errors import GateError
from simulated.session import Session
from simulated.settings import AccountSettings

SIZE_HEADER = "x-gate-size-decimal"
"""Whoever sends it with 1 gets contract sizes as decimal text, everybody else as whole numbers (futures documentation, 2025-12-09)."""


class GateSession(Session):
    """A session that knows what was asked for in its handshake, and who has logged in."""

    @property
    def wants_decimal_sizes(self) -> bool:
        return self._websocket.headers.get(SIZE_HEADER) == "1"

    @property
    def signed_in(self) -> AccountSettings:
        """Raises: GateError: nobody has logged in."""
        if self.account is None:
            raise GateError("INVALID_KEY", "not logged in: login comes first")
        return self.account
