"""A report of a huge journal: how long it takes, how much memory, and how large the file is.

    python bench/report.py [--fills 1000000] [--days 30] [--markets 2] [--folder DIR]

Makes a journal of so many fills, each of an order of its own with its events, over so many days with a price every second in each market,
and has `mm-report` report on it as its user does: the summary with the page, and the tables. The journal is made anew if it is not there.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from harness import print_machine, print_table

from actors.journal import schema

ROOT = Path(__file__).resolve().parents[1]
BEGAN_AT = 1_760_000_000_000
DAY_SECONDS = 86_400


def make_journal(path: Path, *, fills: int, days: int, markets: int) -> None:
    """Written past the program, which would take hours: the rows are those that it would write."""
    path.unlink(missing_ok=True)
    rng = random.Random(1)
    seconds = days * DAY_SECONDS
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {schema.PAGE_BYTES}")
        schema.migrate(connection)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        ended_at = BEGAN_AT + seconds * 1000
        connection.execute("INSERT INTO runs VALUES (1, 'mm', '1.0', ?, ?, 'clean: the time is over', 0)", (BEGAN_AT, ended_at))
        connection.execute("INSERT INTO run_accounts VALUES (1, 'main', 'gateio_spot')")
        for market in range(1, markets + 1):
            connection.execute("INSERT INTO markets VALUES (?, 'gateio_spot', ?)", (market, f"COIN{market}/USDT"))
            connection.executemany("INSERT INTO prices VALUES (?, ?, ?, ?)", _prices(market, seconds, rng))
        places = ", ".join("?" * 34)
        connection.executemany(f"INSERT INTO orders VALUES ({places})", _orders(fills, seconds, markets, rng))  # noqa: S608
        connection.executemany("INSERT INTO order_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _events(connection))
        connection.execute(
            """
            INSERT INTO fills
            SELECT id, exchange, account, symbol, exchange_order_id, 't' || id, id, client_order_id, side, price, quantity,
            '0.000012', 'USDT', 1, created_at + 900, created_at + 900 FROM orders
            """
        )
        connection.execute("COMMIT")


def _prices(market: int, seconds: int, rng: random.Random) -> Iterator[tuple[int, int, str, str]]:
    price = 600_000  # tenths
    for second in range(seconds):
        price = max(1_000, price + rng.randrange(-30, 31))
        yield market, BEGAN_AT + second * 1000, f"{price / 10:.1f}", f"{(price + 1) / 10:.1f}"


def _orders(fills: int, seconds: int, markets: int, rng: random.Random) -> Iterator[tuple[object, ...]]:
    for number in range(1, fills + 1):
        at = BEGAN_AT + number * seconds * 1000 // (fills + 1)
        market, side = 1 + number % markets, "buy" if rng.random() < 0.5 else "sell"
        price, quantity = f"{60_000 + rng.randrange(-5_000, 5_000) / 10:.1f}", f"{rng.randrange(1, 1_000) / 100_000:.5f}"
        worth = f"{float(price) * float(quantity):.6f}"
        yield (
            number, 1, "gateio_spot", "main", f"mm-c{market}-{number}", f"c{market}", "", f"COIN{market}/USDT", side, "limit", "post_only",
            quantity, None, price, 0, at, 1, at + 1, None, "websocket", f"x{number}", "filled", quantity, worth,
            1, "", 0, 0, 0, 0, at + 900, at + 900, at + 900, rng.randrange(2_000, 60_000),
        )  # fmt: skip


def _events(connection: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    number = 0
    for order, at, price, quantity in connection.execute("SELECT id, created_at, price, quantity FROM orders").fetchall():
        for event, state, later, filled, trade in (
            ("submitted", "pending_new", 0, "0", None), ("placed", "open", 20, "0", None), ("filled", "filled", 900, quantity, f"t{order}"),
        ):  # fmt: skip
            number += 1
            yield number, order, at + later, event, state, price, quantity, filled, trade, None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--markets", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        journal = folder / f"journal-{arguments.fills}-{arguments.days}-{arguments.markets}.db"
        if not journal.exists():
            began = time.monotonic()
            make_journal(journal, fills=arguments.fills, days=arguments.days, markets=arguments.markets)
            print(f"made in {time.monotonic() - began:.0f} s", flush=True)
        print(f"the journal has {journal.stat().st_size / 1e6:,.0f} MB")
        rows = [_measured("summary and page", journal, folder / "report.html", "--html", str(folder / "report.html"))]
        rows.append(_measured("CSV", journal, folder / "csv", "--csv", str(folder / "csv")))
        rows.append(_measured("Parquet", journal, folder / "parquet", "--parquet", str(folder / "parquet")))
        print_table(("what", "seconds", "seconds of processor", "largest memory, MB", "output, MB"), rows)


def _measured(name: str, journal: Path, output: Path, *options: str) -> list[str]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "assembly.report.command", str(journal), *options]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    files = [output] if output.is_file() else list(output.iterdir())
    size = sum(each.stat().st_size for each in files)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [name, f"{time.monotonic() - began:.0f}", f"{seconds:.0f}", f"{after.ru_maxrss / 1000:.0f}", f"{size / 1e6:.2f}"]


if __name__ == "__main__":
    main()
