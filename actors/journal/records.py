"""From events to rows: which statements write what. The mapping is data, and pure.

An order's row is its newest state and is written once an entry; each event about it is a row of its own, and so is each fill,
once. `OrderChanged` is a row only where no other event of the entry says what happened to that order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import msgspec

from actors.journal.entries import Entry, EventTold, HoldPlaced, PriceSampled
from actors.journal.rows import capture_text, text, text_or_none
from orders import events as order_events
from orders import reconciliation
from orders.events import (
    BalanceBaselined,
    BalanceChanged,
    BalanceDiffers,
    CountingBegan,
    ForeignFillSeen,
    ForeignOrderSeen,
    FundingPaid,
    ImpossibleTransition,
    OrderChanged,
    OrderFilled,
    PositionChanged,
    PositionDiffers,
)
from orders.losses import DayBaseline
from orders.order import ZERO, Order
from orders.reconciliation import CycleReconciled
from orders.reports import FillReport
from orders.rounds import RoundBegan
from orders.states import StateEntered

Write = tuple[str, tuple[object, ...]]
"""A statement and its parameters."""


class Writer(msgspec.Struct, frozen=True):
    """Whose events are written: the run, and the exchange that each of its accounts is at."""

    run: int
    exchange_by_account: Mapping[str, str]

    def exchange_of(self, account: str) -> str:
        """
        Raises:
            UnknownEvent: the run has no such account.
        """
        if account not in self.exchange_by_account:
            raise UnknownEvent(f"the journal was not told, when the run began, of an account {account}")
        return self.exchange_by_account[account]


class UnknownEvent(Exception):
    """The journal has no place for such an event: no table (it must be told in words), or no such account. Ours to fix."""


class _OrderEvent(Protocol):
    @property
    def account(self) -> str: ...

    @property
    def order(self) -> Order: ...


ORDER_EVENTS: dict[type, str] = {
    order_events.OrderSubmitted: "submitted",
    order_events.OrderPlaced: "placed",
    order_events.OrderFilled: "filled",
    order_events.OrderCancelRequested: "cancel_requested",
    order_events.OrderFateUnknown: "unknown",
    order_events.OrderEnded: "ended",
    order_events.ImpossibleTransition: "impossible",
    order_events.LeftoverOrderFound: "leftover_found",
    OrderChanged: "changed",
}
"""Events about one order, by the word that `order_events.event` has for them."""

TOLD_IN_WORDS: frozenset[type] = frozenset(
    {
        order_events.AccountReady,
        order_events.AccountLost,
        order_events.PositionCounted,
        reconciliation.CycleStarted,
        reconciliation.CyclePhaseChanged,
        reconciliation.CycleFinished,
    }
)
"""Facts about accounts and cycles that no restart needs and no ledger returns: they come as `EventTold`."""


def has_table(kind: type) -> bool:
    """Whether events of this kind are put in as they are; others are told in words."""
    return kind in ORDER_EVENTS or kind in _WRITERS


def writes_of(entry: Entry, writer: Writer) -> list[Write]:
    """All that an entry writes, in order.

    Raises:
        UnknownEvent: there is no table for one of its events, or it is of an account that is not of this run.
    """
    at = entry.at_milliseconds
    about_orders = [cast(_OrderEvent, event) for event in entry.events if type(event) in ORDER_EVENTS]
    newest = {_order_key(event): event for event in about_orders}
    told = {_order_key(event) for event in about_orders if not isinstance(event, OrderChanged)}
    placed = {_order_key(event): event.order for event in about_orders if isinstance(event, order_events.OrderPlaced)}
    writes: list[Write] = [
        (UPSERT_ORDER, _order_values(event, at, writer, _acknowledged_us(placed.get(key)))) for key, event in newest.items()
    ]
    for event in entry.events:
        kind = type(event)
        if kind in _WRITERS:
            writes += _WRITERS[kind](event, at, writer)
        elif kind not in ORDER_EVENTS:
            raise UnknownEvent(f"the journal has no table for {kind.__name__}: tell it in words")
        elif kind is not OrderChanged or _order_key(cast(_OrderEvent, event)) not in told:
            writes += _order_event(ORDER_EVENTS[kind], event, at, writer)
    return writes


def _order_key(event: _OrderEvent) -> tuple[str, str]:
    return event.account, event.order.client_order_id


# Orders


def _acknowledged_us(placed: Order | None) -> int | None:
    """How long the exchange's first word of a placement took; None where this entry has none, or it left in an earlier run."""
    if placed is None or not placed.sent_at:
        return None
    return round((placed.changed_at - placed.sent_at) * 1_000_000)


