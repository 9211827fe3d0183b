"""The settings file of a world's program, in memory: what an operator writes there, and how the program looks at it."""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec
import trio
from msgspec.structs import replace

from assembly.registry import EXCHANGES, STRATEGIES
from assembly.reloading.difference import NONE
from assembly.settings import FileSettings, Settings
from assembly.settings_loading import FileRead, SettingsFile, Stamp, Table, file_read, table_of
from market.symbol import Symbol
from network.causes import NO_CAUSE, current_cause

PATH = Path("world.toml")


class WorldSettingsFile:
    """Implements `assembly.reloading.source.SettingsSource`. It begins with what `settings` say, which need not be checked yet."""

    def __init__(self, settings: Settings) -> None:
        self._file = SettingsFile(
            PATH,
            environment=_environment(settings),
            known_exchanges={name: entry.known for name, entry in EXCHANGES.items()},
            strategies=STRATEGIES,
        )
        self.at_first = text_of(table_from(settings))
        self._text = self.at_first
        self._version = 0
        self._cause = NO_CAUSE

    @property
    def name(self) -> str:
        return str(PATH)

    @property
    def text(self) -> str:
        return self._text

    def write(self, text: str) -> None:
        """Another content; the same one, too, counts as written."""
        self._text = text
        self._cause = current_cause()
        self._version += 1

    def read_now(self) -> FileRead:
        return file_read(self._text.encode(), stamp=self._stamp(), path=PATH)

    def table(self) -> Table:
        return table_of(self.read_now())

    def table_at_first(self) -> Table:
        """A new one with each call."""
        return table_of(file_read(self.at_first.encode(), stamp=None, path=PATH))

    def written(self, key: str) -> str:
        """What stands behind a key's equals sign, as `mm-ctl set` takes it."""
        *path, last = key.split(".")
        table = self.table()
        for part in path:
            table = cast("Table", table.get(part, {}))
        return in_toml(table[last]) if last in table else NONE

    async def stamp(self) -> Stamp | None:
        await trio.lowlevel.checkpoint()
        return self._stamp()

    async def read(self) -> FileRead:
        await trio.lowlevel.checkpoint()
        self._cause.had_effect()
        return self.read_now()

    def settings(self, table: Table, *, winning: Collection[str] = ()) -> Settings:
        return self._file.settings(table, winning=winning)

    def _stamp(self) -> Stamp:
        return (self._version, len(self._text), 0)


def text_of(table: Mapping[str, object]) -> str:
    """A file that holds these tables."""
    return "".join(f"{section} = {in_toml(value)}\n" for section, value in table.items())


def table_from(settings: Settings) -> Table:
    """What a person would have written to come to these settings: no margin mode without a leverage, which a file cannot have."""
    accounts = {
        name: account if account.leverage is not None else replace(account, margin_mode=None) for name, account in settings.accounts.items()
    }
    whole = replace(settings, accounts=accounts)
    sections = {section: getattr(whole, section) for section in FileSettings.__struct_fields__}
    return {section: _plain(value) for section, value in sections.items() if value is not None}


def in_toml(value: object) -> str:
    """A value as it stands behind an equals sign."""
    match value:
        case bool():
            return "true" if value else "false"
        case Mapping():
            return "{ " + ", ".join(f"{key} = {in_toml(item)}" for key, item in cast("Mapping[str, object]", value).items()) + " }"
        case list():
            return f"[{', '.join(in_toml(item) for item in cast('list[object]', value))}]"
        case Decimal():
            return f"{value:f}"
        case int() | float():
            return repr(value)
        case _:
            return json.dumps(str(value))


def _plain(value: object) -> object:
    """Structs as tables of what is set in them. A simulation's own settings are not the program's, where it is served apart."""
    match value:
        case Symbol():
            return str(value)
        case enum.Enum():
            return value.value
        case msgspec.Struct():
            fields = {name: getattr(value, name) for name in value.__struct_fields__ if name != "simulation"}
            return {name: _plain(item) for name, item in fields.items() if item is not None}
        case Mapping():
            return {name: _plain(item) for name, item in cast("Mapping[str, object]", value).items()}
        case tuple() | list():
            return [_plain(item) for item in cast("list[object]", value)]
        case _:
            return value


def _environment(settings: Settings) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, account in settings.accounts.items():
        prefix, credential = account.credential or EXCHANGES[account.exchange].credential_prefix, settings.credentials[name]
        found |= {f"{prefix}_API_KEY": credential.key, f"{prefix}_API_SECRET": credential.secret}
        found |= {f"{prefix}_API_PASSPHRASE": credential.passphrase} if credential.passphrase else {}
    return found
