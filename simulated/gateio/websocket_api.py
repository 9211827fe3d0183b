"""Orders over the websocket: login once, then commands; a placement is repeated to the client before its result comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import trio

from simulated.answering import UNREADABLE
from simulated.faults import AnswerFault, Faults, Moment, Operation
from simulated.gateio import messages
from simulated.gateio.auth import Authenticator
from simulated.gateio.errors import GateError
from simulated.gateio.product import Product
from simulated.gateio.rate_limits import GateLimitGroup
from simulated.gateio.rest import check_expiry, refuse_on_bad_day, too_many_requests
from simulated.gateio.session import GateSession
from simulated.rate_limits import Allowance, RateLimits
from simulated.venue import Venue, text_of

_WAITING_MAX = 100


class _Payload(msgspec.Struct):
    req_id: str = ""
    req_param: msgspec.Raw = msgspec.Raw(b"null")
    req_header: dict[str, Any] | None = None
    api_key: str = ""
    signature: str = ""
    timestamp: str | int = ""


class _Submitted(msgspec.Struct, frozen=True):
    channel: str
    payload: _Payload


class Command(msgspec.Struct, frozen=True):
    """What a channel does. Handlers never wait; `handler` is given the session, whose account is known, and `req_param`.

    Where `is_acknowledged`, the request is repeated to the client before it is carried out: only placements are (the order
    API's documentation: "Currently exists in the order-place api").
    """

    operation: Operation
    handler: Callable[[GateSession, Any], Any]
    group: GateLimitGroup | None = None
    is_acknowledged: bool = False


class WebsocketApi:
    """Carries out `event: api` requests, one after the other per connection. `commands` are by channel."""

    def __init__(
        self,
        product: Product,
        venue: Venue,
        auth: Authenticator,
        limits: RateLimits,
        faults: Faults,
        commands: Mapping[str, Command],
    ) -> None:
        self._product = product
        self._venue = venue
        self._auth = auth
        self._limits = limits
        self._faults = faults
        self._commands = commands
        self._waiting: dict[GateSession, tuple[trio.MemorySendChannel[_Submitted], trio.MemoryReceiveChannel[_Submitted]]] = {}

    def discard(self, session: GateSession) -> None:
        """Forget what `session` has not been answered yet."""
        self._waiting.pop(session, None)

    async def submit(self, session: GateSession, channel: str, payload: msgspec.Raw) -> None:
        """Take a request; waits while too many of this connection are waiting already."""
        try:
            decoded = msgspec.json.decode(payload, type=_Payload)
        except msgspec.MsgspecError:
            decoded = _Payload()
        await self._channel(session)[0].send(_Submitted(channel, decoded))

    async def serve(self, session: GateSession) -> None:
        """Answer what is submitted, until cancelled."""
        async for submitted in self._channel(session)[1]:
            command = self._commands.get(submitted.channel)
            operation = Operation.QUERY if command is None else command.operation
            await _sleep(self._faults.take_request_delay_seconds(operation))
            fault = self._faults.take_answer(operation, can_be_twice=True)
            self._faults.take_calls(operation, Moment.ARRIVED)
            frames = self._answer(session, submitted, command, fault)
            self._faults.take_calls(operation, Moment.DONE)
            repeat = self._faults.take_repeat(operation)
            if repeat is not None:
                await _sleep(repeat.after_seconds)
                again = self._answer(session, submitted, command, fault)
                frames = [*frames, *again] if repeat.answers_first else [*again, *frames]
            await _sleep(self._faults.take_answer_delay_seconds(operation))
            if fault is not None and fault[0] is AnswerFault.LOST:
                continue
            if fault is not None and fault[0] is AnswerFault.FAILED_AFTER:
                frames = [self._failure(session, submitted, GateError("SERVER_ERROR", "Server error", status=fault[1]))]
            elif fault is not None and fault[0] is AnswerFault.GARBLED:
                frames = [UNREADABLE]
            for frame in frames * 2 if fault is not None and fault[0] is AnswerFault.TWICE else frames:
                session.push(frame)

    def _answer(
        self, session: GateSession, submitted: _Submitted, command: Command | None, fault: tuple[AnswerFault, int] | None
    ) -> list[str]:
        try:
            refuse_on_bad_day(self._faults, fault)
            if submitted.channel == f"{self._product.name}.login":
                return [self._login(session, submitted)]
            return self._carry_out(session, submitted, command)
        except GateError as error:
            return [self._failure(session, submitted, error)]

    def _channel(self, session: GateSession) -> tuple[trio.MemorySendChannel[_Submitted], trio.MemoryReceiveChannel[_Submitted]]:
        channel = self._waiting.get(session)
        if channel is None:
            opened = trio.open_memory_channel[_Submitted](_WAITING_MAX)
            channel = self._waiting[session] = (opened[0], opened[1])
        return channel

    def _login(self, session: GateSession, submitted: _Submitted) -> str:
        payload = submitted.payload
        raw = bytes(payload.req_param).decode()
        signed = ["", raw] if raw in ("null", '""') else [raw, _compact(payload.req_param)]
        account = self._auth.login(submitted.channel, payload.api_key, payload.signature, str(payload.timestamp), signed)
        session.account = account
        return self._frame(session, submitted, 200, {"result": {"api_key": account.api_key, "uid": str(account.user_id)}})

    def _carry_out(self, session: GateSession, submitted: _Submitted, command: Command | None) -> list[str]:
        if command is None:
            raise GateError("INVALID_PARAM_VALUE", f"unknown channel {submitted.channel}")
        account = session.signed_in
        if account.permissions == "read" and command.operation is not Operation.QUERY:
            raise GateError("READ_ONLY", "API key is read only")
        parameters = msgspec.json.decode(submitted.payload.req_param)
        if command.operation is not Operation.QUERY:
            headers = {name.lower(): value for name, value in (submitted.payload.req_header or {}).items()}
            check_expiry(text_of(headers, "x-gate-exptime"), self._venue.now())
        allowance = self._spend(command, account.name, parameters)
        if (allowance is not None and allowance.is_exceeded) or self._faults.is_rate_limited():
            raise too_many_requests(self._product)
        if not command.is_acknowledged:
            return [self._frame(session, submitted, 200, {"result": command.handler(session, parameters)}, allowance=allowance)]
        echo = {"req_id": submitted.payload.req_id, "req_header": submitted.payload.req_header, "req_param": parameters}
        acknowledgement = self._frame(session, submitted, 200, {"result": echo}, ack=True, allowance=allowance)
        denial = False if self._product.denies_acknowledgement else None
        try:
            status, data = 200, {"result": command.handler(session, parameters)}
        except GateError as error:
            status, data = error.status, {"errs": error.body()}
        return [acknowledgement, self._frame(session, submitted, status, data, ack=denial, allowance=allowance)]

    def _spend(self, command: Command, user: str, parameters: Any) -> Allowance | None:
        if command.group is None:
            return None
        first = parameters[0] if isinstance(parameters, list) and parameters else parameters  # type: ignore[misc]
        market = text_of(first, "currency_pair") if isinstance(first, dict) else None  # type: ignore[arg-type]
        return self._limits.spend(
            command.group, command.group.key(endpoint="", address="", user=user, market=market or ""), self._venue.now()
        )

    def _failure(self, session: GateSession, submitted: _Submitted, error: GateError) -> str:
        return self._frame(session, submitted, error.status, {"errs": error.body()})

    def _frame(
        self,
        session: GateSession,
        submitted: _Submitted,
        status: int,
        data: dict[str, Any],
        *,
        ack: bool | None = None,
        allowance: Allowance | None = None,
    ) -> str:
        now = self._venue.now()
        header: dict[str, Any] = {
            "response_time": str(now),
            "status": str(status),
            "channel": submitted.channel,
            "event": "api",
            "client_id": session.client_id,
            "x_in_time": now * 1000,
            "x_out_time": now * 1000,
        }
        if allowance is not None:
            header["x_gate_ratelimit_requests_remain"] = allowance.remaining
            header["x_gate_ratelimit_limit"] = allowance.limit
            header["x_gat_ratelimit_reset_timestamp"] = allowance.reset_at_seconds * 1000
        frame: dict[str, Any] = {"request_id": submitted.payload.req_id}
        if ack is not None:
            frame["ack"] = ack
        return messages.text_of_frame({**frame, "header": header, "data": data})


def _compact(raw: msgspec.Raw) -> str:
    return msgspec.json.encode(msgspec.json.decode(raw)).decode()


def object_of(parameters: Any) -> dict[str, Any]:
    if not isinstance(parameters, dict):
        raise GateError("INVALID_REQUEST_BODY", "req_param must be an object")
    return parameters  # type: ignore[return-value]


def batch_of(parameters: Any) -> list[Mapping[str, Any]]:
    if not isinstance(parameters, list) or not all(isinstance(item, dict) for item in parameters):  # type: ignore[misc]
        raise GateError("INVALID_REQUEST_BODY", "req_param must be an array of objects")
    return parameters  # type: ignore[return-value]


def order_id_of(fields: Mapping[str, Any]) -> str:
    return text_of(fields, "order_id") or ""


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await trio.sleep(seconds)
