"""The clock of a deterministic run: jumps, and alarms between deadlines."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from network.deterministic import run_deterministically
from network.jumping_clock import JumpingClock


def clock_here() -> JumpingClock:
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, JumpingClock)
    return clock


def test_clock_jumps_to_the_deadline_itself_when_everybody_waits() -> None:
    async def run() -> float:
        await trio.sleep_until(0.1)
        await trio.sleep_until(12_345.6789)
        return trio.current_time()

    assert run_deterministically(run, seed=1) == 12_345.6789


def test_alarm_wakes_who_is_parked_at_its_instant_and_deadlines_keep_theirs() -> None:
    async def run() -> list[tuple[str, float]]:
        lot, woken = trio.lowlevel.ParkingLot(), list[tuple[str, float]]()

        async def wait(name: str) -> None:
            await lot.park()
            woken.append((name, trio.current_time()))

        clock_here().unpark_at(2.0, lot)
        clock_here().unpark_at(1.0, trio.lowlevel.ParkingLot())  # of a lot in which nobody waits
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, "parked")
            for seconds in (1.5, 2.5):
                await trio.sleep_until(seconds)
                woken.append(("slept", trio.current_time()))
        return woken

    assert run_deterministically(run, seed=1) == [("slept", 1.5), ("parked", 2.0), ("slept", 2.5)]


def test_alarm_does_not_overtake_who_waits_for_all_tasks_to_be_blocked() -> None:
    async def run() -> float:
        clock_here().unpark_at(1.0, trio.lowlevel.ParkingLot())
        await trio.testing.wait_all_tasks_blocked()
        return trio.current_time()

    assert run_deterministically(run, seed=1) == 0.0


def test_sleeps_of_one_instant_end_in_it_and_a_cancelled_one_wakes_nobody_later() -> None:
    async def run() -> list[tuple[str, float]]:
        woken: list[tuple[str, float]] = []

        async def sleep(name: str, seconds: float) -> None:
            await trio.sleep(seconds)
            woken.append((name, trio.current_time()))

        with trio.move_on_after(1.0) as scope:
            await sleep("cancelled", 2.0)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            for name in ("one", "another"):
                nursery.start_soon(sleep, name, 4.0)
            await trio.sleep_until(3.0)
        return sorted(woken)

    assert run_deterministically(run, seed=1) == [("another", 5.0), ("one", 5.0)]


def test_sleep_of_no_time_is_a_checkpoint_and_one_of_less_or_of_no_number_a_mistake() -> None:
    async def run() -> None:
        with trio.testing.assert_checkpoints():
            await trio.sleep(0.0)
        with trio.testing.assert_checkpoints():
            await trio.sleep_until(-1.0)
        with pytest.raises(ValueError, match="non-negative"):
            await trio.sleep(-1.0)
        with pytest.raises(ValueError, match="NaN"):
            await trio.sleep_until(float("nan"))

    sleep = trio.sleep
    run_deterministically(run, seed=1)
    assert trio.sleep is sleep


def test_instrument_that_comes_later_is_told_of_every_step() -> None:
    class Steps(trio.abc.Instrument):
        seen = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.seen += 1

    async def run() -> int:
        steps = Steps()
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        trio.lowlevel.add_instrument(steps)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(steps)
        await trio.lowlevel.checkpoint()
        return steps.seen

    assert run_deterministically(run, seed=1) == 5
