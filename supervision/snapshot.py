"""A supervision tree at one moment, for display."""

from __future__ import annotations

import enum

import msgspec


class ChildState(enum.Enum):
    """What a child, or a supervisor, is doing."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"  # dead; it starts again once its back-off is over and its siblings have stopped
    STOPPING = "stopping"  # asked to stop, or dead and being cleaned up
    STOPPED = "stopped"  # not running and not going to: not yet started (incarnation 0), finished, or stopped
    QUARANTINED = "quarantined"  # left stopped because it exceeded the restart intensity


class Snapshot(msgspec.Struct, frozen=True):
    """One child and what is under it. `since` is in Trio's time; `children` is None for a child that is no supervisor."""

    name: str
    path: str
    state: ChildState
    incarnation: int
    restarts: int
    last_error: str | None
    since: float
    children: tuple[Snapshot, ...] | None = None


class Awaited(msgspec.Struct, frozen=True):
    """A child whose end is being awaited, and for how long it has been. `doing` is ``stopping`` or ``cleaning up``."""

    path: str
    doing: str
    seconds: float
