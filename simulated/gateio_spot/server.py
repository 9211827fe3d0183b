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
from simulated.gateio.auth import Authenticator
from simulated.gateio.product import SPOT
from simulated.gateio.rest import PREFIX, RestSide
from simulated.gateio.rest_common import CommonRest
from simulated.gateio.websocket import WebsocketSide
from simulated.gateio.websocket_api import WebsocketApi
from simulated.gateio_spot.order_desk import OrderDesk
from simulated.gateio_spot.private_channels import SpotPrivateChannels
from simulated.gateio_spot.public_channels import SpotPublicChannels
from simulated.gateio_spot.rest_private import PrivateRest
from simulated.gateio_spot.rest_public import PublicRest
from simulated.gateio_spot.venue import GateSpotVenue
from simulated.gateio_spot.websocket_api import commands
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
        self.venue = GateSpotVenue(settings, VenueClock(clock))
        faults, limits = Faults(), RateLimits(enforced=settings.rate_limits)
        super().__init__(self.venue, faults, limits, rng=rng, recording=recording)
        auth = Authenticator(settings.accounts, self.venue.clock)
        desk = OrderDesk(self.venue, faults)
        countdowns = Countdowns(desk.cancel_everything)
        public = SpotPublicChannels(self.venue, faults)
        private = SpotPrivateChannels(self.venue, faults, rng)
        api = WebsocketApi(SPOT, self.venue, auth, limits, faults, commands(desk))
        websocket = WebsocketSide(SPOT, self.venue, auth, faults, public, private, api)
        rest = RestSide(SPOT, self.venue, auth, limits, faults)
        endpoints = [
            *CommonRest(self.venue).endpoints(),
            *PublicRest(self.venue).endpoints(),
            *PrivateRest(self.venue, desk, countdowns).endpoints(),
        ]
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
        self.control.countdowns = countdowns

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
