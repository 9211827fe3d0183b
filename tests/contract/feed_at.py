"""The real feed actor at a simulated exchange, without the rest of the program, in virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import trio

from actors.feeds.actor import run_feed
from actors.feeds.codec import FeedCodec
from actors.feeds.ports import FrameStream, PublicRest
from actors.feeds.publisher import EventSender, FeedSubscriber
from actors.feeds.reports import FeedReport
from actors.feeds.settings import FeedSettings
from market.clock import VirtualWallClock
from market.symbol import Symbol
from network.breaker import CircuitBreaker
from network.deterministic import run_deterministically
from network.http import HttpClient
from network.limits import ExchangeLimits
from network.rate_limit import RateLimiter
from network.rest import RestClient
from network.simulated_network import SimulatedNetwork
from network.url import parse_url
from network.websocket import open_websocket
from simulated.exchange import SimulatedExchange
from simulated.registry import make_exchange
from simulated.settings import SimulationSettings

HOST, ADDRESS, PORT = "exchange.sim", "10.0.0.2", 80
SYMBOLS = (Symbol("BTC", "USDT"), Symbol("ETH", "USDT"))
Result = TypeVar("Result")


class FeedWorld:
    """One simulated exchange, and any number of feeds of it. Made by `run_feed_world`."""

    def __init__(self, name: str, seed: int, exchange: SimulatedExchange, clock: VirtualWallClock) -> None:
        self.name = name
        self.exchange = exchange
        self._seed = seed
        self._clock = clock

    async def follow(
        self,
        which: str,
        codec: FeedCodec,
        sender: EventSender,
        *,
        settings: FeedSettings,
        report: Callable[[FeedReport], None] = lambda _: None,
        through: Callable[[FrameStream], FrameStream] = lambda stream: stream,
        rest_through: Callable[[PublicRest], PublicRest] = lambda rest: rest,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run a feed of `SYMBOLS` until cancelled; `started` once its books are whole.

        `through` is given every stream that is opened, and `rest_through` the REST client: the feed gets what they return.
        """
        url = self.exchange.websocket_url(HOST, PORT)

        @asynccontextmanager
        async def open_stream() -> AsyncGenerator[FrameStream]:
            async with open_websocket(url) as stream:
                yield through(stream)

        context = _Context()
        limits = ExchangeLimits(RateLimiter(dict(codec.rate_limits)), CircuitBreaker(self.name, on_change=lambda _: None))
        async with HttpClient(parse_url(self.exchange.rest_url(HOST, PORT)).origin) as http, trio.open_nursery() as nursery:
            rest = RestClient(http, limits, rng=random.Random(f"{self._seed}:{which}:rest"))
            nursery.start_soon(
                partial(
                    run_feed,
                    codec=codec,
                    rest=rest_through(rest),
                    open_stream=open_stream,
                    symbols=SYMBOLS,
                    subscribers=[FeedSubscriber(name=which, sender=sender, wants_trades=True)],
                    wall_clock=self._clock,
                    rng=random.Random(f"{self._seed}:{which}:feed"),
                    settings=settings,
                    context=context,
                    report=report,
                )
            )
            await context.is_ready.wait()
            task_status.started()


class _Context:
    """Whoever started the feed."""

    def __init__(self) -> None:
        self.is_ready = trio.Event()

    def started(self) -> None:
        self.is_ready.set()

    def progress(self) -> None:
        pass


def run_feed_world(
    name: str, story: Callable[[FeedWorld, trio.Nursery], Awaitable[Result]], *, seed: int, simulation: SimulationSettings
) -> Result:
    """Let `story` happen at the exchange called `name`; what it leaves in its nursery is cancelled at its end."""

    async def run() -> Result:
        clock = VirtualWallClock()
        network = SimulatedNetwork(random.Random(f"{seed}:network"))
        network.add_host(HOST, ADDRESS)
        exchange = make_exchange(name, simulation, clock=clock, rng=random.Random(f"{seed}:exchange"))
        with network.install():
            async with trio.open_nursery() as nursery:
                await nursery.start(exchange.run, ADDRESS, PORT)
                result = await story(FeedWorld(name, seed, exchange, clock), nursery)
                nursery.cancel_scope.cancel()
        return result

    return run_deterministically(run, seed=seed)
