"""The program on a terminal of its own: what a person sees, and keys that a person presses."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from processes import PATIENCE_SECONDS, Program

from tests.assembly.terminal_screen import Screen

CTRL_C = b"\x03"
_ESCAPE = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


class ProgramOnTerminal:
    """`mm-runtime` on a new terminal, which its Ctrl-C comes from too. `stderr` may be something else."""

    def __init__(
        self,
        *arguments: str | Path,
        columns: int = 80,
        lines: int = 24,
        environment: dict[str, str] | None = None,
        stderr: IO[bytes] | None = None,
    ) -> None:
        self.columns = columns
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.attributes_at_start = self.attributes()
        self._written = b""
        self._changed = threading.Condition()
        self.program = Program(
            *arguments,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=stderr or self._theirs,
            before=["setsid", "--ctty", "--wait"],
            environment={"TERM": "xterm-256color", **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.program.__exit__(kind, error, trace)
        os.close(self._theirs)
        self._reader.join(PATIENCE_SECONDS)
        os.close(self._ours)
        if isinstance(error, Exception):
            error.add_note("the screen at the end:\n" + "\n".join(self.screen().lines))

    def attributes(self) -> list[Any]:
        """How the terminal treats what is typed and written, as `termios` has it."""
        return termios.tcgetattr(self._theirs)

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def text(self) -> str:
        """All that was written so far, without escape sequences."""
        return _ESCAPE.sub("", self._raw())

    def screen(self) -> Screen:
        """What stands on the terminal now, and what has scrolled away above it."""
        screen = Screen(self.columns)
        screen.feed(self._raw())
        return screen

    def wait_screen(self, shows: Callable[[str], bool], *, within_seconds: float = PATIENCE_SECONDS) -> str:
        """The first screen, as text, that shows something."""
        give_up_at = time.monotonic() + within_seconds
        with self._changed:
            while not shows(text := "\n".join(self.screen().lines)):
                left = give_up_at - time.monotonic()
                assert left > 0, f"it was not shown within {within_seconds:g} s; the screen:\n{text}"
                assert self.program.popen.poll() is None, f"it has ended; the screen:\n{text}"
                self._changed.wait(min(left, 1.0))
        return text

    def wait_exit(self, within_seconds: float = PATIENCE_SECONDS) -> int:
        return self.program.wait_exit(within_seconds)

    def wait_written(self, text: str) -> None:
        """Wait until something was written: an exit may be seen before the last words have come through the terminal."""
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.text, PATIENCE_SECONDS), self.text[-2000:]

    def _raw(self) -> str:
        with self._changed:
            return self._written.decode(errors="replace")

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # the other side is closed
                return
            with self._changed:
                self._written += data
                self._changed.notify_all()
