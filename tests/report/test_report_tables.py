"""The tables that a journal is given away as, read again: every row, every digit."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from actors.journal.figures import JournalFigures
from actors.journal.reading import JournalReader
from assembly.report.analysis import Choice
from assembly.report.export import TABLES, Kind, Table, write_csv
from assembly.report.files import FileNotWritten, replacing
from assembly.report.parquet import write_parquet
from market.events import Side
from orders.events import OrderFilled, OrderSubmitted
from orders.tally import Tally
from tests.journal.journal_samples import BTC, TIME, fill, filled, intent, open_store, reconciled, round_began, write
from tests.report.report_samples import SECOND, analysed, price, small_journal, told

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
TABLE = {table.name: table for table in TABLES}
TINY, HUGE = "0.00000000000000000001", "123456789012345678901234567890.123456789012"


@contextmanager
def figures(path: Path) -> Iterator[JournalFigures]:
    with JournalReader(path) as reader:
        yield JournalFigures(reader)


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    return pyarrow.parquet.read_table(path).to_pylist()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The small one, with a round, an incident and what a cycle said of itself."""
    small_journal(tmp_path / "journal.db")
    with open_store(tmp_path / "journal.db", at=TIME + 100 * SECOND) as store:
        write(store, round_began(1), reconciled(1))
        told(store, 101, "book_lost", exchange="gateio_spot", symbol="BTC/USDT", reason='a "gap",\nof =1+1')
        stated = {"account": "main", "cycle": "btc", "symbol": "BTC/USDT", "trades": 3, "volume": "406", "inventory": "1.999"}
        told(store, 102, "risk_measured", **stated, realised="3.5", mid="104", uptime=0.5)
    return tmp_path / "journal.db"


@pytest.mark.parametrize("write_table", [write_csv, write_parquet])
def test_fills_read_again_add_up_to_the_reports_sums(journal: Path, tmp_path: Path, write_table: Callable[..., int]) -> None:
    with figures(journal) as found:
        assert write_table(TABLE["fills"], found, Choice(), tmp_path) == 3
    rows = csv_rows(tmp_path / "fills.csv") if write_table is write_csv else parquet_rows(tmp_path / "fills.parquet")
    volume = sum((Decimal(row["price"]) * Decimal(row["quantity"]) for row in rows), Decimal(0))
    (cycle,) = analysed(journal).cycles
    assert volume == cycle.total.earnings.volume == Decimal(406)
    fees = {asset: sum(Decimal(row["fee"]) for row in rows if row["fee_asset"] == asset) for asset in ("USDT", "BTC")}
    assert fees == cycle.total.earnings.fees_by_asset
    tally = Tally()
    for row in rows:
        amounts = {name: Decimal(row[name]) for name in ("price", "fee")}
        tally = tally.after_fill(
            fill(side=Side(row["side"]), quantity=str(row["quantity"]), fee_asset=row["fee_asset"], symbol=BTC, **amounts)
        )
    assert tally.profit(Decimal(104)) == cycle.total.earnings.profit


def test_csv_has_exact_texts_and_times_in_utc(journal: Path, tmp_path: Path) -> None:
    with figures(journal) as found:
        counts = {table.name: write_csv(table, found, Choice(), tmp_path) for table in TABLES}
    assert counts == {"fills": 3, "orders": 3, "order_events": 12, "prices": 8, "risk": 1, "rounds": 1, "funding": 0, "incidents": 4}
    first = csv_rows(tmp_path / "fills.csv")[0]
    assert (first["time"], first["cycle"], first["price"], first["maker"]) == ("2026-09-21T14:13:30.000Z", "btc", "99.5", "true")
    lost = csv_rows(tmp_path / "prices.csv")[4]
    assert (lost["time"], lost["bid"], lost["ask"]) == ("2026-09-21T14:13:40.000Z", "", "")
    assert csv_rows(tmp_path / "orders.csv")[0]["acknowledged_us"] == "12345"
    incidents = csv_rows(tmp_path / "incidents.csv")
    assert [row["name"] for row in incidents] == ["run_began", "run_ended", "run_began", "book_lost"]
    assert csv_rows(tmp_path / "risk.csv")[0]["uptime"] == "0.5"


