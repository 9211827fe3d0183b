"""The simulated Gate.io futures exchange: everything put together behind one port."""

from __future__ import annotations

import random

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from market.clock import WallClock
from simulated.contracts import MarkPrices
from simulated.control import VenueClock
from simulated.countdown import Countdowns
from simulated.faults import Faults
from simulated.gateio.auth import Authenticator
from simulated.gateio.product import FUTURES
from simulated.gateio.rest import PREFIX, RestSide
from simulated.gateio.rest_common import CommonRest
from simulated.gateio.websocket import WebsocketSide
from simulated.gateio.websocket_api import WebsocketApi
from simulated.gateio_futures.order_desk import FuturesOrderDesk
from simulated.gateio_futures.private_channels import FuturesPrivateChannels
from simulated.gateio_futures.public_channels import FuturesPublicChannels
from simulated.gateio_futures.rest_account import FuturesAccountRest
from simulated.gateio_futures.rest_private import FuturesOrdersRest
from simulated.gateio_futures.rest_public import FuturesPublicRest
from simulated.gateio_futures.venue import SETTLE, GateFuturesVenue
from simulated.gateio_futures.websocket_api import commands
from simulated.rate_limits import RateLimits
from simulated.recording import Recording
from simulated.server import SimulatedServer
from simulated.settings import SimulationSettings

_WEBSOCKET_PATH = f"/v4/ws/{SETTLE}"
_TESTNET_WEBSOCKET_PATH = f"/v4/ws/futures/{SETTLE}"


class SimulatedGateioFutures(SimulatedServer):
    """A `SimulatedExchange` that speaks Gate.io's futures APIv4, of contracts settled in USDT.

    Construct it inside `trio.run`: the wall clock may be a virtual one.
    """

    name = "gateio_futures"

    def __init__(self, settings: SimulationSettings, *, clock: WallClock, rng: random.Random, recording: Recording | None = None) -> None:
        self.venue = GateFuturesVenue(settings, VenueClock(clock))
        faults, limits = Faults(), RateLimits(enforced=settings.rate_limits)
        super().__init__(self.venue, faults, limits, rng=rng, recording=recording)
        auth = Authenticator(settings.accounts, self.venue.clock)
        desk = FuturesOrderDesk(self.venue, faults)
        countdowns = Countdowns(desk.cancel_everything)
        public = FuturesPublicChannels(self.venue, faults)
        private = FuturesPrivateChannels(self.venue, faults, rng)
        api = WebsocketApi(FUTURES, self.venue, auth, limits, faults, commands(desk))
        websocket = WebsocketSide(FUTURES, self.venue, auth, faults, public, private, api)
        rest = RestSide(FUTURES, self.venue, auth, limits, faults)
        endpoints = [
            *CommonRest(self.venue).endpoints(),
            *FuturesPublicRest(self.venue).endpoints(),
            *FuturesOrdersRest(self.venue, desk, countdowns).endpoints(),
            *FuturesAccountRest(self.venue).endpoints(),
        ]
        app = Starlette(
            routes=[
                *rest.routes(endpoints),
                *(WebSocketRoute(path, websocket.serve) for path in (_WEBSOCKET_PATH, _TESTNET_WEBSOCKET_PATH)),
            ],
            exception_handlers={HTTPException: rest.not_found},
        )
        app.router.redirect_slashes = False
        marks = MarkPrices(self.venue, self._driver, self._flow_gate)
        self.serve_with(
            app,
            (public.run, private.run, countdowns.run, marks.run),
            inject_crossed_update=public.push_crossed,
            announce_shutdown=private.announce_shutdown,
        )
        self.control.countdowns = countdowns

    def rest_url(self, host: str, port: int) -> str:
        return f"http://{host}:{port}{PREFIX}"

    def websocket_url(self, host: str, port: int) -> str:
        return f"ws://{host}:{port}{_WEBSOCKET_PATH}"

    def private_websocket_url(self, host: str, port: int) -> str:
        return self.websocket_url(host, port)

    def client_hint(self, host: str, port: int) -> str:
        """Python that points ccxt (and ccxt.pro, which knows a swap's stream by its path on the testnet) at this server."""
        key, secret, uid = self.credential.api_key, self.credential.api_secret, str(self.credential.user_id)
        stream = f"ws://{host}:{port}{_TESTNET_WEBSOCKET_PATH}"
        return (
            f"e = ccxt.gate({{'apiKey': {key!r}, 'secret': {secret!r}, 'uid': {uid!r}, "
            f"'options': {{'defaultType': 'swap', 'fetchMarkets': {{'types': ['swap']}}}}}}); "
            f"e.urls['api'] = {{'swap': {{'usdt': {stream!r}}}, **{{side: dict.fromkeys(e.urls['api'][side], "
            f"{self.rest_url(host, port)!r}) for side in ('public', 'private')}}}}"
        )
