"""A supervisor: starts its children in order, restarts what fails, stops them in reverse order, cleans up after each."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import trio

from supervision.backoff import Backoff
from supervision.child import Child, ChildContext, Restart
from supervision.events import SupervisionEvent
from supervision.intensity import Intensity
from supervision.policy import AutoShutdown, Policy, Strategy, WhenExceeded, WhenStartFails
from supervision.run import Run
from supervision.snapshot import Awaited, ChildState, Snapshot


class Supervisor:
    """Supervises `children`, listed in start order. Nothing runs until `run`; then see `docs/supervision.md`.

    `report` is called with each event, synchronously, in the order in which things happen; what it raises is counted in
    `reports_failed` and else ignored. `rng` draws the jitter of back-off. `start_concurrently` starts all children at
    once instead of each after its predecessor is ready; children are still stopped one by one in reverse order.

    Raises:
        ValueError: two children have one name, a child is significant though the supervisor never shuts down for it, or
            rest_for_one children are to start concurrently though each depends on those before it.
    """

    def __init__(
        self,
        name: str,
        children: Sequence[Child],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        backoff: Backoff | None = None,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        when_exceeded: WhenExceeded = WhenExceeded.ESCALATE,
        when_start_fails: WhenStartFails = WhenStartFails.ESCALATE,
        start_concurrently: bool = False,
        report: Callable[[SupervisionEvent], None],
        rng: random.Random,
    ) -> None:
        names = [child.name for child in children]
        twice = sorted({one for one in names if names.count(one) > 1})
        if not name or "/" in name:
            raise ValueError(f"a supervisor's name is a text without a slash, not {name!r}")
        if twice:
            raise ValueError(f"supervisor {name!r} has two children of one name: {', '.join(twice)}")
        if auto_shutdown is AutoShutdown.NEVER and any(child.significant for child in children):
            raise ValueError(f"supervisor {name!r} has a significant child but auto_shutdown=NEVER: say ANY_SIGNIFICANT or ALL_SIGNIFICANT")
        if start_concurrently and strategy is Strategy.REST_FOR_ONE:
            raise ValueError(f"supervisor {name!r} cannot start rest_for_one children concurrently: each depends on those before it")
        self.name = name
        self._children = tuple(children)
        self._policy = Policy(
            strategy=strategy,
            intensity=intensity or Intensity(),
            backoff=backoff or Backoff(),
            auto_shutdown=auto_shutdown,
            when_exceeded=when_exceeded,
            when_start_fails=when_start_fails,
            start_concurrently=start_concurrently,
        )
        self._report = report
        self._rng = rng
        self._run: Run | None = None

    async def run(self, context: ChildContext | None = None) -> None:
        """Run the children; ready, by `context.started()`, when all of them are. A start function, so supervisors nest.

        Returns after `request_stop` or an automatic shutdown. However it ends, by cancellation too, children have been
        stopped in reverse order and cleaned up before it does. May be called again once it is over; all is then fresh.

        Raises:
            RestartIntensityExceeded: restarting did not help.
            StartFailed: a child failed before it had been ready once.
            trio.Cancelled: it was cancelled; also when the cancellation came while it was stopping for another reason.
            BaseException: a child raised KeyboardInterrupt, SystemExit or a group with one in it.
            RuntimeError: it is running already.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.is_running:
            raise RuntimeError(f"supervisor {self.name!r} is running already; make another one to run the same children twice")
        path = self.name if context is None else context.path
        run = self._run = Run(path, self._children, self._policy, self._report, self._rng)
        try:
            await run.supervise(_ignore if context is None else context.started)
        finally:
            run.finished.set()

    @property
    def is_running(self) -> bool:
        """Whether `run` has been called and is not over."""
        return self._run is not None and not self._run.finished.is_set()

    @property
    def reports_failed(self) -> int:
        """How often `report` raised in this run, or the last one."""
        return 0 if self._run is None else self._run.reports_failed

    def request_stop(self, reason: str) -> bool:
        """Ask for an orderly stop, after which `run` returns. False, and no effect, if it is not running."""
        if self._run is None or not self.is_running:
            return False
        self._run.end(reason)
        return True

    async def stop(self, reason: str = "asked to stop") -> None:
        """`request_stop`, then wait until `run` is over; at once if it is not running. A cancelled call stops it still."""
        self.request_stop(reason)
        if self._run is None:
            await trio.lowlevel.checkpoint()
        else:
            await self._run.finished.wait()

    def waiting_for(self) -> tuple[Awaited, ...]:
        """The children whose end is awaited now, nested ones by themselves, in stop order. Callable at any time in Trio."""
        return () if self._run is None else self._run.waiting_for()

    def snapshot(self, path: str | None = None) -> Snapshot:
        """The tree from here down. Before the first run, children are stopped, incarnation 0, and under `path` if given."""
        run = self._run
        if run is None:
            run = Run(path or self.name, self._children, self._policy, _ignore_event, self._rng)
            run.state = ChildState.STOPPED
        return Snapshot(
            name=self.name,
            path=run.path,
            state=run.state,
            incarnation=0 if self._run is None else 1,
            restarts=0,
            last_error=None,
            since=run.since,
            children=run.slots_snapshot(),
        )

    def as_child(self, *, restart: Restart = Restart.PERMANENT, significant: bool = False) -> Child:
        """This supervisor as a child of another. It has no deadlines of its own: its children have theirs."""
        return Child(
            self.name,
            self.run,
            restart=restart,
            start_deadline_seconds=math.inf,
            stop_deadline_seconds=math.inf,
            significant=significant,
            subtree=self,
        )


def _ignore() -> None:
    """What being ready means to a supervisor without a parent."""


def _ignore_event(event: SupervisionEvent) -> None:
    """What a supervisor that has not run reports."""
