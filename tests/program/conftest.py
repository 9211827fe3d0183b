"""Exchanges that tests share. A test that stops, freezes or slows one down makes its own."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from processes import LIVELY_MARKET, QUIET_MARKET, ROOT, Exchange, Program, exchange_settings
from webhook_receiver import Receiver


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


@pytest.fixture(scope="session", autouse=True)
def whole_runs(request: pytest.FixtureRequest) -> Generator[dict[str, Program]]:
    """`mm-runtime config.toml`, told in lines and in JSON. They take half a minute, so they run beside the other tests."""
    with ExitStack() as stack:
        runs: dict[str, Program] = {}
        if any(item.path.name == "test_program_whole_run.py" for item in request.session.items):
            runs = {form: stack.enter_context(Program("config.toml", form, folder=ROOT)) for form in ("--plain", "--json")}
        yield runs


@pytest.fixture
def plain_run(whole_runs: dict[str, Program]) -> Program:
    return whole_runs["--plain"]


@pytest.fixture
def json_run(whole_runs: dict[str, Program]) -> Program:
    return whole_runs["--json"]


@pytest.fixture
def receiver() -> Generator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
