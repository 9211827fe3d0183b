"""What a restart needs to know, read from the journal: what may still live at the exchanges, and where everything stood.

Pure reading, but for `fold_changes`. An order that had not ended when its run died is `UNKNOWN` and sent, whatever was known
of it: an intent is written down before anything leaves, and nobody wrote down whether the rest of it happened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from actors.journal.rows import Row, capture_from_text, fill_from_row, order_from_row, symbol_of, text
from actors.journal.tallies import read_tallies
from market.exact import EXACT, exact_product, exact_sum
from market.symbol import Symbol
from orders.agreement import AssetBaseline
from orders.commands import BalanceCapture
from orders.earlier import CountedEarlier, PaymentKey, TallyKey, TradeKey
from orders.identity import installation_prefix
from orders.ledger import FOREIGN_IDS_KEPT_MAX
from orders.life_cycle import OrderState
from orders.losses import DayBaseline
from orders.order import ZERO, Order, add_fill
from orders.positions import AVERAGE_PRICE_ROUNDING, PAYMENTS_KEPT_MAX
from orders.states import StateEntered, TradingState
from orders.tally import Tally

Place = tuple[str, str]
"""An exchange and an account there."""
Changes = dict[Place, dict[str, Decimal]]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier run. `ended_how` is None if it did not say goodbye; `last_written_at` is the time of the newest entry."""

    version: str
    began_at_milliseconds: int
    ended_at_milliseconds: int | None
    ended_how: str | None
    last_written_at_milliseconds: int | None


