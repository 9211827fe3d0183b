from __future__ import annotations

import pytest
import trio
import trio.testing
from supervision_probe import Probe, clings_for, crashes_after, finishes_after, running, takes

from supervision.backoff import Backoff
from supervision.child import ChildContext, CleanupCause, DeathKind, Restart
from supervision.errors import RestartIntensityExceeded
from supervision.events import ChildDied, ChildRestarting, ChildStarting, CleanupFailed, IntensityExceeded
from supervision.intensity import Intensity
from supervision.policy import Strategy
from supervision.snapshot import ChildState


async def test_one_for_all_stops_the_siblings_in_reverse_order_and_starts_all_in_order(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(1, lives=1)), probe.child("c"), probe.child("d")]
    async with running(probe.supervisor(children, strategy=Strategy.ONE_FOR_ALL)):
        await trio.sleep(10)
        assert probe.log[4:] == [
            "end b", "cleanup b", "end d", "cleanup d", "end c", "cleanup c", "end a", "cleanup a",
            "start a", "start b", "start c", "start d",
        ]  # fmt: skip
        assert probe.times(ChildStarting)[4:] == [2, 2, 2, 2]
        assert [event.child for event in probe.of(ChildRestarting)] == ["b"]


async def test_rest_for_one_stops_and_starts_only_the_children_after_the_dead_one(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(1, lives=1)), probe.child("c"), probe.child("d")]
    async with running(probe.supervisor(children, strategy=Strategy.REST_FOR_ONE)):
        await trio.sleep(10)
        assert probe.log[4:] == [
            "end b", "cleanup b", "end d", "cleanup d", "end c", "cleanup c", "start b", "start c", "start d",
        ]  # fmt: skip


async def test_sibling_is_told_in_its_cleanup_that_it_was_stopped_for_a_sibling(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", crashes_after(1, lives=1)), probe.child("b")], strategy=Strategy.ONE_FOR_ALL)):
        await trio.sleep(10)
        assert [(name, cause.kind) for name, cause in probe.causes] == [("a", DeathKind.CRASHED), ("b", DeathKind.SIBLING_RESTART)]


async def test_sibling_stops_only_after_the_one_behind_it_is_cleaned_up(autojump_clock: object) -> None:
    probe = Probe()
    children = [
        probe.child("a", crashes_after(1, lives=1)),
        probe.child("b", clings_for(2), cleans_up=takes(3)),
        probe.child("c", clings_for(4), cleans_up=takes(5)),
    ]
    async with running(probe.supervisor(children, strategy=Strategy.REST_FOR_ONE)):
        await trio.sleep(30)
        assert {event.child: event.time - probe.events[0].time for event in probe.of(ChildDied)} == {"a": 1, "c": 5, "b": 12}
        assert probe.times(ChildStarting)[3:] == [15, 15, 15]


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_temporary_sibling_is_stopped_but_not_started_again(autojump_clock: object, strategy: Strategy) -> None:
    probe = Probe()
    children = [probe.child("a", crashes_after(1, lives=1)), probe.child("b", restart=Restart.TEMPORARY), probe.child("c")]
    async with running(probe.supervisor(children, strategy=strategy)):
        await trio.sleep(10)
        assert probe.log[3:] == ["end a", "cleanup a", "end c", "cleanup c", "end b", "cleanup b", "start a", "start c"]


async def test_crash_of_a_temporary_child_restarts_nobody(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(1), restart=Restart.TEMPORARY)]
    async with running(probe.supervisor(children, strategy=Strategy.ONE_FOR_ALL)):
        await trio.sleep(10)
        assert probe.log[2:] == ["end b", "cleanup b"]


