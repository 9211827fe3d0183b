"""What measuring costs: an observation, a frame's way from the stream into a cycle's inbox, and being asked for all of it.

    python bench/cost_of_measuring.py [--before CHECKOUT] [--turns 15]

The frame takes the whole way of a feed's connection but for the socket: received, decoded, judged, applied, published. With another
checkout of this program, both are run in turns, each time in a process of its own, and the ratio of each turn is told: of processor time,
so that a busy machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import inspect
import json
import random
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import trio

ROOT = Path(__file__).resolve().parent.parent
FRAMES = 20_000
LEVELS = 50
START, TICK = 60_000.0, 0.1


class FrameList:
    """A stream that has these frames, each a checkpoint away, once the book is whole, and then breaks."""

    def __init__(self, first: str, frames: Sequence[str], *, lost: Callable[[str], Exception]) -> None:
        self.whole = trio.Event()
        self.seconds = 0.0
        self._first: str | None = first
        self._frames = iter(frames)
        self._lost = lost
        self._began_at = 0.0

    async def receive(self) -> str:
        await trio.lowlevel.checkpoint()
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if not self._began_at:
            await self.whole.wait()
            self._began_at = time.process_time()
        frame = next(self._frames, None)
        if frame is None:
            self.seconds = time.process_time() - self._began_at
            raise self._lost("that was all")
        return frame

    async def send(self, message: object) -> None:
        await trio.lowlevel.checkpoint()


class Snapshots:
    """A REST client that always answers with the book at 1."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    async def send(self, *_: object, **__: object) -> Any:
        await trio.lowlevel.checkpoint()
        return self._answer


class NoContext:
    def started(self) -> None: ...

    def progress(self) -> None: ...


async def one_frame_in_ns() -> float:
    """On the average of one connection's life, by whatever checkout comes first on the path."""
    from actors.channels.latest import open_latest
    from actors.cycle.inbox import inbox_key
    from actors.feeds.book_sync import BookSynchroniser
    from actors.feeds.connection import Connection
    from actors.feeds.gateio.spot import GateioSpotFeedCodec
    from actors.feeds.publisher import FeedSubscriber, Publisher
    from actors.feeds.settings import FeedSettings
    from actors.feeds.tracked_book import TrackedBook
    from market.clock import SystemWallClock
    from market.symbol import Symbol
    from network.backoff import Backoff
    from network.errors import ConnectionLost
    from network.http import HttpResponse

    any_of: Any = lambda value: value  # noqa: E731 - what this is given stands in for parts that it does not use
    symbol, codec = Symbol("BTC", "USDT"), GateioSpotFeedCodec()
    sender, _ = open_latest(any_of(inbox_key), 100)
    publisher = Publisher("gateio_spot", [symbol], lambda _: None)
    publisher.add(FeedSubscriber(name="cycle", sender=any_of(sender), symbols=frozenset({symbol})))
    backoff = Backoff(0.25, 2.0, 20.0, 0.5, random.Random(1))
    book = TrackedBook(BookSynchroniser(symbol, codec.sequence_rule), backoff, 60.0)
    stream = FrameList(
        confirmation(), [delta(number) for number in range(2, FRAMES + 2)], lost=lambda why: ConnectionLost(why, code=1000, reason=why)
    )
    measures: dict[str, Any] = {}
    if "measures" in inspect.signature(Connection).parameters:
        from actors.feeds.measures import FeedMeasures

        measures["measures"] = FeedMeasures()
    connection = Connection(
        codec=codec,
        rest=any_of(Snapshots(HttpResponse(status=200, headers={}, body=snapshot()))),
        stream=any_of(stream),
        books=[book],
        publisher=publisher,
        wall_clock=SystemWallClock(),
        new_backoff=lambda: backoff,
        settings=FeedSettings(max_age_seconds=3600.0),
        context=NoContext(),
        report=lambda _: None,
        became_whole=lambda _: stream.whole.set(),
        **measures,
    )
    await connection.run()
    assert book.synchroniser.book.sequence == FRAMES + 1, "every frame has come into the book"
    return stream.seconds / FRAMES * 1e9


def confirmation() -> str:
    answer = {"time": 1, "time_ms": 1, "id": 1, "channel": "spot.order_book_update", "event": "subscribe", "result": {"status": "success"}}
    return json.dumps(answer)


def snapshot() -> bytes:
    sides = {
        name: [[f"{START + sign * TICK * (1 + level):.1f}", "1"] for level in range(LEVELS)] for name, sign in (("bids", -1), ("asks", 1))
    }
    return json.dumps({"id": 1, "current": 1, "update": 1, **sides}).encode()


def delta(number: int) -> str:
    """Eight levels, most of them near the top."""
    rng = random.Random(number)
    sides: dict[str, list[list[str]]] = {"b": [], "a": []}
    for _ in range(8):
        side, sign = rng.choice((("b", -1), ("a", 1)))
        price = START + sign * TICK * (1 + min(LEVELS - 1, int(rng.expovariate(0.15))))
        sides[side].append([f"{price:.1f}", "0" if rng.random() < 0.17 else f"{rng.random() * 3:.6f}"])
    result = {"t": 1, "e": "depthUpdate", "E": 1, "s": "BTC_USDT", "U": number, "u": number, **sides}
    return json.dumps({"time": 1, "time_ms": 1, "channel": "spot.order_book_update", "event": "update", "result": result})


