"""The simulated OKX spot exchange: everything put together behind one port."""

from __future__ import annotations

import random

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from market.clock import WallClock
from simulated.control import VenueClock
from simulated.countdown import Countdowns
from simulated.faults import Faults
from simulated.okx.auth import Authenticator
from simulated.okx.operations import Operations
from simulated.okx.order_desk import OrderDesk
from simulated.okx.private_channels import PrivateChannels
from simulated.okx.public_channels import PublicChannels
from simulated.okx.rest import RestSide
from simulated.okx.rest_private import PrivateRest
from simulated.okx.rest_public import PublicRest
from simulated.okx.spot import OkxSpotVenue
from simulated.okx.websocket import WebsocketSide
from simulated.rate_limits import RateLimits
from simulated.recording import Recording
from simulated.server import SimulatedServer
from simulated.settings import SimulationSettings

_PATHS = ("public", "private", "business")


class SimulatedOkxSpot(SimulatedServer):
    """A `SimulatedExchange` that speaks OKX's v5 protocol about spot markets.

    Construct it inside `trio.run`: the wall clock may be a virtual one.
    """

    name = "okx_spot"
    uses_passphrase = True

    def __init__(self, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None) -> None:
        self.venue = OkxSpotVenue(settings, VenueClock(clock))
        faults, limits = Faults(), RateLimits(enforced=settings.rate_limits)
        super().__init__(self.venue, faults, limits, rng=rng, recording=recording)
        auth = Authenticator(settings.accounts, self.venue.clock)
        desk = OrderDesk(self.venue, faults)
        countdowns = Countdowns(desk.cancel_tagged)
        public = PublicChannels(self.venue, faults)
        private = PrivateChannels(self.venue, faults, rng)
        websocket = WebsocketSide(self.venue, auth, faults, public, private, Operations(self.venue, desk, limits, faults))
        rest = RestSide(self.venue, auth, limits, faults)
        endpoints = [*PublicRest(self.venue).endpoints(), *PrivateRest(self.venue, desk, countdowns).endpoints()]
        app = Starlette(
            routes=[*rest.routes(endpoints), *(WebSocketRoute(f"/ws/v5/{path}", websocket.serve) for path in _PATHS)],
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
        return f"http://{host}:{port}"

    def websocket_url(self, host: str, port: int) -> str:
        return f"ws://{host}:{port}/ws/v5/public"

    def private_websocket_url(self, host: str, port: int) -> str:
        return f"ws://{host}:{port}/ws/v5/private"

    def client_hint(self, host: str, port: int) -> str:
        """Python that points ccxt (and ccxt.pro) at this server."""
        account = self.credential
        return (
            f"e = ccxt.okx({{'apiKey': {account.api_key!r}, 'secret': {account.api_secret!r}, 'password': {account.api_passphrase!r}, "
            f"'options': {{'fetchMarkets': {{'types': ['spot']}}}}}}); "
            f"e.urls['api'] = {{'rest': {self.rest_url(host, port)!r}, 'ws': {f'ws://{host}:{port}/ws/v5'!r}}}"
        )
