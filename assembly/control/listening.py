"""The listening end of the control socket, which outlives its server: bound before the run begins, closed after it.

Theory of operation. Whoever holds the lock beside the socket listens there; the system gives the lock up when its process dies,
however. So a socket file under a free lock was left behind, and is replaced. The socket can be opened by its owner alone, and
whoever can connect may do all that there is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from assembly.control.place import ControlUnavailable, check_length, lock_path, process_at

# Who connects while the server is busy or being restarted waits here; a client gives up by itself.
BACKLOG = 16


class ControlSocket:
    """A bound socket, for one process at a time. Leaving its `with` block removes it."""

    def __init__(self, path: Path) -> None:
        """Bind it. Call it while the process has one thread: the umask is the process's.

        Raises:
            ControlUnavailable: another process listens there, or nothing can.
        """
        check_length(path)
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _cannot_be(path, error) from error
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._take_lock()
            _remove_left_behind(path)
            self._bind()
        except OSError as error:
            self._abandon()
            raise _cannot_be(path, error) from error
        except BaseException:
            self._abandon()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.path.unlink(missing_ok=True)  # before the lock is given up: after it, it may be somebody else's
        self._abandon()

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise ControlUnavailable(
                f"{self.path} belongs to {process_at(self.path)}, which is running: stop that one, "
                "or give each settings file a runtime.control_socket of its own"
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _bind(self) -> None:
        before = os.umask(0o177)
        try:
            self.listener.bind(os.fspath(self.path))
        finally:
            os.umask(before)
        self.listener.listen(BACKLOG)

    def _abandon(self) -> None:
        self.listener.close()
        os.close(self._lock)


def _remove_left_behind(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlUnavailable(f"{path} is there and is no socket: move it away, or name another runtime.control_socket")
    path.unlink()


def _cannot_be(path: Path, error: OSError) -> ControlUnavailable:
    return ControlUnavailable(
        f'the control socket {path} cannot be made: {error.strerror or error}; name another runtime.control_socket, or "" for none'
    )
