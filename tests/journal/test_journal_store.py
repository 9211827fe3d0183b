"""The store: transactions that are whole or not there, runs, checkpoints, and every way in which a disk can fail it.

A full disk is tried in three ways, because none shows everything: SQLite's own limit on a file's pages (exact, anywhere), the
system's limit on a file's size (a write into the log that ends in the middle, anywhere), and a file system that is really
full (where this system lets one be mounted).
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from journal_samples import ACCOUNTS, INSTALLATION, TIME, fill, filled, intent, open_store, placed, rows, rows_of_file, write

from actors.journal.entries import Entry, EventTold
from actors.journal.errors import JournalBroken
from actors.journal.file import beside
from actors.journal.records import UnknownEvent
from actors.journal.store import DIED, JournalStore
from orders.events import AccountReady, OrderEnded, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState

FULL_DISK = Path(__file__).with_name("full_disk.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal is to be."""
    return tmp_path / "journal.db"


def written_ids(path: Path) -> list[str]:
    return [row[0] for row in rows_of_file(path, "SELECT client_order_id FROM orders ORDER BY id")]


# Transactions


def test_batch_is_written_whole_and_in_order(path: Path) -> None:
    with open_store(path) as store:
        store.write([Entry(TIME + number, (OrderSubmitted("main", intent(number)),)) for number in range(5)])
        assert written_ids(path) == [f"mm-btc-{number:04}" for number in range(5)]
        assert [row["at"] for row in rows(store, "SELECT at FROM order_events ORDER BY id")] == [TIME + number for number in range(5)]


def test_batch_with_an_event_that_has_no_place_writes_nothing(path: Path) -> None:
    with open_store(path) as store:
        with pytest.raises(UnknownEvent):
            store.write([Entry(TIME, (OrderSubmitted("main", intent()),)), Entry(TIME, (AccountReady("main"),))])
        assert written_ids(path) == []
        write(store, OrderSubmitted("main", intent()))
    assert written_ids(path) == ["mm-btc-0001"]


def test_batch_of_which_one_statement_fails_writes_nothing_and_may_be_tried_again(path: Path) -> None:
    batch = [Entry(TIME, (OrderSubmitted("main", intent(1)),)), Entry(TIME, (OrderFilled("main", filled(2, fill(2)), fill(2)),))]
    with open_store(path) as store:
        store._connection.execute("CREATE TEMP TRIGGER broken BEFORE INSERT ON main.fills BEGIN SELECT RAISE(ABORT, 'injected'); END")
        for _ in range(2):
            with pytest.raises(JournalBroken, match="cannot be written: injected"):
                store.write(batch)
            assert rows(store, "SELECT * FROM orders") == []
        store._connection.execute("DROP TRIGGER broken")
        store.write(batch)
    assert written_ids(path) == ["mm-btc-0001", "mm-btc-0002"]


def test_empty_batch_writes_nothing(path: Path) -> None:
    with open_store(path) as store:
        before = beside(path, "-wal").stat().st_size
        store.write([])
        assert beside(path, "-wal").stat().st_size == before


def test_nothing_is_written_before_a_run_has_begun(path: Path) -> None:
    with JournalStore(path) as store:
        with pytest.raises(RuntimeError, match="a run must be begun first"):
            write(store, OrderSubmitted("main", intent()))
        with pytest.raises(RuntimeError, match="a run must be begun first"):
            store.end_run(at_milliseconds=TIME, how="clean")


def test_writer_by_hand_is_waited_for_briefly_and_then_told(path: Path) -> None:
    with open_store(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBroken, match="cannot be written: database is locked"):
            write(store, OrderSubmitted("main", intent()))
        other.execute("ROLLBACK")
        other.close()
        write(store, OrderSubmitted("main", intent()))


# Runs


def test_run_says_how_it_ended(path: Path) -> None:
    with open_store(path) as store:
        store.end_run(at_milliseconds=TIME + 9, how="clean: SIGINT received")
    row = ("mm", "1.2.3", TIME, TIME + 9, "clean: SIGINT received")
    assert rows_of_file(path, "SELECT installation, version, began_at, ended_at, ended_how FROM runs") == [row]
    assert rows_of_file(path, "SELECT * FROM run_accounts") == [(1, "main", "gateio_spot")]


