"""Exchanges that tests share. A test that stops, freezes or slows one down makes its own."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from processes import LIVELY_MARKET, QUIET_MARKET, Exchange, exchange_settings


@pytest.fixture(scope="session")
def lively_exchange(tmp_path_factory: pytest.TempPathFactory) -> Generator[Exchange]:
    """Sells of ours are filled at once."""
    with Exchange("--config", exchange_settings(tmp_path_factory.mktemp("lively"), LIVELY_MARKET)) as exchange:
        yield exchange


@pytest.fixture(scope="session")
def quiet_exchange(tmp_path_factory: pytest.TempPathFactory) -> Generator[Exchange]:
    """Sells of ours rest."""
    with Exchange("--config", exchange_settings(tmp_path_factory.mktemp("quiet"), QUIET_MARKET)) as exchange:
        yield exchange


@pytest.fixture
def slow_exchange(tmp_path: Path) -> Generator[Exchange]:
    """As the lively one, but every answer takes a while."""
    with Exchange("--config", exchange_settings(tmp_path, f"answer_delay_seconds = 0.2\n{LIVELY_MARKET}")) as exchange:
        yield exchange
