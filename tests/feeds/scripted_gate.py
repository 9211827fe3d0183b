"""A public Gate.io whose every bad day is scripted by the test: real HTTP and websocket over the simulated network."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from actors.feeds.actor import run_feed
from actors.feeds.gateio.spot import GateioSpotFeedCodec
from actors.feeds.publisher import FeedSubscriber
from actors.feeds.reports import FeedReport
from actors.feeds.settings import FeedSettings
from market.clock import VirtualWallClock
from market.events import BookChanged, BookLost, MarketEvent
from market.symbol import Symbol
from network.breaker import CircuitBreaker
from network.http import HttpClient
from network.limits import ExchangeLimits
from network.rate_limit import RateLimiter
from network.rest import RestClient
from network.simulated_network import SimulatedNetwork
from network.websocket import open_websocket
from simulated.serving import Connections, serve_app

BTC_USDT = Symbol("BTC", "USDT")
ETH_USDT = Symbol("ETH", "USDT")
HOST = "api.gate.sim"
PORT = 8101
Levels = dict[str, str]


class Bell:
    """Rung after every change that a test may wait for."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        self._rung.set()
        self._rung = trio.Event()

    async def wait_until(self, condition: Callable[[], object]) -> None:
        with trio.fail_after(600):  # of virtual time
            while not condition():
                await self._rung.wait()


class ScriptedBook:
    def __init__(self) -> None:
        self.sequence = 1000
        self.bids: Levels = {"99": "1", "98": "2"}
        self.asks: Levels = {"101": "1", "102": "2"}

    def snapshot(self) -> dict[str, Any]:
        return {"id": self.sequence, "update": 1, "bids": list(self.bids.items()), "asks": list(self.asks.items())}


class ScriptedGate:
    """The exchange. `change` moves a book and pushes the delta; everything else is a switch that a test throws."""

    def __init__(self) -> None:
        self.books = {"BTC_USDT": ScriptedBook(), "ETH_USDT": ScriptedBook()}
        self.listed = ["BTC_USDT", "ETH_USDT", "BTC_USDC"]
        self.rest_delay_seconds = 0.0
        self.snapshot_answers: dict[str, Callable[[], Response]] = {}
        self.refusals: Counter[str] = Counter()  # by pair: how many book subscriptions to refuse
        self.ignored_channels: set[str] = set()
        self.muted: set[str] = set()  # pairs whose deltas are not pushed
        self.answers_pings = True
        self.requests: Counter[str] = Counter()
        self.connections = Connections()
        self.subscribed: list[str] = []
        self.bell = Bell()
        self._sockets: list[WebSocket] = []
        self.app = Starlette(
            routes=[
                Route("/api/v4/spot/currency_pairs", self._currency_pairs),
                Route("/api/v4/spot/order_book", self._order_book),
                WebSocketRoute("/ws/v4/", self._websocket),
            ]
        )

    @property
    def open_websockets(self) -> int:
        return len(self._sockets)

    async def change(self, pair: str, *, bids: Levels | None = None, asks: Levels | None = None, lose: bool = False) -> int:
        """Change levels, as one delta; with `lose` the delta never leaves. Returns the book's new sequence."""
        book = self.books[pair]
        for side, changes in ((book.bids, bids or {}), (book.asks, asks or {})):
            side.update(changes)
            for price in [price for price, quantity in side.items() if quantity == "0"]:
                del side[price]
        book.sequence += 1
        result: dict[str, Any] = {"t": 1, "s": pair, "U": book.sequence, "u": book.sequence}
        result |= {"b": list((bids or {}).items()), "a": list((asks or {}).items())}
        if not lose and pair not in self.muted:
            await self.push({"channel": "spot.order_book_update", "event": "update", "result": result})
        return book.sequence

    async def push(self, message: object) -> None:
        """Send a frame to everybody: text as it is, anything else as JSON."""
        text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
        for socket in self._sockets:
            await socket.send_text(text)

    def drop_connections(self) -> None:
        """Every connection ends without a goodbye."""
        self.connections.abort_all()

    async def _currency_pairs(self, request: Request) -> Response:
        self.requests["currency_pairs"] += 1
        return json_response([{"id": pair, "precision": 2, "amount_precision": 4} for pair in self.listed])

    async def _order_book(self, request: Request) -> Response:
        pair = request.query_params["currency_pair"]
        self.requests[pair] += 1
        self.bell.ring()
        # The answer is made when the request comes and takes its time to arrive: a lagging snapshot.
        answer = self.snapshot_answers.get(pair, lambda: json_response(self.books[pair].snapshot()))()
        await trio.sleep(self.rest_delay_seconds)
        return answer

    async def _websocket(self, socket: WebSocket) -> None:
        await socket.accept()
        self._sockets.append(socket)
        try:
            with suppress(WebSocketDisconnect):
                while True:
                    await self._answer(socket, msgspec.json.decode(await socket.receive_text()))
        finally:
            self._sockets.remove(socket)

    async def _answer(self, socket: WebSocket, request: dict[str, Any]) -> None:
        channel = request["channel"]
        answer: dict[str, Any] = {"channel": channel, "event": request.get("event", ""), "id": request.get("id")}
        if channel == "spot.ping":
            if self.answers_pings:
                await socket.send_text('{"channel":"spot.pong","event":"","error":null,"result":null}')
            return
        if channel in self.ignored_channels:
            return
        pair = request["payload"][0]
        if channel == "spot.order_book_update" and self.refusals[pair] > 0:
            self.refusals[pair] -= 1
            answer |= {"error": {"code": 2, "message": f"unknown currency pair {pair}"}, "result": {"status": "fail"}}
        else:
            self.subscribed.append(f"{channel} {pair}")
            self.bell.ring()
            answer |= {"error": None, "result": {"status": "success"}}
        await socket.send_text(msgspec.json.encode(answer).decode())


