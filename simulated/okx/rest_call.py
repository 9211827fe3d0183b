"""A REST request as the handlers see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from simulated.faults import Operation
from simulated.okx.errors import OkxError
from simulated.rate_limits import LimitGroup
from simulated.settings import AccountSettings


class RestCall(msgspec.Struct, kw_only=True):
    """Query and body of a request, and who signed it."""

    query: dict[str, str]
    body: Any
    account: AccountSettings | None

    @property
    def signed_in(self) -> AccountSettings:
        if self.account is None:
            raise OkxError("50103", "Request header OK-ACCESS-KEY cannot be empty.")
        return self.account

    def fields(self) -> dict[str, Any]:
        """The body's object. Raises: OkxError: it is none."""
        if not isinstance(self.body, dict):
            raise OkxError("50002", "JSON syntax error")
        return self.body  # type: ignore[return-value]

    def orders(self) -> list[dict[str, Any]]:
        """The orders that a command is about, one or a batch. Raises: OkxError: the body is neither."""
        if isinstance(self.body, list) and all(isinstance(item, dict) for item in self.body):  # type: ignore[misc]
            return self.body  # type: ignore[return-value]
        return [self.fields()]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one path: who may call it, what limits it, and what it does. Handlers never wait and give the data alone.

    The handler of an order command gives the whole answer instead, because its code tells what became of the orders.
    """

    method: str
    path: str
    handler: Callable[[RestCall], Any]
    operation: Operation
    group: LimitGroup
    is_private: bool = False
    is_command: bool = False