async def test_transient_sibling_that_had_finished_is_not_started_again(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a", crashes_after(5, lives=1)), probe.child("job", finishes_after(1), restart=Restart.TRANSIENT)]
    async with running(probe.supervisor(children, strategy=Strategy.ONE_FOR_ALL)):
        await trio.sleep(20)
        assert probe.log[2:] == ["end job", "cleanup job", "end a", "cleanup a", "start a"]


async def test_siblings_that_die_of_the_same_cause_count_one_restart(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child(name, crashes_after(1, lives=1), cleans_up=takes(1)) for name in "abc"]
    async with running(probe.supervisor(children, strategy=Strategy.ONE_FOR_ALL, intensity=Intensity(1, 60))):
        await trio.sleep(20)
        assert len(probe.of(ChildRestarting)) == 1
        assert [e.incarnation for e in probe.of(ChildStarting)] == [1, 1, 1, 2, 2, 2]


async def test_rest_for_one_restart_widens_when_an_earlier_child_dies_meanwhile(autojump_clock: object) -> None:
    probe = Probe()
    children = [
        probe.child("a"),
        probe.child("b", crashes_after(3, lives=1)),
        probe.child("c"),
        probe.child("d", crashes_after(2, lives=1)),
    ]
    backoff = Backoff(initial_seconds=5, factor=1, seconds_max=5, jitter=0)
    async with running(probe.supervisor(children, strategy=Strategy.REST_FOR_ONE, backoff=backoff)):
        await trio.sleep(30)
        assert probe.log[4:] == ["end d", "cleanup d", "end b", "cleanup b", "end c", "cleanup c", "start b", "start c", "start d"]
        assert probe.times(ChildStarting)[4:] == [8, 8, 8]


async def test_crash_while_the_group_starts_again_restarts_the_group_once_more(autojump_clock: object) -> None:
    async def second_life_fails(context: ChildContext) -> None:
        if context.incarnation == 2:
            raise OSError("not yet")
        await crashes_after(1, lives=1)(context)

    probe = Probe()
    async with running(probe.supervisor([probe.child("a"), probe.child("b", second_life_fails)], strategy=Strategy.ONE_FOR_ALL)):
        await trio.sleep(20)
        assert [(e.child, e.incarnation) for e in probe.of(ChildStarting)] == [
            ("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3),
        ]  # fmt: skip


async def test_group_restart_waits_for_a_sibling_that_outlives_its_stop_deadline(autojump_clock: object) -> None:
    probe = Probe()
    children = [
        probe.child("a", crashes_after(1, lives=1)),
        probe.child("b"),
        probe.child("c", clings_for(30), stop_deadline_seconds=2),
    ]
    async with running(probe.supervisor(children, strategy=Strategy.REST_FOR_ONE)):
        await trio.sleep(20)
        assert probe.log[3:] == ["end a", "cleanup a", "cleanup c", "end b", "cleanup b"]  # c is overdue, b was stopped all the same
        await trio.sleep(20)
        assert probe.log[8:] == ["end c", "cleanup c", "start a", "start b", "start c"]
        probe.log.clear()


async def test_failed_cleanup_of_a_sibling_counts_for_intensity(autojump_clock: object) -> None:
    async def fails(cause: CleanupCause) -> None:
        raise ValueError("cannot")

    probe = Probe()
    supervisor = probe.supervisor(
        [probe.child("a", crashes_after(1)), probe.child("b", cleans_up=fails)], strategy=Strategy.ONE_FOR_ALL, intensity=Intensity(1, 60)
    )
    with pytest.raises(RestartIntensityExceeded) as caught:
        await supervisor.run()
    assert caught.value.child == "b"
    assert len(probe.of(CleanupFailed)) == len(probe.of(IntensityExceeded)) == 1


async def test_children_stopped_for_a_restart_are_shown_as_restarting(autojump_clock: object) -> None:
    probe = Probe()
    backoff = Backoff(initial_seconds=50, factor=1, seconds_max=50, jitter=0)
    supervisor = probe.supervisor([probe.child("a", crashes_after(1)), probe.child("b")], strategy=Strategy.ONE_FOR_ALL, backoff=backoff)
    async with running(supervisor):
        await trio.sleep(10)
        assert [child.state for child in supervisor.snapshot().children or ()] == [ChildState.RESTARTING, ChildState.RESTARTING]


async def test_widened_restart_keeps_the_longer_back_off(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(5, lives=1)), probe.child("c", crashes_after(1, lives=2))]
    backoff = Backoff(initial_seconds=1, factor=20, seconds_max=20, jitter=0)
    async with running(probe.supervisor(children, strategy=Strategy.REST_FOR_ONE, backoff=backoff)):
        await trio.sleep(60)
        # c dies at 1 and, restarted at 2, at 3, for 20 s; b dies at 5, for 1 s: both start once c's back-off is over.
        assert probe.times(ChildStarting)[3:] == [2, 23, 23]
