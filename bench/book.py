"""What one book update costs from the frame to the cycle's inbox, step by step, through the real Gate.io codec.

    python bench/book.py [--updates 20000] [--repeats 5]

Frames are made once, as Gate.io writes them, for a book of 100 levels a side whose changes crowd at the top, and are then fed to the
same code again and again. Each row contains the steps of the rows above it. The last rows compare two kinds of numbers in the book:
floats as they are used, and decimals, with the same algorithm.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import cast

import msgspec
import trio
from harness import print_machine, print_table

from actors.channels.latest import LatestReceiver, LatestSender, open_latest
from actors.cycle.inbox import CycleInput, inbox_key
from actors.feeds.book_keeper import BookKeeper
from actors.feeds.book_sync import BookSynchroniser
from actors.feeds.codec import BookDeltaDecoded, BookSnapshotDecoded
from actors.feeds.gateio.spot import GateioSpotFeedCodec
from actors.feeds.ports import PublicRest
from actors.feeds.publisher import FeedSubscriber, Publisher
from actors.feeds.settings import FeedSettings
from actors.feeds.tracked_book import TrackedBook
from market.book import OrderBook
from market.symbol import Symbol
from network.backoff import Backoff

BTC_USDT = Symbol("BTC", "USDT")
LEVELS = 100
TICK = 0.1
START = 60_000.0


class NoLink:
    """The connection of a book that nothing ever goes wrong with."""

    def start(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        pass

    def end(self, reason: str) -> None:
        raise RuntimeError(reason)

    async def renew_subscription(self, symbol: Symbol) -> None:
        raise RuntimeError(f"nothing renews {symbol} here")


class Bench:
    """A feed without a socket: codec, keeper, publisher and a cycle's inbox."""

    def __init__(self) -> None:
        self.codec = GateioSpotFeedCodec()
        ends: tuple[LatestSender[CycleInput], LatestReceiver[CycleInput]] = open_latest(inbox_key, 100)
        self.inbox_sender, self.inbox = ends
        settings = FeedSettings(resyncs_max=1_000_000)
        self.publisher = Publisher("gateio_spot", [BTC_USDT], _ignore)
        self.publisher.add(FeedSubscriber(name="cycle", sender=self.inbox_sender, symbols=frozenset({BTC_USDT})))
        backoff = Backoff(0.25, 2.0, 20.0, 0.5, random.Random(1))
        self.synchroniser = BookSynchroniser(
            BTC_USDT, self.codec.sequence_rule, buffer_max=1000, checksum_agrees=self.codec.checksum_agrees
        )
        self.keeper = BookKeeper(
            NoLink(),
            [TrackedBook(self.synchroniser, backoff, settings.resync_period_seconds)],
            codec=self.codec,
            rest=cast(PublicRest, None),  # never asked: nothing is missing
            publisher=self.publisher,
            settings=settings,
            report=_ignore,
            became_whole=_ignore,
        )

    def begin(self) -> None:
        """A whole book at sequence 1, as after a snapshot."""
        self.keeper.close("again")
        self.keeper.open()
        self.keeper.confirm(BTC_USDT, trio.current_time())
        bids = [(round(START - TICK * (1 + level), 1), 1.0) for level in range(LEVELS)]
        asks = [(round(START + TICK * (1 + level), 1), 1.0) for level in range(LEVELS)]
        snapshot = BookSnapshotDecoded(symbol=BTC_USDT, bids=bids, asks=asks, sequence=1, exchange_time_milliseconds=0)
        self.synchroniser.apply_snapshot(snapshot, self.synchroniser.generation)

    def apply(self, frames: list[str]) -> None:
        for frame in frames:
            for message in self.codec.decode_frame(frame, 0.0):
                self.keeper.apply_delta(cast(BookDeltaDecoded, message), 1.0)

    def apply_and_receive(self, frames: list[str]) -> None:
        """As a cycle that looks after each update."""
        for frame in frames:
            for message in self.codec.decode_frame(frame, 0.0):
                self.keeper.apply_delta(cast(BookDeltaDecoded, message), 1.0)
            self.inbox.receive_nowait()

    def decode(self, frames: list[str]) -> None:
        for frame in frames:
            self.codec.decode_frame(frame, 0.0)

    def decode_and_apply(self, frames: list[str], book: OrderBook) -> None:
        for frame in frames:
            for message in self.codec.decode_frame(frame, 0.0):
                delta = cast(BookDeltaDecoded, message)
                book.apply(delta.bids, delta.asks, delta.last_sequence)


def _ignore(event: object) -> None:
    pass


