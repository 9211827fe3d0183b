"""The name and the fields of every event, as people and programs see them. These words are an interface.

Fields hold only what JSON has: texts, whole numbers, booleans, lists and tables. Money, prices and quantities are texts
in plain notation, never floats. An event that the table does not know is told by its class's name and fields.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any, cast

import msgspec

from actors.accounts import events as account_events
from actors.cycle.quoting.risk import RiskMeasured
from actors.feeds import reports as feed_reports
from actors.journal import entries as journal_entries
from actors.journal import events as journal_events
from actors.notifier import actor as notifier_events
from assembly.guardian import events as guardian_events
from assembly.page import events as page_events
from assembly.presenter import report as runtime_events
from assembly.reloading import events as reloading_events
from market import events as market_events
from market.instrument import decimal_from_book, format_decimal
from market.symbol import Symbol
from orders import events as order_events
from orders import reconciliation
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import FillReport
from supervision import events as supervision_events
from supervision.child import DeathKind
from supervision.errors import one_line

Fields = dict[str, object]

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")
_AVERAGE = Context(prec=12)
# Of events: what lasts, or what only a person can tell the meaning of.
WARNINGS = frozenset(
    {"order_still_unknown", "account_not_ready", "balance_differs", "foreign_order_seen", "settings_refused", "page_unavailable"}
)
ERRORS = frozenset(
    {
        "actor_crashed",
        "actor_hung",
        "actor_quarantined",
        "intensity_exceeded",
        "order_unknown",
        "order_rejected",
        "account_lost",
        "book_lost",
        "cleanup_failed",
        "cleanup_timed_out",
        "stop_deadline_exceeded",
        "impossible_transition",
        "guardian_lost",
        "guardian_acted",
        "settings_refused",
    }
)
# Why accounts and books are lost where something is stopped in order: what ends otherwise has crashed, which is told by itself.
_ENDINGS = ("the gate is closed", "the account actor has stopped", "the feed is stopping", "the feed has stopped")
_WORST = {"stopped": "exit_status", "order_statement": "may_be_live"}  # what makes the end of a run bad
_LOST_AT_THE_END = frozenset({"account_lost", "book_lost"})
# What comes with every trade somewhere: told only to people who debug.
QUIET_KINDS: frozenset[type] = frozenset(
    {
        market_events.TradeHappened,
        market_events.TickerChanged,
        market_events.MarkPriceChanged,
        market_events.FundingRateChanged,
        market_events.LiquidationHappened,
    }
)
LEVELS_OF_QUIET = ("DEBUG", "TRACE")  # that tell quiet events too
RISK_INTERVAL_MILLISECONDS = 10_000  # how often it is told how a quoting cycle stands
_LOG_LEVELS_TOLD = ("WARNING", "ERROR", "CRITICAL")


class Told(msgspec.Struct, frozen=True):
    """An event in words. A quiet one is for people who debug."""

    name: str
    fields: Fields
    quiet: bool = False


def tell(event: object) -> Told | None:
    """Put `event` into words; None if it says nothing that another event does not."""
    teller = _TELLERS.get(type(event))
    return teller(event) if teller is not None else Told(_snake_case(type(event)), fields_of(event))


def level_of(told: Told) -> str:
    """The level of an event in logs, as loguru names levels."""
    if told.name in _LOST_AT_THE_END and str(told.fields.get("reason")).startswith(_ENDINGS):
        return "INFO"
    if told.fields.get(_WORST.get(told.name, "")):
        return "ERROR"
    return "DEBUG" if told.quiet else "ERROR" if told.name in ERRORS else "WARNING" if told.name in WARNINGS else "INFO"


def fields_of(event: object) -> Fields:
    """The fields of a struct by their names, as JSON has them."""
    if isinstance(event, msgspec.Struct):
        return {name: _plain(getattr(event, name)) for name in event.__struct_fields__}
    return {"text": str(event)}


def order_fields(account: str, order: Order) -> Fields:
    """An order as every event and the statement have it; what it has not is left out."""
    request = order.request
    fields: dict[str, object | None] = {
        "account": account,
        "cycle": request.owner,
        "tag": request.tag or None,
        "client_order_id": request.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "symbol": str(request.symbol),
        "side": request.side.value,
        "type": request.type.value,
        "time_in_force": request.time_in_force.value,
        "price": _number(request.price),
        "quantity": _number(request.quantity),
        "quote_quantity": _number(request.quote_quantity),
        "reduce_only": request.reduce_only or None,
        "filled_quantity": _number(order.filled_quantity),
        "filled_quote": _number(order.filled_quote),
        "average_price": _number(_rounded(order.average_price)),
        "state": order.state.value,
        "reason": order.reason or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def order_fees(order: Order) -> dict[str, Decimal]:
    """What the known fills of an order cost, by asset."""
    fees: dict[str, Decimal] = {}
    for fill in order.fills:
        fees[fill.fee_asset] = fees.get(fill.fee_asset, Decimal(0)) + fill.fee
    return fees


def statement_fields(account: str, order: Order) -> Fields:
    """An order at the end of a run. `may_be_live`: nobody has confirmed its end."""
    return {**order_fields(account, order), "fees": _plain(order_fees(order)), "may_be_live": not order.is_terminal}


def risk_fields(event: RiskMeasured) -> Fields:
    """How a quoting cycle stands, to 12 significant digits; what is not known is left out."""
    found = {name: _readable(getattr(event.risk, name)) for name in event.risk.__struct_fields__ if name != "at"}
    where = {"account": event.account, "cycle": event.cycle, "symbol": str(event.symbol)}
    return {**where, **{name: value for name, value in found.items() if value is not None}}


def _readable(value: object) -> object:
    match value:
        case Decimal():
            return _number(_rounded(value))
        case dict():
            return {key: _readable(item) for key, item in cast("dict[str, object]", value).items()}
        case float():
            return round(value, 4)
        case _:
            return value


def amounts(value: dict[str, Decimal]) -> dict[str, str]:
    """Amounts by asset, zero as a plain 0."""
    return {asset: format_decimal(amount) if amount else "0" for asset, amount in value.items()}


# Values


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return format_decimal(value)
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)
        case enum.Enum():
            return _plain(value.value)
        case Symbol():
            return str(value)
        case BaseException():
            return one_line(value)
        case dict():
            return {str(_plain(key)): _plain(item) for key, item in cast(dict[object, object], value).items()}
        case tuple() | list():
            return [_plain(item) for item in cast(list[object], value)]
        case msgspec.Struct():
            return fields_of(value)
        case _:
            return str(value)


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)


def _rounded(value: Decimal | None) -> Decimal | None:
    """A quotient, to 12 significant digits: an average is for reading, never for sums."""
    return None if value is None else value.normalize(_AVERAGE)


def _snake_case(kind: type) -> str:
    return _WORD_START.sub("_", kind.__name__).lower()


# One teller per kind of event


def _told_as(name: str, event: object, *, quiet: bool = False) -> Told:
    return Told(name, fields_of(event), quiet)


def _book_top(event: market_events.BookChanged) -> Told:
    (bid, bid_quantity), (ask, ask_quantity) = event.bids[0], event.asks[0]
    bid_price, ask_price = decimal_from_book(bid), decimal_from_book(ask)
    return Told(
        "book_top",
        {
            "exchange": event.exchange,
            "symbol": str(event.symbol),
            "bid": format_decimal(bid_price),
            "bid_quantity": format_decimal(decimal_from_book(bid_quantity)),
            "ask": format_decimal(ask_price),
            "ask_quantity": format_decimal(decimal_from_book(ask_quantity)),
            "spread": format_decimal(ask_price - bid_price),
            "sequence": event.sequence,
        },
    )


def _book_lost(event: market_events.BookLost) -> Told:
    return Told("book_lost", {"exchange": event.exchange, "symbol": str(event.symbol), "reason": event.reason})


def _market(name: str, event: msgspec.Struct) -> Told:
    """A market event's numbers are floats of the exchange's own decimals, which their texts name exactly."""
    return Told(name, {key: _book_number(value) for key, value in _without(event, "received_at").items()}, quiet=True)


def _book_number(value: object) -> object:
    return format_decimal(decimal_from_book(value)) if isinstance(value, float) else value


def _without(event: object, *names: str) -> Fields:
    """The fields of an event, without those that are Trio's time: the wall time is told with every event."""
    return {name: value for name, value in fields_of(event).items() if name not in names}


