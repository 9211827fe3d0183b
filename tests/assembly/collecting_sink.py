"""Sinks for tests: no thread, no descriptor."""

from __future__ import annotations

import errno

import trio


class CollectingSink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def write(self, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self.texts.append(text)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


class BlockedSink(CollectingSink):
    """Writes nothing until `release` is set, as a full pipe."""

    def __init__(self) -> None:
        super().__init__()
        self.release = trio.Event()

    async def write(self, text: str) -> None:
        await self.release.wait()
        await super().write(text)


class BrokenSink:
    """Nobody reads."""

    def __init__(self) -> None:
        self.writes = 0

    async def write(self, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self.writes += 1
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
