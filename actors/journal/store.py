"""The journal's store: entries in, each batch one transaction; recovery out. Synchronous, without threads and without a clock.

Theory of operation. In write-ahead mode a commit is one append to the log, which the system then has: whatever kills this
process, a reader or the next run finds it. Frames of the log bear checksums, and a transaction counts from its last frame on,
so that a torn end takes whole transactions away and never a part of one. `Synchronous` says what holds when the power fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from actors.journal.entries import Entry
from actors.journal.errors import translated
from actors.journal.file import MEMORY, FileLock, FilesInPlace, Synchronous, open_for_writing, open_in_memory, prepare_place
from actors.journal.records import Writer, writes_of
from actors.journal.recovery import Recovery, fold_changes, last_written_at, read_recovery
from actors.journal.tallies import fold_tallies

DIED = "died without saying goodbye"
NO_RUN = "a run must be begun first"


class JournalStore:
    """An open journal, of this process alone. Close it, or use it as a context manager."""

    def __init__(
        self, path: Path | str, *, synchronous: Synchronous = Synchronous.NORMAL, redact: Callable[[str], str] | None = None
    ) -> None:
        """Open the journal at `path`, or make it, with its folder. `":memory:"` is for tests.

        `redact` takes secrets out of every text that is written.

        Raises:
            JournalUnusable: it is in use, damaged, not a journal, or of a newer program; it was not changed.
            JournalBroken: it cannot be made, locked, read or written.
        """
        self._redact = redact
        self._lock: FileLock | None = None
        self._written_at: Path | None = None
        self._files: FilesInPlace | None = None
        self._writer: Writer | None = None
        self.writes_since_checkpoint = 0
        if path == MEMORY:
            self.path = Path(MEMORY)
            self._connection = open_in_memory()
        else:
            self.path = self._written_at = prepare_place(Path(path))
            self._lock = FileLock(self.path)
            try:
                self._connection = open_for_writing(self.path, synchronous)
            except BaseException:
                self._lock.close()
                raise
        self._connection.row_factory = sqlite3.Row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def recover(self, *, installation: str, adopted: Sequence[str] = (), accounts: Mapping[str, str]) -> Recovery:
        """What earlier runs of an installation left; `accounts` says at which exchange each account of the new run is.

        Of `adopted` installations only the orders that may exist are taken over.

        Changes nothing.

        Raises:
            JournalBroken: it cannot be read.
        """
        with self._transaction("read", "BEGIN"):
            return read_recovery(self._connection, installation=installation, adopted=adopted, accounts=accounts)

    def begin_run(self, *, at_milliseconds: int, installation: str, version: str, accounts: Mapping[str, str]) -> int:
        """Write down that a run begins, and return its number. Earlier ones that did not say goodbye have ended.

        `accounts` is as for `recover`. What is simulated anew, or on a testnet, is another exchange than the live one, and must
        have another name here.

        Raises:
            JournalBroken: it cannot be written.
        """
        with self._transaction("written"):
            execute = self._connection.execute
            died_at = last_written_at(self._connection)
            execute("UPDATE runs SET ended_at = coalesce(?, began_at), ended_how = ? WHERE ended_at IS NULL", (died_at, DIED))
            fold_changes(self._connection)
            fold_tallies(self._connection)
            begun = execute("INSERT INTO runs (installation, version, began_at) VALUES (?, ?, ?)", (installation, version, at_milliseconds))
            run = int(begun.lastrowid or 0)
            for account, exchange in accounts.items():
                execute("INSERT INTO run_accounts (run, account, exchange) VALUES (?, ?, ?)", (run, account, exchange))
        self._writer = Writer(run=run, exchange_by_account=dict(accounts))
        if self._written_at is not None:
            self._files = FilesInPlace(self._written_at)
        return run

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries in one transaction: when this returns, all of them outlive this process; if it raises, none was written.

        Raises:
            JournalBroken: the file cannot be written. It may be tried again.
            UnknownEvent: there is no place for one of the events: a fault of its sender.
        """
        if self._writer is None:
            raise RuntimeError(NO_RUN)
        writes = [write for entry in entries for write in writes_of(entry, self._writer)]
        if not writes:
            return
        if self._files is not None:
            self._files.check()
        with self._transaction("written"):
            for sql, values in writes:
                self._connection.execute(sql, self._cleaned(values))
        self.writes_since_checkpoint += len(writes)

    def _cleaned(self, values: tuple[object, ...]) -> tuple[object, ...]:
        if self._redact is None:
            return values
        redact = self._redact
        return tuple([redact(value) if type(value) is str else value for value in values])

    def end_run(self, *, at_milliseconds: int, how: str) -> None:
        """Write down that the run says goodbye, and how it ended.

        Raises:
            JournalBroken: it cannot be written.
        """
        if self._writer is None:
            raise RuntimeError(NO_RUN)
        with self._transaction("written"):
            self._connection.execute("UPDATE runs SET ended_at = ?, ended_how = ? WHERE id = ?", (at_milliseconds, how, self._writer.run))

    def checkpoint(self) -> None:
        """Bring what is in the write-ahead log into the database, so that the log can begin anew. Waits for the disk.

        While somebody reads an old state, a part stays for the next time.

        Raises:
            JournalBroken: it cannot be written; nothing is lost, it is all still in the log.
        """
        with translated(self.path, "written"):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            # The first write into a log begun anew waits for the disk once more: let it be this one, and not an order's.
            self._connection.execute("UPDATE runs SET checkpoints = checkpoints + 1 WHERE id = (SELECT max(id) FROM runs)")
        self.writes_since_checkpoint = 0

    def close(self) -> None:
        """Give the journal back. The second call does nothing."""
        self._connection.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @contextmanager
    def _transaction(self, doing: str, begin: str = "BEGIN IMMEDIATE") -> Generator[None]:
        with translated(self.path, doing):
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # some failures have undone it themselves
                    self._connection.execute("ROLLBACK")
                raise
