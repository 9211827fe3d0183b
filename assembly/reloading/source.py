"""Where the settings of a run come from, as it looks there again: in a thread, because a disk may hang."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import trio

from assembly.settings import Settings
from assembly.settings_loading import FileRead, SettingsFile, Stamp, Table


class SettingsSource(Protocol):
    """A settings file that can be looked at while everything else goes on."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    async def stamp(self) -> Stamp | None:
        """See `SettingsFile.stamp`."""
        ...

    async def read(self) -> FileRead:
        """See `SettingsFile.read`."""
        ...

    def settings(self, table: Table, *, winning: Collection[str] = ()) -> Settings:
        """See `SettingsFile.settings`."""
        ...


class DiskSource:
    """A file on a disk. Cancelled, a thread that waits for the disk is left to itself."""

    def __init__(self, file: SettingsFile) -> None:
        self._file = file

    @property
    def name(self) -> str:
        return str(self._file.path)

    async def stamp(self) -> Stamp | None:
        return await trio.to_thread.run_sync(self._file.stamp, abandon_on_cancel=True)

    async def read(self) -> FileRead:
        return await trio.to_thread.run_sync(self._file.read, abandon_on_cancel=True)

    def settings(self, table: Table, *, winning: Collection[str] = ()) -> Settings:
        return self._file.settings(table, winning=winning)
