"""The cycle actor: runs a controller's rounds on one symbol of one account.

Theory of operation. A round is: balances captured fresh from the exchange; the controller asked again and again, on every
settled view (after each batch of news, and at least once a tick), and its decision carried out by the executor; when the
controller says that the round is finished and nothing is live, balances captured again, and their difference compared with
what the fills and fees add up to, to the last digit. The actor holds no order: orders live in the account, and what the
cycle knows of them outlives it in its memory. When it dies, the supervisor has the account cancel what it owns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import trio

from actors.channels.bounded import BoundedSender
from actors.channels.latest import LatestReceiver
from actors.channels.reply import Reply
from actors.cycle.cause import message_time
from actors.cycle.inbox import CycleInput
from actors.cycle.others import book_price
from actors.cycle.rounds.controller import Controller, Decision, DesiredOrder, RoundView
from actors.cycle.rounds.executor import plan, tag_for
from actors.cycle.rounds.memory import CycleMemory
from actors.cycle.rounds.standing import permitted
from actors.cycle.terms import CycleTerms, TermsChanged
from market.clock import WallClock
from market.events import BookChanged, BookLost, InstrumentListed, Side
from market.instrument import Instrument, format_decimal
from market.symbol import Symbol
from orders.commands import AccountCommand, BalanceCapture, CancelOrder, CaptureBalances, PlaceOrder
from orders.events import AccountLost, AccountReady, OrderChanged, PositionCounted
from orders.identity import ClientOrderIds
from orders.order import ZERO, Order
from orders.positions import AVERAGE_PRICE_ROUNDING
from orders.reconciliation import CycleFinished, CyclePhaseChanged, CycleReconciled, CycleStarted
from orders.recording import Recorder
from orders.request import OrderRequest
from orders.rounds import RoundBegan
from orders.states import StandingChanged, TradingState

# A command that waited longer than this was decided on a market that is gone.
COMMAND_LIFETIME_SECONDS = 2.0
# An account that restarts does not answer what its last incarnation was asked; then it is asked again.
CAPTURE_TIMEOUT_SECONDS = 15.0
BALANCES_LAG_SECONDS_MAX = 10.0
BALANCES_LOOK_SECONDS = 1.0


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None: ...

    def progress(self) -> None: ...


class QuantityTooSmall(Exception):
    """The configured quantity can never be traded: below the exchange's minimum."""


class InsufficientFunds(Exception):
    """The account does not hold what a round needs."""


class BalancesDisagree(Exception):
    """A round's balances changed by something that its fills and fees do not explain."""


