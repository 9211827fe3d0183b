"""The simulated Gate.io spot exchange: everything put together behind one port."""

from __future__ import annotations

import random
from functools import partial

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from market.clock import WallClock
from simulated.control import FlowGate, VenueClock, VenueControl
from simulated.countdown import Countdowns
from simulated.exchange import SimulatedExchange
from simulated.faults import Faults
from simulated.flow import MarketDriver, SyntheticFlow
from simulated.gateio_spot.auth import Authenticator
from simulated.gateio_spot.order_desk import OrderDesk
from simulated.gateio_spot.private_channels import PrivateChannels
from simulated.gateio_spot.public_channels import PublicChannels
from simulated.gateio_spot.rest import PREFIX, RestSide
from simulated.gateio_spot.rest_private import PrivateRest
from simulated.gateio_spot.rest_public import PublicRest
from simulated.gateio_spot.venue import GateVenue
from simulated.gateio_spot.websocket import WebsocketSide
from simulated.gateio_spot.websocket_api import WebsocketApi
from simulated.rate_limits import RateLimits
from simulated.recording import Recording
from simulated.replay import Replay
from simulated.serving import Connections, serve_app
from simulated.settings import AccountSettings, SimulationSettings


class SimulatedGateioSpot(SimulatedExchange):
    """A `SimulatedExchange` that speaks Gate.io's spot APIv4.

    The market is moved by the synthetic flow, or by `recording` when one is given. `rng` decides everything random.
    Construct it inside `trio.run`: the wall clock may be a virtual one.
    """

    name = "gateio_spot"

    def __init__(self, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None) -> None:
        self.settings = settings
        self._clock = VenueClock(clock)
        self.venue = GateVenue(settings, self._clock)
        self._faults = Faults()
        self.connections = Connections()
        self._flow_gate = FlowGate()
        self._limits = RateLimits(enforced=settings.rate_limits)
        engine = self.venue.engine
        self._driver: MarketDriver | None = None
        if recording is not None:
            self._driver = Replay(recording, engine, settings.markets, rng, speed=settings.replay_speed)
        elif settings.flow:
            self._driver = SyntheticFlow(engine, settings.markets, rng)

        auth = Authenticator(settings.accounts, self._clock)
        desk = OrderDesk(self.venue, self._faults)
        self._countdowns = Countdowns(desk.cancel_everything)
        self._public = PublicChannels(self.venue, self._faults)
        self._private = PrivateChannels(self.venue, self._faults, rng)
        websocket = WebsocketSide(
            self.venue,
            auth,
            self._faults,
            self._public,
            self._private,
            WebsocketApi(self.venue, auth, desk, self._limits, self._faults),
        )
        rest = RestSide(self.venue, auth, self._limits, self._faults)
        endpoints = [*PublicRest(self.venue).endpoints(), *PrivateRest(self.venue, desk, self._countdowns).endpoints()]
        self._app = Starlette(
            routes=[
                *rest.routes(endpoints),
                WebSocketRoute("/ws/v4/", websocket.serve),
                WebSocketRoute("/ws/v4", websocket.serve),
            ],
            exception_handlers={HTTPException: rest.not_found},
        )
        self._app.router.redirect_slashes = False
        self.control = VenueControl(
            engine=engine,
            driver=self._driver,
            faults=self._faults,
            clock=self._clock,
            flow_gate=self._flow_gate,
            main_account=settings.accounts[0].name,
            disconnect=self.connections.abort_all,
            restart=self._restart,
            inject_crossed_update=self._public.push_crossed,
            announce_shutdown=self._private.announce_shutdown,
        )

    @property
    def credential(self) -> AccountSettings:
        """The first account; its key is made up."""
        return self.settings.accounts[0]

    def rest_url(self, host: str, port: int) -> str:
        return f"http://{host}:{port}{PREFIX}"

    def websocket_url(self, host: str, port: int) -> str:
        return f"ws://{host}:{port}/ws/v4/"

    def private_websocket_url(self, host: str, port: int) -> str:
        return self.websocket_url(host, port)

    def client_hint(self, host: str, port: int) -> str:
        """Python that points ccxt (and ccxt.pro) at this server."""
        key, secret = self.credential.api_key, self.credential.api_secret
        return (
            f"e = ccxt.gate({{'apiKey': {key!r}, 'secret': {secret!r}, 'options': {{'fetchMarkets': {{'types': ['spot']}}}}}}); "
            f"e.urls['api'] = {{'spot': {self.websocket_url(host, port)!r}, **{{side: dict.fromkeys(e.urls['api'][side], "
            f"{self.rest_url(host, port)!r}) for side in ('public', 'private')}}}}"
        )

    async def run(self, host: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; see `SimulatedExchange.run`.

        Raises:
            OSError: the address cannot be bound.
        """
        async with trio.open_nursery() as nursery:
            await nursery.start(self._public.run)
            await nursery.start(self._private.run)
            nursery.start_soon(self._countdowns.run)
            if self._driver is not None:
                self._driver.warm_up(self.venue.now())
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
            delay_seconds = driver.delay_seconds(self.venue.now())
            if delay_seconds is None:
                return
            await trio.sleep(delay_seconds)
            await self._flow_gate.wait_open()
            driver.step(self.venue.now())

    def _restart(self) -> None:
        self._limits.forget()
        self.connections.abort_all()
