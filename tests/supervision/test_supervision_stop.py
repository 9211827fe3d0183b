from __future__ import annotations

import math

import pytest
import trio
import trio.testing
from supervision_probe import Probe, clings_for, crashes_after, finishes_after, ready_after, run_until_stopped, running, takes

from supervision.child import ChildContext, DeathKind, Restart
from supervision.events import (
    ChildDied,
    ChildRestarting,
    ChildStarting,
    ChildStopped,
    ChildStopping,
    StopDeadlineExceeded,
    SupervisorStopped,
    SupervisorStopping,
)
from supervision.intensity import Intensity
from supervision.policy import Strategy
from supervision.snapshot import Awaited, ChildState

REVERSE = ["end c", "cleanup c", "end b", "cleanup b", "end a", "cleanup a"]


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_requested_stop_stops_children_in_reverse_order_and_returns(autojump_clock: object, strategy: Strategy) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child(name) for name in "abc"], strategy=strategy)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        probe.log.clear()
        assert supervisor.request_stop("maintenance")
    assert probe.log == REVERSE
    assert [event.reason for event in probe.of(SupervisorStopping)] == ["maintenance"]
    assert [event.kind for event in probe.of(ChildDied)] == [DeathKind.STOPPED] * 3


async def test_cancelled_run_stops_children_in_reverse_order_and_then_raises_cancelled(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child(name, clings_for(1), cleans_up=takes(2)) for name in "abc"]
    supervisor = probe.supervisor(children)
    raised: list[BaseException] = []
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                try:
                    await supervisor.run()
                except BaseException as error:
                    raised.append(error)
                    raise

            nursery.start_soon(run)
            await trio.sleep(1)
            probe.log.clear()
            scope.cancel("ctrl-c")
    assert scope.cancelled_caught
    assert [type(error) for error in raised] == [trio.Cancelled]
    assert probe.log == REVERSE
    assert probe.times(ChildStopping) == [1, 4, 7]
    assert probe.times(SupervisorStopped) == [10]
    assert probe.of(SupervisorStopping)[0].reason == "cancelled: ctrl-c"


