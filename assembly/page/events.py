"""What the page's server tells of itself."""

from __future__ import annotations

import msgspec


class PageOpened(msgspec.Struct, frozen=True):
    """It is served at `url`; `can_control` says that there is a token, with which the run can be acted on from there."""

    url: str
    can_control: bool


class PageUnavailable(msgspec.Struct, frozen=True):
    """Nobody can look at the run by `listen` for now; `reason` says why, and what to do. The run goes on."""

    listen: str
    reason: str
