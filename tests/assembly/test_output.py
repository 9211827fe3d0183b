"""Output that must never block: the pump and its sinks, and a pipe that nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import trio
import trio.testing
from collecting_sink import BlockedSink, BrokenSink, CollectingSink

from assembly.output import DescriptorSink, Outlet, Pump


def render(items: Sequence[int], dropped: int) -> str:
    return (f"dropped {dropped}\n" if dropped else "") + "".join(f"{item}\n" for item in items)


def unexpected(reason: str) -> None:
    raise AssertionError(reason)


async def test_pump_writes_items_in_order(nursery: trio.Nursery) -> None:
    sink = CollectingSink()
    pump = Pump[int](sink, render=render, on_lost=unexpected)
    await nursery.start(pump.run)
    for number in range(1000):
        pump.put(number)
    await trio.testing.wait_all_tasks_blocked()
    assert sink.lines == [str(number) for number in range(1000)]


async def test_pump_whose_sink_blocks_drops_the_oldest_and_says_how_many(nursery: trio.Nursery) -> None:
    sink = BlockedSink()
    pump = Pump[int](sink, render=render, on_lost=unexpected, capacity=3)
    await nursery.start(pump.run)
    pump.put(0)
    await trio.testing.wait_all_tasks_blocked()  # the writer has taken it and is stuck
    for number in range(1, 11):
        pump.put(number)
    assert pump.dropped == 7
    sink.release.set()
    await trio.testing.wait_all_tasks_blocked()
    assert sink.lines == ["0", "dropped 7", "8", "9", "10"]


async def test_pump_finishes_what_a_cancelled_run_left_and_then_the_closing_text() -> None:
    sink = CollectingSink()
    pump = Pump[int](sink, render=render, on_lost=unexpected)
    pump.put(1)
    assert await pump.finish(lambda: "the end\n", deadline_seconds=1)
    assert sink.lines == ["1", "the end"]


async def test_pump_loses_nothing_to_a_cancellation_however_far_its_run_had_come() -> None:
    for steps in range(8):
        reader, writer = os.pipe()
        pump = Pump[int](DescriptorSink(writer), render=render, on_lost=unexpected)
        async with trio.open_nursery() as nursery:
            await nursery.start(pump.run)
            pump.put(1)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert await pump.finish(deadline_seconds=10)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            assert pipe.read() == "1\n", f"cancelled after {steps} steps"


async def test_pump_finishes_although_its_caller_is_cancelled() -> None:
    sink = CollectingSink()
    pump = Pump[int](sink, render=render, on_lost=unexpected)
    with trio.CancelScope() as scope:
        scope.cancel()
        assert await pump.finish(lambda: "the end\n", deadline_seconds=1)
    assert sink.text == "the end\n"


async def test_pump_gives_up_finishing_at_its_deadline(autojump_clock: trio.testing.MockClock) -> None:
    pump = Pump[int](BlockedSink(), render=render, on_lost=unexpected)
    pump.put(1)
    assert not await pump.finish(deadline_seconds=2)
    assert trio.current_time() == 2.0


async def test_pump_whose_sink_breaks_says_so_once_and_discards_the_rest(nursery: trio.Nursery) -> None:
    reasons: list[str] = []
    sink = BrokenSink()
    pump = Pump[int](sink, render=render, on_lost=reasons.append)
    await nursery.start(pump.run)
    for number in range(3):
        pump.put(number)
        await trio.testing.wait_all_tasks_blocked()
    assert not await pump.finish(lambda: "the end\n", deadline_seconds=1)
    assert (reasons, sink.writes) == (["its reader has gone"], 1)


class BreakingSink(BlockedSink):
    """Blocks, then breaks."""

    async def write(self, text: str) -> None:
        await super().write(text)
        raise BrokenPipeError


async def test_outlet_that_breaks_under_two_writers_says_so_once() -> None:
    reasons: list[str] = []
    sink = BreakingSink()
    outlet = Outlet(sink, on_lost=reasons.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outlet.write, "one")
        nursery.start_soon(outlet.write, "two")
        await trio.testing.wait_all_tasks_blocked()
        sink.release.set()
    assert len(reasons) == 1


async def test_descriptor_of_a_closed_pipe_is_reported_as_lost() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    reasons: list[str] = []
    pump = Pump[int](DescriptorSink(writer), render=render, on_lost=reasons.append)
    pump.put(1)
    assert not await pump.finish(deadline_seconds=5)
    assert reasons == ["its reader has gone"]
    os.close(writer)


async def test_descriptor_that_is_non_blocking_gets_everything_in_order() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sink = DescriptorSink(writer)
    text = "".join(f"{number}\n" for number in range(50_000))  # more than a pipe holds
    received: list[bytes] = []

    def read() -> None:
        while data := os.read(reader, 65536):
            received.append(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, read)
        try:
            await sink.write(text)
        finally:
            os.close(writer)
    os.close(reader)
    assert b"".join(received).decode() == text


async def test_descriptor_write_that_was_cancelled_comes_before_the_next() -> None:
    reader, writer = os.pipe()
    sink = DescriptorSink(writer)
    with trio.CancelScope() as scope:
        scope.cancel()
        await sink.write("first\n")
    await sink.write("second\n")
    assert os.read(reader, 100) == b"first\nsecond\n"
    os.close(reader)
    os.close(writer)


BLOCKED_PROGRAM = """
import sys, time, trio
from presenter_samples import BOOK, TIME, EVENTS, run_report, tree
from assembly.arguments import OutputForm
from assembly.output import DescriptorSink
from assembly.presenter.presenter import open_presenter
from market.clock import SystemWallClock

async def main():
    presenter = open_presenter(
        OutputForm[sys.argv[1]], sink=DescriptorSink(1), is_terminal=True, environment={"TERM": "xterm"}, log_level="DEBUG",
        on_output_lost=lambda reason: None, actors=tree, book_max_age_seconds_by_exchange={}, cycles_wanted={"btc": 1},
        markets={}, wall_clock=SystemWallClock(),
        finish_deadline_seconds=0.2,
    )
    slowest = 0.0
    async with trio.open_nursery() as nursery:
        await nursery.start(presenter.run)
        for _ in range(60):
            for _ in range(100):
                presenter.event(TIME, BOOK)
            for event in EVENTS:
                presenter.event(TIME, event)
            before = trio.current_time()
            await trio.sleep(0.01)
            slowest = max(slowest, trio.current_time() - before)
        nursery.cancel_scope.cancel()
    written = await presenter.finish(run_report())
    sys.stderr.write(f"{written} {presenter.dropped} {slowest}")

trio.run(main)
"""


def _run_with_a_pipe_that_nobody_reads(form: str) -> tuple[str, int, float]:
    here = Path(__file__).parent
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        try:
            while os.write(writer, bytes(65536)):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        program = subprocess.run(
            [sys.executable, "-c", BLOCKED_PROGRAM, form],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": f"{here.parent.parent}{os.pathsep}{here}"},
        )
    finally:
        os.close(reader)
        os.close(writer)
    written, dropped, slowest = program.stderr.decode().split()
    return written, int(dropped), float(slowest)


def test_blocked_standard_output_does_not_hold_up_the_program() -> None:
    for form in ("JSON", "LINES"):
        written, dropped, slowest = _run_with_a_pipe_that_nobody_reads(form)
        assert written == "False"
        assert dropped > 0
        assert slowest < 2.0


def test_blocked_terminal_does_not_hold_up_the_program() -> None:
    written, _, slowest = _run_with_a_pipe_that_nobody_reads("AUTOMATIC")
    assert written == "False"
    assert slowest < 2.0