async def test_cancelled_run_that_has_not_begun_starts_nothing(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a")])
    with trio.CancelScope() as scope:
        scope.cancel()
        await supervisor.run()
    assert scope.cancelled_caught
    assert probe.events == []
    assert not supervisor.is_running


async def test_nested_tree_stops_leaf_by_leaf_in_reverse_order(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor([probe.child("b1"), probe.child("b2")], name="inner")
    async with running(probe.supervisor([probe.child("a"), inner.as_child(), probe.child("c")])):
        probe.log.clear()
    assert probe.log == ["end c", "cleanup c", "end b2", "cleanup b2", "end b1", "cleanup b1", "end a", "cleanup a"]


async def test_child_is_given_its_own_stop_deadline(autojump_clock: object) -> None:
    probe = Probe()
    children = [
        probe.child("a", clings_for(4), stop_deadline_seconds=3),
        probe.child("b", clings_for(4), stop_deadline_seconds=5),
    ]
    async with running(probe.supervisor(children)):
        pass
    assert [(event.child, event.seconds) for event in probe.of(StopDeadlineExceeded)] == [("a", 3)]


async def test_stop_deadline_is_five_seconds_unless_set(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", clings_for(6))])):
        pass
    assert probe.times(StopDeadlineExceeded) == [5]


async def test_child_that_outlives_its_stop_deadline_is_cleaned_up_passed_over_and_awaited_at_the_end(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a"), probe.child("clinging", clings_for(60), stop_deadline_seconds=2)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        probe.log.clear()
        supervisor.request_stop("over")
        await trio.sleep(10)
        assert probe.log == ["cleanup clinging", "end a", "cleanup a"]
        assert supervisor.is_running
        assert supervisor.waiting_for() == (Awaited("root/clinging", "stopping", 10.0),)
    assert probe.log[3:] == ["end clinging", "cleanup clinging"]
    assert [(cause.kind, cause.still_running) for name, cause in probe.causes if name == "clinging"] == [
        (DeathKind.STOPPED, True),
        (DeathKind.STOPPED, False),
    ]
    assert "awaited at the end; only ending the process would end it" in str(probe.of(StopDeadlineExceeded)[0])
    assert [event.child for event in probe.of(ChildStopped)] == ["a", "clinging"]
    assert supervisor.waiting_for() == ()


async def test_waiting_for_names_the_innermost_child_and_what_it_does(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor([probe.child("x", clings_for(3), cleans_up=takes(4)), probe.child("y")], name="inner")
    supervisor = probe.supervisor([probe.child("a"), inner.as_child()])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        assert supervisor.waiting_for() == ()
        supervisor.request_stop("over")
        await trio.sleep(2)
        assert supervisor.waiting_for() == (Awaited("root/inner/x", "stopping", 2.0),)
        await trio.sleep(3)
        assert supervisor.waiting_for() == (Awaited("root/inner/x", "cleaning up", 5.0),)


async def test_crash_while_stopping_is_reported_and_restarts_nothing(autojump_clock: object) -> None:
    async def crash_on_the_way_out(context: ChildContext) -> None:
        try:
            await run_until_stopped(context)
        finally:
            raise OSError("socket broke while closing")

    probe = Probe()
    async with running(probe.supervisor([probe.child("a", crash_on_the_way_out), probe.child("b", clings_for(3))])):
        pass
    assert [(event.child, event.kind) for event in probe.of(ChildDied)] == [("b", DeathKind.STOPPED), ("a", DeathKind.STOPPED)]
    assert isinstance(probe.of(ChildDied)[1].error, OSError)
    assert probe.of(ChildRestarting) == []


async def test_child_that_crashes_while_another_is_being_stopped_is_cleaned_up_once_and_not_restarted(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", crashes_after(3)), probe.child("b", clings_for(4), cleans_up=takes(2))])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        await supervisor.stop()
    assert probe.log == ["start a", "start b", "end a", "cleanup a", "end b", "cleanup b"]
    assert len(probe.of(ChildStarting)) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
async def test_error_that_ends_the_process_stops_all_in_order_and_propagates(autojump_clock: object, error: BaseException) -> None:
    def raise_it() -> BaseException:
        return error

    probe = Probe()
    inner = probe.supervisor([probe.child("b1"), probe.child("b2", crashes_after(1, error=raise_it))], name="inner")
    supervisor = probe.supervisor([probe.child("a"), inner.as_child(), probe.child("c")])
    with pytest.raises(type(error)):
        await supervisor.run()
    assert probe.log[4:] == [
        "end b2", "cleanup b2", "end b1", "cleanup b1", "end c", "cleanup c", "end a", "cleanup a",
    ]  # fmt: skip
    assert probe.of(ChildRestarting) == []


async def test_exception_group_with_a_keyboard_interrupt_propagates_whole(autojump_clock: object) -> None:
    def group() -> BaseException:
        return BaseExceptionGroup("both", [KeyboardInterrupt(), OSError("other")])

    probe = Probe()
    with pytest.raises(BaseExceptionGroup) as caught:
        await probe.supervisor([probe.child("a", crashes_after(1, error=group))]).run()
    assert len(caught.value.exceptions) == 2


async def test_error_that_ends_the_process_outranks_an_escalation_under_way(autojump_clock: object) -> None:
    async def exits_when_stopped(context: ChildContext) -> None:
        try:
            await run_until_stopped(context)
        finally:
            raise SystemExit(4)

    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", exits_when_stopped), probe.child("b", crashes_after(1))], intensity=Intensity(0, 1))
    with pytest.raises(SystemExit):
        await supervisor.run()


async def test_stop_in_the_middle_of_a_group_restart_stops_what_is_left_in_reverse_order(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", clings_for(1)), probe.child("c", clings_for(3)), probe.child("d", crashes_after(1))]
    supervisor = probe.supervisor(children, strategy=Strategy.ONE_FOR_ALL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(2)  # c is on its way out for the restart
        await supervisor.stop()
    assert probe.log[4:] == ["end d", "cleanup d", "end c", "cleanup c", "end b", "cleanup b", "end a", "cleanup a"]
    assert len(probe.of(ChildStarting)) == 4


async def test_stop_while_a_dead_child_is_being_cleaned_up_waits_for_that_cleanup(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a"), probe.child("b", crashes_after(1), cleans_up=takes(5))])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(3)
        await supervisor.stop()
    assert probe.log == ["start a", "start b", "end b", "cleanup b", "end a", "cleanup a"]
    assert probe.times(ChildStopping) == [6]


async def test_request_stop_of_a_supervisor_that_does_not_run_has_no_effect(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a")])
    assert not supervisor.request_stop("too early")
    await supervisor.stop()
    async with running(supervisor):
        assert supervisor.snapshot().state is ChildState.READY
    assert not supervisor.request_stop("too late")


async def test_supervisor_may_be_run_again_and_is_fresh(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", crashes_after(1, lives=1))], intensity=Intensity(1, 1000))
    for _ in range(3):
        async with running(supervisor):
            await trio.sleep(5)
            snapshot = (supervisor.snapshot().children or ())[0]
            assert (snapshot.incarnation, snapshot.restarts, snapshot.state) == (2, 1, ChildState.READY)


async def test_supervisor_refuses_to_run_twice_at_once(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a")])
    async with running(supervisor):
        with pytest.raises(RuntimeError, match="'root' is running already"):
            await supervisor.run()
        assert supervisor.is_running


async def test_nested_supervisor_that_was_stopped_counts_as_a_finished_child(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor([probe.child("x")], name="inner")
    async with running(probe.supervisor([inner.as_child(restart=Restart.TRANSIENT), probe.child("b")])):
        await inner.stop()
        await trio.sleep(5)
        assert [(event.child, event.kind) for event in probe.of(ChildDied)] == [("x", DeathKind.STOPPED), ("inner", DeathKind.FINISHED)]
        assert probe.of(ChildRestarting) == []


async def test_supervisor_whose_children_have_all_finished_goes_on_until_stopped(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", finishes_after(1), restart=Restart.TRANSIENT)])
    async with running(supervisor):
        await trio.sleep(100)
        assert supervisor.is_running


async def test_children_see_the_cancellation_of_their_supervisor_only_through_it(autojump_clock: object) -> None:
    """A child that starts slowly behind a nested supervisor is not hit by the outer cancellation before its turn."""
    probe = Probe()
    inner = probe.supervisor([probe.child("slow", ready_after(math.inf), start_deadline_seconds=100)], name="inner")
    supervisor = probe.supervisor([probe.child("a", clings_for(2)), inner.as_child(), probe.child("never")])
    with trio.move_on_after(5):
        await supervisor.run()
    assert probe.log == ["start a", "start slow", "end slow", "cleanup slow", "end a", "cleanup a"]
