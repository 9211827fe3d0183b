"""A file that grows no larger than it may: full, it is renamed, and a new one is begun."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from assembly.output import ThreadSink


class RotatingFileSink(ThreadSink):
    """A file that is renamed to ``name.1`` (and that to ``name.2``, up to `files_kept`) when it would outgrow `bytes_max`.

    It is opened for each write, so that a file that somebody has moved away or removed (logrotate, a person) is begun anew. Several
    processes may write the same file: what each writes at once stays together, and only one of them renames.
    """

    def __init__(self, path: Path, *, bytes_max: int, files_kept: int) -> None:
        super().__init__()
        self._path = path
        self._bytes_max = bytes_max
        self._files_kept = files_kept
        self._is_between_lines = True

    def write_some(self, data: bytes) -> int:
        descriptor = self._open()
        try:
            size = os.fstat(descriptor).st_size
            # The rest of a line that a full disk has cut goes where its beginning is.
            if size and size + len(data) > self._bytes_max and self._is_between_lines and self._rotate(descriptor):
                os.close(descriptor)
                descriptor = self._open()
            written = os.write(descriptor, data)
        finally:
            os.close(descriptor)
        self._is_between_lines = data[:written].endswith(b"\n")
        return written

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def _rotate(self, descriptor: int) -> bool:
        """Rename the open file, unless another process does it in this moment: then go on in the one that is open."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not self._is_open_at(descriptor):
            return True  # it was renamed before we had the lock, and there is a new one
        for number in range(self._files_kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        return True

    def _is_open_at(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
