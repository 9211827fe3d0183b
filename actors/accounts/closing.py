"""Closing: cancel every live order of ours and wait for the exchange's word that each has ended.

It is the one way out: the supervisor runs it after the account actor died, for whatever reason, and before it starts
again; the account actor runs it for one owner when a cycle has died. It depends on the ledger, on a session of its own
and on nothing else: not on the private stream, nor on strategy or PnL code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from math import inf

import trio

from actors.accounts.batch_desk import in_batches
from actors.accounts.bookkeeper import Bookkeeper
from actors.accounts.codec import ProtocolError
from actors.accounts.dead_mans_switch import DeadMansSwitch
from actors.accounts.events import ClosingProgressed
from actors.accounts.flattening import flatten
from actors.accounts.gate import OrderGate
from actors.accounts.resolution import fetch_missing_fills, resolve
from actors.accounts.session import AccountSession
from market.instrument import Instrument
from market.symbol import Symbol
from network.errors import NetworkError
from orders.errors import ErrorKind, ExchangeError
from orders.events import LedgerEvent
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from orders.reports import OrderReport

ROUND_PAUSE_SECONDS = 0.1
ROUND_PAUSE_SECONDS_MAX = 1.0

Publish = Callable[[list[LedgerEvent]], None]
Progress = Callable[[str], None]


async def close_orders(
    *,
    session: AccountSession,
    ledger: AccountLedger,
    publish: Publish,
    progress: Progress,
    owner: str | None = None,
    in_flight: Callable[[str], bool] = lambda client_order_id: False,
) -> None:
    """Cancel and confirm until no order of ours (of `owner`) is live here or at the exchange.

    Returns only then: the caller sets the deadline, and reads from `ledger.live_orders()` what is left if it strikes.
    Trouble with the exchange is told to `progress` and tried again with growing pauses; a refused credential is too,
    since only the caller's deadline may end the attempt. `in_flight` says that a placement is still being sent by a
    living actor, which will hear of its fate itself. Cancelled: the ledger holds what was confirmed so far.
    """
    pause_seconds = ROUND_PAUSE_SECONDS
    while True:
        try:
            remaining = await _close_once(session, ledger, publish, owner, in_flight)
        except (NetworkError, ExchangeError, ProtocolError) as error:
            progress(f"closing {ledger.account}: {error}; trying again in {pause_seconds:.1f} s")
        else:
            if remaining == 0:
                return
            progress(f"closing {ledger.account}: {remaining} order(s) not confirmed yet")
        await trio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, ROUND_PAUSE_SECONDS_MAX)


async def _close_once(
    session: AccountSession, ledger: AccountLedger, publish: Publish, owner: str | None, in_flight: Callable[[str], bool]
) -> int:
    """One round: what never left ends here, what the exchange lists is cancelled, what it does not list is asked for.

    Returns how many orders may still be live. One order's failure holds up no other: all are tried, then the first is raised.
    """
    failures = _Failures()
    for order in ledger.live_orders(owner):
        if not order.sent:
            # One in flight asks once more in the moment of leaving, and then does not leave.
            happened = OrderInput.CANCEL_ASKED if in_flight(order.client_order_id) else OrderInput.NEVER_SENT
            reason = "stopped before it was sent"
            publish(ledger.record_input(order.client_order_id, happened, now=trio.current_time(), reason=reason))
    listed = [report for report in await session.open_orders() if ledger.is_ours(report.client_order_id, owner=owner)]
    for report in listed:
        publish(ledger.apply_order_report(report, now=trio.current_time()))
        order = ledger.order(report.client_order_id or "")
        if order is not None and order.state is not OrderState.PENDING_CANCEL and not order.is_terminal:
            publish(ledger.record_input(order.client_order_id, OrderInput.CANCEL_ASKED, now=trio.current_time()))
    async with trio.open_nursery() as nursery:
        for portion in in_batches(listed, session.codec.capabilities.cancel_batch_max):
            nursery.start_soon(_cancel, session, ledger, publish, portion, failures)
    for order in ledger.live_orders(owner):
        if not in_flight(order.client_order_id):
            await failures.kept(partial(_ask, resolve, order, session, ledger, publish))
    for order in _unsettled(ledger, owner):
        await failures.kept(partial(_ask, fetch_missing_fills, order, session, ledger, publish))
    failures.raise_first()
    if not listed and not ledger.live_orders(owner) and not _unsettled(ledger, owner):
        return 0
    # A round that changed something is followed by one that only looks: the exchange's list has the last word.
    return max(1, len(ledger.live_orders(owner)))


class _Failures:
    """What went wrong with some orders of a round, while the others were seen to."""

    def __init__(self) -> None:
        self._first: NetworkError | ExchangeError | ProtocolError | None = None

    async def kept(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (NetworkError, ExchangeError, ProtocolError) as error:
            self.note(error)

    def note(self, error: NetworkError | ExchangeError | ProtocolError) -> None:
        self._first = self._first or error

    def raise_first(self) -> None:
        if self._first is not None:
            raise self._first


async def _ask(
    inquire: Callable[..., Awaitable[list[LedgerEvent]]], order: Order, session: AccountSession, ledger: AccountLedger, publish: Publish
) -> None:
    publish(await inquire(order, session=session, ledger=ledger))


async def _cancel(
    session: AccountSession, ledger: AccountLedger, publish: Publish, reports: Sequence[OrderReport], failures: _Failures
) -> None:
    """Cancel these together if they are several, and one by one if the exchange will not have that."""
    if len(reports) > 1:
        try:
            answers = await session.cancel_batch(reports)
        except (ExchangeError, ProtocolError):
            pass  # perhaps because of one of them
        except NetworkError as error:
            failures.note(error)
            return
        else:
            # It says of some orders how they stand; of the others the next round finds out.
            for answer in answers:
                if isinstance(answer, OrderReport):
                    publish(ledger.apply_order_report(answer, now=trio.current_time()))
            return
    for report in reports:
        await failures.kept(partial(_cancel_one, session, ledger, publish, report))


async def _cancel_one(session: AccountSession, ledger: AccountLedger, publish: Publish, report: OrderReport) -> None:
    try:
        answer = await session.cancel_reported(report)
    except ExchangeError as error:
        # It ended while we asked: the next round finds out how.
        if error.kind not in (ErrorKind.ORDER_NOT_FOUND, ErrorKind.ALREADY_CLOSED):
            raise
        return
    if answer is not None:
        publish(ledger.apply_order_report(answer, now=trio.current_time()))


def _unsettled(ledger: AccountLedger, owner: str | None) -> list[Order]:
    return [order for order in ledger.unsettled_orders() if owner is None or order.request.owner == owner]


class AccountCloser:
    """Closes one account over a connection of its own, whenever asked; the supervisor's cleanup and a stop share it.

    `open_session` gives a session that is closed again on leaving.
    """

    def __init__(
        self,
        *,
        open_session: Callable[[], AbstractAsyncContextManager[AccountSession]],
        bookkeeper: Bookkeeper,
        gate: OrderGate,
        switch: DeadMansSwitch,
    ) -> None:
        self._open_session = open_session
        self._books = bookkeeper
        self._gate = gate
        self._switch = switch
        self._is_closed_for_good = False
        # Of the `end` under way; a stop moves its deadline.
        self._ending = trio.CancelScope()
        self._end_before = inf
        self.standing = ""
        """How the last closing stands, for people; empty when there is nothing to wait for."""

    async def close(self) -> None:
        """Cancel and confirm every order of ours. The caller sets the deadline; `live_orders` says what is left then.

        Returns at once where nothing can be live: no order was ever recorded, or the gate was closed and all was confirmed
        since. Cancelled: what was confirmed stays confirmed.
        """
        ledger = self._books.ledger
        if self._is_closed_for_good or next(ledger.orders(), None) is None:
            return
        gate_was_closed = self._gate.closed_reason is not None
        async with self._open_session() as session:
            self._tell(f"closing {ledger.account}: {len(ledger.live_orders())} order(s) may be live")
            await close_orders(session=session, ledger=ledger, publish=self._books.publish, progress=self._tell)
        self._is_closed_for_good = gate_was_closed
        self.standing = ""

    async def flatten(self, *, owners: Mapping[str, Callable[[], str]], rules: Mapping[Symbol, Instrument]) -> None:
        """After `close`: sell at market what these owners still hold from this run. `owners` gives each one's order ids."""
        async with self._open_session() as session:
            for owner, next_id in owners.items():
                self._tell(f"flattening {owner} on {self._books.account}")
                await flatten(session=session, bookkeeper=self._books, owner=owner, rules=rules, next_id=next_id)
        self.standing = ""

    async def end(self) -> None:
        """`close`, and once the gate is closed and nothing of ours is live, disarm the dead-man's switch.

        For when the account actor is dead: a living one would arm it again.
        """
        with trio.CancelScope(deadline=self._end_before) as self._ending:
            await self.close()
            if self._gate.closed_reason is None or self._books.ledger.live_orders() or not self._switch.may_be_armed:
                return
            async with self._open_session() as session:
                await self._switch.disarm(session)

    def end_before(self, deadline: float) -> None:
        """Whatever `end` does is given up at this time (Trio's), also if it began before: a stop keeps its deadline."""
        self._end_before = self._ending.deadline = deadline

    def give_up(self) -> None:
        """The stop's time is over: what was not confirmed by now is not tried again."""
        self._is_closed_for_good = True

    def _tell(self, text: str) -> None:
        self.standing = text
        self._books.report(ClosingProgressed(self._books.account, text))
