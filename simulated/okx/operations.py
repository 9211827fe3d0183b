"""Orders over the private websocket: the same commands as by REST, answered in turn."""

from __future__ import annotations

from typing import Any

import msgspec
import trio

from simulated.answering import UNREADABLE
from simulated.faults import AnswerFault, Faults, Moment, Operation
from simulated.okx import messages
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError
from simulated.okx.fields import Fields
from simulated.okx.order_desk import Command, OrderDesk
from simulated.okx.rate_limits import AMEND, BATCH_OF, CANCEL, PLACE
from simulated.okx.rest import check_expiry
from simulated.okx.venue import OkxVenue
from simulated.rate_limits import LimitGroup, RateLimits
from simulated.session import Session
from simulated.settings import AccountSettings

_WAITING_MAX = 100
_Submitted = tuple[str, str | None, list[dict[str, Any]], str | None]
OPERATIONS: tuple[str, ...] = ("order", "batch-orders", "cancel-order", "batch-cancel-orders", "amend-order", "batch-amend-orders")


class _Kind(msgspec.Struct, frozen=True):
    operation: Operation
    group: LimitGroup
    command: Command


class Operations:
    """Carries out order operations, one after the other per connection."""

    def __init__(self, venue: OkxVenue, desk: OrderDesk, limits: RateLimits, faults: Faults) -> None:
        self._venue = venue
        self._desk = desk
        self._limits = limits
        self._faults = faults
        self._waiting: dict[Session, tuple[trio.MemorySendChannel[_Submitted], trio.MemoryReceiveChannel[_Submitted]]] = {}
        self._names: dict[int | None, str] = {listing.code: listing.name for listing in venue.listings.values()}
        place = _Kind(Operation.PLACE, PLACE, desk.place)
        cancel, amend = _Kind(Operation.CANCEL, CANCEL, desk.cancel), _Kind(Operation.AMEND, AMEND, desk.amend)
        self._kinds = dict(zip(OPERATIONS, (place, place, cancel, cancel, amend, amend), strict=True))

    def discard(self, session: Session) -> None:
        """Forget what `session` has not been answered yet."""
        self._waiting.pop(session, None)

    async def submit(self, session: Session, op: str, request_id: str | None, args: list[dict[str, Any]], expires_at: str | None) -> None:
        """Take a request; waits while too many of this connection are waiting already. Raises: OkxError: not logged in."""
        if session.account is None:
            raise OkxError("60011", "Please log in")
        await self._channel(session)[0].send((op, request_id, args, expires_at))

    async def serve(self, session: Session) -> None:
        """Answer what is submitted, until cancelled."""
        async for op, request_id, args, expires_at in self._channel(session)[1]:
            kind = self._kinds[op]
            await _sleep(self._faults.take_request_delay_seconds(kind.operation))
            fault, _ = self._faults.take_answer(kind.operation, can_be_twice=True) or (None, 0)
            received = self._venue.now() * 1000
            failed = OkxError("50026", "System error. Try again later").body()
            self._faults.take_calls(kind.operation, Moment.ARRIVED)
            answers = [failed if fault is AnswerFault.FAILED_BEFORE else self._answer(session, kind, args, expires_at)]
            self._faults.take_calls(kind.operation, Moment.DONE)
            repeat = self._faults.take_repeat(kind.operation)
            if repeat is not None and fault is not AnswerFault.FAILED_BEFORE:
                await _sleep(repeat.after_seconds)
                again = self._answer(session, kind, args, expires_at)
                answers = [*answers, again] if repeat.answers_first else [again, *answers]
            await _sleep(self._faults.take_answer_delay_seconds(kind.operation))
            if fault is AnswerFault.LOST:
                continue
            if fault is AnswerFault.GARBLED:
                session.push(UNREADABLE)
                continue
            if fault is AnswerFault.FAILED_AFTER:
                answers = [failed]
            times = {"inTime": str(received), "outTime": str(self._venue.now() * 1000)}
            for answer in answers * 2 if fault is AnswerFault.TWICE else answers:
                session.push(messages.text_of({"id": request_id, "op": op, **answer, **times}))

    def _answer(self, session: Session, kind: _Kind, args: list[dict[str, Any]], expires_at: str | None) -> dict[str, Any]:
        try:
            return self._carry_out(session, kind, args, expires_at)
        except OkxError as error:
            return error.body()

    def _carry_out(self, session: Session, kind: _Kind, args: list[dict[str, Any]], expires_at: str | None) -> dict[str, Any]:
        account = session.account
        if account is None or account.permissions == "read":
            raise OkxError("50120", "This API key doesn't have permission to use this function")
        group = kind.group if len(args) == 1 else BATCH_OF[kind.group]
        key = f"{account.name} {self._names.get(_code(args[0]), '') if args else ''}"
        allowance = self._limits.spend(group, key, self._venue.now(), max(1, len(args)))
        if allowance.is_exceeded or self._faults.is_rate_limited():
            raise OkxError("60014", "Requests too frequent")
        check_expiry(expires_at, self._venue.now())

        def command(account: AccountSettings, fields: Fields) -> Json:
            return kind.command(account, {**fields, "instId": self._name(fields)})

        return self._desk.carry_out(command, account, [*args])

    def _name(self, fields: Fields) -> str:
        """The name of the instrument whose number is given, which is all that counts here. Raises: OkxError: there is none.

        Since the spring of 2026 `instId` is ignored, and the order refused (changelog of 2026-01 to 2026-04, "WS / Place order").
        """
        code = _code(fields)
        if code is None:
            raise OkxError("50014", "Parameter instIdCode can not be empty.")
        if code not in self._names:
            raise OkxError("51001", "Instrument ID, Instrument ID code or Spread ID doesn't exist.")
        return self._names[code]

    def _channel(self, session: Session) -> tuple[trio.MemorySendChannel[_Submitted], trio.MemoryReceiveChannel[_Submitted]]:
        channel = self._waiting.get(session)
        if channel is None:
            opened = trio.open_memory_channel[_Submitted](_WAITING_MAX)
            channel = self._waiting[session] = (opened[0], opened[1])
        return channel


def _code(fields: Fields) -> int | None:
    """The number of an instrument, which is a JSON integer."""
    code = fields.get("instIdCode")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await trio.sleep(seconds)
