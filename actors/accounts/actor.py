"""The account actor: one credential at one exchange, kept in agreement with the exchange, carrying out commands.

Theory of operation. The private stream is opened first and the snapshot (open orders, fates, fills, balances) is taken
over REST while it already listens, so that nothing falls between the two; ready means that this was done and agrees. From
then on the stream comes first; while it is broken, REST is asked instead, and after each reconnect the snapshot is taken
again. Every report goes through the ledger, which alone decides what it changes; each order's newest state goes to its
owner's inbox. A placement whose answer is lost leaves its order `UNKNOWN`, and a watchdog asks about that very order until
the exchange has answered. The actor cancels nothing when it dies: the supervisor closes the account then (`closing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import trio

from actors.accounts.checks import AccountLimits, refusal
from actors.accounts.closing import close_orders
from actors.accounts.codec import ProtocolError
from actors.accounts.credential import Credential
from actors.accounts.events import (
    AccountConnected,
    AccountDisconnected,
    AccountReconciled,
    AccountTrouble,
    ClockOffsetMeasured,
    ClosingProgressed,
    OrderRefused,
)
from actors.accounts.gate import GateClosed, OrderGate
from actors.accounts.resolution import fetch_missing_fills, resolve
from actors.accounts.session import AccountSession
from actors.accounts.stream import STREAM_ERRORS, PrivateStream, StreamLost, open_private_stream
from actors.channels.bounded import BoundedReceiver
from actors.channels.latest import LatestReceiver
from market.events import InstrumentListed
from market.instrument import Instrument
from market.symbol import Symbol
from network.backoff import Backoff
from network.errors import NetworkError, RequestNotSent
from orders.commands import AccountCommand, AmendOrder, BalanceCapture, CancelOrder, CaptureBalances, CloseOwner, PlaceOrder
from orders.errors import ErrorKind, ExchangeError
from orders.events import AccountLost, AccountReady, BalanceChanged, LedgerEvent, OrderChanged
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from orders.reports import BalanceReport, FillReport, OrderReport, PrivateReport

# What asking the exchange may raise; each is tried again.
ASKING_ERRORS = (NetworkError, ExchangeError, ProtocolError)

InboxItem = OrderChanged | BalanceChanged | AccountReady | AccountLost


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None:
        """Ready: called once."""
        ...

    def progress(self) -> None:
        """Alive: called at least as often as the liveness time-out asks."""
        ...


class Inbox(Protocol):
    """An owner's end: only the newest per key counts, and sending never blocks."""

    def send_nowait(self, value: InboxItem, /) -> None: ...


class AccountTiming(msgspec.Struct, frozen=True, kw_only=True):
    """How often an account looks, in seconds."""

    order_expiry_seconds: float = 3.0  # the exchange must refuse a placement that arrives later than this
    watchdog_seconds: float = 0.25
    cancel_patience_seconds: float = 2.0  # after this a cancellation without a word from the exchange is asked about
    fills_patience_seconds: float = 1.0  # so long may the stream take to tell the fills of an ended order
    poll_seconds: float = 2.0  # between snapshots while the stream is broken
    reconcile_seconds: float = 30.0
    clock_seconds: float = 60.0
    capture_patience_seconds: float = 10.0


