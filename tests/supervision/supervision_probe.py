"""Scripted children, a record of what they and their supervisors did, and the promises that every record must keep."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from supervision.backoff import Backoff
from supervision.child import Child, ChildContext, CleanupCause
from supervision.events import (
    ChildDied,
    ChildEvent,
    ChildReady,
    ChildRestarting,
    ChildStarting,
    ChildStopping,
    CleanupFailed,
    CleanupFinished,
    CleanupStarted,
    CleanupTimedOut,
    StopDeadlineExceeded,
    SupervisionEvent,
    SupervisorStopped,
    SupervisorStopping,
)
from supervision.intensity import Intensity
from supervision.policy import Strategy
from supervision.supervisor import Supervisor

Body = Callable[[ChildContext], Awaitable[None]]
ONE_SECOND = Backoff(initial_seconds=1.0, factor=2.0, seconds_max=60.0, jitter=0.0)


class Probe:
    """Makes children that write down what happens to them, and supervisors that report to it."""

    def __init__(self) -> None:
        self.events: list[SupervisionEvent] = []
        self.log: list[str] = []
        self.causes: list[tuple[str, CleanupCause]] = []

    def child(
        self, name: str, body: Body | None = None, *, cleans_up: Callable[[CleanupCause], Awaitable[None]] | None = None, **fields: Any
    ) -> Child:
        """A child that is ready at once and runs until stopped, unless `body` says otherwise."""

        async def start(context: ChildContext) -> None:
            self.log.append(f"start {name}")
            try:
                await (body or run_until_stopped)(context)
            finally:
                self.log.append(f"end {name}")

        async def cleanup(cause: CleanupCause) -> None:
            self.log.append(f"cleanup {name}")
            self.causes.append((name, cause))
            if cleans_up is not None:
                await cleans_up(cause)

        return Child(name, start, cleanup=cleanup, **fields)

    def supervisor(self, children: Sequence[Child], name: str = "root", **options: Any) -> Supervisor:
        options = {"backoff": ONE_SECOND, "intensity": Intensity(100, 10.0), "report": self.events.append} | options
        return Supervisor(name, children, rng=random.Random(7), **options)

    def of(self, *types: type[SupervisionEvent]) -> list[Any]:
        """The events of these types, in order."""
        return [event for event in self.events if isinstance(event, types)]

    def times(self, event_type: type[SupervisionEvent]) -> list[float]:
        """When events of this type happened, in seconds since the first event."""
        return [round(event.time - self.events[0].time, 6) for event in self.of(event_type)]

    def story(self) -> list[str]:
        """Every event as its type, and its child if it has one."""
        return [f"{type(event).__name__} {event.child}" if isinstance(event, ChildEvent) else type(event).__name__ for event in self.events]


async def run_until_stopped(context: ChildContext) -> None:
    context.started()
    await trio.sleep_forever()


def crashes_after(seconds: float, *, lives: int = 10**9, error: Callable[[], BaseException] = lambda: OSError("crashed")) -> Body:
    """Ready at once; raises after `seconds` in each of its first `lives`."""

    async def body(context: ChildContext) -> None:
        context.started()
        await trio.sleep(seconds if context.incarnation <= lives else math.inf)
        raise error()

    return body


def finishes_after(seconds: float, *, lives: int = 10**9) -> Body:
    """Ready at once; returns after `seconds` in each of its first `lives`."""

    async def body(context: ChildContext) -> None:
        context.started()
        await trio.sleep(seconds if context.incarnation <= lives else math.inf)

    return body


def ready_after(seconds: float) -> Body:
    async def body(context: ChildContext) -> None:
        await trio.sleep(seconds)
        await run_until_stopped(context)

    return body


def clings_for(seconds: float) -> Body:
    """Ready at once; goes on for `seconds` after it is cancelled."""

    async def body(context: ChildContext) -> None:
        context.started()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(seconds)

    return body


def takes(seconds: float) -> Callable[[CleanupCause], Awaitable[None]]:
    async def cleans_up(cause: CleanupCause) -> None:
        await trio.sleep(seconds)

    return cleans_up


@asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[None]:
    """The supervisor runs inside the block and is stopped at its end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.testing.wait_all_tasks_blocked()
        yield
        await supervisor.stop("the test is over")


