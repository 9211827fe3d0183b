"""The way in: which presenter a run has, and what every presenter does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from assembly.arguments import OutputForm
from assembly.output import Sink
from assembly.presenter.lifting import DEFAULT, HowToLift
from assembly.presenter.report import RunReport
from assembly.presenter.stream import StreamPresenter, json_renderer, line_renderer
from assembly.presenter.surroundings import Market
from market.clock import WallClock
from supervision.snapshot import Snapshot


class Presenter(Protocol):
    """Shows events as they happen, and how the run ended."""

    @property
    def is_live(self) -> bool:
        """Whether it owns the terminal: then diagnostics must come as `LogLine` events, not on standard error."""
        ...

    @property
    def dropped(self) -> int:
        """How many events were not shown because the output did not keep up."""
        ...

    def event(self, time_milliseconds: int, event: object) -> None:
        """Show `event`, which happened at that wall time. Never waits, never raises; call it in Trio's thread only."""
        ...

    def set_log_level(self, log_level: str) -> None:
        """Tell from now on what this level tells."""
        ...

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled. What is not written by then, `finish` writes."""
        ...

    async def finish(self, report: RunReport) -> bool:
        """Write what is left and the end of the run, shielded from cancellation, within a deadline.

        Call it once, when no more events come; `run` may have ended or not. False: not all of it could be written.
        """
        ...


def open_presenter(
    form: OutputForm,
    *,
    sink: Sink,
    is_terminal: bool,
    environment: Mapping[str, str],
    log_level: str = "INFO",
    redact: Callable[[str], str] = str,
    on_output_lost: Callable[[str], None],
    actors: Callable[[], Snapshot | None],
    book_max_age_seconds_by_exchange: Mapping[str, float],
    cycles_wanted: Mapping[str, int],
    markets: Mapping[str, Market],
    wall_clock: WallClock,
    lifting: HowToLift = DEFAULT,
    title: str = "mm-runtime",
    finish_deadline_seconds: float = 2.0,
) -> Presenter:
    """The presenter for `form`, writing to `sink`.

    The live view is for terminals that can move the cursor; elsewhere, and with `form` LINES, there is a line per event.
    `redact` takes known secrets out of all text. `on_output_lost` is called once, with the reason, when nobody reads any
    more; the presenter then goes on without output. `actors` gives the supervision tree, `cycles_wanted` the number of
    cycles to run by cycle (0: until stopped), `markets` where each cycle trades, `lifting` what a person types to lift a trading
    state, and `title` the first words of the live view.
    """
    if form is OutputForm.AUTOMATIC and is_terminal and environment.get("TERM", "dumb") not in ("dumb", "unknown", ""):
        from assembly.presenter.live import LivePresenter  # Rich costs memory and time that the other forms need not pay

        return LivePresenter(
            sink,
            color=not environment.get("NO_COLOR"),
            redact=redact,
            on_output_lost=on_output_lost,
            actors=actors,
            book_max_age_seconds_by_exchange=book_max_age_seconds_by_exchange,
            cycles_wanted=cycles_wanted,
            markets=markets,
            wall_clock=wall_clock,
            lifting=lifting,
            title=title,
            finish_deadline_seconds=finish_deadline_seconds,
        )
    return StreamPresenter(
        sink,
        renderer=json_renderer if form is OutputForm.JSON else line_renderer,
        log_level=log_level,
        redact=redact,
        on_output_lost=on_output_lost,
        finish_deadline_seconds=finish_deadline_seconds,
        lifting=lifting,
    )
