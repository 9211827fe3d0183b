from __future__ import annotations

import pytest
import trio
import trio.testing
from supervision_probe import Probe, crashes_after, finishes_after, ready_after, running, takes

from supervision.child import ChildContext, CleanupCause, DeathKind, Restart
from supervision.errors import NoProgress, NotReadyInTime, StartFailed
from supervision.events import (
    ChildDied,
    ChildStarting,
    CleanupFailed,
    CleanupFinished,
    CleanupStarted,
    CleanupTimedOut,
)
from supervision.snapshot import ChildState


async def test_cleanup_runs_after_the_death_and_before_the_restart(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", crashes_after(1, lives=1), cleans_up=takes(4))])):
        await trio.sleep(20)
        assert probe.times(ChildDied) == probe.times(CleanupStarted) == [1]
        assert probe.times(CleanupFinished) == [5]
        assert probe.times(ChildStarting) == [0, 6]


async def test_cleanup_is_told_why_the_child_died(autojump_clock: object) -> None:
    error = OSError("broken")
    probe = Probe()
    children = [
        probe.child("crashed", crashes_after(1, error=lambda: error), restart=Restart.TEMPORARY),
        probe.child("finished", finishes_after(1), restart=Restart.TEMPORARY),
        probe.child("hung", restart=Restart.TEMPORARY, liveness_timeout_seconds=5),
        probe.child("stopped"),
    ]
    async with running(probe.supervisor(children)):
        await trio.sleep(20)
    causes = dict(probe.causes)
    assert causes["crashed"] == CleanupCause(DeathKind.CRASHED, error)
    assert causes["finished"] == CleanupCause(DeathKind.FINISHED)
    assert causes["stopped"] == CleanupCause(DeathKind.STOPPED)
    assert causes["hung"].kind is DeathKind.HUNG
    assert isinstance(causes["hung"].error, NoProgress)


async def test_cleanup_runs_after_a_failed_start(autojump_clock: object) -> None:
    probe = Probe()
    with pytest.raises(StartFailed):
        await probe.supervisor([probe.child("a", ready_after(100), start_deadline_seconds=3)]).run()
    [(_, cause)] = probe.causes
    assert cause.kind is DeathKind.CRASHED
    assert isinstance(cause.error, NotReadyInTime)


async def test_cleanup_slower_than_its_deadline_is_cut_off_and_the_child_restarts(autojump_clock: object) -> None:
    probe = Probe()
    child = probe.child("a", crashes_after(1, lives=1), cleans_up=takes(100), cleanup_deadline_seconds=3)
    async with running(probe.supervisor([child])):
        await trio.sleep(20)
        assert probe.times(CleanupTimedOut) == [4]
        assert probe.times(ChildStarting) == [0, 5]
        assert probe.of(CleanupFinished, CleanupFailed) == []


async def test_deadline_of_a_cleanup_that_may_change_is_the_one_at_its_beginning(autojump_clock: object) -> None:
    probe, seconds = Probe(), [3.0]
    child = probe.child("a", crashes_after(1, lives=2), cleans_up=takes(100), cleanup_deadline_seconds=lambda: seconds[0])
    async with running(probe.supervisor([child])):
        await trio.sleep(2)
        seconds[0] = 7.0
        await trio.sleep(30)
        assert probe.times(CleanupTimedOut) == [4, 6 + 7]


async def test_cleanup_that_raises_is_reported_and_does_not_hold_up_the_others(autojump_clock: object) -> None:
    async def fails(cause: CleanupCause) -> None:
        raise ExceptionGroup("cleanup", [ValueError("first"), OSError("second")])

    probe = Probe()
    supervisor = probe.supervisor([probe.child("a"), probe.child("b", cleans_up=fails)])
    async with running(supervisor):
        pass
    [event] = probe.of(CleanupFailed)
    assert isinstance(event.error, ExceptionGroup)
    assert str(event) == "root/b #1 was not cleaned up (ValueError: first; OSError: second)"
    assert probe.log[-2:] == ["end a", "cleanup a"]


async def test_cleanup_is_shielded_from_the_cancellation_of_the_tree(autojump_clock: object) -> None:
    finished: list[str] = []

    async def slow(cause: CleanupCause) -> None:
        await trio.sleep(5)
        finished.append("cleanup")

    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", crashes_after(1), cleans_up=slow)])
    with trio.move_on_after(3):
        await supervisor.run()
    assert finished == ["cleanup"]
    assert len(probe.of(CleanupStarted)) == len(probe.of(CleanupFinished)) == 1


async def test_child_without_cleanup_reports_none(autojump_clock: object) -> None:
    probe = Probe()
    child = probe.child("a", crashes_after(1, lives=1))
    bare = child.__class__(child.name, child.start)
    async with running(probe.supervisor([bare])):
        await trio.sleep(5)
        assert len(probe.of(ChildStarting)) == 2
    assert probe.of(CleanupStarted, CleanupFinished) == []


async def test_cleanup_that_ends_the_process_stops_the_tree_and_propagates(autojump_clock: object) -> None:
    async def exits(cause: CleanupCause) -> None:
        raise SystemExit(5)

    probe = Probe()
    with pytest.raises(SystemExit):
        await probe.supervisor([probe.child("a"), probe.child("b", crashes_after(1), cleans_up=exits)]).run()
    assert probe.log[-2:] == ["end a", "cleanup a"]


async def test_child_being_cleaned_up_is_shown_as_stopping(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", crashes_after(1, lives=1), cleans_up=takes(5))])
    async with running(supervisor):
        await trio.sleep(3)
        assert (supervisor.snapshot().children or ())[0].state is ChildState.STOPPING


async def test_cleanup_starts_only_when_the_childs_own_finally_block_is_done(autojump_clock: object) -> None:
    order: list[str] = []

    async def tidy(context: ChildContext) -> None:
        context.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            order.append("child")

    async def cleans_up(cause: CleanupCause) -> None:
        order.append("cleanup")

    probe = Probe()
    async with running(probe.supervisor([probe.child("a", tidy, cleans_up=cleans_up)])):
        pass
    assert order == ["child", "cleanup"]
