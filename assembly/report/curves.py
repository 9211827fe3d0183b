"""Curves of any number of points, kept as the least, the greatest and the last of each column that can be seen."""

from __future__ import annotations

from math import inf

from assembly.report.spans import Columns


class Curve:
    """Values over time, added in the order of time. A value holds until the next one: a column without any has the last before it."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.low = [inf] * columns.count
        self.high = [-inf] * columns.count
        self.last = [inf] * columns.count

    def add(self, at: int, value: float) -> None:
        """The value at a moment. Those before the columns count as their beginning."""
        if at <= self.columns.end:
            self.add_range(self.columns.of(at), value, value, value)

    def add_range(self, column: int, low: float, high: float, last: float) -> None:
        """Values within one column."""
        if low < self.low[column]:
            self.low[column] = low
        if high > self.high[column]:
            self.high[column] = high
        self.last[column] = last

    def filled(self) -> list[tuple[float, float, float] | None]:
        """Least, greatest and last of each column, the value that a column begins with among them; None before the first."""
        found: list[tuple[float, float, float] | None] = []
        before: float | None = None
        for low, high, last in zip(self.low, self.high, self.last, strict=True):
            if last == inf:
                found.append(None if before is None else (before, before, before))
                continue
            found.append((low, high, last) if before is None else (min(low, before), max(high, before), last))
            before = last
        return found
