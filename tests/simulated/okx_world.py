"""A simulated OKX exchange, spot or swap, on an in-memory network, and a client that signs by the exchange's documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import msgspec
import trio
import trio_websocket

from market.clock import VirtualWallClock
from market.symbol import Symbol
from network.simulated_network import SimulatedNetwork
from simulated.control import VenueControl
from simulated.okx.server import SimulatedOkx, SimulatedOkxSpot, SimulatedOkxSwap
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings

HOST, ADDRESS, PORT = "okx.sim", "10.1.0.2", 80
BTC = Symbol("BTC", "USDT")
READER = AccountSettings(name="reader", user_id=2, api_key="reader-key", api_secret="reader-secret", permissions="read")
MAIN = AccountSettings()
SETTINGS = SimulationSettings(markets=(MarketSettings(),), accounts=(MAIN, READER))
Order = dict[str, Any]
# What is placed unless a test says otherwise: a resting buy far below the market.
SPOT_ORDER: Order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.001", "px": "50000"}
SWAP_ORDER: Order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1", "px": "50000"}


def signed(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


class OkxWorld:
    """The server, its control, and a signing REST client."""

    def __init__(self, server: SimulatedOkx, http: httpx.AsyncClient, wall: VirtualWallClock, order: Order) -> None:
        self.server = server
        self.order = order
        self.control: VenueControl = server.control
        self.http = http
        self.wall = wall

    async def public(self, path: str, **query: str) -> Any:
        return (await self.http.get(f"/api/v5{path}", params=query)).json()

    async def answer(
        self, method: str, path: str, body: Any = None, *, account: AccountSettings = MAIN, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A signed request; `headers` overwrite the signed ones."""
        content = "" if body is None else json.dumps(body)
        at = datetime.fromtimestamp(self.wall.milliseconds() / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        sent = {
            "Content-Type": "application/json",
            "OK-ACCESS-KEY": account.api_key,
            "OK-ACCESS-PASSPHRASE": account.api_passphrase,
            "OK-ACCESS-TIMESTAMP": at,
            "OK-ACCESS-SIGN": signed(account.api_secret, f"{at}{method}/api/v5{path}{content}"),
            **(headers or {}),
        }
        return await self.http.request(method, f"/api/v5{path}", content=content, headers=sent, timeout=5)

    async def get(self, path: str, **more: Any) -> Any:
        return (await self.answer("GET", path, **more)).json()

    async def post(self, path: str, body: Any, **more: Any) -> Any:
        return (await self.answer("POST", path, body, **more)).json()

    async def place(self, *, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        """Place the usual order, changed by `fields`; what became of it."""
        order = {name: value for name, value in (self.order | fields).items() if value is not None}
        answer = await self.post("/trade/order", order, headers=headers)
        return answer["data"][0] if answer["data"] else answer

    @asynccontextmanager
    async def websocket(self, path: str = "public") -> AsyncGenerator[OkxSocket]:
        async with trio_websocket.open_websocket(HOST, PORT, f"/ws/v5/{path}", use_ssl=False) as connection:
            yield OkxSocket(connection, self)


class OkxSocket:
    """A websocket client that keeps what it has not been asked for."""

    def __init__(self, connection: trio_websocket.WebSocketConnection, world: OkxWorld) -> None:
        self.connection = connection
        self._world = world
        self._unread: list[Any] = []

    async def send(self, message: Any) -> None:
        await self.connection.send_message(message if isinstance(message, str) else json.dumps(message))

    async def next(self, *, event: str | None = None, channel: str | None = None, op: str | None = None) -> Any:
        """The next control frame, push or answer of that kind. Fails after 90 s of silence."""

        def is_wanted(message: Any) -> bool:
            arg = message.get("arg") or {}
            return (
                event == message.get("event")
                and op == message.get("op")
                and (channel is None or arg.get("channel") == channel)
            )  # fmt: skip

        for index, message in enumerate(self._unread):
            if is_wanted(message):
                return self._unread.pop(index)
        with trio.fail_after(90):
            while True:
                message = json.loads(await self.connection.get_message())
                if is_wanted(message):
                    return message
                self._unread.append(message)

    async def subscribe(self, channel: str, **arg: str) -> Any:
        await self.send({"id": "7", "op": "subscribe", "args": [{"channel": channel, **arg}]})
        return await self.next(event="subscribe", channel=channel)

    async def login(self, account: AccountSettings = MAIN, **changes: str) -> None:
        at = str(self._world.wall.milliseconds() // 1000)
        fields = {
            "apiKey": account.api_key,
            "passphrase": account.api_passphrase,
            "timestamp": at,
            "sign": signed(account.api_secret, f"{at}GET/users/self/verify"),
        }
        await self.send({"op": "login", "args": [fields | changes]})


@asynccontextmanager
async def okx_world(
    settings: SimulationSettings = SETTINGS,
    *,
    flow: bool = False,
    seed: int = 1,
    market: type[SimulatedOkxSpot | SimulatedOkxSwap] = SimulatedOkxSpot,
    order: Order = SPOT_ORDER,
) -> AsyncGenerator[OkxWorld]:
    """A running exchange. Without `flow` the book stands still as the warm-up made it."""
    network = SimulatedNetwork(random.Random(seed), latency_seconds=(0.001, 0.001))
    network.add_host(HOST, ADDRESS)
    wall = VirtualWallClock()
    with network.install():
        server = market(msgspec.structs.replace(settings, seed=seed), clock=wall, rng=random.Random(seed))
        if not flow:
            server.control.freeze_flow()
        async with trio.open_nursery() as nursery, httpx.AsyncClient(base_url=f"http://{HOST}") as http:
            await nursery.start(server.run, ADDRESS, PORT)
            yield OkxWorld(server, http, wall, order)
            server.control.check_invariants()
            nursery.cancel_scope.cancel()


swap_world = partial(okx_world, market=SimulatedOkxSwap, order=SWAP_ORDER)
