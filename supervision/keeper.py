"""Decides over the children that restart together: what to start, to stop and to start again, and when.

A strategy is a way to divide children among keepers: under one_for_one each child has a keeper of its own, so that the
back-off, slow start or slow cleanup of one holds up no other; under one_for_all and rest_for_one one keeper has them all.

A keeper is a loop over two synchronous steps, and waits in one place only: `_judge` takes in each death and decides
what follows; `_act` does what is possible now and returns when to look again. Cancelling it leaves nothing half done.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import trio

from supervision.child import DeathKind, Restart
from supervision.events import ChildQuarantined, ChildRestarting, SupervisionEvent
from supervision.incarnation import Incarnation
from supervision.policy import Policy, Strategy, WhenExceeded, WhenStartFails
from supervision.slot import Slot
from supervision.snapshot import ChildState


class Overseer(Protocol):
    """The run that a keeper works for. All calls are synchronous."""

    @property
    def is_ending(self) -> bool:
        """Nothing may be started any more."""
        ...

    def report(self, event: SupervisionEvent) -> None: ...

    def launch(self, slot: Slot) -> None: ...

    def intensity_exceeded(self, slot: Slot, life: Incarnation) -> None: ...

    def start_failed(self, slot: Slot, life: Incarnation) -> None: ...

    def child_left(self, slot: Slot, *, by_itself: bool) -> None:
        """The slot's child will not run again in this run."""
        ...


class Keeper:
    """Keeps `slots`, in start order, by `policy`."""

    def __init__(self, slots: Sequence[Slot], policy: Policy, overseer: Overseer, rng: random.Random) -> None:
        self.is_up = trio.Event()
        """Set once every child that is to run has been ready at the same time."""
        self._slots = slots
        self._policy = policy
        self._overseer = overseer
        self._rng = rng
        self._deaths: deque[tuple[Slot, Incarnation]] = deque()
        self._change = trio.Event()
        # A pending restart: children from this place on are being stopped, and start again at that time.
        self._restart_from: int | None = None
        self._restart_at = -math.inf
        for slot in slots:
            slot.keeper = self

    def changed(self) -> None:
        """Look again: a child is ready, or no longer waited for."""
        self._change.set()

    def died(self, slot: Slot, life: Incarnation) -> None:
        """A life is over and cleaned up."""
        self._deaths.append((slot, life))
        self._change.set()

    async def keep(self) -> None:
        """Keep the children until cancelled. Their lives run elsewhere and go on without it."""
        while True:
            self._change = trio.Event()
            while self._deaths and not self._overseer.is_ending:
                self._judge(*self._deaths.popleft())
            look_again_at = math.inf if self._overseer.is_ending else self._act()
            with trio.CancelScope(deadline=look_again_at):
                await self._change.wait()

    def _judge(self, slot: Slot, life: Incarnation) -> None:
        place = self._slots.index(slot)
        is_being_restarted = self._restart_from is not None and place >= self._restart_from
        failed = life.kind in {DeathKind.CRASHED, DeathKind.HUNG}
        if life.kind is DeathKind.SIBLING_RESTART:
            will_restart = slot.child.restart is not Restart.TEMPORARY
        elif failed and not slot.was_ever_ready and self._policy.when_start_fails is WhenStartFails.ESCALATE:
            self._overseer.start_failed(slot, life)
            return
        else:
            will_restart = slot.child.restart is Restart.PERMANENT or (slot.child.restart is Restart.TRANSIENT and failed)
        if not will_restart:
            slot.is_over = True
            self._overseer.child_left(slot, by_itself=life.kind is not DeathKind.SIBLING_RESTART)
            return
        slot.become(ChildState.RESTARTING)
        # What dies of itself while it was about to be stopped is part of the restart under way, not one more.
        self._count(slot, life, restarts=0 if is_being_restarted else 1)
        if not is_being_restarted and not slot.is_over and not self._overseer.is_ending:
            self._plan_restart(slot, life, place)

    def _count(self, slot: Slot, life: Incarnation, *, restarts: int) -> None:
        now = trio.current_time()
        for _ in range(restarts + (life.cleanup_error is not None)):
            slot.window.add(now)
            if slot.window.is_exceeded(now):
                self._overseer.intensity_exceeded(slot, life)
                if self._policy.when_exceeded is WhenExceeded.QUARANTINE:
                    slot.is_over = True
                    slot.become(ChildState.QUARANTINED)
                    self._overseer.report(ChildQuarantined(*life.where(), slot.last_error))
                    self._overseer.child_left(slot, by_itself=False)
                return

    def _plan_restart(self, slot: Slot, life: Incarnation, place: int) -> None:
        delay = slot.next_delay_seconds(life, self._policy.backoff, self._rng)
        self._overseer.report(ChildRestarting(*life.where(), delay))
        first = 0 if self._policy.strategy is Strategy.ONE_FOR_ALL else place
        self._restart_from = first if self._restart_from is None else min(first, self._restart_from)
        self._restart_at = max(trio.current_time() + delay, self._restart_at)

    def _act(self) -> float:
        if self._restart_from is not None:
            concerned = self._slots[self._restart_from :]
            for slot in reversed(concerned):
                if slot.life is not None and not slot.life.is_released:
                    slot.life.stop(DeathKind.SIBLING_RESTART, "restarted with a sibling")
                    return math.inf  # the next one's turn comes when this one no longer holds it up
            if any(slot.life is not None for slot in concerned):
                return math.inf
            if trio.current_time() < self._restart_at:
                return self._restart_at
            self._restart_from = None
        for slot in self._slots:
            if slot.is_over:
                continue
            if slot.life is None:
                self._overseer.launch(slot)
            if not slot.is_ready and not self._policy.start_concurrently:
                break
        if all(slot.is_over or slot.is_ready for slot in self._slots):
            self.is_up.set()
        return math.inf
