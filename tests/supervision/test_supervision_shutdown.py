from __future__ import annotations

import pytest
import trio
import trio.testing
from supervision_probe import Probe, crashes_after, finishes_after, running

from supervision.child import Restart
from supervision.errors import RestartIntensityExceeded
from supervision.events import ChildRestarting, SupervisorStopping
from supervision.intensity import Intensity
from supervision.policy import AutoShutdown, Strategy, WhenExceeded

SIGNIFICANT = {"restart": Restart.TRANSIENT, "significant": True}


async def test_any_significant_child_that_finishes_stops_the_supervisor_which_returns(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", finishes_after(3), **SIGNIFICANT), probe.child("c", **SIGNIFICANT)]
    await probe.supervisor(children, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT).run()
    assert probe.log[3:] == ["end b", "cleanup b", "end c", "cleanup c", "end a", "cleanup a"]
    assert probe.of(SupervisorStopping)[0].reason == "significant child b has ended"


async def test_all_significant_waits_for_the_last_significant_child(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", finishes_after(3), **SIGNIFICANT), probe.child("c", finishes_after(9), **SIGNIFICANT)]
    await probe.supervisor(children, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT).run()
    assert probe.times(SupervisorStopping) == [9]


async def test_crash_of_a_significant_transient_child_is_restarted_not_shut_down(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a", crashes_after(1, lives=1), **SIGNIFICANT)]
    async with running(probe.supervisor(children, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)):
        await trio.sleep(10)
        assert len(probe.of(ChildRestarting)) == 1
        assert probe.of(SupervisorStopping) == []


async def test_crash_of_a_significant_temporary_child_shuts_down(autojump_clock: object) -> None:
    probe = Probe()
    child = probe.child("a", crashes_after(1), restart=Restart.TEMPORARY, significant=True)
    await probe.supervisor([child], auto_shutdown=AutoShutdown.ANY_SIGNIFICANT).run()
    assert probe.times(SupervisorStopping) == [1]


async def test_significant_child_stopped_for_a_sibling_does_not_shut_down(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a", crashes_after(1, lives=1)), probe.child("b", restart=Restart.TEMPORARY, significant=True)]
    async with running(probe.supervisor(children, strategy=Strategy.ONE_FOR_ALL, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)):
        await trio.sleep(10)
        assert probe.of(SupervisorStopping) == []
        assert probe.log[-1] == "start a"


async def test_end_of_a_child_that_is_not_significant_does_not_shut_down(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a", **SIGNIFICANT), probe.child("b", finishes_after(1), restart=Restart.TRANSIENT)]
    async with running(probe.supervisor(children, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)):
        await trio.sleep(10)
        assert probe.of(SupervisorStopping) == []


async def test_all_significant_escalates_if_one_of_them_is_in_quarantine(autojump_clock: object) -> None:
    probe = Probe()
    children = [probe.child("a"), probe.child("b", crashes_after(1), **SIGNIFICANT), probe.child("c", finishes_after(50), **SIGNIFICANT)]
    supervisor = probe.supervisor(
        children, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT, intensity=Intensity(1, 60), when_exceeded=WhenExceeded.QUARANTINE
    )
    with pytest.raises(RestartIntensityExceeded, match="every significant child has ended or is quarantined, the last of them b"):
        await supervisor.run()
    assert probe.times(SupervisorStopping) == [50]


async def test_automatic_shutdown_ends_a_nested_supervisor_as_a_finished_child(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor(
        [probe.child("job", finishes_after(2), **SIGNIFICANT)], name="inner", auto_shutdown=AutoShutdown.ANY_SIGNIFICANT
    )
    child = inner.as_child(restart=Restart.TRANSIENT, significant=True)
    await probe.supervisor([probe.child("a"), child], auto_shutdown=AutoShutdown.ANY_SIGNIFICANT).run()
    assert probe.log == ["start a", "start job", "end job", "cleanup job", "end a", "cleanup a"]
