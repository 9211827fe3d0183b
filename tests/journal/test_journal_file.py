"""Opening a journal: what it makes, what it refuses, and that what it refuses stays as it was."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from journal_samples import ACCOUNTS, INSTALLATION, TIME, intent, open_store, rows, rows_of_file, write

from actors.journal import file as file_module
from actors.journal import schema
from actors.journal.errors import JournalBroken, JournalUnusable
from actors.journal.file import Synchronous, beside
from actors.journal.store import JournalStore
from orders.events import OrderSubmitted

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal is to be."""
    return tmp_path / "journal.db"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but locks and empty logs, which say nothing, and SQLite's shared memory, which is made anew."""
    files = {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.endswith(("-lock", "-shm"))}
    return {name: content for name, content in files.items() if content or not name.endswith("-wal")}


def died(path: Path, orders: int = 3) -> None:
    """A journal as a process leaves it that was killed: with its log, and without a goodbye."""
    copies = {}
    with open_store(path) as store:
        for number in range(orders):
            write(store, OrderSubmitted("main", intent(number)))
        for name in ("", "-wal"):
            copies[name] = beside(path, name).read_bytes()
    for name, content in copies.items():
        beside(path, name).write_bytes(content)


# What it makes


def test_folder_and_file_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "journals" / "journal.db"
    before = os.umask(0)
    try:
        with open_store(path) as store:
            write(store, OrderSubmitted("main", intent()))
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("journal.db", "journal.db-wal", "journal.db-shm", "journal.db-lock"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_mode_of_a_journal_that_is_there_stays(path: Path) -> None:
    with open_store(path):
        path.chmod(0o640)
    with open_store(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_journal_writes_ahead_and_waits_as_it_is_told(path: Path) -> None:
    for synchronous, level in ((Synchronous.NORMAL, 1), (Synchronous.FULL, 2)):
        with JournalStore(path, synchronous=synchronous) as store:
            assert rows(store, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]
            assert rows(store, "PRAGMA synchronous") == [{"synchronous": level}]
            assert rows(store, "PRAGMA page_size") == [{"page_size": schema.PAGE_BYTES}]


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    with open_store(path) as store:
        write(store, OrderSubmitted("main", intent()))
    with JournalStore(path) as store:
        assert [row["client_order_id"] for row in rows(store, "SELECT * FROM orders")] == ["mm-btc-0001"]


def test_journal_reached_by_a_link_is_the_same_one(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with open_store(path), pytest.raises(JournalUnusable, match="in use"):
        JournalStore(link)


# One process


def test_second_store_is_refused_while_the_first_is_open_and_not_after(path: Path) -> None:
    with open_store(path) as store:
        with pytest.raises(JournalUnusable, match=rf"journal\.db is in use by process {os.getpid()}: two programs must not") as refused:
            JournalStore(path)
        assert "\n" not in str(refused.value)
        write(store, OrderSubmitted("main", intent()))
    JournalStore(path).close()


def test_second_process_is_refused_while_the_first_lives(path: Path) -> None:
    code = "import sys; from actors.journal.store import JournalStore; JournalStore(sys.argv[1])"
    with open_store(path):
        second = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"in use by process {os.getpid()}" in second.stderr.splitlines()[-1]
    after = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (after.returncode, after.stderr) == (0, "")


def test_store_that_could_not_be_opened_gives_the_lock_back(path: Path) -> None:
    path.write_text("not a journal")
    with pytest.raises(JournalUnusable):
        JournalStore(path)
    path.unlink()
    JournalStore(path).close()


def test_others_read_while_it_is_written(path: Path) -> None:
    with open_store(path) as store:
        reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        with closing(reader):
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM orders").fetchone() == (0,)
            write(store, OrderSubmitted("main", intent()))
            assert reader.execute("SELECT count(*) FROM orders").fetchone() == (0,), "it keeps the state that it began with"
            reader.execute("ROLLBACK")
            assert reader.execute("SELECT count(*) FROM orders").fetchone() == (1,)


# What it refuses


def test_file_that_is_no_database_is_refused_and_stays(path: Path) -> None:
    path.write_text("my diary, of more than a hundred bytes, so that it could be taken for a header " * 30)
    before = contents(path.parent)
    with pytest.raises(JournalUnusable, match=r"journal\.db is not a journal of mm-runtime; it was not changed"):
        JournalStore(path)
    assert contents(path.parent) == before


def test_short_file_that_is_no_database_is_refused_and_stays(path: Path) -> None:
    path.write_text("x")
    with pytest.raises(JournalUnusable, match="is not a journal"):
        JournalStore(path)
    assert path.read_text() == "x"


def test_database_of_another_program_is_refused_and_stays(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
        other.commit()
    before = contents(path.parent)
    with pytest.raises(JournalUnusable, match="is a database of another program"):
        JournalStore(path)
    assert contents(path.parent) == before


def test_journal_of_a_newer_program_is_refused_and_stays(path: Path) -> None:
    open_store(path).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    before = contents(path.parent)
    with pytest.raises(JournalUnusable, match=f"newer mm-runtime .its schema is version {schema.SCHEMA_VERSION + 1}.* It was not changed"):
        JournalStore(path)
    assert contents(path.parent) == before


@pytest.mark.parametrize("leftover", ["missing", "empty"])
def test_log_without_its_journal_is_refused_and_stays(path: Path, leftover: str) -> None:
    died(path)
    path.unlink()
    if leftover == "empty":
        path.touch()
    before = contents(path.parent)
    with pytest.raises(JournalUnusable, match=r"missing or empty while its write-ahead log journal\.db-wal holds data"):
        JournalStore(path)
    assert contents(path.parent) == before


def test_journal_of_a_run_that_died_is_refused_and_stays_whichever_page_is_damaged(path: Path) -> None:
    died(path, orders=40)
    JournalStore(path).close()  # brings the log into the journal; nobody said goodbye
    whole, rng = path.read_bytes(), random.Random(5)
    assert len(whole) > 40 * schema.PAGE_BYTES
    for start in range(0, len(whole), schema.PAGE_BYTES):
        damaged = bytearray(whole)
        damaged[start : start + schema.PAGE_BYTES] = rng.randbytes(schema.PAGE_BYTES)
        path.write_bytes(damaged)
        before = contents(path.parent)
        with pytest.raises(JournalUnusable, match="it was not changed"):
            JournalStore(path)
        assert contents(path.parent) == before


def test_log_is_not_brought_into_a_damaged_journal(path: Path) -> None:
    died(path, orders=40)
    JournalStore(path).close()
    died(path, orders=0)
    damaged = bytearray(path.read_bytes())
    damaged[2 * schema.PAGE_BYTES :] = bytes(len(damaged) - 2 * schema.PAGE_BYTES)
    path.write_bytes(damaged)
    before = contents(path.parent)
    assert before["journal.db-wal"]
    with pytest.raises(JournalUnusable, match="is damaged"):
        JournalStore(path)
    assert contents(path.parent) == before


def test_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="is not a file"):
        JournalStore(tmp_path)


def test_file_in_place_of_the_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalBroken, match=r"the journal .*file/journal\.db cannot be made: (File exists|Not a directory)"):
        JournalStore(tmp_path / "file" / "journal.db")


def test_too_old_a_sqlite_is_refused_before_anything_is_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module.sqlite3, "sqlite_version_info", (3, 22, 0))
    with pytest.raises(JournalUnusable, match=r"needs SQLite 3\.24\.0 or newer"):
        JournalStore(path)
    assert not path.exists()


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from actors.journal.errors import JournalError
from actors.journal.reading import JournalReader, OrderFilter
sys.path.insert(0, "tests/journal")
from journal_samples import open_store
if os.geteuid() == 0:  # nothing is forbidden to root; not before the imports, which others may not read
    os.setuid(int(sys.argv[3]))
try:
    if sys.argv[1] == "write":
        open_store(sys.argv[2])
    else:
        with JournalReader(Path(sys.argv[2])) as reader:
            print(len(list(reader.orders(OrderFilter()))), "orders")
except JournalError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def shared() -> Generator[Path]:
    """A folder that an unprivileged process can reach, as pytest's own cannot be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve()
        path.chmod(0o755)
        if any(not each.stat().st_mode & stat.S_IXOTH for each in path.parents):
            pytest.skip(f"{path.parent} is closed to others")
        yield path
        path.chmod(0o755)


def unprivileged(doing: str, path: Path) -> str:
    """What somebody hears who tries to write or read a journal and is not its owner."""
    command = [sys.executable, "-c", UNPRIVILEGED, doing, str(path), str(NOBODY)]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert tried.stderr == ""
    return tried.stdout


def test_read_only_folder_is_one_clear_error(shared: Path) -> None:
    shared.chmod(0o555)
    assert unprivileged("write", shared / "journal.db") == (
        f"JournalBroken the journal {shared / 'journal.db'} cannot be locked: Permission denied\n"
    )
    assert list(shared.iterdir()) == []


def test_read_only_journal_is_one_clear_error(shared: Path) -> None:
    path = shared / "journal.db"
    open_store(path).close()
    path.chmod(0o444)
    beside(path, "-lock").chmod(0o666)
    shared.chmod(0o777)
    before = contents(shared)
    said = unprivileged("write", path)
    assert said.startswith(f"JournalBroken the journal {path} cannot be opened: attempt to write a readonly database")
    assert contents(shared) == before


def test_journal_that_one_may_only_read_in_a_folder_that_one_may_only_read_is_read(shared: Path) -> None:
    path = shared / "journal.db"
    with open_store(path) as store:
        write(store, OrderSubmitted("main", intent()))
    path.chmod(0o444)
    shared.chmod(0o555)
    before = contents(shared)
    assert unprivileged("read", path) == "1 orders\n"
    assert contents(shared) == before


def test_journal_that_one_may_not_read_is_one_clear_error(shared: Path) -> None:
    path = shared / "journal.db"
    open_store(path).close()
    if os.geteuid() != 0:
        path.chmod(0)
    assert unprivileged("read", path) == f"JournalBroken the journal {path} cannot be read: Permission denied\n"


def test_making_that_was_cut_short_is_made_again(path: Path) -> None:
    """Killed between making the file and writing the tables."""
    path.touch()
    with open_store(path) as store:
        write(store, OrderSubmitted("main", intent()))
        assert store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"].orders
    assert rows_of_file(path, "SELECT began_at FROM runs") == [(TIME,)]
