"""The journal of a world: all runs in it share it."""

from __future__ import annotations

import sqlite3
from typing import Any

from actors.journal.store import JournalStore


class WorldJournal(JournalStore):
    """A journal whose disk can be filled, and that can be looked into."""

    def fill_disk(self) -> None:
        """From now on there is no room for another word."""
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        self._connection.execute(f"PRAGMA max_page_count = {pages}")
        while True:  # what room there is in pages that are there is taken too
            try:
                self._connection.execute("INSERT INTO events (run, at, actor, name, fields) VALUES (1, 0, '', 'filler', zeroblob(500))")
            except sqlite3.OperationalError:
                return

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What it holds."""
        return [tuple(row) for row in self._connection.execute(sql).fetchall()]
