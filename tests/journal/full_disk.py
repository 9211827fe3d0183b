"""A process whose disk is full: says in JSON what became of what it wrote. ``full_disk.py (limited|tmpfs) FOLDER``."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from journal_samples import TIME, intent, open_store, rows, write

from actors.journal.entries import Entry
from actors.journal.errors import JournalError
from actors.journal.file import beside
from actors.journal.store import JournalStore
from orders.events import OrderSubmitted

BATCH = 5


def batch(first: int) -> list[Entry]:
    return [Entry(TIME, (OrderSubmitted("main", intent(first + each)),)) for each in range(BATCH)]


def ids(store: JournalStore) -> set[str]:
    return {row["client_order_id"] for row in rows(store, "SELECT client_order_id FROM orders")}


def limited(folder: Path) -> dict[str, Any]:
    """No file may grow beyond some size, which is another each time: the write that crosses it ends in the middle."""
    path, wrong, reasons, number, broken = folder / "journal.db", [], set(), 0, 0
    with open_store(path) as store:
        write(store, OrderSubmitted("main", intent(999_999)))
        known = ids(store)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        written = True
        for step in range(0, 20_000, 61):
            if written:
                base = beside(path, "-wal").stat().st_size
            number += BATCH
            resource.setrlimit(resource.RLIMIT_FSIZE, (base + step % 8_000, hard))
            try:
                store.write(batch(number))
                written = True
            except JournalError as error:
                written = False
                broken += 1
                reasons.add(str(error))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            known |= {entry.events[0].order.client_order_id for entry in batch(number)} if written else set()
            if ids(store) != known:
                wrong.append(step)
    with open_store(path) as store:
        if ids(store) != known:
            wrong.append("after opening again")
    return {"wrong": wrong, "reasons": sorted(reasons), "broken": broken}


def tmpfs(folder: Path) -> dict[str, Any]:
    """The folder's file system is small. A ballast leaves room for some batches, and is thrown off in the end."""
    path, ballast, wrong, reasons, acknowledged = folder / "journal.db", folder / "ballast", [], [], 0
    with open_store(path) as store:
        ballast.write_bytes(bytes(100_000))
        known = ids(store)
        try:
            while True:
                store.write(batch(acknowledged * BATCH))
                known |= {entry.events[0].order.client_order_id for entry in batch(acknowledged * BATCH)}
                acknowledged += 1
        except JournalError as error:
            reasons.append(str(error))
        if ids(store) != known:
            wrong.append("when it was full")
        try:
            JournalStore(folder / "another.db").close()
            wrong.append("another was made")
        except JournalError as error:
            reasons.append(str(error))
        ballast.unlink()
        store.write(batch(acknowledged * BATCH))
    with open_store(path) as store:
        after = len(ids(store)) // BATCH
    return {"wrong": wrong, "reasons": reasons, "acknowledged": acknowledged, "after": after}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"limited": limited, "tmpfs": tmpfs}[sys.argv[1]](Path(sys.argv[2]))))