class AccountActor:
    """Runs one account. One incarnation: make a new one for each start, on the same ledger, gate and channels.

    `instruments` brings the rules of what may be traded; `inboxes` are the owners' ends by owner; `symbols` are those
    traded here. `report` takes every noteworthy event and never blocks.
    """

    def __init__(
        self,
        *,
        session: AccountSession,
        credential: Credential,
        websocket_url: str,
        ledger: AccountLedger,
        gate: OrderGate,
        commands: BoundedReceiver[AccountCommand],
        instruments: LatestReceiver[InstrumentListed],
        inboxes: Mapping[str, Inbox],
        limits: AccountLimits,
        timing: AccountTiming,
        backoff: Backoff,
        report: Callable[[object], None],
    ) -> None:
        self._session = session
        self._credential = credential
        self._websocket_url = websocket_url
        self._ledger = ledger
        self._gate = gate
        self._commands = commands
        self._instruments_receiver = instruments
        self._inboxes = inboxes
        self._limits = limits
        self._timing = timing
        self._backoff = backoff
        self._report = report
        self._name = ledger.account
        self._instruments: dict[Symbol, Instrument] = {}
        self._in_flight: set[str] = set()
        self._listening = False
        self._attention = trio.Event()
        self._to_ask_now: set[str] = set()
        self._asked_again_at: dict[str, tuple[float, float]] = {}  # client order id: (not before, pause so far)

    async def run(self, context: ActorContext) -> None:
        """Run until cancelled. Whatever ends it, owners are told that the account is lost; orders are left to closing.

        Raises:
            ExchangeError: the exchange refuses the credential.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_instruments)
                await self._measure_clock()
                await nursery.start(self._keep_listening)
                context.started()
                self._tell(AccountReady(self._name))
                nursery.start_soon(self._carry_out_commands, nursery)
                nursery.start_soon(self._watch_orders, context)
                nursery.start_soon(self._reconcile_periodically)
                nursery.start_soon(self._keep_clock)
        finally:
            self._tell(AccountLost(self._name, "the account actor has stopped"))

    # Listening

    async def _keep_listening(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the private stream open; `started` once the first snapshot agrees."""
        first = True
        while True:
            try:
                async with open_private_stream(
                    self._websocket_url,
                    codec=self._session.codec,
                    credential=self._credential,
                    exchange_time_milliseconds=self._session.exchange_time_milliseconds,
                ) as (stream, early):
                    self._report(AccountConnected(self._name))
                    self._take_all(early)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._listen, stream)
                        nursery.start_soon(stream.keep_alive)
                        await self._reconcile_until_agreed("first look" if first else "stream is back")
                        if first:
                            await self._sweep()
                        self._listening = True
                        self._backoff.reset()
                        if first:
                            first = False
                            task_status.started()
                        else:
                            self._tell(AccountReady(self._name))
            except* STREAM_ERRORS as group:
                self._lose_stream(_first_message(group))
            await self._wait_for_reconnect(polling=not first)

    async def _listen(self, stream: PrivateStream) -> None:
        while True:
            try:
                reports = await stream.receive()
            except ProtocolError as error:
                # What it would have said is asked for instead.
                self._report(AccountTrouble(self._name, "reading the private stream", str(error)))
                await self._reconcile_until_agreed("a frame could not be read")
                continue
            self._take_all(reports)

    def _lose_stream(self, reason: str) -> None:
        self._report(AccountDisconnected(self._name, reason))
        if self._listening:
            self._listening = False
            self._tell(AccountLost(self._name, reason))

    async def _wait_for_reconnect(self, *, polling: bool) -> None:
        """Back off; meanwhile follow our orders over REST."""
        with trio.move_on_after(self._backoff.next_delay_seconds()):
            while polling:
                await trio.sleep(self._timing.poll_seconds)
                try:
                    await self._reconcile("stream is broken")
                except ASKING_ERRORS as error:
                    self._report(AccountTrouble(self._name, "polling", str(error)))
            await trio.sleep_forever()

    async def _sweep(self) -> None:
        """Before the first command: end whatever of ours an earlier run or incarnation may have left live."""
        await close_orders(session=self._session, ledger=self._ledger, publish=self._publish, progress=self._tell_closing)

    # Agreement with the exchange

    async def _reconcile_until_agreed(self, why: str) -> None:
        pause = 0.25
        while True:
            try:
                await self._reconcile(why)
            except ASKING_ERRORS as error:
                if isinstance(error, ExchangeError) and error.kind is ErrorKind.AUTHENTICATION:
                    raise
                self._report(AccountTrouble(self._name, "comparing with the exchange", str(error)))
            else:
                return
            await trio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _reconcile(self, why: str) -> None:
        """Compare orders, fates, fills and balances with the exchange, and take its word. Raises `ASKING_ERRORS`."""
        listed = await self._session.open_orders()
        for report in listed:
            self._take(report)
        listed_ids = {report.client_order_id for report in listed}
        for order in self._ledger.live_orders():
            if order.client_order_id not in listed_ids and order.client_order_id not in self._in_flight:
                await self._resolve(order)
        for order in self._ledger.orders_missing_fills():
            await self._fetch_fills(order)
        for balance in await self._session.balances():
            self._take(balance)
        self._report(AccountReconciled(self._name, len(self._ledger.live_orders()), why))

    async def _reconcile_periodically(self) -> None:
        while True:
            await trio.sleep(self._timing.reconcile_seconds)
            try:
                await self._reconcile("periodic")
            except ASKING_ERRORS as error:
                self._report(AccountTrouble(self._name, "comparing with the exchange", str(error)))

    async def _watch_orders(self, context: ActorContext) -> None:
        """Ask about every order that is waiting for a word too long: unknown ones at once, then with growing pauses."""
        while True:
            context.progress()
            with trio.move_on_after(self._timing.watchdog_seconds):
                await self._attention.wait()
            self._attention = trio.Event()
            for order in self._due():
                try:
                    await self._ask_about(order)
                except ASKING_ERRORS as error:
                    self._report(AccountTrouble(self._name, f"asking about order {order.client_order_id}", str(error)))

    def _due(self) -> list[Order]:
        """The orders to ask about now, each with its next time put off."""
        now = trio.current_time()
        due: list[Order] = []
        candidates = {order.client_order_id: order for order in (*self._ledger.live_orders(), *self._ledger.unsettled_orders())}
        for client_order_id in [known for known in self._asked_again_at if known not in candidates]:
            del self._asked_again_at[client_order_id]
        for order in candidates.values():
            if order.client_order_id in self._in_flight or now - order.changed_at < self._patience(order):
                continue
            not_before, pause = self._asked_again_at.get(order.client_order_id, (now, self._timing.watchdog_seconds / 2))
            if now >= not_before:
                pause = min(pause * 2, 5.0)
                self._asked_again_at[order.client_order_id] = (now + pause, pause)
                self._to_ask_now.discard(order.client_order_id)
                due.append(order)
        return due

    def _patience(self, order: Order) -> float:
        """How long an order in this state may go without a word before it is asked about."""
        if order.is_terminal:
            return self._timing.fills_patience_seconds
        if (
            order.client_order_id in self._to_ask_now
            or order.state is OrderState.UNKNOWN
            or (order.cancel_wanted and order.state is not OrderState.PENDING_CANCEL)
        ):
            return 0.0
        if order.state in (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL, OrderState.PENDING_AMEND):
            return self._timing.cancel_patience_seconds
        return float("inf") if self._listening else self._timing.poll_seconds

    async def _ask_about(self, order: Order) -> None:
        if order.is_terminal:
            await self._fetch_fills(order)
            return
        await self._resolve(order)
        known = self._ledger.order(order.client_order_id)
        if known is not None and known.cancel_wanted and not known.is_terminal and known.state is not OrderState.UNKNOWN:
            await self._cancel(known)

    async def _resolve(self, order: Order) -> None:
        self._publish(await resolve(order, session=self._session, ledger=self._ledger, now=trio.current_time()))

    async def _fetch_fills(self, order: Order) -> None:
        self._publish(await fetch_missing_fills(order, session=self._session, ledger=self._ledger, now=trio.current_time()))

    # Commands

    async def _carry_out_commands(self, nursery: trio.Nursery) -> None:
        async for command in self._commands:
            match command:
                case PlaceOrder():
                    # Decided and written down before the next command is read: the order of commands is kept.
                    if self._accept(command):
                        nursery.start_soon(self._place, command)
                case CancelOrder(client_order_id):
                    order = self._ledger.order(client_order_id)
                    if order is not None and not order.is_terminal:
                        nursery.start_soon(self._cancel, order)
                case AmendOrder():
                    nursery.start_soon(self._amend, command)
                case CloseOwner():
                    nursery.start_soon(self._close_owner, command)
                case CaptureBalances():
                    nursery.start_soon(self._capture, command)

    def _accept(self, command: PlaceOrder) -> bool:
        """Write the intent down; end it at once if it must not be sent."""
        request, now = command.request, trio.current_time()
        if now > command.expires_at:
            reason: str | None = "the command was stale when it was read"
        elif self._gate.closed_reason is not None:
            reason = f"the gate is closed: {self._gate.closed_reason}"
        else:
            reason = refusal(
                request,
                instrument=self._instruments.get(request.symbol),
                capabilities=self._session.codec.capabilities,
                ledger=self._ledger,
                limits=self._limits,
                reference_price=command.reference_price,
            )
        self._publish(self._ledger.record_intent(request, now=now))
        if reason is None:
            self._in_flight.add(request.client_order_id)
            return True
        self._end_unsent(request.client_order_id, reason)
        return False

    async def _place(self, command: PlaceOrder) -> None:
        """Send one placement. Cancelled in the middle, the order stays pending: closing finds out."""
        client_order_id = command.request.client_order_id

        def leaving() -> int | None:
            self._gate.ensure_open()
            order = self._ledger.order(client_order_id)
            if order is None or order.cancel_wanted:
                raise GateClosed("cancelled before it was sent")
            if trio.current_time() > command.expires_at:
                raise GateClosed("it waited for the rate limit until it was stale")
            now_milliseconds = self._session.exchange_time_milliseconds()
            expires = None
            if self._session.codec.capabilities.order_expiry:
                expires = now_milliseconds + round(self._timing.order_expiry_seconds * 1000)
            self._ledger.record_sent(client_order_id, sent_at_milliseconds=now_milliseconds, expires_at_milliseconds=expires)
            return expires

        try:
            report = await self._session.place(command.request, leaving=leaving)
        except GateClosed as error:
            self._end_unsent(client_order_id, str(error))
        except RequestNotSent as error:
            self._end_unsent(client_order_id, f"not sent: {error}")
        except ExchangeError as error:
            if error.fate_is_unknown:
                self._lose_answer(client_order_id, str(error))
            else:
                self._happened(client_order_id, OrderInput.SAID_REJECTED, str(error))
        except (NetworkError, ProtocolError) as error:
            self._lose_answer(client_order_id, str(error))
        else:
            self._take(report)
        finally:
            self._in_flight.discard(client_order_id)
        self._attention.set()

    async def _cancel(self, order: Order) -> None:
        self._happened(order.client_order_id, OrderInput.CANCEL_ASKED)
        if not order.sent:
            return  # it is held back in the moment of leaving
        try:
            report = await self._session.cancel(order)
        except ExchangeError as error:
            # Not found or already closed: it ended, or has not arrived yet; only the exchange's lists tell which.
            if error.kind not in (ErrorKind.ORDER_NOT_FOUND, ErrorKind.ALREADY_CLOSED):
                self._report(AccountTrouble(self._name, f"cancelling order {order.client_order_id}", str(error)))
            self._ask_now(order.client_order_id)
        except RequestNotSent as error:
            self._report(AccountTrouble(self._name, f"cancelling order {order.client_order_id}", str(error)))
            self._ask_now(order.client_order_id)
        except (NetworkError, ProtocolError) as error:
            self._lose_answer(order.client_order_id, str(error))
        else:
            self._take(report)

    async def _amend(self, command: AmendOrder) -> None:
        order = self._ledger.order(command.client_order_id)
        if order is None or order.state not in (OrderState.OPEN, OrderState.PARTIALLY_FILLED) or not self._session.codec.capabilities.amend:
            self._report(OrderRefused(self._name, command.client_order_id, "only an open order can be amended, where the exchange can"))
            return
        self._happened(command.client_order_id, OrderInput.AMEND_ASKED)
        try:
            report = await self._session.amend(order, price=command.price, quantity=command.quantity)
        except ExchangeError as error:
            self._report(OrderRefused(self._name, command.client_order_id, str(error)))
            self._happened(command.client_order_id, OrderInput.ANSWER_LOST if error.fate_is_unknown else OrderInput.AMEND_ENDED)
            self._attention.set()
        except RequestNotSent as error:
            self._report(OrderRefused(self._name, command.client_order_id, f"not sent: {error}"))
            self._happened(command.client_order_id, OrderInput.AMEND_ENDED)
        except (NetworkError, ProtocolError) as error:
            self._lose_answer(command.client_order_id, str(error))
        else:
            self._publish(
                self._ledger.record_amended(
                    command.client_order_id, price=command.price, quantity=command.quantity, now=trio.current_time()
                )
            )
            self._take(report)

    async def _close_owner(self, command: CloseOwner) -> None:
        await close_orders(
            session=self._session,
            ledger=self._ledger,
            publish=self._publish,
            progress=self._tell_closing,
            owner=command.owner,
            in_flight=self._in_flight.__contains__,
        )
        command.answer.answer(tuple(self._ledger.live_orders(command.owner)))

    async def _capture(self, command: CaptureBalances) -> None:
        """Fetch balances at a moment when the fills we know are all there are, so that the two can be compared."""
        with trio.move_on_after(self._timing.capture_patience_seconds):
            while True:
                before = self._ledger.fill_changes()
                try:
                    balances = await self._session.balances()
                    # A fill of another owner's order may have come between: then the fills fetched now differ.
                    for order in self._ledger.live_orders():
                        await self._resolve(order)
                    for order in self._ledger.orders_missing_fills():
                        await self._fetch_fills(order)
                except ASKING_ERRORS as error:
                    self._report(AccountTrouble(self._name, "fetching balances", str(error)))
                    await trio.sleep(self._timing.watchdog_seconds)
                    continue
                if before == self._ledger.fill_changes():
                    for balance in balances:
                        self._take(balance)
                    capture = BalanceCapture(
                        totals={balance.asset: balance.total for balance in balances},
                        available={balance.asset: balance.available for balance in balances},
                        fill_changes=before,
                    )
                    command.answer.answer(capture)
                    return
        command.answer.fail(TimeoutError(f"{self._name}: no settled view of balances within {self._timing.capture_patience_seconds:.0f} s"))

    # Bookkeeping

    def _take_all(self, reports: list[PrivateReport]) -> None:
        for report in reports:
            if isinstance(report, OrderReport | FillReport | BalanceReport):
                self._take(report)

    def _take(self, report: OrderReport | FillReport | BalanceReport) -> None:
        now = trio.current_time()
        match report:
            case OrderReport():
                self._publish(self._ledger.apply_order_report(report, now=now))
            case FillReport():
                self._publish(self._ledger.apply_fill(report, now=now))
            case BalanceReport():
                self._publish(self._ledger.apply_balance(report))

    def _happened(self, client_order_id: str, happened: OrderInput, reason: str = "") -> None:
        self._publish(self._ledger.record_input(client_order_id, happened, now=trio.current_time(), reason=reason))

    def _end_unsent(self, client_order_id: str, reason: str) -> None:
        self._report(OrderRefused(self._name, client_order_id, reason))
        self._happened(client_order_id, OrderInput.NEVER_SENT, reason)

    def _lose_answer(self, client_order_id: str, reason: str) -> None:
        self._happened(client_order_id, OrderInput.ANSWER_LOST, reason)
        self._attention.set()

    def _tell_closing(self, text: str) -> None:
        self._report(ClosingProgressed(self._name, text))

    def _ask_now(self, client_order_id: str) -> None:
        """Have the watchdog ask about an order without waiting for its patience to run out."""
        self._to_ask_now.add(client_order_id)
        self._attention.set()

    def _publish(self, events: list[LedgerEvent]) -> None:
        for event in events:
            match event:
                case OrderChanged(_, order):
                    inbox = self._inboxes.get(order.request.owner)
                    if inbox is not None:
                        inbox.send_nowait(event)
                case BalanceChanged():
                    self._tell(event)
                    self._report(event)
                case _:
                    self._report(event)

    def _tell(self, event: InboxItem) -> None:
        """To every owner's inbox and to the report."""
        for inbox in self._inboxes.values():
            inbox.send_nowait(event)
        if not isinstance(event, BalanceChanged):
            self._report(event)

    # Static facts and time

    async def _keep_instruments(self) -> None:
        async for listed in self._instruments_receiver:
            self._instruments[listed.instrument.symbol] = listed.instrument

    async def _measure_clock(self) -> None:
        pause = 0.25
        while True:
            try:
                offset = await self._session.measure_clock_offset()
            except ASKING_ERRORS as error:
                self._report(AccountTrouble(self._name, "asking the exchange for its time", str(error)))
                await trio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                self._report(ClockOffsetMeasured(self._name, offset))
                return

    async def _keep_clock(self) -> None:
        while True:
            await trio.sleep(self._timing.clock_seconds)
            await self._measure_clock()


def _first_message(group: BaseExceptionGroup[BaseException]) -> str:
    """The message of the first leaf: the stream dies of one cause, its other tasks merely follow."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if isinstance(error, StreamLost | NetworkError) else type(error).__name__
