"""Times in a report: which part of a journal it is about, days, and the columns that curves are drawn in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from assembly.report.prices import Span

DAY_MILLISECONDS = 86_400_000
COLUMNS = 480
"""As many as a curve has: a page is hardly wider in what one can tell apart."""


def day_of(at: int) -> int:
    """The UTC day, counted from 1970."""
    return at // DAY_MILLISECONDS


def pieces(begin: int, end: int, spans: Sequence[Span]) -> Iterator[Span]:
    """What of a stretch of time is within spans that are in order and apart."""
    for its_begin, its_end in spans:
        if its_begin < end and begin < its_end:
            yield max(begin, its_begin), min(end, its_end)


def days(begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The days that a stretch of time touches, each with its part of it."""
    while begin < end:
        midnight = (day_of(begin) + 1) * DAY_MILLISECONDS
        yield day_of(begin), begin, min(end, midnight)
        begin = midnight


def joined(spans: Sequence[Span]) -> list[Span]:
    """The same time, in order, with no two spans that touch."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


class Columns(msgspec.Struct, frozen=True):
    """A stretch of time in `count` columns of one width: as many as a curve can show."""

    begin: int
    end: int
    count: int

    def of(self, at: int) -> int:
        """The column of a moment; those outside belong to the nearest."""
        width = max(1, self.end - self.begin)
        return min(self.count - 1, max(0, (at - self.begin) * self.count // width))

    def edge(self, column: int) -> int:
        """Where a column begins; that of `count` is the end."""
        return self.begin + (self.end - self.begin) * column // self.count