class CycleActor:
    """Runs one cycle. One incarnation: make a new one for each start, on the same memory, ids and channels.

    `terms` are the newest; when they change, the inbox brings others, which hold from the next decision on, but the quantity from
    the next round. `report` takes every noteworthy event and never blocks.
    """

    def __init__(
        self,
        *,
        name: str,
        account: str,
        symbol: Symbol,
        terms: CycleTerms[Controller],
        memory: CycleMemory,
        ids: ClientOrderIds,
        inbox: LatestReceiver[CycleInput],
        commands: BoundedSender[AccountCommand],
        wall_clock: WallClock,
        recorder: Recorder,
        report: Callable[[object], None],
    ) -> None:
        self._name = name
        self._account = account
        self._symbol = symbol
        self._terms = terms
        self._memory = memory
        self._ids = ids
        self._inbox = inbox
        self._commands = commands
        self._wall_clock = wall_clock
        self._recorder = recorder
        self._report = report
        self._phase = ""
        self._caused_at: float | None = None  # when the message arrived that the next decision answers

    async def run(self, context: ActorContext) -> None:
        """Run the rounds; returns when as many are done as the terms say. Cancelled: the memory says where the round stands.

        Raises:
            QuantityTooSmall: the quantity is below the instrument's minimum.
            InsufficientFunds: the quote balance does not cover a round.
            RoundFailed: the controller gave up.
            BalancesDisagree: a reconciliation did not agree.
        """
        context.started()
        self._learn_what_is_there()  # what was said while no incarnation lived comes before the first decision
        while self._has_rounds_left:
            await self._begin_round(context)
            if self._memory.before is not None:
                await self._trade(context)
                await self._reconcile(context)
        self._report(CycleFinished(account=self._account, cycle=self._name, cycles_completed=self._memory.rounds_completed))

    # A round

    @property
    def _has_rounds_left(self) -> bool:
        return not self._terms.rounds_max or self._memory.rounds_completed < self._terms.rounds_max

    async def _begin_round(self, context: ActorContext) -> None:
        """Begin the next, or go on with one that was begun; not if the last one turns out to have been enough."""
        memory = self._memory
        if memory.before is not None:
            return  # a crash came between: the round goes on
        self._enter("waiting for the market and the account")
        while not self._may_begin(self._memory):
            await self._wait_for_news(context)
            if not self._has_rounds_left:
                return
        quote_quantity = self._terms.quote_quantity
        if self._memory.instrument is None or self._memory.book is None:
            raise RuntimeError("a round begins only when the market is known")
        self._check_quantity(quote_quantity, self._memory.instrument, self._memory.book)
        before = await self._capture(context)
        available = before.available.get(self._symbol.quote, ZERO) * before.leverages.get(self._symbol, Decimal(1))
        if available < quote_quantity:
            raise InsufficientFunds(
                f"cycle {self._name} needs {format_decimal(quote_quantity)} {self._symbol.quote} on account {self._account} and "
                f"{format_decimal(available)} is available: lower its quantity or fund the account"
            )
        started_at_milliseconds = self._wall_clock.milliseconds()
        self._recorder.keep(
            RoundBegan(
                account=self._account,
                cycle=self._name,
                number=memory.round_number,
                symbol=self._symbol,
                before=before,
                carried_quantity=memory.carried_quantity,
                rounds_completed=memory.rounds_completed,
                started_at_milliseconds=started_at_milliseconds,
            )
        )
        memory.before, memory.started_at_milliseconds = before, started_at_milliseconds
        memory.quote_quantity = quote_quantity
        self._report(
            CycleStarted(
                account=self._account,
                cycle=self._name,
                number=memory.round_number,
                symbol=self._symbol,
                quote_quantity=quote_quantity,
            )
        )

    def _may_begin(self, memory: CycleMemory) -> bool:
        if memory.instrument is None or memory.book is None or not memory.account_ready:
            return False
        if memory.standing.state is not TradingState.RUN:
            self._enter(f"waiting: {memory.standing.words}")
            return False
        return True

    def _check_quantity(self, quote_quantity: Decimal, instrument: Instrument, book: BookChanged) -> None:
        smallest = instrument.notional_min
        if instrument.is_contract:
            smallest = max(smallest, instrument.quantity_min * book_price(book.best_ask))
        if quote_quantity < smallest:
            raise QuantityTooSmall(
                f"cycle {self._name}: quantity {format_decimal(quote_quantity)} {self._symbol.quote} is below the minimum of "
                f"{format_decimal(smallest)} {self._symbol.quote} for {self._symbol} on {instrument.exchange}"
            )

    async def _trade(self, context: ActorContext) -> None:
        self._caused_at = None  # what the first decision answers is that balances are known, and no message from before that
        while True:
            decision = self._decide()
            if decision is not None:
                self._enter(decision.phase)
                await self._carry_out(decision)
                if decision.finished and not any(not order.is_terminal for order in self._memory.round_orders()):
                    return
            await self._wait_for_news(context)

    def _decide(self) -> Decision | None:
        # An account that has not spoken of a command by its expiry has not read it and would refuse it now (it may have
        # crashed on it): the order was never written down, and never will be.
        now = trio.current_time()
        self._memory.placing = {slot: awaited for slot, awaited in self._memory.placing.items() if now <= awaited[1]}
        if self._memory.instrument is None or self._memory.placing:
            return None  # an order is on its way to the account: no decision rests on half a view
        view = RoundView(
            now=trio.current_time(),
            instrument=self._memory.instrument,
            book=self._usable_book(),
            orders=self._memory.round_orders(),
            carried_quantity=self._memory.carried_quantity,
            quote_quantity=self._terms.quote_quantity if self._memory.quote_quantity is None else self._memory.quote_quantity,
            position_before=self._position_before(),
            # Behind a closed gate a stop may close it, and its order is none of the round's.
            position=self._memory.position if self._memory.account_ready else None,
        )
        return permitted(self._terms.strategy.decide(view), self._memory.standing, view)

    def _position_before(self) -> Decimal:
        before = self._memory.before
        return before.totals.get(self._symbol.base, ZERO) if before is not None and self._is_contract else ZERO

    @property
    def _is_contract(self) -> bool:
        return self._memory.instrument is not None and self._memory.instrument.is_contract

    async def _carry_out(self, decision: Decision) -> None:
        caused_at, self._caused_at = self._caused_at, None
        actions = plan(decision, self._memory.round_orders(), may_place=self._memory.account_ready)
        for order in actions.cancels:
            await self._commands.send(CancelOrder(order.client_order_id, caused_at))
        for desired in actions.places:
            await self._place(desired, caused_at)

    async def _place(self, desired: DesiredOrder, caused_at: float | None) -> None:
        request = OrderRequest(
            client_order_id=self._ids.next_id(),
            owner=self._name,
            symbol=self._symbol,
            side=desired.side,
            type=desired.type,
            time_in_force=desired.time_in_force,
            quantity=desired.quantity,
            quote_quantity=desired.quote_quantity,
            price=desired.price,
            reduce_only=desired.reduce_only,
            tag=tag_for(self._memory.round_number, desired.slot),
        )
        expires_at = trio.current_time() + COMMAND_LIFETIME_SECONDS
        await self._commands.send(PlaceOrder(request=request, expires_at=expires_at, caused_at=caused_at))
        # Only now: a cancelled send has sent nothing, and what the account says of the order is read after this.
        self._memory.placing[desired.slot] = (request.client_order_id, expires_at)

    async def _reconcile(self, context: ActorContext) -> None:
        self._enter("reconciling")
        while not all(order.is_settled for order in self._memory.round_orders()):
            await self._wait_for_news(context)
        give_up_at = trio.current_time() + BALANCES_LAG_SECONDS_MAX
        reconciled = self._compare(await self._capture(context))
        while not reconciled.agrees and trio.current_time() < give_up_at:
            # The exchange's balances may lag behind its trades. Not at each piece of news: every look is a signed request.
            await self._wait_until(trio.current_time() + BALANCES_LOOK_SECONDS, context)
            reconciled = self._compare(await self._capture(context))
        self._recorder.keep(reconciled)
        self._report(reconciled)
        if not reconciled.agrees:
            raise BalancesDisagree(
                f"cycle {self._name}, round {reconciled.number}: balances changed by {_amounts(reconciled.differences())} more than "
                "the fills and fees explain; look at the account's history before trading on"
            )
        self._memory.end_round(reconciled)

    async def _wait_until(self, deadline: float, context: ActorContext) -> None:
        """Take in news until then."""
        while trio.current_time() < deadline:
            await self._wait_for_news(context)

    def _compare(self, after: BalanceCapture) -> CycleReconciled:
        memory, before = self._memory, self._memory.before
        if before is None:
            raise RuntimeError("a round is reconciled only after its balances were captured")
        base, quote = self._symbol.base, self._symbol.quote
        orders = memory.round_orders()
        fees: dict[str, Decimal] = {}
        for order in orders:
            for fill in order.fills:
                fees[fill.fee_asset] = fees.get(fill.fee_asset, ZERO) + fill.fee
        assets = sorted({base, quote, *fees})
        expected = {asset: after.fill_changes.get(asset, ZERO) - before.fill_changes.get(asset, ZERO) for asset in assets}
        actual = {asset: after.totals.get(asset, ZERO) - before.totals.get(asset, ZERO) for asset in assets}
        named = {asset: after.unexplained.get(asset, ZERO) - before.unexplained.get(asset, ZERO) for asset in assets}
        own_changes = _sum_changes(orders)
        bought_quote, sold_quote = _filled_quote(orders, Side.BUY), _filled_quote(orders, Side.SELL)
        funding = after.funding.get(self._symbol, ZERO) - before.funding.get(self._symbol, ZERO)
        # The positions of all symbols are paid for out of one wallet.
        positions = [total for capture in (before, after) for asset, total in capture.totals.items() if asset != quote]
        is_open = self._is_contract and any(positions)
        return CycleReconciled(
            account=self._account,
            cycle=self._name,
            number=memory.round_number,
            symbol=self._symbol,
            bought_quantity=_filled(orders, Side.BUY),
            bought_quote=bought_quote,
            sold_quantity=_filled(orders, Side.SELL),
            sold_quote=sold_quote,
            fees=fees,
            balances_before={asset: before.totals.get(asset, ZERO) for asset in assets},
            balances_after={asset: after.totals.get(asset, ZERO) for asset in assets},
            expected_changes=expected,
            actual_changes=actual,
            left_over_quantity=memory.carried_quantity + own_changes.get(base, ZERO),
            profit_quote=own_changes.get(quote, ZERO) + funding,
            funding=funding,
            unexplained={asset: amount for asset, amount in named.items() if amount},
            rounding=(bought_quote + sold_quote) * AVERAGE_PRICE_ROUNDING if is_open else ZERO,
            started_at_milliseconds=memory.started_at_milliseconds,
            ended_at_milliseconds=self._wall_clock.milliseconds(),
        )

    # News

    async def _wait_for_news(self, context: ActorContext) -> None:
        """Take in all that has arrived, waiting at most one tick for it."""
        context.progress()
        with trio.move_on_after(self._terms.tick_seconds):
            self._learn(await self._inbox.receive())
        self._learn_what_is_there()  # a tick may have ended in the very moment in which something arrived

    def _learn_what_is_there(self) -> None:
        """One by one: what lies behind news that this incarnation dies of is left for the next, since nobody tells it again."""
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self._learn(self._inbox.receive_nowait())

    def _learn(self, item: CycleInput) -> None:
        if isinstance(item, BookChanged | BookLost) and self._caused_at is None:
            self._caused_at = message_time(item, self._memory.book)
        match item:
            case BookChanged():
                self._memory.book = item
            case BookLost():
                self._memory.book = None
            case InstrumentListed(instrument):
                self._memory.instrument = instrument
            case OrderChanged(_, order):
                self._learn_order(order)
            case PositionCounted(_, symbol, quantity) if symbol == self._symbol:
                self._memory.position = quantity
            case StandingChanged(_, symbol, standing) if symbol == self._symbol:
                self._memory.standing = standing
            case AccountReady():
                self._memory.account_ready = True
            case AccountLost():
                self._memory.account_ready = False
            case TermsChanged(terms):
                self._terms = terms
            case _:
                pass

    def _learn_order(self, order: Order) -> None:
        slot = order.request.tag.rpartition(":")[2]
        awaited, _ = self._memory.placing.get(slot, ("", 0.0))
        if awaited == order.client_order_id:
            del self._memory.placing[slot]
        # What an earlier run flattened with is in the round that this one goes on with, under a tag of its own.
        if order.request.tag == tag_for(self._memory.round_number, slot) or order.client_order_id in self._memory.orders:
            self._memory.keep_order(order)

    def _usable_book(self) -> BookChanged | None:
        if self._memory.book is None or trio.current_time() - self._memory.book.received_at > self._terms.book_age_seconds_max:
            return None
        return self._memory.book

    async def _capture(self, context: ActorContext) -> BalanceCapture:
        """Balances fresh from the exchange; news goes on being taken in meanwhile. Asks again when the account restarted."""
        while True:
            reply = Reply[BalanceCapture]()
            await self._commands.send(CaptureBalances(reply))
            deadline = trio.current_time() + CAPTURE_TIMEOUT_SECONDS
            while not reply.is_answered and trio.current_time() < deadline:
                await self._wait_for_news(context)
            if reply.is_answered:
                try:
                    return await reply.wait()
                except TimeoutError:
                    continue

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._report(CyclePhaseChanged(account=self._account, cycle=self._name, number=self._memory.round_number, phase=phase))


def _filled(orders: tuple[Order, ...], side: Side) -> Decimal:
    return sum((fill.quantity for order in orders for fill in order.fills if fill.side is side), ZERO)


def _filled_quote(orders: tuple[Order, ...], side: Side) -> Decimal:
    return sum((fill.quantity * fill.price for order in orders for fill in order.fills if fill.side is side), ZERO)


def _sum_changes(orders: tuple[Order, ...]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for order in orders:
        for asset, change in order.asset_changes().items():
            total[asset] = total.get(asset, ZERO) + change
    return total


def _amounts(amounts: dict[str, Decimal]) -> str:
    return ", ".join(f"{format_decimal(amount)} {asset}" for asset, amount in amounts.items() if amount)
