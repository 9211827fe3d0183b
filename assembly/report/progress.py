"""What a long report tells of itself meanwhile, on standard error."""

from __future__ import annotations

from collections.abc import Callable

LONG = 100_000
"""So many rows are read without a word: it takes about a second."""


class Progress:
    """Told of every part that was read, it says so now and then: on a terminal in one line that it takes away again."""

    def __init__(self, write: Callable[[str], object], *, is_terminal: bool) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._told: dict[str, int] = {}
        self._has_line = False

    def told(self, what: str, done: int, of: int) -> None:
        """So many rows of a table are read, of about so many; 0 where nobody knows."""
        if done < self._told.get(what, 0):
            self._told[what] = 0  # it is read again
        if done - self._told.get(what, 0) < LONG:
            return
        self._told[what] = done
        text = f"mm-report: read {done:,}{f' of {of:,}' if of else ''} {what.replace('_', ' ')}"
        self._write(f"\r\x1b[K{text}" if self._is_terminal else f"{text}\n")
        self._has_line = self._is_terminal

    def end(self) -> None:
        """Take the line away."""
        if self._has_line:
            self._write("\r\x1b[K")
            self._has_line = False
