"""The tables that a journal is given away as: which, their columns, and their rows. docs/report.md explains every column.

Amounts are the decimals as they were meant, in text; times are milliseconds since the epoch, UTC; flags are true and false, or 1 and 0.
"""

from __future__ import annotations

import csv
import enum
import heapq
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from actors.journal.figures import JournalFigures
from actors.journal.rows import Row, symbol_of
from assembly.presenter.times import iso_time
from assembly.report.analysis import RISK, Choice
from assembly.report.files import replacing
from assembly.report.incidents import EventSieve, Incident, incident_of_order, incidents_of_run

Values = tuple[Any, ...]
_ALL = Choice()


class Kind(enum.Enum):
    """What a column holds."""

    NUMBER = "number"
    TEXT = "text"
    AMOUNT = "amount"
    TIME = "time"
    FLAG = "flag"
    SHARE = "share"


class Column(msgspec.Struct, frozen=True):
    """A column of a table; any value of it may be missing."""

    name: str
    kind: Kind = Kind.TEXT


class Table(msgspec.Struct, frozen=True):
    """A table; `rows` reads it, oldest first."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[JournalFigures, Choice], Iterator[Values]]


def write_csv(table: Table, figures: JournalFigures, choice: Choice, folder: Path) -> int:
    """Write a table's file into `folder`; returns how many rows it has.

    Raises:
        FileNotWritten: it cannot be written.
        JournalBroken: the journal cannot be read.
    """
    times = [number for number, column in enumerate(table.columns) if column.kind is Kind.TIME]
    flags = [number for number, column in enumerate(table.columns) if column.kind is Kind.FLAG]
    count = 0
    with replacing(folder / f"{table.name}.csv") as path, path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in table.columns])
        for values in table.rows(figures, choice):
            row: list[Any] = list(values)
            for number in times:
                row[number] = None if row[number] is None else iso_time(row[number])
            for number in flags:
                row[number] = None if row[number] is None else "true" if row[number] else "false"
            writer.writerow(row)
            count += 1
    return count


# Rows


def _concerns(choice: Choice, row: Row, owner: str, time: str) -> bool:
    if choice == _ALL:
        return True
    since = choice.since_milliseconds
    return choice.includes(row[owner], symbol_of(row["symbol"])) and (since is None or (row[time] or 0) >= since)


def _picker(columns: tuple[Column, ...], **sources: str) -> Callable[[Row], Values]:
    """Takes the columns out of a row; `sources` are other names that the row has for them."""
    return itemgetter(*(sources.get(column.name, column.name) for column in columns))


def _fills(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    sql = """
    SELECT fills.*, orders.owner AS owner FROM fills LEFT JOIN orders ON orders.id = fills.order_id
    WHERE fills.id > ? AND fills.id <= ? ORDER BY fills.id LIMIT ?
    """
    pick = _picker(FILLS, time="at", cycle="owner")
    for row in figures.table(sql, "fills"):
        if _concerns(choice, row, "owner", "at"):
            yield pick(row)


def _orders(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    measured = "" if figures.has_prices else ", NULL AS acknowledged_us"
    sql = f"SELECT *{measured} FROM orders WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"  # noqa: S608 - constants of ours
    pick = _picker(ORDERS, cycle="owner")
    for row in figures.table(sql, "orders"):
        if _concerns(choice, row, "owner", "created_at"):
            yield pick(row)


def _order_events(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    sql = """
    SELECT order_events.*, client_order_id, account, owner, symbol FROM order_events JOIN orders ON orders.id = order_id
    WHERE order_events.id > ? AND order_events.id <= ? ORDER BY order_events.id LIMIT ?
    """
    pick = _picker(ORDER_EVENTS, time="at", cycle="owner")
    for row in figures.table(sql, "order_events"):
        if _concerns(choice, row, "owner", "at"):
            yield pick(row)


def _prices(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    for exchange, symbol in figures.priced_markets():
        if choice.symbol in (None, symbol):
            for at, bid, ask in figures.price_texts(exchange, symbol, since=choice.since_milliseconds):
                yield exchange, str(symbol), at, bid, ask


def _risk(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    since = choice.since_milliseconds or 0
    for row in figures.events():
        if row["name"] == RISK and row["at"] >= since:
            fields: dict[str, Any] = msgspec.json.decode(row["fields"])
            if choice.includes(fields["cycle"], symbol_of(fields["symbol"])):
                yield row["at"], *(fields.get(column.name) for column in RISK_COLUMNS[1:])


def _rounds(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    pick = _picker(ROUNDS)
    for row in figures.rounds():
        if _concerns(choice, row, "cycle", "began_at"):
            yield pick(row)


def _funding(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    pick = _picker(FUNDING, time="at")
    for row in figures.funding():
        if choice.symbol in (None, symbol_of(row["symbol"])) and row["at"] >= (choice.since_milliseconds or 0):
            yield pick(row)


def _incidents(figures: JournalFigures, choice: Choice) -> Iterator[Values]:
    since = choice.since_milliseconds or 0

    def values(incident: Incident) -> Values:
        return incident.at, incident.kind.value, incident.name, incident.text

    def of_events() -> Iterator[Values]:
        sieve = EventSieve(cycle=choice.cycle, since_milliseconds=since)
        for row in figures.events():
            incident = sieve.incident_of(row)
            if incident is not None:
                yield values(incident)

    runs = [values(each) for run in figures.runs() for each in incidents_of_run(run) if each.at >= since]
    orders = (values(incident_of_order(row)) for row in figures.order_troubles() if _concerns(choice, row, "owner", "at"))
    yield from heapq.merge(sorted(runs), of_events(), orders, key=lambda each: each[0])


# Tables


def _columns(names: str, kind: Kind = Kind.TEXT) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name in names.split())


_numbers, _amounts = partial(_columns, kind=Kind.NUMBER), partial(_columns, kind=Kind.AMOUNT)
_times, _flags = partial(_columns, kind=Kind.TIME), partial(_columns, kind=Kind.FLAG)

FILLS = (
    *_numbers("id"),
    *_times("time exchange_time"),
    *_columns("exchange account cycle symbol side"),
    *_amounts("price quantity fee"),
    *_columns("fee_asset"),
    *_flags("maker"),
    *_columns("trade_id exchange_order_id client_order_id"),
)
ORDERS = (
    *_numbers("id run"),
    *_columns("exchange account client_order_id cycle tag symbol side type time_in_force"),
    *_amounts("quantity quote_quantity price"),
    *_flags("reduce_only"),
    *_times("created_at"),
    *_flags("sent"),
    *_times("sent_at expires_at"),
    *_columns("transport exchange_order_id state"),
    *_amounts("filled_quantity filled_quote"),
    *_flags("is_settled"),
    *_columns("reason"),
    *_flags("amended"),
    *_times("changed_at ended_at"),
    *_numbers("acknowledged_us"),
)
ORDER_EVENTS = (
    *_numbers("id"),
    *_times("time"),
    *_columns("account cycle symbol client_order_id event state"),
    *_amounts("price quantity filled_quantity"),
    *_columns("trade_id reason"),
)
PRICES = (*_columns("exchange symbol"), *_times("time"), *_amounts("bid ask"))
RISK_COLUMNS = (
    *_times("time"),
    *_columns("account cycle symbol"),
    *_amounts("mid net_quantity inventory position delta delta_usd bids asks realised unrealised fees profit volume"),
    *_numbers("trades"),
    Column("uptime", Kind.SHARE),
    *_amounts("spread_captured"),
)
ROUNDS = (
    *_numbers("id run"),
    *_columns("exchange account cycle"),
    *_numbers("number"),
    *_columns("symbol"),
    *_times("began_at ended_at"),
    *_flags("agrees"),
    *_numbers("rounds_completed"),
    *_amounts("carried_quantity bought_quantity bought_quote sold_quantity sold_quote left_over_quantity profit_quote rounding"),
)
FUNDING = (
    *_numbers("id"),
    *_times("time exchange_time"),
    *_columns("exchange account symbol payment_id"),
    *_amounts("amount"),
    *_columns("asset"),
)
INCIDENTS = (*_times("time"), *_columns("kind name text"))

TABLES: tuple[Table, ...] = (
    Table("fills", FILLS, _fills),
    Table("orders", ORDERS, _orders),
    Table("order_events", ORDER_EVENTS, _order_events),
    Table("prices", PRICES, _prices),
    Table("risk", RISK_COLUMNS, _risk),
    Table("rounds", ROUNDS, _rounds),
    Table("funding", FUNDING, _funding),
    Table("incidents", INCIDENTS, _incidents),
)