def make_frames(count: int, changes: int) -> list[str]:
    """Updates of `changes` levels each, most of them near the top; a third of them take a level away or bring it back."""
    rng = random.Random(7)
    frames: list[str] = []
    for number in range(count):
        sides: dict[str, list[list[str]]] = {"b": [], "a": []}
        for _ in range(changes):
            side, sign = rng.choice((("b", -1), ("a", 1)))
            price = START + sign * TICK * (1 + min(LEVELS - 1, int(rng.expovariate(0.15))))
            quantity = "0" if rng.random() < 0.17 else f"{rng.random() * 3:.6f}"
            sides[side].append([f"{price:.1f}", quantity])
        result = {
            "t": 1_790_000_000_000 + number,
            "e": "depthUpdate",
            "E": 1_790_000_000,
            "s": "BTC_USDT",
            "U": number + 2,
            "u": number + 2,
            **sides,
        }
        message = {
            "time": 1_790_000_000,
            "time_ms": 1_790_000_000_000,
            "channel": "spot.order_book_update",
            "event": "update",
            "result": result,
        }
        frames.append(msgspec.json.encode(message).decode())
    return frames


# Numbers of the book


class DecimalLevels(msgspec.Struct):
    """The part of an update that the comparison needs."""

    b: list[tuple[Decimal, Decimal]]
    a: list[tuple[Decimal, Decimal]]


class FloatLevels(msgspec.Struct):
    """The same, as floats."""

    b: list[tuple[float, float]]
    a: list[tuple[float, float]]


class DecimalSide:
    """The book's algorithm (see `market.book`) on decimals."""

    def __init__(self) -> None:
        self.quantities: dict[Decimal, Decimal] = {}
        self.prices: list[Decimal] = []

    def apply(self, levels: list[tuple[Decimal, Decimal]]) -> None:
        quantities, prices = self.quantities, self.prices
        for price, quantity in levels:
            if quantity:
                if price not in quantities:
                    insort(prices, price)
                quantities[price] = quantity
            elif price in quantities:
                del quantities[price]
                del prices[bisect_left(prices, price)]


def apply_floats(bodies: list[bytes]) -> None:
    decoder = msgspec.json.Decoder(FloatLevels, strict=False)
    book = OrderBook()
    for number, body in enumerate(bodies):
        levels = decoder.decode(body)
        book.apply(levels.b, levels.a, number)


def apply_decimals(bodies: list[bytes]) -> None:
    decoder = msgspec.json.Decoder(DecimalLevels)
    bids, asks = DecimalSide(), DecimalSide()
    for body in bodies:
        levels = decoder.decode(body)
        bids.apply(levels.b)
        asks.apply(levels.a)


def microseconds(work: Callable[[], None], count: int, repeats: int, before: Callable[[], None] | None = None) -> tuple[float, float]:
    """Median and best of several runs, per update. The best is what the machine can do when left alone."""
    taken: list[float] = []
    for _ in range(repeats):
        if before is not None:
            before()
        began = time.process_time()
        work()
        taken.append((time.process_time() - began) / count * 1e6)
    return statistics.median(taken), min(taken)


async def measure(updates: int, repeats: int) -> None:
    bench = Bench()
    sizes = (2, 8, 30)
    rows: dict[str, list[str]] = {}

    def add(name: str, work: Callable[[], None], before: Callable[[], None] | None = None) -> None:
        median, best = microseconds(work, updates, repeats, before)
        rows.setdefault(name, []).append(f"{median:.1f} ({best:.1f})")

    ratios: list[str] = []
    for changes in sizes:
        frames = make_frames(updates, changes)
        bodies = [msgspec.json.encode(msgspec.json.decode(frame)["result"]) for frame in frames]
        add("decode the frame", partial(bench.decode, frames))
        add("and change the bare book", lambda frames=frames: bench.decode_and_apply(frames, OrderBook()))
        add("and check the sequence, publish to a cycle", partial(bench.apply, frames), bench.begin)
        add("and the cycle takes each", partial(bench.apply_and_receive, frames), bench.begin)
        floats = microseconds(partial(apply_floats, bodies), updates, repeats)[1]
        decimals = microseconds(partial(apply_decimals, bodies), updates, repeats)[1]
        ratios.append(f"{decimals / floats:.2f}")
    print_table(
        ["processor time per update, us: median (best)", *(f"{changes} levels" for changes in sizes)],
        [[name, *cells] for name, cells in rows.items()],
    )
    print()
    print_table(["decoding and changing a book", *(f"{changes} levels" for changes in sizes)], [["with decimals, floats = 1", *ratios]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print_machine()
    trio.run(measure, arguments.updates, arguments.repeats)


if __name__ == "__main__":
    main()
