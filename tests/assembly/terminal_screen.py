"""As much of a terminal as the live view uses: what a person would see."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])")


class Screen:
    """Feed it what is written; `lines` is what stands there, `cursor_shown` whether there is a cursor."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._cells: list[list[str]] = [[" "] * width]
        self._row = self._column = 0
        self.cursor_shown = True
        self.unknown: list[str] = []

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    def feed(self, text: str) -> None:
        position = 0
        while position < len(text):
            escape = _ESCAPE.match(text, position)
            if escape is not None:
                self._obey(escape)
                position = escape.end()
                continue
            self._put(text[position])
            position += 1

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._row, self._column = self._row + 1, 0
        else:
            if self._column == self._width:
                self._row, self._column = self._row + 1, 0
            self._grow()
            self._cells[self._row][self._column] = character
            self._column += 1
        self._grow()

    def _obey(self, escape: re.Match[str]) -> None:
        private, numbers, letter = escape.groups()
        match letter:
            case "m":
                pass
            case "A":
                self._row = max(0, self._row - int(numbers or 1))
            case "K" if numbers == "2":
                self._cells[self._row] = [" "] * self._width
            case "H":
                self._row = self._column = 0
            case "J" if numbers == "2":
                self._cells = [[" "] * self._width]
            case "h" | "l" if private and numbers == "25":
                self.cursor_shown = letter == "h"
            case _:
                self.unknown.append(escape.group())

    def _grow(self) -> None:
        while len(self._cells) <= self._row:
            self._cells.append([" "] * self._width)
