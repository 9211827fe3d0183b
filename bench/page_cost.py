"""What the page costs a busy run: processor without a page, with one that nobody has open, and with one and three open.

    python bench/page_cost.py [--rounds 12] [--seconds 5]

First in virtual time: the same world from the same seed without a page and with one that nobody has open, by turns; the processor time of
each is compared with that of the one beside it. Then two programs run side by side at one simulated exchange, each a process and an
account of its own: one has no page, the other has. In turns nobody, one and three have the page open; the processor time that each
program takes meanwhile is compared with that of the other in the very same seconds. Besides: how long a look at the run and a push take,
which is for how long trading may be held up by one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Any

import trio
from harness import ROOT, print_machine, print_table, quantile
from msgspec.structs import replace
from trio_websocket import ConnectionClosed, open_websocket_url

VIRTUAL_SECONDS = 120.0
ARMS = {"nobody": 0, "one page": 1, "three pages": 3}
MARKET = """
seed = 7
[[accounts]]
name = "without"
api_key = "key-of-without"
api_secret = "secret-of-without"
balances = { USDT = "100000", BTC = "2" }
[[accounts]]
name = "with"
api_key = "key-of-with"
api_secret = "secret-of-with"
balances = { USDT = "100000", BTC = "2" }
[[markets]]
symbol = "BTC_USDT"
maker_rate_per_second = 400.0
taker_rate_per_second = 20.0
"""
SETTINGS = """
[runtime]
guardian = false
control_socket = ""
installation = "{installation}"
{page}
[journal]
path = "journal.sqlite"
[exchanges.gateio_spot]
mode = "simulated"
rest_url = "{rest_url}"
websocket_url = "{websocket_url}"
[accounts.main]
exchange = "gateio_spot"
limits = {{ max_order_notional = 1000, max_position_notional = 100000, max_open_orders = 40 }}
[cycles.quotes]
strategy = "quoting"
account = "main"
symbol = "BTC_USDT"
quantity = 50
tick_seconds = 0.1
[cycles.quotes.parameters]
levels = 5
bid_spread_fraction = 0.0001
ask_spread_fraction = 0.0001
level_spacing_fraction = 0.0001
[cycles.rounds]
strategy = "sell_on_top"
account = "main"
symbol = "BTC_USDT"
quantity = 50
cycles = 0
tick_seconds = 0.1
"""


class Exchange:
    """A simulated exchange in a process of its own, with an account for each program."""

    def __init__(self, folder: Path) -> None:
        market = folder / "market.toml"
        market.write_text(MARKET)
        self._process = _started("simulated.command", "--json", "--port", "0", "--config", str(market))
        self.serving = _awaited(self._process, '"serving"')

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


class Run:
    """A program in a process of its own."""

    def __init__(self, folder: Path, exchange: Exchange, *, has_page: bool) -> None:
        name = "with" if has_page else "without"
        folder = folder / name
        folder.mkdir()
        self.timings = folder / "timings.json"
        settings = folder / "settings.toml"
        page = '[page]\nlisten = "127.0.0.1:0"' if has_page else ""
        urls = {key: exchange.serving[key] for key in ("rest_url", "websocket_url")}
        settings.write_text(SETTINGS.format(page=page, installation=name[:5], **urls))
        environment = {**os.environ, "GATEIO_API_KEY": f"key-of-{name}", "GATEIO_API_SECRET": f"secret-of-{name}"}
        self._program = _started(None, __file__, "--observed", str(self.timings), str(settings), "--json", environment=environment)
        self.url = str(_awaited(self._program, '"page_opened"')["url"]).replace("http", "ws") + "push" if has_page else ""
        _awaited(self._program, '"order_placed"')
        # Its output goes on to be read, or it would be dropped, which costs something else.
        self._reader = subprocess.Popen(["cat"], stdin=self._program.stdout, stdout=subprocess.DEVNULL)

    def cpu_seconds(self) -> float:
        """Processor time of the program so far."""
        tasks = Path(f"/proc/{self._program.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9

    def stop(self) -> None:
        self._program.terminate()
        self._program.wait(30)
        self._reader.terminate()
        self._reader.wait(30)


def _started(module: str | None, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, *(() if module is None else ("-m", module)), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _awaited(process: subprocess.Popen[str], wanted: str) -> dict[str, Any]:
    stdout: IO[str] | None = process.stdout
    assert stdout is not None
    for line in stdout:
        if wanted in line:
            return json.loads(line)
    raise SystemExit(f"a process ended before it said {wanted}: no figures")


@asynccontextmanager
async def open_page(url: str, counts: list[int]) -> AsyncGenerator[None]:
    """Somebody who reads all that is pushed."""

    async def read() -> None:
        with suppress(ConnectionClosed):
            while True:
                counts.append(len(await websocket.get_message()))

    async with open_websocket_url(url) as websocket, trio.open_nursery() as nursery:
        nursery.start_soon(read)
        yield
        nursery.cancel_scope.cancel()


async def compare(
    without: Run, having: Run, *, rounds: int, seconds: float
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, list[int]]]:
    """Of each arm, the shares of a core that the program with a page and the one without took in the same slices; and sizes of pushes."""
    shares: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    sizes: dict[str, list[int]] = {arm: [] for arm in ARMS}
    for number in range(rounds):
        for arm in list(ARMS)[number % len(ARMS) :] + list(ARMS)[: number % len(ARMS)]:
            async with AsyncExitStack() as pages:
                for _ in range(ARMS[arm]):
                    await pages.enter_async_context(open_page(having.url, sizes[arm]))
                await trio.sleep(0.5)  # the first push is the whole run, once
                began, before = time.monotonic(), (having.cpu_seconds(), without.cpu_seconds())
                await trio.sleep(seconds)
                passed, after = time.monotonic() - began, (having.cpu_seconds(), without.cpu_seconds())
            shares[arm].append(((after[0] - before[0]) / passed, (after[1] - before[1]) / passed))
    return shares, sizes


def in_virtual_time(rounds: int) -> None:
    """Print what one costs that nobody has open."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(rounds):
        for has_page in (False, True) if seed % 2 else (True, False):
            seconds[has_page].append(_virtual_minutes(seed, has_page=has_page))
    ratios = [having / without for without, having in zip(seconds[False], seconds[True], strict=True)]
    without, having = (statistics.median(seconds[has_page]) / VIRTUAL_SECONDS * 3600 for has_page in (False, True))
    header = ["s of processor per virtual hour, exchange included", "without", "open to nobody", "ratio, median", "ratio"]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print_table(header, [["one cycle in rounds", f"{without:.1f}", f"{having:.1f}", f"{statistics.median(ratios):.3f}", spread]])
    print()


