"""What the live view knows: every event folded into a bounded picture, synchronously."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from actors.accounts.events import AccountNotReady
from actors.cycle.quoting.risk import RiskMeasured
from assembly.presenter.cycle_memory import CycleMemory
from assembly.presenter.phrases import phrase, printable
from assembly.presenter.report import LogLine, Notice, RuntimeStopping, StopAwaited
from assembly.presenter.vocabulary import level_of, tell
from market.events import BookChanged, BookLost, FundingRateChanged, MarkPriceChanged, TickerChanged, TradeHappened
from market.symbol import Symbol
from orders import events as order_events
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CycleFinished, CyclePhaseChanged, CycleReconciled, CycleStarted
from orders.reports import PositionReport
from orders.states import RestraintLifted, RestraintPlaced, StateEntered, StateRecovered, TradingState

FILLS_KEPT = 8
NEWS_KEPT = 20
GATES_CLOSE_MILLISECONDS = 500  # the gates close before the stop is told
UNWORDED_KEPT = 200  # more cannot be seen between two pictures
ENDED_ORDERS_KEPT = 3
LIVE_ORDERS_KEPT_MAX = 2000  # as many as a ledger remembers


class CycleProgress(msgspec.Struct):
    """Where a cycle stands."""

    account: str = ""
    symbol: Symbol | None = None
    number: int = 0
    phase: str = ""
    reconciled: int = 0
    disagreed: int = 0
    since_milliseconds: int = 0
    """The wall time at which the phase began."""
    ended_for: str = ""
    """Why it ended, if that is no good end."""


class ShownOrder(msgspec.Struct, frozen=True):
    """An order, and the wall time at which it was last told of."""

    account: str
    order: Order
    time_milliseconds: int


class Standing(msgspec.Struct, frozen=True):
    """Whether an account is ready or lost, since which wall time, and why."""

    is_ready: bool
    since_milliseconds: int
    reason: str = ""


class LostBook(msgspec.Struct, frozen=True):
    """Why a book is lost, and since which wall time."""

    reason: str
    since_milliseconds: int


class ShownState(msgspec.Struct, frozen=True):
    """A scope that is not in `run`. `since_milliseconds` is a wall time; with a `cause` it ends by itself."""

    scope: str
    state: TradingState
    reason: str
    since_milliseconds: int
    cause: str = ""


class NewsLine(msgspec.Struct, frozen=True):
    """A line of the log section."""

    time_milliseconds: int
    level: str
    text: str


class LiveState:
    """Change it with `fold` only. Every collection in it is bounded."""

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self._redact = redact
        self.books: dict[tuple[str, Symbol], BookChanged] = {}
        self.lost_books: dict[tuple[str, Symbol], LostBook] = {}
        self.orders: dict[str, ShownOrder] = {}
        """Live ones by their id, those last told of at the end."""
        self.ended_orders: deque[ShownOrder] = deque(maxlen=ENDED_ORDERS_KEPT)
        self.fills: deque[tuple[int, order_events.OrderFilled]] = deque(maxlen=FILLS_KEPT)
        self.balances: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        self.balances_at: dict[str, int] = {}
        """When an account told of one last."""
        self.positions: dict[str, dict[Symbol, PositionReport]] = {}
        self.positions_at: dict[tuple[str, Symbol], int] = {}
        self.accounts: dict[str, Standing] = {}
        self.not_ready: dict[str, Standing] = {}
        """Accounts that have been waiting for long until they are ready."""
        self.cycles: dict[str, CycleProgress] = {}
        self.memory = CycleMemory()
        self._news: deque[NewsLine] = deque(maxlen=NEWS_KEPT)
        self._unworded: deque[tuple[int, object]] = deque(maxlen=UNWORDED_KEPT)
        self.stopping: str = ""
        self.stopping_since_milliseconds = 0
        self.states: dict[tuple[str, str], ShownState] = {}
        """By scope and cause; what was declared has none."""

    @property
    def news(self) -> Sequence[NewsLine]:
        """The log section, oldest first."""
        while self._unworded:
            self._put_into_words(*self._unworded.popleft())
        return self._news

    def fold(self, time_milliseconds: int, event: object) -> None:
        """Take in an event. Every book comes by here: what is to be put into words is, when it is looked at."""
        kind = type(event)
        change = _CHANGES.get(kind)
        if change is not None:
            change(self, time_milliseconds, event)
        if kind not in _NO_NEWS:
            self._unworded.append((time_milliseconds, event))

    def clean(self, text: str) -> str:
        """What others said, without secrets and without anything that steers a terminal."""
        return printable(self._redact(text))

    def is_ready(self, account: str) -> bool:
        """Whether what is shown of an account is how it stands; before it has said anything, that is so."""
        standing = self.accounts.get(account)
        return standing is None or standing.is_ready

    def is_closed_by_the_stop(self, standing: Standing) -> bool:
        """Whether an account was lost in the moment in which the stop began, which closes its gate, or later."""
        return bool(self.stopping) and standing.since_milliseconds > self.stopping_since_milliseconds - GATES_CLOSE_MILLISECONDS

    def cycle(self, name: str) -> CycleProgress:
        return self.cycles.setdefault(name, CycleProgress())

    def _put_into_words(self, time_milliseconds: int, event: object) -> None:
        if isinstance(event, LogLine):
            actor = f"{event.actor}: " if event.actor else ""
            self._say(time_milliseconds, event.level, f"{actor}{event.message}")
        elif isinstance(event, Notice):
            self._say(time_milliseconds, "WARNING", event.text)
        elif (told := tell(event)) is not None and not told.quiet:
            self._say(time_milliseconds, level_of(told), f"{told.name} {phrase(told)}")

    def _say(self, time_milliseconds: int, level: str, text: str) -> None:
        self._news.append(NewsLine(time_milliseconds, level, self.clean(text).rstrip()))


def _book_changed(state: LiveState, _: int, event: BookChanged) -> None:
    market = (event.exchange, event.symbol)
    state.books[market] = event
    state.lost_books.pop(market, None)


def _book_lost(state: LiveState, time: int, event: BookLost) -> None:
    market = (event.exchange, event.symbol)
    known = state.lost_books.get(market)
    state.lost_books[market] = LostBook(event.reason, time if known is None else known.since_milliseconds)


def _order(state: LiveState, time: int, event: Any) -> None:
    order: Order = event.order
    known = state.orders.pop(order.client_order_id, None)
    # For how long a fate has been unknown is counted from when it was lost.
    is_still_unknown = known is not None and known.order.state is order.state is OrderState.UNKNOWN
    shown = ShownOrder(event.account, order, known.time_milliseconds if known is not None and is_still_unknown else time)
    if order.is_terminal:
        if known is not None:
            state.ended_orders.append(shown)
        return
    state.orders[order.client_order_id] = shown
    if len(state.orders) > LIVE_ORDERS_KEPT_MAX:
        del state.orders[next(iter(state.orders))]


def _order_filled(state: LiveState, time: int, event: order_events.OrderFilled) -> None:
    _order(state, time, event)
    state.fills.append((time, event))


def _balance_changed(state: LiveState, time: int, event: order_events.BalanceChanged) -> None:
    state.balances_at[event.account] = time
    state.balances.setdefault(event.account, {})[event.asset] = (event.total, event.available)


def _position_changed(state: LiveState, time: int, event: order_events.PositionChanged) -> None:
    positions, symbol = state.positions.setdefault(event.account, {}), event.position.symbol
    if event.position.quantity:
        positions[symbol] = event.position
        state.positions_at[event.account, symbol] = time
    else:
        positions.pop(symbol, None)
        state.positions_at.pop((event.account, symbol), None)


def _account_ready(state: LiveState, time: int, event: order_events.AccountReady) -> None:
    state.accounts[event.account] = Standing(True, time)
    state.not_ready.pop(event.account, None)


def _account_not_ready(state: LiveState, time: int, event: AccountNotReady) -> None:
    state.not_ready[event.account] = Standing(False, time - round(event.seconds * 1000), event.waits_for)


def _account_lost(state: LiveState, time: int, event: order_events.AccountLost) -> None:
    known = state.accounts.get(event.account)
    if known is None or known.is_ready:  # else the first reason is the one to be told
        state.accounts[event.account] = Standing(False, time, event.reason)


def _cycle_started(state: LiveState, _: int, event: CycleStarted) -> None:
    progress = state.cycle(event.cycle)
    progress.account, progress.symbol, progress.number = event.account, event.symbol, event.number


def _cycle_phase_changed(state: LiveState, time: int, event: CyclePhaseChanged) -> None:
    progress = state.cycle(event.cycle)
    progress.account, progress.number, progress.phase = event.account, event.number, event.phase
    progress.since_milliseconds = time


def _cycle_reconciled(state: LiveState, time: int, event: CycleReconciled) -> None:
    progress = state.cycle(event.cycle)
    progress.reconciled += 1
    progress.disagreed += not event.agrees
    state.memory.remember(time, event)


def _cycle_finished(state: LiveState, time: int, event: CycleFinished) -> None:
    progress = state.cycle(event.cycle)
    progress.phase, progress.ended_for = "finished", event.reason
    progress.since_milliseconds = time


def _risk_measured(state: LiveState, _: int, event: RiskMeasured) -> None:
    state.memory.risks[event.cycle] = event


def _state_entered(state: LiveState, time: int, event: StateEntered) -> None:
    if event.state is TradingState.RUN:
        state.states.pop((event.scope, ""), None)
    else:
        state.states[event.scope, ""] = ShownState(event.scope, event.state, event.reason, time)


def _state_recovered(state: LiveState, _: int, event: StateRecovered) -> None:
    state.states[event.scope, ""] = ShownState(event.scope, event.state, event.reason, event.since_milliseconds)


def _restraint_placed(state: LiveState, time: int, event: RestraintPlaced) -> None:
    state.states[event.scope, event.cause] = ShownState(event.scope, event.state, event.reason, time, event.cause)


def _restraint_lifted(state: LiveState, _: int, event: RestraintLifted) -> None:
    state.states.pop((event.scope, event.cause), None)


def _stopping(state: LiveState, time: int, event: RuntimeStopping) -> None:
    state.stopping_since_milliseconds = time
    state.stopping = f"STOPPING: {event.reason}"


def _stop_awaited(state: LiveState, _: int, event: StopAwaited) -> None:
    state.stopping = f"STOPPING, waiting for {', '.join(event.awaited) or 'nothing'}; {event.how_to_force}"


_CHANGES: dict[type, Callable[[LiveState, int, Any], None]] = {
    BookChanged: _book_changed,
    BookLost: _book_lost,
    order_events.OrderChanged: _order,
    order_events.OrderSubmitted: _order,
    order_events.OrderPlaced: _order,
    order_events.OrderFilled: _order_filled,
    order_events.OrderCancelRequested: _order,
    order_events.OrderFateUnknown: _order,
    order_events.OrderEnded: _order,
    order_events.LeftoverOrderFound: _order,
    order_events.BalanceChanged: _balance_changed,
    order_events.PositionChanged: _position_changed,
    order_events.AccountReady: _account_ready,
    order_events.AccountLost: _account_lost,
    AccountNotReady: _account_not_ready,
    CycleStarted: _cycle_started,
    CyclePhaseChanged: _cycle_phase_changed,
    CycleReconciled: _cycle_reconciled,
    CycleFinished: _cycle_finished,
    RiskMeasured: _risk_measured,
    StateEntered: _state_entered,
    StateRecovered: _state_recovered,
    RestraintPlaced: _restraint_placed,
    RestraintLifted: _restraint_lifted,
    RuntimeStopping: _stopping,
    StopAwaited: _stop_awaited,
}
# Shown in a section of their own.
_NO_NEWS = frozenset(
    {
        BookChanged,
        TradeHappened,
        TickerChanged,
        order_events.OrderChanged,
        order_events.OrderFilled,
        order_events.BalanceChanged,
        order_events.PositionChanged,
        MarkPriceChanged,
        FundingRateChanged,
        CyclePhaseChanged,
        RiskMeasured,
    }
)
