"""What the live view is made of: styled lines, tables that leave columns out where they do not fit, and sections that say what they
leave out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from assembly.presenter.tables import shorten

Piece = tuple[str, str]  # text and its Rich style
Line = list[Piece]
Cell = str | Piece

TITLE, GOOD, WARNED, BAD, DIM, PLAIN = "bold cyan", "green", "yellow", "bold red", "dim", ""
GAP = "  "
NOTE_WIDTH = 5  # behind a section's title, for `` +12`` at least


class Column(msgspec.Struct, frozen=True):
    """A column of a table, its side ``<``, ``>`` or ``.``: numbers, whose points stand below each other where there is room for that.

    Where columns do not all fit, those of the highest rank go first; one of rank 0 never goes.
    """

    heading: str
    side: str = "<"
    rank: int = 0


class Section(msgspec.Struct, kw_only=True):
    """A heading and what is under it, each item of one or more lines, most important first.

    `noun` names one item and several, for where there is no room for any; `least` is the number of lines that it should have before
    others get more. With `shows_newest` it is the end that is kept, and what came before is nothing that is missing.
    """

    heading: Line
    items: list[list[Line]]
    noun: tuple[str, str]
    least: int = 2
    shows_newest: bool = False

    @property
    def height(self) -> int:
        """Lines that all of it takes."""
        return 1 + sum(len(item) for item in self.items)

    @property
    def counted(self) -> str:
        """How many items there are, in words; empty for none."""
        return f"{len(self.items)} {self.noun[len(self.items) != 1]}" if self.items else ""

    def lines(self, room: int) -> list[Line]:
        """At most `room` lines; the heading says how many items are not among them."""
        if room <= 0:
            return []
        shown: list[Line] = []
        items = list(reversed(self.items)) if self.shows_newest else self.items
        taken = 0
        for item in items:
            if 1 + len(shown) + len(item) > room:
                break
            shown = [*item, *shown] if self.shows_newest else [*shown, *item]
            taken += 1
        heading = self.heading
        if taken < len(self.items) and not self.shows_newest:
            heading = _with_note(heading, len(self.items) - taken)
        return [heading, *shown]


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> tuple[Line, list[Line]]:
    """The heading and the rows, as many columns of them as `width` has room for."""
    found = [[(cell, PLAIN) if isinstance(cell, str) else cell for cell in row] for row in rows]
    plain = [[row[number] for row in found] for number in range(len(columns))]
    pointed = [_pointed(cells) if column.side == "." else cells for column, cells in zip(columns, plain, strict=True)]
    shown = list(range(len(columns)))
    while True:
        cells = pointed
        widths = _widths(columns, cells)
        if _taken(widths, shown) > width:
            cells = plain
            widths = _widths(columns, cells)
        rank = max(columns[number].rank for number in shown)
        if _taken(widths, shown) <= width or not rank:
            break
        shown = [number for number in shown if columns[number].rank != rank]

    def line(of: Sequence[Piece]) -> Line:
        pieces: Line = []
        for (text, style), number in zip(of, shown, strict=True):
            side = "<" if columns[number].side == "<" else ">"
            pieces.append((f"{text:{side}{widths[number]}}{GAP if number != shown[-1] else ''}", style))
        return pieces

    heading = line([(columns[number].heading, DIM if number else TITLE) for number in shown])
    return heading, [line([cells[number][index] for number in shown]) for index in range(len(found))]


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Piece]]) -> list[int]:
    return [
        max(len(column.heading) + (0 if number else NOTE_WIDTH), *(len(text) for text, _ in cells[number]), 0)
        for number, column in enumerate(columns)
    ]


def _taken(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[number] for number in shown) + len(GAP) * (len(shown) - 1)


def _pointed(cells: Sequence[Piece]) -> list[Piece]:
    """Numbers with as much room behind their points as the longest needs."""
    behind = [len(text) - text.index(".") if "." in text else 0 for text, _ in cells]
    longest = max(behind, default=0)
    return [
        (f"{text}{' ' * (longest - own)}" if any(map(str.isdigit, text)) else text, style)
        for (text, style), own in zip(cells, behind, strict=True)
    ]


def fitted(line: Line, width: int) -> Line:
    """`line`, ending in ``…`` where it does not fit."""
    if sum(len(text) for text, _ in line) <= width or "".join(text for text, _ in line).rstrip() == "":
        return line
    if sum(len(text) for text, _ in line) - _trailing_spaces(line) <= width:
        return _cut(line, width)
    return [*_cut(line, width - 1), ("…", DIM)] if width > 0 else []


def wrapped(pieces: Line, width: int, *, indent: str = "") -> list[Line]:
    """One line broken where a piece begins with two spaces; what comes after the first line is indented."""
    lines: list[Line] = [[]]
    used = 0
    for number, (text, style) in enumerate(pieces):
        if text.startswith(GAP):
            rest = pieces[number + 1 :]
            unit = next((index for index, (piece, _) in enumerate(rest) if piece.startswith(GAP)), len(rest))
            if used and used + len(text) + sum(len(piece) for piece, _ in rest[:unit]) > width:
                lines.append([])
                text = indent + text[len(GAP) :]
                used = 0
        lines[-1].append((text, style))
        used += len(text)
    return lines


def age(seconds: float) -> str:
    """``0.3 s``, ``45 s``, ``12 min``, ``3 h``, ``2 d``: six characters at most."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def cut_name(name: str, length: int) -> str:
    """A name that is no longer than a column may be."""
    return shorten(name, length)


def _with_note(heading: Line, left_out: int) -> Line:
    """How many are left out, behind the title, in the room that the first column leaves."""
    (title, style), *rest = heading
    name, room = title.rstrip(), len(title)
    if not rest:
        return [(f"{name}{GAP}", style), (f"and {left_out} more", WARNED)]
    note = f" and {left_out} more"
    if len(name) + len(note) >= room:
        note = f" +{left_out}"
    return [(name, style), (f"{note:<{room - len(name)}}", WARNED), *rest]


def _trailing_spaces(line: Line) -> int:
    text = "".join(text for text, _ in line)
    return len(text) - len(text.rstrip())


def _cut(line: Line, width: int) -> Line:
    pieces: Line = []
    for text, style in line:
        if width <= 0:
            break
        pieces.append((text[:width], style))
        width -= len(text)
    return pieces
