"""A simulated MEXC spot exchange on an in-memory network, and a client that signs by the exchange's documentation."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import trio
import trio_websocket
from google.protobuf.json_format import MessageToDict

from exchanges.mexc_spot_push_pb2 import Push
from market.clock import VirtualWallClock
from market.symbol import Symbol
from network.simulated_network import SimulatedNetwork
from simulated.control import VenueControl
from simulated.mexc_spot.server import SimulatedMexcSpot
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings

HOST, ADDRESS, PORT = "mexc.sim", "10.2.0.1", 80
BTC = Symbol("BTC", "USDT")
MAIN = AccountSettings()
READER = AccountSettings(name="reader", user_id=2, api_key="reader-key", api_secret="reader-secret", permissions="read")
SETTINGS = SimulationSettings(markets=(MarketSettings(),), accounts=(MAIN, READER))
Answer = tuple[int, Any]


class MexcWorld:
    """The server, its control, and a signing REST client."""

    def __init__(self, server: SimulatedMexcSpot, http: httpx.AsyncClient, wall: VirtualWallClock) -> None:
        self.server = server
        self.control: VenueControl = server.control
        self.http = http
        self.wall = wall

    async def public(self, path: str, **query: str) -> Answer:
        response = await self.http.get(f"/api/v3{path}", params=query)
        return response.status_code, response.json()

    async def call(
        self,
        method: str,
        path: str,
        *,
        account: AccountSettings = MAIN,
        age_milliseconds: int = 0,
        headers: dict[str, str] | None = None,
        body: str = "",
        **parameters: Any,
    ) -> Answer:
        """A request signed `age_milliseconds` ago; `headers` overwrite ours."""
        query = urlencode({**parameters, "timestamp": self.wall.milliseconds() - age_milliseconds})
        signature = hmac.new(account.api_secret.encode(), (query + body).encode(), hashlib.sha256).hexdigest()
        sent = {"X-MEXC-APIKEY": account.api_key, "Content-Type": "application/json", **(headers or {})}
        target = f"/api/v3{path}?{query}&signature={signature}"
        response = await self.http.request(method, target, headers=sent, content=body)
        return response.status_code, response.json()

    async def place(self, **fields: Any) -> Answer:
        """Place an order on BTCUSDT: a resting buy far below the market unless `fields` say otherwise."""
        order: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.001", "price": "50000", **fields}
        return await self.call("POST", "/order", **{name: value for name, value in order.items() if value is not None})

    async def buy(self, amount: str) -> Answer:
        return await self.place(type="MARKET", quantity=None, price=None, quoteOrderQty=amount)

    async def listen_key(self, account: AccountSettings = MAIN) -> str:
        return (await self.call("POST", "/userDataStream", account=account))[1]["listenKey"]

    @asynccontextmanager
    async def websocket(self, listen_key: str = "") -> AsyncGenerator[MexcSocket]:
        path = f"/ws?listenKey={listen_key}" if listen_key else "/ws"
        connection = await trio_websocket.connect_websocket(self.nursery, HOST, PORT, path, use_ssl=False)
        try:
            yield MexcSocket(connection)
        finally:
            with trio.move_on_after(1):
                await connection.aclose()

    nursery: trio.Nursery


class MexcSocket:
    """A websocket client: text is control, anything else a push."""

    def __init__(self, connection: trio_websocket.WebSocketConnection) -> None:
        self.connection = connection

    async def next(self) -> Any:
        """The next frame: its JSON (or its text, where it is none), or the push as an object. Fails after 30 s of silence."""
        with trio.fail_after(30):
            message = await self.connection.get_message()
        if isinstance(message, bytes):
            return MessageToDict(Push.FromString(message), preserving_proto_field_name=True)
        return json.loads(message) if message.startswith("{") else message

    async def push(self, kind: str) -> Any:
        """The body of the next push of this kind."""
        while True:
            message = await self.next()
            if kind in message:
                return message[kind]

    async def send(self, method: str, *params: str, **fields: Any) -> None:
        await self.connection.send_message(json.dumps({"method": method, "params": list(params), **fields}))

    async def subscribe(self, *topics: str) -> Any:
        await self.send("SUBSCRIPTION", *topics, id=7)
        return await self.next()

    async def lived_until(self) -> float:
        """When the connection was lost."""
        while True:
            try:
                await self.connection.get_message()
            except trio_websocket.ConnectionClosed:
                return trio.current_time()


@asynccontextmanager
async def mexc_world(settings: SimulationSettings = SETTINGS, *, flow: bool = False, seed: int = 1) -> AsyncGenerator[MexcWorld]:
    """A running exchange. Without `flow` the book stands still as the warm-up made it."""
    network = SimulatedNetwork(random.Random(seed), latency_seconds=(0.001, 0.001))
    network.add_host(HOST, ADDRESS)
    wall = VirtualWallClock()
    with network.install():
        server = SimulatedMexcSpot(msgspec.structs.replace(settings, seed=seed), clock=wall, rng=random.Random(seed))
        if not flow:
            server.control.freeze_flow()
        async with trio.open_nursery() as nursery, httpx.AsyncClient(base_url=f"http://{HOST}") as http:
            await nursery.start(server.run, ADDRESS, PORT)
            world = MexcWorld(server, http, wall)
            world.nursery = nursery
            yield world
            server.control.check_invariants()
            nursery.cancel_scope.cancel()