def _order_values(event: _OrderEvent, at: int, writer: Writer, acknowledged_us: int | None) -> tuple[object, ...]:
    order, request = event.order, event.order.request
    return (
        writer.run,
        writer.exchange_of(event.account),
        event.account,
        request.client_order_id,
        request.owner,
        request.tag,
        str(request.symbol),
        request.side.value,
        request.type.value,
        request.time_in_force.value,
        text_or_none(request.quantity),
        text_or_none(request.quote_quantity),
        text_or_none(request.price),
        request.reduce_only,
        at,
        order.sent,
        order.sent_at_milliseconds or None,
        order.expires_at_milliseconds,
        None if order.transport is None else order.transport.value,
        order.exchange_order_id,
        order.state.value,
        text(order.filled_quantity),
        text(order.filled_quote),
        order.is_settled,
        order.reason,
        order.refused_for_now,
        order.end_is_concluded,
        order.cancel_wanted,
        order.amended,
        order.said_at_milliseconds or None,
        at,
        at if order.is_terminal else None,
        acknowledged_us,
    )


# What was meant (owner, tag, kind, the time of the intent) stays as it was written first: an order that is found again
# after it was forgotten comes back without it.
UPSERT_ORDER = """
INSERT INTO orders (
    run, exchange, account, client_order_id, owner, tag, symbol, side, type, time_in_force, quantity, quote_quantity, price,
    reduce_only, created_at, sent, sent_at, expires_at, transport, exchange_order_id, state, filled_quantity, filled_quote,
    is_settled, reason, refused_for_now, end_is_concluded, cancel_wanted, amended, said_at, changed_at, ended_at, acknowledged_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (exchange, account, client_order_id) DO UPDATE SET
    quantity = excluded.quantity,
    price = excluded.price,
    sent = max(sent, excluded.sent),
    sent_at = coalesce(excluded.sent_at, sent_at),
    expires_at = coalesce(excluded.expires_at, expires_at),
    transport = coalesce(excluded.transport, transport),
    exchange_order_id = coalesce(excluded.exchange_order_id, exchange_order_id),
    state = excluded.state,
    filled_quantity = excluded.filled_quantity,
    filled_quote = excluded.filled_quote,
    is_settled = excluded.is_settled,
    reason = excluded.reason,
    refused_for_now = excluded.refused_for_now,
    end_is_concluded = excluded.end_is_concluded,
    cancel_wanted = excluded.cancel_wanted,
    amended = excluded.amended,
    said_at = coalesce(excluded.said_at, said_at),
    changed_at = excluded.changed_at,
    ended_at = CASE WHEN excluded.ended_at IS NULL THEN NULL ELSE coalesce(ended_at, excluded.ended_at) END,
    acknowledged_us = coalesce(acknowledged_us, excluded.acknowledged_us)
"""

INSERT_ORDER_EVENT = """
INSERT INTO order_events (order_id, at, event, state, price, quantity, filled_quantity, trade_id, reason)
VALUES ((SELECT id FROM orders WHERE exchange = ? AND account = ? AND client_order_id = ?), ?, ?, ?, ?, ?, ?, ?, ?)
"""

