"""The quoting actor: has a strategy's quotes live on one symbol of one account, until it is stopped.

Theory of operation. A decision is: the newest of everything taken into one view, the strategy asked what should be live, what a
trading state or a limit forbids cut off, and the executor's requests sent. It is made at each tick of a fixed grid (ticks that
are late are skipped and counted), and in between when something happened that cannot wait: a fill, a book lost or stale, another
trading state, the account ready or lost, an order ended that nobody asked to, the market gone away from the last decision; and
when something is heard that the last plan was waiting for. One decision is carried out before the next is made, and none is
made while an order is on its way to the account.

The actor holds no order: orders live in the account, and what the cycle knows of them outlives it in its memory. When it dies, the
supervisor has the account cancel what it owns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from math import floor, inf
from typing import Any, Protocol

import msgspec
import trio
from msgspec.structs import replace

from actors.channels.bounded import BoundedSender
from actors.channels.latest import LatestReceiver
from actors.channels.reply import Reply
from actors.cycle.cause import message_time
from actors.cycle.inbox import CycleInput
from actors.cycle.others import OWN_ORDER_ECHO_SECONDS
from actors.cycle.quoting.contract import QuotingView, Wanted
from actors.cycle.quoting.executor import Placement, Plan, Surroundings, plan, tag_of
from actors.cycle.quoting.funds import Funds
from actors.cycle.quoting.limits import clipped, room_of
from actors.cycle.quoting.memory import QuotingMemory, SentAmendment
from actors.cycle.quoting.refusals import came_to_nothing
from actors.cycle.quoting.risk import RiskMeasured, risk_of
from actors.cycle.quoting.standing import permitted
from actors.cycle.quoting.terms import QuotingTerms
from actors.cycle.terms import TermsChanged
from market.events import BookChanged, BookLost, InstrumentListed, Side, TradeHappened
from market.symbol import Symbol
from market.touch import Touch, touch_of
from orders.commands import AccountCommand, AmendOrders, BalanceCapture, CancelOrders, CaptureBalances, PlaceOrder, PlaceOrders
from orders.events import AccountLost, AccountReady, BalanceChanged, OrderChanged, PositionCounted
from orders.identity import ClientOrderIds
from orders.order import Order
from orders.quoting import QuotingStarted, TicksSkipped
from orders.reconciliation import CyclePhaseChanged
from orders.request import OrderRequest, OrderType
from orders.states import StandingChanged
from orders.tally import Tally, TallyChanged

# A command that waited longer than this was decided on a market that is gone.
COMMAND_LIFETIME_SECONDS = 2.0
# An account that leaves so many unread is not at work: what was asked stands, and more of it would only fill its queue.
COMMANDS_UNREAD_MAX = 16
# Balances follow the orders that changed them within this, or not at all.
FUNDS_LAG_SECONDS = 0.5
# An account that restarts does not answer what its last incarnation was asked; then it is asked again.
CAPTURE_TIMEOUT_SECONDS = 15.0
SKIPPED_TICKS_TOLD_SECONDS = 60.0


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None: ...

    def progress(self) -> None: ...


class Market(msgspec.Struct, frozen=True):
    """One market on one exchange."""

    exchange: str
    symbol: Symbol


class QuotingActor:
    """Runs one quoting cycle. One incarnation: make a new one for each start, on the same memory, ids and channels.

    `terms` are the newest; when they change, the inbox brings others, which hold from the next decision on. `may_amend` says whether
    the exchange can. `reference` is the market whose book the strategy is shown besides its own. `report` takes every
    noteworthy event and never blocks.
    """

    def __init__(
        self,
        *,
        name: str,
        account: str,
        market: Market,
        reference: Market | None,
        terms: QuotingTerms,
        may_amend: bool,
        memory: QuotingMemory,
        ids: ClientOrderIds,
        inbox: LatestReceiver[CycleInput],
        commands: BoundedSender[AccountCommand],
        report: Callable[[object], None],
    ) -> None:
        self._name = name
        self._account = account
        self._market = market
        self._reference = reference
        self._terms = terms
        self._may_amend = may_amend
        self._memory = memory
        self._ids = ids
        self._inbox = inbox
        self._commands = commands
        self._report = report
        self._phase = ""
        self._next_tick_at = 0.0
        self._is_urgent = False
        self._is_waiting = False
        self._caused_at: float | None = None  # when the message arrived that the next decision answers
        self._decided_middle: Decimal | None = None
        self._had_book = False
        self._skipped_told_at = -inf
        self._leverage_reply: Reply[BalanceCapture] | None = None
        self._leverage_asked_at = -inf

    async def run(self, context: ActorContext) -> None:
        """Quote until cancelled. Cancelled: the memory says what is live and what was sent.

        Raises:
            StrategyFailed: the strategy gave up.
        """
        context.started()
        self._report(
            QuotingStarted(
                account=self._account,
                cycle=self._name,
                exchange=self._market.exchange,
                symbol=self._market.symbol,
                order_quote=self._terms.quote_quantity,
                tick_seconds=self._terms.tick_seconds,
            )
        )
        self._next_tick_at = trio.current_time()
        while True:
            await self._until_next_decision(context)
            await self._learn_leverage()
            decided = self._decide()
            if decided is not None:
                await self._carry_out(decided)

    # When to decide

    async def _until_next_decision(self, context: ActorContext) -> None:
        """Take in news until a tick is due, or something has happened that cannot wait."""
        self._learn_what_is_there()
        now = trio.current_time()
        if self._is_due(now):  # a decision upon a decision: others run in between
            await trio.lowlevel.checkpoint()
            self._learn_what_is_there()
            return
        while True:
            wake_at = self._wake_at(now)
            with trio.CancelScope(deadline=wake_at) as waiting:
                while True:
                    context.progress()
                    self._learn(await self._inbox.receive())
                    self._learn_what_is_there()
                    now = trio.current_time()
                    if self._is_due(now):
                        return
                    if self._wake_at(now) != wake_at:
                        waiting.deadline = wake_at = self._wake_at(now)
            self._learn_what_is_there()  # the time may have come in the very moment in which something arrived
            now = trio.current_time()
            if self._is_due(now):
                return

    def _is_due(self, now: float) -> bool:
        """Whether it is time for a decision; a tick that is due has then begun."""
        self._memory.forget_overdue(now)
        if now >= self._next_tick_at:
            self._begin_tick(now)
            return True
        if self._had_book and self._usable_book(now) is None:
            self._is_urgent = True
        return self._is_urgent and not self._memory.placing

    def _wake_at(self, now: float) -> float:
        """The tick, or before it the moment in which a book becomes stale or a command is overdue."""
        book, age_max = self._memory.book, self._terms.book_age_seconds_max
        stale_at = book.received_at + age_max if book is not None and self._had_book else inf
        due = [*self._memory.placing.values(), stale_at]
        # Just after: by then it is older, and not exactly as old, as it may be.
        return min(self._next_tick_at, max(now, min(due)) + 1e-6)

    def _begin_tick(self, now: float) -> None:
        """On to the next point of the grid that is not past, counting those that were missed."""
        tick = self._terms.tick_seconds
        late = floor((now - self._next_tick_at) / tick)
        self._next_tick_at += (late + 1) * tick
        self._sample(now)
        if late:
            self._memory.ticks_skipped += late
            if now - self._skipped_told_at >= SKIPPED_TICKS_TOLD_SECONDS:
                self._skipped_told_at = now
                self._report(TicksSkipped(account=self._account, cycle=self._name, skipped=self._memory.ticks_skipped))

    def _sample(self, now: float) -> None:
        history, book = self._memory.history, self._usable_book(now)
        if book is not None and self._terms.strategy.history_seconds:
            history.add_mid(now, (book.best_bid[0] + book.best_ask[0]) / 2)
        history.forget_before(now - self._terms.strategy.history_seconds)

    # Deciding

    def _decide(self) -> Plan | None:
        memory, now = self._memory, trio.current_time()
        if memory.instrument is None or memory.tally is None:
            self._is_urgent, self._caused_at = False, None
            self._enter("waiting for the market and the account")
            return None
        if memory.placing:
            self._is_urgent = True  # as soon as it is heard of
            return None  # an order is on its way to the account: no decision rests on half a view
        self._is_urgent = False
        view = self._view(memory.instrument, memory.tally, now)
        touch = None if view.book is None else touch_of(view.book)
        self._had_book, self._decided_middle = touch is not None, None if touch is None else touch.middle
        memory.refusals.look(view.orders, touch, now=now)
        self._measure(view)
        room = room_of(self._terms.limits, view.tally)
        wanted = clipped(permitted(self._terms.strategy.decide(view), memory.standing, view), room, view.instrument)
        found = plan(
            wanted,
            (*view.orders, *memory.unsettled_orders()),
            Surroundings(
                instrument=view.instrument,
                best_bid=None if touch is None else touch.bid,
                best_ask=None if touch is None else touch.ask,
                funds=self._funds(view, now),
                room=room,
                may_place=memory.account_ready,
                may_amend=self._may_amend,
                asked=memory.asked(),
                amending=memory.amendments_unread(),
                not_amendable=frozenset(memory.not_amendable),
                price_bounds=memory.refusals.price_bounds,
                pausing=memory.refusals.pausing(now),
            ),
        )
        self._is_waiting = found.is_waiting
        self._enter(self._phase_in_words(wanted, found))
        return found

    def _measure(self, view: QuotingView) -> None:
        meter = self._memory.meter
        meter.look(view.orders, now=view.now)
        if meter.is_due(view.now):
            self._report(RiskMeasured(self._account, self._name, self._market.symbol, risk_of(view, meter)))

    def _view(self, instrument: Any, tally: Tally, now: float) -> QuotingView:
        memory, symbol = self._memory, self._market.symbol
        base, quote = memory.balances.get(symbol.base), memory.balances.get(symbol.quote)
        book = self._usable_book(now)
        return QuotingView(
            now=now,
            instrument=instrument,
            book=book,
            reference_book=self._usable_reference_book(now),
            last_trade=memory.last_trade,
            history=memory.history,
            orders=memory.live_orders(),
            ended_orders=() if book is None else memory.ended_orders(since=book.received_at - OWN_ORDER_ECHO_SECONDS),
            order_quote=self._terms.quote_quantity,
            tally=tally,
            position=memory.position if instrument.is_contract else None,
            base_total=None if base is None else base.total,
            base_available=None if base is None else base.available,
            quote_total=None if quote is None else quote.total,
            quote_available=None if quote is None else quote.available,
            leverage=memory.leverage or Decimal(1),
            last_fills=memory.last_fills,
        )

    def _funds(self, view: QuotingView, now: float) -> Funds:
        """What was told, less what orders that it cannot contain yet will take of it."""
        memory, symbol = self._memory, self._market.symbol
        told = [balance.told_at for asset in (symbol.base, symbol.quote) if (balance := memory.balances.get(asset)) is not None]
        changed_at = memory.orders_changed_at
        funds = Funds(
            base_available=view.base_available,
            quote_available=view.quote_available,
            position=(view.position or Decimal(0)) if view.instrument.is_contract else None,
            leverage=view.leverage,
            are_settled=now - changed_at >= FUNDS_LAG_SECONDS or max(told, default=-inf) >= changed_at,
        )
        return funds.less(
            view.orders,
            base_told_at=_told_at(memory, symbol.base),
            quote_told_at=_told_at(memory, symbol.quote),
        )

    def _phase_in_words(self, wanted: Wanted, found: Plan) -> str:
        """What the strategy says, and what of it is not to be had."""
        symbol, memory = self._market.symbol, self._memory
        sold = symbol.quote if memory.instrument is not None and memory.instrument.is_contract else symbol.base
        short = {Side.BUY: f"too little {symbol.quote} for all bids", Side.SELL: f"too little {sold} for all asks"}
        words = [wanted.phase, *(short[side] for side in found.short), *memory.refusals.in_words()]
        return "; ".join(words if memory.account_ready else (wanted.phase, "waiting for the account"))

    def _usable_book(self, now: float) -> BookChanged | None:
        book = self._memory.book
        return None if book is None or now - book.received_at > self._terms.book_age_seconds_max else book

    def _usable_reference_book(self, now: float) -> BookChanged | None:
        book = self._memory.reference_book
        return None if book is None or now - book.received_at > self._terms.reference_age_seconds_max else book

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._report(CyclePhaseChanged(account=self._account, cycle=self._name, number=0, phase=phase))

    # Carrying out

    async def _carry_out(self, found: Plan) -> None:
        """Cancels first. What is sent is remembered only then: a cancelled send has sent nothing."""
        caused_at, self._caused_at = self._caused_at, None
        if self._commands.statistics().used >= COMMANDS_UNREAD_MAX:
            return
        until = trio.current_time() + COMMAND_LIFETIME_SECONDS
        memory = self._memory
        if found.cancels:
            cancels = tuple(order.client_order_id for order in found.cancels)
            await self._commands.send(CancelOrders(cancels, caused_at))
            memory.cancelling.update(dict.fromkeys(cancels, until))
        if found.amends:
            await self._commands.send(AmendOrders(tuple(replace(amend, expires_at=until, caused_at=caused_at) for amend in found.amends)))
            memory.amending.update({amend.client_order_id: SentAmendment(command=amend, until=until) for amend in found.amends})
        if found.places:
            requests = [self._request(placement) for placement in found.places]
            orders = tuple(PlaceOrder(request=request, expires_at=until, caused_at=caused_at) for request in requests)
            await self._commands.send(PlaceOrders(orders))
            memory.placing.update({request.client_order_id: until for request in requests})

    def _request(self, placement: Placement) -> OrderRequest:
        quote = placement.quote
        return OrderRequest(
            client_order_id=self._ids.next_id(),
            owner=self._name,
            symbol=self._market.symbol,
            side=quote.side,
            type=OrderType.LIMIT,
            time_in_force=quote.time_in_force,
            quantity=quote.quantity,
            price=quote.price,
            reduce_only=quote.reduce_only,
            tag=tag_of(placement.slot),
        )

    async def _learn_leverage(self) -> None:
        """Of contracts, ask the account once: how much margin a quote needs."""
        memory = self._memory
        if memory.leverage is not None or memory.instrument is None or not memory.account_ready:
            return
        if not memory.instrument.is_contract:
            memory.leverage = Decimal(1)
            return
        if self._leverage_reply is not None and self._leverage_reply.is_answered:
            try:
                memory.leverage = (await self._leverage_reply.wait()).leverages.get(self._market.symbol)
            except TimeoutError:
                self._leverage_reply = None
        elif trio.current_time() - self._leverage_asked_at >= CAPTURE_TIMEOUT_SECONDS:
            self._leverage_reply, self._leverage_asked_at = Reply[BalanceCapture](), trio.current_time()
            await self._commands.send(CaptureBalances(self._leverage_reply))

    # News

    def _learn_what_is_there(self) -> None:
        """One by one: what lies behind news that this incarnation dies of is left for the next, since nobody tells it again."""
        with contextlib.suppress(trio.WouldBlock):
            while True:
                self._learn(self._inbox.receive_nowait())

    def _learn(self, item: CycleInput) -> None:
        memory, now = self._memory, trio.current_time()
        match item:
            case BookChanged():
                self._learn_book(item)
            case BookLost():
                self._lose_book(item)
            case TradeHappened(exchange, symbol) if Market(exchange, symbol) == self._market:
                memory.last_trade = item
                if self._terms.strategy.history_seconds:
                    memory.history.add_trade(item)
            case InstrumentListed(instrument) if Market(instrument.exchange, instrument.symbol) == self._market:
                memory.instrument = instrument
            case OrderChanged(_, order):
                self._learn_order(order, now)
            case TallyChanged(_, _, symbol, tally) if symbol == self._market.symbol:
                memory.tally = tally
            case BalanceChanged():
                memory.keep_balance(item, now=now)
                self._is_urgent |= self._is_waiting
            case PositionCounted(_, symbol, quantity) if symbol == self._market.symbol:
                memory.position = quantity
            case StandingChanged(_, symbol, standing) if symbol == self._market.symbol:
                memory.standing = standing
                self._is_urgent = True
            case AccountReady():
                memory.account_ready = self._is_urgent = True
            case AccountLost():
                memory.account_ready, self._is_urgent = False, True
            case TermsChanged(terms) if isinstance(terms, QuotingTerms):
                self._go_by(terms)
            case _:
                pass

    def _learn_book(self, book: BookChanged) -> None:
        market = Market(book.exchange, book.symbol)
        if market == self._reference:
            self._memory.reference_book = book
        if market != self._market:
            return
        known, self._memory.book = self._memory.book, book
        if not self._had_book:
            self._is_urgent = True
        elif self._decided_middle is not None and self._terms.react_to_move_fraction:
            middle = touch_of(book).middle
            moved = abs(middle - self._decided_middle)
            if moved > self._terms.react_to_move_fraction * self._decided_middle:
                self._is_urgent = True
                self._note_cause(message_time(book, known))

    def _lose_book(self, lost: BookLost) -> None:
        market = Market(lost.exchange, lost.symbol)
        if market == self._reference:
            self._memory.reference_book = None
        if market == self._market:
            if self._had_book:
                self._is_urgent = True
                self._note_cause(message_time(lost, self._memory.book))
            self._memory.book = None

    def _note_cause(self, message_at: float | None) -> None:
        if self._caused_at is None:
            self._caused_at = message_at

    def _learn_order(self, order: Order, now: float) -> None:
        memory = self._memory
        news = memory.keep_order(order, now=now)
        if news.has_ended and came_to_nothing(order) and memory.instrument is not None:
            memory.refusals.note(order, self._touch(now), price_tick=memory.instrument.price_tick, now=now)
        self._is_urgent |= self._is_waiting or (news.has_ended and not news.was_asked_to)
        self._is_urgent |= (news.has_filled or bool(news.fills)) and self._terms.reacts_to_fills
        touch = self._touch(now)
        for fill in news.fills:
            memory.meter.note_fill(fill, None if touch is None else touch.middle)
        memory.meter.look(memory.live_orders(), now=now)

    def _touch(self, now: float) -> Touch | None:
        book = self._usable_book(now)
        return None if book is None else touch_of(book)

    def _go_by(self, terms: QuotingTerms) -> None:
        self._terms = terms
        self._next_tick_at = min(self._next_tick_at, trio.current_time() + terms.tick_seconds)
        self._is_urgent = True


def _told_at(memory: QuotingMemory, asset: str) -> float:
    balance = memory.balances.get(asset)
    return -inf if balance is None else balance.told_at
