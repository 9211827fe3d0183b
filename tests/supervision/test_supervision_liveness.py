from __future__ import annotations

import trio
import trio.testing
from supervision_probe import Probe, running

from supervision.child import ChildContext, DeathKind
from supervision.errors import NoProgress
from supervision.events import ChildDied, ChildHung, ChildStarting, StopDeadlineExceeded


async def test_hung_child_is_cancelled_and_restarted(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", liveness_timeout_seconds=10)])):
        await trio.sleep(12)
        assert probe.times(ChildHung) == [10]
        [death] = probe.of(ChildDied)
        assert death.kind is DeathKind.HUNG
        assert isinstance(death.error, NoProgress)
        assert probe.times(ChildStarting) == [0, 11]


async def test_progress_keeps_a_child_alive_and_the_timeout_counts_from_the_last(autojump_clock: object) -> None:
    async def work_then_hang(context: ChildContext) -> None:
        context.started()
        for _ in range(5):
            await trio.sleep(9)
            context.progress()
        await trio.sleep_forever()

    probe = Probe()
    async with running(probe.supervisor([probe.child("a", work_then_hang, liveness_timeout_seconds=10)])):
        await trio.sleep(56)
        assert probe.times(ChildHung) == [55]


async def test_liveness_timeout_does_not_count_before_the_child_is_ready(autojump_clock: object) -> None:
    async def start_slowly(context: ChildContext) -> None:
        await trio.sleep(25)
        context.started()
        await trio.sleep_forever()

    probe = Probe()
    async with running(probe.supervisor([probe.child("a", start_slowly, liveness_timeout_seconds=10)])):
        await trio.sleep(36)
        assert probe.times(ChildHung) == [35]


async def test_child_without_liveness_timeout_may_be_silent_for_ever(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a")])):
        await trio.sleep(10**6)
        assert probe.of(ChildDied) == []


async def test_hung_child_that_resists_cancellation_is_cleaned_up_at_its_deadline_and_restarted_only_when_dead(
    autojump_clock: object,
) -> None:
    async def resist(context: ChildContext) -> None:
        context.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100 if context.incarnation == 1 else 0)
        while True:
            context.progress()
            await trio.sleep(1)

    probe = Probe()
    async with running(probe.supervisor([probe.child("a", resist, liveness_timeout_seconds=10, stop_deadline_seconds=5)])):
        await trio.sleep(200)
        assert (probe.times(ChildHung), probe.times(StopDeadlineExceeded)) == ([10], [15])
        assert probe.log == ["start a", "cleanup a", "end a", "cleanup a", "start a"]
        assert [cause.still_running for _, cause in probe.causes] == [True, False]
        assert probe.times(ChildStarting) == [0, 101]


async def test_error_raised_by_a_hung_child_on_being_cancelled_is_the_cause_of_its_death(autojump_clock: object) -> None:
    async def fail_when_cancelled(context: ChildContext) -> None:
        context.started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("half written")

    probe = Probe()
    async with running(probe.supervisor([probe.child("a", fail_when_cancelled, liveness_timeout_seconds=10)])):
        await trio.sleep(10.5)
        [death] = probe.of(ChildDied)
        assert isinstance(death.error, NoProgress)
        assert isinstance(death.error.__cause__, OSError)


async def test_liveness_timeout_counts_from_readiness_though_the_start_deadline_is_far(autojump_clock: object) -> None:
    async def start_then_hang(context: ChildContext) -> None:
        await trio.sleep(5)
        context.started()
        await trio.sleep_forever()

    probe = Probe()
    child = probe.child("a", start_then_hang, start_deadline_seconds=1000, liveness_timeout_seconds=10)
    async with running(probe.supervisor([child])):
        await trio.sleep(15.5)
        assert probe.times(ChildHung) == [15]
