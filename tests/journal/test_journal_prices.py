"""The prices in the journal: how often they are written, what a row says, and that no restart takes anything from them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import trio
import trio.testing
from journal_samples import ACCOUNTS, BTC, INSTALLATION, TIME, fill, filled, open_store, placed, rows, write

from actors.journal.actor import JournalActor
from actors.journal.entries import PriceSampled
from actors.journal.errors import JournalBroken
from actors.journal.port import open_journal_port
from actors.journal.prices import PriceSampler
from actors.journal.store import JournalStore
from assembly.recording import JournalRecorder
from market.clock import VirtualWallClock
from market.events import BookChanged, BookLost
from market.symbol import Symbol
from orders.events import OrderFilled, OrderPlaced

PRICES = "SELECT at, bid, ask FROM prices JOIN markets ON markets.id = market WHERE exchange = 'gateio_spot (testnet)' ORDER BY at"


def book(bid: float, ask: float, *, symbol: Symbol = BTC, exchange: str = "gateio_spot") -> BookChanged:
    return BookChanged(exchange, symbol, ((bid, 1.0),), ((ask, 1.0),), 1, 1, 0, 0.0)


LOST = BookLost("gateio_spot", BTC, "the connection broke", 0.0)


class Context:
    """An actor's supervisor, to whom nothing matters."""

    def started(self) -> None: ...

    def progress(self) -> None: ...


class Desk:
    """A journal in memory, with its recorder, for one market that the account `main` trades in."""

    def __init__(self, store: JournalStore) -> None:
        self.store = store
        self.prices = PriceSampler({("gateio_spot", BTC): "gateio_spot (testnet)"}, {"main": "gateio_spot"})
        port, self.queue = open_journal_port(100, wall_clock=VirtualWallClock(TIME), prices=self.prices)
        self.recorder = JournalRecorder(port, redact=str, on_lost=pytest.fail, prices=self.prices)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(JournalActor(store=self.store, queue=self.queue, report=lambda event: None).run, Context())
            await trio.testing.wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()

    def written(self) -> list[tuple[float, str | None, str | None]]:
        """Rows, with their times in seconds."""
        return [((row["at"] - TIME) / 1000, row["bid"], row["ask"]) for row in rows(self.store, PRICES)]


@pytest.fixture
def desk() -> Generator[Desk]:
    with open_store(":memory:") as store:
        yield Desk(store)


async def test_busy_market_is_written_once_a_second_with_what_it_is_then(desk: Desk, autojump_clock: object) -> None:
    async with desk.running():
        await trio.sleep(0.05)
        for step in range(30):  # ten changes a second
            desk.recorder.note(book(100 + step, 101 + step))
            await trio.sleep(0.1)
    assert [(round(at), bid) for at, bid, _ in desk.written()] == [(1, "109"), (2, "119"), (3, "129")]


async def test_market_that_stands_still_is_not_written_again(desk: Desk, autojump_clock: object) -> None:
    async with desk.running():
        for _ in range(50):
            desk.recorder.note(book(100, 101))  # its depth has changed
            await trio.sleep(0.1)
        desk.recorder.note(book(100, 100.5))
        await trio.sleep(10)
    assert [row[1:] for row in desk.written()] == [("100", "101"), ("100", "100.5")]


async def test_lost_book_is_written_as_none_also_at_the_end(desk: Desk, autojump_clock: object) -> None:
    async with desk.running():
        desk.recorder.note(book(100, 101))
        await trio.sleep(2.5)
        desk.recorder.note(LOST)
    assert [row[1:] for row in desk.written()] == [("100", "101"), (None, None)]


async def test_fill_is_written_with_the_prices_of_its_moment(desk: Desk, autojump_clock: object) -> None:
    async with desk.running():
        desk.recorder.note(book(100, 101))
        await trio.sleep(1.2)
        desk.recorder.note(book(101, 102))
        desk.recorder.keep(OrderFilled("main", filled(1, fill()), fill()))
        desk.recorder.note(book(100, 101))  # as it was sampled before the fill
        await trio.sleep(5)
    assert [row[1:] for row in desk.written()] == [("100", "101"), ("101", "102"), ("100", "101")]
    assert desk.written()[1][0] == 1.2
    assert rows(desk.store, "SELECT at FROM fills") == [{"at": TIME + 1_200}]


async def test_fill_of_a_market_of_which_nothing_is_known_is_written_without(desk: Desk, autojump_clock: object) -> None:
    async with desk.running():
        desk.recorder.keep(OrderFilled("main", filled(1, fill()), fill()))
        await trio.sleep(1)
    assert desk.written() == []
    assert rows(desk.store, "SELECT trade_id FROM fills") == [{"trade_id": "t1"}]


async def test_markets_that_nobody_trades_in_are_not_written(desk: Desk, autojump_clock: object) -> None:
    async with desk.running():
        desk.recorder.note(book(1, 2, symbol=Symbol("ETH", "USDT")))
        desk.recorder.note(book(1, 2, exchange="okx_spot"))
        await trio.sleep(3)
    assert rows(desk.store, "SELECT * FROM markets") == rows(desk.store, "SELECT * FROM prices") == []


async def test_prices_that_could_not_be_written_come_with_the_next_batch(desk: Desk, autojump_clock: object) -> None:
    desk.recorder.note(book(100, 101))
    desk.store._connection.execute("PRAGMA query_only = 1")
    with pytest.RaisesGroup(JournalBroken):
        async with desk.running():
            await trio.sleep(3)
    desk.store._connection.execute("PRAGMA query_only = 0")
    async with desk.running():
        await trio.sleep(3)
    assert [row[1:] for row in desk.written()] == [("100", "101")]


def test_rows_of_one_market_and_moment_are_one_and_the_newest_counts(desk: Desk) -> None:
    for bid in ("0.000012", "0.000013"):
        write(desk.store, PriceSampled(exchange="gateio_spot (testnet)", symbol=BTC, bid=Decimal(bid), ask=Decimal(1)))
    assert desk.written() == [(0.0, "0.000013", "1")]


def test_restart_takes_nothing_from_prices(tmp_path: Path) -> None:
    def recovered(path: Path, *events: object) -> object:
        with open_store(path) as store:
            write(store, OrderFilled("main", filled(1, fill()), fill()), *events)
            write(store, *events, at=TIME + 3_600_000)
        with JournalStore(path) as store:
            return store.recover(installation=INSTALLATION, accounts=ACCOUNTS)

    price = PriceSampled(exchange="gateio_spot", symbol=BTC, bid=Decimal(1), ask=Decimal(2))
    assert recovered(tmp_path / "with.db", price) == recovered(tmp_path / "without.db")
    with sqlite3.connect(tmp_path / "with.db") as connection:
        assert connection.execute("SELECT count(*) FROM prices").fetchone() == (2,)


@pytest.mark.parametrize(("sent_at", "expected"), [(12.5, 1_234), (0.0, None)], ids=["of this run", "of an earlier run"])
def test_order_has_the_time_from_its_leaving_to_the_exchanges_word(desk: Desk, sent_at: float, expected: int | None) -> None:
    write(desk.store, OrderPlaced("main", placed(1, sent_at=sent_at, changed_at=12.501234)))
    write(desk.store, OrderFilled("main", filled(1, fill(), sent_at=sent_at, changed_at=99.0), fill()))
    assert rows(desk.store, "SELECT acknowledged_us FROM orders") == [{"acknowledged_us": expected}]
