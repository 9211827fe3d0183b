from __future__ import annotations

import random

import pytest
import trio
import trio.testing
from supervision_probe import ONE_SECOND, Probe, crashes_after, finishes_after, running, takes

from supervision.backoff import Backoff
from supervision.child import ChildContext, CleanupCause, DeathKind, Restart
from supervision.errors import RestartIntensityExceeded
from supervision.events import (
    ChildDied,
    ChildQuarantined,
    ChildRestarting,
    ChildStarting,
    IntensityExceeded,
    SupervisorStopping,
)
from supervision.intensity import Intensity, RestartWindow
from supervision.policy import Strategy, WhenExceeded, WhenStartFails
from supervision.snapshot import ChildState


@pytest.mark.parametrize(
    ("restart", "body", "restarts"),
    [
        (Restart.PERMANENT, crashes_after(1, lives=1), True),
        (Restart.PERMANENT, finishes_after(1, lives=1), True),
        (Restart.TRANSIENT, crashes_after(1, lives=1), True),
        (Restart.TRANSIENT, finishes_after(1, lives=1), False),
        (Restart.TEMPORARY, crashes_after(1, lives=1), False),
        (Restart.TEMPORARY, finishes_after(1, lives=1), False),
    ],
)
async def test_child_that_ended_by_itself_restarts_by_its_restart_kind(
    autojump_clock: object, restart: Restart, body: object, restarts: bool
) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", body, restart=restart)])):  # type: ignore[arg-type]
        await trio.sleep(10)
        assert len(probe.of(ChildStarting)) == (2 if restarts else 1)
        assert probe.times(ChildRestarting) == ([1] if restarts else [])


async def test_one_for_one_restarts_only_the_child_that_died(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a"), probe.child("b", crashes_after(1, lives=1)), probe.child("c")])):
        await trio.sleep(10)
        assert probe.log == ["start a", "start b", "start c", "end b", "cleanup b", "start b"]


async def test_one_for_one_restart_does_not_wait_for_the_slow_cleanup_of_another_child(autojump_clock: object) -> None:
    probe = Probe()
    slow = probe.child("slow", crashes_after(1, lives=1), cleans_up=takes(9))
    quick = probe.child("quick", crashes_after(2, lives=1))
    async with running(probe.supervisor([slow, quick])):
        await trio.sleep(20)
        restarts = [(e.child, e.time - probe.events[0].time) for e in probe.of(ChildStarting) if e.incarnation == 2]
        assert restarts == [("quick", 3), ("slow", 11)]


async def test_back_off_grows_with_consecutive_restarts_up_to_its_maximum(autojump_clock: object) -> None:
    probe = Probe()
    backoff = Backoff(initial_seconds=1, factor=3, seconds_max=10, jitter=0)
    async with running(probe.supervisor([probe.child("a", crashes_after(1))], backoff=backoff)):
        await trio.sleep(60)
        assert [event.delay_seconds for event in probe.of(ChildRestarting)][:5] == [1, 3, 9, 10, 10]
        assert probe.times(ChildStarting)[:5] == [0, 2, 6, 16, 27]


async def test_back_off_starts_over_after_a_quiet_period(autojump_clock: object) -> None:
    async def lives_longer_the_third_time(context: ChildContext) -> None:
        await crashes_after(60 if context.incarnation == 3 else 1)(context)

    probe = Probe()
    backoff = Backoff(initial_seconds=1, factor=2, seconds_max=100, jitter=0, quiet_seconds=60)
    async with running(probe.supervisor([probe.child("a", lives_longer_the_third_time)], backoff=backoff)):
        await trio.sleep(69)
        assert [event.delay_seconds for event in probe.of(ChildRestarting)] == [1, 2, 1, 2]


def test_back_off_jitter_takes_a_seeded_part_off_the_delay() -> None:
    backoff = Backoff(initial_seconds=4, factor=2, seconds_max=100, jitter=0.25)
    delays = [backoff.delay_seconds(1, random.Random(seed)) for seed in range(200)]
    assert delays == [backoff.delay_seconds(1, random.Random(seed)) for seed in range(200)]
    assert 6 <= min(delays) < 6.1
    assert 7.9 < max(delays) <= 8


def test_back_off_of_many_restarts_does_not_overflow() -> None:
    assert Backoff(initial_seconds=1, factor=1e9, seconds_max=30, jitter=0).delay_seconds(10**6, random.Random(1)) == 30
    assert Backoff(initial_seconds=0, factor=2, seconds_max=30, jitter=0).delay_seconds(10**6, random.Random(1)) == 0


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_storm_of_crashes_stops_all_children_in_reverse_order_and_escalates(autojump_clock: object, strategy: Strategy) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(1)), probe.child("c")]
    supervisor = probe.supervisor(children, strategy=strategy, intensity=Intensity(2, 60))
    with pytest.raises(
        RestartIntensityExceeded, match=r"root/b was one restart too many: more than 2 in 60 s; .* OSError: crashed"
    ) as caught:
        await supervisor.run()
    assert isinstance(caught.value.__cause__, OSError)
    assert (caught.value.supervisor, caught.value.child) == ("root", "b")
    assert len(probe.of(ChildRestarting)) == 2
    assert [event.child for event in probe.of(IntensityExceeded)] == ["b"]
    assert probe.log[-6:] == ["end b", "cleanup b", "end c", "cleanup c", "end a", "cleanup a"]


