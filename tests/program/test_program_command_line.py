"""The command line and the environment, from outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Exchange, Program, settings


def test_help_explains_every_option_the_environment_and_the_exit_status() -> None:
    with Program("--help") as program:
        assert program.wait_exit() == 0
        for word in ("SETTINGS", "--exchange", "--symbol", "--quantity", "--cycles", "--for", "--json", "--plain", "--version"):
            assert word in program.stdout
        for word in ("GATEIO_API_KEY", "GATEIO_API_SECRET", "GATEIO_TESTNET", "LOG_LEVEL", "exit status:", "Ctrl-C"):
            assert word in program.stdout
        assert max(len(line) for line in program.lines_of_stdout()) <= 100
        assert program.stderr == ""


def test_version_is_one_line() -> None:
    with Program("--version") as program:
        assert program.wait_exit() == 0
        assert program.stdout.startswith("mm-runtime ")
        assert program.stdout.count("\n") == 1


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC_USDT", "BTC/USDT", "BTC-USDT"])
def test_overrides_win_over_the_file_and_every_spelling_of_a_symbol_is_understood(
    symbol: str, tmp_path: Path, lively_exchange: Exchange
) -> None:
    path = settings(tmp_path, exchange=lively_exchange, symbol="ETH_USDT", quantity="50", cycles=0)
    overrides = ("--exchange", "gateio_spot", "--symbol", symbol, "--quantity", "100", "--cycles", "1", "--json")
    with Program(path, *overrides) as program:
        assert program.wait_exit() == 0
        reconciled = [event for event in program.events() if event["event"] == "cycle_reconciled"]
        assert [event["symbol"] for event in reconciled] == ["BTC/USDT"]
        buys = [event for event in program.events() if event["event"] == "order_statement" and event["side"] == "buy"]
        assert [buy["quote_quantity"] for buy in buys] == ["100"]
    assert lively_exchange.our_open_orders() == []


def test_for_stops_cleanly_after_that_long(tmp_path: Path, quiet_exchange: Exchange) -> None:
    with Program(settings(tmp_path, exchange=quiet_exchange), "--for", "1s", "--json") as program:
        assert program.wait_exit() == 0
        stopped = program.events()[-1]
        assert stopped["reason"] == "1 s are over"
        assert 1 <= stopped["seconds"] < 1 + 2
    assert quiet_exchange.our_open_orders() == []


def test_log_level_of_the_environment_is_obeyed_and_the_command_line_wins(tmp_path: Path, quiet_exchange: Exchange) -> None:
    path = settings(tmp_path, exchange=quiet_exchange)
    with Program(path, "--for", "500ms", environment={"LOG_LEVEL": "debug"}) as program:
        assert program.wait_exit() == 0
        assert " actor_starting " in program.stdout
    with Program(path, "--for", "500ms", "--log-level", "INFO", environment={"LOG_LEVEL": "DEBUG"}) as program:
        assert program.wait_exit() == 0
        assert " actor_starting " not in program.stdout


def test_testnet_by_the_environment_without_a_credential_is_refused_and_names_the_variables(
    tmp_path: Path, quiet_exchange: Exchange
) -> None:
    path = settings(tmp_path, runtime='installation = "mm"')
    with Program(path, environment={"GATEIO_TESTNET": "1"}) as program:
        assert program.wait_exit() == 2
        assert "testnet" in program.stderr
        assert "GATEIO_API_KEY and GATEIO_API_SECRET are not set" in program.stderr
        assert program.stdout == ""
