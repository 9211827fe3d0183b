from __future__ import annotations

import random

import msgspec
import pytest
import trio
import trio.testing
from supervision_probe import Probe, crashes_after, finishes_after, ready_after, running, takes

from supervision.child import Child, Restart
from supervision.errors import leaf_errors, one_line
from supervision.events import ChildDied, ChildEvent, ChildStarting, SupervisionEvent, SupervisorStopped
from supervision.intensity import Intensity
from supervision.snapshot import ChildState, Snapshot
from supervision.supervisor import Supervisor


async def test_every_decision_of_a_restart_and_a_stop_is_reported_in_order(autojump_clock: object) -> None:
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", crashes_after(1, lives=1))])):
        await trio.sleep(5)
    assert probe.story() == [
        "ChildStarting a", "ChildReady a", "SupervisorReady",
        "ChildDied a", "CleanupStarted a", "CleanupFinished a", "ChildRestarting a",
        "ChildStarting a", "ChildReady a",
        "SupervisorStopping", "ChildStopping a", "ChildDied a", "CleanupStarted a", "CleanupFinished a", "ChildStopped a",
        "SupervisorStopped",
    ]  # fmt: skip


async def test_event_names_the_supervisor_by_its_path_the_child_its_incarnation_and_the_time(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor([probe.child("account:main", crashes_after(1, lives=1))], name="accounts")
    began = trio.current_time()
    async with running(probe.supervisor([inner.as_child()])):
        await trio.sleep(5)
        last = probe.of(ChildStarting)[-1]
        assert (last.supervisor, last.child, last.incarnation, last.time - began) == ("root/accounts", "account:main", 2, 2)
        death = probe.of(ChildDied)[0]
        assert str(death) == "root/accounts/account:main #1 died, crashed (OSError: crashed)"
        with pytest.raises(AttributeError):
            death.child = "other"


def test_every_event_reads_as_a_line() -> None:
    facts = {str: "x", int: 1, float: 1.5, "BaseException": OSError("why")}
    seen = 0
    for event_type in every_subclass(SupervisionEvent):
        if event_type is ChildEvent:
            continue
        fields = msgspec.structs.fields(event_type)
        values = [facts.get(field.type, OSError("why")) if field.name not in {"kind", "cause"} else None for field in fields]
        if any(value is None for value in values):
            continue
        line = str(event_type(*values))
        assert line.startswith("x")
        assert "\n" not in line
        seen += 1
    assert seen >= 14


def every_subclass(base: type[SupervisionEvent]) -> list[type[SupervisionEvent]]:
    return [found for child in base.__subclasses__() for found in (child, *every_subclass(child))]


async def test_report_that_raises_does_not_break_supervision_and_is_counted(autojump_clock: object) -> None:
    def broken(event: SupervisionEvent) -> None:
        raise OSError("log disk is full")

    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", crashes_after(1, lives=1)), probe.child("b")], report=broken)
    async with running(supervisor):
        await trio.sleep(5)
    assert probe.log == ["start a", "start b", "end a", "cleanup a", "start a", "end b", "cleanup b", "end a", "cleanup a"]
    assert supervisor.reports_failed > 10


async def test_report_that_ends_the_process_stops_the_tree_in_order_and_propagates(autojump_clock: object) -> None:
    def exits(event: SupervisionEvent) -> None:
        if isinstance(event, ChildDied):
            raise SystemExit(6)

    probe = Probe()
    supervisor = probe.supervisor([probe.child("a"), probe.child("b", crashes_after(1))], report=exits)
    with pytest.raises(SystemExit):
        await supervisor.run()
    assert probe.log[2:] == ["end b", "cleanup b", "end a", "cleanup a"]


async def test_exception_group_is_kept_whole_in_the_event(autojump_clock: object) -> None:
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [OSError("one"), ValueError("two\nlines")]), KeyError()])
    probe = Probe()
    async with running(probe.supervisor([probe.child("a", crashes_after(1, error=lambda: group), restart=Restart.TEMPORARY)])):
        await trio.sleep(3)
    assert probe.of(ChildDied)[0].error is group
    assert [type(leaf) for leaf in leaf_errors(group)] == [OSError, ValueError, KeyError]
    assert one_line(group) == "OSError: one; ValueError: two; KeyError"


