"""A simulated exchange of Gate.io's, spot unless said otherwise, on an in-memory network, and a client that signs by the documentation."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any, ClassVar, TypeVar, cast

import httpx
import msgspec
import trio
import trio_websocket

from market.clock import VirtualWallClock
from market.symbol import Symbol
from network.simulated_network import SimulatedNetwork
from simulated.control import VenueControl
from simulated.registry import make_exchange
from simulated.server import SimulatedServer
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings

HOST, ADDRESS, PORT = "gate.sim", "10.1.0.1", 80
BTC = Symbol("BTC", "USDT")
READER = AccountSettings(name="reader", user_id=2, api_key="reader-key", api_secret="reader-secret", permissions="read")
STP_MEMBER = AccountSettings(name="stp", user_id=3, api_key="stp-key", api_secret="stp-secret", stp_group=7)
MAIN = AccountSettings()
SETTINGS = SimulationSettings(markets=(MarketSettings(),), accounts=(MAIN, READER, STP_MEMBER))
Answer = tuple[int, Any]


def signed(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


class GateWorld:
    """The server, its control, and a signing REST client. What differs between the exchanges of Gate.io's is told by attributes."""

    product = "spot"
    exchange = "gateio_spot"
    websocket_path = "/ws/v4/"
    orders_path = "/spot/orders"
    account_path = "/spot/accounts"
    order_query = "currency_pair=BTC_USDT"
    orders_payload: ClassVar[list[str]] = ["!all"]
    book_payload: ClassVar[list[str]] = ["BTC_USDT", "100ms"]
    order: ClassVar[dict[str, Any]] = {"currency_pair": "BTC_USDT", "side": "buy", "amount": "0.001", "price": "50000"}

    def __init__(self, server: SimulatedServer, http: httpx.AsyncClient, wall: VirtualWallClock, nursery: trio.Nursery) -> None:
        self.server = server
        self.control: VenueControl = server.control
        self.http = http
        self.wall = wall
        self.nursery = nursery
        self.last_headers: httpx.Headers = httpx.Headers()

    def seconds(self) -> str:
        return str(self.wall.milliseconds() // 1000)

    async def public(self, path: str, **query: str) -> Answer:
        response = await self.http.get(f"/api/v4{path}", params=query)
        self.last_headers = response.headers
        return response.status_code, response.json()

    async def time(self) -> Answer:
        response = await self.http.get("/api/v4/spot/time")
        return response.status_code, response.json()

    def price_of(self, level: Any) -> Decimal:
        """The price of a level as book pushes tell it."""
        return Decimal(level[0])

    def event_of(self, push: Any) -> str:
        """What an order push tells: put, update or finish."""
        return push["event"]

    async def call(
        self,
        method: str,
        path: str,
        query: str = "",
        body: Any = None,
        *,
        account: AccountSettings = MAIN,
        headers: dict[str, str] | None = None,
        timeout_seconds: float = 5,
    ) -> Answer:
        """A signed request; `headers` overwrite the signed ones."""
        content = "" if body is None else json.dumps(body)
        timestamp = self.seconds()
        text = "\n".join([method, f"/api/v4{path}", query, hashlib.sha512(content.encode()).hexdigest(), timestamp])
        sent = {"KEY": account.api_key, "Timestamp": timestamp, "SIGN": signed(account.api_secret, text), **(headers or {})}
        response = await self.http.request(
            method, f"/api/v4{path}{'?' + query if query else ''}", content=content, headers=sent, timeout=timeout_seconds
        )
        self.last_headers = response.headers
        return response.status_code, response.json()

    async def place(self, *, account: AccountSettings = MAIN, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        """Place an order on BTC_USDT: a resting buy far below the market unless `fields` say otherwise."""
        order = {name: value for name, value in (self.order | fields).items() if value is not None}
        return await self.call("POST", self.orders_path, body=order, account=account, headers=headers)

    async def spend(self, amount: str, **fields: Any) -> Answer:
        return await self.place(type="market", price=None, amount=amount, time_in_force="ioc", **fields)

    def balance(self, asset: str) -> tuple[Decimal, Decimal]:
        return self.control.balances()[asset]

    @asynccontextmanager
    async def websocket(self, **headers: str) -> AsyncGenerator[GateSocket]:
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        async with trio_websocket.open_websocket(HOST, PORT, self.websocket_path, use_ssl=False, extra_headers=extra) as connection:
            yield GateSocket(connection, self)


class GateSocket:
    """A websocket client that keeps what it has not been asked for."""

    def __init__(self, connection: trio_websocket.WebSocketConnection, world: GateWorld) -> None:
        self.connection = connection
        self._world = world
        self._unread: list[Any] = []

    async def send(self, message: Any) -> None:
        await self.connection.send_message(message if isinstance(message, str) else json.dumps(message))

    async def next(self, channel: str | None = None, event: str | None = None) -> Any:
        """The next message (of this channel and event). Fails after 30 s of silence."""

        def is_wanted(message: Any) -> bool:
            header = message.get("header", message)
            return channel in (None, header.get("channel")) and event in (None, header.get("event"))

        for index, message in enumerate(self._unread):
            if is_wanted(message):
                return self._unread.pop(index)
        with trio.fail_after(30):
            while True:
                message = json.loads(await self.connection.get_message())
                if is_wanted(message):
                    return message
                self._unread.append(message)

    async def subscribe(self, channel: str, payload: Any, event: str = "subscribe", **fields: Any) -> Any:
        await self.send({"time": int(self._world.seconds()), "id": 1, "channel": channel, "event": event, "payload": payload, **fields})
        return await self.next(channel, event)

    async def subscribe_private(self, channel: str, payload: Any = None, account: AccountSettings = MAIN) -> Any:
        time = self._world.seconds()
        sign = signed(account.api_secret, f"channel={channel}&event=subscribe&time={time}")
        auth = {"method": "api_key", "KEY": account.api_key, "SIGN": sign}
        return await self.subscribe(channel, payload, time=int(time), auth=auth)

    async def login(self, account: AccountSettings = MAIN) -> Any:
        time = self._world.seconds()
        channel = f"{self._world.product}.login"
        sign = signed(account.api_secret, f"api\n{channel}\n\n{time}")
        payload = {"req_id": "login", "api_key": account.api_key, "signature": sign, "timestamp": time}
        await self.send({"time": int(time), "channel": channel, "event": "api", "payload": payload})
        return await self.next(channel)

    async def api(self, channel: str, parameters: Any, req_id: str = "r", **payload: Any) -> Any:
        """Send an order request; the first answer."""
        body = {"req_id": req_id, "req_param": parameters, **payload}
        await self.send({"time": int(self._world.seconds()), "channel": channel, "event": "api", "payload": body})
        return await self.next(channel)


World = TypeVar("World", bound=GateWorld)


@asynccontextmanager
async def served(world_class: type[World], settings: SimulationSettings, *, flow: bool, seed: int) -> AsyncGenerator[World]:
    """A running exchange. Without `flow` the book stands still as the warm-up made it."""
    network = SimulatedNetwork(random.Random(seed), latency_seconds=(0.001, 0.001))
    network.add_host(HOST, ADDRESS)
    wall = VirtualWallClock()
    with network.install():
        server = make_exchange(
            world_class.exchange, msgspec.structs.replace(settings, seed=seed), clock=wall, rng=random.Random(seed)
        )  # fmt: skip
        if not flow:
            server.control.freeze_flow()
        async with trio.open_nursery() as nursery, httpx.AsyncClient(base_url=f"http://{HOST}") as http:
            await nursery.start(server.run, ADDRESS, PORT)
            yield world_class(cast(SimulatedServer, server), http, wall, nursery)
            server.control.check_invariants()
            nursery.cancel_scope.cancel()


def gate_world(settings: SimulationSettings = SETTINGS, *, flow: bool = False, seed: int = 1) -> AbstractAsyncContextManager[GateWorld]:
    return served(GateWorld, settings, flow=flow, seed=seed)
