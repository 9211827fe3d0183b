"""Whether a run is alive, and whether it is ready, for whoever starts and watches processes. Answers are JSON."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from assembly.metrics.loop_lag import PERIOD_SECONDS, LoopLag
from assembly.metrics.standing import actors_of, actors_waiting, has_ended
from assembly.tree import Tree

SILENT_SECONDS_MAX = 20 * PERIOD_SECONDS
"""The event loop's timer has not run for so long: whoever is answered all the same is answered by a loop that hardly turns."""


class Answer(msgspec.Struct, frozen=True):
    """What is answered: `is_fine` decides the status (200 or 503), `body` says why, as JSON."""

    is_fine: bool
    body: bytes


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`loop_lag_seconds` is how late the event loop's timer was the last time, `silent_seconds` how long ago that was."""

    alive: bool
    running_seconds: float
    loop_lag_seconds: float
    silent_seconds: float


class NotReady(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An actor that is not ready: in which state, for how long, and why, if that is known."""

    actor: str
    state: str
    seconds: float
    why: str = ""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`ended` are cycles whose work is done: they are not waited for."""

    ready: bool
    stopping: bool
    not_ready: tuple[NotReady, ...]
    ended: tuple[str, ...]


class RunHealth:
    """Of one run. What errors say goes through `redact`."""

    def __init__(self, tree: Tree, *, lag: LoopLag, is_stopping: Callable[[], bool], began_at: float, redact: Callable[[str], str]) -> None:
        self._tree = tree
        self._lag = lag
        self._is_stopping = is_stopping
        self._redact = redact
        self._began_at = began_at

    def health(self) -> Answer:
        """Alive: the event loop turns, and gets round to its timers."""
        now = trio.current_time()
        silent_seconds = now - self._lag.looked_at
        told = Health(
            alive=silent_seconds <= SILENT_SECONDS_MAX,
            running_seconds=round(now - self._began_at, 3),
            loop_lag_seconds=round(self._lag.newest_seconds, 6),
            silent_seconds=round(silent_seconds, 3),
        )
        return Answer(told.alive, msgspec.json.encode(told))

    def readiness(self) -> Answer:
        """Ready: every actor is, every account agrees with its exchange and carries out commands, and nothing is being stopped."""
        now, stopping = trio.current_time(), self._is_stopping()
        actors = list(actors_of(self._tree.root.snapshot()))
        not_ready = tuple(
            NotReady(actor=name, state=waiting.state, seconds=round(max(0.0, now - waiting.since), 3), why=self._redact(waiting.why))
            for name, waiting in actors_waiting(self._tree.accounts, actors)
        )
        ended = tuple(actor.name for actor in actors if has_ended(actor))
        told = Readiness(ready=not (not_ready or stopping), stopping=stopping, not_ready=not_ready, ended=ended)
        return Answer(told.ready, msgspec.json.encode(told))