async def test_snapshot_shows_each_child_of_the_tree(autojump_clock: object) -> None:
    probe = Probe()
    inner = probe.supervisor(
        [probe.child("x", crashes_after(1, lives=1)), probe.child("y", ready_after(50), start_deadline_seconds=99)], "inner"
    )
    children = [probe.child("done", finishes_after(1), restart=Restart.TRANSIENT), inner.as_child(), probe.child("later")]
    supervisor = probe.supervisor(children)
    before = supervisor.snapshot()
    assert [(child.state, child.incarnation) for child in before.children or ()] == [(ChildState.STOPPED, 0)] * 3
    assert [child.path for child in (before.children or ())[1].children or ()] == ["root/inner/x", "root/inner/y"]
    began = trio.current_time()
    async with running(supervisor):
        await trio.sleep(10)
        root = supervisor.snapshot()
        assert (root.name, root.state) == ("root", ChildState.STARTING)
        done, nested, later = root.children or ()
        assert (done.state, done.children) == (ChildState.STOPPED, None)
        assert (nested.state, nested.path) == (ChildState.STARTING, "root/inner")
        assert (later.state, later.incarnation) == (ChildState.STOPPED, 0)
        x, y = nested.children or ()
        assert x == Snapshot("x", "root/inner/x", ChildState.READY, 2, 1, "OSError: crashed", began + 2)
        assert (y.state, y.since) == (ChildState.STARTING, began)


async def test_snapshot_follows_a_child_through_its_states(autojump_clock: object) -> None:
    probe = Probe()
    supervisor = probe.supervisor([probe.child("a", ready_after(1), cleans_up=takes(3))])
    states: list[ChildState] = []

    async def look() -> None:
        while True:
            states.append((supervisor.snapshot().children or ())[0].state)
            await trio.sleep(0.2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(0.1)
        nursery.start_soon(look)
        await trio.sleep(2)
        await supervisor.stop()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert list(dict.fromkeys(states)) == [ChildState.STARTING, ChildState.READY, ChildState.STOPPING, ChildState.STOPPED]
    assert len(probe.of(SupervisorStopped)) == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda child: child("a/b"), "without a slash, not 'a/b'"),
        (lambda child: child(""), "without a slash"),
        (lambda child: child("a", stop_deadline_seconds=0), "stop_deadline_seconds of child 'a' is a time above zero, not 0"),
        (lambda child: child("a", start_deadline_seconds=-1), "start_deadline_seconds of child 'a'"),
        (lambda child: child("a", cleanup_deadline_seconds=0), "cleanup_deadline_seconds of child 'a'"),
        (lambda child: child("a", liveness_timeout_seconds=0), "liveness_timeout_seconds of child 'a'"),
        (lambda child: child("a", significant=True), "a permanent child never ends by itself for good"),
        (lambda child: supervisor_of([child("a"), child("b"), child("a")]), "'root' has two children of one name: a"),
        (lambda child: supervisor_of([child("a", restart=Restart.TRANSIENT, significant=True)]), "say ANY_SIGNIFICANT or ALL_SIGNIFICANT"),
        (lambda child: supervisor_of([], strategy="rest", start_concurrently=True), "each depends on those before it"),
        (lambda child: supervisor_of([], name="x/y"), "supervisor's name is a text without a slash"),
        (lambda child: Intensity(-1, 1), "restarts_max is a number from zero up, not -1"),
        (lambda child: Intensity(1, 0), "period_seconds is a time above zero, not 0"),
    ],
)
def test_mistakes_in_building_a_tree_say_what_to_mend(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(Probe().child)  # type: ignore[operator]


def supervisor_of(
    children: list[Child], *, name: str = "root", strategy: str | None = None, start_concurrently: bool = False
) -> Supervisor:
    from supervision.policy import Strategy

    return Supervisor(
        name,
        children,
        strategy=Strategy.REST_FOR_ONE if strategy else Strategy.ONE_FOR_ONE,
        start_concurrently=start_concurrently,
        report=lambda event: None,
        rng=random.Random(1),
    )
