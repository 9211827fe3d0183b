"""What may be wrong with a journal: something that only a person can mend at its opening, or its medium at any time."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class JournalError(Exception):
    """The journal cannot be used; the message names the file and says why."""


class JournalUnusable(JournalError):
    """This file must not be written to as it is: foreign, damaged, of a newer program, in use. Nothing in it was changed."""


class JournalBroken(JournalError):
    """The file cannot be read or written (disk full, read-only, input or output error). What was acknowledged is still in it."""


@contextmanager
def translated(path: Path | str, doing: str) -> Generator[None]:
    """Inside, what SQLite and the operating system raise becomes `JournalBroken`: `doing` says what did not work."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalBroken(f"the journal {path} cannot be {doing}: {_in_words(error)}") from error
    except OSError as error:
        raise JournalBroken(f"the journal {path} cannot be {doing}: {error.strerror or error}") from error


def _in_words(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", None)  # errors of Python's own making have none
    return str(error) if name is None else f"{error} ({name})"