def _order(name: str, event: Any) -> Told:
    return Told(name, order_fields(event.account, event.order))


def _order_sent(name: str, event: Any) -> Told:
    """With the way that the placement went: over the websocket or by REST."""
    transport = event.order.transport
    return Told(name, order_fields(event.account, event.order) | ({} if transport is None else {"transport": transport.value}))


def _order_filled(event: order_events.OrderFilled) -> Told:
    return Told("order_filled", {**order_fields(event.account, event.order), "fill": _fill(event.fill)})


def _fill(fill: FillReport) -> Fields:
    return {
        "trade_id": fill.trade_id,
        "price": format_decimal(fill.price),
        "quantity": format_decimal(fill.quantity),
        "fee": format_decimal(fill.fee),
        "fee_asset": fill.fee_asset,
        "maker": fill.maker,
    }


def _position(event: order_events.PositionChanged) -> Told:
    return Told("position_changed", {"account": event.account, **_stated(event.position)})


def _funding(event: order_events.FundingPaid) -> Told:
    return Told("funding_paid", {"account": event.account, **_stated(event.funding)})


def _stated(report: msgspec.Struct) -> Fields:
    """What a report states; the exchange's own time of it is left out, as of every event."""
    return {name: value for name, value in _without(report, "exchange_time_milliseconds").items() if value is not None}


