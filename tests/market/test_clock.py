from __future__ import annotations

import time

import trio

from market.clock import SystemWallClock, VirtualWallClock, WallClock


def test_system_clock_tells_the_machines_time_in_milliseconds() -> None:
    clock: WallClock = SystemWallClock()
    before = time.time_ns() // 1_000_000
    told = clock.milliseconds()
    assert before <= told <= time.time_ns() // 1_000_000


async def test_virtual_clock_moves_with_trios(autojump_clock) -> None:
    clock: WallClock = VirtualWallClock(epoch_milliseconds=1_000_000)
    assert clock.milliseconds() == 1_000_000
    await trio.sleep(12.3456)
    assert clock.milliseconds() == 1_012_346


async def test_virtual_clock_stands_still_while_trios_does(autojump_clock) -> None:
    clock = VirtualWallClock()
    told = clock.milliseconds()
    await trio.lowlevel.checkpoint()
    assert clock.milliseconds() == told == 1_790_000_000_000


async def test_skew_is_added_and_can_change_at_any_time(autojump_clock) -> None:
    clock = VirtualWallClock(epoch_milliseconds=1_000_000)
    clock.skew_milliseconds = -1_500
    await trio.sleep(1)
    assert clock.milliseconds() == 999_500
    clock.skew_milliseconds = 0
    assert clock.milliseconds() == 1_001_000