# A trade that passed for a stranger's until we knew whose it was is told again, with its order.
UPSERT_FILL = """
INSERT INTO fills (
    order_id, client_order_id, exchange, account, symbol, exchange_order_id, trade_id, side, price, quantity, fee, fee_asset,
    maker, exchange_time, at
) VALUES (
    (SELECT id FROM orders WHERE exchange = ? AND account = ? AND client_order_id = ?),
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
ON CONFLICT (exchange, account, symbol, exchange_order_id, trade_id) DO UPDATE SET
    order_id = coalesce(excluded.order_id, order_id),
    client_order_id = coalesce(excluded.client_order_id, client_order_id)
"""

# Of a trade that is told so again, the sum of what its owner traded may be folded already (`tallies.py`).
NOTE_FILL_TOLD_LATE = """
INSERT OR IGNORE INTO fills_told_late (fill_id)
SELECT id FROM fills WHERE exchange = ? AND account = ? AND symbol = ? AND exchange_order_id = ? AND trade_id = ?
AND order_id IS NULL AND id <= (SELECT fills_id FROM earlier_tallies_until)
"""


def _order_event(name: str, event: Any, at: int, writer: Writer) -> list[Write]:
    account: str = event.account
    order: Order = event.order
    exchange = writer.exchange_of(account)
    fill: FillReport | None = event.fill if isinstance(event, OrderFilled) else None
    reason = event.happened.value if isinstance(event, ImpossibleTransition) else order.reason
    values = (
        exchange,
        account,
        order.client_order_id,
        at,
        name,
        order.state.value,
        text_or_none(order.request.price),
        text_or_none(order.request.quantity),
        text(order.filled_quantity),
        None if fill is None else fill.trade_id,
        reason or None,
    )
    writes: list[Write] = [(INSERT_ORDER_EVENT, values)]
    if fill is not None:
        writes.append((NOTE_FILL_TOLD_LATE, (exchange, account, str(fill.symbol), fill.exchange_order_id, fill.trade_id)))
        writes.append((UPSERT_FILL, _fill_values(fill, order.client_order_id, account, at, exchange)))
    return writes


def _fill_values(fill: FillReport, ours: str | None, account: str, at: int, exchange: str) -> tuple[object, ...]:
    return (
        exchange,
        account,
        ours,
        ours if ours is not None else fill.client_order_id,
        exchange,
        account,
        str(fill.symbol),
        fill.exchange_order_id,
        fill.trade_id,
        fill.side.value,
        text(fill.price),
        text(fill.quantity),
        text(fill.fee),
        fill.fee_asset,
        fill.maker,
        fill.exchange_time_milliseconds or None,
        at,
    )


def _foreign_fill(event: ForeignFillSeen, at: int, writer: Writer) -> list[Write]:
    return [(UPSERT_FILL, _fill_values(event.fill, None, event.account, at, writer.exchange_of(event.account)))]


# Accounts


def _funding(event: FundingPaid, at: int, writer: Writer) -> list[Write]:
    paid = event.funding
    sql = """
    INSERT INTO funding (exchange, account, symbol, payment_id, amount, asset, exchange_time, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (exchange, account, symbol, payment_id) DO NOTHING
    """
    exchange, time = writer.exchange_of(event.account), paid.exchange_time_milliseconds or None
    return [(sql, (exchange, event.account, str(paid.symbol), paid.payment_id, text(paid.amount), paid.asset, time, at))]


def _balance(event: BalanceChanged, at: int, writer: Writer) -> list[Write]:
    sql = "INSERT OR REPLACE INTO balances (exchange, account, asset, total, available, at) VALUES (?, ?, ?, ?, ?, ?)"
    return [(sql, (writer.exchange_of(event.account), event.account, event.asset, text(event.total), text(event.available), at))]


def _balance_baseline(event: BalanceBaselined, at: int, writer: Writer) -> list[Write]:
    sql = "INSERT OR REPLACE INTO balance_baselines (exchange, account, asset, constant, unexplained, at) VALUES (?, ?, ?, ?, ?, ?)"
    exchange = writer.exchange_of(event.account)
    return [(sql, (exchange, event.account, event.asset, text(event.constant), text(event.unexplained), at))]