def test_parquet_has_every_amount_exactly_and_times_with_their_zone(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.db") as store:
        told_fill = fill(1, quantity=TINY, price=Decimal("60000.5"), fee=Decimal("-0.5"))
        write(store, *_filled(told_fill))
        huge = fill(2, trade_id="t2", quantity="1", price=Decimal(HUGE))
        write(store, *_filled(huge))
        price(1, "0.1", "0.3", store)
    with figures(tmp_path / "journal.db") as found:
        for table in TABLES:
            write_parquet(table, found, Choice(), tmp_path)
    schema = pyarrow.parquet.read_schema(tmp_path / "fills.parquet")
    assert str(schema.field("quantity").type) == "decimal128(38, 20)"
    assert str(schema.field("price").type) == "string", "38 digits do not suffice"
    assert str(schema.field("time").type) == "timestamp[ms, tz=UTC]"
    one, two = parquet_rows(tmp_path / "fills.parquet")
    assert (one["quantity"], one["fee"], two["price"], one["maker"]) == (Decimal(TINY), Decimal("-0.5"), HUGE, True)
    assert one["time"] == datetime.fromtimestamp(TIME / 1000, UTC)
    (sample,) = parquet_rows(tmp_path / "prices.parquet")
    assert (sample["bid"], sample["ask"]) == (Decimal("0.1"), Decimal("0.3"))


def _filled(its_fill: Any) -> tuple[object, ...]:
    number = int(its_fill.exchange_order_id[1:])
    return OrderSubmitted("main", intent(number)), OrderFilled("main", filled(number, its_fill), its_fill)


def test_choice_leaves_rows_that_concern_it(journal: Path, tmp_path: Path) -> None:
    with figures(journal) as found:
        nobody = {table.name: write_csv(table, found, Choice(cycle="nobody"), tmp_path) for table in TABLES}
        late = {table.name: write_csv(table, found, Choice(since_milliseconds=TIME + 50 * SECOND), tmp_path) for table in TABLES}
    assert {name for name, count in nobody.items() if count} == {"prices", "incidents"}, "which belong to no cycle"
    assert (late["fills"], late["prices"], late["orders"], late["rounds"]) == (2, 3, 1, 0)


def test_page_documents_every_column_of_every_table_in_their_order() -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE[PAGE.index("## The tables") :], re.MULTILINE))
    names = {name: re.findall(r"`(\w+)`", text) for name, text in documented.items()}
    assert list(names) == [table.name for table in TABLES]
    for table in TABLES:
        columns = [column.name for column in table.columns]
        assert names[table.name][: len(columns)] == columns


def test_amounts_are_amounts_in_every_table() -> None:
    amount = re.compile(
        r"price|quantity|quote|^fees?$|amount|bid|ask|realised|profit|volume|delta|mid|inventory|position|captured|rounding"
    )
    wrong = [
        (table.name, column.name)
        for table in TABLES
        for column in table.columns
        if bool(amount.search(column.name)) is not (column.kind is Kind.AMOUNT)
        and column.name not in ("client_order_id", "exchange_order_id")
    ]
    assert wrong == []


# Files


def test_file_that_cannot_be_written_whole_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "fills.csv").write_text("old")

    def failing(_: JournalFigures, __: Choice) -> Iterator[tuple[Any, ...]]:
        yield (1,) * len(TABLE["fills"].columns)
        raise OSError(28, "No space left on device")

    small_journal(tmp_path / "journal.db")
    with figures(tmp_path / "journal.db") as found, pytest.raises(FileNotWritten, match=r"fills\.csv: No space left on device; make room"):
        write_csv(Table("fills", TABLE["fills"].columns, failing), found, Choice(), tmp_path)
    assert (tmp_path / "fills.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("journal")] == ["fills.csv"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_process_and_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals) -> None:
    script = f"""
import os, pathlib
from assembly.report.command import dying_in_order
from assembly.report.files import replacing
with dying_in_order(), replacing(pathlib.Path({str(tmp_path / "report.html")!r})) as path:
    path.write_text("half")
    os.kill(os.getpid(), {int(number)})
    raise RuntimeError("still here")
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (-number, b"")
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotWritten, match="No such file or directory; make room or name another place"),
        replacing(tmp_path / "no" / "file"),
    ):
        pytest.fail("nothing to write to")


def test_pipe_or_device_in_the_place_stays_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "report.html")
    with pytest.raises(FileNotWritten, match="no plain file; name another place"), replacing(tmp_path / "report.html"):
        pytest.fail("nothing to write to")
    assert (tmp_path / "report.html").is_fifo()


def test_link_to_a_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "old.html").write_text("old")
    (tmp_path / "report.html").symlink_to("old.html")
    with replacing(tmp_path / "report.html") as path:
        path.write_text("new")
    assert (tmp_path / "report.html").is_symlink()
    assert (tmp_path / "old.html").read_text() == "new"


def test_file_is_put_in_place_of_the_old_one_and_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    with replacing(tmp_path / "report.html") as path:
        path.write_text("new")
        assert (tmp_path / "report.html").read_text() == "old"
    assert (tmp_path / "report.html").read_text() == "new"
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 1
