"""The common frame of the simulated exchanges: market, faults, clock and control behind one port."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio
from starlette.applications import Starlette

from market.symbol import Symbol
from simulated.control import FlowGate, VenueControl
from simulated.exchange import SimulatedExchange
from simulated.faults import Faults
from simulated.flow import MarketDriver, SyntheticFlow
from simulated.rate_limits import RateLimits
from simulated.recording import Recording
from simulated.replay import Replay
from simulated.serving import Connections, serve_app
from simulated.settings import AccountSettings
from simulated.venue import Venue

Service = Callable[..., Awaitable[Any]]
"""A task of the server; it accepts `task_status` and says when it has started."""


class SimulatedServer(SimulatedExchange):
    """A `SimulatedExchange` but for its protocol: subclasses make the application and the URLs.

    The market is moved by the synthetic flow, or by `recording` when one is given. `rng` decides everything random.
    """

    def __init__(self, venue: Venue, faults: Faults, limits: RateLimits, *, rng: random.Random, recording: Recording | None) -> None:
        self.settings = venue.settings
        self.connections = Connections()
        self._state = venue
        self._faults = faults
        self._limits = limits
        self._flow_gate = FlowGate()
        self._driver: MarketDriver | None = None
        settings = venue.settings
        if recording is not None:
            self._driver = Replay(recording, venue.engine, settings.markets, rng, speed=settings.replay_speed)
        elif settings.flow:
            self._driver = SyntheticFlow(venue.engine, settings.markets, rng)

    def serve_with(
        self,
        app: Starlette,
        services: tuple[Service, ...],
        *,
        inject_crossed_update: Callable[[Symbol], None],
        announce_shutdown: Callable[[], None],
    ) -> None:
        """Say what `run` serves and which tasks it needs besides. Call it once, while being made."""
        self._app = app
        self._services = services
        self.control = VenueControl(
            engine=self._state.engine,
            driver=self._driver,
            faults=self._faults,
            limits=self._limits,
            clock=self._state.clock,
            flow_gate=self._flow_gate,
            snapshots=self._state.snapshots,
            main_account=self.settings.accounts[0].name,
            disconnect=self.connections.abort_all,
            restart=self._restart,
            inject_crossed_update=inject_crossed_update,
            announce_shutdown=announce_shutdown,
        )

    @property
    def credential(self) -> AccountSettings:
        """The first account; its key is made up."""
        return self.settings.accounts[0]

    async def run(self, host: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; see `SimulatedExchange.run`.

        Raises:
            OSError: the address cannot be bound.
        """
        async with trio.open_nursery() as nursery:
            for service in self._services:
                await nursery.start(service)
            if self._driver is not None:
                self._driver.warm_up(self._state.now())
                nursery.start_soon(self._drive, self._driver)
            serve = partial(
                serve_app,
                self._app,
                connections=self.connections,
                ping_interval_seconds=self.settings.ping_interval_seconds,
            )
            task_status.started(await nursery.start(serve, host, port))

    async def _drive(self, driver: MarketDriver) -> None:
        while True:
            delay_seconds = driver.delay_seconds(self._state.now())
            if delay_seconds is None:
                return
            await trio.sleep(delay_seconds)
            if not self._flow_gate.is_open:  # it has just slept: an open gate needs no checkpoint
                await self._flow_gate.wait_open()
            driver.step(self._state.now())

    def _restart(self) -> None:
        self._limits.forget()
        self.connections.abort_all()