def _virtual_minutes(seed: int, *, has_page: bool) -> float:
    from assembly.page.place import parse_place
    from assembly.settings import PageSettings
    from soak.worlds.world import World, run_world

    found: list[float] = []

    async def trade(world: World) -> None:
        world.network.add_host("localhost", "127.0.0.1")
        place = {"page": PageSettings(), "page_place": parse_place("127.0.0.1:8321")} if has_page else {}
        world.keeps_events = False
        world.launch(replace(world.settings(cycles=0), **place))
        await trio.sleep(10)
        began = time.process_time()
        await trio.sleep(VIRTUAL_SECONDS)
        found.append(time.process_time() - began)
        world.stop()
        await world.end()

    run_world(trade, seed=seed)
    return found[0]


def observed(timings: Path) -> None:
    """Be the program, with a clock around each push."""
    from assembly.command import main as run_command
    from assembly.page.composition import Composition, PageView

    found: dict[str, list[float]] = {"a look at the run": [], "a push, that look included": []}

    def timed(kind: type, name: str, what: str) -> None:
        method = getattr(kind, name)

        def call(self: object) -> object:
            began, number = time.thread_time(), getattr(self, "number", None)
            result = method(self)
            if result is not None or getattr(self, "number", None) != number:
                found[what].append(time.thread_time() - began)
            return result

        setattr(kind, name, call)

    timed(Composition, "refresh", "a look at the run")
    timed(PageView, "next", "a push, that look included")
    try:
        run_command()
    finally:
        timings.write_text(json.dumps(found))


def main() -> None:
    if "--observed" in sys.argv[1:2]:
        timings = Path(sys.argv[2])
        del sys.argv[1:3]
        observed(timings)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each slice (default: 5)")
    arguments = parser.parse_args()
    print_machine()
    in_virtual_time(arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder))
        without, having = (Run(Path(folder), exchange, has_page=has_page) for has_page in (False, True))
        try:
            time.sleep(3)  # the start is no normal operation
            shares, sizes = trio.run(lambda: compare(without, having, rounds=arguments.rounds, seconds=arguments.seconds))
        finally:
            without.stop()
            having.stop()
            exchange.stop()
        timings: dict[str, list[float]] = json.loads(having.timings.read_text())
    rows: list[list[str]] = []
    for arm, found in shares.items():
        ratios = [one / other for one, other in found]
        rows.append([
            arm,
            f"{100 * statistics.median(one for one, _ in found):.1f}",
            f"{100 * statistics.median(other for _, other in found):.1f}",
            f"{statistics.median(ratios):.3f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            f"{statistics.mean(sizes[arm]) / 1000:.1f}" if sizes[arm] else "-",
        ])  # fmt: skip
    print_table(["open", "% of a core", "% without a page", "ratio, median", "ratio", "push, kB"], rows)
    print()
    print_table(
        ["processor time on the program's one thread", "p50, ms", "p99, ms", "largest, ms"],
        [
            [what, f"{1000 * quantile(found, 0.5):.2f}", f"{1000 * quantile(found, 0.99):.2f}", f"{1000 * max(found):.2f}"]
            for what, found in timings.items()
        ],
    )


if __name__ == "__main__":
    main()
