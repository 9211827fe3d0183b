"""The simulated Gate.io spot exchange: everything put together behind one port."""

from __future__ import annotations

import random

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from market.clock import WallClock
from simulated.control import VenueClock
from simulated.countdown import Countdowns
from simulated.faults import Faults
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
from simulated.server import SimulatedServer
from simulated.settings import SimulationSettings


class SimulatedGateioSpot(SimulatedServer):
    """A `SimulatedExchange` that speaks Gate.io's spot APIv4.

    Construct it inside `trio.run`: the wall clock may be a virtual one.
    """

    name = "gateio_spot"

    def __init__(self, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None) -> None:
        self.venue = GateVenue(settings, VenueClock(clock))
        faults, limits = Faults(), RateLimits(enforced=settings.rate_limits)
        super().__init__(self.venue, faults, limits, rng=rng, recording=recording)
        auth = Authenticator(settings.accounts, self.venue.clock)
        desk = OrderDesk(self.venue, faults)
        countdowns = Countdowns(desk.cancel_everything)
        public = PublicChannels(self.venue, faults)
        private = PrivateChannels(self.venue, faults, rng)
        api = WebsocketApi(self.venue, auth, desk, limits, faults)
        websocket = WebsocketSide(self.venue, auth, faults, public, private, api)
        rest = RestSide(self.venue, auth, limits, faults)
        endpoints = [*PublicRest(self.venue).endpoints(), *PrivateRest(self.venue, desk, countdowns).endpoints()]
        app = Starlette(
            routes=[
                *rest.routes(endpoints),
                WebSocketRoute("/ws/v4/", websocket.serve),
                WebSocketRoute("/ws/v4", websocket.serve),
            ],
            exception_handlers={HTTPException: rest.not_found},
        )
        app.router.redirect_slashes = False
        self.serve_with(
            app,
            (public.run, private.run, countdowns.run),
            inject_crossed_update=public.push_crossed,
            announce_shutdown=private.announce_shutdown,
        )

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