class AccountRecovery(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's ledger goes on from (`AccountLedger.restore`).

    `orders` are those that may still exist or whose fills are not all known, and those of rounds in progress; oldest first.
    `baselines` are by asset what was held that no fill explains, for the next run to compare with; `counting_since` is by symbol
    the exchange's time from which every trade was counted, whosever.
    """

    orders: tuple[Order, ...]
    counted: CountedEarlier
    baselines: dict[str, AssetBaseline]
    counting_since: dict[Symbol, int]


class RoundInProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A round that was begun and not reconciled.

    `orders` are all that its cycle has placed since, whatever their tags, but for those that ended without a fill.
    """

    before: BalanceCapture
    started_at_milliseconds: int
    orders: tuple[Order, ...]


class CycleRecovery(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cycle stood. `round_number` is that of the round in progress or, if there is none, of the next.

    A round whose balances did not agree is over too: its cycle has ended for it, and was started again by somebody who knows.
    """

    account: str
    cycle: str
    symbol: Symbol
    round_number: int
    rounds_completed: int
    carried_quantity: Decimal
    in_progress: RoundInProgress | None


class RoundOfAnother(msgspec.Struct, frozen=True):
    """A round in progress of another installation in this journal: only a run of that name goes on with it."""

    installation: str
    cycle: str
    symbol: Symbol


class OrderElsewhere(msgspec.Struct, frozen=True):
    """An order that may still exist at an account that the new run does not have: nobody will look after it."""

    exchange: str
    account: str
    order: Order


class HoldFound(msgspec.Struct, frozen=True):
    """A `HoldPlaced` of an earlier run, and when it was placed. It may be over."""

    scope: str
    placed_at_milliseconds: int
    until_milliseconds: int
    reason: str


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """All of it: accounts by their names, cycles by account and name, states, their wall times, and holds by their scopes."""

    last_run: RunRecord | None
    accounts: dict[str, AccountRecovery]
    cycles: dict[tuple[str, str], CycleRecovery]
    elsewhere: tuple[OrderElsewhere, ...]
    rounds_of_others: tuple[RoundOfAnother, ...]
    states: dict[str, StateEntered]
    states_since_milliseconds: dict[str, int]
    holds: dict[str, HoldFound]
    baselines: tuple[DayBaseline, ...]


def read_recovery(
    connection: sqlite3.Connection, *, installation: str, adopted: Sequence[str] = (), accounts: Mapping[str, str]
) -> Recovery:
    """What runs of `installation`, and orders of `adopted` ones, left for a new run whose accounts are at these exchanges.

    Raises `sqlite3.Error`.
    """
    unsettled: dict[Place, list[Row]] = {}
    sql = """
    SELECT * FROM orders INDEXED BY orders_not_settled
    WHERE is_settled = 0 AND client_order_id >= ? AND client_order_id < ? ORDER BY id
    """
    for prefix in map(installation_prefix, (installation, *adopted)):
        for row in connection.execute(sql, (prefix, _after(prefix))):
            unsettled.setdefault((row["exchange"], row["account"]), []).append(row)
    places = {account: (exchange, account) for account, exchange in accounts.items()}
    changes = read_changes(connection)
    tallies: dict[Place, dict[TallyKey, Tally]] = {}
    for of, tally in read_tallies(connection).items():
        if of.installation == installation:
            tallies.setdefault((of.exchange, of.account), {})[of.owner, of.symbol] = tally
    rounds = {account: _newest_rounds(connection, installation, place) for account, place in places.items()}
    return Recovery(
        last_run=_last_run(connection, installation),
        accounts={
            account: _account(connection, place, unsettled.get(place, []), rounds[account], changes.get(place, {}), tallies.get(place, {}))
            for account, place in places.items()
        },
        cycles={(row["account"], row["cycle"]): _cycle(connection, row) for rows in rounds.values() for row in rows},
        elsewhere=tuple(
            OrderElsewhere(row["exchange"], row["account"], order)
            for place, rows in unsettled.items()
            if place not in places.values()
            for row in rows
            if not (order := _order(connection, row)).is_terminal
        ),
        rounds_of_others=tuple(each for place in places.values() for each in _rounds_of_others(connection, installation, place)),
        states={
            row["scope"]: StateEntered(row["scope"], TradingState(row["state"]), row["reason"])
            for row in connection.execute("SELECT * FROM states")
        },
        states_since_milliseconds={row["scope"]: row["at"] for row in connection.execute("SELECT scope, at FROM states")},
        baselines=tuple(baseline for place in places.values() for baseline in _baselines(connection, place)),
        holds={
            row["scope"]: HoldFound(row["scope"], row["at"], row["until"], row["reason"])
            for row in connection.execute("SELECT * FROM holds")
        },
    )


def last_written_at(connection: sqlite3.Connection) -> int | None:
    """The time of the newest entry that is for ever; None if there is none."""
    sql = """
    SELECT max(at) FROM (
        SELECT * FROM (SELECT at FROM order_events ORDER BY id DESC LIMIT 1)
        UNION ALL SELECT * FROM (SELECT at FROM events ORDER BY id DESC LIMIT 1)
        UNION ALL SELECT * FROM (SELECT at FROM fills ORDER BY id DESC LIMIT 1)
    )
    """
    return connection.execute(sql).fetchone()[0]


def read_changes(connection: sqlite3.Connection) -> Changes:
    """What all fills and funding payments did to each asset of each account."""
    changes: Changes = {}
    for row in connection.execute("SELECT * FROM earlier_changes"):
        changes.setdefault((row["exchange"], row["account"]), {})[row["asset"]] = Decimal(row["amount"])
    until = connection.execute("SELECT * FROM earlier_changes_until").fetchone()
    for row in connection.execute("SELECT * FROM fills WHERE id > ? ORDER BY id", (until["fills_id"],)):
        add_fill(changes.setdefault((row["exchange"], row["account"]), {}), fill_from_row(row))
    for row in connection.execute("SELECT * FROM funding WHERE id > ? ORDER BY id", (until["funding_id"],)):
        of_account = changes.setdefault((row["exchange"], row["account"]), {})
        of_account[row["asset"]] = EXACT.add(of_account.get(row["asset"], ZERO), Decimal(row["amount"]))
    return changes


def fold_changes(connection: sqlite3.Connection) -> None:
    """Keep what `read_changes` adds up to, so that the next time only what is newer has to be added."""
    for (exchange, account), amounts in read_changes(connection).items():
        for asset, amount in amounts.items():
            connection.execute(
                "INSERT OR REPLACE INTO earlier_changes (exchange, account, asset, amount) VALUES (?, ?, ?, ?)",
                (exchange, account, asset, text(amount)),
            )
    connection.execute(
        "UPDATE earlier_changes_until SET fills_id = (SELECT coalesce(max(id), 0) FROM fills), "
        "funding_id = (SELECT coalesce(max(id), 0) FROM funding)"
    )


def _after(prefix: str) -> str:
    """The first text behind all those that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _last_run(connection: sqlite3.Connection, installation: str) -> RunRecord | None:
    row = connection.execute("SELECT * FROM runs WHERE installation = ? ORDER BY id DESC LIMIT 1", (installation,)).fetchone()
    if row is None:
        return None
    return RunRecord(
        version=row["version"],
        began_at_milliseconds=row["began_at"],
        ended_at_milliseconds=row["ended_at"],
        ended_how=row["ended_how"],
        last_written_at_milliseconds=last_written_at(connection),
    )


def _account(
    connection: sqlite3.Connection,
    place: Place,
    unsettled: list[Row],
    rounds: list[Row],
    fill_changes: dict[str, Decimal],
    tallies: dict[TallyKey, Tally],
) -> AccountRecovery:
    rows = {row["id"]: row for row in unsettled}
    for each in rounds:
        rows |= {row["id"]: row for row in _orders_of_round(connection, each)}
    orders = tuple(_order(connection, rows[number]) for number in sorted(rows))
    remembered = {(fill.symbol, fill.exchange_order_id, fill.trade_id) for order in orders for fill in order.fills}
    newest = {trade: is_tallied for trade, is_tallied in _newest_trades(connection, place) if trade not in remembered}
    return AccountRecovery(
        orders=orders,
        counted=CountedEarlier(
            fill_changes=fill_changes,
            trades=tuple(newest),
            payments=tuple(_newest_payments(connection, place)),
            tallies=tallies,
            tallied_trades=frozenset(trade for trade, is_tallied in newest.items() if is_tallied),
        ),
        baselines={
            row["asset"]: AssetBaseline(
                constant=Decimal(row["constant"]),
                unexplained=Decimal(row["unexplained"]),
                rounding=-exact_product(_traded_since(connection, place, row["asset"], row["at"]), AVERAGE_PRICE_ROUNDING),
            )
            for row in connection.execute("SELECT * FROM balance_baselines WHERE exchange = ? AND account = ?", place).fetchall()
        },
        counting_since={
            symbol_of(row["symbol"]): row["since"]
            for row in connection.execute("SELECT * FROM countings WHERE exchange = ? AND account = ?", place)
        },
    )


def _traded_since(connection: sqlite3.Connection, place: Place, quote: str, at_milliseconds: int) -> Decimal:
    """What all trades for `quote` since then were worth. Of assets it is of no use: nothing of theirs is rounded."""
    newest_before = connection.execute(
        "SELECT coalesce(max(id), 0) FROM (SELECT id FROM fills WHERE at < ? ORDER BY id DESC LIMIT 1)", (at_milliseconds,)
    )
    rows = connection.execute("SELECT * FROM fills WHERE id > ? AND +exchange = ? AND +account = ?", (newest_before.fetchone()[0], *place))
    fills = (fill_from_row(row) for row in rows)
    return exact_sum(exact_product(fill.quantity, fill.price) for fill in fills if fill.symbol.quote == quote)


def _order(connection: sqlite3.Connection, row: Row) -> Order:
    fills = connection.execute("SELECT * FROM fills WHERE order_id = ? ORDER BY id", (row["id"],))
    order = order_from_row(row, tuple(fill_from_row(fill) for fill in fills))
    if order.is_terminal:
        return order
    # Whether it left is not known, so it left; when, not before it was meant to.
    return replace(order, state=OrderState.UNKNOWN, sent=True, sent_at_milliseconds=order.sent_at_milliseconds or row["created_at"])


def _newest_trades(connection: sqlite3.Connection, place: Place) -> list[tuple[TradeKey, bool]]:
    """Each with whether it was told as one of an order of ours, and so is in a tally."""
    # A plus sign keeps SQLite from an index: the newest rows are the last ones of the table.
    sql = """
    SELECT symbol, exchange_order_id, trade_id, order_id FROM fills WHERE +exchange = ? AND +account = ? ORDER BY id DESC LIMIT ?
    """
    rows = connection.execute(sql, (*place, FOREIGN_IDS_KEPT_MAX)).fetchall()
    return [((symbol_of(row["symbol"]), row["exchange_order_id"], row["trade_id"]), row["order_id"] is not None) for row in reversed(rows)]


def _newest_payments(connection: sqlite3.Connection, place: Place) -> list[PaymentKey]:
    sql = "SELECT symbol, payment_id FROM funding WHERE +exchange = ? AND +account = ? ORDER BY id DESC LIMIT ?"
    rows = connection.execute(sql, (*place, PAYMENTS_KEPT_MAX)).fetchall()
    return [(symbol_of(row["symbol"]), row["payment_id"]) for row in reversed(rows)]


def _baselines(connection: sqlite3.Connection, place: Place) -> list[DayBaseline]:
    """What an account's daily losses, its own and its part of the program's, were counted from last."""
    sql = "SELECT * FROM loss_baselines WHERE exchange = ? AND account = ? ORDER BY scope, asset"
    return [
        DayBaseline(
            scope=row["scope"],
            account=row["account"],
            asset=row["asset"],
            day=row["day"],
            value=Decimal(row["amount"]),
            is_struck=bool(row["is_struck"]),
        )
        for row in connection.execute(sql, place)
    ]


def _newest_rounds(connection: sqlite3.Connection, installation: str, place: Place) -> list[Row]:
    """The newest round of each cycle of an account. Those of another installation are its own: their orders are not ours."""
    sql = """
    SELECT * FROM rounds WHERE id IN (
        SELECT max(rounds.id) FROM rounds JOIN runs ON runs.id = rounds.run
        WHERE rounds.exchange = ? AND rounds.account = ? AND runs.installation = ? GROUP BY rounds.cycle
    ) ORDER BY id
    """
    return connection.execute(sql, (*place, installation)).fetchall()


def _rounds_of_others(connection: sqlite3.Connection, installation: str, place: Place) -> list[RoundOfAnother]:
    sql = """
    SELECT runs.installation, rounds.cycle, rounds.symbol FROM rounds JOIN runs ON runs.id = rounds.run
    WHERE rounds.ended_at IS NULL AND rounds.id IN (
        SELECT max(rounds.id) FROM rounds JOIN runs ON runs.id = rounds.run
        WHERE rounds.exchange = ? AND rounds.account = ? AND runs.installation != ? GROUP BY rounds.cycle, runs.installation
    ) ORDER BY rounds.id
    """
    rows = connection.execute(sql, (*place, installation)).fetchall()
    return [RoundOfAnother(row["installation"], row["cycle"], symbol_of(row["symbol"])) for row in rows]


def _orders_of_round(connection: sqlite3.Connection, round_row: Row) -> list[Row]:
    if round_row["ended_at"] is not None:
        return []
    sql = """
    SELECT * FROM orders WHERE id > ? AND +exchange = ? AND +account = ? AND owner = ?
    AND (is_settled = 0 OR CAST(filled_quantity AS REAL) > 0)
    AND run IN (SELECT id FROM runs WHERE installation = (SELECT installation FROM runs WHERE id = ?)) ORDER BY id
    """
    which = (round_row["orders_before"], round_row["exchange"], round_row["account"], round_row["cycle"], round_row["run"])
    return connection.execute(sql, which).fetchall()


def _cycle(connection: sqlite3.Connection, row: Row) -> CycleRecovery:
    completed, is_over = row["rounds_completed"] or 0, row["ended_at"] is not None
    carried = row["left_over_quantity"] if is_over else row["carried_quantity"]
    in_progress = None
    if not is_over:
        in_progress = RoundInProgress(
            before=capture_from_text(row["captured"]),
            started_at_milliseconds=row["began_at"],
            orders=tuple(_order(connection, order) for order in _orders_of_round(connection, row)),
        )
    return CycleRecovery(
        account=row["account"],
        cycle=row["cycle"],
        symbol=symbol_of(row["symbol"]),
        round_number=row["number"] + 1 if is_over else row["number"],
        rounds_completed=completed + (1 if row["agrees"] else 0),
        carried_quantity=Decimal(carried),
        in_progress=in_progress,
    )
