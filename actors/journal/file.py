"""The journal's file: found or made, looked at before anything in it is touched, locked to one process, and opened.

Theory of operation. SQLite would take an empty file beside an orphaned write-ahead log for a new database and delete the log,
write into another program's database, and, on closing, copy the log into a file that is damaged. So nothing is opened for
writing before a look through a connection that cannot write has found a whole journal. The lock is a file of its own beside
the journal: SQLite's own exclusive mode would shut out readers too. The system gives it up when its process dies, however.
"""

from __future__ import annotations

import enum
import errno
import fcntl
import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from actors.journal import schema
from actors.journal.errors import JournalBroken, JournalUnusable, translated

MEMORY = ":memory:"
# Readers never make a writer wait; only somebody who writes into the file by hand does. The whole program waits meanwhile.
BUSY_SECONDS = 0.25
WRITE_AHEAD_LOG_BYTES_KEPT_MAX = 16_000_000
HEADER_BYTES = 100
OWN_SUFFIXES = ("-wal", "-shm", "-lock")
"""Of the names of what belongs to a journal (`beside`)."""


class Synchronous(enum.Enum):
    """What a commit waits for, in SQLite's words.

    NORMAL: until the system has it; nothing is lost when the process dies, and when the machine does the last moments may be.
    FULL: until the disk says it has it; some milliseconds for each commit, in which the whole program stands still.
    """

    NORMAL = "normal"
    FULL = "full"


