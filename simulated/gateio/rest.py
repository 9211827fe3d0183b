"""The REST side: routes, limits, signatures, faults. What an endpoint does is decided without waiting."""

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
from simulated.faults import AnswerFault, Faults, Operation
from simulated.gateio.auth import Authenticator
from simulated.gateio.errors import GateError
from simulated.gateio.product import Product
from simulated.gateio.rate_limits import CountedPer, headers_of
from simulated.gateio.rest_call import Endpoint, RestCall
from simulated.rate_limits import RateLimits
from simulated.settings import AccountSettings
from simulated.venue import Venue, is_loopback

PREFIX = "/api/v4"
_ENCODER = msgspec.json.Encoder()


class RestSide:
    """Turns endpoints into routes."""

    def __init__(self, product: Product, venue: Venue, auth: Authenticator, limits: RateLimits, faults: Faults) -> None:
        self._product = product
        self._venue = venue
        self._auth = auth
        self._limits = limits
        self._faults = faults
        self._request_count = 0

    def routes(self, endpoints: list[Endpoint]) -> list[Route]:
        """Routes of the exchange, and `GET /sim/state` for outside tests on the same machine."""
        routes = [Route(PREFIX + endpoint.path, self._serve(endpoint), methods=[endpoint.method]) for endpoint in endpoints]
        return [*routes, Route("/sim/state", self._state, methods=["GET"])]

    async def not_found(self, request: Request, exc: Exception) -> Response:
        """A path or method that the exchange does not have."""
        await trio.lowlevel.checkpoint()
        status = getattr(exc, "status_code", 404)
        label = "METHOD_NOT_ALLOWED" if status == 405 else "NOT_FOUND"
        return _answer(GateError(label, f"{request.method} {request.url.path} is not served").body(), status, {})

    async def _state(self, request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        if request.client is not None and not is_loopback(request.client.host):
            return _answer(GateError("NOT_FOUND", "only served to this machine").body(), 404, {})
        return _answer(self._venue.state(history_of=request.query_params.get("history_of")), 200, {})

    def _serve(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            headers = self._trace_headers(self._venue.now())
            response = await answer_request(
                request,
                operation=endpoint.operation,
                faults=self._faults,
                delay_seconds=self._venue.settings.answer_delay_seconds,
                carry_out=lambda body: self._carry_out(endpoint, request, body, headers),
                failure=lambda status: _refusal(GateError("SERVER_ERROR", "Server error", status=status)),
                maintenance=lambda: _refusal(GateError("TOO_BUSY", "The system is under maintenance")),
            )
            response.headers.update(headers | {"X-Out-Time": str(self._venue.now() * 1000)})
            return response

        return serve

    def _carry_out(self, endpoint: Endpoint, request: Request, body: bytes, headers: dict[str, str]) -> Response:
        try:
            call = self._admit(endpoint, request, body, headers)
            answer = endpoint.handler(call)
        except GateError as error:
            return _refusal(error)
        return _answer(answer, endpoint.status, call.headers_out)

    def _admit(self, endpoint: Endpoint, request: Request, body: bytes, headers: dict[str, str]) -> RestCall:
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        account = None
        if endpoint.is_private:
            account = self._auth.rest(endpoint.method, request.url.path, request.url.query, request.headers, body)
            if account.permissions == "read" and endpoint.method != "GET":
                raise GateError("READ_ONLY", "API key is read only")
        call = RestCall(query=query, headers=request.headers, body=_decode(body), path=dict(request.path_params), account=account)
        self._limit(endpoint, request, call, account, headers)
        if endpoint.operation in (Operation.PLACE, Operation.CANCEL, Operation.AMEND):
            check_expiry(request.headers.get("x-gate-exptime"), self._venue.now())
        return call

    def _limit(
        self, endpoint: Endpoint, request: Request, call: RestCall, account: AccountSettings | None, headers: dict[str, str]
    ) -> None:
        key = endpoint.group.key(
            endpoint=f"{endpoint.method} {endpoint.path}",
            address=request.client.host if request.client is not None else "",
            user="" if account is None else account.name,
            market=_pair_of(call) if endpoint.group.counted_per is CountedPer.USER_AND_MARKET else "",
        )
        allowance = self._limits.spend(endpoint.group, key, self._venue.now())
        headers |= headers_of(allowance)
        if allowance.is_exceeded or self._faults.is_rate_limited():
            raise too_many_requests(self._product)

    def _trace_headers(self, received_at: int) -> dict[str, str]:
        self._request_count += 1
        return {"X-In-Time": str(received_at * 1000), "X-Gate-Trace-ID": f"{self._request_count:032x}"}


def too_many_requests(product: Product) -> GateError:
    return GateError("TOO_MANY_REQUESTS", f"Request Rate limit Exceeded ({product.rate_limit_code})")


def refuse_on_bad_day(faults: Faults, fault: tuple[AnswerFault, int] | None) -> None:
    """Raises: GateError: maintenance, or a planned failure before anything is done."""
    if faults.is_in_maintenance():
        raise GateError("TOO_BUSY", "The system is under maintenance")
    if fault is not None and fault[0] is AnswerFault.FAILED_BEFORE:
        raise GateError("SERVER_ERROR", "Server error", status=fault[1])


def check_expiry(expires_at: str | None, now_milliseconds: int) -> None:
    """Raises: GateError: the client said that the request is worthless by now."""
    if expires_at is not None and expires_at.isdigit() and int(expires_at) < now_milliseconds:
        raise GateError("REQUEST_EXPIRED", "request received after x-gate-exptime", status=400)


def _pair_of(call: RestCall) -> str:
    body = call.body
    if isinstance(body, list) and body and isinstance(body[0], dict):
        first: dict[str, Any] = body[0]  # type: ignore[assignment]
        return str(first.get("currency_pair", ""))
    return str(call.fields().get("currency_pair", "")) if not isinstance(body, list) else ""


def _decode(body: bytes) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise GateError("INVALID_REQUEST_BODY", "the body is not JSON") from error


def _refusal(error: GateError) -> Response:
    return _answer(error.body(), error.status, {})


def _answer(body: Any, status: int, headers: dict[str, str]) -> Response:
    return Response(_ENCODER.encode(body), status_code=status, headers=headers, media_type="application/json")
