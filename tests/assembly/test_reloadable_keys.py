"""The table of what may change while the program runs: it has every key of a settings file, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import inspect

from assembly.reloading.keys import KEYS, Applied, applied, matches
from assembly.settings import FileSettings
from market.symbol import Symbol

REFERENCE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def keys_of(schema: inspect.Type, key: str) -> list[str]:
    """Every key that a file can have below one, with `*` for names and `**` for what a strategy or a simulation says."""
    match schema:
        case inspect.Metadata():
            return keys_of(schema.type, key)
        case inspect.UnionType():
            return [found for kind in schema.types if not isinstance(kind, inspect.NoneType) for found in keys_of(kind, key)]
        case inspect.DictType():
            return keys_of(schema.value_type, f"{key}.*")
        case inspect.StructType() if schema.cls is not Symbol and not key.endswith(".simulation"):
            return [found for field in schema.fields for found in keys_of(field.type, f"{key}.{field.encode_name}".lstrip("."))]
        case inspect.StructType() if schema.cls is not Symbol:
            return [f"{key}.**"]
        case inspect.AnyType():
            return [f"{key}.**"]
        case _:
            return [key]


EVERY_KEY = keys_of(inspect.type_info(FileSettings), "")


def test_every_key_of_the_settings_is_classified_and_no_other() -> None:
    assert len(EVERY_KEY) > 50
    assert sorted(KEYS) == sorted(EVERY_KEY)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("cycles.btc.quantity", Applied.FROM_NEXT_ROUND),
        ("cycles.btc.parameters.price_offset_ticks", Applied.FROM_NEXT_DECISION),
        ("cycles.btc.parameters.spread.bid", Applied.FROM_NEXT_DECISION),
        ("cycles.btc.parameters", Applied.AFTER_RESTART),
        ("accounts.main.limits.max_daily_loss", Applied.AT_ONCE),
        ("accounts.main.leverage", Applied.AFTER_RESTART),
        ("exchanges.okx_spot.simulation.markets[0].symbol", Applied.AFTER_RESTART),
        ("runtime.a_key_of_tomorrow", Applied.AFTER_RESTART),
        ("limits.max_open_orders.more", Applied.AFTER_RESTART),
    ],
)
def test_key_that_is_not_in_the_table_needs_a_restart(key: str, found: Applied) -> None:
    assert applied(key) is found


def test_no_key_is_told_of_by_two_patterns() -> None:
    for pattern in KEYS:
        key = pattern.replace("**", "anything").replace("*", "name")
        assert [other for other in KEYS if matches(key, other)] == [pattern]


def test_reference_lists_exactly_what_may_change_and_from_when_on() -> None:
    section = REFERENCE[REFERENCE.index("## Changed while it runs\n") :].removeprefix("## ").partition("\n## ")[0]
    listed = {
        f"{table}.{key}".replace("NAME", "*"): when
        for tables, keys, when in re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
        for table in re.findall(r"`\[([^\]]+)\]`", tables)
        for key in (re.findall(r"`(\w+)`", keys) or ["**"])
    }
    assert listed == {pattern: found.value for pattern, found in KEYS.items() if not found.needs_restart}