class PromiseChecker:
    """Follows the events of one supervisor over all its runs, and fails at the first that breaks a promise."""

    def __init__(
        self, path: str, children: Sequence[Child], strategy: Strategy, intensity: Intensity | None, *, is_concurrent: bool = False
    ) -> None:
        self.path = path
        self.names = [child.name for child in children]
        self.has_cleanup = {child.name: child.cleanup is not None for child in children}
        self.strategy = strategy
        self.intensity = intensity
        self.is_concurrent = is_concurrent
        self._begin_run()

    def _begin_run(self) -> None:
        self.phase = dict.fromkeys(self.names, "none")  # none, starting, ready, dead, cleaning, clean
        self.released: set[str] = set()
        self.was_ready: set[str] = set()
        self.may_start_at: dict[str, float] = {}
        self.restart_times: list[float] = []
        self.is_stopping = False

    def see(self, event: SupervisionEvent) -> None:
        if isinstance(event, SupervisorStopping):
            self.is_stopping = True
        elif isinstance(event, SupervisorStopped):
            assert all(self.is_gone(name) for name in self.names), f"{event}: {self.phase}"
            self._begin_run()
        elif isinstance(event, ChildEvent):
            self._see_child(event)

    def is_gone(self, name: str) -> bool:
        return self.phase[name] in ({"none", "clean"} if self.has_cleanup[name] else {"none", "dead"})

    def _see_child(self, event: ChildEvent) -> None:
        name = event.child
        place = self.names.index(name)
        match event:
            case ChildStarting():
                assert not self.is_stopping, f"{event} though its supervisor is stopping"
                assert self.is_gone(name), f"{event} before it was cleaned up: {self.phase}"
                assert event.time >= self.may_start_at.get(name, event.time) - 1e-9, f"{event} before its back-off was over"
                # Under one_for_one the order holds for first starts only: a restart waits for nobody.
                if not self.is_concurrent and (self.strategy is not Strategy.ONE_FOR_ONE or event.incarnation == 1):
                    waits_for = [other for other in self.names[:place] if self.phase[other] == "starting" and other not in self.was_ready]
                    assert not waits_for, f"{event} before {waits_for} were ready"
                if self.strategy is not Strategy.ONE_FOR_ONE:
                    self.was_ready.discard(name)
                self.phase[name] = "starting"
                self.released.discard(name)
            case ChildReady():
                assert self.phase[name] == "starting"
                self.phase[name] = "ready"
                self.was_ready.add(name)
            case ChildDied():
                assert self.phase[name] in {"starting", "ready"}, str(event)
                self.phase[name] = "dead"
            case CleanupStarted(cause=cause):
                assert cause.still_running == (self.phase[name] != "dead"), f"{event}: {self.phase}"
                if not cause.still_running:
                    self.phase[name] = "cleaning"
            case CleanupFinished() | CleanupFailed() | CleanupTimedOut():
                if self.phase[name] == "cleaning":
                    self.phase[name] = "clean"
            case StopDeadlineExceeded():
                self.released.add(name)
            case ChildStopping():
                later = [other for other in self.names[place + 1 :] if not self.is_gone(other) and other not in self.released]
                if not (self.is_stopping or self.strategy is not Strategy.ONE_FOR_ONE):
                    raise AssertionError(f"{event} though nothing asks for it")
                assert not later, f"{event} before {later} had stopped"
            case ChildRestarting(delay_seconds=delay):
                assert not self.is_stopping
                self.may_start_at[name] = event.time + delay
                self._count_restart(event)
            case _:
                pass

    def _count_restart(self, event: ChildEvent) -> None:
        if self.intensity is not None:
            self.restart_times.append(event.time)
            recent = [time for time in self.restart_times if time > event.time - self.intensity.period_seconds]
            assert len(recent) <= self.intensity.restarts_max, f"{event} exceeds the intensity"
