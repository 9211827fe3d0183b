"""Every change of the ledger goes through here and is told at once: to the owner's inbox, to all owners, to the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import trio

from actors.accounts.measures import AccountMeasures
from market.exact import EXACT
from market.symbol import Symbol
from orders.events import (
    AccountLost,
    AccountReady,
    BalanceChanged,
    LedgerEvent,
    OrderChanged,
    OrderFilled,
    PositionChanged,
    PositionCounted,
)
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.positions import PositionBooks
from orders.recording import Recorder
from orders.reports import BalanceReport, FillReport, FundingReport, OrderReport, PositionReport, PrivateReport
from orders.states import Standing, StandingChanged
from orders.tally import TallyChanged

InboxItem = OrderChanged | TallyChanged | BalanceChanged | PositionChanged | PositionCounted | StandingChanged | AccountReady | AccountLost
LedgerReport = OrderReport | FillReport | BalanceReport | PositionReport | FundingReport


class Inbox(Protocol):
    """An owner's end: only the newest per key counts, and sending never blocks."""

    @property
    def send_nowait(self) -> Callable[[InboxItem], None]: ...


class Bookkeeper:
    """The ledger with its publication. Nothing here waits; `report` takes every noteworthy event and never blocks.

    Each change is given to `recorder` before anybody hears of it. `measures` count what happens. `exchange_time_milliseconds` is asked
    with each report that an older one must not undo.
    """

    def __init__(
        self,
        *,
        ledger: AccountLedger,
        inboxes: Mapping[str, Inbox],
        recorder: Recorder,
        report: Callable[[object], None],
        measures: AccountMeasures | None = None,
        exchange_time_milliseconds: Callable[[], int] | None = None,
    ) -> None:
        self.ledger = ledger
        self.account = ledger.account
        self.recorder = recorder
        self.report = report
        self.measures = measures or AccountMeasures(inboxes)
        self._inboxes = inboxes
        self._exchange_time_milliseconds = exchange_time_milliseconds or (lambda: None)
        self._told_positions: dict[Symbol, Decimal] = {}
        self._told_standings: dict[tuple[str, Symbol], Standing] = {}

    def take(self, report: LedgerReport) -> None:
        """Take in what the exchange says."""
        now = trio.current_time()
        match report:
            case OrderReport():
                self.publish(self.ledger.apply_order_report(report, now=now))
            case FillReport():
                self.publish(self.ledger.apply_fill(report, now=now))
            case BalanceReport():
                self.publish(self.ledger.apply_balance(report, now_milliseconds=self._exchange_time_milliseconds()))
            case PositionReport():
                if self.ledger.positions is not None:
                    self.publish(self.ledger.positions.apply_report(report, now_milliseconds=self._exchange_time_milliseconds()))
            case FundingReport():
                self.publish(self.ledger.apply_funding(report))

    def take_all(self, reports: Sequence[PrivateReport]) -> None:
        for report in reports:
            if isinstance(report, LedgerReport):
                self.take(report)

    def take_all_positions(self, reports: Sequence[PositionReport]) -> None:
        """Take in the exchange's whole list of positions, fresh from REST."""
        if self.ledger.positions is not None:
            self.publish(self.ledger.positions.apply_all(reports))

    def happened(self, client_order_id: str, happened: OrderInput, reason: str = "", *, for_now: bool = False) -> None:
        """Something other than an exchange's report happened to an order of ours (see `AccountLedger.record_input`)."""
        now = trio.current_time()
        self.publish(self.ledger.record_input(client_order_id, happened, now=now, reason=reason, for_now=for_now))

    def amending(self, client_order_id: str, *, price: Decimal | None, quantity: Decimal | None) -> None:
        self.publish(self.ledger.record_amendment(client_order_id, price=price, quantity=quantity, now=trio.current_time()))

    def amended(self, client_order_id: str, *, price: Decimal | None, quantity: Decimal | None) -> None:
        self.publish(self.ledger.record_amended(client_order_id, price=price, quantity=quantity, now=trio.current_time()))

    def publish(self, events: Sequence[LedgerEvent]) -> None:
        """Tell what the ledger changed."""
        if events:
            self.recorder.keep(*events)
        for event in events:
            self.measures.note(event)
            match event:
                case OrderChanged(_, order):
                    inbox = self._inboxes.get(order.request.owner)
                    if inbox is not None:
                        inbox.send_nowait(event)
                case OrderFilled(_, order):
                    self._tell_tally(order.request.owner, order.request.symbol)
                    self.report(event)
                case BalanceChanged() | PositionChanged():
                    self.tell(event)
                case _:
                    self.report(event)
        self._tell_positions()

    def _tell_positions(self) -> None:
        """To owners, in the same step as the fills that have changed it: what they hold is a part of it."""
        if self.ledger.positions is not None:
            for symbol in self.ledger.positions.accounts():
                self._tell_position(symbol, self.ledger.positions)

    def tell_positions(self, symbols: Sequence[Symbol]) -> None:
        """To owners, what the position in each of these is where they do not know it; that there is none, too."""
        if self.ledger.positions is not None:
            for symbol in symbols:
                self._tell_position(symbol, self.ledger.positions)

    def _tell_position(self, symbol: Symbol, positions: PositionBooks) -> None:
        """With what orders are said to have filled beyond their known fills: of two orders the later one's fills may be told first."""
        quantity = EXACT.add(positions.account_of(symbol).quantity, self.ledger.untold_quantity(symbol))
        if self._told_positions.get(symbol) != quantity:
            self._told_positions[symbol] = quantity
            for inbox in self._inboxes.values():
                inbox.send_nowait(PositionCounted(self.account, symbol, quantity))

    def tell_tallies(self, symbols: Sequence[Symbol]) -> None:
        """To each owner, what its trades in each of these add up to; that there are none, too."""
        for owner in self._inboxes:
            for symbol in symbols:
                self._tell_tally(owner, symbol)

    def _tell_tally(self, owner: str, symbol: Symbol) -> None:
        inbox = self._inboxes.get(owner)
        if inbox is not None:
            inbox.send_nowait(TallyChanged(self.account, owner, symbol, self.ledger.tally(owner, symbol)))

    def tell_standings(self, standing_of: Callable[[str, Symbol], Standing], symbols: Sequence[Symbol]) -> None:
        """To each owner how its orders stand in each symbol, where that has changed since it was told."""
        for owner, inbox in self._inboxes.items():
            for symbol in symbols:
                standing = standing_of(owner, symbol)
                if self._told_standings.get((owner, symbol)) != standing:
                    self._told_standings[owner, symbol] = standing
                    inbox.send_nowait(StandingChanged(self.account, symbol, standing))

    def tell(self, event: BalanceChanged | PositionChanged | AccountReady | AccountLost) -> None:
        """To every owner's inbox and to the report."""
        for inbox in self._inboxes.values():
            inbox.send_nowait(event)
        self.report(event)