def of_checkout(checkout: Path) -> float:
    """The same in a process of its own, by that checkout."""
    path = f"import runpy, sys; sys.path.insert(0, {str(checkout)!r}); sys.argv = ['bench', '--frame']"
    code = f"{path}; runpy.run_path({__file__!r}, run_name='__main__')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=checkout)
    return float(told.stdout)


def print_observations() -> None:
    from actors.accounts.measures import AccountMeasures, RequestKind
    from actors.cycle.cause import message_time
    from market.events import BookChanged
    from market.symbol import Symbol
    from measuring.histogram import Histogram
    from orders.events import OrderChanged, OrderEnded, OrderPlaced, OrderSubmitted
    from orders.life_cycle import OrderState
    from orders.order import Order, Transport
    from tests.accounts.scripted_account import sell

    histogram, measures, symbol = Histogram(), AccountMeasures(("btc",)), Symbol("BTC", "USDT")
    book = BookChanged("gateio_spot", symbol, ((1.0, 1.0),), ((2.0, 1.0),), 7, 1, 0, 0.5)
    newer = BookChanged("gateio_spot", symbol, ((1.0, 1.0),), ((2.0, 1.0),), 8, 1, 0, 0.6)
    order = Order(request=sell("mm-btc-1"), state=OrderState.CANCELLED, sent=True, sent_at=0.7, transport=Transport.WEBSOCKET)
    told = [OrderChanged("main", order), OrderSubmitted("main", order), OrderPlaced("main", order), OrderEnded("main", order)]

    def one_reaction() -> None:
        """From the message that has an order replaced until that is acknowledged: two requests, and what is told of both."""
        message_time(newer, book)
        for request in (RequestKind.CANCEL, RequestKind.PLACE):
            measures.left(request, Transport.WEBSOCKET, 0.5)
        for event in (*told, told[0], told[0]):
            measures.note(event)

    async def measure() -> list[float]:
        calls: list[Callable[[], object]] = [lambda: histogram.observe(0.0003), trio.current_time, one_reaction, lambda: None]
        return [min(timeit.repeat(call, number=1_000, repeat=200)) / 1_000 * 1e9 for call in calls]

    observe, clock, reaction, nothing = trio.run(measure)
    print(f"an observation {observe - nothing:.0f} ns, the time {clock - nothing:.0f} ns")
    print(f"all that a replaced order adds, from the message to the acknowledgement: {(reaction - nothing) / 1000:.1f} us\n")


def print_asking() -> None:
    """Of a run with one cycle that has traded for a minute."""
    from tests.scenarios.world import World, run_world

    async def story(world: World) -> None:
        await world.start(cycles=0)
        await trio.sleep(60)
        assert world.runtime is not None
        metrics = world.runtime.make_metrics()
        at_once = min(timeit.repeat(metrics.exposition, number=1, repeat=20))
        pauses = [await longest_pause(metrics.scrape) for _ in range(20)]
        lines = metrics.exposition().count(b"\n")
        print(
            f"an exposition of {lines} lines, at once: {1000 * at_once:.1f} ms; in steps, the longest pause: {1000 * min(pauses):.1f} ms\n"
        )
        world.stop()
        await world.end()

    run_world(story, seed=1)


async def longest_pause(work: Callable[[], Awaitable[object]]) -> float:
    """For how long nobody else gets a turn while it is done."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began_at = time.perf_counter()
            await trio.lowlevel.checkpoint()
            longest = max(longest, time.perf_counter() - began_at)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.lowlevel.checkpoint()
        longest = 0.0
        await work()
        nursery.cancel_scope.cancel()
    return longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout, without what is to be measured")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--frame", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.frame:
        print(trio.run(one_frame_in_ns))
        return
    from harness import print_machine, print_table

    print_machine()
    print_observations()
    print_asking()
    if arguments.before is None:
        now = [of_checkout(ROOT) for _ in range(arguments.turns)]
        print(f"a frame from the stream to the inbox: {statistics.median(now) / 1000:.2f} us ({min(now) / 1000:.2f} at best)")
        return
    pairs = [(of_checkout(arguments.before), of_checkout(ROOT)) for _ in range(arguments.turns)]
    ratios = sorted(now / before for before, now in pairs)
    rows = [
        [name, f"{statistics.median(values) / 1000:.2f}", f"{min(values) / 1000:.2f}"]
        for name, values in zip(("before", "now"), zip(*pairs, strict=True), strict=True)
    ]
    print_table(["a frame, us of processor", "median", "best"], rows)
    quartiles = statistics.quantiles(ratios, n=4)
    print(f"\nnow / before, by turn: median {statistics.median(ratios):.3f}, quartiles {quartiles[0]:.3f} to {quartiles[2]:.3f}")


if __name__ == "__main__":
    main()
