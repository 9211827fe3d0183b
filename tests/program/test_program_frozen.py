"""A program that no longer does anything, dead or frozen: the exchange's own switch, where it has one, cancels what it left."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from processes import NO_GUARDIAN, QUIET_MARKET, Exchange, Program, exchange_settings, settings

from assembly.registry import EXCHANGES

SWITCHES = {
    name: seconds_min
    for name, entry in sorted(EXCHANGES.items())
    if (seconds_min := entry.account_codec().capabilities.dead_mans_switch_seconds_min) is not None
}
GRACE_SECONDS = 6.0  # between the time-out and the exchange's last cancellation, on a busy machine


@pytest.fixture(scope="module", params=list(SWITCHES))
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, Exchange]]:
    name = request.param
    config = exchange_settings(tmp_path_factory.mktemp(name), QUIET_MARKET)
    with Exchange("--exchange", name, "--config", config) as exchange:
        yield name, exchange


def with_short_switch(path: Path, name: str, exchange: Exchange) -> Path:
    text = path.read_text().replace("gateio_spot", name)
    if "private_websocket_url" in exchange.facts:  # the private stream is elsewhere
        private = f'private_websocket_url = "{exchange.facts["private_websocket_url"]}"\n'
        text = text.replace("websocket_url =", f"{private}websocket_url =", 1)
    path.write_text(text.replace(f'exchange = "{name}"\n', f'exchange = "{name}"\ndead_mans_switch_seconds = {SWITCHES[name]}\n'))
    return path


def open_orders(name: str, exchange: Exchange) -> Callable[[], list[str]]:
    """Asks which orders of ours are open, whatever the exchange calls a client order id."""
    prefix = EXCHANGES[name].account_codec().wire_client_order_id("mm-")

    def ask() -> list[str]:
        found = exchange.state()["accounts"]["main"]["open_orders"]
        return [text for order in found for text in order.values() if isinstance(text, str) and text.startswith(prefix)]

    return ask


def test_exchange_cancels_for_a_frozen_program_which_goes_on_once_it_is_thawed(tmp_path: Path, market: tuple[str, Exchange]) -> None:
    name, exchange = market
    ours = open_orders(name, exchange)
    with Program(with_short_switch(settings(tmp_path, exchange=exchange, runtime=NO_GUARDIAN), name, exchange)) as program:
        program.wait_for("order_placed", count=2)
        assert len(ours()) == 1
        program.send(signal.SIGSTOP)
        exchange.wait_until(lambda: not ours(), within_seconds=SWITCHES[name] + GRACE_SECONDS)
        program.send(signal.SIGCONT)
        program.wait_for("order_placed", count=3)
        program.send(signal.SIGINT)
        assert program.wait_exit() == 0
    assert ours() == []


def test_exchange_cancels_for_a_program_that_was_killed(tmp_path: Path, market: tuple[str, Exchange]) -> None:
    name, exchange = market
    ours = open_orders(name, exchange)
    with Program(with_short_switch(settings(tmp_path, exchange=exchange, runtime=NO_GUARDIAN), name, exchange)) as program:
        program.wait_for("order_placed", count=2)
        program.send(signal.SIGKILL)
        program.wait_exit()
    assert ours()
    exchange.wait_until(lambda: not ours(), within_seconds=SWITCHES[name] + GRACE_SECONDS)
