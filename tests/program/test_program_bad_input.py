"""Bad input: one clear message on standard error, exit status 2, no traceback, and nothing sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Exchange, Program, settings

MODE = 'mode = "simulated"'
LIVE = 'mode = "live"'
CREDENTIAL = {"GATEIO_API_KEY": "a-made-up-key", "GATEIO_API_SECRET": "a-made-up-secret"}


def check_refused(program: Program, *words: str) -> None:
    """Refused before anything began: the one line on standard error is all there is."""
    assert program.wait_exit() == 2
    assert program.stdout == ""
    assert program.stderr.count("\n") == 1, program.stderr
    for word in words:
        assert word in program.stderr


def test_missing_file_is_named(tmp_path: Path) -> None:
    with Program(tmp_path / "nothing.toml") as program:
        check_refused(program, "nothing.toml: there is no such file")


def test_default_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with Program(folder=tmp_path) as program:
        check_refused(program, "config.toml: there is no such file")


def test_toml_that_does_not_parse_is_told_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text('[runtime]\nlog_level = "INFO\n')
    with Program(path) as program:
        check_refused(program, "broken.toml:2:18: ", 'log_level = "INFO')


@pytest.mark.parametrize(
    ("written", "instead", "words"),
    [
        ("quantity = 100", "quantiti = 100", ["cycles.btc.quantiti is not a known key", 'Did you mean "quantity"?']),
        ("quantity = 100", 'quantity = "much"', ["cycles.btc.quantity", '"much"', "expected a number above 0"]),
        ("cycles = 0", 'cycles = "three"', ["cycles.btc.cycles is a text; expected a whole number"]),
        ("quantity = 100", "quantity = -1", ["cycles.btc.quantity is -1"]),
        ("[exchanges.gateio_spot]", "[exchanges.gateio_spto]", ["gateio_spto", 'Did you mean "gateio_spot"?']),
        ('"BTC_USDT"', '"???"', ["cycles.btc.symbol", "???"]),
        ('"BTC_USDT"', '"NO_SUCH"', ["cycles.btc.symbol is NO/SUCH", "does not list", "BTC/USDT"]),
        ("[accounts.main]", '[accounts.main]\napi_secret = "hidden-value"', ["accounts.main.api_secret looks like a secret"]),
    ],
)
def test_settings_that_cannot_be_used_are_told_by_their_key(tmp_path: Path, written: str, instead: str, words: list[str]) -> None:
    path = settings(tmp_path)
    text = path.read_text()
    assert written in text
    path.write_text(text.replace(written, instead))
    with Program(path) as program:
        check_refused(program, *words)
        assert "hidden-value" not in program.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--exchange", "gateio_spto"], ["gateio_spto", "gateio_spot"]),
        (["--symbol", "???"], ["--symbol", "???"]),
        (["--quantity", "0"], ["--quantity"]),
        (["--cycles", "-1"], ["--cycles"]),
        (["--for", "soon"], ["--for", "soon"]),
        (["--log-level", "LOUD"], ["--log-level", "LOUD", "INFO"]),
        (["--jsno"], ["--jsno", "--help"]),
    ],
)
def test_command_line_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    with Program(settings(tmp_path), *arguments) as program:
        check_refused(program, *words)


@pytest.mark.parametrize("mode", ["testnet", "live"])
def test_real_exchange_without_a_credential_is_refused_and_names_the_variables(tmp_path: Path, mode: str) -> None:
    path = settings(tmp_path, runtime='installation = "mm"')
    path.write_text(path.read_text().replace(MODE, f'mode = "{mode}"'))
    with Program(path) as program:
        check_refused(program, mode, "GATEIO_API_KEY and GATEIO_API_SECRET are not set")


def test_live_without_limits_is_refused_and_names_them(tmp_path: Path) -> None:
    path = settings(tmp_path, runtime='installation = "mm"')
    path.write_text(path.read_text().replace(MODE, LIVE))
    with Program(path, environment=CREDENTIAL) as program:
        check_refused(program, "accounts.main.limits needs max_order_notional and max_position_notional")
        assert "made-up" not in program.stderr


def check_stopped_before_any_order(program: Program, exchange: Exchange, orders_before: int, message: str) -> None:
    """Found out only by asking the exchange: told both where events are and where errors are."""
    assert program.wait_exit() == 2
    assert exchange.orders_ever() == orders_before
    errors = [line for line in program.stderr.splitlines() if message in line]
    assert len(errors) == 1, program.stderr
    assert "Traceback" not in program.stderr
    assert (
        "exit status 2: the command line, the settings, the journal or the credential cannot be used; no order of this run is live"
        in program.stdout
    )
    assert message in program.lines_of_stdout()[-1]


def test_symbol_that_the_exchange_does_not_list_is_told_and_no_order_is_sent(tmp_path: Path, quiet_exchange: Exchange) -> None:
    orders = quiet_exchange.orders_ever()
    with Program(settings(tmp_path, exchange=quiet_exchange, symbol="NO_SUCH")) as program:
        check_stopped_before_any_order(program, quiet_exchange, orders, "gateio_spot does not list NO/SUCH")


def test_quantity_below_the_minimum_notional_is_told_and_no_order_is_sent(tmp_path: Path, quiet_exchange: Exchange) -> None:
    orders = quiet_exchange.orders_ever()
    with Program(settings(tmp_path, exchange=quiet_exchange, quantity="1")) as program:
        check_stopped_before_any_order(program, quiet_exchange, orders, "minimum")
