"""The live view on a terminal, by Rich's `Live`, drawn a few times a second; then the tables of the end in its place."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping

import trio
from rich.console import Console
from rich.live import Live
from rich.text import Text

from assembly.output import Outlet, Sink
from assembly.presenter.lifting import DEFAULT, HowToLift
from assembly.presenter.live_lines import Line
from assembly.presenter.live_state import LiveState
from assembly.presenter.live_view import draw
from assembly.presenter.report import RunReport
from assembly.presenter.statement import closing_text
from assembly.presenter.surroundings import Market, Surroundings
from market.clock import WallClock
from supervision.snapshot import Snapshot

REFRESH_INTERVAL_SECONDS = 0.25
_SIZE_UNKNOWN = os.terminal_size((80, 24))
_CLEAR_SCREEN = "\x1b[H\x1b[2J"


def terminal_size() -> os.terminal_size:
    """Columns and lines of the terminal at standard output."""
    try:
        size = os.get_terminal_size(1)
    except OSError:
        return _SIZE_UNKNOWN
    return size if size.columns and size.lines else _SIZE_UNKNOWN


class LivePresenter:
    """See `presenter.Presenter`. Events are folded into a picture at once, so none is dropped, and the picture is drawn by `run`.

    The cursor is hidden from `run` until `finish`, which must be called on every way out.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        color: bool,
        redact: Callable[[str], str],
        on_output_lost: Callable[[str], None],
        actors: Callable[[], Snapshot | None],
        book_max_age_seconds_by_exchange: Mapping[str, float],
        cycles_wanted: Mapping[str, int],
        markets: Mapping[str, Market],
        wall_clock: WallClock,
        lifting: HowToLift = DEFAULT,
        title: str,
        finish_deadline_seconds: float,
        size: Callable[[], os.terminal_size] = terminal_size,
    ) -> None:
        self._outlet = Outlet(sink, on_lost=on_output_lost)
        self._color = color
        self._redact = redact
        self._actors = actors
        self._book_max_age_seconds_by_exchange = book_max_age_seconds_by_exchange
        self._cycles_wanted = cycles_wanted
        self._markets = markets
        self._wall_clock = wall_clock
        self._lifting = lifting
        self._title = title
        self._finish_deadline_seconds = finish_deadline_seconds
        self._size = size
        self._state = LiveState(redact)
        self._started_at = 0.0
        self._drawn_size = size()
        self._drawing = io.StringIO()
        self._live: Live | None = None
        self._finished = False

    @property
    def is_live(self) -> bool:
        return True

    @property
    def dropped(self) -> int:
        return 0

    def event(self, time_milliseconds: int, event: object) -> None:
        self._state.fold(time_milliseconds, event)

    def set_log_level(self, log_level: str) -> None:
        """The picture is the same at every level; the lines of the log come by it."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._started_at = trio.current_time()
        task_status.started()
        while not self._finished:
            self._refresh()
            await self._outlet.write(self._take_drawing())
            await trio.sleep(REFRESH_INTERVAL_SECONDS)

    async def finish(self, report: RunReport) -> bool:
        self._finished = True
        if self._live is not None:
            self._live.stop()
        text = closing_text(report, self._state.memory, width=self._size().columns, color=self._color)
        with trio.move_on_after(self._finish_deadline_seconds, shield=True):
            await self._outlet.write(self._take_drawing() + self._redact(text))
            return not self._outlet.is_lost
        return False

    def _refresh(self) -> None:
        """Draw what is known into the buffer, over what was drawn before."""
        size = self._size()
        live = self._live if self._live is not None and size == self._drawn_size else self._begin(size)
        # One line is left for the cursor, or the terminal would scroll.
        lines = draw(self._state, self._surroundings(), width=size.columns, height=size.lines - 1)
        live.update(_text(lines), refresh=True)

    def _begin(self, size: os.terminal_size) -> Live:
        """Start afresh. A terminal that changed its size has moved what was drawn, so all of it is cleared."""
        if self._live is not None:
            self._live.stop()
            self._drawing.write(_CLEAR_SCREEN)
        console = Console(
            file=self._drawing,
            force_terminal=True,
            width=size.columns,
            height=size.lines,
            color_system="standard",
            no_color=not self._color,
            highlight=False,
            legacy_windows=False,
            _environ={},  # what the environment says was read at start-up
        )
        # Standard output and error are not redirected: nothing else writes there while the view is up.
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._live.start()
        self._drawn_size = size
        return self._live

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            title=self._title,
            now=trio.current_time(),
            now_milliseconds=self._wall_clock.milliseconds(),
            started_at=self._started_at,
            actors=self._actors(),
            book_max_age_seconds_by_exchange=self._book_max_age_seconds_by_exchange,
            cycles_wanted=self._cycles_wanted,
            markets=self._markets,
            lifting=self._lifting,
        )

    def _take_drawing(self) -> str:
        text = self._drawing.getvalue()
        self._drawing.seek(0)
        self._drawing.truncate()
        return text


def _text(lines: list[Line]) -> Text:
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for piece, style in line:
            text.append(piece, style or None)
    return text
