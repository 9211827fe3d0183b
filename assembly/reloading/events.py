"""What becomes of other settings while the program runs. Values are texts, as a person would write them; no secret is among them."""

from __future__ import annotations

import msgspec


class SettingChanged(msgspec.Struct, frozen=True, kw_only=True):
    """`key` had the value `before` and has another. `by` says who asked: the file, a signal, mm-ctl. `applies` says from when on."""

    key: str
    before: str
    after: str
    by: str
    applies: str


class SettingsRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Other settings cannot be taken over, or not without a restart; nothing was changed."""

    by: str
    reason: str
