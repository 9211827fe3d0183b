"""How late the event loop is: told exactly, and by a clock that a simulation can hold still."""

from __future__ import annotations

import msgspec
import pytest
import trio
import trio.testing

from assembly.metrics.health import SILENT_SECONDS_MAX, Health, RunHealth
from assembly.metrics.loop_lag import PERIOD_SECONDS, LoopLag


def health(lag: LoopLag) -> tuple[bool, Health]:
    # Only the loop is asked about: no tree is looked at.
    answer = RunHealth(None, lag=lag, is_stopping=lambda: False, began_at=0.0, redact=str).health()  # type: ignore[arg-type]
    return answer.is_fine, msgspec.json.decode(answer.body, type=Health)


async def test_lag_is_by_how_much_the_timer_was_late(mock_clock: trio.testing.MockClock) -> None:
    lag = LoopLag()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.watch)
        for late in (0.0, 0.3, 0.0):
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(PERIOD_SECONDS + late)  # as if something had kept the loop busy for so long after the timer was due
            await trio.testing.wait_all_tasks_blocked()
            assert lag.newest_seconds == pytest.approx(late)
        nursery.cancel_scope.cancel()
    snapshot = lag.seconds.snapshot()
    assert snapshot.count == 3
    assert snapshot.total == pytest.approx(0.3)
    assert snapshot.largest == pytest.approx(0.3)


async def test_loop_that_does_not_get_round_to_its_timer_is_not_alive(mock_clock: trio.testing.MockClock) -> None:
    lag = LoopLag()
    mock_clock.jump(SILENT_SECONDS_MAX)
    is_fine, told = health(lag)
    assert is_fine
    assert told.silent_seconds == SILENT_SECONDS_MAX
    mock_clock.jump(0.1)
    is_fine, told = health(lag)
    assert not is_fine
    assert not told.alive
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.watch)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(PERIOD_SECONDS)
        await trio.testing.wait_all_tasks_blocked()
        is_fine, told = health(lag)
        assert is_fine
        assert told.running_seconds == pytest.approx(SILENT_SECONDS_MAX + 0.1 + PERIOD_SECONDS)
        nursery.cancel_scope.cancel()
