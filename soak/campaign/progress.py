"""How far a campaign is: a bar where there is a terminal, else a line now and then, on standard error."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from soak.campaign.arguments import Arguments
from soak.outcome import Outcome, Verdict

LINE_SECONDS = 30.0


class CampaignProgress:
    """Counts seeds that are done, and the virtual time of all. Used as a context manager; what it has drawn is gone afterwards."""

    def __init__(self, arguments: Arguments, console: Console) -> None:
        self._seeds = len(arguments.seeds)
        self._hours = arguments.hours
        self._console = console
        self._done = self._bad = 0
        self._hours_done = 0.0
        self._hours_under_way: dict[int, float] = {}
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True, speed_estimate_period=300.0)
        self._task = self._bar.add_task(self._words, total=self._seeds * self._hours)
        self._line_at = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    @property
    def console(self) -> Console:
        """Where to print beside the bar."""
        return self._bar.console

    def tell(self, seed: int, virtual_seconds: float) -> None:
        """So much of a seed has passed."""
        self._hours_under_way[seed] = virtual_seconds / 3600
        self._show()

    def add(self, outcome: Outcome) -> None:
        """A seed is done."""
        self._hours_under_way.pop(outcome.seed, None)
        self._hours_done += outcome.virtual_seconds / 3600
        self._done += 1
        self._bad += outcome.verdict is not Verdict.FINE
        self._show()

    @property
    def _words(self) -> str:
        hours = self._hours_done + sum(self._hours_under_way.values())
        return f"{self._done} of {self._seeds} seeds, {hours:.1f} virtual hours, {self._bad} bad"

    def _show(self) -> None:
        # A world lives somewhat longer than its hours, for its last spell and its end.
        passed = self._done * self._hours + sum(min(hours, self._hours) for hours in self._hours_under_way.values())
        self._bar.update(self._task, completed=passed, description=self._words)
        if not self._console.is_terminal and time.monotonic() - self._line_at > LINE_SECONDS:
            self._line_at = time.monotonic()
            self._console.print(self._words, highlight=False)
