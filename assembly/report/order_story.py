"""What happened to one order: some lines for people, one object for programs."""

from __future__ import annotations

from actors.journal.reading import OrderEvent, OrderHistory
from assembly.presenter.phrases import order_phrase, printable
from assembly.presenter.tables import columns
from assembly.presenter.times import iso_time
from assembly.presenter.vocabulary import Fields, order_fees, order_fields
from market.instrument import format_decimal
from orders.order import Order
from orders.reports import FillReport

_WORDS = {
    "submitted": "intent written down",
    "cancel_requested": "cancellation asked for",
    "unknown": "answer lost, fate unknown",
    "impossible": "something impossible was said",
    "leftover_found": "found open, left by an earlier run",
}


def order_lines(history: OrderHistory) -> list[str]:
    """The order, how it stands, and every event with the time since the intent. Nothing in it can steer a terminal."""
    order, request = history.order, history.order.request
    fields = order_fields(history.account, order)
    standing = order.state.value if order.is_terminal else f"{order.state.value}, may still exist"
    tag = f" {request.tag}" if request.tag else ""
    heading = (
        f"{iso_time(history.created_at_milliseconds)}  {order.client_order_id}  {request.symbol} {order_phrase(fields)} "
        f"{request.time_in_force.value}  cycle {request.owner}{tag}, {history.account} at {history.exchange}: {standing}"
    )
    fills = {fill.trade_id: fill for fill in order.fills}
    rows = [
        (
            f"+{(event.at_milliseconds - history.created_at_milliseconds) / 1000:.3f} s",
            event.state if event.event in ("ended", "changed") else _WORDS.get(event.event, event.event),
            _details(event, order, fills),
        )
        for event in history.events
    ]
    return [printable(line) for line in (heading, *(f"  {line}" for line in columns(rows, "><<")), *_sum(history))]


def order_object(history: OrderHistory) -> Fields:
    """As the events of `mm-runtime --json` have orders, and besides when, where, what happened, and the fills."""
    order = history.order
    ended_at = history.ended_at_milliseconds
    return {
        "created_at": iso_time(history.created_at_milliseconds),
        "ended_at": None if ended_at is None else iso_time(ended_at),
        "exchange": history.exchange,
        **order_fields(history.account, order),
        **({} if order.transport is None else {"transport": order.transport.value}),
        "may_exist": not order.is_terminal,
        "fills_are_complete": order.fills_are_complete,
        "fees": {asset: format_decimal(fee) for asset, fee in order_fees(order).items()},
        "fills": [_fill_object(fill) for fill in order.fills],
        "events": [_event_object(event) for event in history.events],
    }


def _details(event: OrderEvent, order: Order, fills: dict[str, FillReport]) -> str:
    match event.event:
        case "placed":
            transport = f" via {order.transport.value}" if order.transport is not None else ""
            return f"exchange id {order.exchange_order_id}{transport}"
        case "filled" if event.trade_id in fills:
            fill = fills[event.trade_id]
            role = "maker" if fill.maker else "taker"
            return (
                f"{format_decimal(fill.quantity)} {fill.symbol.base} @ {format_decimal(fill.price)} {role}, "
                f"fee {format_decimal(fill.fee)} {fill.fee_asset}, trade {fill.trade_id}"
            )
        case "changed":
            price = f" @ {event.price}" if event.price is not None else ""
            return f"filled {event.filled_quantity} of {event.quantity or '?'}{price}"
        case "submitted" | "leftover_found":
            return ""
        case _:
            return event.reason or ""


def _sum(history: OrderHistory) -> list[str]:
    order = history.order
    if not order.filled_quantity:
        return []
    fees = " + ".join(f"{format_decimal(fee)} {asset}" for asset, fee in order_fees(order).items()) or "none"
    average = order_fields(history.account, order).get("average_price")
    known = "" if order.fills_are_complete else ", NOT ALL FILLS ARE KNOWN"
    return [f"  filled {format_decimal(order.filled_quantity)} {order.request.symbol.base} at {average}, fees {fees}{known}"]


def _fill_object(fill: FillReport) -> Fields:
    return {
        "trade_id": fill.trade_id,
        "price": format_decimal(fill.price),
        "quantity": format_decimal(fill.quantity),
        "fee": format_decimal(fill.fee),
        "fee_asset": fill.fee_asset,
        "maker": fill.maker,
        "exchange_time": iso_time(fill.exchange_time_milliseconds) if fill.exchange_time_milliseconds else None,
    }


def _event_object(event: OrderEvent) -> Fields:
    fields: Fields = {
        "time": iso_time(event.at_milliseconds),
        "event": event.event,
        "state": event.state,
        "price": event.price,
        "quantity": event.quantity,
        "filled_quantity": event.filled_quantity,
        "trade_id": event.trade_id,
        "reason": event.reason,
    }
    return {name: value for name, value in fields.items() if value is not None}
