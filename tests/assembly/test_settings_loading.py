"""What good settings become: exact decimals, defaults, overrides in their order, credentials."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from settings_files import CREDENTIAL, WHOLE, Parameters, load

from assembly.settings import ExchangeMode, Overrides, Settings, live_permissions
from market.symbol import Symbol
from orders.reports import MarginMode

TWO_CYCLES = f"""{WHOLE}
[accounts.hedge]
exchange = "okx_spot"

[exchanges.okx_spot]

[cycles.eth]
strategy = "sell_on_top"
account = "hedge"
symbol = "ETH_USDT"
quantity = 50
"""


@pytest.mark.parametrize(
    ("written", "meant"), [("0.1", "0.1"), ("100", "100"), ('"0.10"', "0.10"), ("1e-7", "1E-7"), ("1_000.5", "1000.5")]
)
def test_quantity_is_the_decimal_that_was_written(tmp_path: Path, written: str, meant: str) -> None:
    settings = load(tmp_path, changed={"quantity = 100": f"quantity = {written}", "max_order_notional = 200": "", "= 500": "= 5000"})
    assert settings.cycles["btc"].quantity.as_tuple() == Decimal(meant).as_tuple()


def test_quantity_may_be_all_that_an_order_and_a_position_may_be_worth(tmp_path: Path) -> None:
    settings = load(tmp_path, changed={"quantity = 100": "quantity = 200", "= 500": "= 200"})
    assert settings.cycles["btc"].quantity == settings.accounts["main"].limits.max_position_notional == 200


@pytest.mark.parametrize("spelling", ["BTC_USDT", "BTC/USDT", "BTC-USDT", "BTCUSDT", "btcusdt"])
def test_symbol_may_be_spelled_in_four_ways(tmp_path: Path, spelling: str) -> None:
    assert load(tmp_path, changed={"BTC_USDT": spelling}).cycles["btc"].symbol == Symbol("BTC", "USDT")


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path, changed={'installation = "mm"': ""})
    cycle, exchange, account = settings.cycles["btc"], settings.exchanges["gateio_spot"], settings.accounts["main"]
    assert (settings.runtime.installation, settings.runtime.log_level, settings.runtime.stop_deadline_seconds) == ("mm", "INFO", 10.0)
    assert (cycle.cycles, cycle.tick_seconds, cycle.parameters) == (1, 1.0, Parameters())
    assert (exchange.is_embedded, exchange.book_max_age_seconds, account.limits.max_open_orders) == (True, 5.0, 20)


def test_parameters_become_the_struct_of_the_strategy(tmp_path: Path) -> None:
    settings = load(tmp_path, changed={"quantity = 100": "quantity = 100\n[cycles.btc.parameters]\nreprice_interval_seconds = 2"})
    assert settings.cycles["btc"].parameters == Parameters(reprice_interval_seconds=2.0)


def test_environment_wins_over_file_and_command_line_over_both(tmp_path: Path) -> None:
    changed = {'installation = "mm"': 'log_level = "ERROR"'}
    assert load(tmp_path, changed=changed).runtime.log_level == "ERROR"
    assert load(tmp_path, changed=changed, environment={"LOG_LEVEL": "warning"}).runtime.log_level == "WARNING"
    overrides = Overrides(log_level="debug")
    assert load(tmp_path, changed=changed, environment={"LOG_LEVEL": "warning"}, overrides=overrides).runtime.log_level == "DEBUG"


def test_command_line_overrides_every_cycle(tmp_path: Path) -> None:
    overrides = Overrides(symbol=Symbol("ETH", "USDT"), quantity=Decimal(7), cycles=0, run_for_seconds=90.0)
    settings = load(tmp_path, TWO_CYCLES, overrides=overrides)
    assert [(cycle.symbol.base, cycle.quantity, cycle.cycles) for cycle in settings.cycles.values()] == [("ETH", 7, 0), ("ETH", 7, 0)]
    assert settings.runtime.run_for_seconds == 90.0


def test_exchange_of_the_command_line_moves_every_cycle_to_its_one_account(tmp_path: Path) -> None:
    settings = load(tmp_path, TWO_CYCLES, overrides=Overrides(exchange="okx_spot"))
    assert [cycle.account for cycle in settings.cycles.values()] == ["hedge", "hedge"]
    assert (list(settings.accounts), list(settings.exchanges), list(settings.credentials)) == (["hedge"], ["okx_spot"], ["hedge"])
    assert settings.exchange_of("btc") == "okx_spot"


def test_exchange_of_the_command_line_that_the_file_has_not_is_simulated(tmp_path: Path) -> None:
    settings = load(tmp_path, overrides=Overrides(exchange="mexc_spot"))
    assert settings.exchanges["mexc_spot"].is_embedded
    assert settings.accounts["mexc_spot"].exchange == settings.exchange_of("btc") == "mexc_spot"


@pytest.mark.parametrize(
    ("switch", "mode"),
    [("1", ExchangeMode.TESTNET), ("true", ExchangeMode.TESTNET), ("0", ExchangeMode.LIVE), ("", ExchangeMode.LIVE)],
)
def test_testnet_switch_of_the_environment_wins_over_the_files_mode(tmp_path: Path, switch: str, mode: ExchangeMode) -> None:
    settings = load(tmp_path, changed={'"simulated"': '"live"'}, environment={**CREDENTIAL, "GATEIO_TESTNET": switch})
    assert settings.exchanges["gateio_spot"].mode is mode


def test_credential_comes_from_the_environment_and_no_repr_shows_it(tmp_path: Path) -> None:
    settings = load(tmp_path, changed={'"simulated"': '"live"'}, environment=CREDENTIAL)
    assert (settings.credentials["main"].key, settings.credentials["main"].secret) == ("the-real-key", "the-real-secret")
    assert "the-real" not in repr(settings)


def test_credential_of_an_account_may_have_its_own_prefix(tmp_path: Path) -> None:
    changed = {'"simulated"': '"live"', 'exchange = "gateio_spot"': 'exchange = "gateio_spot"\ncredential = "HEDGE"'}
    settings = load(tmp_path, changed=changed, environment={"HEDGE_API_KEY": "k", "HEDGE_API_SECRET": "s", **CREDENTIAL})
    assert settings.credentials["main"].key == "k"


def test_simulated_account_gets_a_made_up_credential_that_the_simulation_knows(tmp_path: Path) -> None:
    settings = load(tmp_path)
    (simulated,) = settings.exchanges["gateio_spot"].simulation.accounts
    assert (simulated.name, simulated.api_key) == ("main", settings.credentials["main"].key)
    assert simulated.api_secret == settings.credentials["main"].secret


def test_embedded_simulation_knows_the_credential_of_the_environment(tmp_path: Path) -> None:
    settings = load(tmp_path, environment=CREDENTIAL)
    (simulated,) = settings.exchanges["gateio_spot"].simulation.accounts
    assert (simulated.api_key, simulated.api_secret) == ("the-real-key", "the-real-secret")
    assert "the-real" not in repr(settings)


def test_embedded_simulation_has_exactly_our_accounts_each_with_its_own_key_and_number(tmp_path: Path) -> None:
    two = {
        "[cycles.btc]": '[accounts.hedge]\nexchange = "gateio_spot"\n[cycles.btc]',
        'mode = "simulated"': 'simulation = {accounts = [{name = "hedge", balances = {USDT = 7}}, {name = "other"}]}',
    }
    accounts = load(tmp_path, changed=two).exchanges["gateio_spot"].simulation.accounts
    assert [account.name for account in accounts] == ["main", "hedge"]
    assert accounts[1].balances == {"USDT": Decimal(7)}
    assert len({account.api_key for account in accounts}) == len({account.user_id for account in accounts}) == 2


def test_simulation_that_runs_apart_is_not_embedded_and_has_its_default_credential(tmp_path: Path) -> None:
    urls = 'rest_url = "http://127.0.0.1:8101"\nwebsocket_url = "ws://127.0.0.1:8101/ws/v4/"'
    settings = load(tmp_path, changed={'mode = "simulated"': urls})
    assert not settings.exchanges["gateio_spot"].is_embedded
    assert settings.credentials["main"].key == "simulated-key-main"


def test_two_cycles_may_trade_one_symbol_on_one_account(tmp_path: Path) -> None:
    more = '[cycles.btc2]\nstrategy = "sell_on_top"\naccount = "main"\nsymbol = "BTC_USDT"\nquantity = 5\n[cycles.btc]'
    assert list(load(tmp_path, changed={"[cycles.btc]": more}).cycles) == ["btc2", "btc"]


def test_guardians_folder_is_found_from_the_settings_files_folder_by_default_too(tmp_path: Path) -> None:
    assert load(tmp_path).runtime.guardian_folder == str(tmp_path / "var" / "guardian")
    settings = load(tmp_path, changed={'installation = "mm"': 'guardian_folder = "elsewhere"'})
    assert settings.runtime.guardian_folder == str(tmp_path / "elsewhere")


@pytest.mark.parametrize("seconds", ["0", "5", "20.5"])
def test_guardian_may_bear_five_seconds_of_silence_or_more_or_any(tmp_path: Path, seconds: str) -> None:
    settings = load(tmp_path, changed={'installation = "mm"': f"guardian_silence_seconds = {seconds}"})
    assert settings.runtime.guardian_silence_seconds == float(seconds)


def test_log_file_is_found_from_the_settings_files_folder(tmp_path: Path) -> None:
    settings = load(tmp_path, changed={'installation = "mm"': 'log_file = "var/x.log"'})
    assert settings.runtime.log_file == str(tmp_path / "var" / "x.log")


def test_live_run_says_what_it_may_do_in_one_line_for_each_account(tmp_path: Path) -> None:
    changed = {'"simulated"': '"live"', "quantity = 100": "quantity = 100\ncycles = 0"}
    assert live_permissions(load(tmp_path, changed=changed, environment=CREDENTIAL)) == (
        "LIVE: account main trades with real money on gateio_spot: orders up to 200, position up to 500 (quote units), "
        "20 open orders at most, no limit on losses (max_daily_loss); btc buys BTC/USDT for 100 USDT until stopped",
    )
    assert live_permissions(load(tmp_path)) == ()


def test_live_run_says_what_it_may_lose(tmp_path: Path) -> None:
    changed = {
        '"simulated"': '"live"',
        "max_order_notional = 200": "max_order_notional = 200\nmax_daily_loss = 20",
        "[exchanges.gateio_spot]": "[limits]\nmax_daily_loss = 30.5\n\n[exchanges.gateio_spot]",
    }
    (line,) = live_permissions(load(tmp_path, changed=changed, environment=CREDENTIAL))
    assert "20 open orders at most, losses a day up to 20 of the account and 30.5 of the program; btc buys" in line


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings: Settings = load(tmp_path)
    with pytest.raises(AttributeError):
        settings.cycles["btc"].quantity = Decimal(5)  # type: ignore[misc]
    assert all(kind.__struct_config__.frozen for kind in (type(settings), type(settings.runtime), type(settings.cycles["btc"])))
    assert isinstance(settings, msgspec.Struct)


def test_loading_takes_less_than_ten_milliseconds(tmp_path: Path) -> None:
    took: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        load(tmp_path)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.010


def test_account_of_contracts_has_its_leverage_and_margin_mode(tmp_path: Path) -> None:
    text = WHOLE.replace("gateio_spot", "okx_swap").replace(
        'exchange = "okx_swap"\n', 'exchange = "okx_swap"\nleverage = 7.5\nmargin_mode = "isolated"\n'
    )
    account = load(tmp_path, text).accounts["main"]
    assert (account.leverage, account.margin_mode) == (Decimal("7.5"), MarginMode.ISOLATED)
    assert load(tmp_path).accounts["main"].leverage is None
