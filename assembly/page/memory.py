"""What the page knows that only events tell, kept in bounded rings: it outlives the page's server, and is cheap while nobody looks.

Theory of operation. An event is kept as it came; it is put into words when a page is there to be told. What can be read when somebody
asks (orders, actors, states, tallies) is not kept here at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import trio

from actors.accounts.events import AccountConnected, AccountDisconnected
from actors.cycle.quoting.risk import RiskMeasured
from assembly.page.protocol import ENDED_ORDERS_KEPT, FILLS_KEPT, LOG_LINES_KEPT
from assembly.presenter.report import RuntimeStopping
from market.clock import WallClock
from market.events import (
    BookChanged,
    BookLost,
    FundingRateChanged,
    InstrumentListed,
    LiquidationHappened,
    MarkPriceChanged,
    TickerChanged,
    TradeHappened,
)
from market.symbol import Symbol
from orders import events as order_events
from orders.order import Order
from orders.reconciliation import CycleFinished, CyclePhaseChanged

Market = tuple[str, Symbol]
Said = tuple[int, Any]
"""When, in milliseconds since 1970, and what."""

# What has a section of its own, or is nothing that a person would read line by line.
_NOT_LOGGED = frozenset(
    {
        BookChanged,
        TradeHappened,
        TickerChanged,
        MarkPriceChanged,
        FundingRateChanged,
        LiquidationHappened,
        InstrumentListed,
        order_events.OrderChanged,
        order_events.BalanceChanged,
        order_events.PositionChanged,
        order_events.PositionCounted,
        order_events.BalanceBaselined,
        order_events.CountingBegan,
        CyclePhaseChanged,
        RiskMeasured,
    }
)


class AccountHeard:
    """What was heard of an account. `since_milliseconds` is when its stream or its view changed last."""

    def __init__(self) -> None:
        self.stream = ""
        self.view = ""
        self.stream_is_up = False
        self.view_is_whole = False
        self.since_milliseconds = 0
        self.balances: dict[str, Said] = {}
        self.positions: dict[Symbol, Said] = {}


class PageMemory:
    """Change it with `note` only."""

    def __init__(self, wall_clock: WallClock) -> None:
        self._wall_clock = wall_clock
        self.books: dict[Market, BookChanged] = {}
        self._losses: dict[Market, tuple[BookLost, BookChanged | None]] = {}
        self.accounts: dict[str, AccountHeard] = {}
        self.phases: dict[str, str] = {}
        self.risks: dict[str, Said] = {}
        self.fills: deque[Said] = deque(maxlen=FILLS_KEPT)
        self.fills_count = 0
        self.ended: deque[tuple[str, Order]] = deque(maxlen=ENDED_ORDERS_KEPT)
        """With their accounts."""
        self.ended_count = 0
        self.log: deque[Said] = deque(maxlen=LOG_LINES_KEPT)
        self.logged_count = 0
        """How many events were ever put into `log`: the newest has this number."""
        self.stopping: str = ""
        self.stops = trio.Event()
        """Set when the run begins to stop, which may be over before pages look again."""

    def note(self, event: object) -> None:
        """Take in an event."""
        kind = type(event)
        if kind is BookChanged:  # by far the most of them
            book: Any = event
            self.books[book.exchange, book.symbol] = book
            return
        change = _CHANGES.get(kind)
        if change is None and kind in _NOT_LOGGED:
            return
        now = self._wall_clock.milliseconds()
        if change is not None:
            change(self, now, event)
        if kind not in _NOT_LOGGED:
            self.logged_count += 1
            self.log.append((now, event))

    def account(self, name: str) -> AccountHeard:
        return self.accounts.setdefault(name, AccountHeard())

    def book_lost(self, market: Market) -> BookLost | None:
        """Why the book of a market must not be used; None if it is whole, or was never heard of."""
        lost, book = self._losses.get(market, (None, None))
        return lost if self.books.get(market) is book else None

    def lose_book(self, event: BookLost) -> None:
        """It is the book known now that is lost: another one, whatever it says, is one that came after."""
        market = event.exchange, event.symbol
        self._losses[market] = event, self.books.get(market)


def _book_lost(memory: PageMemory, _: int, event: BookLost) -> None:
    memory.lose_book(event)


def _order_filled(memory: PageMemory, now: int, event: order_events.OrderFilled) -> None:
    memory.fills.append((now, event))
    memory.fills_count += 1


def _order_ended(memory: PageMemory, _: int, event: order_events.OrderEnded) -> None:
    memory.ended.append((event.account, event.order))
    memory.ended_count += 1


def _balance_changed(memory: PageMemory, now: int, event: order_events.BalanceChanged) -> None:
    memory.account(event.account).balances[event.asset] = (now, event)


def _position_changed(memory: PageMemory, now: int, event: order_events.PositionChanged) -> None:
    memory.account(event.account).positions[event.position.symbol] = (now, event.position)


def _account_connected(memory: PageMemory, now: int, event: AccountConnected) -> None:
    heard = memory.account(event.account)
    heard.stream, heard.stream_is_up, heard.since_milliseconds = "connected", True, now


def _account_disconnected(memory: PageMemory, now: int, event: AccountDisconnected) -> None:
    heard = memory.account(event.account)
    heard.stream, heard.stream_is_up, heard.since_milliseconds = f"lost: {event.reason}", False, now


def _account_ready(memory: PageMemory, now: int, event: order_events.AccountReady) -> None:
    heard = memory.account(event.account)
    heard.view, heard.view_is_whole, heard.since_milliseconds = "ready", True, now


def _account_lost(memory: PageMemory, now: int, event: order_events.AccountLost) -> None:
    heard = memory.account(event.account)
    heard.view, heard.view_is_whole, heard.since_milliseconds = f"lost: {event.reason}", False, now


def _phase_changed(memory: PageMemory, _: int, event: CyclePhaseChanged) -> None:
    memory.phases[event.cycle] = event.phase


def _cycle_finished(memory: PageMemory, _: int, event: CycleFinished) -> None:
    memory.phases[event.cycle] = f"finished{': ' + event.reason if event.reason else ''}"


def _risk_measured(memory: PageMemory, now: int, event: RiskMeasured) -> None:
    memory.risks[event.cycle] = (now, event)


def _stopping(memory: PageMemory, _: int, event: RuntimeStopping) -> None:
    memory.stopping = event.reason
    memory.stops.set()


_CHANGES: dict[type, Callable[[PageMemory, int, Any], None]] = {
    BookLost: _book_lost,
    order_events.OrderFilled: _order_filled,
    order_events.OrderEnded: _order_ended,
    order_events.BalanceChanged: _balance_changed,
    order_events.PositionChanged: _position_changed,
    AccountConnected: _account_connected,
    AccountDisconnected: _account_disconnected,
    order_events.AccountReady: _account_ready,
    order_events.AccountLost: _account_lost,
    CyclePhaseChanged: _phase_changed,
    CycleFinished: _cycle_finished,
    RiskMeasured: _risk_measured,
    RuntimeStopping: _stopping,
}