class FileLock:
    """Exclusive use of a journal by this process, until closed. A lock file left behind means nothing."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            JournalUnusable: another process has it.
            JournalBroken: the lock file cannot be made.
        """
        lock_path = beside(path, "-lock")
        with translated(path, "locked"):
            self._descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._take(path)
            except BaseException:
                os.close(self._descriptor)
                raise

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            holder = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip()
            raise JournalUnusable(
                f"the journal {path} is in use by process {holder or '(unknown)'}: two programs must not write one journal; "
                "stop that one, or give this one a journal of its own"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        os.close(self._descriptor)


class FilesInPlace:
    """The journal's file and its log, as they are when this is made: whether they still are where others look for them.

    A file that was deleted or replaced goes on taking what is written, and says nothing: it all ends with the process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # As texts: each transaction asks, and a path is put together anew each time.
        self._identities = {each: _identity(each) for each in (str(path), str(beside(path, "-wal")))}

    def check(self) -> None:
        """
        Raises:
            JournalBroken: one of them is not there any more.
        """
        for each, identity in self._identities.items():
            if _identity(each) != identity:
                raise JournalBroken(
                    f"the journal {self._path} cannot be written: {Path(each).name} was deleted, moved or replaced while it was in use"
                )


def _identity(path: str) -> tuple[int, int] | None:
    """Which file that is; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def beside(path: Path, suffix: str) -> Path:
    """The file that belongs to the one at `path`: `-wal` and `-shm` are SQLite's own, `-lock` is ours."""
    return path.with_name(path.name + suffix)


def prepare_place(path: Path) -> Path:
    """The real path of a journal, in a folder that exists.

    Raises:
        JournalUnusable: there is something else than a file, or this Python's SQLite is too old.
        JournalBroken: the folder cannot be made.
    """
    if sqlite3.sqlite_version_info < schema.SQLITE_VERSION_MIN:
        least = ".".join(map(str, schema.SQLITE_VERSION_MIN))
        raise JournalUnusable(f"the journal {path} needs SQLite {least} or newer, and this Python has {sqlite3.sqlite_version}")
    with translated(path, "made"):
        path = path.resolve()
        if path.exists() and not path.is_file():
            raise JournalUnusable(f"{path} is not a file: name the file that the journal is to be")
        refuse_stub(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def open_for_writing(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """The journal at `path`, made if there is none, at the newest version. Whoever calls has the lock.

    Raises:
        JournalUnusable, JournalBroken.
    """
    with translated(path, "opened"):
        _make_if_missing(path)
        if path.stat().st_size and not _size(beside(path, "-journal")):  # else it is new, or its making was cut short
            with closing(connect(path, "mode=ro")) as connection:
                look_over(connection, path)
                look_through(connection, path)
        connection = connect(path, "mode=rw")
        try:
            _prepare(connection, path, synchronous)
        except BaseException:
            connection.close()
            raise
    return connection


def open_in_memory() -> sqlite3.Connection:
    """An empty journal that is gone when it is closed. For tests."""
    connection = sqlite3.connect(MEMORY, isolation_level=None)
    schema.migrate(connection)
    return connection


def connect(path: Path, how: str) -> sqlite3.Connection:
    """A connection, without transactions of its own making; `how` are parameters of SQLite's file names.

    Nothing else in this process may open and close the file meanwhile: by POSIX rules that would drop SQLite's locks.
    """
    return sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None, timeout=BUSY_SECONDS)


def look_over(connection: sqlite3.Connection, path: Path) -> None:
    """See whether an existing file is a journal that this program knows. Raises `sqlite3.Error` too.

    Raises:
        JournalUnusable: it is not; it was not changed.
    """
    with _finding_damage(path):
        if not schema.is_ours(connection):
            raise JournalUnusable(f"{path} is a database of another program, not a journal of mm-runtime; it was not changed")
        version = schema.version_of(connection)
        if version > schema.SCHEMA_VERSION:
            raise JournalUnusable(
                f"the journal {path} was written by a newer mm-runtime (its schema is version {version}, this program knows up to "
                f"{schema.SCHEMA_VERSION}); use that one, or another file. It was not changed"
            )


def look_through(connection: sqlite3.Connection, path: Path) -> None:
    """Read a journal whose last run did not end in order through once, because what cut it short may have damaged it.

    Raises as `look_over`.
    """
    with _finding_damage(path):
        if schema.version_of(connection) and connection.execute("SELECT count(*) FROM runs WHERE ended_at IS NULL").fetchone()[0]:
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                raise _damaged(path, damage)


@contextmanager
def _finding_damage(path: Path) -> Generator[None]:
    """What SQLite says of a file's content becomes `JournalUnusable`; that it could not read it says nothing of the content."""
    try:
        yield
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise JournalUnusable(f"{path} is not a journal of mm-runtime; it was not changed") from error
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, how: str) -> JournalUnusable:
    return JournalUnusable(
        f"the journal {path} is damaged ({how}); it was not changed. Keep it with its -wal file for a rescue (sqlite3 .recover), and "
        "begin another: what may be open at the exchanges is found by its prefix"
    )


def refuse_stub(path: Path) -> None:
    """SQLite takes a file that is shorter than a database's header for an empty one, and would write over it.

    Raises:
        JournalUnusable: it is such a file.
    """
    if 0 < _size(path) < HEADER_BYTES:
        raise JournalUnusable(f"{path} is not a journal of mm-runtime; it was not changed")


def _make_if_missing(path: Path) -> None:
    if not _size(path) and _size(beside(path, "-wal")):
        raise JournalUnusable(
            f"the journal {path} is missing or empty while its write-ahead log {path.name}-wal holds data: bring the journal back, or move "
            "that file away. Nothing was changed"
        )
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _prepare(connection: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    look_over(connection, path)
    connection.execute(f"PRAGMA page_size = {schema.PAGE_BYTES}")  # of a new file; a journal keeps what it has
    # While a file is made it has a rollback journal, whose deletion must reach the disk: after a power loss it would come back,
    # and be rolled back over what the log has brought into the file since.
    connection.execute("PRAGMA synchronous = EXTRA")
    schema.migrate(connection)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise sqlite3.OperationalError(f"its file system allows no write-ahead log (the mode stays {mode})")
    connection.execute(f"PRAGMA synchronous = {synchronous.value}")
    # Checkpoints wait for the disk: the actor has them made when nothing else is to be written.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {WRITE_AHEAD_LOG_BYTES_KEPT_MAX}")
    connection.execute("PRAGMA cell_size_check = ON")
