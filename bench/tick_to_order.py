"""Tick to order: from a book change leaving the exchange's socket to the complete order request arriving at it, over loopback.

    python bench/tick_to_order.py [--ticks 200]

This process is the simulated exchange, with a clock at its sockets; the program runs beside it, unmodified and as a process. Its cycle
has bought and keeps a sell on top of the asks. Each tick is somebody who undercuts that sell, or takes such an offer away again: the
cycle has to cancel its sell and place another; both go over the private websocket. Measured per tick:

    cancel         book change written to the exchange's socket → last byte of our cancellation read from it: the pure reaction
    replacement    the same → last byte of our placement, which may leave only when it is known what was filled
    after cancel   the sell's end written, by the order channel or as the answer → last byte of the placement
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import trio
from harness import ROOT, print_machine, print_table, quantile

import simulated.serving as serving
from market.clock import SystemWallClock
from market.events import Side
from market.symbol import Symbol
from simulated.gateio_spot.server import SimulatedGateioSpot
from simulated.house import House
from simulated.settings import MarketSettings, SimulationSettings

BTC_USDT = Symbol("BTC", "USDT")
PATIENCE_SECONDS = 20.0
# Between ticks: the book is pushed every 100 ms, and our own orders should be out of it before the next one.
PAUSE_SECONDS = 0.3
UNDERCUT_TICKS = 7
CANCEL, PLACE, ENDED = b'"spot.order_cancel"', b'"spot.order_place"', b'"event":"finish"'


class Watch:
    """Notes when what was looked for went through a socket of the exchange."""

    def __init__(self) -> None:
        self._looked_for = ""
        self.tick_sent_at = 0.0
        self.cancel_read_at = 0.0
        self.cancel_answered_at = 0.0
        self.place_read_at = 0.0
        self.placed = trio.Event()

    def look_for(self, price: str) -> None:
        """The next book change that names `price` is the tick."""
        self._looked_for = f'"{price}"'
        self.tick_sent_at = self.cancel_read_at = self.cancel_answered_at = self.place_read_at = 0.0
        self.placed = trio.Event()

    def sends(self, data: bytes) -> None:
        if not self.tick_sent_at:
            if self._looked_for and b"spot.order_book_update" in data and self._looked_for.encode() in data:
                self.tick_sent_at = time.perf_counter()
        elif (ENDED in data or CANCEL in data) and not self.cancel_answered_at:
            self.cancel_answered_at = time.perf_counter()

    def reads(self, message: bytes) -> None:
        now = time.perf_counter()
        if not self.tick_sent_at:
            return
        if CANCEL in message and not self.cancel_read_at:
            self.cancel_read_at = now
        elif PLACE in message and not self.place_read_at:
            self.place_read_at = now
            self.placed.set()


class WatchedStream:
    """A connection of the exchange; everything else of the stream is as it is."""

    def __init__(self, stream: trio.SocketStream, watch: Watch) -> None:
        self._stream = stream
        self._watch = watch
        self._pending = b""
        self._is_websocket = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def send_all(self, data: bytes) -> None:
        self._watch.sends(bytes(data))
        await self._stream.send_all(data)

    async def receive_some(self, bytes_max: int) -> bytes:
        data = bytes(await self._stream.receive_some(bytes_max))
        if self._is_websocket:
            self._pending += data
            while message := self._next_message():
                self._watch.reads(message)
        elif b"upgrade: websocket" in data.lower():
            self._is_websocket = True
        return data

    def _next_message(self) -> bytes | None:
        """The payload of the next whole frame; a client's are masked (RFC 6455, 5.2 and 5.3)."""
        data = self._pending
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        mask, end = data[start : start + 4], start + 4 + size
        if len(data) < end:
            return None
        self._pending = data[end:]
        return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data[start + 4 : end]))


