"""The account actor: one credential at one exchange, kept in agreement with the exchange, carrying out commands.

Theory of operation. The private stream is opened first and the snapshot (open orders, fates, fills, balances) is taken
over REST while it already listens, so that nothing falls between the two; ready means that this was done and agrees, down
to the balances, which fills must explain or a policy answer for (`comparison.py`). From then on the stream comes first;
while it is broken, REST is asked instead, and after each reconnect the snapshot is taken again. Every report goes through
the ledger, which alone decides what it changes; each order's newest state goes to its owner's inbox. The actor cancels
nothing when it dies: the supervisor closes the account then (`closing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, cast

import trio

from actors.accounts.balance_desk import BalanceDesk
from actors.accounts.batch_desk import BatchDesk
from actors.accounts.bookkeeper import Bookkeeper, Inbox
from actors.accounts.closing import close_orders
from actors.accounts.codec import ProtocolError
from actors.accounts.comparison import RETRY_PAUSE_SECONDS, RETRY_PAUSE_SECONDS_MAX, ComparisonDesk
from actors.accounts.credential import Credential
from actors.accounts.dead_mans_switch import DeadMansSwitch
from actors.accounts.events import (
    AccountConnected,
    AccountDisconnected,
    AccountTrouble,
    ClockOffsetMeasured,
    ClosingProgressed,
    OrderRefused,
)
from actors.accounts.flatten_desk import FlattenDesk
from actors.accounts.forgotten_trades import forgotten_trade
from actors.accounts.funds_desk import FundsDesk
from actors.accounts.gate import OrderGate
from actors.accounts.inquiry import ASKING_ERRORS, InquiryDesk
from actors.accounts.limits import AccountLimits
from actors.accounts.measures import AccountMeasures
from actors.accounts.memory import AccountMemory
from actors.accounts.order_desk import OrderDesk
from actors.accounts.order_entry import OrderEntry
from actors.accounts.policies import AccountPolicies, ForeignOrders
from actors.accounts.position_desk import PositionDesk
from actors.accounts.session import AccountSession
from actors.accounts.standing_desk import StandingDesk
from actors.accounts.stream import STREAM_ERRORS, PrivateStream, SubscriptionRefused, open_private_stream
from actors.accounts.stream_requests import StreamRequests
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from actors.accounts.unknown_orders import UnknownOrders
from actors.channels.bounded import BoundedReceiver
from actors.channels.latest import LatestReceiver
from market.events import InstrumentListed
from market.instrument import Instrument
from market.symbol import Symbol
from network.backoff import Backoff
from network.breaker import BreakerState
from orders.commands import (
    AccountCommand,
    AmendOrder,
    AmendOrders,
    CancelOrder,
    CancelOrders,
    CaptureBalances,
    CloseOwner,
    ClosePosition,
    FlattenOwner,
    PlaceOrder,
    PlaceOrders,
)
from orders.errors import ErrorKind, ExchangeError
from orders.events import (
    AccountLost,
    AccountReady,
    ForeignOrderSeen,
    LeftoverOrderFound,
    OrderEnded,
    OrderFateUnknown,
    OrderFilled,
    OrderPlaced,
)
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.order import Order
from orders.recording import Recorder
from orders.reports import ReportedStatus
from orders.states import TradingState, account_scope, cycle_scope

LOSS_SECONDS = 1.0
BEING_ALONE = "being the only program of this installation"
REFUSALS_MAX = 3  # of the private stream in a row, with the clocks compared in between


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None:
        """Ready: called once."""
        ...

    def progress(self) -> None:
        """Alive: called at least as often as the liveness time-out asks."""
        ...


class AccountActor:
    """Runs one account. One incarnation: make a new one for each start, on the same ledger, gate, rules and channels.

    `symbols` are those that are traded; of contracts, each gets `leverage` (None: left as it is) before the first order.
    `memory` is what earlier incarnations and runs knew of the exchange's word besides the ledger.
    `instruments` brings the rules of what may be traded, which are kept in `rules`; `inboxes` are the owners' ends by owner.
    `report` takes every noteworthy event and never blocks. The caller opens and closes the session's connection.
    """

    def __init__(
        self,
        *,
        session: AccountSession,
        credential: Credential,
        websocket_url: str,
        ledger: AccountLedger,
        gate: OrderGate,
        states: TradingStates,
        commands: BoundedReceiver[AccountCommand],
        instruments: LatestReceiver[InstrumentListed],
        rules: dict[Symbol, Instrument],
        switch: DeadMansSwitch,
        symbols: Sequence[Symbol],
        leverage: Decimal | None,
        inboxes: Mapping[str, Inbox],
        recorder: Recorder,
        memory: AccountMemory,
        policies: AccountPolicies,
        limits: AccountLimits,
        measures: AccountMeasures,
        timing: AccountTiming,
        backoff: Backoff,
        report: Callable[[object], None],
    ) -> None:
        self._session = session
        self._credential = credential
        self._websocket_url = websocket_url
        self._ledger = ledger
        self._commands = commands
        self._instruments = instruments
        self._rules = rules
        self._switch = switch
        self._gate = gate
        self._states = states
        self._limits = limits
        self._timing = timing
        self._backoff = backoff
        self._report = report
        self._name = ledger.account
        self._is_listening = False
        self._measures = measures
        self._books = Bookkeeper(
            ledger=ledger,
            inboxes=inboxes,
            recorder=recorder,
            report=self._heed,
            measures=measures,
            exchange_time_milliseconds=session.exchange_time_milliseconds,
        )
        self._symbols = tuple(symbols)
        self._memory = memory
        self._readiness = memory.readiness
        self._policies = policies
        self._positions = PositionDesk(
            session=session,
            bookkeeper=self._books,
            symbols=symbols,
            leverage=leverage,
            known_until_milliseconds=memory.trades_known_until_milliseconds,
        )
        balances = BalanceDesk(
            ledger=ledger,
            agreement=memory.agreement,
            symbols=symbols,
            states=states,
            policies=policies,
            recorder=recorder,
            report=report,
        )
        self._unknown = UnknownOrders(
            bookkeeper=self._books,
            states=states,
            timing=timing,
            limit_at_stake=limits.at_stake,
        )
        self._may_probe = trio.Event()
        self._requests = StreamRequests()
        self._entry = OrderEntry(session=session, requests=self._requests)
        self._funds = FundsDesk(session=session, bookkeeper=self._books, symbols=self._symbols)
        self._desk = OrderDesk(
            bookkeeper=self._books,
            entry=self._entry,
            gate=gate,
            states=states,
            limits=limits,
            timing=timing,
            rules=rules,
            ask_now=lambda client_order_id: self._inquiry.ask_now(client_order_id),
            doubt_funds=self._funds.doubt,
        )
        self._batches = BatchDesk(desk=self._desk, bookkeeper=self._books, session=session)
        self._standings = StandingDesk(
            bookkeeper=self._books,
            states=states,
            symbols=self._symbols,
            timing=timing,
            entry=self._entry,
            desk=self._desk,
            batches=self._batches,
        )
        self._inquiry: InquiryDesk = InquiryDesk(
            bookkeeper=self._books,
            session=session,
            timing=timing,
            is_in_flight=self._desk.is_in_flight,
            is_listening=lambda: self._is_listening,
            cancel=self._desk.cancel,
            doubt_funds=self._funds.doubt,
        )
        self._flattening = FlattenDesk(
            session=session,
            bookkeeper=self._books,
            gate=gate,
            states=states,
            rules=rules,
            middle=limits.account.middle,
            is_in_flight=self._desk.is_in_flight,
        )
        self._comparison = ComparisonDesk(
            session=session,
            bookkeeper=self._books,
            inquiry=self._inquiry,
            positions=self._positions,
            funds=self._funds,
            balances=balances,
            memory=memory,
            symbols=self._symbols,
            timing=timing,
            is_in_flight=self._desk.is_in_flight,
        )

    async def run(self, context: ActorContext) -> None:
        """Run until cancelled. Whatever ends it, owners are told that the account is lost; orders are left to closing.

        Raises:
            ExchangeError: the exchange refuses the credential (possibly inside an exception group).
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._learn_instruments)
                nursery.start_soon(self._readiness.watch)
                nursery.start_soon(self._look_again, context)
                self._readiness.lose("the exchange's time")
                await self._measure_clock()
                await nursery.start(self._keep_listening)
                await self._switch.arm(self._session)
                self._limits.account.has_compared = True
                context.started()
                self._books.tell_positions(self._symbols)
                self._books.tell_tallies(self._symbols)
                self._standings.tell()
                self._tell_ready()
                nursery.start_soon(self._standings.keep_telling)
                nursery.start_soon(self._standings.keep_pulling)
                nursery.start_soon(self._probe_exchange)
                nursery.start_soon(self._watch_losses)
                nursery.start_soon(self._carry_out_commands, nursery)
                nursery.start_soon(self._inquiry.watch, context.progress)
                nursery.start_soon(self._comparison.periodically)
                nursery.start_soon(self._funds.watch)
                nursery.start_soon(self._keep_clock)
                nursery.start_soon(self._switch.keep, self._session)
        finally:
            self._books.tell(AccountLost(self._name, "the account actor has stopped"))

    # Listening

    async def _keep_listening(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the private stream open for ever; `started` once the first snapshot agrees and nothing old is live."""
        is_first, refusals = True, 0
        while True:
            self._readiness.lose("the private stream")
            try:
                async with open_private_stream(self._websocket_url, session=self._session, credential=self._credential) as (stream, early):
                    refusals = 0
                    self._measures.connections += 1
                    self._report(AccountConnected(self._name))
                    self._books.take_all(early)
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._listen, stream)
                        nursery.start_soon(stream.keep_alive)
                        if is_first:
                            # Nothing of an earlier run may trade on while we wait for balances to agree.
                            await self._comparison.until_answered("first look")
                            await self._sweep()
                            await self._prepare_positions()
                        if not is_first or not self._comparison.agrees_in_all:
                            await self._comparison.until_agreed("first look" if is_first else "stream is back")
                        self._is_listening = True
                        self._readiness.gain()
                        self._backoff.reset()
                        if is_first:
                            is_first = False
                            task_status.started()
                        else:
                            self._tell_ready()
            except* STREAM_ERRORS as group:
                self._lose_stream(_first_message(group))
            except* SubscriptionRefused as group:
                refusals += 1
                if refusals >= REFUSALS_MAX:
                    raise
                # Perhaps one of the clocks has jumped since they were compared: signed by the right time it may be accepted.
                self._lose_stream(_first_message(group))
                await self._measure_clock()
            await self._wait_for_reconnect(polling=not is_first)

    async def _listen(self, stream: PrivateStream) -> None:
        with self._requests.carried_by(stream):
            while True:
                try:
                    reports = await stream.receive()
                    self._measures.private_frames += 1
                except ProtocolError as error:
                    # What it would have said is asked for instead.
                    self._report(AccountTrouble(self._name, "reading the private stream", str(error)))
                    await self._comparison.until_agreed("a frame could not be read")
                    continue
                self._requests.hear(reports)
                self._books.take_all(reports)

    def _lose_stream(self, reason: str) -> None:
        self._measures.disconnections += 1
        self._report(AccountDisconnected(self._name, reason))
        self._readiness.lose(f"the private stream: {reason}")
        if self._is_listening:
            self._is_listening = False
            self._books.tell(AccountLost(self._name, reason))

    async def _wait_for_reconnect(self, *, polling: bool) -> None:
        """Back off; meanwhile follow our orders over REST."""
        with trio.move_on_after(self._backoff.next_delay_seconds()):
            while polling:
                await trio.sleep(self._timing.poll_seconds)
                await self._comparison.try_once("the stream is broken")
            await trio.sleep_forever()

    # Agreement with the exchange

    async def _prepare_positions(self) -> None:
        pause_seconds = RETRY_PAUSE_SECONDS
        while True:
            try:
                await self._positions.prepare()
            except ASKING_ERRORS as error:
                if isinstance(error, ExchangeError) and error.kind is ErrorKind.AUTHENTICATION:
                    raise
                self._report(AccountTrouble(self._name, "preparing to trade contracts", str(error)))
                self._readiness.say(f"position mode and leverage: {error}")
                await trio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, RETRY_PAUSE_SECONDS_MAX)
            else:
                return

    async def _sweep(self) -> None:
        """Before the first command: end whatever of ours an earlier run or incarnation may have left live."""
        self._readiness.say("the end of what earlier runs have left open")
        await close_orders(session=self._session, ledger=self._ledger, publish=self._books.publish, progress=self._tell_closing)

    # Commands

    async def _carry_out_commands(self, nursery: trio.Nursery) -> None:
        async for command in self._commands:
            match command:
                case PlaceOrder():
                    # Written down before the next command is read: the order of commands is kept.
                    if self._desk.accept(command):
                        nursery.start_soon(self._desk.place, command)
                case CancelOrder(client_order_id, caused_at):
                    for order in self._live((client_order_id,)):
                        nursery.start_soon(self._desk.cancel, order, caused_at)
                case AmendOrder():
                    nursery.start_soon(self._desk.amend, command)
                case PlaceOrders(commands):
                    nursery.start_soon(self._batches.place, [one for one in commands if self._desk.accept(one)])
                case CancelOrders(client_order_ids, caused_at):
                    nursery.start_soon(self._batches.cancel, self._live(client_order_ids), caused_at)
                case AmendOrders(commands):
                    nursery.start_soon(self._batches.amend, commands)
                case CloseOwner():
                    nursery.start_soon(self._close_owner, command)
                case CaptureBalances():
                    nursery.start_soon(self._comparison.capture, command)
                case ClosePosition():
                    nursery.start_soon(self._close_position, command)
                case FlattenOwner():
                    nursery.start_soon(self._flattening.carry_out, command)

    def _live(self, client_order_ids: Iterable[str]) -> list[Order]:
        """Those of these orders that may still trade."""
        orders = (self._ledger.order(client_order_id) for client_order_id in dict.fromkeys(client_order_ids))
        return [order for order in orders if order is not None and not order.is_terminal]

    async def _close_owner(self, command: CloseOwner) -> None:
        await close_orders(
            session=self._session,
            ledger=self._ledger,
            publish=self._books.publish,
            progress=self._tell_closing,
            owner=command.owner,
            in_flight=self._desk.is_in_flight,
        )
        command.answer.answer(tuple(self._ledger.live_orders(command.owner)))

    async def _close_position(self, command: ClosePosition) -> None:
        try:
            order = await self._positions.closing_order(command)
        except ASKING_ERRORS as error:
            self._report(OrderRefused(self._name, command.client_order_id, f"the position could not be looked up: {error}"))
            return
        if order is None:
            self._report(OrderRefused(self._name, command.client_order_id, f"there is no position in {command.symbol} to close"))
        elif self._desk.accept(order):
            await self._desk.place(order)

    def _tell_ready(self) -> None:
        """Behind a closed gate nothing can be placed, so nobody is told to begin."""
        if self._gate.closed_reason is None:
            self._books.tell(AccountReady(self._name))

    def _tell_closing(self, text: str) -> None:
        self._report(ClosingProgressed(self._name, text))

    # What is not as it should be

    def _heed(self, event: object) -> None:
        """Every event of the ledger on its way to people."""
        self._report(event)
        trade = forgotten_trade(event, self._ledger, is_of_an_earlier_run=self._memory.is_of_an_earlier_run)
        if trade is not None and self._memory.goes_on:
            self._states.tighten(cycle_scope(trade.owner), TradingState.HALTED, trade.reason)
        match event:
            case OrderFateUnknown() | OrderPlaced() | OrderFilled() | OrderEnded():
                self._unknown.look()
            case ForeignOrderSeen(_, report) if (
                report.status is ReportedStatus.OPEN and self._policies.foreign_orders is ForeignOrders.HALT
            ):
                reason = f"order {report.exchange_order_id} in {report.symbol} is open and not ours (foreign_orders)"
                self._states.tighten(account_scope(self._name), TradingState.HALTED, reason)
            case LeftoverOrderFound(_, order):
                # Nobody here wants it: it may have arrived after the sweep. The inquiry desk sees to its end.
                self._books.happened(order.client_order_id, OrderInput.CANCEL_ASKED)
                if not self._memory.is_of_another_program(order.client_order_id):
                    return
                self._report(
                    AccountTrouble(
                        self._name,
                        BEING_ALONE,
                        f"order {order.client_order_id} was placed after this run began, and not by it: another program trades on this "
                        "account under the same installation, and each cancels what the other has open; stop one of them",
                    )
                )
            case _:
                pass

    # What only time tells

    async def _watch_losses(self) -> None:
        """What is held loses without anybody trading."""
        while True:
            self._limits.look_at_losses()
            await trio.sleep(LOSS_SECONDS)

    async def _look_again(self, context: ActorContext) -> None:
        """Have those look who go by the time that has passed: nobody tells them of it, and of what they are told a word may be lost."""
        while True:
            self._unknown.look()
            self._inquiry.look(context.progress)
            if self._is_probe_due():
                self._may_probe.set()
            await trio.sleep(self._timing.watchdog_seconds)

    async def _probe_exchange(self) -> None:
        """Once the circuit breaker lets a request through, make one: quotes were pulled, and nobody else may have anything to ask."""
        while True:
            await self._may_probe.wait()
            self._may_probe = trio.Event()
            if self._is_probe_due():
                await self._comparison.try_once("the exchange may answer again")

    def _is_probe_due(self) -> bool:
        return self._session.limits.breaker.state is BreakerState.HALF_OPEN

    # Static facts and time

    async def _learn_instruments(self) -> None:
        async for listed in self._instruments:
            self._rules[listed.instrument.symbol] = listed.instrument

    async def _measure_clock(self) -> None:
        pause_seconds = RETRY_PAUSE_SECONDS
        while True:
            try:
                offset_milliseconds = await self._session.measure_clock_offset()
            except ASKING_ERRORS as error:
                self._report(AccountTrouble(self._name, "asking the exchange for its time", str(error)))
                self._readiness.say(f"the exchange's time: {error}")
                await trio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, RETRY_PAUSE_SECONDS_MAX)
            else:
                self._report(ClockOffsetMeasured(self._name, offset_milliseconds))
                return

    async def _keep_clock(self) -> None:
        while True:
            await trio.sleep(self._timing.clock_seconds)
            await self._measure_clock()


def _first_message(group: BaseExceptionGroup[BaseException]) -> str:
    """The message of the first leaf: the stream dies of one cause, its other tasks merely follow."""
    first = group.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _first_message(cast("BaseExceptionGroup[BaseException]", first))
    return str(first) or type(first).__name__
