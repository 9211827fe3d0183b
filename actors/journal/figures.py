"""What reports add up, read in parts: runs, trades, prices, orders and events, of a journal of any version, also while it is written.

What is there when this is made is what is read, so that all figures are of one moment; each part is a short look of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from math import nan
from typing import Any

import msgspec

from actors.journal.reading import JournalReader
from actors.journal.rows import Row, fill_from_row, symbol_of
from market.symbol import Symbol
from orders.reports import FillReport

ROWS_AT_A_TIME = 20_000
PRICES_SINCE_VERSION = 5

Progress = Callable[[str, int, int], None]
"""Told of what is read (`fills`), how much of it, and how much there is."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `ended_at` is None of the one that goes on, or that died and was followed by none."""

    number: int
    installation: str
    version: str
    began_at: int
    ended_at: int | None
    ended_how: str | None
    exchange_by_account: dict[str, str]


class FillRow(msgspec.Struct, frozen=True):
    """A trade of an order of ours."""

    account: str
    owner: str
    installation: str
    at: int
    fill: FillReport


class PriceRows(msgspec.Struct, frozen=True):
    """A market's best prices, oldest first: floats whose texts are what the exchange wrote; NaN where it had no book."""

    at: array[int]
    bid: array[float]
    ask: array[float]


