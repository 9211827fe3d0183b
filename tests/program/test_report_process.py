"""`mm-report` as a process, the way its user has it: orders for people and programs, filters, exit statuses, a journal in use."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Generator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from processes import ROOT, Process

from actors.journal import schema
from actors.journal.store import JournalStore
from assembly.report.program import run_report
from market.clock import VirtualWallClock
from market.symbol import Symbol
from orders.events import (
    OrderCancelRequested,
    OrderChanged,
    OrderEnded,
    OrderFateUnknown,
    OrderFilled,
    OrderPlaced,
    OrderSubmitted,
)
from orders.life_cycle import OrderState
from tests.journal.journal_samples import TIME, fill, filled, intent, open_store, placed, request, write

HOUR = 3_600_000


class Report(Process):
    """`mm-report` with these arguments."""

    def __init__(self, *arguments: str | Path, **options: Any) -> None:
        super().__init__("assembly.report.command", *arguments, **options)

    def orders(self) -> list[dict[str, Any]]:
        """Standard output of `--json`."""
        return [json.loads(line) for line in self.lines_of_stdout()]


def live_a_little(store: JournalStore) -> None:
    """One order that was filled and cancelled, one of an hour later that may still exist, one of another cycle and symbol."""
    write(store, OrderSubmitted("main", intent(1)), at=TIME)
    write(store, OrderPlaced("main", placed(1)), at=TIME + 12)
    write(store, OrderFilled("main", filled(1, fill()), fill()), at=TIME + 2_500)
    write(store, OrderCancelRequested("main", filled(1, fill(), state=OrderState.PENDING_CANCEL)), at=TIME + 3_000)
    write(store, OrderEnded("main", filled(1, fill(), state=OrderState.CANCELLED)), at=TIME + 3_050)
    write(store, OrderSubmitted("main", intent(2)), at=TIME + HOUR)
    lost = placed(2, state=OrderState.UNKNOWN, exchange_order_id=None, reason="no answer within 5 s\x1b[31m")
    write(store, OrderFateUnknown("main", lost), at=TIME + HOUR + 5_000)
    other = request(3, owner="eth", symbol=Symbol("ETH", "USDT"), tag="")
    write(store, OrderSubmitted("main", replace(intent(3), request=other)), at=TIME + HOUR)


@pytest.fixture
def journal(tmp_path: Path) -> Generator[Path]:
    """A journal that a runtime is writing."""
    with open_store(tmp_path / "journal.db") as store:
        live_a_little(store)
        yield tmp_path / "journal.db"


def ids(*arguments: str, journal: Path, capfd: pytest.CaptureFixture[str], now: int = TIME + 2 * HOUR) -> list[str]:
    """As the program does, in this process, at a given time."""

    class Clock(VirtualWallClock):
        def milliseconds(self) -> int:
            return now

    assert run_report([str(journal), "--orders", "--json", *arguments], wall_clock=Clock()) == 0
    return [json.loads(line)["client_order_id"] for line in capfd.readouterr().out.splitlines()]


def test_each_order_is_told_from_its_intent_to_its_end_while_a_runtime_writes(journal: Path) -> None:
    with Report(journal, "--orders") as report:
        assert report.wait_exit() == 0
        first = report.stdout.split("\n\n")[0].splitlines()
        assert first == [
            "2026-09-21T14:13:20.000Z  mm-btc-0001  BTC/USDT sell 1.50 BTC @ 100.10 post_only  cycle btc 1:sell, main at gateio_spot: "
            "cancelled",
            "  +0.000 s  intent written down",
            "  +0.012 s  placed                  exchange id x1 via rest",
            "  +2.500 s  filled                  0.5 BTC @ 100.10 maker, fee 0.05005 USDT, trade t1",
            "  +3.000 s  cancellation asked for",
            "  +3.050 s  cancelled",
            "  filled 0.5 BTC at 100.1, fees 0.05005 USDT",
        ]
        assert report.lines_of_stdout()[-1] == "3 orders: 1 cancelled, 2 may still exist"
        assert "mm-btc-0002" in report.stdout
        assert "unknown, may still exist" in report.stdout
        assert "\x1b" not in report.stdout, "what an exchange says cannot steer a terminal"
        assert report.stderr == ""


def test_json_is_one_object_per_order_with_its_events_and_fills(journal: Path) -> None:
    with Report(journal, "--orders", "--json") as report:
        assert report.wait_exit() == 0
        first, second, third = report.orders()
    assert (first["client_order_id"], first["state"], first["may_exist"], first["exchange"]) == (
        "mm-btc-0001",
        "cancelled",
        False,
        "gateio_spot",
    )
    assert (first["created_at"], first["ended_at"]) == ("2026-09-21T14:13:20.000Z", "2026-09-21T14:13:23.050Z")
    assert [event["event"] for event in first["events"]] == ["submitted", "placed", "filled", "cancel_requested", "ended"]
    assert [(each["trade_id"], Decimal(each["quantity"])) for each in first["fills"]] == [("t1", Decimal("0.5"))]
    assert (first["fees"], first["fills_are_complete"]) == ({"USDT": "0.05005"}, True)
    assert (second["may_exist"], second["ended_at"], second["state"]) == (True, None, "unknown")
    assert (third["cycle"], third["symbol"]) == ("eth", "ETH/USDT")


def test_filters_leave_what_they_say(journal: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def found(*arguments: str, **when: int) -> list[str]:
        return [each[-4:] for each in ids(*arguments, journal=journal, capfd=capfd, **when)]

    assert found() == ["0001", "0002", "0003"]
    assert found("--open") == ["0002", "0003"]
    assert found("--cycle", "eth") == ["0003"]
    assert found("--symbol", "eth_usdt") == ["0003"]
    assert found("--symbol", "BTC/USDT", "--open") == ["0002"]
    assert found("--since", "61m") == ["0002", "0003"]
    assert found("--since", "2h") == ["0001", "0002", "0003"]
    assert found("--since", "1d", now=TIME + 26 * HOUR) == []
    assert found("--since", "2026-09-21T14:13:21") == ["0002", "0003"]
    assert found("--since", "2026-09-21T16:13:20+02:00") == ["0001", "0002", "0003"]
    assert found("--since", "2026-09-22") == []
    assert found("--cycle", "nobody") == []


def test_amendment_and_unseen_fills_are_told(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.db") as store:
        write(store, OrderSubmitted("main", intent(1)))
        amended = placed(1, request=request(1, price=Decimal(99)), filled_quantity=Decimal("0.2"), filled_quote=Decimal(20), amended=True)
        write(store, OrderChanged("main", amended))
    with Report(tmp_path / "journal.db", "--orders") as report:
        assert report.wait_exit() == 0
        assert "+0.000 s  open                 filled 0.2 of 1.50 @ 99" in report.stdout
        assert "filled 0.2 BTC at 100, fees none, NOT ALL FILLS ARE KNOWN" in report.stdout


def test_journal_with_more_orders_than_are_read_at_a_time_is_told_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_store(path) as store:
        write(store, *(OrderSubmitted("main", intent(number)) for number in range(1_203)))
    with Report(path, "--orders", "--json") as report:
        assert report.wait_exit() == 0
        assert [order["client_order_id"] for order in report.orders()] == [f"mm-btc-{number:04}" for number in range(1_203)]


def test_journal_of_a_process_that_was_killed_is_told_with_its_log(journal: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{journal}{suffix}").read_bytes())
    before = {path.name: path.read_bytes() for path in tmp_path.glob("copy*")}
    with Report(copy, "--orders") as report:
        assert report.wait_exit() == 0
        assert "3 orders" in report.stdout
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


# The report


def test_without_a_choice_it_prints_a_summary_and_writes_the_page_beside_a_journal_that_a_runtime_writes(journal: Path) -> None:
    (journal.parent / "journal.html").write_text("an old one")
    with Report(journal) as report:
        assert report.wait_exit() == 0
        assert "1 fill, 50.05 USDT, 100.0 % as maker; holds −0.5 BTC" in report.stdout
        assert report.lines_of_stdout()[-1] == f"report: {journal.parent / 'journal.html'}"
        assert report.stderr == ""
    page = (journal.parent / "journal.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    assert [path.name for path in journal.parent.glob("*new")] == []


def test_summary_writes_no_file_and_is_one_object_as_json(journal: Path) -> None:
    before = {path.name for path in journal.parent.iterdir()}
    with Report(journal, "--summary", "--json", "--cycle", "btc") as report:
        assert report.wait_exit() == 0
        (told,) = report.orders()
    assert {path.name for path in journal.parent.iterdir()} == before
    (cycle,) = told["cycles"]
    # Sold at 100.1 and worth that, less the fee.
    assert (cycle["profit"], cycle["fees_by_asset"], cycle["inventory"]) == ("-0.05005", {"USDT": "0.05005"}, "-0.5")
    assert (cycle["orders"]["intended"], cycle["orders"]["partly_filled"], cycle["orders"]["may_exist"]) == (2, 1, 1)
    assert told["incidents"] == {"run_began": 1, "order_unknown": 1}


def test_tables_are_written_where_they_are_wanted(journal: Path, tmp_path: Path) -> None:
    with Report(journal, "--csv", tmp_path / "a" / "csv", "--parquet", tmp_path / "parquet", "--json") as report:
        assert report.wait_exit() == 0
        (told,) = report.orders()
    assert told["rows"]["fills"] == 1
    assert len(list((tmp_path / "a" / "csv").glob("*.csv"))) == len(list((tmp_path / "parquet").glob("*.parquet"))) == len(told["rows"])
    assert not (journal.parent / "journal.html").exists()


def test_report_on_a_journal_of_a_killed_process_changes_nothing_of_it(journal: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{journal}{suffix}").read_bytes())
    before = {path.name: path.read_bytes() for path in tmp_path.glob("copy*")}
    with Report(copy, "--html", tmp_path / "report.html") as report:
        assert report.wait_exit() == 0
        assert "the last goes on, or died" in report.stdout
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_page_that_cannot_be_written_is_status_1_and_says_what_to_do(journal: Path, tmp_path: Path) -> None:
    place = tmp_path / "nowhere" / "report.html"
    with Report(journal, "--html", place) as report:
        assert report.wait_exit() == 1
        assert report.stderr == f"cannot write {place}: No such file or directory; make room or name another place\n"
        assert report.stdout == ""


@pytest.mark.parametrize("time", ["999999d", "0001-01-01T00:00+05:00", "9999-12-31T23:59-05:00"])
def test_page_since_a_time_beyond_all_years_is_made(journal: Path, tmp_path: Path, time: str) -> None:
    with Report(journal, "--html", tmp_path / "page.html", "--since", time) as report:
        assert (report.wait_exit(), report.stderr) == (0, "")


def test_choice_that_leaves_nothing_names_what_there_is(journal: Path, tmp_path: Path) -> None:
    with Report(journal, "--html", tmp_path / "page.html", "--cycle", "bct") as report:
        assert report.wait_exit() == 0
        said = "othing was wanted, placed or traded of what was asked for; this journal has btc BTC/USDT, eth ETH/USDT"
        assert f"n{said}" in report.lines_of_stdout()
        assert "only cycle bct" in report.lines_of_stdout()
        assert f"<p>N{said}.</p>" in (tmp_path / "page.html").read_text()


# What would be lost


def test_page_does_not_take_the_place_of_where_the_output_goes(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/fd/1")  # as /dev/stdout
    with (tmp_path / "out").open("wb") as out, Report(journal, "--html", tmp_path / "link", stdout=out) as report:
        assert report.wait_exit() == 1
        assert report.stderr.endswith("out: what is there is no plain file; name another place\n")
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("suffix", ["", "-wal", "-lock"])
def test_page_is_never_written_over_the_journal_nor_what_belongs_to_it(journal: Path, tmp_path: Path, suffix: str) -> None:
    place = tmp_path / "other" / ".." / f"{journal.name}{suffix}"
    (tmp_path / "other").mkdir()
    before = journal.read_bytes()
    assert unusable(journal, "--html", place) == f"mm-report: the report would be written over the journal, to {place}: name another place"
    assert journal.read_bytes() == before


def test_tables_are_never_written_over_the_journal(tmp_path: Path) -> None:
    with open_store(tmp_path / "fills.csv"):
        pass
    before = (tmp_path / "fills.csv").read_bytes()
    assert "would be written over the journal" in unusable(tmp_path / "fills.csv", "--csv", tmp_path)
    assert (tmp_path / "fills.csv").read_bytes() == before


def test_page_of_a_journal_that_is_named_like_a_page_is_put_beside_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.html"):
        pass
    before = (tmp_path / "journal.html").read_bytes()
    with Report(tmp_path / "journal.html") as report:
        assert report.wait_exit() == 0
    assert (tmp_path / "journal.html").read_bytes() == before
    assert (tmp_path / "journal.html.html").read_text().startswith("<!doctype html>")


# What cannot be reported


def unusable(path: Path, *arguments: str | Path) -> str:
    """The one line on standard error."""
    with Report(path, *arguments) as report:
        assert report.wait_exit() == 2
        assert report.stdout == ""
        (line,) = report.stderr.splitlines()
        return line


def test_missing_file_is_status_2_and_none_is_made(tmp_path: Path) -> None:
    assert unusable(tmp_path / "none.db", "--orders") == f"there is no journal {tmp_path / 'none.db'}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"x", b"my diary\n" * 200], ids=["short", "long"])
def test_file_that_is_no_journal_is_status_2_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "diary"
    path.write_bytes(content)
    assert unusable(path, "--orders") == f"{path} is not a journal of mm-runtime; it was not changed"
    assert path.read_bytes() == content


def test_database_of_another_program_and_folder_and_empty_file_are_status_2(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
        other.commit()
    assert "is a database of another program" in unusable(path, "--orders")
    assert unusable(tmp_path, "--orders") == f"{tmp_path} is a folder: name the journal in it"
    assert unusable(Path(".")) == ". is a folder: name the journal in it"
    (tmp_path / "empty.db").touch()
    assert "is empty: no run has written to it" in unusable(tmp_path / "empty.db", "--orders")


@pytest.mark.parametrize(
    ("version", "message"),
    [(schema.SCHEMA_VERSION + 1, "newer mm-runtime"), (0, "empty: no run")],
    ids=["newer", "none"],
)
def test_journal_of_a_version_that_cannot_be_read_is_status_2(journal: Path, tmp_path: Path, version: int, message: str) -> None:
    path = tmp_path / "other.db"
    with open_store(path):
        pass
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {version}")
    assert message in unusable(path, "--orders")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--orders", "--csv", "folder"), "--orders prints a list of its own"),
        (("--open",), "it goes with --orders"),
        (("--orders", "--since", "yesterday"), "'yesterday' is no time: write it as 2026-02-01"),
        (("--orders", "--since", "99999999d"), "is no time"),
        (("--orders", "--symbol", "?"), "--symbol: '?' is not a symbol"),
        (("--orders", "--frobnicate"), "unrecognized arguments"),
    ],
)
def test_bad_usage_is_status_2_with_one_line(journal: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in unusable(journal, *arguments)


def test_damage_found_on_the_way_is_status_1_and_says_that_the_report_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_store(path) as store:
        for number in range(1_000):
            write(store, OrderSubmitted("main", intent(number)))
        store.end_run(at_milliseconds=TIME, how="clean")
    damaged = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as reader:
        root = reader.execute("SELECT rootpage FROM sqlite_master WHERE name = 'order_events'").fetchone()[0]
    damaged[(root - 1) * schema.PAGE_BYTES : root * schema.PAGE_BYTES] = bytes(schema.PAGE_BYTES)
    path.write_bytes(damaged)
    with Report(path, "--orders") as report:
        assert report.wait_exit() == 1
        (line,) = report.stderr.splitlines()
        assert line.endswith("the report is not whole")
        assert "malformed" in line


def test_output_that_cannot_be_written_is_status_1(journal: Path) -> None:
    with open("/dev/full", "wb") as full, Report(journal, "--orders", stdout=full) as report:
        assert report.wait_exit() == 1
        assert report.stderr == ""


def test_launcher_becomes_the_report() -> None:
    text = (ROOT / "bin" / "mm-report").read_text()
    assert text.splitlines()[-1] == 'become_python "$environment_kind" -m assembly.report.command "$@"'
    assert os.access(ROOT / "bin" / "mm-report", os.X_OK)


def test_documentation_has_every_option() -> None:
    page = (ROOT / "docs" / "report.md").read_text()
    with Report("--help") as helping:
        assert helping.wait_exit() == 0
        options = set(re.findall(r"--[a-z]+", helping.stdout)) - {"--help"}
    assert [option for option in sorted(options) if f"`{option}" not in page] == []
