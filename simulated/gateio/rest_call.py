"""A REST request as the handlers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from simulated.faults import Operation
from simulated.gateio.errors import GateError
from simulated.gateio.rate_limits import PRIVATE, PUBLIC, GateLimitGroup
from simulated.numbers import whole_number_of
from simulated.settings import AccountSettings
from simulated.venue import text_of


class RestCall(msgspec.Struct, kw_only=True):
    """Query, headers, body and path of a request; `headers_out` are added to the answer."""

    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    path: dict[str, str]
    account: AccountSettings | None
    headers_out: dict[str, str] = {}

    @property
    def signed_in(self) -> AccountSettings:
        if self.account is None:
            raise GateError("MISSING_REQUIRED_HEADER", "Missing required header KEY")
        return self.account

    def fields(self) -> dict[str, Any]:
        """The body's object over the query's parameters.

        Raises:
            GateError: the body is no object.
        """
        if self.body is None:
            return dict(self.query)
        if not isinstance(self.body, dict):
            raise GateError("INVALID_REQUEST_BODY", "the body must be an object")
        body: dict[str, Any] = self.body  # type: ignore[assignment]
        return {**self.query, **body}

    def batch(self) -> list[dict[str, Any]]:
        """The body's list of objects. Raises: GateError: it is none."""
        if not isinstance(self.body, list) or not all(isinstance(item, dict) for item in self.body):  # type: ignore[misc]
            raise GateError("INVALID_REQUEST_BODY", "the body must be an array of objects")
        return self.body  # type: ignore[return-value]

    def texts(self) -> list[str]:
        """The body's list of texts; numbers are accepted for text. Raises: GateError: it is none."""
        if not isinstance(self.body, list) or not all(isinstance(item, str | int) for item in self.body):  # type: ignore[misc]
            raise GateError("INVALID_REQUEST_BODY", "the body must be an array of texts")
        return [str(item) for item in self.body]  # type: ignore[misc]

    def page(self) -> int:
        return self.whole_number("page", 1, 1, 100_000)

    def limit(self, default: int, limit_max: int) -> int:
        return self.whole_number("limit", default, 1, limit_max)

    def whole_number(self, name: str, default: int, number_min: int, number_max: int) -> int:
        """Raises: GateError: not a whole number, or out of bounds."""
        text = text_of(self.query, name)
        if text is None:
            return default
        number = whole_number_of(text)
        if number is None or not number_min <= number <= number_max:
            raise GateError("INVALID_PARAM_VALUE", f"Invalid {name} {text}: {number_min} to {number_max} is allowed")
        return number

    def paginate(self, items: list[Any], page: int, limit: int) -> list[Any]:
        """The page's share of `items`; the paging headers go into the answer."""
        return self.window(items, (page - 1) * limit, limit)

    def window(self, items: list[Any], offset: int, limit: int) -> list[Any]:
        """So many of `items` from the `offset`-th on; the paging headers go into the answer."""
        self.headers_out |= {
            "X-Pagination-Limit": str(limit),
            "X-Pagination-Offset": str(offset),
            "X-Pagination-Total": str(len(items)),
        }
        return items[offset : offset + limit]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one path: who may call it, what limits it, and what it does. Handlers never wait."""

    method: str
    path: str
    handler: Callable[[RestCall], Any]
    operation: Operation
    group: GateLimitGroup
    is_private: bool = False
    status: int = 200


def public_endpoint(path: str, handler: Callable[[RestCall], Any]) -> Endpoint:
    return Endpoint(method="GET", path=path, handler=handler, operation=Operation.MARKET_DATA, group=PUBLIC)


def private_endpoint(
    method: str,
    path: str,
    handler: Callable[[RestCall], Any],
    operation: Operation = Operation.QUERY,
    group: GateLimitGroup = PRIVATE,
    status: int = 200,
) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, operation=operation, group=group, is_private=True, status=status)
