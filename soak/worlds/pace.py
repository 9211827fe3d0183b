"""Whether time passes in a world. For who never waits every clock stands still: no check is made any more, and nobody would hear of it.

Theory of operation. Who only lets others run, again and again, takes steps of the scheduler in one instant of virtual time: these are
counted, the same in every run. Who does not even that takes one step, which is given so much time of the processor: other programs, and
somebody who stands at a breakpoint, do not count. The timer is set anew now and then, so that it never strikes where all is well: a signal
wakes the scheduler, which would make it another world.
"""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import trio

STEPS_AT_ONCE_MAX = 100_000  # a thousand times what was seen in worlds in which all was well
STEPS_NAMED = 20
PROCESSOR_SECONDS_MAX = 60.0
STEPS_BETWEEN_SETTINGS = 5_000


class Spinning(Exception):
    """No time passes; raised to end a loop that nothing else ends."""


class Pace:
    """Looks on at each step of the scheduler. When no time passes, `found` says who spins, and the world is cancelled."""

    def __init__(self) -> None:
        self.found: str | None = None
        self.world: trio.CancelScope | None = None
        self._instant = 0.0
        self._steps = 0
        self._steps_to_setting = 0
        self._has_timer = False
        self._spinning: dict[str, str] = {}

    @contextmanager
    def watching(self) -> Generator[None]:
        """In the block, a single step does not take for ever either. Outside the main thread nobody can see to that."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._has_timer = True
        before = signal.signal(signal.SIGPROF, self._break)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def step(self, tasks: Sequence[trio.lowlevel.Task]) -> None:
        """These tasks run next, at once.

        Raises:
            Spinning: they go on and on, though they were cancelled.
        """
        now = trio.current_time()
        if now != self._instant:
            self._instant, self._steps = now, 0
        self._steps += 1
        self._steps_to_setting -= 1
        if self._steps_to_setting < 0:
            self._steps_to_setting = STEPS_BETWEEN_SETTINGS
            if self._has_timer:
                signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS_MAX, PROCESSOR_SECONDS_MAX)
        if self._steps > STEPS_AT_ONCE_MAX:
            self._look_who_spins(tasks)

    def _look_who_spins(self, tasks: Sequence[trio.lowlevel.Task]) -> None:
        if self._steps > 2 * STEPS_AT_ONCE_MAX:
            raise Spinning(self.found)
        if self.found is not None:
            return
        for task in tasks:
            self._spinning[task.name] = "".join(f"\n    {_place(frame, line)}" for frame, line in task.iter_await_frames())
        if self._steps > STEPS_AT_ONCE_MAX + STEPS_NAMED:
            who = "".join(f"\n  {name}{where}" for name, where in sorted(self._spinning.items()))
            self._say(f"{STEPS_AT_ONCE_MAX} steps were taken at once, and no time passes; these tasks spin:{who}")

    def _break(self, number: int, frame: FrameType | None) -> None:
        where = "".join(f"\n    {_place(inner, line)}" for inner, line in traceback.walk_stack(frame))
        self._say(f"a single step has taken more than {PROCESSOR_SECONDS_MAX:g} s of the processor; it spins here:{where}")
        raise Spinning(self.found)

    def _say(self, text: str) -> None:
        if self.found is None:
            self.found = f"at {self._instant:.4f} s: {text}"
            if self.world is not None:
                self.world.cancel()


def _place(frame: FrameType, line: int) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{line} in {frame.f_code.co_qualname}"
