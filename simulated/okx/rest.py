"""The REST side: routes, limits, signatures, expiry. What an endpoint does is decided without waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulated.answering import answer_request
from simulated.faults import Faults
from simulated.okx.auth import Authenticator
from simulated.okx.errors import OkxError
from simulated.okx.rate_limits import BATCH_OF, ORDER_COMMANDS
from simulated.okx.rest_call import Endpoint, RestCall
from simulated.okx.venue import OkxVenue
from simulated.rate_limits import RateLimits
from simulated.settings import AccountSettings
from simulated.venue import is_loopback

PREFIX = "/api/v5"
_ENCODER = msgspec.json.Encoder()


class RestSide:
    """Turns endpoints into routes."""

    def __init__(self, venue: OkxVenue, auth: Authenticator, limits: RateLimits, faults: Faults) -> None:
        self._venue = venue
        self._auth = auth
        self._limits = limits
        self._faults = faults

    def routes(self, endpoints: list[Endpoint]) -> list[Route]:
        """Routes of the exchange, and `GET /sim/state` for outside tests on the same machine."""
        routes = [Route(PREFIX + endpoint.path, self._serve(endpoint), methods=[endpoint.method]) for endpoint in endpoints]
        return [*routes, Route("/sim/state", self._state, methods=["GET"])]

    async def not_found(self, request: Request, exc: Exception) -> Response:
        """A path or method that the exchange does not have."""
        await trio.lowlevel.checkpoint()
        status = getattr(exc, "status_code", 404)
        code = "50115" if status == 405 else "404"
        return _refusal(OkxError(code, f"{request.method} {request.url.path} is not served", status=status))

    async def _state(self, request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        if request.client is not None and not is_loopback(request.client.host):
            return _refusal(OkxError("404", "only served to this machine", status=404))
        return _answer(self._venue.state(history_of=request.query_params.get("history_of")), 200)

    def _serve(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            return await answer_request(
                request,
                operation=endpoint.operation,
                faults=self._faults,
                delay_seconds=self._venue.settings.answer_delay_seconds,
                carry_out=lambda body: self._carry_out(endpoint, request, body),
                failure=lambda status: _refusal(OkxError("50026", "System error. Try again later", status=status)),
                maintenance=lambda: _refusal(OkxError("50001", "Service temporarily unavailable. Try again later")),
            )

        return serve

    def _carry_out(self, endpoint: Endpoint, request: Request, body: bytes) -> Response:
        received = self._venue.now() * 1000
        try:
            answer = endpoint.handler(self._admit(endpoint, request, body))
        except OkxError as error:
            return _refusal(error)
        if endpoint.is_command:
            return _answer({**answer, "inTime": str(received), "outTime": str(self._venue.now() * 1000)}, 200)
        return _answer({"code": "0", "msg": "", "data": answer}, 200)

    def _admit(self, endpoint: Endpoint, request: Request, body: bytes) -> RestCall:
        account = None
        if endpoint.is_private:
            target = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            account = self._auth.rest(endpoint.method, target, request.headers, body)
            if account.permissions == "read" and endpoint.method != "GET":
                raise OkxError("50120", "This API key doesn't have permission to use this function")
        if body and "application/json" not in request.headers.get("content-type", ""):
            raise OkxError("50006", "Invalid Content-Type, please use 'application/json' format")
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        call = RestCall(query=query, body=_decode(body), account=account)
        self._limit(endpoint, request, call, account)
        if endpoint.group in ORDER_COMMANDS:
            check_expiry(request.headers.get("expTime"), self._venue.now())
        return call

    def _limit(self, endpoint: Endpoint, request: Request, call: RestCall, account: AccountSettings | None) -> None:
        if account is None:
            key = f"{endpoint.path} {request.client.host if request.client is not None else ''}"
            allowed = not self._limits.spend(endpoint.group, key, self._venue.now()).is_exceeded
        elif endpoint.group in ORDER_COMMANDS:
            allowed = spend_commands(self._limits, endpoint, account, call.orders(), self._venue.now())
        else:
            allowed = not self._limits.spend(endpoint.group, f"{endpoint.path} {account.name}", self._venue.now()).is_exceeded
        if not allowed or self._faults.is_rate_limited():
            raise OkxError("50011", "Too Many Requests")


def spend_commands(limits: RateLimits, endpoint: Endpoint, account: AccountSettings, orders: list[dict[str, Any]], now: int) -> bool:
    """Whether an order command is within its limits, and count it."""
    instrument = str(orders[0].get("instId", "")) if orders else ""
    group = endpoint.group if len(orders) == 1 else BATCH_OF.get(endpoint.group, endpoint.group)
    return not limits.spend(group, f"{account.name} {instrument}", now, max(1, len(orders))).is_exceeded


def check_expiry(expires_at: str | None, now_milliseconds: int) -> None:
    """Raises: OkxError: the client said that the request is worthless by now."""
    if not expires_at:
        return
    if not (expires_at.isascii() and expires_at.isdigit() and len(expires_at) <= 16):
        raise OkxError("50037", "The expTime can't be parsed.")
    if int(expires_at) < now_milliseconds:
        raise OkxError("50036", "The expTime can't be earlier than the current system time. Please adjust the expTime and try again.")


def _decode(body: bytes) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise OkxError("50002", "JSON syntax error", status=400) from error


def _refusal(error: OkxError) -> Response:
    return _answer(error.body(), error.status)


def _answer(body: Any, status: int) -> Response:
    return Response(_ENCODER.encode(body), status_code=status, media_type="application/json")
