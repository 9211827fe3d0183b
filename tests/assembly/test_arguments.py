"""The command line: what it becomes, and the one line that each mistake gives."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from assembly.arguments import ArgumentsError, OutputForm, parse_arguments
from assembly.settings import Overrides
from market.symbol import Symbol


def test_no_argument_means_config_toml_and_no_overrides() -> None:
    found = parse_arguments([])
    assert (found.settings_path, found.overrides, found.output_form) == (Path("config.toml"), Overrides(), OutputForm.AUTOMATIC)


def test_every_override_is_read() -> None:
    text = "my.toml --exchange gateio_spot --symbol ethusdt --quantity 0.10 --cycles 0 --for 5m --log-level debug --json"
    found = parse_arguments(text.split())
    assert found.settings_path == Path("my.toml")
    assert found.output_form is OutputForm.JSON
    assert found.overrides == Overrides(
        exchange="gateio_spot",
        symbol=Symbol("ETH", "USDT"),
        quantity=Decimal("0.10"),
        cycles=0,
        run_for_seconds=300.0,
        log_level="debug",
    )


def test_plain_means_lines_even_on_a_terminal() -> None:
    assert parse_arguments(["--plain"]).output_form is OutputForm.LINES


@pytest.mark.parametrize("spelling", ["BTCUSDT", "BTC_USDT", "BTC/USDT", "BTC-USDT"])
def test_symbol_may_be_spelled_in_four_ways(spelling: str) -> None:
    assert parse_arguments(["--symbol", spelling]).overrides.symbol == Symbol("BTC", "USDT")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), ("250ms", 0.25)])
def test_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_arguments(["--for", text]).overrides.run_for_seconds == seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for", "soon"], "argument --for: 'soon' is not a duration such as 90s, 5m or 1h"),
        (["--for", "0s"], "argument --for: '0s' is not a duration such as 90s, 5m or 1h"),
        (["--cycles", "-1"], "argument --cycles: '-1' is not a whole number from 0 to 999999999"),
        (["--cycles", "1.5"], "argument --cycles: '1.5' is not a whole number from 0 to 999999999"),
        (["--quantity", "nan"], "argument --quantity: 'nan' is not a number above 0"),
        (["--quantity", "-5"], "argument --quantity: '-5' is not a number above 0"),
        (["--quantity", "lots"], "argument --quantity: 'lots' is not a number above 0"),
        (["--symbol", "BTC"], "argument --symbol: 'BTC' is not a symbol: write it as BTC_USDT, BTC/USDT, BTC-USDT or BTCUSDT"),
        (["--symbol"], "argument --symbol: expected one argument"),
        (["--json", "--plain"], "argument --plain: not allowed with argument --json"),
        (["my.toml", "--cycle", "3"], "unrecognized arguments: --cycle 3"),
        (["one.toml", "two.toml"], "unrecognized arguments: two.toml"),
    ],
)
def test_mistake_gives_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(ArgumentsError) as caught:
        parse_arguments(arguments)
    assert str(caught.value) == f"mm-runtime: {message} (see mm-runtime --help)"


def test_help_shows_options_examples_environment_and_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for word in ("--exchange", "--symbol", "--quantity", "--cycles", "--for", "--log-level", "--json", "--plain", "--version"):
        assert word in shown
    for word in ("examples:", "GATEIO_API_KEY", "GATEIO_API_SECRET", "GATEIO_TESTNET", "LOG_LEVEL", "NO_COLOR", "exit status:", "Ctrl-C"):
        assert word in shown
    assert [line.split()[0] for line in shown[shown.index("exit status:") :].splitlines()[1:5]] == ["0", "1", "2", "3"]


def test_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--version"])
    assert caught.value.code == 0
    version = capsys.readouterr().out.removeprefix("mm-runtime ").strip()
    assert f'version = "{version}"' in Path("pyproject.toml").read_text(encoding="utf-8")