class JournalFigures:
    """Reads one journal, which the caller opens and closes. Everything raises `JournalBroken` if it cannot be read."""

    def __init__(self, reader: JournalReader, progress: Progress = lambda what, done, of: None) -> None:
        self._reader = reader
        self._progress = progress
        self.version = reader.version
        ends = ", ".join(f"(SELECT coalesce(max(id), 0) FROM {table}) AS {table}" for table in _TABLES)  # noqa: S608 - constants of ours
        self._until: dict[str, int] = dict(reader.rows(f"SELECT {ends}")[0])
        self.has_prices = self.version >= PRICES_SINCE_VERSION
        # An exchange that is simulated with each run has a market of its own for each: most look at a small part of the trades.
        sql = "SELECT exchange, symbol, min(id) AS first, max(id) AS last FROM fills WHERE id <= ? GROUP BY exchange, symbol"
        self._fills_of = {
            (row["exchange"], row["symbol"]): (row["first"], row["last"]) for row in reader.rows(sql, (self._until["fills"],))
        }

    def runs(self) -> list[RunRow]:
        """All of them, oldest first."""
        accounts: dict[int, dict[str, str]] = {}
        for row in self._reader.rows("SELECT run, account, exchange FROM run_accounts"):
            accounts.setdefault(row["run"], {})[row["account"]] = row["exchange"]
        return [
            RunRow(
                number=row["id"],
                installation=row["installation"],
                version=row["version"],
                began_at=row["began_at"],
                ended_at=row["ended_at"],
                ended_how=row["ended_how"],
                exchange_by_account=accounts.get(row["id"], {}),
            )
            for row in self._reader.rows("SELECT * FROM runs WHERE id <= ? ORDER BY id", (self._until["runs"],))
        ]

    def last_written_at(self) -> int | None:
        """The time of the newest entry."""
        newest = [
            *(f"SELECT max(at) AS at FROM (SELECT at FROM {table} ORDER BY id DESC LIMIT 1)" for table in _TOLD),  # noqa: S608
            *(["SELECT (SELECT max(at) FROM prices WHERE market = markets.id) FROM markets"] if self.has_prices else []),
        ]
        return self._reader.rows(f"SELECT max(at) FROM ({' UNION ALL '.join(newest)})")[0][0]  # noqa: S608 - constants of ours

    def markets(self) -> list[tuple[str, Symbol]]:
        """Wherever something was wanted, by exchange and symbol."""
        rows = self._reader.rows("SELECT DISTINCT exchange, symbol FROM orders WHERE id <= ? ORDER BY 1, 2", (self._until["orders"],))
        return [(row["exchange"], symbol_of(row["symbol"])) for row in rows]

    def owners(self) -> list[tuple[str, Symbol]]:
        """The cycles that wanted something, by name, and what each traded."""
        rows = self._reader.rows("SELECT DISTINCT owner, symbol FROM orders WHERE id <= ? ORDER BY 1, 2", (self._until["orders"],))
        return [(row["owner"], symbol_of(row["symbol"])) for row in rows]

    def fills(self, exchange: str, symbol: Symbol) -> Iterator[FillRow]:
        """The trades of ours in a market, in the order in which their owners' tallies count them (`tallies.read_tallies`)."""
        sql = """
        SELECT fills.*, orders.owner AS owner, orders.client_order_id AS order_client_id
        FROM fills JOIN orders ON orders.id = fills.order_id
        WHERE fills.id > ? AND fills.id <= ? AND +fills.exchange = ? AND +fills.symbol = ? ORDER BY fills.id LIMIT ?
        """
        late: list[FillRow] = []
        told_late = (
            {row["fill_id"] for row in self._reader.rows("SELECT fill_id FROM fills_told_late")} if self.version >= 4 else set[int]()
        )
        first, until = self._fills_of.get((exchange, str(symbol)), (1, 0))
        for row in self._parts(sql, "fills", (exchange, str(symbol)), after=first - 1, until=until):
            installation = row["order_client_id"].partition("-")[0]
            found = FillRow(row["account"], row["owner"], installation, row["at"], fill_from_row(row))
            if row["id"] in told_late:
                late.append(found)
            else:
                yield found
        yield from late

    def foreign_fills(self) -> int:
        """How many trades of our accounts were of orders that are not ours."""
        return self._reader.rows("SELECT count(*) FROM fills WHERE order_id IS NULL AND id <= ?", (self._until["fills"],))[0][0]

    def prices(self, exchange: str, symbol: Symbol) -> PriceRows:
        """A market's best prices; none in a journal of before version 5."""
        found = PriceRows(array("q"), array("d"), array("d"))
        if (exchange, symbol) in self.priced_markets():
            for at, bid, ask in self.price_texts(exchange, symbol):
                found.at.append(at)
                found.bid.append(nan if bid is None else float(bid))
                found.ask.append(nan if ask is None else float(ask))
                if len(found.at) % ROWS_AT_A_TIME == 0:
                    self._progress("prices", len(found.at), 0)
        return found

    def priced_markets(self) -> list[tuple[str, Symbol]]:
        """The markets that there are prices of, by exchange and symbol."""
        rows = self._reader.rows("SELECT exchange, symbol FROM markets ORDER BY id") if self.has_prices else []
        return [(row["exchange"], symbol_of(row["symbol"])) for row in rows]

    def price_texts(self, exchange: str, symbol: Symbol, *, since: int | None = None) -> Iterator[tuple[int, str | None, str | None]]:
        """Time, bid and ask of each sample of a market, oldest first."""
        market = self._reader.rows("SELECT id FROM markets WHERE exchange = ? AND symbol = ?", (exchange, str(symbol)))[0]["id"]
        last = _BEFORE_ALL if since is None else since - 1
        while rows := self._reader.rows(_PRICES, (market, last, ROWS_AT_A_TIME)):
            last = rows[-1]["at"]
            yield from ((row["at"], row["bid"], row["ask"]) for row in rows)

    def orders(self) -> Iterator[Row]:
        """Every order, oldest first, with `placed_at`: when the exchange was first heard to have it, None if it never was."""
        acknowledged = "acknowledged_us" if self.has_prices else "NULL AS acknowledged_us"
        sql = f"""
        SELECT id, run, exchange, account, client_order_id, owner, symbol, side, type, price, quantity, quote_quantity, created_at,
        sent, transport, state, filled_quantity, filled_quote, ended_at, {acknowledged},
        (SELECT at FROM order_events WHERE order_id = orders.id AND event = 'placed' ORDER BY id LIMIT 1) AS placed_at
        FROM orders WHERE id > ? AND id <= ? ORDER BY id LIMIT ?
        """  # noqa: S608 - constants of ours
        yield from self._parts(sql, "orders", ())

    def events(self) -> Iterator[Row]:
        """Everything that was told in words: `run`, `at`, `actor`, `name`, and `fields` as JSON."""
        yield from self._parts("SELECT * FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", "events", ())

    def order_troubles(self) -> Iterator[Row]:
        """What happened to orders that must not: lost answers, impossible words, orders that an earlier run left."""
        sql = """
        SELECT order_events.id AS id, order_events.at AS at, event, order_events.state AS state, order_events.reason AS reason, exchange,
        account, owner, symbol, client_order_id FROM order_events JOIN orders ON orders.id = order_id
        WHERE order_events.id > ? AND order_events.id <= ? AND event IN ('unknown', 'impossible', 'leftover_found')
        ORDER BY order_events.id LIMIT ?
        """
        yield from self._parts(sql, "order_events", ())

    def rounds(self) -> list[Row]:
        """Rounds of cycles, with the installation they are of."""
        sql = """
        SELECT rounds.*, runs.installation AS installation FROM rounds JOIN runs ON runs.id = rounds.run
        WHERE rounds.id <= ? ORDER BY rounds.id
        """
        return self._reader.rows(sql, (self._until["rounds"],))

    def round_balances(self) -> list[Row]:
        """What each round did to each asset."""
        return self._reader.rows("SELECT * FROM round_balances WHERE round_id <= ? ORDER BY round_id, asset", (self._until["rounds"],))

    def funding(self) -> list[Row]:
        """Funding payments, oldest first."""
        return self._reader.rows("SELECT * FROM funding WHERE id <= ? ORDER BY id", (self._until["funding"],))

    def table(self, sql: str, name: str) -> Iterator[Row]:
        """A whole table in parts: `sql` takes the id to go on behind, the last one, and how many."""
        yield from self._parts(sql, name, ())

    def _parts(self, sql: str, table: str, values: tuple[Any, ...], *, after: int = 0, until: int | None = None) -> Iterator[Row]:
        last, until = after, self._until[table] if until is None else until
        while rows := self._reader.rows(sql, (last, until, *values, ROWS_AT_A_TIME)):
            last = rows[-1]["id"]
            self._progress(table, last, until)
            yield from rows


_BEFORE_ALL = -(1 << 62)
_TOLD = ("order_events", "events", "fills")
_TABLES = ("runs", "orders", "order_events", "fills", "funding", "rounds", "events")
_PRICES = "SELECT at, bid, ask FROM prices WHERE market = ? AND at > ? ORDER BY at LIMIT ?"
