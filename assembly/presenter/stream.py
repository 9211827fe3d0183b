"""One line per event, for people or as JSON: what standard output holds when it is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import trio

from actors.cycle.quoting.risk import RiskMeasured
from assembly.output import Pump, Sink
from assembly.presenter.cycle_memory import CycleMemory, Event
from assembly.presenter.ending import stopped_fields
from assembly.presenter.lifting import DEFAULT, HowToLift
from assembly.presenter.phrases import line
from assembly.presenter.report import RunReport
from assembly.presenter.statement import closing_text
from assembly.presenter.times import Interval, iso_time
from assembly.presenter.vocabulary import (
    LEVELS_OF_QUIET,
    QUIET_KINDS,
    RISK_INTERVAL_MILLISECONDS,
    Fields,
    Told,
    statement_fields,
    tell,
)
from market.events import BookChanged
from market.symbol import Symbol
from orders.reconciliation import CycleReconciled
from orders.states import StateEntered, StateRecovered, TradingState

BOOK_TOP_INTERVAL_MILLISECONDS = 1000


class Renderer(Protocol):
    """How lines look."""

    def event(self, time_milliseconds: int, told: Told) -> str:
        """One line with its line break."""
        ...

    def end(self, report: RunReport, memory: CycleMemory) -> str:
        """The end of the run."""
        ...


class LineRenderer:
    """For people."""

    def event(self, time_milliseconds: int, told: Told) -> str:
        return f"{line(time_milliseconds, told)}\n"

    def end(self, report: RunReport, memory: CycleMemory) -> str:
        return closing_text(report, memory, width=None, color=False)


class JsonRenderer:
    """For programs: an object per line, `event` and `time` first."""

    def event(self, time_milliseconds: int, told: Told) -> str:
        found = {"event": told.name, "time": iso_time(time_milliseconds), **told.fields}
        return f"{msgspec.json.encode(found).decode()}\n"

    def end(self, report: RunReport, memory: CycleMemory) -> str:
        now = report.time_milliseconds
        lines = [self.event(time, told) for time, event in memory.untold if (told := tell(event)) is not None]
        lines += [
            self.event(now, Told("order_statement", statement_fields(account, order)))
            for account, orders in report.orders.items()
            for order in orders
        ]
        stopped: Fields = {**stopped_fields(report), "cycles_reconciled": memory.count}
        return "".join(lines) + self.event(now, Told("stopped", stopped))


line_renderer = LineRenderer()
json_renderer = JsonRenderer()


class StreamPresenter:
    """See `presenter.Presenter`. Book tops are told at most once a second for each market, and how a quoting cycle stands once in ten
    seconds, unless quiet events are told."""

    def __init__(
        self,
        sink: Sink,
        *,
        renderer: Renderer,
        log_level: str,
        redact: Callable[[str], str],
        on_output_lost: Callable[[str], None],
        finish_deadline_seconds: float,
        capacity: int = 4096,
        lifting: HowToLift = DEFAULT,
    ) -> None:
        self._lifting = lifting
        self._renderer = renderer
        self._tells_quiet = log_level in LEVELS_OF_QUIET
        self._redact = redact
        self._finish_deadline_seconds = finish_deadline_seconds
        self._pump: Pump[Event] = Pump(sink, render=self._render, on_lost=on_output_lost, capacity=capacity)
        self._books_told = Interval[tuple[str, Symbol]](BOOK_TOP_INTERVAL_MILLISECONDS)
        self._risks_told = Interval[str](RISK_INTERVAL_MILLISECONDS)
        self._cycles = CycleMemory()

    @property
    def is_live(self) -> bool:
        return False

    @property
    def dropped(self) -> int:
        return self._pump.dropped

    def event(self, time_milliseconds: int, event: object) -> None:
        kind = type(event)
        if kind in QUIET_KINDS and not self._tells_quiet:
            return
        if isinstance(event, BookChanged):
            if not self._tells_quiet and not self._books_told.is_over((event.exchange, event.symbol), time_milliseconds):
                return
        elif isinstance(event, RiskMeasured):
            self._cycles.risks[event.cycle] = event
            if not self._tells_quiet and not self._risks_told.is_over(event.cycle, time_milliseconds):
                return
        elif isinstance(event, CycleReconciled):
            self._cycles.remember(time_milliseconds, event)
        self._pump.put((time_milliseconds, event))

    def set_log_level(self, log_level: str) -> None:
        self._tells_quiet = log_level in LEVELS_OF_QUIET

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await self._pump.run(task_status=task_status)

    async def finish(self, report: RunReport) -> bool:
        return await self._pump.finish(
            lambda: self._redact(self._renderer.end(report, self._cycles)), deadline_seconds=self._finish_deadline_seconds
        )

    def _render(self, items: Sequence[Event], dropped: int) -> str:
        lines: list[str] = []
        if dropped:
            lines.append(self._renderer.event(items[0][0], Told("output_dropped", {"count": dropped})))
        for time, event in items:
            told = self._tell(event)
            if told is not None and (self._tells_quiet or not told.quiet):
                lines.append(self._renderer.event(time, told))
            if type(event) is CycleReconciled:
                self._cycles.mark_told(event)
        return self._redact("".join(lines))

    def _tell(self, event: object) -> Told | None:
        """As `tell`, and of a state that somebody has to lift how that is done in this run."""
        told = tell(event)
        if told is not None and isinstance(event, StateEntered | StateRecovered) and event.state is not TradingState.RUN:
            return Told(told.name, {**told.fields, "lifted_by": self._lifting.command(event.scope, event.state)})
        return told
