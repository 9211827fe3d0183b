"""One life of a child: start, watch, end, clean up. It decides nothing; it reports, and tells its observer.

Two tasks: one runs the child's start function and then its cleanup; the guard beside it holds the child to its start
deadline and liveness timeout and, once the child is asked to stop, to its stop deadline. Neither is ever cancelled from
outside: a supervisor keeps both under its shield, and only `stop` ends a life early.
"""

from __future__ import annotations

import math
from typing import Protocol

import trio

from supervision.child import Child, ChildContext, CleanupCause, DeathKind
from supervision.errors import NoProgress, NotReadyInTime, ReturnedBeforeReady
from supervision.events import (
    ChildDied,
    ChildHung,
    ChildReady,
    ChildStartFailed,
    ChildStopped,
    ChildStopping,
    CleanupFailed,
    CleanupFinished,
    CleanupStarted,
    CleanupTimedOut,
    StopDeadlineExceeded,
    SupervisionEvent,
)


class Observer(Protocol):
    """Who is told how a life goes. All calls are synchronous and must not raise."""

    def report(self, event: SupervisionEvent) -> None: ...

    def on_ready(self, life: Incarnation) -> None: ...

    def on_dying(self, life: Incarnation) -> None:
        """The child was asked to stop, or has ended by itself."""
        ...

    def on_released(self, life: Incarnation) -> None:
        """See `Incarnation.is_released`."""
        ...

    def on_gone(self, life: Incarnation) -> None:
        """The child is dead and cleaned up."""
        ...


