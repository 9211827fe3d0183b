from __future__ import annotations

import math

import pytest
import trio
import trio.testing
from supervision_probe import Probe, crashes_after, ready_after, run_until_stopped, running

from supervision.child import ChildContext, Restart
from supervision.errors import NotReadyInTime, ReturnedBeforeReady, StartFailed
from supervision.events import ChildDied, ChildReady, ChildRestarting, ChildStartFailed, ChildStarting, SupervisorReady
from supervision.intensity import Intensity
from supervision.policy import Strategy, WhenStartFails
from supervision.snapshot import ChildState

ALL_STRATEGIES = list(Strategy)


@pytest.mark.parametrize("strategy", ALL_STRATEGIES)
async def test_children_start_in_list_order_each_after_its_predecessor_is_ready(autojump_clock: object, strategy: Strategy) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", ready_after(2)), probe.child("b", ready_after(3)), probe.child("c")], strategy=strategy)
    async with running(supervisor):
        await trio.sleep(10)
        assert probe.times(ChildStarting) == [0, 2, 5]
        assert probe.times(ChildReady) == [2, 5, 5]
        assert probe.times(SupervisorReady) == [5]


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL])
async def test_concurrent_children_start_at_once_and_stop_in_reverse_order(autojump_clock: object, strategy: Strategy) -> None:
    probe = Probe()
    children = [probe.child("a", ready_after(3)), probe.child("b", ready_after(1)), probe.child("c", ready_after(2))]
    async with running(probe.supervisor(children, strategy=strategy, start_concurrently=True)):
        await trio.sleep(10)
        assert probe.times(ChildStarting) == [0, 0, 0]
        assert probe.times(SupervisorReady) == [3]
        probe.log.clear()
    assert probe.log == ["end c", "cleanup c", "end b", "cleanup b", "end a", "cleanup a"]


async def test_nested_supervisor_is_ready_when_all_its_children_are(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor([probe.child("a", ready_after(1)), probe.child("b", ready_after(2))], name="inner")
    async with running(probe.supervisor([inner.as_child(), probe.child("after")])):
        await trio.sleep(10)
        starts = {event.child: event.time - probe.events[0].time for event in probe.of(ChildStarting)}
        assert starts == {"inner": 0, "a": 0, "b": 1, "after": 3}


@pytest.mark.parametrize("strategy", ALL_STRATEGIES)
async def test_crash_during_start_of_the_second_child_stops_the_first(autojump_clock: object, strategy: Strategy) -> None:
    async def crash_before_ready(context: ChildContext) -> None:
        await trio.sleep(1)
        raise OSError("no route")

    probe = Probe()
    supervisor = probe.supervisor([probe.child("a"), probe.child("b", crash_before_ready), probe.child("c")], strategy=strategy)
    with pytest.raises(StartFailed, match="root/b failed to start: OSError: no route") as caught:
        await supervisor.run()
    assert isinstance(caught.value.__cause__, OSError)
    assert (caught.value.supervisor, caught.value.child) == ("root", "b")
    assert probe.log == ["start a", "start b", "end b", "cleanup b", "end a", "cleanup a"]
    assert probe.of(ChildRestarting) == []


async def test_child_that_never_becomes_ready_is_cancelled_at_its_start_deadline(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a"), probe.child("b", ready_after(math.inf), start_deadline_seconds=7)])
    with pytest.raises(StartFailed) as caught:
        await supervisor.run()
    assert isinstance(caught.value.__cause__, NotReadyInTime)
    assert probe.times(ChildStartFailed) == probe.times(ChildDied)[:1] == [7]
    assert probe.log[2:] == ["end b", "cleanup b", "end a", "cleanup a"]


async def test_start_deadline_does_not_touch_a_child_that_is_ready(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", start_deadline_seconds=1)])):
        await trio.sleep(100)
        assert probe.of(ChildDied) == []


@pytest.mark.parametrize("restart", list(Restart))
async def test_return_before_ready_is_a_failed_start(autojump_clock: object, restart: Restart) -> None:
    async def return_at_once(context: ChildContext) -> None:
        await trio.lowlevel.checkpoint()

    probe = Probe()
    with pytest.raises(StartFailed) as caught:
        await probe.supervisor([probe.child("a", return_at_once, restart=restart)]).run()
    assert isinstance(caught.value.__cause__, ReturnedBeforeReady)


async def test_failed_first_start_is_retried_where_the_supervisor_says_so(autojump_clock: object) -> None:
    async def ready_in_third_life(context: ChildContext) -> None:
        if context.incarnation < 3:
            raise OSError("not yet")
        await run_until_stopped(context)

    probe = Probe()
    children = [probe.child("a", ready_in_third_life), probe.child("b")]
    async with running(probe.supervisor(children, when_start_fails=WhenStartFails.RETRY)):
        await trio.sleep(10)
        assert probe.times(ChildStarting) == [0, 1, 3, 3]  # a after 1 s and 2 s more of back-off, then b
        assert probe.times(SupervisorReady) == [3]


async def test_failed_start_of_a_restart_counts_as_a_crash(autojump_clock: object) -> None:
    async def fail_in_second_life(context: ChildContext) -> None:
        if context.incarnation == 2:
            raise OSError("not yet")
        await crashes_after(1, lives=1)(context)

    probe = Probe()
    async with running(probe.supervisor([probe.child("a", fail_in_second_life)])):
        await trio.sleep(10)
        assert len(probe.of(ChildRestarting)) == 2
        assert supervisor_states(probe) == [("a", 1), ("a", 2), ("a", 3)]


def supervisor_states(probe: Probe) -> list[tuple[str, int]]:
    return [(event.child, event.incarnation) for event in probe.of(ChildStarting)]


async def test_stop_during_start_stops_the_child_that_is_starting_and_starts_no_other(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a"), probe.child("b", ready_after(5)), probe.child("c")])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(2)
        await supervisor.stop()
    assert probe.log == ["start a", "start b", "end b", "cleanup b", "end a", "cleanup a"]
    assert probe.of(SupervisorReady, ChildStartFailed) == []


async def test_supervisor_without_children_is_ready_and_waits_to_be_stopped(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([])
    async with running(supervisor):
        await trio.sleep(1)
        assert supervisor.is_running
        assert supervisor.snapshot().state is ChildState.READY
    assert not supervisor.is_running


async def test_supervisor_whose_start_fails_escalates_to_its_parent_which_retries_it_as_a_crash(autojump_clock: object) -> None:
    lives = 0

    async def fail_in_second_run(context: ChildContext) -> None:
        nonlocal lives
        lives += 1
        if lives == 2:
            raise OSError("down")
        await crashes_after(1, lives=1 if lives == 1 else 0)(context)

    probe = Probe()
    inner = probe.supervisor([probe.child("a", fail_in_second_run)], name="inner", intensity=Intensity(0, 10))
    async with running(probe.supervisor([inner.as_child()])):
        await trio.sleep(20)
        assert [(e.child, e.incarnation) for e in probe.of(ChildStarting)] == [
            ("inner", 1), ("a", 1), ("inner", 2), ("a", 1), ("inner", 3), ("a", 1),
        ]  # fmt: skip


async def test_started_counts_once_and_not_after_the_child_was_asked_to_stop(autojump_clock: object) -> None:
    async def start_twice(context: ChildContext) -> None:
        context.started()
        context.started()
        await trio.sleep_forever()

    async def start_too_late(context: ChildContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            context.started()

    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", start_twice), probe.child("b", start_too_late)])
    async with running(supervisor):
        await trio.sleep(1)
    assert [event.child for event in probe.of(ChildReady)] == ["a"]
