"""One run of a supervisor: everything that is fresh when it is run again.

The children's lives run in a nursery under a shield, so that no cancellation reaches them but their own; a watcher
outside of the shield turns a cancellation of the run into an ordered stop. Whatever ends the run, it ends in one way:
`end` closes the door to new starts, the keepers are cancelled, and the children are stopped one by one in reverse order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import trio

from supervision.child import Child, DeathKind
from supervision.errors import RestartIntensityExceeded, StartFailed, one_line
from supervision.events import (
    ChildStarting,
    IntensityExceeded,
    SupervisionEvent,
    SupervisorReady,
    SupervisorStopped,
    SupervisorStopping,
)
from supervision.incarnation import Incarnation
from supervision.intensity import RestartWindow
from supervision.keeper import Keeper
from supervision.policy import AutoShutdown, Policy, Strategy, WhenExceeded
from supervision.slot import Slot
from supervision.snapshot import Awaited, ChildState, Snapshot


class Run:
    """`supervise` is called once."""

    def __init__(
        self,
        path: str,
        children: Sequence[Child],
        policy: Policy,
        report: Callable[[SupervisionEvent], None],
        rng: random.Random,
    ) -> None:
        self.path = path
        self.state = ChildState.STARTING
        self.since = trio.current_time()
        self.reports_failed = 0
        self.is_ending = False
        self.finished = trio.Event()
        self._policy = policy
        self._report = report
        self._error: BaseException | None = None
        self._error_is_fatal = False
        self._must_end = trio.Event()
        self._lives: trio.Nursery | None = None
        self._last_over_limit: tuple[Slot, BaseException | None] | None = None
        shared = RestartWindow(policy.intensity)
        of_its_own = policy.when_exceeded is WhenExceeded.QUARANTINE
        self._slots = [Slot(child, path, self, RestartWindow(policy.intensity) if of_its_own else shared) for child in children]
        groups = [[slot] for slot in self._slots] if policy.strategy is Strategy.ONE_FOR_ONE else [self._slots]
        self._keepers = [Keeper(group, policy, self, rng) for group in groups]

    async def supervise(self, on_ready: Callable[[], None]) -> None:
        """Run the children until something ends the run; see `Supervisor.run`."""
        async with trio.open_nursery() as outside:
            outside.start_soon(self._watch_for_cancellation)
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as self._lives:
                    async with trio.open_nursery() as keepers:
                        keepers.start_soon(self._bring_up, keepers, on_ready)
                        await self._must_end.wait()
                        keepers.cancel_scope.cancel("the supervisor is stopping")
                    await self._stop_children()
                    # Leaving the nursery waits for the children that outlived their stop deadline.
            outside.cancel_scope.cancel("the supervisor has stopped")
        self._become(ChildState.STOPPED)
        self.report(SupervisorStopped(self.path, trio.current_time()))
        self.finished.set()
        if self._error is not None:
            raise self._error
        await trio.lowlevel.checkpoint_if_cancelled()

    def end(self, reason: str, error: BaseException | None = None) -> None:
        """Begin the ordered stop; the first reason counts. `error` is what `supervise` will raise."""
        if not self.is_ending:
            self.is_ending = True
            self._error = error
            self._become(ChildState.STOPPING)
            self.report(SupervisorStopping(self.path, trio.current_time(), reason, error))
            self._must_end.set()

    def fatal(self, error: BaseException) -> None:
        """Begin the ordered stop, at the end of which `error`, which ends the process, is raised over any other."""
        if not self._error_is_fatal:
            self._error_is_fatal = True
            self.end("a child raised what ends the process", error)
            self._error = error

    def report(self, event: SupervisionEvent) -> None:
        try:
            self._report(event)
        except Exception:  # noqa: BLE001  a broken log or page must not break supervision; `reports_failed` counts it
            self.reports_failed += 1
        except BaseException as error:  # noqa: BLE001  as from a child: stop in order, then let it end the process
            self.fatal(error)

    def launch(self, slot: Slot) -> None:
        assert self._lives is not None  # noqa: S101  keepers run only inside of it
        life = slot.new_life()
        # Said here, where it is decided, and not by the task, which a stop may overtake.
        self.report(ChildStarting(*life.where()))
        self._lives.start_soon(life.live, name=slot.path)

    def intensity_exceeded(self, slot: Slot, life: Incarnation) -> None:
        intensity = self._policy.intensity
        error = slot.last_error
        self._last_over_limit = (slot, error)
        self.report(IntensityExceeded(*life.where(), intensity.restarts_max, intensity.period_seconds, error))
        if self._policy.when_exceeded is WhenExceeded.ESCALATE:
            too_often = f"was one restart too many: more than {intensity.restarts_max} in {intensity.period_seconds:g} s"
            self._escalate(f"{slot.path} {too_often if intensity.restarts_max else 'died, and is never restarted'}", slot, error)

    def start_failed(self, slot: Slot, life: Incarnation) -> None:
        why = "" if life.error is None else f": {one_line(life.error)}"
        error = StartFailed(f"{slot.path} failed to start{why}", supervisor=self.path, child=slot.child.name)
        error.__cause__ = life.error
        self.end(f"{slot.path} failed to start", error)

    def child_left(self, slot: Slot, *, by_itself: bool) -> None:
        auto_shutdown = self._policy.auto_shutdown
        quarantined = [other for other in self._slots if other.state is ChildState.QUARANTINED]
        if quarantined and all(other.is_over for other in self._slots):
            self._escalate_quarantine("no child is left to run, and some are quarantined")
        elif not by_itself or not slot.child.significant:
            return
        elif auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            self.end(f"significant child {slot.child.name} has ended")
        elif auto_shutdown is AutoShutdown.ALL_SIGNIFICANT and all(o.is_over for o in self._slots if o.child.significant):
            if any(other.child.significant for other in quarantined):
                self._escalate_quarantine("every significant child has ended or is quarantined")
            else:
                self.end("every significant child has ended")

    def slots_snapshot(self) -> tuple[Snapshot, ...]:
        return tuple(slot.snapshot() for slot in self._slots)

    def waiting_for(self) -> tuple[Awaited, ...]:
        return tuple(awaited for slot in reversed(self._slots) for awaited in slot.waiting_for())

    def _escalate_quarantine(self, why: str) -> None:
        if self._last_over_limit is not None:
            slot, error = self._last_over_limit
            self._escalate(f"{self.path}: {why}, the last of them {slot.child.name}", slot, error)

    def _escalate(self, message: str, slot: Slot, cause: BaseException | None) -> None:
        last = "" if cause is None else f"; its last error was {one_line(cause)}"
        error = RestartIntensityExceeded(message + last, supervisor=self.path, child=slot.child.name)
        error.__cause__ = cause
        self.end("restart intensity exceeded", error)

    async def _watch_for_cancellation(self) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            # Not lost: the checkpoint at the end of `supervise` raises it anew, as one error and not in a group.
            self.end(f"cancelled: {cancelled.reason}" if cancelled.reason else "cancelled")

    async def _bring_up(self, keepers: trio.Nursery, on_ready: Callable[[], None]) -> None:
        for keeper in self._keepers:
            keepers.start_soon(keeper.keep)
            if not self._policy.start_concurrently:
                await keeper.is_up.wait()
        for keeper in self._keepers:
            await keeper.is_up.wait()
        if not self.is_ending:
            self._become(ChildState.READY)
            self.report(SupervisorReady(self.path, trio.current_time()))
            on_ready()

    async def _stop_children(self) -> None:
        for slot in reversed(self._slots):
            life = slot.life
            if life is None:
                if slot.state is not ChildState.QUARANTINED:
                    slot.become(ChildState.STOPPED)
                continue
            life.stop(DeathKind.STOPPED, "its supervisor is stopping")
            await life.wait_released()

    def _become(self, state: ChildState) -> None:
        self.state = state
        self.since = trio.current_time()
