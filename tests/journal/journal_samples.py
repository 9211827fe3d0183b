"""Orders, events and stores for the tests of the journal."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors.journal.entries import Entry
from actors.journal.file import Synchronous
from actors.journal.store import JournalStore
from market.events import Side
from market.symbol import Symbol
from orders.commands import BalanceCapture
from orders.life_cycle import OrderState
from orders.order import Order, Transport
from orders.reconciliation import CycleReconciled
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.rounds import RoundBegan

BTC = Symbol("BTC", "USDT")
TIME = 1_790_000_000_000
ACCOUNTS = {"main": "gateio_spot"}
INSTALLATION = "mm"


def request(number: int = 1, *, owner: str = "btc", **changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "client_order_id": f"mm-{owner}-{number:04}",
        "owner": owner,
        "symbol": BTC,
        "side": Side.SELL,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.POST_ONLY,
        "quantity": Decimal("1.50"),
        "price": Decimal("100.10"),
        "tag": "1:sell",
    }
    return OrderRequest(**(fields | changes))


def intent(number: int = 1, **changes: Any) -> Order:
    return Order(request=request(number, **changes))


def placed(number: int = 1, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "state": OrderState.OPEN,
        "exchange_order_id": f"x{number}",
        "sent": True,
        "transport": Transport.REST,
        "sent_at_milliseconds": TIME + 5,
        "expires_at_milliseconds": TIME + 3_005,
        "said_at_milliseconds": TIME + 9,
    }
    return replace(intent(number), **(fields | changes))


def fill(number: int = 1, *, trade_id: str = "t1", quantity: str = "0.5", **changes: Any) -> FillReport:
    fields: dict[str, Any] = {
        "trade_id": trade_id,
        "exchange_order_id": f"x{number}",
        "client_order_id": f"mm-btc-{number:04}",
        "symbol": BTC,
        "side": Side.SELL,
        "price": Decimal("100.10"),
        "quantity": Decimal(quantity),
        "fee": Decimal("0.05005"),
        "fee_asset": "USDT",
        "maker": True,
        "exchange_time_milliseconds": TIME + 20,
    }
    return FillReport(**(fields | changes))


def filled(number: int = 1, *fills: FillReport, **changes: Any) -> Order:
    """An open order with these fills."""
    quantity = sum((each.quantity for each in fills), Decimal(0))
    quote = sum((each.quantity * each.price for each in fills), Decimal(0))
    state = OrderState.FILLED if quantity == Decimal("1.5") else OrderState.PARTIALLY_FILLED
    return placed(number, **({"state": state, "fills": fills, "filled_quantity": quantity, "filled_quote": quote} | changes))


CAPTURE = BalanceCapture(
    totals={"BTC": Decimal("0.10"), "USDT": Decimal(1000)},
    available={"BTC": Decimal("0.10"), "USDT": Decimal("999.5")},
    fill_changes={"BTC": Decimal("-1E-9")},
    leverages={BTC: Decimal(3)},
)


def round_began(number: int = 1, *, started_at: int = TIME, **changes: Any) -> RoundBegan:
    fields: dict[str, Any] = {
        "account": "main",
        "cycle": "btc",
        "number": number,
        "symbol": BTC,
        "before": CAPTURE,
        "carried_quantity": Decimal("0.0000003"),
        "rounds_completed": number - 1,
        "started_at_milliseconds": started_at,
    }
    return RoundBegan(**(fields | changes))


def reconciled(number: int = 1, *, started_at: int = TIME, agrees: bool = True, **changes: Any) -> CycleReconciled:
    fields: dict[str, Any] = {
        "account": "main",
        "cycle": "btc",
        "number": number,
        "symbol": BTC,
        "bought_quantity": Decimal("1.5"),
        "bought_quote": Decimal("150.15"),
        "sold_quantity": Decimal("1.4"),
        "sold_quote": Decimal("141.4"),
        "fees": {"USDT": Decimal("0.3")},
        "balances_before": {"BTC": Decimal("0.1"), "USDT": Decimal(1000)},
        "balances_after": {"BTC": Decimal("0.2"), "USDT": Decimal("990.95") if agrees else Decimal(900)},
        "expected_changes": {"BTC": Decimal("0.1"), "USDT": Decimal("-9.05")},
        "actual_changes": {"BTC": Decimal("0.1"), "USDT": Decimal("-9.05") if agrees else Decimal(-100)},
        "left_over_quantity": Decimal("0.1000003"),
        "profit_quote": Decimal("-9.05"),
        "started_at_milliseconds": started_at,
        "ended_at_milliseconds": started_at + 60_000,
    }
    return CycleReconciled(**(fields | changes))


def open_store(path: Path | str, *, accounts: dict[str, str] = ACCOUNTS, at: int = TIME, **options: Synchronous) -> JournalStore:
    """A journal in which a run has begun."""
    store = JournalStore(path, **options)
    store.begin_run(at_milliseconds=at, installation=INSTALLATION, version="1.2.3", accounts=accounts)
    return store


def write(store: JournalStore, *events: object, at: int = TIME) -> None:
    store.write([Entry(at, events)])


def rows(store: JournalStore, sql: str, *values: object) -> list[dict[str, Any]]:
    """What the store's own connection sees."""
    return [dict(row) for row in store._connection.execute(sql, values)]


def rows_of_file(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What another program sees."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