async def test_intensity_counts_the_restarts_of_all_children_together(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child(name, crashes_after(seconds, lives=1)) for seconds, name in enumerate("abc", 1)]
    with pytest.raises(RestartIntensityExceeded) as caught:
        await probe.supervisor(children, intensity=Intensity(2, 60)).run()
    assert caught.value.child == "c"


async def test_intensity_forgets_restarts_older_than_its_period(autojump_clock: object) -> None:
    probe = Probe()
    calm = Backoff(initial_seconds=1, factor=1, seconds_max=1, jitter=0)
    async with running(probe.supervisor([probe.child("a", crashes_after(10))], intensity=Intensity(2, 22), backoff=calm)):
        await trio.sleep(500)
        assert len(probe.of(ChildRestarting)) > 40


def test_restart_window_holds_at_most_the_limit_in_any_period() -> None:
    window = RestartWindow(Intensity(2, 10))
    exceeded: list[bool] = []
    for now in [0, 1, 10, 10.5, 100]:
        window.add(now)
        exceeded.append(window.is_exceeded(now))
    assert exceeded == [False, False, False, True, False]


async def test_intensity_of_zero_bears_no_restart(autojump_clock: object) -> None:
    probe = Probe()
    with pytest.raises(RestartIntensityExceeded):
        await probe.supervisor([probe.child("a", finishes_after(1))], intensity=Intensity(0, 60)).run()


async def test_parent_treats_an_escalation_as_a_crash_of_that_child_and_runs_it_afresh(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor([probe.child("a"), probe.child("b", crashes_after(1))], name="inner", intensity=Intensity(1, 60))
    outer = probe.supervisor([inner.as_child()], intensity=Intensity(1, 60))
    with pytest.raises(RestartIntensityExceeded) as caught:
        await outer.run()
    assert (caught.value.child, isinstance(caught.value.__cause__, RestartIntensityExceeded)) == ("inner", True)
    inner_deaths = [event for event in probe.of(ChildDied) if event.child == "inner"]
    assert [(event.kind, event.incarnation) for event in inner_deaths] == [(DeathKind.CRASHED, 1), (DeathKind.CRASHED, 2)]
    # Twice over, the inner one bears one restart of b: its count was fresh in its second run.
    one_run = [("a", 1), ("b", 1), ("b", 2)]
    assert [(e.child, e.incarnation) for e in probe.of(ChildStarting)] == [("inner", 1), *one_run, ("inner", 2), *one_run]


async def test_quarantine_leaves_just_the_offending_child_stopped(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(1)), probe.child("c", crashes_after(20, lives=1))]
    supervisor = probe.supervisor(children, intensity=Intensity(1, 60), when_exceeded=WhenExceeded.QUARANTINE)
    async with running(supervisor):
        await trio.sleep(50)
        assert [event.child for event in probe.of(IntensityExceeded)] == ["b"]
        assert [event.child for event in probe.of(ChildQuarantined)] == ["b"]
        states = [child.state for child in supervisor.snapshot().children or ()]
        assert states == [ChildState.READY, ChildState.QUARANTINED, ChildState.READY]
        assert [e.child for e in probe.of(ChildStarting) if e.incarnation == 2] == ["b", "c"]  # c's own crash is borne
        probe.log.clear()
    assert probe.log == ["end c", "cleanup c", "end a", "cleanup a"]


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_quarantine_leaves_the_siblings_running_under_group_strategies(autojump_clock: object, strategy: Strategy) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(1)), probe.child("c")]
    supervisor = probe.supervisor(children, strategy=strategy, intensity=Intensity(1, 60), when_exceeded=WhenExceeded.QUARANTINE)
    async with running(supervisor):
        await trio.sleep(50)
        assert [child.state for child in supervisor.snapshot().children or ()] == [
            ChildState.READY,
            ChildState.QUARANTINED,
            ChildState.READY,
        ]


