"""Cancelling what one account has open of ours, by prefix, until the exchange lists none: without a ledger, from its word alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from actors.accounts.codec import ProtocolError
from actors.accounts.resolution import ABSENCE_GRACE_MILLISECONDS, ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS
from actors.accounts.session import AccountSession
from actors.accounts.timing import AccountTiming
from assembly.guardian.events import Outcome
from assembly.guardian.records import AccountRecord
from network.errors import NetworkError
from orders.capabilities import Capabilities
from orders.errors import ErrorKind, ExchangeError
from orders.identity import given_at_milliseconds, installation_prefix
from orders.reports import OrderReport

# Half a minute in haste; whatever takes longer is an outage, which is waited for without hammering at it.
HASTE_SECONDS = 30.0
GIVE_UP_SECONDS = 600.0
PAUSE_SECONDS = 0.2
SETTLE_PAUSE_SECONDS_MAX = 1.0
HASTE_PAUSE_SECONDS_MAX = 2.0
PAUSE_SECONDS_MAX = 15.0

TROUBLES = (NetworkError, ExchangeError, ProtocolError)
Tell = Callable[[str], None]


def is_to_be_cancelled(client_order_id: str | None, *, installation: str, told_last_milliseconds: int) -> bool:
    """Whether an order is of the run that is watched over, or of one before it: not a stranger's, nor of a run that began since."""
    if client_order_id is None or not client_order_id.startswith(installation_prefix(installation)):
        return False
    given_at = given_at_milliseconds(client_order_id)
    return given_at is None or given_at <= told_last_milliseconds


def settle_seconds(capabilities: Capabilities) -> float:
    """For so long after its sending a placement may still come to be listed, so that an empty list is not the last word."""
    if capabilities.order_expiry:
        return AccountTiming().order_expiry_seconds + ABSENCE_GRACE_MILLISECONDS / 1000
    return ABSENCE_GRACE_WITHOUT_EXPIRY_MILLISECONDS / 1000


class Sweep:
    """One account. Everything that it finds out is in `record`; `changed` is called when that has changed."""

    def __init__(
        self,
        *,
        session: AccountSession,
        is_ours: Callable[[str | None], bool],
        record: AccountRecord,
        tell: Tell,
        changed: Callable[[], None],
        redact: Callable[[str], str],
        began_at: float,
    ) -> None:
        self._session = session
        self._is_ours = is_ours
        self._record = record
        self._tell = tell
        self._changed = changed
        self._redact = redact
        self._began_at = began_at
        self._settled_at = began_at + settle_seconds(session.codec.capabilities)
        self._asked: dict[str, str] = {}
        self._is_late = False

    async def run(self) -> None:
        """Look and cancel, until nothing has been listed once all that was under way must have arrived, or time is over.

        Trouble with the exchange, also a refused credential, is told and tried again: the network may come back, or the address
        that the key is bound to. Cancelled: the record says how far it came.
        """
        pause_seconds = PAUSE_SECONDS
        before: list[OrderReport] | None = None
        while True:
            try:
                listed = await self._look()
                if not listed and trio.current_time() >= self._settled_at:
                    self._record.outcome, self._record.trouble = Outcome.CONFIRMED, ""
                    self._changed()
                    return
                await self._cancel(listed)
                if listed != before:  # something has happened, or may yet: the pauses are for what does not move
                    pause_seconds = PAUSE_SECONDS
                before = listed
            except TROUBLES as error:
                self._note_trouble(str(error))
            pause_seconds = self._allowed(pause_seconds)
            if trio.current_time() + pause_seconds > self._began_at + GIVE_UP_SECONDS:
                self._record.outcome = Outcome.GIVEN_UP
                self._changed()
                return
            await trio.sleep(pause_seconds)
            pause_seconds *= 2

    def _allowed(self, pause_seconds: float) -> float:
        """The pause before the next look: shorter while orders may still arrive, longer once haste has not helped."""
        now = trio.current_time()
        if now < self._settled_at:
            return min(pause_seconds, SETTLE_PAUSE_SECONDS_MAX)
        if now < self._began_at + HASTE_SECONDS:
            return min(pause_seconds, HASTE_PAUSE_SECONDS_MAX)
        if not self._is_late:
            self._is_late = True
            self._tell(f"not confirmed within {HASTE_SECONDS:g} s: trying for up to {GIVE_UP_SECONDS:g} s in all")
        return min(pause_seconds, PAUSE_SECONDS_MAX)

    async def _look(self) -> list[OrderReport]:
        listed = [report for report in await self._session.open_orders() if self._is_ours(report.client_order_id)]
        open_ids = {report.exchange_order_id for report in listed}
        self._record.left_open = [report.client_order_id or "" for report in listed]
        self._record.cancelled = [name for exchange_id, name in self._asked.items() if exchange_id not in open_ids]
        self._changed()
        return listed

    async def _cancel(self, listed: Sequence[OrderReport]) -> None:
        """Ask for each; the next look tells what came of it. What fails for one holds up none of the others."""
        new = [report.client_order_id or "" for report in listed if report.exchange_order_id not in self._asked]
        if new:
            self._tell(f"cancelling {', '.join(new)}")
        self._asked |= {report.exchange_order_id: report.client_order_id or "" for report in listed}
        size = self._session.codec.capabilities.cancel_batch_max
        async with trio.open_nursery() as nursery:
            if size > 1 and len(listed) > 1:
                for start in range(0, len(listed), size):
                    nursery.start_soon(self._cancel_batch, listed[start : start + size])
            else:
                for report in listed:
                    nursery.start_soon(self._cancel_one, report)

    async def _cancel_one(self, report: OrderReport) -> None:
        try:
            await self._session.cancel_reported(report)
        except TROUBLES as error:
            self._note_refusal(error)

    async def _cancel_batch(self, reports: Sequence[OrderReport]) -> None:
        try:
            answers = await self._session.cancel_batch(reports)
        except TROUBLES as error:
            self._note_refusal(error)
            return
        for answer in answers:
            if isinstance(answer, tuple):
                self._note_refusal(answer[1])

    def _note_refusal(self, error: Exception) -> None:
        # That it has ended meanwhile is what is wanted.
        if not isinstance(error, ExchangeError) or error.kind not in (ErrorKind.ORDER_NOT_FOUND, ErrorKind.ALREADY_CLOSED):
            self._note_trouble(str(error))

    def _note_trouble(self, text: str) -> None:
        text = self._redact(text)
        if text != self._record.trouble:
            self._record.trouble = text
            self._tell(f"{text}; trying again")
            self._changed()
