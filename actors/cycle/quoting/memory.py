"""What a quoting cycle must remember across its own crashes. The assembly owns it; an incarnation works on it."""

from __future__ import annotations

from decimal import Decimal
from itertools import takewhile

import msgspec

from actors.cycle.quoting.contract import LastFill
from actors.cycle.quoting.executor import TAG
from actors.cycle.quoting.history import KeptHistory
from actors.cycle.quoting.matching import is_at_rest
from actors.cycle.quoting.refusals import Refusals
from actors.cycle.quoting.risk import RiskMeter
from market.events import BookChanged, Side, TradeHappened
from market.instrument import Instrument
from orders.commands import AmendOrder
from orders.events import BalanceChanged
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import FillReport
from orders.states import Standing
from orders.tally import Tally

ENDED_ORDERS_KEPT_MAX = 50
# Ended orders whose last fills are not told yet count against the limits; more than this, and something is very wrong.
UNSETTLED_ORDERS_KEPT_MAX = 1_000


class OrderNews(msgspec.Struct, frozen=True, kw_only=True):
    """What an order's change means to a cycle: `fills` that are new, and whether it `has_filled` by the exchange's word, which may come
    first. `has_ended` says that it did just now, `was_asked_to` that we cancelled it."""

    fills: tuple[FillReport, ...] = ()
    has_filled: bool = False
    has_ended: bool = False
    was_asked_to: bool = False


class ToldBalance(msgspec.Struct, frozen=True):
    """An asset's balance, and when (monotonic seconds) it was heard of."""

    total: Decimal
    available: Decimal
    told_at: float


class SentAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """An amendment that an account was sent, and until when it must have spoken of it."""

    command: AmendOrder
    until: float
    was_seen_pending: bool = False


