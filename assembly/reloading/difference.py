"""Settings as keys with values, and in which of them two differ."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

import msgspec

from assembly.settings import FileSettings, Settings
from market.instrument import format_decimal
from market.symbol import Symbol

NONE = "none"
# Tables of names that a person has given: one that is new or gone is told of as a whole.
NAMED = ("exchanges", "accounts", "cycles")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A key whose values differ; None where it is not set. `note` says of a whole table that it is new or gone."""

    key: str
    before: object = None
    after: object = None
    note: str = ""

    def __str__(self) -> str:
        return f"{self.key} ({self.note})" if self.note else self.key


def flat(settings: Settings) -> dict[str, object]:
    """Every key of a file and its value, whatever set it. Values may be secret where a key of a simulation is made up."""
    found: dict[str, object] = {}
    for section in FileSettings.__struct_fields__:
        _flatten(section, getattr(settings, section), found)
    return found


def differences(before: Settings, after: Settings) -> list[Difference]:
    """In the order of the settings: tables that are new or gone first."""
    found: list[Difference] = []
    whole: list[str] = []
    for section in NAMED:
        old, new = cast("Mapping[str, object]", getattr(before, section)), cast("Mapping[str, object]", getattr(after, section))
        for names, note in ((new.keys() - old.keys(), "is new"), (old.keys() - new.keys(), "is gone")):
            found += [Difference(key=f"{section}.{name}", note=note) for name in sorted(names)]
            whole += [f"{section}.{name}." for name in names]
    old_values, new_values = flat(before), flat(after)
    for key in dict.fromkeys((*old_values, *new_values)):
        if not key.startswith(tuple(whole)) and old_values.get(key) != new_values.get(key):
            found.append(Difference(key=key, before=old_values.get(key), after=new_values.get(key)))
    return found


def in_words(value: object) -> str:
    """As a person would write it into the file; `none` where nothing is set."""
    match value:
        case None:
            return NONE
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format_decimal(value)
        case float():
            return f"{value:g}"
        case enum.Enum():
            return in_words(value.value)
        case list() | tuple():
            return f"[{', '.join(in_words(item) for item in cast('list[object]', value))}]"
        case _:
            return str(value)


def _flatten(key: str, value: object, found: dict[str, object]) -> None:
    match value:
        case Symbol():
            found[key] = value
        case msgspec.Struct():
            for name in value.__struct_fields__:
                _flatten(f"{key}.{name}", getattr(value, name), found)
        case dict():
            for name, item in cast("dict[str, object]", value).items():
                _flatten(f"{key}.{name}", item, found)
        case tuple() | list() if any(isinstance(item, msgspec.Struct) for item in cast("list[object]", value)):
            for number, item in enumerate(cast("list[object]", value)):
                _flatten(f"{key}[{number}]", item, found)
        case _:
            found[key] = value
