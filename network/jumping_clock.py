"""Trio's virtual clock that jumps whenever every task waits, at a fraction of its cost."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Any

import trio
import trio._core._run as trio_scheduler
from trio._core._instrumentation import Instruments
from trio.testing import MockClock

Wake = Callable[[], object]


class JumpingClock(trio.abc.Clock):
    """As `MockClock(autojump_threshold=0)` that nobody sets a rate of: the time is a number, and looking at it costs no more than that.

    A run asks for the time some fifty times for every piece of data on the wire. After a jump it is exactly the next deadline.

    Besides, it wakes who waits in a parking lot or sleeps until an instant, for a fraction of what a cancel scope with a deadline costs.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._runner: Any = None
        self._alarms: list[tuple[float, int, Wake]] = []
        self._alarms_set = 0

    def unpark_at(self, time: float, lot: trio.lowlevel.ParkingLot) -> None:
        """Wake whoever is parked in `lot` when it is `time`; it cannot be taken back. Of one instant, the one set first is first."""
        self._set_alarm(time, lot.unpark_all)

    async def sleep_until(self, deadline: float) -> None:
        """As `trio.sleep_until`, without a cancel scope: for a third of its cost."""
        if deadline != deadline:
            raise ValueError("`deadline` must not be NaN")
        if deadline <= self._now:
            await trio.lowlevel.checkpoint()
            return
        sleeper = _Sleeper(trio.lowlevel.current_task())
        if deadline < inf:
            self._set_alarm(deadline, sleeper.wake)
        await trio.lowlevel.wait_task_rescheduled(sleeper.abort)

    async def sleep(self, seconds: float) -> None:
        """As `trio.sleep`."""
        if seconds < 0:
            raise ValueError("`seconds` must be non-negative")
        await self.sleep_until(self._now + seconds)

    def start_clock(self) -> None:
        # As `MockClock` does it; Trio has no public way yet (https://github.com/python-trio/trio/issues/1587).
        scheduler: Any = trio_scheduler
        self._runner = scheduler.GLOBAL_RUN_CONTEXT.runner
        self._runner.clock_autojump_threshold = 0.0
        if not any(self._runner.instruments.data.values()):
            self._runner.instruments.__class__ = _Unwatched

    def current_time(self) -> float:
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return 0.0 if deadline <= self._now else inf

    def _set_alarm(self, time: float, wake: Wake) -> None:
        self._alarms_set += 1
        heapq.heappush(self._alarms, (time, self._alarms_set, wake))

    def _autojump(self) -> None:
        """The run loop calls it when nobody can run and nothing has come from outside."""
        alarms = self._alarms
        following = self._runner.deadlines.next_deadline()
        if alarms:
            following = min(following, alarms[0][0])
        if self._now < following < inf:
            self._now = following
        while alarms and alarms[0][0] <= self._now:
            heapq.heappop(alarms)[2]()


def _begin_to_watch(instruments: Any, instrument: trio.abc.Instrument) -> None:
    instruments.__class__ = Instruments
    instruments.add_instrument(instrument)


_Unwatched = type(
    "_Unwatched", (Instruments,), {"__contains__": staticmethod(frozenset[object]().__contains__), "add_instrument": _begin_to_watch}
)
"""Nobody's instruments. Seven times in each step of a task Trio asks for them, in Python; this answers in C, until somebody comes."""


class _Sleeper:
    """A task that sleeps, until it is woken or cancelled; an alarm that is left over wakes nobody."""

    __slots__ = ("_task",)

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self._task: trio.lowlevel.Task | None = task

    def wake(self) -> None:
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    def abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


MockClock.register(JumpingClock)  # the run loop lets no other class jump
