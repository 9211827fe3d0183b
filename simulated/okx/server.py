"""The simulated OKX exchanges, spot and swap: everything put together behind one port."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from market.clock import WallClock
from simulated.contracts import MarkPrices
from simulated.control import VenueClock
from simulated.countdown import Countdowns
from simulated.faults import Faults
from simulated.later import Later
from simulated.okx.auth import Authenticator
from simulated.okx.funding import Funding
from simulated.okx.operations import Operations
from simulated.okx.order_desk import OrderDesk
from simulated.okx.private_channels import PrivateChannels
from simulated.okx.public_channels import PublicChannel, PublicChannels
from simulated.okx.rest import RestSide
from simulated.okx.rest_call import Endpoint
from simulated.okx.rest_private import PrivateRest
from simulated.okx.rest_public import PublicRest
from simulated.okx.spot import OkxSpotVenue
from simulated.okx.swap import OkxSwapVenue
from simulated.okx.swap_rest import SwapRest
from simulated.okx.swap_topics import swap_channels
from simulated.okx.venue import OkxVenue
from simulated.okx.websocket import WebsocketSide
from simulated.rate_limits import RateLimits
from simulated.recording import Recording
from simulated.server import Service, SimulatedServer
from simulated.settings import SimulationSettings

_PATHS = ("public", "private", "business")


class SimulatedOkx(SimulatedServer):
    """A `SimulatedExchange` that speaks OKX's v5 protocol. What it trades is the subclasses' matter.

    Construct it inside `trio.run`: the wall clock may be a virtual one.
    """

    uses_passphrase = True
    _ccxt_type: ClassVar[str]
    """What ccxt calls such markets."""

    def __init__(self, venue: OkxVenue, *, rng: random.Random, recording: Recording | None) -> None:
        self.venue = venue
        self._rng = rng
        super().__init__(venue, Faults(), RateLimits(enforced=venue.settings.rate_limits), rng=rng, recording=recording)

    def serve_market(
        self,
        *,
        channels: Mapping[str, PublicChannel] | None = None,
        endpoints: Sequence[Endpoint] = (),
        services: tuple[Service, ...] = (),
    ) -> None:
        """Say what is served besides what all markets have. Call it once, while being made."""
        venue, faults, limits = self.venue, self._faults, self._limits
        auth = Authenticator(venue.settings.accounts, venue.clock)
        later = Later()
        desk = OrderDesk(venue, faults, later)
        countdowns = Countdowns(desk.cancel_tagged)
        public = PublicChannels(venue, faults, channels or {})
        private = PrivateChannels(venue, faults, self._rng)
        websocket = WebsocketSide(venue, auth, faults, public, private, Operations(venue, desk, limits, faults))
        rest = RestSide(venue, auth, limits, faults)
        served = [*PublicRest(venue).endpoints(), *PrivateRest(venue, desk, countdowns).endpoints(), *endpoints]
        app = Starlette(
            routes=[*rest.routes(served), *(WebSocketRoute(f"/ws/v5/{path}", websocket.serve) for path in _PATHS)],
            exception_handlers={HTTPException: rest.not_found},
        )
        app.router.redirect_slashes = False
        self.serve_with(
            app,
            (public.run, private.run, countdowns.run, later.run, *services),
            inject_crossed_update=public.push_crossed,
            announce_shutdown=private.announce_shutdown,
        )
        self.control.countdowns = countdowns

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
            f"'options': {{'fetchMarkets': {{'types': [{self._ccxt_type!r}]}}, 'defaultType': {self._ccxt_type!r}}}}}); "
            f"e.urls['api'] = {{'rest': {self.rest_url(host, port)!r}, 'ws': {f'ws://{host}:{port}/ws/v5'!r}}}"
        )


class SimulatedOkxSpot(SimulatedOkx):
    """Spot markets."""

    name = "okx_spot"
    _ccxt_type = "spot"

    def __init__(self, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None) -> None:
        super().__init__(OkxSpotVenue(settings, VenueClock(clock)), rng=rng, recording=recording)
        self.serve_market()


class SimulatedOkxSwap(SimulatedOkx):
    """Perpetual contracts, settled in their quote asset."""

    name = "okx_swap"
    _ccxt_type = "swap"

    def __init__(self, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None) -> None:
        venue = OkxSwapVenue(settings, VenueClock(clock))
        super().__init__(venue, rng=rng, recording=recording)
        funding = Funding(venue)
        self.serve_market(
            channels=swap_channels(venue, funding),
            endpoints=SwapRest(venue, funding).endpoints(),
            services=(MarkPrices(venue, self._driver, self._flow_gate).run,),
        )