def json_response(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


class Inbox:
    """A subscriber that keeps everything it was sent."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self.bell = Bell()

    def send_nowait(self, event: MarketEvent) -> None:
        self.events.append(event)
        self.bell.ring()

    async def wait(self, kind: type[Any], symbol: Symbol = BTC_USDT, since: int = 0, **wanted: object) -> Any:
        """The first event of `kind` about `symbol`, from the index `since` on, with these attributes; waits for it."""

        def matching() -> list[Any]:
            events = [event for event in self.events[since:] if isinstance(event, kind) and event.symbol == symbol]
            return [event for event in events if all(getattr(event, name) == value for name, value in wanted.items())]

        await self.bell.wait_until(matching)
        return matching()[0]

    def about(self, symbol: Symbol, kinds: tuple[type, ...] = (BookChanged, BookLost)) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds) and event.symbol == symbol]

    def is_usable(self, symbol: Symbol) -> bool:
        """Whether a reader would believe the book now."""
        return isinstance((self.about(symbol) or [None])[-1], BookChanged)


class Context:
    def __init__(self) -> None:
        self.is_started = trio.Event()
        self.progressed_at: list[float] = []

    def started(self) -> None:
        assert not self.is_started.is_set(), "a feed starts once"
        self.is_started.set()

    def progress(self) -> None:
        self.progressed_at.append(trio.current_time())


class World:
    """A scripted exchange, a network, and the feed under test."""

    def __init__(self, network: SimulatedNetwork, nursery: trio.Nursery) -> None:
        self.network = network
        self.gate = ScriptedGate()
        self.inbox = Inbox()
        self.context = Context()
        self.reports: list[FeedReport] = []
        self.reports_bell = Bell()
        self.subscriptions, self._subscriptions = trio.open_memory_channel[FeedSubscriber](10)
        self.feed_scope = trio.CancelScope()
        self.feed_ended = trio.Event()
        self._nursery = nursery

    async def run_feed(
        self,
        *symbols: Symbol,
        codec: Any = None,
        subscribers: list[FeedSubscriber] | None = None,
        settings: FeedSettings | None = None,
        **patience: Any,
    ) -> None:
        rng = random.Random(5)
        codec = codec or GateioSpotFeedCodec()
        limits = ExchangeLimits(RateLimiter(codec.rate_limits), CircuitBreaker(codec.identity.name, failures_max=1000))
        async with HttpClient(f"http://{HOST}:{PORT}") as http:
            await run_feed(
                codec=codec,
                rest=RestClient(http, limits, rng=rng),
                open_stream=lambda: open_websocket(f"ws://{HOST}:{PORT}/ws/v4/"),
                symbols=symbols,
                subscribers=subscribers or [FeedSubscriber(name="cycle", sender=self.inbox)],
                subscriptions=self._subscriptions,
                wall_clock=VirtualWallClock(),
                rng=rng,
                settings=settings or FeedSettings(**patience),
                context=self.context,
                report=self._take_report,
            )

    def start(self, *symbols: Symbol, **options: Any) -> None:
        """Run the feed beside the test, until `stop` or the world's end."""

        async def run() -> None:
            with self.feed_scope:
                await self.run_feed(*(symbols or (BTC_USDT,)), **options)
            self.feed_ended.set()

        self._nursery.start_soon(run)

    async def stop(self) -> None:
        self.feed_scope.cancel()
        await self.feed_ended.wait()

    def _take_report(self, report: FeedReport) -> None:
        self.reports.append(report)
        self.reports_bell.ring()

    async def wait_report(self, kind: type[Any]) -> Any:
        """The first report of `kind`; waits for it."""
        await self.reports_bell.wait_until(lambda: self.reported(kind))
        return self.reported(kind)[0]

    def reported(self, kind: type[Any]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    network = SimulatedNetwork(random.Random(3))
    network.add_host(HOST, "10.0.0.1")
    with network.install(), trio.fail_after(7200):
        async with trio.open_nursery() as nursery:
            world = World(network, nursery)

            async def serve(task_status: trio.TaskStatus[int]) -> None:
                await serve_app(
                    world.gate.app, HOST, PORT, connections=world.gate.connections, ping_interval_seconds=20.0, task_status=task_status
                )

            await nursery.start(serve)
            yield world
            nursery.cancel_scope.cancel()