def test_run_that_said_no_goodbye_ended_with_its_last_entry(path: Path) -> None:
    with open_store(path) as store:
        write(store, OrderSubmitted("main", intent()), at=TIME + 5)
        write(store, EventTold("notice", {}), at=TIME + 7)
    open_store(path, at=TIME + 100).close()
    assert rows_of_file(path, "SELECT ended_at, ended_how FROM runs ORDER BY id") == [(TIME + 7, DIED), (None, None)]


def test_run_that_died_before_it_wrote_anything_ended_when_it_began(path: Path) -> None:
    open_store(path).close()
    open_store(path, at=TIME + 100).close()
    assert rows_of_file(path, "SELECT ended_at FROM runs ORDER BY id") == [(TIME,), (None,)]


# Checkpoints


def test_checkpoint_empties_the_log_and_loses_nothing(path: Path) -> None:
    with open_store(path) as store:
        for number in range(50):
            write(store, OrderSubmitted("main", intent(number)))
        assert store.writes_since_checkpoint == 100
        before = beside(path, "-wal").stat().st_size
        store.checkpoint()
        assert store.writes_since_checkpoint == 0
        for number in range(50, 90):
            write(store, OrderSubmitted("main", intent(number)))
        assert beside(path, "-wal").stat().st_size == before, "the log was begun anew"
    assert len(written_ids(path)) == 90


def test_checkpoint_beside_a_reader_loses_nothing_and_is_done_later(path: Path) -> None:
    with open_store(path) as store:
        write(store, OrderSubmitted("main", intent(1)))
        reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM orders").fetchall()
        write(store, OrderSubmitted("main", intent(2)))
        store.checkpoint()
        reader.close()
        store.checkpoint()
        assert len(written_ids(path)) == 2


# Files that are gone


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_file_that_is_deleted_or_replaced_in_use_is_broken_instead_of_written_into_nowhere(
    path: Path, suffix: str, is_replaced: bool
) -> None:
    with open_store(path) as store:
        write(store, OrderSubmitted("main", intent(1)))
        store.checkpoint()
        write(store, OrderSubmitted("main", intent(2)))
        gone = beside(path, suffix)
        gone.rename(path.with_name("elsewhere"))
        if is_replaced:
            shutil.copy(path.with_name("elsewhere"), gone)
        with pytest.raises(JournalBroken, match=f"{gone.name} was deleted, moved or replaced while it was in use"):
            write(store, OrderSubmitted("main", intent(3)))
        path.with_name("elsewhere").replace(gone)
        write(store, OrderSubmitted("main", intent(4)))
    assert written_ids(path) == ["mm-btc-0001", "mm-btc-0002", "mm-btc-0004"]


# Disk full


def test_full_file_writes_nothing_half_says_so_and_goes_on_when_there_is_room(path: Path) -> None:
    with open_store(path) as store:
        pages = rows(store, "PRAGMA page_count")[0]["page_count"]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 20}")
        acknowledged: list[int] = []

        def write_batches() -> None:
            for number in range(10_000):
                orders = [intent(number * 10 + each) for each in range(10)]
                store.write([Entry(TIME, (OrderSubmitted("main", order),)) for order in orders])
                acknowledged.append(number)

        with pytest.raises(JournalBroken, match=r"journal\.db cannot be written: database or disk is full .SQLITE_FULL."):
            write_batches()
        assert acknowledged
        assert len(written_ids(path)) == 10 * len(acknowledged)
        store._connection.execute("PRAGMA max_page_count = 100000")
        write(store, OrderSubmitted("main", intent(999_999)))
    assert len(written_ids(path)) == 10 * len(acknowledged) + 1