def _counting(event: CountingBegan, at: int, writer: Writer) -> list[Write]:
    sql = "INSERT OR IGNORE INTO countings (exchange, account, symbol, since) VALUES (?, ?, ?, ?)"
    return [(sql, (writer.exchange_of(event.account), event.account, str(event.symbol), event.since_milliseconds))]


def _balance_differs(event: BalanceDiffers, at: int, writer: Writer) -> list[Write]:
    amounts = {"expected": text(event.expected), "actual": text(event.actual), "difference": text(event.difference)}
    fields = {"account": event.account, "asset": event.asset, **amounts, "since_milliseconds": event.since_milliseconds}
    return _told(EventTold("balance_differs", fields, event.account), at, writer)


def _position(event: PositionChanged, at: int, writer: Writer) -> list[Write]:
    told = event.position
    sql = """
    INSERT OR REPLACE INTO positions (
        exchange, account, symbol, quantity, entry_price, mark_price, liquidation_price, leverage, margin_mode, unrealised_pnl,
        exchange_time, at
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """
    prices = (told.entry_price, told.mark_price, told.liquidation_price, told.leverage)
    values = (
        writer.exchange_of(event.account),
        event.account,
        str(told.symbol),
        text(told.quantity),
        *(text_or_none(price) for price in prices),
        None if told.margin_mode is None else told.margin_mode.value,
        text_or_none(told.unrealised_pnl),
        told.exchange_time_milliseconds or None,
        at,
    )
    return [(sql, values)]


def _foreign_order(event: ForeignOrderSeen, at: int, writer: Writer) -> list[Write]:
    report = event.report
    fields = {
        "account": event.account,
        "exchange_order_id": report.exchange_order_id,
        "client_order_id": report.client_order_id,
        "symbol": str(report.symbol),
        "side": report.side.value,
        "status": report.status.value,
        "price": text_or_none(report.price),
        "quantity": text_or_none(report.quantity),
        "filled_quantity": text(report.filled_quantity),
    }
    return _told(EventTold("foreign_order_seen", fields, event.account), at, writer)


def _position_differs(event: PositionDiffers, at: int, writer: Writer) -> list[Write]:
    amounts = {"ours": text(event.ours), "theirs": text(event.theirs)}
    fields = {"account": event.account, "symbol": str(event.symbol), **amounts}
    return _told(EventTold("position_differs", fields, event.account), at, writer)


# Cycles


def _round_began(event: RoundBegan, at: int, writer: Writer) -> list[Write]:
    sql = """
    INSERT INTO rounds (
        run, exchange, account, cycle, number, symbol, began_at, rounds_completed, carried_quantity, captured, orders_before
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(id), 0) FROM orders))
    ON CONFLICT (exchange, account, cycle, number, began_at) DO NOTHING
    """
    values = (
        writer.run,
        writer.exchange_of(event.account),
        event.account,
        event.cycle,
        event.number,
        str(event.symbol),
        event.started_at_milliseconds,
        event.rounds_completed,
        text(event.carried_quantity),
        capture_text(event.before),
    )
    return [(sql, values)]


