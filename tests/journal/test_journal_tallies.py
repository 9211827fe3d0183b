"""What each owner's trades add up to, over restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from journal_samples import ACCOUNTS, BTC, INSTALLATION, TIME, fill, filled, open_store, request, rows, write

from actors.journal import schema, tallies
from actors.journal.store import JournalStore
from market.events import Side
from market.symbol import Symbol
from orders.earlier import TallyKey
from orders.events import ForeignFillSeen, OrderFilled
from orders.ledger import AccountLedger
from orders.life_cycle import OrderState
from orders.positions import PositionAccount
from orders.tally import Tally

ETH = Symbol("ETH", "USDT")


@pytest.fixture
def store() -> Generator[JournalStore]:
    """A journal of a run that has begun."""
    with open_store(":memory:") as opened:
        yield opened


def begin_run(store: JournalStore) -> None:
    store.begin_run(at_milliseconds=TIME, installation=INSTALLATION, version="", accounts=ACCOUNTS)


def recovered(store: JournalStore, *, installation: str = INSTALLATION, account: str = "main", **changes: Any) -> dict[TallyKey, Tally]:
    found = store.recover(**({"installation": installation, "accounts": ACCOUNTS} | changes))
    return found.accounts[account].counted.tallies


def trade(store: JournalStore, number: int, side: Side = Side.BUY, quantity: str = "1.5", **changes: Any) -> None:
    """An order that is filled whole."""
    told = fill(number, trade_id=f"t{number}", quantity=quantity, side=side)
    order = filled(number, told, state=OrderState.FILLED, request=request(number, side=side, **changes))
    write(store, OrderFilled("main", order, told))


def test_journal_without_trades_has_no_tallies(store) -> None:
    assert recovered(store) == {}


def test_tally_has_everything_that_the_ledger_had(store) -> None:
    trade(store, 1, Side.BUY)
    trade(store, 2, Side.SELL, "0.5")
    cost = Decimal("150.15") - Decimal("50.05")
    expected = Tally(
        traded=PositionAccount(quantity=Decimal(1), cost=cost, fees=Decimal("0.1001")),
        bought_quantity=Decimal("1.5"),
        bought_quote=Decimal("150.15"),
        sold_quantity=Decimal("0.5"),
        sold_quote=Decimal("50.05"),
        fees={"USDT": Decimal("0.1001")},
        trades=2,
        maker_trades=2,
    )
    assert recovered(store) == {("btc", BTC): expected}
    begin_run(store)
    assert recovered(store) == {("btc", BTC): expected}, "folded"


def test_tallies_stay_the_same_however_many_runs_begin_in_between(store) -> None:
    ledger = AccountLedger(account="main", installation=INSTALLATION)
    for number in range(6):
        told = fill(number, trade_id=str(number), side=list(Side)[number % 2], fee=Decimal("1E-18"), price=Decimal(100 + number) / 3)
        order = filled(number, told, state=OrderState.FILLED, request=request(number, side=told.side))
        ledger.record_intent(order.request, now=0.0)
        write(store, *(event for event in ledger.apply_fill(told, now=0.0) if isinstance(event, OrderFilled)))
        for _ in range(number % 3):
            begin_run(store)
        assert recovered(store) == {("btc", BTC): ledger.tally("btc", BTC)}


def test_only_what_is_newer_than_the_last_start_is_added_up(store, monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[str] = []
    read = tallies.fill_from_row
    monkeypatch.setattr(tallies, "fill_from_row", lambda row: (added.append(row["trade_id"]), read(row))[1])
    for number in range(5):
        trade(store, number)
        if number == 3:
            begin_run(store)
            added.clear()
    assert recovered(store)["btc", BTC].trades == 5
    assert added == ["t4"]


def test_tallies_are_apart_by_owner_symbol_account_and_exchange(store) -> None:
    trade(store, 1)
    trade(store, 2, owner="other")
    told = fill(3, trade_id="t3", symbol=ETH)
    write(store, OrderFilled("main", filled(3, told, request=request(3, symbol=ETH)), told))
    begin_run(store)
    assert {key: tally.trades for key, tally in recovered(store).items()} == {("btc", BTC): 1, ("other", BTC): 1, ("btc", ETH): 1}
    assert recovered(store, accounts={"main": "okx_spot"}) == {}


def test_strangers_trades_are_in_no_tally(store) -> None:
    write(store, ForeignFillSeen("main", fill(9, client_order_id=None)))
    begin_run(store)
    assert recovered(store) == {}


@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_trade_that_passed_for_a_strangers_is_counted_once_when_it_is_known_whose_it_is(store, restarts: int) -> None:
    """The sum had been folded behind it."""
    told = fill(1)
    write(store, ForeignFillSeen("main", told))
    for _ in range(restarts):
        begin_run(store)
    write(store, OrderFilled("main", filled(1, told), told))
    for _ in range(3):
        assert {key: tally.trades for key, tally in recovered(store).items()} == {("btc", BTC): 1}
        begin_run(store)
    assert rows(store, "SELECT * FROM fills_told_late") == []


def test_trade_of_an_order_that_is_found_again_after_a_restart_is_counted_no_second_time(store) -> None:
    """It was believed to have ended, with all its fills known, and so was not recovered."""
    told = fill(1)
    write(store, OrderFilled("main", filled(1, told, state=OrderState.CANCELLED), told))
    found = store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"]
    ledger = AccountLedger(account="main", installation=INSTALLATION)
    ledger.restore(found.orders, counted=found.counted)
    assert ledger.tally("btc", BTC).trades == 1
    ledger.record_intent(request(1), now=0.0)
    (again,) = [event for event in ledger.apply_fill(told, now=0.0) if isinstance(event, OrderFilled)]
    assert ledger.tally("btc", BTC).trades == 1
    begin_run(store)
    write(store, again)
    assert recovered(store)["btc", BTC].trades == 1


def test_trade_learned_after_a_restart_is_counted_once(store) -> None:
    trade(store, 1, quantity="0.5")
    told = fill(2, trade_id="before the crash")
    write(store, OrderFilled("main", filled(2, told), told))
    begin_run(store)
    found = store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"]
    ledger = AccountLedger(account="main", installation=INSTALLATION)
    ledger.restore(found.orders, counted=found.counted)
    for each in (told, fill(2, trade_id="missed"), fill(2, trade_id="missed")):
        write(store, *ledger.apply_fill(each, now=0.0))
    assert ledger.tally("btc", BTC).trades == 3
    assert recovered(store) == {("btc", BTC): ledger.tally("btc", BTC)}


def test_trades_of_another_installation_are_its_own_also_when_it_is_adopted(store) -> None:
    trade(store, 1)
    trade(store, 2, client_order_id="old1-btc-0002")
    begin_run(store)
    assert recovered(store)["btc", BTC].trades == 1
    assert recovered(store, adopted=("old1",))["btc", BTC].trades == 1
    assert recovered(store, installation="old1")["btc", BTC].trades == 1


def test_ledger_tallies_no_trade_of_an_adopted_installation(store) -> None:
    told = fill(2)
    write(store, OrderFilled("main", filled(2, told, request=request(2, client_order_id="old1-btc-0002")), told))
    found = store.recover(installation=INSTALLATION, accounts=ACCOUNTS, adopted=("old1",)).accounts["main"]
    ledger = AccountLedger(account="main", installation=INSTALLATION, adopted=("old1",))
    ledger.restore(found.orders, counted=found.counted)
    ledger.apply_fill(fill(2, trade_id="t2", client_order_id="old1-btc-0002"), now=0.0)
    assert ledger.tally("btc", BTC) == Tally()


def test_journal_of_version_3_is_brought_up_and_all_its_trades_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with open_store(path) as store:
        trade(store, 1)
        trade(store, 2, Side.SELL, "0.5")
        expected = recovered(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:  # as a program of before left it
        for table in ("earlier_tallies", "earlier_tallies_until", "fills_told_late", "prices", "markets"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE orders DROP COLUMN acknowledged_us")
        connection.execute("PRAGMA user_version = 3")
    with JournalStore(path) as store:
        assert schema.SCHEMA_VERSION == 5
        assert expected["btc", BTC].trades == 2
        assert recovered(store) == expected
        begin_run(store)
        assert recovered(store) == expected
        assert rows(store, "SELECT fills_id FROM earlier_tallies_until") == [{"fills_id": 2}]
