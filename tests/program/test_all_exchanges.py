"""`config.all.toml`: every registered exchange at once in one process."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
from processes import ROOT, Program

from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.settings_loading import load_settings

SETTINGS = ROOT / "config.all.toml"
FIRST_ORDERS_SECONDS_MAX = 10.0
RUN_SECONDS_MAX = 180.0
CYCLES = ("gate", "mexc", "okx", "gateperp", "okxperp")


def test_file_of_all_exchanges_has_every_registered_one_with_an_account_and_a_cycle() -> None:
    settings = load_settings(
        SETTINGS,
        environment={},
        known_exchanges={name: entry.known for name, entry in EXCHANGES.items()},
        strategies=STRATEGIES,
    )
    assert set(settings.exchanges) == set(EXCHANGES)
    assert all(exchange.is_embedded for exchange in settings.exchanges.values())
    assert sorted(settings.exchange_of(cycle) for cycle in settings.cycles) == sorted(EXCHANGES)
    assert all(cycle.cycles == 1 and cycle.parameters == SellOnTopParameters() for cycle in settings.cycles.values())


@pytest.fixture
def lively_settings(tmp_path: Path) -> Path:
    """The file as it stands, in a market where somebody always takes, so that nobody has to wait for it."""
    text = SETTINGS.read_text()
    market = 'markets = [{ symbol = "BTC_USDT", taker_rate_per_second = 20.0 }]'
    for seed in (1, 2, 3, 4, 5):
        assert f"simulation = {{ seed = {seed} }}" in text
        text = text.replace(f"simulation = {{ seed = {seed} }}", f"simulation = {{ seed = {seed}, {market} }}")
    path = tmp_path / "all.toml"
    path.write_text(text)
    return path


def is_placed(cycle: str, line: str) -> bool:
    return '"event":"order_placed"' in line and f'"cycle":"{cycle}"' in line


def test_all_exchanges_start_side_by_side_and_every_cycle_reconciles(lively_settings: Path) -> None:
    with Program(lively_settings, "--json") as program:
        assert program.out is not None
        for cycle in CYCLES:
            is_first = partial(is_placed, cycle)
            assert program.out.wait_for(matches=is_first, count=1, within_seconds=FIRST_ORDERS_SECONDS_MAX), f"{cycle} placed nothing"
        assert time.monotonic() - program.started_at < FIRST_ORDERS_SECONDS_MAX, "every cycle's first order, from the process's start"
        assert program.wait_exit(RUN_SECONDS_MAX) == 0
        reconciled = {event["cycle"]: event["agrees"] for event in program.events() if event["event"] == "cycle_reconciled"}
        assert reconciled == dict.fromkeys(CYCLES, True)