def _reconciled(event: CycleReconciled, at: int, writer: Writer) -> list[Write]:
    sql = """
    INSERT INTO rounds (
        run, exchange, account, cycle, number, symbol, began_at, ended_at, agrees, bought_quantity, bought_quote, sold_quantity,
        sold_quote, left_over_quantity, profit_quote, rounding
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (exchange, account, cycle, number, began_at) DO UPDATE SET
        ended_at = excluded.ended_at,
        agrees = excluded.agrees,
        bought_quantity = excluded.bought_quantity,
        bought_quote = excluded.bought_quote,
        sold_quantity = excluded.sold_quantity,
        sold_quote = excluded.sold_quote,
        left_over_quantity = excluded.left_over_quantity,
        profit_quote = excluded.profit_quote,
        rounding = excluded.rounding
    """
    exchange = writer.exchange_of(event.account)
    amounts = (event.bought_quantity, event.bought_quote, event.sold_quantity, event.sold_quote)
    values = (
        writer.run,
        exchange,
        event.account,
        event.cycle,
        event.number,
        str(event.symbol),
        event.started_at_milliseconds,
        event.ended_at_milliseconds,
        event.agrees,
        *(text(amount) for amount in amounts),
        text(event.left_over_quantity),
        text(event.profit_quote),
        text(event.rounding),
    )
    by_asset = """
    INSERT OR REPLACE INTO round_balances (round_id, asset, before, after, expected_change, actual_change, fee) VALUES (
        (SELECT id FROM rounds WHERE exchange = ? AND account = ? AND cycle = ? AND number = ? AND began_at = ?), ?, ?, ?, ?, ?, ?
    )
    """
    which = (exchange, event.account, event.cycle, event.number, event.started_at_milliseconds)
    columns = (event.balances_before, event.balances_after, event.expected_changes, event.actual_changes, event.fees)
    rows: list[Write] = [(by_asset, (*which, asset, *(text(column.get(asset, ZERO)) for column in columns))) for asset in event.assets]
    return [(sql, values), *rows]


# The rest


def _state(event: StateEntered, at: int, writer: Writer) -> list[Write]:
    sql = "INSERT OR REPLACE INTO states (scope, state, reason, at) VALUES (?, ?, ?, ?)"
    told = EventTold("state_entered", {"scope": event.scope, "state": event.state.value, "reason": event.reason}, event.scope)
    return [(sql, (event.scope, event.state.value, event.reason, at)), *_told(told, at, writer)]


def _baseline(event: DayBaseline, at: int, writer: Writer) -> list[Write]:
    sql = """
    INSERT OR REPLACE INTO loss_baselines (scope, exchange, account, asset, day, amount, is_struck, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    """
    where = (event.scope, writer.exchange_of(event.account), event.account, event.asset)
    return [(sql, (*where, event.day, text(event.value), event.is_struck, at))]


def _hold(event: HoldPlaced, at: int, writer: Writer) -> list[Write]:
    sql = "INSERT OR REPLACE INTO holds (scope, until, reason, at) VALUES (?, ?, ?, ?)"
    fields = {"scope": event.scope, "until_milliseconds": event.until_milliseconds, "reason": event.reason}
    return [
        (sql, (event.scope, event.until_milliseconds, event.reason, at)),
        *_told(EventTold("hold_placed", fields, event.scope), at, writer),
    ]


def _price(event: PriceSampled, at: int, writer: Writer) -> list[Write]:
    market = (event.exchange, str(event.symbol))
    sql = (
        "INSERT OR REPLACE INTO prices (market, at, bid, ask) VALUES ((SELECT id FROM markets WHERE exchange = ? AND symbol = ?), ?, ?, ?)"
    )
    return [
        ("INSERT OR IGNORE INTO markets (exchange, symbol) VALUES (?, ?)", market),
        (sql, (*market, at, text_or_none(event.bid), text_or_none(event.ask))),
    ]


def _told(event: EventTold, at: int, writer: Writer) -> list[Write]:
    sql = "INSERT INTO events (run, at, actor, name, fields) VALUES (?, ?, ?, ?, ?)"
    return [(sql, (writer.run, at, event.actor, event.name, msgspec.json.encode(event.fields).decode()))]


_WRITERS: dict[type, Callable[[Any, int, Writer], list[Write]]] = {
    ForeignOrderSeen: _foreign_order,
    ForeignFillSeen: _foreign_fill,
    FundingPaid: _funding,
    BalanceChanged: _balance,
    BalanceBaselined: _balance_baseline,
    BalanceDiffers: _balance_differs,
    CountingBegan: _counting,
    PositionChanged: _position,
    PositionDiffers: _position_differs,
    RoundBegan: _round_began,
    CycleReconciled: _reconciled,
    StateEntered: _state,
    DayBaseline: _baseline,
    HoldPlaced: _hold,
    PriceSampled: _price,
    EventTold: _told,
}
