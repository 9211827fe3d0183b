"""Requests over the private stream: sent under an id, answered under it, or given up together when the stream goes.

Theory of operation. The stream is read by the account actor, which hands all it reads to `hear`; whoever has asked waits in
`ask`. A request that was sent has three ends: its answer, the end of the stream, or a time-out; an answer that comes after
that, or twice, finds nobody and changes nothing. At most `PENDING_MAX` wait at a time.

A connection may be dead for a while before anybody knows. When the exchange has answered nothing at all for
`DOUBT_AFTER_SECONDS` since something was asked, the stream is in doubt and takes no further requests, until it answers one
of them, or a ping, after all. What goes on waiting is not affected.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Protocol

import trio

from network.errors import NetworkError, RequestNotSent, ResponseLost
from orders.reports import PrivateReport, StreamAnswered, StreamPong

PENDING_MAX = 64
DOUBT_AFTER_SECONDS = 1.0

Write = Callable[[str], str | bytes]


class Carrier(Protocol):
    """An open stream, as far as requests need it."""

    @property
    def is_open(self) -> bool:
        """Once False, nothing that is sent leaves."""
        ...

    async def send(self, frame: str | bytes) -> None:
        """
        Raises:
            NetworkError: the connection is gone; the frame may have left.
        """
        ...


class StreamRequests:
    """The requests of one account over one stream at a time."""

    def __init__(self) -> None:
        self._carrier: Carrier | None = None
        self._number = 0
        self._pending: dict[str, _Pending] = {}
        self._unanswered_since: float | None = None  # since then something has been waiting for an answer, and none came

    @contextmanager
    def carried_by(self, carrier: Carrier) -> Generator[None]:
        """Inside, requests go over `carrier`; on leaving, those that still wait are given up."""
        self._carrier = carrier
        try:
            yield
        finally:
            self._carrier = None
            self._unanswered_since = None
            for pending in self._pending.values():
                pending.over.set()

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent now: the stream is up and not in doubt, and not too many requests wait already."""
        if self._carrier is None or not self._carrier.is_open or len(self._pending) >= PENDING_MAX:
            return False
        return self._unanswered_since is None or trio.current_time() - self._unanswered_since <= DOUBT_AFTER_SECONDS

    async def ask(self, write: Write, *, timeout_seconds: float) -> bytes:
        """Send one request, once, and wait for what the exchange answers.

        `write` is given the request's id and gives the frame; the sending begins in the same step. What it raises comes out
        unchanged, and nothing has been sent. Cancelled, the call says nothing about whether the request arrived.

        Raises:
            RequestNotSent: the stream is not usable.
            ResponseLost: the request may have been received, and no answer came.
            ExchangeError: the exchange refused.
        """
        carrier = self._carrier
        if carrier is None or not self.is_usable:
            raise RequestNotSent("the private stream takes no request now")
        self._number += 1
        request_id = str(self._number)
        frame = write(request_id)
        pending = self._pending[request_id] = _Pending()
        if self._unanswered_since is None:
            self._unanswered_since = trio.current_time()
        try:
            with trio.move_on_after(timeout_seconds) as scope:
                await carrier.send(frame)
                await pending.over.wait()
        except NetworkError as error:
            raise ResponseLost(f"a request over the private stream may have been received: {error}") from error
        finally:
            self._pending.pop(request_id, None)
        answer = pending.answer
        if answer is None:
            reason = f"no answer within {timeout_seconds:g} s" if scope.cancelled_caught else "the stream was lost before the answer"
            raise ResponseLost(f"a request over the private stream may have been received: {reason}")
        if answer.error is not None:
            raise answer.error
        return answer.body

    def hear(self, reports: Iterable[PrivateReport]) -> None:
        """Take in what the stream says about requests; everything else is for others."""
        for report in reports:
            if isinstance(report, StreamAnswered):
                pending = self._pending.pop(report.request_id, None)
                if pending is not None:
                    pending.answer = report
                    pending.over.set()
            if isinstance(report, StreamAnswered | StreamPong):
                self._unanswered_since = trio.current_time() if self._pending else None


class _Pending:
    __slots__ = ("answer", "over")

    def __init__(self) -> None:
        self.answer: StreamAnswered | None = None
        self.over = trio.Event()
