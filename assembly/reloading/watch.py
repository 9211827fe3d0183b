"""Looks at the settings file once a second, and has it taken over once it has changed and then stood still for a look."""

from __future__ import annotations

from typing import Protocol

import trio

from assembly.reloading.desk import SettingsDesk
from assembly.reloading.source import SettingsSource
from assembly.settings_loading import Stamp

LOOK_SECONDS = 1.0
BY_FILE = "the file"


class ActorContext(Protocol):
    """What the supervisor gives an actor."""

    def started(self) -> None: ...


async def watch_settings(desk: SettingsDesk, source: SettingsSource, context: ActorContext) -> None:
    """Run until cancelled. A file that is being written, or replaced, is let alone until it is the same at two looks."""
    context.started()
    changed_to: Stamp | None = None
    has_changed = False
    while True:
        await trio.sleep(LOOK_SECONDS)
        stamp = await source.stamp()
        if stamp == desk.stamp:
            has_changed = False
        elif has_changed and stamp == changed_to:
            has_changed = False
            await desk.reload(by=BY_FILE, is_repeated=True)
        else:
            has_changed, changed_to = True, stamp
