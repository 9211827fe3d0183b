"""Reading a journal from outside, also while a runtime writes it: what happened to each order.

A reader changes nothing and makes no writer wait. It reads some hundred orders at a time, each time the newest state, so that
a slow reader of its output does not keep the write-ahead log from being reused.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from actors.journal import schema
from actors.journal.errors import JournalUnusable, translated
from actors.journal.file import beside, connect, look_over, refuse_stub
from actors.journal.rows import Row, fill_from_row, order_from_row
from market.symbol import Symbol
from orders.order import Order

ORDERS_AT_A_TIME = 500
_TERMINAL = "('filled', 'cancelled', 'expired', 'rejected')"


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to an order, and how it stood then. `event` is one of `records.ORDER_EVENTS`."""

    at_milliseconds: int
    event: str
    state: str
    price: str | None
    quantity: str | None
    filled_quantity: str
    trade_id: str | None
    reason: str | None


class OrderHistory(msgspec.Struct, frozen=True, kw_only=True):
    """An order from its first intent on; its fills are in `order`. Times are wall time."""

    exchange: str
    account: str
    order: Order
    created_at_milliseconds: int
    ended_at_milliseconds: int | None
    events: tuple[OrderEvent, ...]


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders: None means all. `may_exist_only` leaves those that have not ended by the exchange's word."""

    cycle: str | None = None
    symbol: Symbol | None = None
    since_milliseconds: int | None = None
    may_exist_only: bool = False


class JournalReader:
    """An open journal. Close it, or use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            JournalUnusable: there is no journal, or it is damaged or of a newer program's.
            JournalBroken: it cannot be read.
        """
        with translated(path, "read"):
            self.path = path.resolve()
            if self.path.is_dir():
                raise JournalUnusable(f"{path} is a folder: name the journal in it")
            if not self.path.is_file():
                raise JournalUnusable(f"there is no journal {path}")
            if not os.access(self.path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            refuse_stub(self.path)
            self._connection = connect(self.path, "mode=ro" if self._may_share() else "mode=ro&immutable=1")
            try:
                look_over(self._connection, self.path)
                self.version = self._check_version()
            except BaseException:
                self._connection.close()
                raise
            self._connection.row_factory = sqlite3.Row

    def _may_share(self) -> bool:
        """Whether SQLite can see what others write meanwhile, for which it needs files beside; if not, nobody may write here either."""
        return os.access(self.path.parent, os.W_OK) or beside(self.path, "-wal").exists()

    def _check_version(self) -> int:
        version = schema.version_of(self._connection)
        if version == 0:
            raise JournalUnusable(f"{self.path} is empty: no run has written to it")
        return version

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """The rows of one statement, all at one moment, so that nothing is held up while they are worked on: of many, ask for parts.

        Raises:
            JournalBroken: the journal cannot be read.
        """
        with translated(self.path, "read"):
            return self._connection.execute(sql, values).fetchall()

    def orders(self, which: OrderFilter) -> Iterator[OrderHistory]:
        """Orders by their intents, oldest first. Those that come while this reads come too.

        Raises:
            JournalBroken: the journal cannot be read.
        """
        last = 0
        while True:
            with translated(self.path, "read"):
                self._connection.execute("BEGIN")
                try:
                    rows = self._rows(which, last)
                    found = [self._history(row) for row in rows]
                finally:
                    self._connection.execute("ROLLBACK")
            if not found:
                return
            last = rows[-1]["id"]
            yield from found

    def _rows(self, which: OrderFilter, after: int) -> list[Row]:
        sql = f"""
        SELECT * FROM orders WHERE id > :after
        AND (:cycle IS NULL OR owner = :cycle) AND (:symbol IS NULL OR symbol = :symbol)
        AND (:since IS NULL OR created_at >= :since) AND (NOT :may_exist OR state NOT IN {_TERMINAL})
        ORDER BY id LIMIT {ORDERS_AT_A_TIME}
        """  # noqa: S608 - constants of ours
        values = {
            "after": after,
            "cycle": which.cycle,
            "symbol": None if which.symbol is None else str(which.symbol),
            "since": which.since_milliseconds,
            "may_exist": which.may_exist_only,
        }
        return self._connection.execute(sql, values).fetchall()

    def _history(self, row: Row) -> OrderHistory:
        fills = self._connection.execute("SELECT * FROM fills WHERE order_id = ? ORDER BY id", (row["id"],))
        events = self._connection.execute("SELECT * FROM order_events WHERE order_id = ? ORDER BY id", (row["id"],))
        return OrderHistory(
            exchange=row["exchange"],
            account=row["account"],
            order=order_from_row(row, tuple(fill_from_row(fill) for fill in fills)),
            created_at_milliseconds=row["created_at"],
            ended_at_milliseconds=row["ended_at"],
            events=tuple(
                OrderEvent(
                    at_milliseconds=event["at"],
                    event=event["event"],
                    state=event["state"],
                    price=event["price"],
                    quantity=event["quantity"],
                    filled_quantity=event["filled_quantity"],
                    trade_id=event["trade_id"],
                    reason=event["reason"],
                )
                for event in events
            ),
        )
