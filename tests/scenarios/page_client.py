"""A run whose page is served on the world's network, and somebody who has it open, as a browser would."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import trio
from msgspec.structs import replace
from trio_websocket import ConnectionClosed, WebSocketConnection, connect_websocket_url
from world import World

from assembly.page.credential import PageToken
from assembly.page.events import PageOpened
from assembly.page.place import parse_place
from assembly.page.protocol import Log, LogLine, Point, Push, Series
from assembly.settings import PageSettings, Settings

ADDRESS = "127.0.0.1"
URL = f"http://{ADDRESS}:8321"
TOKEN = "a-token-of-24-characters"


async def start_with_page(
    world: World, *, token: str | None = TOKEN, wait: bool = True, cycles: int = 0, of: Settings | None = None, **settings: Any
) -> None:
    """Start the program (`of` other settings than the world's own) with the page at `URL`, and wait until it is served."""
    world.network.add_host("localhost", ADDRESS)
    world.network.set_latency("localhost", 0.0, 0.0001)
    made = replace(
        world.settings(cycles=cycles, **settings) if of is None else of,
        page=PageSettings(),
        page_place=parse_place("127.0.0.1:8321", hosts=("trader.lan",)),
        page_token=None if token is None else PageToken(token),
    )
    world.launch(made)
    if wait:
        await world.wait_for(PageOpened)


class Page:
    """What a page shows: every push taken in as `assembly/page/protocol.py` says."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self.connection = connection
        self.pushes: list[Push] = []
        self.shown: dict[str, Any] = {}
        self.series: dict[str, Series] = {}
        self.lines: list[LogLine] = []
        self.missed = 0

    @property
    def now(self) -> Push:
        """The newest push."""
        return self.pushes[-1]

    async def look(self) -> Push:
        """The next push, taken in."""
        push = msgspec.json.decode(await self.connection.get_message(), type=Push)
        assert push.number == len(self.pushes) + 1
        assert push.whole == (push.number == 1)
        self.pushes.append(push)
        for name in ("program", "tree", "states", "across", "orders", "fills", "accounts", "cycles", "latencies"):
            section = getattr(push, name)
            if section is not None:
                self.shown[name] = section
        self.shown["books"] = {**self.shown.get("books", {}), **(push.books or {})}
        for key, series in (push.series or {}).items():
            points: tuple[Point, ...] = self.series[key].points if key in self.series else ()
            self.series[key] = replace(series, points=(*points, *series.points))
        log = push.log or Log(missed=0, lines=())
        self.missed += log.missed
        self.lines += log.lines
        return push

    async def watch(self, seconds: float) -> None:
        """Take in all that comes meanwhile."""
        with trio.move_on_after(seconds):
            while True:
                await self.look()


@asynccontextmanager
async def page_opened(world: World, url: str = URL, **headers: str) -> AsyncGenerator[Page]:
    """An open page that has had its first push. Raises `ConnectionRejected` or `ConnectionClosed`."""
    said = [(name.replace("_", "-"), value) for name, value in headers.items()]
    connection = await connect_websocket_url(world.nursery, url.replace("http", "ws") + "/push", extra_headers=said)
    page = Page(connection)
    try:
        await page.look()
        yield page
    finally:
        with trio.move_on_after(1.0, shield=True):
            await connection.aclose()


async def upgraded(host: str = "127.0.0.1:8321", **headers: str) -> int:
    """The status with which the wish for a websocket is answered: 101 where it is fulfilled."""
    said = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", **headers}
    said["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in said.items()]
    async with await trio.open_tcp_stream(ADDRESS, 8321) as stream:
        await stream.send_all("\r\n".join(["GET /push HTTP/1.1", *lines, "", ""]).encode())
        return int(bytes(await stream.receive_some()).split()[1])


async def asked(path: str, *, url: str = URL, method: str = "GET", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.request(method, url + path, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def acted(body: dict[str, Any] | bytes, *, token: str | None = TOKEN, url: str = URL, **headers: str) -> httpx.Response:
    """What is answered to an action."""
    said = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token is not None:
        said["authorization"] = f"Bearer {token}"
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return await client.post(f"{url}/api/control", content=content, headers=said)


__all__ = ["ConnectionClosed", "Page", "acted", "asked", "page_opened", "start_with_page"]
