"""Ctrl-C has no good moment: a small nested tree is cancelled after its n-th step, for every n until it is over."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing
from supervision_probe import Probe, PromiseChecker, clings_for, crashes_after, ready_after, run_until_stopped, takes

from supervision.child import ChildContext, CleanupCause
from supervision.events import (
    ChildDied,
    ChildStarting,
    ChildStopping,
    CleanupFinished,
    CleanupStarted,
    SupervisionEvent,
    SupervisorStopped,
    SupervisorStopping,
)
from supervision.policy import Strategy
from supervision.supervisor import Supervisor


class CancelAtStep(trio.abc.Instrument):
    """Cancels `scope` after the run's step number `step`."""

    def __init__(self, step: int) -> None:
        self.scope = trio.CancelScope()
        self.steps_left = step

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            self.scope.cancel("ctrl-c")


def small_tree(probe: Probe) -> tuple[Supervisor, list[PromiseChecker]]:
    """Slow starts, slow ends, slow cleanups, and one crash in the middle that restarts the rest of the inner group."""

    async def crash_once(context: ChildContext) -> None:
        await (crashes_after(1) if context.incarnation == 1 else run_until_stopped)(context)

    inner_children = [
        probe.child("b1", ready_after(1), cleans_up=takes(0.5)),
        probe.child("b2", crash_once, cleans_up=takes(0.5)),
        probe.child("b3", clings_for(0.5), cleans_up=takes(0.5)),
    ]
    inner = probe.supervisor(inner_children, "inner", strategy=Strategy.REST_FOR_ONE)
    children = [
        probe.child("a", ready_after(1), cleans_up=takes(0.5)),
        inner.as_child(),
        probe.child("c", clings_for(0.5), cleans_up=takes(0.5)),
    ]
    root = probe.supervisor(children)
    return root, [
        PromiseChecker("root", children, Strategy.ONE_FOR_ONE, None),
        PromiseChecker("root/inner", inner_children, Strategy.REST_FOR_ONE, None),
    ]


def run_cancelled_at(step: int) -> tuple[bool, Probe]:
    probe = Probe()
    root, checkers = small_tree(probe)
    instrument = CancelAtStep(step)

    async def main() -> None:
        with instrument.scope, trio.move_on_after(8):
            await root.run()
            raise AssertionError("the supervisor returned though it was cancelled")

    trio.run(main, instruments=[instrument], clock=trio.testing.MockClock(autojump_threshold=0))
    for event in probe.events:
        for checker in checkers:
            if checker.path == event.supervisor:
                checker.see(event)
    return instrument.steps_left <= 0, probe


def test_tree_cancelled_at_any_step_stops_and_cleans_up_every_started_child_once_in_reverse_order() -> None:
    step = 1
    reached = True
    while reached:
        reached, probe = run_cancelled_at(step)
        at = f"cancelled at step {step}"
        if not probe.events:
            step += 1
            continue  # cancelled before it began
        lives = lives_of(probe.of(ChildStarting))
        assert lives_of(probe.of(ChildDied)) == lives, at
        leaves = {life for life in lives if life[1] != "inner"}
        assert sorted(lives_of(probe.of(CleanupStarted))) == sorted(leaves), at
        assert sorted(lives_of(probe.of(CleanupFinished))) == sorted(leaves), at
        assert isinstance(probe.events[-1], SupervisorStopped), at
        assert_stopped_in_reverse_order(probe, at)
        step += 1
    assert step > 100  # the tree really has that many steps at which to be cancelled


def lives_of(events: list[Any]) -> set[tuple[str, str, int]] | list[tuple[str, str, int]]:
    lives = [(event.supervisor, event.child, event.incarnation) for event in events]
    assert len(lives) == len(set(lives)), f"twice in one life: {lives}"
    return set(lives)


def assert_stopped_in_reverse_order(probe: Probe, at: str) -> None:
    stopping = next(index for index, event in enumerate(probe.events) if isinstance(event, SupervisorStopping))
    after: list[SupervisionEvent] = probe.events[stopping:]
    assert not [event for event in after if isinstance(event, ChildStarting) and event.supervisor == "root"], at
    # A child that was on its way out for the restart of its group goes on doing so, beside this.
    stopped = [event.child for event in after if isinstance(event, ChildStopping) and event.reason == "its supervisor is stopping"]
    order = ["c", "inner", "b3", "b2", "b1", "a"]
    assert stopped == [name for name in order if name in stopped], at


async def cleans_up_never(cause: CleanupCause) -> None:
    await trio.sleep_forever()


def test_tree_cancelled_at_any_step_ends_within_its_deadlines_even_if_cleanups_hang() -> None:
    step = 1
    steps_left = 0
    while steps_left <= 0:
        probe = Probe()
        children = [probe.child(name, cleans_up=cleans_up_never, cleanup_deadline_seconds=3) for name in "abc"]
        instrument = CancelAtStep(step)

        async def main(supervisor: Supervisor, scope: trio.CancelScope) -> float:
            with scope, trio.move_on_after(2):
                await supervisor.run()
            return trio.current_time()

        clock = trio.testing.MockClock(autojump_threshold=0)
        took = trio.run(main, probe.supervisor(children), instrument.scope, instruments=[instrument], clock=clock)
        assert took <= 2 + 3 * 3, f"cancelled at step {step}"
        steps_left = instrument.steps_left
        step += 1
    assert step > 20