def _order_ended(event: order_events.OrderEnded) -> Told:
    name = "order_completed" if event.order.state is OrderState.FILLED else f"order_{event.order.state.value}"
    return Told(name, order_fields(event.account, event.order))


def _impossible_transition(event: order_events.ImpossibleTransition) -> Told:
    return Told("impossible_transition", {**order_fields(event.account, event.order), "happened": event.happened.value})


def _cycle_reconciled(event: reconciliation.CycleReconciled) -> Told:
    return Told("cycle_reconciled", {**fields_of(event), "differences": amounts(event.differences()), "agrees": event.agrees})


def _flattened(event: account_events.OwnerFlattened) -> Told:
    flattened = event.flattened
    fields = {name: value for name, value in fields_of(flattened).items() if value is not None}
    fields["cycle"] = fields.pop("owner")
    return Told("cycle_flattened", {"account": event.account, **fields, "is_flat": flattened.is_flat})


def _risk(event: RiskMeasured) -> Told:
    return Told("risk_measured", risk_fields(event))


def _child(name: str, event: supervision_events.ChildEvent) -> Told:
    fields = _without(event, "time")
    return Told(name, {"actor": fields.pop("child"), **fields}, quiet=name in _QUIET_CHILD_EVENTS)


_QUIET_CHILD_EVENTS = ("actor_starting", "actor_ended", "actor_stopping", "cleanup_started", "cleanup_finished")


def _child_ready(event: supervision_events.ChildReady) -> Told:
    return _child("actor_started" if event.incarnation == 1 else "actor_restarted", event)


def _child_died(event: supervision_events.ChildDied) -> Told:
    names = {DeathKind.CRASHED: "actor_crashed", DeathKind.HUNG: "actor_crashed", DeathKind.FINISHED: "actor_finished"}
    return _child(names.get(event.kind, "actor_ended"), event)


def _supervisor(name: str, event: supervision_events.SupervisorStopping) -> Told:
    return Told(name, _without(event, "time"), quiet=True)


def _log(event: runtime_events.LogLine) -> Told | None:
    return _told_as("log", event) if event.level in _LOG_LEVELS_TOLD else None


def _nothing(event: object) -> None:
    """For owners or the journal: the events beside it say what happened."""


_Teller = Callable[[Any], Told | None]


def _named(name: str, *, quiet: bool = False) -> _Teller:
    return functools.partial(_told_as, name, quiet=quiet)


