"""What a supervisor supervises: a child's name, its start function, and how it restarts, stops and is cleaned up."""

from __future__ import annotations

import enum
import math
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import trio

from supervision.snapshot import Awaited, Snapshot


class Restart(enum.Enum):
    """When a child that ended by itself is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # only if it ended abnormally: it raised, hung, or ended before it was ready
    TEMPORARY = "temporary"  # never, not even when its siblings are restarted around it


class DeathKind(enum.Enum):
    """How a life of a child ended."""

    CRASHED = "crashed"  # it raised, ended before it was ready, or was not ready in time
    HUNG = "hung"  # it reported no progress within its liveness timeout
    FINISHED = "finished"  # it returned
    STOPPED = "stopped"  # its supervisor was stopping
    SIBLING_RESTART = "sibling_restart"  # its supervisor stopped it to restart it with a sibling


class CleanupCause(msgspec.Struct, frozen=True):
    """Why a cleanup runs. `still_running`: the child has outlived its stop deadline and may still act."""

    kind: DeathKind
    error: BaseException | None = None
    still_running: bool = False


class Subtree(Protocol):
    """What a supervisor needs of a nested one in order to show it."""

    def snapshot(self, path: str | None = None) -> Snapshot: ...

    def waiting_for(self) -> tuple[Awaited, ...]: ...


class ChildContext:
    """What a child's start function is given: who it is, and how it says that it is ready and alive."""

    __slots__ = ("_on_started", "incarnation", "is_started", "name", "path", "progress_at")

    def __init__(self, path: str, incarnation: int = 1, on_started: Callable[[], None] | None = None) -> None:
        self.path = path
        """Where the child is in the tree, as ``root/accounts/account:main``."""
        self.name = path.rpartition("/")[2]
        self.incarnation = incarnation
        """1 for the first life in a run of its supervisor, 2 for the next."""
        self.is_started = False
        self.progress_at = -math.inf
        self._on_started = on_started

    def started(self) -> None:
        """Say that the child is ready: what depends on it may start. Only the first call counts."""
        if not self.is_started:
            self.is_started = True
            self.progress()
            if self._on_started is not None:
                self._on_started()

    def progress(self) -> None:
        """Say that the child is alive. Cheap enough for a hot path; needed only with a liveness timeout."""
        self.progress_at = trio.current_time()


Start = Callable[[ChildContext], Awaitable[None]]
Cleanup = Callable[[CleanupCause], Awaitable[None]]


class Child(msgspec.Struct, frozen=True):
    """One child of a supervisor. Write all but the name and the start function as keywords.

    `start` runs the child until it is done; it calls `started()` on its context once it is ready. It is stopped by
    cancellation. `cleanup` runs after every death of the child and before it starts again, shielded from cancellation;
    it must bear being run twice, because a child that outlives its stop deadline is cleaned up then and again once it
    is dead; its deadline may be a function that says how long it is now. `math.inf` is no deadline. For a nested supervisor, see
    `Supervisor.as_child`.

    Raises:
        ValueError: a name is empty or holds a slash, a time is not above zero, or a permanent child is significant.
    """

    name: str
    start: Start
    restart: Restart = Restart.PERMANENT
    start_deadline_seconds: float = 30.0
    stop_deadline_seconds: float = 5.0
    cleanup: Cleanup | None = None
    cleanup_deadline_seconds: float | Callable[[], float] = 10.0
    liveness_timeout_seconds: float | None = None
    significant: bool = False
    subtree: Subtree | None = None

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise ValueError(f"a child's name is a text without a slash, not {self.name!r}")
        times = {
            "start_deadline_seconds": self.start_deadline_seconds,
            "stop_deadline_seconds": self.stop_deadline_seconds,
            "cleanup_deadline_seconds": self.cleanup_deadline_seconds,
            "liveness_timeout_seconds": self.liveness_timeout_seconds,
        }
        for field, seconds in times.items():
            if isinstance(seconds, int | float) and not seconds > 0:
                raise ValueError(f"{field} of child {self.name!r} is a time above zero, not {seconds!r}")
        if self.significant and self.restart is Restart.PERMANENT:
            raise ValueError(f"child {self.name!r} cannot be significant: a permanent child never ends by itself for good")
