"""What writing into the journal costs, by what a commit waits for.

    python bench/journal.py [--orders 2000] [--folder FOLDER]

An acknowledged intent is what the way of an order to the exchange waits for: through the port, written, answered. A batch is one
transaction of a hundred events of four kinds. Wall time, because it is the disk that is waited for (name a FOLDER on the disk that
the journal is to be on), and beside it the processor's mean, because the wall's grows with whatever else runs. Nothing else of the
program runs while a write takes place.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import trio
from harness import print_machine, print_table, quantile
from msgspec.structs import replace

from actors.journal.actor import BATCH_ENTRIES_MAX, CHECKPOINT_WRITES_MIN, JournalActor
from actors.journal.entries import Entry
from actors.journal.file import Synchronous, beside
from actors.journal.port import open_journal_port
from actors.journal.store import JournalStore
from market.clock import SystemWallClock
from market.events import Side
from market.symbol import Symbol
from orders.events import OrderEnded, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce

ACCOUNTS = {"main": "gateio_spot"}
TIME = 1_790_000_000_000


class Context:
    """A supervisor that asks nothing."""

    def started(self) -> None: ...

    def progress(self) -> None: ...


def life(number: int) -> list[object]:
    """The four events of an order that is filled at once."""
    request = OrderRequest(
        client_order_id=f"mm-btc-{number:010}",
        owner="btc",
        symbol=Symbol("BTC", "USDT"),
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal("0.001662"),
        price=Decimal("60001.6"),
        tag="17:sell",
    )
    fill = FillReport(
        trade_id=str(number),
        exchange_order_id=str(10**9 + number),
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        price=Decimal("60001.6"),
        quantity=Decimal("0.001662"),
        fee=Decimal("0.1994453184"),
        fee_asset="USDT",
        maker=True,
        exchange_time_milliseconds=TIME + number,
    )
    intent = Order(request=request)
    placed = replace(intent, state=OrderState.OPEN, exchange_order_id=fill.exchange_order_id, sent=True, sent_at_milliseconds=TIME)
    quote = fill.price * fill.quantity
    filled = replace(placed, state=OrderState.FILLED, fills=(fill,), filled_quantity=fill.quantity, filled_quote=quote)
    return [
        OrderSubmitted("main", intent),
        OrderPlaced("main", placed),
        OrderFilled("main", filled, fill),
        OrderEnded("main", filled),
    ]


def open_store(path: Path, synchronous: Synchronous) -> JournalStore:
    store = JournalStore(path, synchronous=synchronous)
    store.begin_run(at_milliseconds=TIME, installation="mm", version="bench", accounts=ACCOUNTS)
    return store


async def acknowledged_intents(store: JournalStore, count: int) -> list[float]:
    """Seconds that each took, through port and actor."""
    port, queue = open_journal_port(1_000, wall_clock=SystemWallClock())
    actor = JournalActor(store=store, queue=queue, report=print)
    seconds: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor.run, Context())
        for number in range(count):
            intent = life(number)[0]
            began = time.perf_counter()
            await port.record_and_wait(intent)
            seconds.append(time.perf_counter() - began)
        nursery.cancel_scope.cancel()
    return seconds


def batches(store: JournalStore, count: int) -> list[float]:
    """Seconds that each took."""
    entries = [Entry(TIME, (event,)) for number in range(count) for event in life(10**6 + number)]
    seconds: list[float] = []
    for start in range(0, len(entries), BATCH_ENTRIES_MAX):
        batch = entries[start : start + BATCH_ENTRIES_MAX]
        began = time.perf_counter()
        store.write(batch)
        seconds.append(time.perf_counter() - began)
    return seconds


def checkpoints(store: JournalStore) -> list[float]:
    """Seconds that each took, of as much as the actor lets come together."""
    seconds: list[float] = []
    store.checkpoint()
    number = 2 * 10**6
    for _ in range(10):
        while store.writes_since_checkpoint < CHECKPOINT_WRITES_MIN:
            number += 1
            store.write([Entry(TIME, tuple(life(number)))])
        began = time.perf_counter()
        store.checkpoint()
        seconds.append(time.perf_counter() - began)
    return seconds


def timed(name: str, work: Callable[[], list[float]], *, is_all: bool = True) -> list[str]:
    """A row of the table; `work` returns the wall seconds of each part of it, and `is_all` says that it does nothing besides."""
    began = time.process_time()
    seconds = work()
    processor = (time.process_time() - began) / len(seconds)
    wall = (f"{quantile(seconds, fraction) * 1e6:,.0f}" for fraction in (0.5, 0.99))
    return [name, *wall, f"{processor * 1e6:,.0f}" if is_all else ""]


def measure(folder: Path, orders: int) -> None:
    rows: list[list[str]] = []
    for synchronous in Synchronous:
        path = folder / f"{synchronous.value}.db"
        with open_store(path, synchronous) as store:
            name = synchronous.name
            rows.append(timed(f"{name}: acknowledged intent", partial(trio.run, acknowledged_intents, store, orders)))
            rows.append(timed(f"{name}: batch of {BATCH_ENTRIES_MAX} events", partial(batches, store, orders)))
            rows.append(timed(f"{name}: checkpoint when it is quiet", partial(checkpoints, store), is_all=False))
            log_bytes = beside(path, "-wal").stat().st_size
        began = time.perf_counter()
        with JournalStore(path) as store:
            opened = time.perf_counter()
            recovery = store.recover(installation="mm", accounts=ACCOUNTS)
            recovered = time.perf_counter()
        unfinished = len(recovery.accounts["main"].orders)
    print_table(["us", "p50", "p99", "processor"], rows)
    print(f"\nlog {log_bytes / 1e6:.1f} MB at most, journal {path.stat().st_size / 1e6:.1f} MB")
    print(
        f"opened after a crash in {(opened - began) * 1e3:.0f} ms, recovered in {(recovered - opened) * 1e3:.0f} ms "
        f"({unfinished} unfinished orders)"
    )
    with open_store(folder / "size.db", Synchronous.NORMAL) as store:
        batches(store, orders)
    print(f"an order that is filled at once: {(folder / 'size.db').stat().st_size / orders:,.0f} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--folder", type=Path, help="where the journals are made (default: a temporary folder)")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        measure(Path(folder), arguments.orders)


if __name__ == "__main__":
    main()
