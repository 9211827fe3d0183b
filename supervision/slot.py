"""A child over all its lives in one run of its supervisor."""

from __future__ import annotations

import random
from typing import Protocol

import trio

from supervision.backoff import Backoff
from supervision.child import Child
from supervision.errors import one_line
from supervision.events import SupervisionEvent
from supervision.incarnation import Incarnation
from supervision.intensity import RestartWindow
from supervision.snapshot import Awaited, ChildState, Snapshot


class SlotOwner(Protocol):
    """The run that a slot belongs to."""

    def report(self, event: SupervisionEvent) -> None: ...

    def fatal(self, error: BaseException) -> None:
        """A child raised what ends the process (KeyboardInterrupt, SystemExit)."""
        ...


class SlotKeeper(Protocol):
    """Who decides about a slot."""

    def changed(self) -> None: ...

    def died(self, slot: Slot, life: Incarnation) -> None: ...


class Slot:
    """The place of `child` in its supervisor: its life now, and what remains of those before."""

    keeper: SlotKeeper

    def __init__(self, child: Child, supervisor: str, owner: SlotOwner, window: RestartWindow) -> None:
        self.child = child
        self.path = f"{supervisor}/{child.name}"
        self.window = window
        self.life: Incarnation | None = None
        self.state = ChildState.STOPPED
        self.since = trio.current_time()
        self.number = 0
        self.was_ever_ready = False
        self.is_over = False
        """No life will follow: it finished, was temporary, or is quarantined."""
        self.last_error: BaseException | None = None
        self._restarts_consecutive = 0
        self._supervisor = supervisor
        self._owner = owner

    @property
    def is_ready(self) -> bool:
        return self.state is ChildState.READY

    def new_life(self) -> Incarnation:
        """Begin the next life; the caller runs its `live`. The one before must be gone."""
        self.number += 1
        self.life = Incarnation(self.child, self._supervisor, self.number, self)
        self.become(ChildState.STARTING)
        return self.life

    def become(self, state: ChildState) -> None:
        if state is not self.state:
            self.state = state
            self.since = trio.current_time()

    def next_delay_seconds(self, life: Incarnation, backoff: Backoff, rng: random.Random) -> float:
        """How long to wait before the life after `life`; remembers that it was asked."""
        if life.ready_at is not None and life.died_at is not None and life.died_at - life.ready_at >= backoff.quiet_seconds:
            self._restarts_consecutive = 0
        delay = backoff.delay_seconds(self._restarts_consecutive, rng)
        self._restarts_consecutive += 1
        return delay

    def snapshot(self) -> Snapshot:
        subtree = self.child.subtree
        return Snapshot(
            name=self.child.name,
            path=self.path,
            state=self.state,
            incarnation=self.number,
            restarts=max(0, self.number - 1),
            last_error=None if self.last_error is None else one_line(self.last_error),
            since=self.since,
            children=None if subtree is None else subtree.snapshot(self.path).children,
        )

    def waiting_for(self) -> tuple[Awaited, ...]:
        """What is awaited in order that this child be gone: itself, or, for a supervisor, the children it waits for."""
        life = self.life
        if life is None or life.dying_since is None:
            return ()
        below = () if self.child.subtree is None or life.has_ended else self.child.subtree.waiting_for()
        doing = "cleaning up" if life.is_cleaning_up else "stopping"
        return below or (Awaited(self.path, doing, trio.current_time() - life.dying_since),)

    def report(self, event: SupervisionEvent) -> None:
        self._owner.report(event)

    def on_ready(self, life: Incarnation) -> None:
        self.was_ever_ready = True
        self.become(ChildState.READY)
        self.keeper.changed()

    def on_dying(self, life: Incarnation) -> None:
        self.become(ChildState.STOPPING)
        for error in (life.error, life.cleanup_error):
            if error is not None:
                self.last_error = error
                if not isinstance(error, Exception):
                    self._owner.fatal(error)

    def on_released(self, life: Incarnation) -> None:
        self.keeper.changed()

    def on_gone(self, life: Incarnation) -> None:
        self.life = None
        self.become(ChildState.STOPPED)
        self.keeper.died(self, life)