def watch_sockets(watch: Watch) -> None:
    """Put the clock into every connection that the exchange accepts."""
    real: Callable[..., Any] = serving.serve_connection

    def watched(app: Any, stream: trio.SocketStream, **others: Any) -> Any:
        return real(app, WatchedStream(stream, watch), **others)

    serving.serve_connection = watched  # type: ignore[assignment]


async def measure(ticks: int) -> None:
    watch = Watch()
    watch_sockets(watch)
    settings = SimulationSettings(markets=(MarketSettings(),))
    exchange = SimulatedGateioSpot(settings, clock=SystemWallClock(), rng=random.Random(1))
    async with trio.open_nursery() as nursery:
        port = await nursery.start(exchange.run, "127.0.0.1", 0)
        exchange.control.freeze_flow()
        house = House(exchange.venue.engine, settings.markets[0], random.Random(2))
        with tempfile.TemporaryDirectory() as folder:
            path = trio.Path(folder, "bench.toml")
            await path.write_text(settings_text(exchange.rest_url("127.0.0.1", port), exchange.websocket_url("127.0.0.1", port)))
            command = [sys.executable, "-m", "assembly.command", str(path), "--plain"]
            program = await nursery.start(
                partial(trio.run_process, command, stdout=subprocess.DEVNULL, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False)
            )
            try:
                taken = await take_ticks(watch, exchange, house, ticks)
            finally:
                program.terminate()
                with trio.CancelScope(shield=True):
                    await program.wait()
        nursery.cancel_scope.cancel()
    names = ("cancel", "replacement", "after cancel")
    rows = [
        [name, *(f"{1000 * quantile(values, fraction):.2f}" for fraction in (0.5, 0.9, 0.99)), f"{1000 * statistics.fmean(values):.2f}"]
        for name, values in zip(names, zip(*taken, strict=True), strict=True)
    ]
    print_table([f"{len(taken)} ticks, ms", "p50", "p90", "p99", "mean"], rows)


def settings_text(rest_url: str, websocket_url: str) -> str:
    return f"""
[exchanges.gateio_spot]
mode = "simulated"
rest_url = "{rest_url}"
websocket_url = "{websocket_url}"

[accounts.main]
exchange = "gateio_spot"

[cycles.btc]
strategy = "sell_on_top"
account = "main"
symbol = "BTC_USDT"
quantity = 100
cycles = 0

[cycles.btc.parameters]
reprice_interval_seconds = 0
"""


async def take_ticks(watch: Watch, exchange: SimulatedGateioSpot, house: House, ticks: int) -> list[tuple[float, float, float]]:
    control = exchange.control
    with trio.fail_after(PATIENCE_SECONDS):
        while not control.open_orders():  # noqa: ASYNC110 - the exchange has no event for it; the buy is at market and never open
            await trio.sleep(0.05)
    await trio.sleep(1.0)
    tick_size = Decimal("0.1")
    offer: Decimal | None = None
    taken: list[tuple[float, float, float]] = []
    for number in range(ticks + 5):
        now = exchange.venue.now()
        if offer is None:
            ours = control.open_orders()[0].price
            assert ours is not None
            offer = ours - UNDERCUT_TICKS * tick_size
            watch.look_for(f"{offer}")
            house.set_level(Side.SELL, offer, Decimal("0.5"), now)
        else:
            watch.look_for(f"{offer}")
            house.set_level(Side.SELL, offer, Decimal(0), now)
            offer = None
        with trio.fail_after(PATIENCE_SECONDS):
            await watch.placed.wait()
        if number >= 5:  # the first ones find cold code
            taken.append(
                (
                    watch.cancel_read_at - watch.tick_sent_at,
                    watch.place_read_at - watch.tick_sent_at,
                    watch.place_read_at - watch.cancel_answered_at,
                )
            )
        await trio.sleep(PAUSE_SECONDS)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=200)
    arguments = parser.parse_args()
    print_machine()
    trio.run(measure, arguments.ticks)


if __name__ == "__main__":
    main()
