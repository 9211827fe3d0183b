"""How what happens is written down: the one thing that ledgers and cycles need of the journal, in neutral words."""

from __future__ import annotations

from typing import Protocol

import trio


class NotRecorded(Exception):
    """It could not be written down; the message says why. Nothing may be done that rests on its having been."""


class Recorder(Protocol):
    """Where facts are written down, in the order in which they are given."""

    def keep(self, *events: object) -> None:
        """Have events of one moment written down, together. Never waits and never raises: who must be sure asks `written`."""
        ...

    async def written(self) -> None:
        """Return once all that was given before outlives this process.

        Raises:
            NotRecorded: it does not.
        """
        ...


class NoRecorder:
    """For whom nothing has to outlive this process: everything is written down at once, nowhere."""

    def keep(self, *events: object) -> None:
        return

    async def written(self) -> None:
        await trio.lowlevel.checkpoint()
