"""Random trees of children that crash, finish, hang and cling at random times keep every promise about order,
back-off, intensity and cleanup, whatever happens to them, and always come to an end."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
import trio
import trio.testing
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from supervision_probe import PromiseChecker

from supervision.backoff import Backoff
from supervision.child import Child, ChildContext, CleanupCause, Restart
from supervision.errors import SupervisionError
from supervision.events import ChildDied, ChildStarting, CleanupStarted, SupervisionEvent, SupervisorStopped
from supervision.intensity import Intensity
from supervision.policy import Strategy, WhenExceeded, WhenStartFails
from supervision.supervisor import Supervisor


class Life(msgspec.Struct, frozen=True):
    """What one life of a child does; times in seconds, infinite for never."""

    ready_after: float
    ends_after: float
    end: str
    clings_for: float
    cleanup_takes: float
    cleanup_raises: bool


class Leaf(msgspec.Struct, frozen=True):
    restart: Restart
    lives: tuple[Life, ...]


class Branch(msgspec.Struct, frozen=True):
    strategy: Strategy
    intensity: Intensity
    backoff: Backoff
    when_exceeded: WhenExceeded
    when_start_fails: WhenStartFails
    is_concurrent: bool
    members: tuple[Any, ...]


# A coarse grid, so that things often happen at the same instant: that is where the order is hard to keep.
moments = st.integers(0, 12).map(lambda tick: tick / 2)
lives = st.builds(
    Life,
    ready_after=st.sampled_from([0, 0, 0, 0.5, 1, math.inf]),
    ends_after=st.one_of(moments, st.just(math.inf)),
    end=st.sampled_from(["crash", "crash", "finish", "hang"]),
    clings_for=st.sampled_from([0, 0, 0, 0.5, 4]),
    cleanup_takes=st.sampled_from([0, 0, 0.5, 9]),
    cleanup_raises=st.sampled_from([False, False, False, True]),
)
leaves = st.builds(Leaf, restart=st.sampled_from(Restart), lives=st.lists(lives, min_size=1, max_size=4).map(tuple))


def branches(members: st.SearchStrategy[Any]) -> st.SearchStrategy[Branch]:
    return st.builds(
        Branch,
        strategy=st.sampled_from(Strategy),
        intensity=st.builds(Intensity, st.integers(0, 5), st.sampled_from([1.0, 10.0])),
        backoff=st.builds(Backoff, st.sampled_from([0.0, 0.5]), st.just(2.0), st.just(3.0), st.just(0.5), st.just(5.0)),
        when_exceeded=st.sampled_from(WhenExceeded),
        when_start_fails=st.sampled_from(WhenStartFails),
        is_concurrent=st.booleans(),
        members=st.lists(members, min_size=1, max_size=4).map(tuple),
    )


trees = branches(st.one_of(leaves, leaves, branches(leaves)))


class World:
    """Builds the tree, and the checkers that watch it."""

    def __init__(self) -> None:
        self.events: list[SupervisionEvent] = []
        self.checkers: dict[str, PromiseChecker] = {}
        self.alive: list[str] = []

    def report(self, happened: SupervisionEvent) -> None:
        self.events.append(happened)  # checked afterwards: what a report raises is swallowed

    def check(self) -> None:
        for happened in self.events:
            self.checkers[happened.supervisor].see(happened)

    def build(self, branch: Branch, path: str) -> Supervisor:
        children = [self._child(member, path, f"{place}") for place, member in enumerate(branch.members)]
        counts_together = branch.when_exceeded is WhenExceeded.ESCALATE
        is_concurrent = branch.is_concurrent and branch.strategy is not Strategy.REST_FOR_ONE
        intensity = branch.intensity if counts_together else None
        self.checkers[path] = PromiseChecker(path, children, branch.strategy, intensity, is_concurrent=is_concurrent)
        return Supervisor(
            path.rpartition("/")[2],
            children,
            strategy=branch.strategy,
            intensity=branch.intensity,
            backoff=branch.backoff,
            when_exceeded=branch.when_exceeded,
            when_start_fails=branch.when_start_fails,
            start_concurrently=is_concurrent,
            report=self.report,
            rng=random.Random(5),
        )

    def _child(self, member: Any, path: str, name: str) -> Child:
        if isinstance(member, Branch):
            return self.build(member, f"{path}/{name}").as_child()
        place = f"{path}/{name}"
        current = [member.lives[0]]

        async def start(context: ChildContext) -> None:
            life = current[0] = member.lives[min(context.incarnation, len(member.lives)) - 1]
            assert place not in self.alive, "two lives of one child at once"
            self.alive.append(place)
            try:
                await live(life, context)
            finally:
                if life.clings_for:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(life.clings_for)
                self.alive.remove(place)

        async def cleanup(cause: CleanupCause) -> None:
            assert cause.still_running == (place in self.alive)
            await trio.sleep(current[0].cleanup_takes)
            if current[0].cleanup_raises:
                raise ValueError("cleanup")

        return Child(
            name,
            start,
            restart=member.restart,
            cleanup=cleanup,
            start_deadline_seconds=2,
            stop_deadline_seconds=1,
            cleanup_deadline_seconds=2,
            liveness_timeout_seconds=3 if any(life.end == "hang" for life in member.lives) else None,
        )


async def live(life: Life, context: ChildContext) -> None:
    await trio.sleep(life.ready_after)
    context.started()
    end_at = trio.current_time() + life.ends_after
    while trio.current_time() < end_at:
        await trio.sleep(min(1, end_at - trio.current_time()))
        context.progress()
    if life.end == "crash":
        raise OSError("crash")
    if life.end == "hang":
        await trio.sleep_forever()


@given(tree=trees, stop_after=moments.map(lambda moment: moment * 4), is_cancelled=st.booleans())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_random_tree_keeps_every_promise_and_ends(tree: Branch, stop_after: float, is_cancelled: bool) -> None:
    world = World()
    supervisor = world.build(tree, "root")

    async def main() -> None:
        try:
            with trio.move_on_after(stop_after if is_cancelled else math.inf):
                async with trio.open_nursery() as nursery:
                    if not is_cancelled:
                        nursery.start_soon(stop_later)
                    await supervisor.run()
                    nursery.cancel_scope.cancel()
        except* SupervisionError:
            event("escalated")
        # However slow, children die within their times: 4 s of clinging and two cleanups of 2 s each, one after another.
        assert trio.current_time() < stop_after + 8 * 16 + 1 or not is_cancelled

    async def stop_later() -> None:
        await trio.sleep(stop_after)
        supervisor.request_stop("enough")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    world.check()
    assert world.alive == []
    if world.events:
        assert isinstance(world.events[-1], SupervisorStopped)
    deaths = [happened for happened in world.events if isinstance(happened, ChildDied)]
    starts = [happened for happened in world.events if isinstance(happened, ChildStarting)]
    assert len(deaths) == len(starts)
    cleaned = [happened for happened in world.events if isinstance(happened, CleanupStarted) and not happened.cause.still_running]
    assert len(cleaned) == sum(f"{happened.supervisor}/{happened.child}" not in world.checkers for happened in deaths)
    event(f"{min(len(starts) // 5 * 5, 30)}+ lives")
