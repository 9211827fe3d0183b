"""The simulated MEXC spot exchange: everything put together behind one port."""

from __future__ import annotations

import random

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from market.clock import WallClock
from simulated.control import VenueClock
from simulated.faults import Faults
from simulated.mexc_spot.auth import Authenticator
from simulated.mexc_spot.listen_keys import ListenKeys
from simulated.mexc_spot.order_desk import OrderDesk
from simulated.mexc_spot.private_channels import PrivateChannels
from simulated.mexc_spot.public_channels import PublicChannels
from simulated.mexc_spot.rest import RestSide
from simulated.mexc_spot.rest_private import PrivateRest
from simulated.mexc_spot.rest_public import PublicRest
from simulated.mexc_spot.venue import MexcVenue
from simulated.mexc_spot.websocket import WebsocketSide
from simulated.rate_limits import RateLimits
from simulated.recording import Recording
from simulated.server import SimulatedServer
from simulated.settings import SimulationSettings


class SimulatedMexcSpot(SimulatedServer):
    """A `SimulatedExchange` that speaks MEXC's spot v3 with protobuf pushes.

    Construct it inside `trio.run`: the wall clock may be a virtual one.
    """

    name = "mexc_spot"

    def __init__(self, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None) -> None:
        self.venue = MexcVenue(settings, VenueClock(clock))
        faults, limits = Faults(), RateLimits(enforced=settings.rate_limits)
        super().__init__(self.venue, faults, limits, rng=rng, recording=recording)
        self._keys = ListenKeys(settings.seed)
        public = PublicChannels(self.venue, faults)
        private = PrivateChannels(self.venue, faults, rng)
        websocket = WebsocketSide(self.venue, faults, limits, public, private, self._keys)
        rest = RestSide(self.venue, Authenticator(settings.accounts, self.venue.clock), limits, faults)
        desk = OrderDesk(self.venue, faults)
        endpoints = [*PublicRest(self.venue).endpoints(), *PrivateRest(self.venue, desk, self._keys).endpoints()]
        app = Starlette(
            routes=[*rest.routes(endpoints), WebSocketRoute("/ws", websocket.serve)],
            exception_handlers={HTTPException: rest.not_found},
        )
        app.router.redirect_slashes = False
        self.serve_with(
            app,
            (public.run, private.run),
            inject_crossed_update=public.push_crossed,
            announce_shutdown=lambda: None,  # MEXC announces nothing: connections just end
        )

    def rest_url(self, host: str, port: int) -> str:
        return f"http://{host}:{port}"

    def websocket_url(self, host: str, port: int) -> str:
        return f"ws://{host}:{port}/ws"

    def private_websocket_url(self, host: str, port: int) -> str:
        return self.websocket_url(host, port)

    def client_hint(self, host: str, port: int) -> str:
        """Python that points ccxt (and ccxt.pro) at this server."""
        key, secret, rest = self.credential.api_key, self.credential.api_secret, self.rest_url(host, port)
        return (
            f"e = ccxt.mexc({{'apiKey': {key!r}, 'secret': {secret!r}}}); "
            f"e.urls['api'] |= {{'spot': dict.fromkeys(('public', 'private'), {rest!r}), "
            f"'contract': {{'public': {rest + '/api/v1/contract'!r}}}, 'ws': {{'spot': {self.websocket_url(host, port)!r}}}}}"
        )

    def _restart(self) -> None:
        self._keys.forget()
        super()._restart()
