"""The REST side: routes, signatures, limits, faults. What an endpoint does is decided without waiting."""

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
from simulated.mexc_spot.auth import Authenticator
from simulated.mexc_spot.errors import MexcError
from simulated.mexc_spot.rate_limits import ENDPOINT
from simulated.mexc_spot.rest_call import Endpoint, RestCall
from simulated.mexc_spot.venue import MexcVenue
from simulated.rate_limits import RateLimits
from simulated.settings import AccountSettings
from simulated.venue import is_loopback

PREFIX = "/api/v3"
_ENCODER = msgspec.json.Encoder()


class RestSide:
    """Turns endpoints into routes."""

    def __init__(self, venue: MexcVenue, auth: Authenticator, limits: RateLimits, faults: Faults) -> None:
        self._venue = venue
        self._auth = auth
        self._limits = limits
        self._faults = faults

    def routes(self, endpoints: list[Endpoint]) -> list[Route]:
        """Routes of the exchange, and `GET /sim/state` for outside tests on the same machine."""
        routes = [Route(PREFIX + endpoint.path, self._serve(endpoint), methods=[endpoint.method]) for endpoint in endpoints]
        # Client libraries that know MEXC's contracts, too, load those with the pairs: here there are none.
        contracts = Route("/api/v1/contract/detail", self._contracts, methods=["GET"])
        return [*routes, contracts, Route("/sim/state", self._state, methods=["GET"])]

    async def not_found(self, request: Request, exc: Exception) -> Response:
        """A path or method that the exchange does not have."""
        await trio.lowlevel.checkpoint()
        status = getattr(exc, "status_code", 404)
        return _answer({"code": status, "msg": f"{request.method} {request.url.path} is not served"}, status)

    async def _contracts(self, request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        return _answer({"success": True, "code": 0, "data": []})

    async def _state(self, request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        if request.client is not None and not is_loopback(request.client.host):
            return _answer({"code": 404, "msg": "only served to this machine"}, 404)
        return _answer(self._venue.state(history_of=request.query_params.get("history_of")))

    def _serve(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            return await answer_request(
                request,
                operation=endpoint.operation,
                faults=self._faults,
                delay_seconds=self._venue.settings.answer_delay_seconds,
                carry_out=lambda body: self._carry_out(endpoint, request, body),
                failure=lambda status: _refusal(MexcError(500, "Internal error", status=status)),
                maintenance=lambda: _refusal(MexcError(503, "Service not available, please try again")),
            )

        return serve

    def _carry_out(self, endpoint: Endpoint, request: Request, body: bytes) -> Response:
        try:
            return _answer(endpoint.handler(self._admit(endpoint, request, body)))
        except MexcError as error:
            return _refusal(error)

    def _admit(self, endpoint: Endpoint, request: Request, body: bytes) -> RestCall:
        query, form = request.url.query, body.decode("latin-1")
        if endpoint.method != "GET" and request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise MexcError(700013, "Invalid content Type.")
        fields = dict(parse_qsl(f"{query}&{form}" if form else query, keep_blank_values=True))
        account = None
        if endpoint.is_private:
            account = self._auth.rest(query, form, fields, request.headers)
            if account.permissions == "read" and endpoint.method != "GET" and not endpoint.path.startswith("/userDataStream"):
                raise MexcError(700007, "No permission to access the endpoint.")
        self._limit(endpoint, request, account)
        return RestCall(fields=fields, account=account)

    def _limit(self, endpoint: Endpoint, request: Request, account: AccountSettings | None) -> None:
        user = account.name if account is not None else request.client.host if request.client is not None else ""
        now = self._venue.now()
        used = [self._limits.spend(ENDPOINT, f"{endpoint.method} {endpoint.path} {user}", now, endpoint.weight)]
        if endpoint.group is not ENDPOINT:
            used.append(self._limits.spend(endpoint.group, user, now))
        if self._faults.is_rate_limited() or any(allowance.is_exceeded for allowance in used):
            raise MexcError(429, "Too Many Requests")


def _refusal(error: MexcError) -> Response:
    response = _answer(error.body(), error.status)
    if error.status == 429:
        response.headers["Retry-After"] = "1"
    return response


def _answer(body: Any, status: int = 200) -> Response:
    return Response(_ENCODER.encode(body), status_code=status, media_type="application/json")
