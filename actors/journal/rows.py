"""Values as the tables have them, there and back: decimals as texts, symbols by their names, orders as rows."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from market.events import Side
from market.instrument import format_decimal
from market.symbol import Symbol
from orders.commands import BalanceCapture
from orders.life_cycle import OrderState
from orders.order import Order, Transport
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce

Row = Mapping[str, Any]
"""A row by its columns (`sqlite3.Row` is one)."""


def text(value: Decimal) -> str:
    return format_decimal(value)


def text_or_none(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)


def decimal_or_none(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def symbol_of(name: str) -> Symbol:
    """The inverse of `str`, for whatever assets an exchange lists."""
    base, _, quote = name.partition("/")
    return Symbol(base, quote)


def order_from_row(row: Row, fills: tuple[FillReport, ...]) -> Order:
    """An order as it was known last. Its monotonic times are of a process that is gone, and are 0: long ago."""
    transport = row["transport"]
    return Order(
        request=OrderRequest(
            client_order_id=row["client_order_id"],
            owner=row["owner"],
            symbol=symbol_of(row["symbol"]),
            side=Side(row["side"]),
            type=OrderType(row["type"]),
            time_in_force=TimeInForce(row["time_in_force"]),
            quantity=decimal_or_none(row["quantity"]),
            quote_quantity=decimal_or_none(row["quote_quantity"]),
            price=decimal_or_none(row["price"]),
            reduce_only=bool(row["reduce_only"]),
            tag=row["tag"],
        ),
        state=OrderState(row["state"]),
        exchange_order_id=row["exchange_order_id"],
        filled_quantity=Decimal(row["filled_quantity"]),
        filled_quote=Decimal(row["filled_quote"]),
        fills=fills,
        reason=row["reason"],
        sent=bool(row["sent"]),
        transport=None if transport is None else Transport(transport),
        refused_for_now=bool(row["refused_for_now"]),
        end_is_concluded=bool(row["end_is_concluded"]),
        cancel_wanted=bool(row["cancel_wanted"]),
        amended=bool(row["amended"]),
        sent_at_milliseconds=row["sent_at"] or 0,
        expires_at_milliseconds=row["expires_at"],
        said_at_milliseconds=row["said_at"] or 0,
    )


def fill_from_row(row: Row) -> FillReport:
    return FillReport(
        trade_id=row["trade_id"],
        exchange_order_id=row["exchange_order_id"],
        client_order_id=row["client_order_id"],
        symbol=symbol_of(row["symbol"]),
        side=Side(row["side"]),
        price=Decimal(row["price"]),
        quantity=Decimal(row["quantity"]),
        fee=Decimal(row["fee"]),
        fee_asset=row["fee_asset"],
        maker=bool(row["maker"]),
        exchange_time_milliseconds=row["exchange_time"] or 0,
    )


class _Captured(msgspec.Struct, frozen=True):
    totals: dict[str, Decimal]
    available: dict[str, Decimal]
    fill_changes: dict[str, Decimal]
    leverages: dict[str, Decimal] = {}
    funding: dict[str, Decimal] = {}
    unexplained: dict[str, Decimal] = {}


def capture_text(capture: BalanceCapture) -> str:
    """JSON, with decimals as texts."""
    leverages = {str(symbol): leverage for symbol, leverage in capture.leverages.items()}
    funding = {str(symbol): amount for symbol, amount in capture.funding.items()}
    amounts = {
        "totals": capture.totals,
        "available": capture.available,
        "fill_changes": capture.fill_changes,
        "leverages": leverages,
        "funding": funding,
        "unexplained": capture.unexplained,
    }
    fields = {name: {key: text(value) for key, value in each.items()} for name, each in amounts.items()}
    return msgspec.json.encode(fields).decode()


def capture_from_text(captured: str) -> BalanceCapture:
    found = msgspec.json.decode(captured, type=_Captured)
    return BalanceCapture(
        totals=found.totals,
        available=found.available,
        fill_changes=found.fill_changes,
        leverages={symbol_of(symbol): leverage for symbol, leverage in found.leverages.items()},
        funding={symbol_of(symbol): amount for symbol, amount in found.funding.items()},
        unexplained=found.unexplained,
    )
