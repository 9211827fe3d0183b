"""The journal of a world: all runs in it share it, and a kill leaves what was committed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from actors.journal.errors import JournalBroken
from actors.journal.file import MEMORY, beside
from actors.journal.store import JournalStore
from network.causes import NO_CAUSE, current_cause

_PAGES_MAX = 1_000_000
_LOG_HEADER_BYTES = 32
_PRIMARY_CODE = 0xFF
_CODES_OF_THE_DISK = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})


class WorldJournal(JournalStore):
    """A journal whose disk can be filled, that can be looked into, and that outlives the process that wrote it.

    `errors_of_real_disk` are those that this world has no part in: what follows from them is no fault of the program.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.errors_of_real_disk: list[str] = []
        self._has_room = trio.Event()
        self._has_room.set()
        self._cause = NO_CAUSE
        self._place = self.path
        self.path = Path(self.path.name)  # what is said of it must not depend on where a temporary folder is

    @property
    def is_full(self) -> bool:
        return not self._has_room.is_set()

    async def wait_has_room(self) -> None:
        """Until its disk is not full."""
        await self._has_room.wait()

    def fill_disk(self) -> None:
        """From now on there is no room for another word."""
        self._has_room, self._cause = trio.Event(), current_cause()
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        self._connection.execute(f"PRAGMA max_page_count = {pages}")
        while True:  # what room there is in pages that are there is taken too
            try:
                self._connection.execute("INSERT INTO events (run, at, actor, name, fields) VALUES (1, 0, '', 'filler', zeroblob(500))")
            except sqlite3.OperationalError:
                return

    def free_disk(self) -> None:
        """There is room again."""
        self._has_room.set()
        self._connection.execute(f"PRAGMA max_page_count = {_PAGES_MAX}")

    def rows(self, sql: str, **parameters: str) -> list[tuple[Any, ...]]:
        """What it holds."""
        return [tuple(row) for row in self._connection.execute(sql, parameters).fetchall()]

    def has_order(self, client_order_id: str) -> bool:
        """Whether an order's intent is written down."""
        return bool(self.rows("SELECT 1 FROM orders WHERE client_order_id = :client_order_id", client_order_id=client_order_id))

    def left_by_kill(self, *, torn_bytes: int = 0) -> WorldJournal:
        """What the next process finds when this one is killed now. This one is closed: a dead process writes nothing.

        With `torn_bytes` it is the machine that died: so much of the write-ahead log's end had not reached the disk.
        """
        if self._place == Path(MEMORY):
            left = WorldJournal(MEMORY)
            left._connection.deserialize(self._connection.serialize())
        else:
            left = WorldJournal(self._copy_as_it_is(torn_bytes))
        left.errors_of_real_disk = self.errors_of_real_disk
        self.close()
        return left

    def checkpoint(self) -> None:
        with self._noticing_the_disk():
            super().checkpoint()

    @contextmanager
    def _transaction(self, doing: str, begin: str = "BEGIN IMMEDIATE") -> Generator[None]:
        with self._noticing_the_disk(), super()._transaction(doing, begin):
            yield

    @contextmanager
    def _noticing_the_disk(self) -> Generator[None]:
        try:
            yield
        except JournalBroken as broken:
            cause = broken.__cause__
            code = getattr(cause, "sqlite_errorcode", 0) & _PRIMARY_CODE  # errors of Python's own making have none
            if self.is_full:
                self._cause.had_effect()
            elif isinstance(cause, OSError) or code in _CODES_OF_THE_DISK:
                self.errors_of_real_disk.append(str(broken))
            raise

    def _copy_as_it_is(self, torn_bytes: int) -> Path:
        stem, _, number = self._place.stem.partition("-")
        copy = self._place.with_name(f"{stem}-{int(number or 0) + 1}{self._place.suffix}")
        shutil.copyfile(self._place, copy)
        log = beside(self._place, "-wal")
        if log.exists():
            data = log.read_bytes()
            beside(copy, "-wal").write_bytes(data[: max(_LOG_HEADER_BYTES, len(data) - torn_bytes)] if torn_bytes else data)
        return copy
