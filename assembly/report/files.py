"""Files that are there whole or not at all: written beside their place under another name, and put there when they are done."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


class FileNotWritten(Exception):
    """A file could not be written; the message names it and says why and what to do. What was in its place is still there."""


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Write to the path that this gives. At the end of the block it takes the place of `path`; if the block raises, it is gone.

    Only its owner may read it, as the journal. Raises `FileNotWritten` where the operating system refuses, within the block too.
    """
    fresh: Path | None = None
    try:
        path = path.resolve()  # a link stays one
        if path.exists() and not _may_be_replaced(path):
            raise FileNotWritten(f"cannot write {path}: what is there is no plain file; name another place")
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        os.close(descriptor)
        fresh = Path(name)
        yield fresh
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(path)
        fresh = None
    except OSError as error:
        raise FileNotWritten(f"cannot write {path}: {error.strerror or error}; make room or name another place") from error
    finally:
        if fresh is not None:
            with suppress(OSError):
                fresh.unlink()


def _may_be_replaced(path: Path) -> bool:
    """Whether that is a plain file, and not where our own output goes: a pipe, a device or `/dev/stdout` would be gone."""
    found = path.stat()
    return stat.S_ISREG(found.st_mode) and not any(os.path.samestat(found, os.fstat(descriptor)) for descriptor in (1, 2))


def make_folder(path: Path) -> None:
    """The folder that files are to be put into.

    Raises:
        FileNotWritten: there is none and none can be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileNotWritten(f"cannot make the folder {path}: {error.strerror or error}; name another place") from error
