"""A journal held against the exchange's own record: every order, every trade and every unit of money, each once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.journal.recovery import read_changes
from assembly.registry import EXCHANGES
from market.exact import EXACT
from orders.life_cycle import OrderState
from tests.program.processes import Exchange

ACCOUNT = "main"
ENDED = {OrderState.FILLED.value, OrderState.CANCELLED.value, OrderState.EXPIRED.value}
NEVER_THERE = {OrderState.REJECTED.value, OrderState.CANCELLED.value, OrderState.EXPIRED.value}

Row = dict[str, Any]
Payment = tuple[str, Decimal]


def differences(
    market: str, exchange: Exchange, journal: Path, *, at_rest: bool, deposits: dict[str, Decimal], paid_until_milliseconds: int
) -> list[str]:
    """In what the journal is not what the exchange says, in words; empty if they are equal.

    Everything that earlier runs than the newest did, or, `at_rest`, once a run has ended, all that there is, and the balances,
    which are `deposits` and what trades and payments made of them. Payments happen whoever lives: later ones than
    `paid_until_milliseconds` may not be known yet.
    """
    account = exchange.state(history_of=ACCOUNT)["accounts"][ACCOUNT]
    # Read after it, so that the intent of whatever the exchange has is there.
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        return [
            *_differing_orders(market, connection, account, at_rest=at_rest),
            *_differing_fills(market, connection, account, at_rest=at_rest),
            *_differing_payments(connection, account, paid_until_milliseconds),
            *(_differing_balances(connection, account, deposits) if at_rest else ()),
            *(f"open at rest: {order}" for order in account["open_orders"] if at_rest),
        ]


def _differing_orders(market: str, connection: sqlite3.Connection, account: Row, *, at_rest: bool) -> list[str]:
    runs, wire = _earlier_runs(connection), _wire(market)
    written = {wire(row["client_order_id"]): row for row in connection.execute("SELECT * FROM orders")}
    found: list[str] = []
    there: dict[str, Row] = {}
    for order in account["order_history"]:
        row = written.get(order["client_id"])
        if row is None:
            found.append(f"an order that the journal does not know: {order}")
        elif order["client_id"] in there:
            found.append(f"two orders of one intent: {there[order['client_id']]} and {order}")
        there[order["client_id"]] = order
    for client_id, row in written.items():
        if not at_rest and row["run"] not in runs:
            continue
        order = there.get(client_id)
        filled = Decimal(order["filled_quantity"]) if order is not None else Decimal(0)
        if order is not None and order["finish"] is None:
            found.append(f"still open: {order}")
        if row["state"] not in (ENDED if order is not None else NEVER_THERE) or not row["is_settled"]:
            found.append(f"an order that has not ended: {dict(row)}; at the exchange {order}")
        if Decimal(row["filled_quantity"]) != filled:
            found.append(f"an order whose filled quantity differs: {dict(row)}; at the exchange {order}")
    return found


def _differing_fills(market: str, connection: sqlite3.Connection, account: Row, *, at_rest: bool) -> list[str]:
    runs, wire = _earlier_runs(connection), _wire(market)
    sql = "SELECT fills.*, orders.run AS run FROM fills LEFT JOIN orders ON orders.id = fills.order_id"
    rows = [row for row in connection.execute(sql) if at_rest or row["run"] is None or row["run"] in runs]
    counted = Counter(
        (
            wire(row["client_order_id"] or ""),
            row["symbol"],
            row["side"],
            *(Decimal(row[name]) for name in ("price", "quantity", "fee")),
            row["fee_asset"],
            bool(row["maker"]),
        )
        for row in rows
    )
    orders = connection.execute("SELECT client_order_id, run FROM orders")
    compared = {wire(row["client_order_id"]) for row in orders if at_rest or row["run"] in runs}
    happened = Counter(
        (
            trade["client_id"],
            trade["symbol"],
            trade["side"],
            *(Decimal(trade[name]) for name in ("price", "quantity", "fee")),
            trade["fee_asset"],
            trade["is_maker"],
        )
        for trade in account["trade_history"]
        if at_rest or trade["client_id"] in compared
    )
    return [
        *(f"a fill that was lost: {trade}" for trade in (happened - counted).elements()),
        *(f"a fill that was counted twice, or never happened: {fill}" for fill in (counted - happened).elements()),
        *(f"a fill without its order: {dict(row)}" for row in rows if row["order_id"] is None),
    ]


def _differing_payments(connection: sqlite3.Connection, account: Row, paid_until_milliseconds: int) -> list[str]:
    lost, not_there = _payments(connection, account)
    by_then = Counter(
        (paid["symbol"], Decimal(paid["amount"])) for paid in account["funding_history"] if paid["at"] <= paid_until_milliseconds
    )
    return [
        *(f"a payment that was lost: {paid}" for paid in (lost & by_then).elements()),
        *(f"a payment that was counted twice, or never happened: {paid}" for paid in not_there.elements()),
    ]


def _payments(connection: sqlite3.Connection, account: Row) -> tuple[Counter[Payment], Counter[Payment]]:
    """Those that only the exchange has, and those that only the journal has."""
    counted = Counter((row["symbol"], Decimal(row["amount"])) for row in connection.execute("SELECT * FROM funding"))
    happened = Counter((paid["symbol"], Decimal(paid["amount"])) for paid in account["funding_history"])
    return happened - counted, counted - happened


def _differing_balances(connection: sqlite3.Connection, account: Row, deposits: dict[str, Decimal]) -> list[str]:
    """By the fills themselves, and by what the program sums up of them at each start."""
    positions = account.get("positions")
    actual = {row["currency"]: Decimal(row["available"]) + Decimal(row["locked"]) for row in account["balances"]}
    if positions is not None:  # what was paid for a position is not in the wallet's total, and its base is no balance
        for position in positions:
            base, _, quote = position["symbol"].partition("/")
            actual[quote] -= Decimal(position["cost"])
            actual[base] = actual.get(base, Decimal(0)) + Decimal(position["quantity"])
    for symbol, amount in _payments(connection, account)[0].elements():  # what was late, or else it was told already
        actual[symbol.partition("/")[2]] -= amount
    by_fills = _changes(connection)
    (summed,) = read_changes(connection).values() or ({},)
    assets = sorted({*actual, *by_fills, *summed})
    found: list[str] = []
    for asset in assets:
        deposit = deposits.get(asset, Decimal(0)) if positions is None or asset == "USDT" else Decimal(0)
        changed = actual.get(asset, Decimal(0)) - deposit
        if not changed == by_fills.get(asset, 0) == summed.get(asset, 0):
            found.append(f"{asset} changed by {changed}, by the fills {by_fills.get(asset, 0)}, by the sums {summed.get(asset, 0)}")
    return found


def _changes(connection: sqlite3.Connection) -> dict[str, Decimal]:
    changes: dict[str, Decimal] = {}

    def add(asset: str, amount: Decimal) -> None:
        changes[asset] = EXACT.add(changes.get(asset, Decimal(0)), amount)

    for row in connection.execute("SELECT * FROM fills"):
        base, _, quote = row["symbol"].partition("/")
        quantity = Decimal(row["quantity"]) * (1 if row["side"] == "buy" else -1)
        add(base, quantity)
        add(quote, -EXACT.multiply(quantity, Decimal(row["price"])))
        add(row["fee_asset"], -Decimal(row["fee"]))
    for row in connection.execute("SELECT * FROM funding"):
        add(row["asset"], Decimal(row["amount"]))
    return changes


def _earlier_runs(connection: sqlite3.Connection) -> frozenset[int]:
    numbers = [row["id"] for row in connection.execute("SELECT id FROM runs ORDER BY id")]
    return frozenset(numbers[:-1])


def _wire(market: str) -> Callable[[str], str]:
    """What the exchange has for our client order ids."""
    return EXCHANGES[market].account_codec().wire_client_order_id
