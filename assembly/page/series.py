"""Lines to draw: profit and inventory of each cycle and the middle of each market, sampled once a second into bounded rings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal

from assembly.page.protocol import POINTS_KEPT, Point


class Ring:
    """The newest points of one line."""

    def __init__(self, of: str, name: str, unit: str, read: Callable[[], Decimal | float | None]) -> None:
        self.of = of
        self.name = name
        self.unit = unit
        self._read = read
        self._points: deque[Point] = deque(maxlen=POINTS_KEPT)
        self.count = 0
        """How many points there ever were."""

    @property
    def key(self) -> str:
        return f"{self.of} {self.name}"

    def sample(self, now_milliseconds: int) -> None:
        value = self._read()
        self._points.append((now_milliseconds, None if value is None else float(value)))
        self.count += 1

    def after(self, count: int) -> tuple[Point, ...]:
        """Those kept that came after the first `count`."""
        new = self.count - count
        return tuple(self._points) if new >= len(self._points) else tuple(list(self._points)[len(self._points) - new :])


class SeriesRings:
    """All lines of a run. They outlive the page's server."""

    def __init__(self) -> None:
        self._rings: list[Ring] = []

    def __iter__(self) -> Iterator[Ring]:
        return iter(self._rings)

    def add(self, of: str, name: str, unit: str, read: Callable[[], Decimal | float | None]) -> None:
        """A line more; `read` tells the value of now, None while it is not known."""
        self._rings.append(Ring(of, name, unit, read))

    def sample(self, now_milliseconds: int) -> None:
        """One more point on each line."""
        for ring in self._rings:
            ring.sample(now_milliseconds)
