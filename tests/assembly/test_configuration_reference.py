"""docs/configuration.md and config.toml say what the program does."""

from __future__ import annotations

import enum
import re
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec
import pytest
import tomli
from presenter_samples import EVENTS
from settings_files import KNOWN

from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from assembly.arguments import parse_arguments
from assembly.presenter.vocabulary import tell
from assembly.registry import STRATEGIES
from assembly.settings import (
    AccountSettings,
    CycleLimitSettings,
    CycleSettings,
    ExchangeSettings,
    FileSettings,
    GlobalLimitSettings,
    JournalSettings,
    LimitSettings,
    NotificationSettings,
    PageSettings,
    RuntimeSettings,
)
from assembly.settings_loading import load_settings
from simulated import settings as simulated

ROOT = Path(__file__).parent.parent.parent
REFERENCE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
CONFIG = (ROOT / "config.toml").read_text(encoding="utf-8")

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "`[runtime]`": RuntimeSettings,
    "`[journal]`": JournalSettings,
    "`[exchanges.NAME]`": ExchangeSettings,
    "`[exchanges.NAME.simulation]`": simulated.SimulationSettings,
    "`[[exchanges.NAME.simulation.markets]]`": simulated.MarketSettings,
    "`[exchanges.NAME.simulation.markets.contract]`": simulated.ContractSettings,
    "`[[exchanges.NAME.simulation.accounts]]`": simulated.AccountSettings,
    "`[accounts.NAME]`": AccountSettings,
    "`[accounts.NAME.limits]`": LimitSettings,
    "`[limits]`": GlobalLimitSettings,
    "`[notifications]`": NotificationSettings,
    "`[page]`": PageSettings,
    "`[cycles.NAME]`": CycleSettings,
    "`[cycles.NAME.limits]`": CycleLimitSettings,
    "`[cycles.NAME.parameters]` of `sell_on_top`": SellOnTopParameters,
}
NOT_IN_THE_FILE = {"api_key", "api_secret", "api_passphrase"}  # refused there


def documented(heading: str) -> dict[str, str]:
    """The keys of a section of the reference and their defaults, as written."""
    section = REFERENCE[REFERENCE.index(f"## {heading}\n") :].removeprefix("## ").partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", section, re.MULTILINE)
    return {key: default.strip() for key, default in rows}


@pytest.mark.parametrize("heading", SECTIONS)
def test_reference_has_exactly_the_keys_of_the_settings(heading: str) -> None:
    assert set(documented(heading)) == set(SECTIONS[heading].__struct_fields__) - NOT_IN_THE_FILE


@pytest.mark.parametrize("heading", SECTIONS)
def test_reference_states_the_defaults_that_hold(heading: str) -> None:
    stated = documented(heading)
    for field in msgspec.structs.fields(SECTIONS[heading]):
        if field.name not in stated:
            continue
        text = stated[field.name]
        if field.required:
            assert text == "required", field.name
        elif field.default is None:
            assert not text.startswith("`"), field.name
        elif text.startswith("`"):
            assert _meant(tomli.loads(f"default = {text.strip('`')}", parse_float=Decimal)["default"]) == _meant(field.default), field.name


def _meant(value: object) -> object:
    match value:
        case bool() | str():
            return value
        case enum.Enum():
            return value.value
        case list() | tuple():
            return list(cast("list[object]", value))
        case _:
            return Decimal(str(value))


def test_reference_has_every_section_of_the_file() -> None:
    for section in FileSettings.__struct_fields__:
        assert f"[{section}" in REFERENCE


def test_reference_has_every_event_that_is_told() -> None:
    output = REFERENCE[REFERENCE.index("## Output") :]
    missing = [told.name for event in EVENTS if (told := tell(event)) is not None and f"`{told.name}`" not in output]
    assert missing == []


def test_reference_has_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    assert [option for option in sorted(options) if f"`{option}" not in REFERENCE] == []


def test_default_file_loads_without_environment_and_runs_three_simulated_cycles() -> None:
    settings = load_settings(
        ROOT / "config.toml",
        environment={},
        known_exchanges=KNOWN,
        strategies=STRATEGIES,
    )
    assert settings.exchanges["gateio_spot"].is_embedded
    assert [(cycle.symbol.base, cycle.quantity, cycle.cycles) for cycle in settings.cycles.values()] == [("BTC", 100, 3)]


def test_default_file_shows_every_key_of_ours_in_use_or_commented_out() -> None:
    shown = set(re.findall(r"^(?:# (?:  )?)?(\w+) = ", CONFIG, re.MULTILINE))
    for kind in (RuntimeSettings, LimitSettings, PageSettings):
        assert set(kind.__struct_fields__) <= shown
    assert set(ExchangeSettings.__struct_fields__) - {"simulation"} <= shown
    assert set(AccountSettings.__struct_fields__) - {"limits"} <= shown
    assert set(CycleSettings.__struct_fields__) - {"parameters", "limits"} <= shown
    assert set(SellOnTopParameters.__struct_fields__) <= shown


def test_default_file_still_loads_with_its_commented_keys_in_force() -> None:
    text = re.sub(r"^# (\w+ = |\[)", r"\1", CONFIG, flags=re.MULTILINE)
    text = re.sub(r"^(rest_url|websocket_url|private_websocket_url) = .*$", "", text, flags=re.MULTILINE)  # these connect elsewhere
    assert text != CONFIG
    tables = tomli.loads(text, parse_float=Decimal)
    assert set(tables["runtime"]) == set(RuntimeSettings.__struct_fields__)
    assert set(tables["cycles"]["btc"]["parameters"]) == set(SellOnTopParameters.__struct_fields__)
