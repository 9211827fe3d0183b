"""Columns of text, cheap enough to be drawn four times a second beside trading (Rich's own tables are not)."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], alignment: str, *, gap: int = 2) -> list[str]:
    """The rows as lines in which each column is as wide as its widest cell. `alignment` has ``<`` or ``>`` per column."""
    widths = [max((len(row[number]) for row in rows), default=0) for number in range(len(alignment))]
    space = " " * gap
    return [space.join(f"{cell:{side}{width}}" for cell, side, width in zip(row, alignment, widths, strict=True)).rstrip() for row in rows]


def shorten(text: str, width: int) -> str:
    """`text`, ending in ``…`` where it does not fit."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
