"""Single things of a run as the page is told them: orders, fills, positions, actors, log lines."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from actors.cycle.quoting.risk import RiskMeasured
from assembly.page.memory import Said
from assembly.page.protocol import Actor, Balance, Fill, Latency, LogLine, OrderShown, OwnQuote, Position
from assembly.presenter.phrases import phrase, printable
from assembly.presenter.report import LogLine as LoggedLine
from assembly.presenter.vocabulary import level_of, risk_fields, tell
from market.events import Side
from market.instrument import format_decimal
from measuring.histogram import HistogramSnapshot
from orders.events import BalanceChanged, OrderFilled
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.reports import PositionReport
from supervision.snapshot import Snapshot

AtMilliseconds = Callable[[float], int]
"""Trio's time as milliseconds since 1970."""
_TEXT_LENGTH_MAX = 1_000
_OF = ("cycle", "account", "actor", "exchange")


def actor_shown(snapshot: Snapshot, at: AtMilliseconds) -> Actor:
    """A place in the tree, with all that is under it."""
    return Actor(
        name=snapshot.name,
        path=snapshot.path,
        state=snapshot.state,
        incarnation=snapshot.incarnation,
        restarts=snapshot.restarts,
        last_error=snapshot.last_error or "",
        since_milliseconds=at(snapshot.since),
        children=None if snapshot.children is None else tuple(actor_shown(child, at) for child in snapshot.children),
    )


def amount(value: Decimal) -> str:
    """Exact, without the zeros at its end that sums and products of decimals leave behind."""
    text = format_decimal(value) if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_shown(account: str, order: Order, at: AtMilliseconds, *, unknown_since: float | None = None) -> OrderShown:
    request = order.request
    is_unknown = order.state is OrderState.UNKNOWN
    return OrderShown(
        account=account,
        cycle=request.owner,
        symbol=str(request.symbol),
        client_order_id=request.client_order_id,
        exchange_order_id=order.exchange_order_id or "",
        side=request.side.value,
        price=_number(request.price),
        quantity=_number(request.quantity),
        quote_quantity=_number(request.quote_quantity),
        filled_quantity=format_decimal(order.filled_quantity),
        average_price=_number(None if order.average_price is None else round(order.average_price, 12).normalize()),
        state=order.state.value,
        reason=order.reason,
        cancel_wanted=order.cancel_wanted,
        created_milliseconds=at(order.created_at),
        changed_milliseconds=at(order.changed_at),
        unknown_since_milliseconds=at(order.changed_at if unknown_since is None else unknown_since) if is_unknown else None,
    )


def quote_shown(order: Order) -> OwnQuote | None:
    """A live order as it is drawn into a book; None of one without a price."""
    request = order.request
    if request.price is None:
        return None
    return OwnQuote(
        client_order_id=request.client_order_id,
        cycle=request.owner,
        side=request.side.value,
        price=format_decimal(request.price),
        remaining=format_decimal(max(ZERO, order.remaining_quantity or ZERO)),
        state=order.state.value,
    )


def quote_order(order: Order) -> tuple[bool, Decimal]:
    """What sorts quotes: bids before asks, and the best of each side first."""
    price = order.request.price or ZERO
    return (False, -price) if order.request.side is Side.BUY else (True, price)


def fill_shown(said: Said) -> Fill:
    time_milliseconds, event = said
    filled: OrderFilled = event
    fill = filled.fill
    return Fill(
        said_milliseconds=time_milliseconds,
        account=filled.account,
        cycle=filled.order.request.owner,
        symbol=str(fill.symbol),
        client_order_id=filled.order.client_order_id,
        trade_id=fill.trade_id,
        side=fill.side.value,
        price=format_decimal(fill.price),
        quantity=format_decimal(fill.quantity),
        fee=format_decimal(fill.fee),
        fee_asset=fill.fee_asset,
        maker=fill.maker,
    )


def balance_shown(said: Said) -> Balance:
    time_milliseconds, event = said
    changed: BalanceChanged = event
    return Balance(
        asset=changed.asset,
        total=format_decimal(changed.total),
        available=format_decimal(changed.available),
        said_milliseconds=time_milliseconds,
    )


def position_shown(said: Said) -> Position:
    time_milliseconds, report = said
    position: PositionReport = report
    return Position(
        symbol=str(position.symbol),
        quantity=format_decimal(position.quantity),
        entry_price=_number(position.entry_price),
        mark_price=_number(position.mark_price),
        liquidation_price=_number(position.liquidation_price),
        leverage=_number(position.leverage),
        unrealised_pnl=_number(position.unrealised_pnl),
        said_milliseconds=time_milliseconds,
    )


def risk_shown(said: Said) -> dict[str, object]:
    measured: RiskMeasured = said[1]
    return risk_fields(measured)


def latency_shown(of: str, name: str, found: HistogramSnapshot) -> Latency:
    return Latency(
        of=of,
        name=name,
        bounds_seconds=found.bounds,
        counts=found.counts,
        count=found.count,
        sum_seconds=round(found.total, 9),
        p50_seconds=found.percentile(0.5),
        p95_seconds=found.percentile(0.95),
        p99_seconds=found.percentile(0.99),
    )


def line_shown(sequence: int, said: Said) -> LogLine | None:
    """An event as a line of the log; None of one that is for people who debug."""
    time_milliseconds, event = said
    if isinstance(event, LoggedLine):
        level, actor, text = event.level, event.actor, printable(event.message)
    else:
        told = tell(event)
        if told is None or told.quiet:
            return None
        level = level_of(told)
        actor = next((str(told.fields[key]) for key in _OF if key in told.fields), "")
        text = f"{told.name} {phrase(told)}".rstrip()
    return LogLine(sequence=sequence, said_milliseconds=time_milliseconds, level=level, actor=actor, text=text[:_TEXT_LENGTH_MAX])


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)