class Incarnation:
    """Life number `number` of `child` under the supervisor at path `supervisor`. `live` is run once."""

    def __init__(self, child: Child, supervisor: str, number: int, observer: Observer) -> None:
        self.child = child
        self.number = number
        self.context = ChildContext(f"{supervisor}/{child.name}", number, self._on_started)
        self.ready_at: float | None = None
        self.dying_since: float | None = None
        self.died_at: float | None = None
        self.kind: DeathKind | None = None
        self.error: BaseException | None = None
        self.cleanup_error: BaseException | None = None
        self.is_cleaning_up = False
        self._supervisor = supervisor
        self._observer = observer
        self._scope = trio.CancelScope()
        self._attention = trio.Event()
        self._ended = trio.Event()
        self._released = trio.Event()
        self._patience: trio.CancelScope | None = None
        self._born_at = trio.current_time()

    @property
    def has_ended(self) -> bool:
        """Whether the start function is over, though the cleanup may not be."""
        return self._ended.is_set()

    @property
    def is_released(self) -> bool:
        """Whether nobody need wait for this life in order to stop the others: it is over, or overdue and cleaned up."""
        return self._released.is_set()

    async def wait_released(self) -> None:
        await self._released.wait()

    def where(self) -> tuple[str, float, str, int]:
        """The fields that every event about this life begins with."""
        return (self._supervisor, trio.current_time(), self.child.name, self.number)

    def stop(self, kind: DeathKind, reason: str) -> None:
        """Ask the child to stop, by cancellation. No effect on one that was asked before or has ended."""
        if self.kind is None and not self.has_ended:
            self._observer.report(ChildStopping(*self.where(), reason))
            self._cancel(kind, reason)

    async def live(self) -> None:
        """Run the child until it is dead and cleaned up. Never raises; what went wrong is in the events and in `error`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._guard)
            raised = await self._run_start()
            self._settle(raised)
            self._ended.set()
            self._attention.set()
        # Only here, with the guard gone, can no early cleanup be under way beside this one.
        await self._clean_up(still_running=False)
        self._release()
        if self.kind in {DeathKind.STOPPED, DeathKind.SIBLING_RESTART}:
            self._observer.report(ChildStopped(*self.where()))
        self._observer.on_gone(self)

    async def _run_start(self) -> BaseException | None:
        try:
            with self._scope:
                await self.child.start(self.context)
        except (trio.Cancelled, GeneratorExit):
            raise  # not of our scope, which has already taken out its own
        except BaseException as error:  # noqa: BLE001  a supervisor is who catches whatever a child raises
            return error
        return None

    def _settle(self, raised: BaseException | None) -> None:
        self.died_at = trio.current_time()
        if self.kind is None:
            self.dying_since = self.died_at
            self.error = raised
            if raised is None and self.ready_at is None:
                self.error = ReturnedBeforeReady(f"{self.context.path} returned without having called started()")
            self.kind = DeathKind.FINISHED if self.error is None else DeathKind.CRASHED
            if self.error is not None and self.ready_at is None:
                self._observer.report(ChildStartFailed(*self.where(), self.error))
        elif self.error is None:
            self.error = raised
        else:  # the guard's verdict stands; what the child raised on being cancelled is its cause
            self.error.__cause__ = raised
            if raised is not None and not isinstance(raised, Exception):
                self.error = raised  # but nothing outranks the end of the process
        self._observer.report(ChildDied(*self.where(), self.kind, self.error))
        self._observer.on_dying(self)

    async def _guard(self) -> None:
        while not self._attention.is_set():
            with trio.CancelScope(deadline=self._patience_ends_at()) as self._patience:
                await self._attention.wait()
            if not self._attention.is_set() and trio.current_time() >= self._patience_ends_at():
                self._give_up()
        with trio.move_on_after(self.child.stop_deadline_seconds):
            await self._ended.wait()
        if not self.has_ended:
            self._observer.report(StopDeadlineExceeded(*self.where(), self.child.stop_deadline_seconds))
            # The caller may end the process rather than wait, so what this child holds is let go of now.
            await self._clean_up(still_running=True)
            self._release()

    def _patience_ends_at(self) -> float:
        if self.ready_at is None:
            return self._born_at + self.child.start_deadline_seconds
        timeout = self.child.liveness_timeout_seconds
        return math.inf if timeout is None else self.context.progress_at + timeout

    def _give_up(self) -> None:
        if self.ready_at is None:
            seconds = self.child.start_deadline_seconds
            error = NotReadyInTime(f"{self.context.path} did not call started() within {seconds:g} s")
            self._observer.report(ChildStartFailed(*self.where(), error))
            self.error = error
            self._cancel(DeathKind.CRASHED, "not ready within its start deadline")
        else:
            seconds = self.child.liveness_timeout_seconds or math.inf
            self._observer.report(ChildHung(*self.where(), seconds))
            self.error = NoProgress(f"{self.context.path} reported no progress for {seconds:g} s")
            self._cancel(DeathKind.HUNG, "no progress within its liveness timeout")

    def _cancel(self, kind: DeathKind, reason: str) -> None:
        self.kind = kind
        self.dying_since = trio.current_time()
        self._scope.cancel(reason)
        self._attention.set()
        self._observer.on_dying(self)

    def _on_started(self) -> None:
        if self.kind is None and not self.has_ended:
            self.ready_at = trio.current_time()
            if self._patience is not None:
                self._patience.deadline = self._patience_ends_at()
            self._observer.report(ChildReady(*self.where()))
            self._observer.on_ready(self)

    async def _clean_up(self, *, still_running: bool) -> None:
        cleanup = self.child.cleanup
        if cleanup is None or self.kind is None:
            return
        cause = CleanupCause(self.kind, self.error, still_running)
        self._observer.report(CleanupStarted(*self.where(), cause))
        self.is_cleaning_up = True
        error: BaseException | None = None
        deadline = self.child.cleanup_deadline_seconds
        seconds = deadline() if callable(deadline) else deadline
        scope = trio.CancelScope(deadline=trio.current_time() + seconds, shield=True)
        try:
            with scope:
                await cleanup(cause)
        except (trio.Cancelled, GeneratorExit):
            raise
        except BaseException as raised:  # noqa: BLE001  whatever a cleanup raises is an event, and must not stop the others
            error = raised
        self.is_cleaning_up = False
        if error is not None:
            self._observer.report(CleanupFailed(*self.where(), error))
        elif scope.cancelled_caught:
            self._observer.report(CleanupTimedOut(*self.where(), seconds))
            error = TimeoutError(f"the cleanup of {self.context.path} took longer than {seconds:g} s")
        else:
            self._observer.report(CleanupFinished(*self.where()))
        if error is not None:
            self.cleanup_error = error
            self._observer.on_dying(self)

    def _release(self) -> None:
        if not self.is_released:
            self._released.set()
            self._observer.on_released(self)
