"""Orders over the websocket: login once, then commands; each is answered twice, by an echo and by its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import trio

from simulated.faults import AnswerFault, Faults, Operation
from simulated.gateio_spot import messages
from simulated.gateio_spot.auth import Authenticator
from simulated.gateio_spot.errors import GateError
from simulated.gateio_spot.order_desk import OrderDesk
from simulated.gateio_spot.rate_limits import WEBSOCKET_PLACE
from simulated.gateio_spot.rest import check_expiry, refuse_on_bad_day
from simulated.gateio_spot.venue import GateVenue
from simulated.rate_limits import Allowance, RateLimits
from simulated.session import Session
from simulated.settings import AccountSettings
from simulated.venue import text_of

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


_Handler = Callable[[AccountSettings, Any], Any]


class WebsocketApi:
    """Carries out `event: api` requests, one after the other per connection."""

    def __init__(self, venue: GateVenue, auth: Authenticator, desk: OrderDesk, limits: RateLimits, faults: Faults) -> None:
        self._venue = venue
        self._auth = auth
        self._desk = desk
        self._limits = limits
        self._faults = faults
        self._waiting: dict[Session, tuple[trio.MemorySendChannel[_Submitted], trio.MemoryReceiveChannel[_Submitted]]] = {}
        self._commands: dict[str, tuple[Operation, _Handler]] = {
            "spot.order_place": (Operation.PLACE, self._place),
            "spot.order_cancel": (Operation.CANCEL, lambda account, fields: desk.cancel(account, _order_id(fields), fields)),
            "spot.order_cancel_ids": (Operation.CANCEL, lambda account, batch: desk.cancel_batch(account, _batch(batch))),
            "spot.order_cancel_cp": (Operation.CANCEL, desk.cancel_all),
            "spot.order_amend": (Operation.AMEND, lambda account, fields: desk.amend(account, _order_id(fields), fields)),
            "spot.order_status": (Operation.QUERY, lambda account, fields: desk.status(account, _order_id(fields), fields)),
            "spot.order_list": (Operation.QUERY, lambda account, fields: desk.orders(account, fields, 1, 100)),
        }

    def discard(self, session: Session) -> None:
        """Forget what `session` has not been answered yet."""
        self._waiting.pop(session, None)

    async def submit(self, session: Session, channel: str, payload: msgspec.Raw) -> None:
        """Take a request; waits while too many of this connection are waiting already."""
        try:
            decoded = msgspec.json.decode(payload, type=_Payload)
        except msgspec.MsgspecError:
            decoded = _Payload()
        await self._channel(session)[0].send(_Submitted(channel, decoded))

    async def serve(self, session: Session) -> None:
        """Answer what is submitted, until cancelled."""
        async for submitted in self._channel(session)[1]:
            operation, handler = self._commands.get(submitted.channel, (Operation.QUERY, None))
            await _sleep(self._faults.take_request_delay_seconds(operation))
            fault = self._faults.take_answer(operation)
            try:
                refuse_on_bad_day(self._faults, fault)
                if submitted.channel == "spot.login":
                    frames = [self._login(session, submitted)]
                else:
                    frames = self._carry_out(session, submitted, operation, handler)
            except GateError as error:
                frames = [self._failure(session, submitted, error)]
            await _sleep(self._faults.take_answer_delay_seconds(operation))
            if fault is not None and fault[0] is AnswerFault.LOST:
                continue
            if fault is not None and fault[0] is AnswerFault.FAILED_AFTER:
                frames = [self._failure(session, submitted, GateError("SERVER_ERROR", "Server error", status=fault[1]))]
            for frame in frames:
                session.push(frame)

    def _channel(self, session: Session) -> tuple[trio.MemorySendChannel[_Submitted], trio.MemoryReceiveChannel[_Submitted]]:
        channel = self._waiting.get(session)
        if channel is None:
            opened = trio.open_memory_channel[_Submitted](_WAITING_MAX)
            channel = self._waiting[session] = (opened[0], opened[1])
        return channel

    def _login(self, session: Session, submitted: _Submitted) -> str:
        payload = submitted.payload
        raw = bytes(payload.req_param).decode()
        signed = ["", raw] if raw in ("null", '""') else [raw, _compact(payload.req_param)]
        account = self._auth.login(submitted.channel, payload.api_key, payload.signature, str(payload.timestamp), signed)
        session.account = account
        return self._frame(session, submitted, 200, {"result": {"api_key": account.api_key, "uid": str(account.user_id)}})

    def _carry_out(self, session: Session, submitted: _Submitted, operation: Operation, handler: _Handler | None) -> list[str]:
        if handler is None:
            raise GateError("INVALID_PARAM_VALUE", f"unknown channel {submitted.channel}")
        account = session.account
        if account is None:
            raise GateError("INVALID_KEY", "not logged in: spot.login comes first")
        if account.permissions == "read" and operation is not Operation.QUERY:
            raise GateError("READ_ONLY", "API key is read only")
        parameters = msgspec.json.decode(submitted.payload.req_param)
        if operation is not Operation.QUERY:
            headers = {name.lower(): value for name, value in (submitted.payload.req_header or {}).items()}
            check_expiry(text_of(headers, "x-gate-exptime"), self._venue.now())
        if operation in (Operation.PLACE, Operation.AMEND):
            first = parameters[0] if isinstance(parameters, list) and parameters else parameters  # type: ignore[misc]
            pair = text_of(first, "currency_pair") if isinstance(first, dict) else None  # type: ignore[arg-type]
            allowance = self._limits.spend(WEBSOCKET_PLACE, f"{account.name} {pair}", self._venue.now())
        else:
            allowance = None
        if (allowance is not None and allowance.is_exceeded) or self._faults.is_rate_limited():
            raise GateError("TOO_MANY_REQUESTS", "Request Rate limit Exceeded (211)")
        if operation is not Operation.PLACE and not submitted.channel.endswith("_ids"):
            parameters = _object(parameters)
        acknowledgement: dict[str, Any] = {"result": {"req_id": submitted.payload.req_id, "req_param": parameters}}
        result = handler(account, parameters)
        return [
            self._frame(session, submitted, 200, acknowledgement, ack=True, allowance=allowance),
            self._frame(session, submitted, 200, {"result": result}, allowance=allowance),
        ]

    def _place(self, account: AccountSettings, parameters: Any) -> Any:
        if isinstance(parameters, list):
            return self._desk.place_batch(account, _batch(parameters))  # type: ignore[arg-type]
        fields = _object(parameters)
        if text_of(fields, "text") is None:
            raise GateError("MISSING_REQUIRED_PARAM", "text is required")
        return self._desk.place(account, fields)

    def _failure(self, session: Session, submitted: _Submitted, error: GateError) -> str:
        return self._frame(session, submitted, error.status, {"errs": error.body()})

    def _frame(
        self,
        session: Session,
        submitted: _Submitted,
        status: int,
        data: dict[str, Any],
        *,
        ack: bool = False,
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
        if ack:
            frame["ack"] = True
        return messages.text_of_frame({**frame, "header": header, "data": data})


def _compact(raw: msgspec.Raw) -> str:
    return msgspec.json.encode(msgspec.json.decode(raw)).decode()


def _object(parameters: Any) -> dict[str, Any]:
    if not isinstance(parameters, dict):
        raise GateError("INVALID_REQUEST_BODY", "req_param must be an object")
    return parameters  # type: ignore[return-value]


def _batch(parameters: Any) -> list[Mapping[str, Any]]:
    if not isinstance(parameters, list) or not all(isinstance(item, dict) for item in parameters):  # type: ignore[misc]
        raise GateError("INVALID_REQUEST_BODY", "req_param must be an array of objects")
    return parameters  # type: ignore[return-value]


def _order_id(fields: Mapping[str, Any]) -> str:
    return text_of(fields, "order_id") or ""


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await trio.sleep(seconds)
