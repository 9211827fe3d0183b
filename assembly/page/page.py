"""The page of one run: what of it outlives its server, and how an incarnation of that is made."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

import trio

from assembly.control.picture import RunPicture
from assembly.control.protocol import Answer, Request
from assembly.metrics.collector import RunMetrics
from assembly.metrics.health import RunHealth
from assembly.page.application import PageApplication
from assembly.page.assets import load_assets
from assembly.page.composition import Composition
from assembly.page.events import PageOpened, PageUnavailable
from assembly.page.guard import Guard, TokenDesk
from assembly.page.memory import PageMemory
from assembly.page.picture import PagePicture
from assembly.page.place import PagePlace
from assembly.page.protocol import SERIES_INTERVAL_SECONDS
from assembly.page.series import SeriesRings
from assembly.page.server import PageServer
from assembly.page.telemetry import Telemetry
from assembly.presenter.lifting import HowToLift
from assembly.settings import PageSettings, Settings
from assembly.tree import Tree
from market.clock import WallClock
from supervision.child import ChildContext

AGAIN_SECONDS = 15.0
_WHAT_TO_DO = {
    errno.EADDRINUSE: "If another run has it, give this one a page.listen of its own (port 0 is any that is free)",
    errno.EADDRNOTAVAIL: "It is no address of this machine: give page.listen one that is",
    errno.EACCES: "A port below 1024 is not for everybody: give page.listen a higher one",
}


class Page:
    """`note` takes in every event of the run; `run` is an incarnation of the server. `report` takes what the page itself has to tell."""

    def __init__(
        self,
        settings: Settings,
        place: PagePlace,
        tree: Tree,
        *,
        run_picture: RunPicture,
        carry_out: Callable[[Request], Awaitable[Answer]],
        lifting: HowToLift,
        metrics: RunMetrics,
        health: RunHealth,
        keeps_states: bool,
        wall_clock: WallClock,
        redact: Callable[[str], str],
        report: Callable[[object], None],
    ) -> None:
        self._place = place
        self._wall_clock = wall_clock
        self._report = report
        self._port = place.port
        self._token = settings.page_token
        self.memory = PageMemory(wall_clock)
        self.series = SeriesRings()
        picture = PagePicture(
            tree,
            self.memory,
            run_picture=run_picture,
            lifting=lifting,
            wall_clock=wall_clock,
            can_control=self._token is not None,
            keeps_states=keeps_states,
        )
        picture.fill_series(self.series)
        credential = (settings.page or PageSettings()).credential
        self.composition = Composition(picture, self.memory, self.series, redact=redact)
        self.application = PageApplication(
            self.composition,
            load_assets(),
            run=picture.run,
            tokens=None if self._token is None else TokenDesk(self._token),
            how_to_control=f"start the run with a token in the environment's {credential}_TOKEN to act from here",
            carry_out=carry_out,
            redact=redact,
            others=Telemetry(metrics, health).routes(),
        )
        self._guarded = Guard(self.application.routes(), place)
        self.note = self.memory.note

    async def run(self, context: ChildContext) -> None:
        """An incarnation, until cancelled."""
        await PageServer(self._guarded, open_listeners=self._open_listeners, meanwhile=self._while_open).run(context)

    async def _open_listeners(self) -> list[trio.SocketListener]:
        """As soon as the address is free: another run may have it that is just ending."""
        has_told = False
        while True:
            try:
                return await trio.open_tcp_listeners(self._port, host=self._place.address)
            except OSError as error:
                if not has_told:
                    self._report(PageUnavailable(f"{self._place.address}:{self._port}", _why(error)))
                has_told = True
                await trio.sleep(AGAIN_SECONDS)

    async def _while_open(self, port: int) -> None:
        """The lines go on whether anybody looks or not: who opens the page sees how it came to this."""
        self._port = port  # the same again after a crash, for whoever has it open
        self._report(PageOpened(self._place.url(port), can_control=self._token is not None))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.application.wait_defect)
            while True:
                self.series.sample(self._wall_clock.milliseconds())
                await trio.sleep(SERIES_INTERVAL_SECONDS)


def _why(error: OSError) -> str:
    reason = error.strerror or (str(error.__cause__) if error.__cause__ is not None else str(error))
    what_to_do = _WHAT_TO_DO.get(error.errno or 0, "See page.listen")
    return f"{reason}; it is tried again every {AGAIN_SECONDS:g} s. {what_to_do}"