_TELLERS: dict[type, _Teller] = {
    market_events.BookChanged: _book_top,
    market_events.BookLost: _book_lost,
    market_events.TradeHappened: functools.partial(_market, "trade"),
    market_events.TickerChanged: functools.partial(_market, "ticker"),
    market_events.MarkPriceChanged: functools.partial(_market, "mark_price"),
    market_events.FundingRateChanged: functools.partial(_market, "funding_rate"),
    market_events.LiquidationHappened: functools.partial(_market, "liquidation"),
    market_events.InstrumentListed: _named("instrument_listed", quiet=True),
    feed_reports.FeedConnected: _named("feed_connected"),
    feed_reports.FeedDisconnected: _named("feed_disconnected"),
    feed_reports.BookSynchronised: _named("book_synchronised"),
    feed_reports.BookDiscarded: _named("book_discarded"),
    feed_reports.SnapshotFailed: _named("snapshot_failed"),
    feed_reports.BadFrameReceived: _named("bad_frame_received"),
    feed_reports.ChannelRefused: _named("channel_refused"),
    feed_reports.InstrumentsLoaded: _named("instruments_loaded"),
    feed_reports.InstrumentsFailed: _named("instruments_failed"),
    feed_reports.SubscriberGone: _named("subscriber_gone", quiet=True),
    order_events.OrderChanged: _nothing,
    order_events.PositionCounted: _nothing,
    order_events.OrderSubmitted: functools.partial(_order, "order_submitted"),
    order_events.OrderPlaced: functools.partial(_order_sent, "order_placed"),
    order_events.OrderFilled: _order_filled,
    order_events.OrderCancelRequested: functools.partial(_order, "order_cancel_requested"),
    order_events.OrderFateUnknown: functools.partial(_order_sent, "order_unknown"),
    order_events.OrderEnded: _order_ended,
    order_events.ImpossibleTransition: _impossible_transition,
    order_events.ForeignOrderSeen: _named("foreign_order_seen"),
    order_events.LeftoverOrderFound: functools.partial(_order, "leftover_order_found"),
    order_events.ForeignFillSeen: _named("foreign_fill_seen"),
    order_events.BalanceChanged: _named("balance_changed"),
    order_events.PositionChanged: _position,
    order_events.PositionDiffers: _named("position_differs"),
    order_events.BalanceDiffers: _named("balance_differs"),
    order_events.BalanceBaselined: _nothing,
    order_events.CountingBegan: _nothing,
    order_events.FundingPaid: _funding,
    order_events.AccountReady: _named("account_ready"),
    order_events.AccountLost: _named("account_lost"),
    account_events.AccountConnected: _named("account_connected"),
    account_events.AccountDisconnected: _named("account_disconnected"),
    account_events.AccountReconciled: _named("account_reconciled"),
    account_events.AccountTrouble: _named("account_trouble"),
    account_events.AccountNotReady: _named("account_not_ready"),
    account_events.OrderStillUnknown: _named("order_still_unknown"),
    account_events.OrderFateLearned: _named("order_fate_learned"),
    account_events.OrderRefused: _named("order_refused"),
    account_events.OwnerFlattened: _flattened,
    account_events.ClockOffsetMeasured: _named("clock_offset_measured", quiet=True),
    account_events.LeverageSet: _named("leverage_set"),
    account_events.ClosingProgressed: _named("closing_progressed"),
    journal_events.JournalFailed: _named("journal_failed"),
    notifier_events.NotificationsFailed: _named("notifications_failed"),
    notifier_events.NotificationsResumed: _named("notifications_resumed"),
    journal_entries.HoldPlaced: _named("hold_placed"),
    reconciliation.CycleStarted: _named("cycle_started"),
    reconciliation.CyclePhaseChanged: _named("cycle_phase_changed"),
    reconciliation.CycleReconciled: _cycle_reconciled,
    reconciliation.CycleFinished: _named("cycle_finished"),
    RiskMeasured: _risk,
    supervision_events.SupervisorReady: functools.partial(_supervisor, "supervisor_ready"),
    supervision_events.SupervisorStopping: functools.partial(_supervisor, "supervisor_stopping"),
    supervision_events.SupervisorStopped: functools.partial(_supervisor, "supervisor_stopped"),
    supervision_events.ChildStarting: functools.partial(_child, "actor_starting"),
    supervision_events.ChildReady: _child_ready,
    supervision_events.ChildStartFailed: functools.partial(_child, "actor_start_failed"),
    supervision_events.ChildHung: functools.partial(_child, "actor_hung"),
    supervision_events.ChildDied: _child_died,
    supervision_events.ChildRestarting: functools.partial(_child, "actor_restarting"),
    supervision_events.ChildStopping: functools.partial(_child, "actor_stopping"),
    supervision_events.StopDeadlineExceeded: functools.partial(_child, "stop_deadline_exceeded"),
    supervision_events.ChildStopped: functools.partial(_child, "actor_stopped"),
    supervision_events.CleanupStarted: functools.partial(_child, "cleanup_started"),
    supervision_events.CleanupFinished: functools.partial(_child, "cleanup_finished"),
    supervision_events.CleanupFailed: functools.partial(_child, "cleanup_failed"),
    supervision_events.CleanupTimedOut: functools.partial(_child, "cleanup_timed_out"),
    supervision_events.ChildQuarantined: functools.partial(_child, "actor_quarantined"),
    supervision_events.IntensityExceeded: functools.partial(_child, "intensity_exceeded"),
    guardian_events.GuardianWatching: _named("guardian_watching"),
    guardian_events.GuardianLost: _named("guardian_lost"),
    guardian_events.GuardianActed: _named("guardian_acted"),
    page_events.PageOpened: _named("page_opened"),
    page_events.PageUnavailable: _named("page_unavailable"),
    reloading_events.SettingChanged: _named("setting_changed"),
    reloading_events.SettingsRefused: _named("settings_refused"),
    runtime_events.RuntimeStarted: _named("started"),
    runtime_events.RunRecovered: _named("recovered"),
    runtime_events.HoldTakenOver: _named("hold_taken_over"),
    runtime_events.RuntimeStopping: _named("stopping"),
    runtime_events.StopAwaited: _named("stop_awaited"),
    runtime_events.Notice: _named("notice"),
    runtime_events.LogLine: _log,
}