class QuotingMemory:
    """The newest of what is told only when it changes, our orders, and what was sent and not spoken of yet."""

    def __init__(self) -> None:
        self.instrument: Instrument | None = None
        self.book: BookChanged | None = None
        self.reference_book: BookChanged | None = None
        self.last_trade: TradeHappened | None = None
        self.history = KeptHistory()
        self.account_ready = False
        self.standing = Standing()
        self.tally: Tally | None = None
        self.position: Decimal | None = None
        self.leverage: Decimal | None = None
        self.balances: dict[str, ToldBalance] = {}
        self.orders: dict[str, Order] = {}
        # The same by what they are, for a decision looks at some of them only. Of those that have ended, who changed last is last.
        self._live: dict[str, Order] = {}
        self._unsettled: dict[str, Order] = {}
        self._settled: dict[str, Order] = {}
        self.orders_changed_at = 0.0
        self.last_fills: dict[Side, LastFill] = {}
        self.refusals = Refusals()
        self.meter = RiskMeter()
        # By client order id: until when the account may speak of what it was sent.
        self.placing: dict[str, float] = {}
        self.cancelling: dict[str, float] = {}
        self.amending: dict[str, SentAmendment] = {}
        self.not_amendable: set[str] = set()
        self.ticks_skipped = 0

    # Orders

    def live_orders(self) -> tuple[Order, ...]:
        """Those that may still trade, oldest first."""
        return tuple(self._live.values())

    def unsettled_orders(self) -> tuple[Order, ...]:
        """Those that have ended while some of their fills are not known."""
        return tuple(self._unsettled.values())

    def ended_orders(self, *, since: float) -> tuple[Order, ...]:
        """Those that have ended after `since` (monotonic seconds)."""
        settled = takewhile(lambda order: order.changed_at > since, reversed(self._settled.values()))
        return (*(order for order in self._unsettled.values() if order.changed_at > since), *settled)

    def asked(self) -> frozenset[str]:
        """Orders that a command is on its way for."""
        return frozenset((*self.cancelling, *self.amending))

    def amendments_unread(self) -> dict[str, AmendOrder]:
        """Those that the account has not spoken of: it may not have read them, and the orders do not show them."""
        return {client_order_id: sent.command for client_order_id, sent in self.amending.items() if not sent.was_seen_pending}

    def keep_order(self, order: Order, *, now: float) -> OrderNews:
        """Take in an order of ours; what is no quote (a position closed at market, say) is none of it."""
        if not order.request.tag.startswith(f"{TAG}:"):
            return OrderNews()
        client_order_id = order.client_order_id
        before = self.orders.get(client_order_id)
        is_ours = before is not None or client_order_id in self.placing  # else it is of an earlier run
        self.placing.pop(client_order_id, None)
        if before is not None and order == before:
            return OrderNews()
        self.orders[client_order_id] = order
        self.orders_changed_at = now
        self._heed_answer(order)
        self._file(order)
        fills = order.fills[len(before.fills) if before is not None else 0 :] if is_ours else ()
        for fill in fills:
            self.last_fills[fill.side] = LastFill(at=now, price=fill.price, quantity=fill.quantity)
        has_filled = order.filled_quantity > (before.filled_quantity if before is not None else 0)
        return OrderNews(
            fills=fills,
            has_filled=is_ours and has_filled,
            has_ended=is_ours and order.is_terminal and (before is None or not before.is_terminal),
            was_asked_to=order.cancel_wanted,
        )

    def _heed_answer(self, order: Order) -> None:
        """What was sent for the order, and is now spoken of, is not on its way any more."""
        client_order_id = order.client_order_id
        if order.cancel_wanted or order.is_terminal:
            self.cancelling.pop(client_order_id, None)
        sent = self.amending.get(client_order_id)
        if order.is_terminal:
            self.amending.pop(client_order_id, None)
            self.not_amendable.discard(client_order_id)
        elif sent is not None and order.state is OrderState.PENDING_AMEND:
            self.amending[client_order_id] = msgspec.structs.replace(sent, was_seen_pending=True)
        elif sent is not None and is_at_rest(order):
            if _is_amended(order, sent.command):
                del self.amending[client_order_id]
            elif sent.was_seen_pending:
                self._amendment_failed(client_order_id)

    def _amendment_failed(self, client_order_id: str) -> None:
        """The account or the exchange would not have it: another would fare no better."""
        del self.amending[client_order_id]
        self.not_amendable.add(client_order_id)

    def forget_overdue(self, now: float) -> None:
        """An account that has not spoken of a command by then has not read it (it may have crashed on it), or has refused it."""
        for waiting in (self.placing, self.cancelling):
            for client_order_id in [each for each, until in waiting.items() if now > until]:
                del waiting[client_order_id]
        for client_order_id in [each for each, sent in self.amending.items() if now > sent.until]:
            order = self.orders.get(client_order_id)
            if order is None:
                del self.amending[client_order_id]
            elif is_at_rest(order):
                self._amendment_failed(client_order_id)

    def _file(self, order: Order) -> None:
        """Put it among those that it is one of now; of those that have ended, the oldest are forgotten."""
        client_order_id = order.client_order_id
        self._unsettled.pop(client_order_id, None)
        self._settled.pop(client_order_id, None)
        if not order.is_terminal:
            self._live[client_order_id] = order
            return
        self._live.pop(client_order_id, None)
        ended, kept_max = (self._settled, ENDED_ORDERS_KEPT_MAX) if order.is_settled else (self._unsettled, UNSETTLED_ORDERS_KEPT_MAX)
        ended[client_order_id] = order
        while len(ended) > kept_max:
            oldest = next(iter(ended))
            del ended[oldest], self.orders[oldest]

    # Balances

    def keep_balance(self, told: BalanceChanged, *, now: float) -> None:
        self.balances[told.asset] = ToldBalance(told.total, told.available, now)


def _is_amended(order: Order, command: AmendOrder) -> bool:
    request = order.request
    return command.price in (None, request.price) and command.quantity in (None, request.quantity)