def run_full_disk(kind: str, folder: Path, before: tuple[str, ...] = ()) -> dict[str, object]:
    command = [*before, sys.executable, str(FULL_DISK), kind, str(folder)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{FULL_DISK.parent}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_write_that_ends_in_the_middle_of_the_log_leaves_nothing_of_its_batch(tmp_path: Path) -> None:
    """The system cuts a write off after every number of bytes that the batch could have got to, in steps of 61."""
    said = run_full_disk("limited", tmp_path)
    assert said["wrong"] == []
    assert said["broken"] > 100
    assert all("cannot be written: disk I/O error" in reason for reason in said["reasons"])


def test_file_system_that_is_really_full_writes_nothing_half_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    in_own_namespace = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=400k tmpfs "$0" && exec "$@"', str(tmp_path))
    if shutil.which("unshare") is None or subprocess.run([*in_own_namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a file system of their own")
    said = run_full_disk("tmpfs", tmp_path, in_own_namespace)
    assert said["wrong"] == []
    assert said["acknowledged"] > 10
    assert "database or disk is full" in said["reasons"][0]
    assert "cannot be locked: No space left on device" in said["reasons"][1] or "disk is full" in said["reasons"][1]
    assert said["after"] == said["acknowledged"] + 1


# A torn end


def lives(store: JournalStore, number: int) -> None:
    """Three transactions of one order."""
    write(store, OrderSubmitted("main", intent(number)))
    write(store, OrderPlaced("main", placed(number)))
    ended = filled(number, fill(number), state=OrderState.CANCELLED)
    write(store, OrderFilled("main", filled(number, fill(number)), fill(number)), OrderEnded("main", ended))


def state_of(path: Path) -> tuple[object, ...]:
    """What a reader finds who comes after everybody has died: nobody's shared memory helps, and the log stays as it is."""
    beside(path, "-shm").unlink(missing_ok=True)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
        return tuple(tuple(reader.execute(f"SELECT * FROM {table} ORDER BY id")) for table in ("orders", "order_events", "fills"))  # noqa: S608


def test_log_torn_at_any_byte_of_its_last_transactions_has_lost_whole_transactions_from_the_end(tmp_path: Path) -> None:
    path, torn = tmp_path / "journal.db", tmp_path / "torn.db"
    states: list[tuple[int, tuple[object, ...]]] = []
    with open_store(path) as store:
        store.checkpoint()
        last = filled(2, fill(2), state=OrderState.CANCELLED)
        for event in (OrderSubmitted("main", intent(1)), OrderSubmitted("main", intent(2)), OrderFilled("main", last, fill(2))):
            write(store, event)
            length = beside(path, "-wal").stat().st_size
            torn.write_bytes(path.read_bytes())
            beside(torn, "-wal").write_bytes(beside(path, "-wal").read_bytes())
            states.append((length, state_of(torn)))
    assert len({repr(state) for _, state in states}) == 3
    first, before_last, whole = (length for length, _ in states)
    assert first < before_last < whole
    for length in (*range(whole, before_last - 1, -1), *range(before_last, first - 1, -37)):
        os.truncate(beside(torn, "-wal"), length)
        assert state_of(torn) == max(state for state in states if state[0] <= length)[1], length


def test_journal_with_a_torn_or_garbled_log_is_opened_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_store(path) as store:
        for number in range(3):
            lives(store, number)
        journal, log = path.read_bytes(), beside(path, "-wal").read_bytes()
    for cut in range(0, len(log), 997):
        torn = tmp_path / f"torn{cut}.db"
        torn.write_bytes(journal)
        garbled = bytearray(log[cut : cut + 1])
        beside(torn, "-wal").write_bytes(log[:cut] + bytes([garbled[0] ^ 255]) + log[cut + 1 :] if cut % 2 else log[:cut])
        with open_store(torn) as store:
            kept = rows(store, "SELECT * FROM orders ORDER BY id")
            assert [row["client_order_id"] for row in kept] == [f"mm-btc-{number:04}" for number in range(len(kept))]
            store.recover(installation=INSTALLATION, accounts=ACCOUNTS)
            lives(store, 9)
            assert len(rows(store, "SELECT * FROM orders")) == len(kept) + 1