async def test_supervisor_escalates_when_every_child_is_quarantined(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a", crashes_after(1)), probe.child("b", crashes_after(2))]
    supervisor = probe.supervisor(children, intensity=Intensity(1, 60), when_exceeded=WhenExceeded.QUARANTINE)
    with pytest.raises(RestartIntensityExceeded, match="no child is left to run") as caught:
        await supervisor.run()
    assert caught.value.child == "b"
    assert [event.child for event in probe.of(ChildQuarantined)] == ["a", "b"]


async def test_child_quarantined_during_start_lets_the_others_start(autojump_clock: object) -> None:
    async def never(context: ChildContext) -> None:
        raise OSError("down")

    probe = Probe()
    supervisor = probe.supervisor(
        [probe.child("a", never), probe.child("b")],
        intensity=Intensity(2, 60),
        when_exceeded=WhenExceeded.QUARANTINE,
        when_start_fails=WhenStartFails.RETRY,
    )
    async with running(supervisor):
        await trio.sleep(30)
        assert supervisor.snapshot().state is ChildState.READY


async def test_failed_cleanup_counts_like_a_crash_where_a_restart_follows(autojump_clock: object) -> None:
    async def fails(cause: CleanupCause) -> None:
        raise ValueError("cannot cancel orders")

    probe = Probe()
    once = probe.child("once", finishes_after(1), restart=Restart.TRANSIENT, cleans_up=fails)
    again = probe.child("again", crashes_after(2), cleans_up=fails)
    with pytest.raises(RestartIntensityExceeded) as caught:
        await probe.supervisor([once, again], intensity=Intensity(3, 600)).run()
    # Each death of `again` counts two, so the second exceeds three; that of `once` is followed by no restart and counts none.
    assert len(probe.of(ChildRestarting)) == 1
    assert isinstance(caught.value.__cause__, ValueError)


async def test_stop_during_back_off_returns_at_once_and_restarts_nothing(autojump_clock: object) -> None:
    probe = Probe()
    backoff = Backoff(initial_seconds=50, factor=1, seconds_max=50, jitter=0)
    supervisor = probe.supervisor([probe.child("a"), probe.child("b", crashes_after(1))], backoff=backoff)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(10)
        assert [child.state for child in supervisor.snapshot().children or ()] == [ChildState.READY, ChildState.RESTARTING]
        began = trio.current_time()
        await supervisor.stop()
        assert trio.current_time() == began
    assert probe.log == ["start a", "start b", "end b", "cleanup b", "end a", "cleanup a"]


async def test_escalation_is_reported_before_the_children_are_stopped(autojump_clock: object) -> None:
    probe = Probe()
    with pytest.raises(RestartIntensityExceeded):
        await probe.supervisor([probe.child("a", crashes_after(1))], intensity=Intensity(0, 1), backoff=ONE_SECOND).run()
    assert probe.story()[-3:] == ["IntensityExceeded a", "SupervisorStopping", "SupervisorStopped"]
    assert isinstance(probe.of(SupervisorStopping)[0].error, RestartIntensityExceeded)


async def test_children_that_exceed_the_intensity_together_escalate_once(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child(name, crashes_after(1)) for name in "abc"]
    with pytest.raises(RestartIntensityExceeded):
        await probe.supervisor(children, intensity=Intensity(0, 60)).run()
    assert len(probe.of(IntensityExceeded)) == len(probe.of(SupervisorStopping)) == 1
    assert probe.of(ChildRestarting) == []
