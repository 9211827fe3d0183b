"""What telling of an event costs where it happens, and what it costs in all, once it is written.

    python bench/logs.py [--calls 200] [--rounds 100]

The rows are measured in turns, round after round, and each figure is the median of its rounds, so that what else the machine does meets
all of them alike. Both columns are processor time: *at the call* is what its caller pays, which for events is the way from frame to order;
*in all* is with the lines made and written to a file. An empty call is taken off both. (Named logging.py it would hide the standard
library's from the other benches.)
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import trio
from harness import ROOT, print_machine, print_table
from loguru import logger

from actors.accounts.credential import Credential
from assembly.logs import LogFile, Logs, start_logging
from assembly.output import DescriptorSink
from assembly.page.memory import PageMemory
from assembly.presenter.live_state import LiveState
from assembly.presenter.report import ExitStatus, RunReport
from assembly.presenter.stream import StreamPresenter, json_renderer
from assembly.redaction import redactor

sys.path.insert(0, str(ROOT / "tests" / "assembly"))

from presenter_samples import BOOK, EVENTS, FILL, TIME, partly_filled_sell, sell

from market.clock import SystemWallClock
from market.events import TradeHappened
from orders.events import OrderFilled, OrderPlaced

HAPPENED: dict[str, object] = {
    "book": BOOK,
    "public trade": next(event for event in EVENTS if isinstance(event, TradeHappened)),
    "order placed": OrderPlaced("main", sell()),
    "fill": OrderFilled("main", partly_filled_sell(), FILL),
}
REPORT = RunReport(time_milliseconds=TIME, exit_status=ExitStatus.CLEAN, reason="", seconds=1.0, orders={})


class Bench(msgspec.Struct, frozen=True):
    """`begin` makes what `call` is then called on, and `end` writes what is left."""

    begin: Callable[[Path], tuple[Callable[[], object], Callable[[], Awaitable[object]]]]


def to_log_file(level: str, event: object) -> Bench:
    def begin(folder: Path) -> tuple[Callable[[], object], Callable[[], Awaitable[object]]]:
        logs = _logs(folder, level)
        return lambda: logs.note(TIME, event), _closing(logs)

    return Bench(begin)


def to_stream(level: str, event: object) -> Bench:
    def begin(folder: Path) -> tuple[Callable[[], object], Callable[[], Awaitable[object]]]:
        descriptor = os.open(folder / "stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        presenter = StreamPresenter(
            DescriptorSink(descriptor),
            renderer=json_renderer,
            log_level=level,
            redact=REDACT,
            on_output_lost=print,
            finish_deadline_seconds=60,
        )

        async def end() -> None:
            await presenter.finish(REPORT)
            os.close(descriptor)

        return lambda: presenter.event(TIME, event), end

    return Bench(begin)


def to_live_view(event: object) -> Bench:
    def begin(_: Path) -> tuple[Callable[[], object], Callable[[], Awaitable[object]]]:
        state = LiveState(REDACT)

        async def end() -> None:
            state.news  # noqa: B018  put into words, as for a picture
            await trio.lowlevel.checkpoint()

        return lambda: state.fold(TIME, event), end

    return Bench(begin)


def to_all(level: str, event: object) -> Bench:
    """As a run with a log file, ``--json`` and a page tells it, in one step."""

    def begin(folder: Path) -> tuple[Callable[[], object], Callable[[], Awaitable[object]]]:
        (note, close), (present, finish) = to_log_file(level, event).begin(folder), to_stream(level, event).begin(folder)
        memory, clock = PageMemory(wall_clock=CLOCK), CLOCK

        def tell() -> None:
            memory.note(event)
            clock.milliseconds()
            note()
            present()

        async def end() -> None:
            await close()
            await finish()

        return tell, end

    return Bench(begin)


def through_loguru(level: str) -> Bench:
    def begin(folder: Path) -> tuple[Callable[[], object], Callable[[], Awaitable[object]]]:
        logs = _logs(folder, level)
        return lambda: logger.debug("order {} placed at {}", "mm-btc-abc2", 61234.5), _closing(logs)

    return Bench(begin)


def nothing() -> Bench:
    return Bench(lambda _: (lambda: None, trio.lowlevel.checkpoint))


CLOCK = SystemWallClock()
REDACT = redactor([Credential(key="k" * 32, secret="s" * 64)])


def _logs(folder: Path, level: str) -> Logs:
    return start_logging(level=level, redact=REDACT, writes_to_stderr=False, file=LogFile(path=folder / "run.log", bytes_max=10**9))


def _closing(logs: Logs) -> Callable[[], Awaitable[object]]:
    async def close() -> None:
        await logs.close(deadline_seconds=60)

    return close


async def measure(benches: dict[str, Bench], *, calls: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Microseconds at the call and in all."""
    at_the_call: dict[str, list[float]] = {name: [] for name in benches}
    in_all: dict[str, list[float]] = {name: [] for name in benches}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, bench in benches.items():
                call, end = bench.begin(Path(folder))
                began = time.process_time()
                for _ in range(calls):
                    call()
                at_the_call[name].append((time.process_time() - began) / calls * 1e6)
                await end()
                in_all[name].append((time.process_time() - began) / calls * 1e6)
    return {name: (statistics.median(at_the_call[name]), statistics.median(in_all[name])) for name in benches}


def main() -> None:
    parser = argparse.ArgumentParser(description="What telling of an event costs.")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    print_machine()
    benches = {"nothing": nothing()}
    for name, event in HAPPENED.items():
        for level in ("INFO", "DEBUG"):
            benches[f"{name}, log file at {level}"] = to_log_file(level, event)
            benches[f"{name}, --json at {level}"] = to_stream(level, event)
        benches[f"{name}, live view"] = to_live_view(event)
        for level in ("INFO", "DEBUG"):
            benches[f"{name}, log file, --json and page at {level}"] = to_all(level, event)
    benches["logger.debug(…) at INFO"] = through_loguru("INFO")
    benches["logger.debug(…) at DEBUG"] = through_loguru("DEBUG")
    found = trio.run(lambda: measure(benches, calls=arguments.calls, rounds=arguments.rounds))
    empty_call, empty = found.pop("nothing")
    print_table(
        ("what", "at the call, us", "in all, us"),
        [(name, f"{max(0.0, call - empty_call):.2f}", f"{max(0.0, whole - empty):.2f}") for name, (call, whole) in found.items()],
    )


if __name__ == "__main__":
    main()
