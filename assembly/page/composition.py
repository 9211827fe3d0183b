"""What pages are sent: each section encoded once for all of them, and sent to each only if it is other than what that one has had.

Theory of operation. A composition is made only when a page asks, and no oftener than every `PUSH_INTERVAL_SECONDS`: all pages that ask
meanwhile share it. Each section has the number of the composition in which it changed last. A page remembers the number of the
composition that it was told of last, so that a slow one is told the newest of what it missed, and nothing is ever kept for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
import trio

from assembly.page.memory import Market, PageMemory
from assembly.page.picture import PagePicture, market_name
from assembly.page.protocol import HEARTBEAT_SECONDS, LOG_LINES_KEPT, PUSH_INTERVAL_SECONDS, VERSION, Log, Series
from assembly.page.series import SeriesRings
from assembly.page.words import line_shown

_SAME_MOMENT_SECONDS = PUSH_INTERVAL_SECONDS / 2


class _Section:
    """`changed_in` is the number of the composition since which it is so."""

    __slots__ = ("changed_in", "encoded")

    def __init__(self) -> None:
        self.encoded = b""
        self.changed_in = 0

    def take(self, encoded: bytes, number: int) -> None:
        if encoded != self.encoded:
            self.encoded, self.changed_in = encoded, number


class Composition:
    """One run's. `redact` takes secrets out of everything."""

    def __init__(self, picture: PagePicture, memory: PageMemory, series: SeriesRings, *, redact: Callable[[str], str]) -> None:
        self._picture = picture
        self._memory = memory
        self._redact = redact
        self._sources: dict[str, Callable[[], object]] = {
            "program": picture.program,
            "tree": picture.tree,
            "states": picture.states,
            "across": picture.across,
            "orders": picture.orders,
            "fills": picture.fills,
            "accounts": picture.accounts,
            "cycles": picture.cycles,
            "latencies": picture.latencies,
        }
        self._sections = {name: _Section() for name in self._sources}
        self._books: dict[Market, _Section] = {}
        self._encoder = msgspec.json.Encoder()
        self._composed_at = float("-inf")
        self._stopping: str = ""
        self._worded_until = 0
        self.lines_count = 0
        """How many lines there ever were, those counted that came faster than they could be put into words."""
        self.series = series
        self.number = 0
        self.now_milliseconds = 0
        self.lines: deque[msgspec.Raw] = deque(maxlen=LOG_LINES_KEPT)
        """The newest of them."""

    async def wait_next_look(self) -> None:
        """All pages look at the same moments, so that one composition does for all of them; and at once when the run begins to stop."""
        next_look = (trio.current_time() // PUSH_INTERVAL_SECONDS + 1) * PUSH_INTERVAL_SECONDS
        if self._memory.stopping:
            await trio.sleep_until(next_look)
        else:
            with trio.move_on_at(next_look):
                await self._memory.stops.wait()

    @property
    def running_seconds(self) -> float:
        return self._picture.running_seconds

    def refresh(self) -> None:
        """Look anew, unless somebody just has."""
        now, stopping = trio.current_time(), self._memory.stopping
        if now - self._composed_at < _SAME_MOMENT_SECONDS and stopping == self._stopping:
            return
        self._composed_at, self._stopping = now, stopping
        self.number += 1
        self.now_milliseconds = self._picture.now_milliseconds()
        for name, source in self._sources.items():
            self._sections[name].take(self._encode(source()), self.number)
        for market, book in self._picture.books().items():
            self._books.setdefault(market, _Section()).take(self._encode(book), self.number)
        self._put_into_words()

    def sections_since(self, number: int) -> dict[str, object]:
        """Those that changed after the composition of that number."""
        found: dict[str, object] = {name: msgspec.Raw(each.encoded) for name, each in self._sections.items() if each.changed_in > number}
        books = {market_name(market): msgspec.Raw(each.encoded) for market, each in self._books.items() if each.changed_in > number}
        return {**found, "books": books} if books or not number else found

    def _encode(self, value: object) -> bytes:
        return self._redact(self._encoder.encode(value).decode()).encode()

    def _put_into_words(self) -> None:
        """Events that came since the last look."""
        memory = self._memory
        if memory.logged_count == self._worded_until:
            return
        first = memory.logged_count - len(memory.log) + 1
        self.lines_count += max(0, first - self._worded_until - 1)
        for sequence, said in enumerate(memory.log, first):
            if sequence > self._worded_until:
                line = line_shown(sequence, said)
                if line is not None:
                    self.lines_count += 1
                    self.lines.append(msgspec.Raw(self._encode(line)))
        self._worded_until = memory.logged_count


class PageView:
    """What one page has had."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._pushes = 0
        self._told = 0
        self._told_at = float("-inf")
        self._lines_told = 0
        self._points_told: dict[str, int] = {}

    def next(self) -> str | None:
        """The next push; None if there is nothing to say yet."""
        composition = self._composition
        composition.refresh()
        changed = composition.sections_since(self._told)
        series, log = self._series(), self._log()
        now = trio.current_time()
        if not changed and not series and log is None and now - self._told_at < HEARTBEAT_SECONDS:
            return None
        is_first = not self._pushes
        self._pushes += 1
        self._told, self._told_at = composition.number, now
        push: dict[str, object] = {
            "version": VERSION,
            "number": self._pushes,
            "now_milliseconds": composition.now_milliseconds,
            "running_seconds": composition.running_seconds,
            **({"whole": True} if is_first else {}),
            **changed,
            **({"series": series} if series or is_first else {}),
            **({"log": log} if log is not None else {"log": Log(missed=0, lines=())} if is_first else {}),
        }
        return msgspec.json.encode(push).decode()

    def _series(self) -> dict[str, Series]:
        found: dict[str, Series] = {}
        for ring in self._composition.series:
            told = self._points_told.get(ring.key, 0)
            if ring.count > told or not self._pushes:
                found[ring.key] = Series(of=ring.of, name=ring.name, unit=ring.unit, points=ring.after(told))
                self._points_told[ring.key] = ring.count
        return found

    def _log(self) -> dict[str, object] | None:
        composition = self._composition
        new = composition.lines_count - self._lines_told
        if not new:
            return None
        self._lines_told = composition.lines_count
        lines = list(composition.lines)[-new:]
        # Of what was before it a page misses nothing.
        return {"missed": new - len(lines) if self._pushes else 0, "lines": lines}
