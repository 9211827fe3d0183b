"""Everything that can be wrong with settings, and the one message that it gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from settings_files import CREDENTIAL, WHOLE, load

from assembly.decoding import SettingsError, decode
from assembly.redaction import redactor
from assembly.settings import Overrides
from assembly.settings_loading import load_settings
from market.symbol import Symbol

NO_LIMITS = "[accounts.main.limits]\nmax_order_notional = 200\nmax_position_notional = 500\n"


def message(
    folder: Path,
    changed: Mapping[str, str] | None = None,
    *,
    text: str = WHOLE,
    environment: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
) -> str:
    """The message that loading gives, without the path of the file before it."""
    with pytest.raises(SettingsError) as caught:
        load(folder, text, changed=changed, environment=environment, overrides=overrides)
    found = str(caught.value)
    assert "\n" not in found
    names_the_file = found.startswith(f"{folder / 'config.toml'}:")
    assert names_the_file is not found.startswith(("--", "the environment"))
    return found.removeprefix(f"{folder / 'config.toml'}:").strip()


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file; the first argument is the path of the settings file") as caught:
        load_settings(tmp_path / "absent.toml", environment={}, known_exchanges={}, strategies={})
    assert str(caught.value).startswith(str(tmp_path / "absent.toml"))


def test_folder_instead_of_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings(tmp_path, environment={}, known_exchanges={}, strategies={})


def test_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"a = \xff")
    with pytest.raises(SettingsError, match=r"not UTF-8 text \(byte 5\)"):
        load_settings(path, environment={}, known_exchanges={}, strategies={})


def test_toml_that_does_not_parse_names_line_and_column_and_shows_the_line(tmp_path: Path) -> None:
    found = message(tmp_path, {"quantity = 100": "quantity = = 100"})
    assert found == "19:12: Invalid value in this line: quantity = = 100"


def test_toml_that_ends_too_early_names_its_end(tmp_path: Path) -> None:
    assert message(tmp_path, text="[runtime]\nseed =") == "2:7: Invalid value in this line: seed ="


def test_secret_on_a_line_that_does_not_parse_is_not_shown(tmp_path: Path) -> None:
    found = message(tmp_path, text="[accounts.main]\napi_secret = abcdef0123\n")
    assert "abcdef" not in found
    assert found.endswith("in this line: api_secret = ***")


BAD_FILES = {
    "an unknown key with a near one": (
        {"quantity = 100": "quantitty = 100"},
        'cycles.btc.quantitty is not a known key. Did you mean "quantity"? The keys of [cycles.btc] are: '
        "strategy, account, symbol, quantity, cycles, tick_seconds, limits, parameters, "
        "reference_exchange, reference_symbol, react_to_move_fraction, react_to_fills.",
    ),
    "an unknown key with none near": (
        {'mode = "simulated"': "zzz = 1"},
        "exchanges.gateio_spot.zzz is not a known key. The keys of [exchanges.gateio_spot] are: "
        "mode, rest_url, websocket_url, private_websocket_url, book_max_age_seconds, taker_fee_fraction, simulation.",
    ),
    "an unknown section": (
        {"[runtime]": "[runtme]"},
        'runtme is not a known key. Did you mean "runtime"? '
        "The keys of the file are: runtime, journal, limits, notifications, page, exchanges, accounts, cycles.",
    ),
    "a missing key": ({"quantity = 100": ""}, "cycles.btc.quantity is missing; expected a number above 0"),
    "a missing symbol": ({'symbol = "BTC_USDT"': ""}, "cycles.btc.symbol is missing; expected a symbol such as BTC_USDT"),
    "a boolean for a number": ({"quantity = 100": "quantity = true"}, "cycles.btc.quantity is a boolean; expected a number above 0"),
    "a text for a whole number": (
        {"quantity = 100": 'quantity = 100\ncycles = "3"'},
        "cycles.btc.cycles is a text; expected a whole number of 0 or more",
    ),
    "a fraction for a whole number": (
        {"quantity = 100": "quantity = 100\ncycles = 1.5"},
        "cycles.btc.cycles is a number with a fraction; expected a whole number of 0 or more",
    ),
    "a text for a number": (
        {'installation = "mm"': 'stop_deadline_seconds = "10"'},
        "runtime.stop_deadline_seconds is a text; expected a number above 0 and at most 600",
    ),
    "a number for a text": (
        {'installation = "mm"': "installation = 5"},
        "runtime.installation is a whole number; expected 1 to 6 lower case letters or digits",
    ),
    "a number for a symbol": (
        {'symbol = "BTC_USDT"': "symbol = 5"},
        "cycles.btc.symbol is a whole number; expected a symbol such as BTC_USDT",
    ),
    "a list for a number": ({"quantity = 100": "quantity = [1]"}, "cycles.btc.quantity is a list; expected a number above 0"),
    "a date for a number": (
        {"quantity = 100": "quantity = 2026-11-20"},
        "cycles.btc.quantity is a date or time; expected a number above 0",
    ),
    "a text for a table": (
        {WHOLE[WHOLE.index("[cycles.btc]") :]: "[cycles]\nbtc = 'x'\n"},
        "cycles.btc is a text; expected a table of keys",
    ),
    "a table for a text": (
        {'exchange = "gateio_spot"': "exchange = {name = 'x'}"},
        "accounts.main.exchange is a table; expected a text",
    ),
    "a text for a list": (
        {'mode = "simulated"': "simulation = {markets = 'BTC'}"},
        "exchanges.gateio_spot.simulation.markets is a text; expected a list",
    ),
    "a text that is no number": ({"quantity = 100": 'quantity = "1O0"'}, 'cycles.btc.quantity is "1O0"; expected a number above 0'),
    "a quantity of zero": ({"quantity = 100": "quantity = 0"}, "cycles.btc.quantity is 0; expected a number above 0"),
    "a quantity that is no number": ({"quantity = 100": "quantity = nan"}, "cycles.btc.quantity is NaN; expected a number above 0"),
    "an infinite time": (
        {"quantity = 100": "quantity = 100\ntick_seconds = inf"},
        "cycles.btc.tick_seconds is inf; expected a number above 0",
    ),
    "a webhook without its URL": (
        {"[exchanges.gateio_spot]": '[notifications]\ntemplate = "slack"\n\n[exchanges.gateio_spot]'},
        "the environment has no NOTIFY_WEBHOOK_URL: [notifications] needs the URL to post to there, for it is a secret",
    ),
    "a kind of notification that there is not": (
        {"[exchanges.gateio_spot]": '[notifications]\nkinds = ["fils"]\n\n[exchanges.gateio_spot]'},
        'notifications.kinds[0] is "fils"; expected one of fills, restarts, limits, halts, unknown_orders, stop',
    ),
    "a cycle's limit below zero": (
        {"quantity = 100": "quantity = 100\nlimits = { inventory_max = -1 }"},
        "cycles.btc.limits.inventory_max is -1; expected a number above 0",
    ),
    "a deadline out of range": (
        {'installation = "mm"': "stop_deadline_seconds = 601"},
        "runtime.stop_deadline_seconds is 601.0; expected a number above 0 and at most 600",
    ),
    "an installation with a hyphen": (
        {'installation = "mm"': 'installation = "m-m"'},
        'runtime.installation is "m-m"; expected 1 to 6 lower case letters or digits',
    ),
    "an unknown mode": (
        {'mode = "simulated"': 'mode = "simulatd"'},
        'exchanges.gateio_spot.mode is "simulatd"; expected one of simulated, testnet, live. Did you mean "simulated"?',
    ),
    "an unknown log level": (
        {'installation = "mm"': 'log_level = "INFOO"'},
        'runtime.log_level is "INFOO"; expected one of DEBUG, ERROR, INFO, TRACE, WARNING. Did you mean "INFO"?',
    ),
    "an unknown exchange": (
        {"[exchanges.gateio_spot]": "[exchanges.gateio]"},
        'exchanges.gateio: "gateio" is not a known exchange. Did you mean "gateio_spot"? '
        "Known: gateio_spot, okx_spot, mexc_spot, okx_swap.",
    ),
    "an unknown strategy": (
        {'strategy = "sell_on_top"': 'strategy = "sell_top"'},
        'cycles.btc.strategy: "sell_top" is not a known strategy. Did you mean "sell_on_top"? Known: sell_on_top, cross, quoting.',
    ),
    "an account that is not there": (
        {'account = "main"': 'account = "mian"'},
        'cycles.btc.account is "mian", but there is no [accounts.mian]. Did you mean "main"? There is: [accounts.main].',
    ),
    "an exchange that has no section": (
        {'exchange = "gateio_spot"': 'exchange = "okx_spot"'},
        'accounts.main.exchange is "okx_spot", but there is no [exchanges.okx_spot]. Did you mean "gateio_spot"? '
        "There is: [exchanges.gateio_spot].",
    ),
    "a symbol that cannot be read": (
        {"BTC_USDT": "BTC"},
        "cycles.btc.symbol: 'BTC' is not a symbol: write it as BTC_USDT, BTC/USDT, BTC-USDT or BTCUSDT",
    ),
    "a symbol that the simulation does not list": (
        {"BTC_USDT": "BTC_USDC"},
        'cycles.btc.symbol is BTC/USDC, which the simulated gateio_spot does not list. Did you mean "BTC/USDT"? '
        "It lists: BTC/USDT, ETH/USDT; add [[exchanges.gateio_spot.simulation.markets]] for more.",
    ),
    "a cycle's name with a hyphen": (
        {"[cycles.btc]": "[cycles.btc-1]"},
        "cycles.btc-1: a cycle's name is 1 to 10 lower case letters or digits, because it becomes part of every order id",
    ),
    "a cycle's name of eleven letters": (
        {"[cycles.btc]": "[cycles.elevenchars]"},
        "cycles.elevenchars: a cycle's name is 1 to 10 lower case letters or digits, because it becomes part of every order id",
    ),
    "an account's name with a capital": (
        {"[accounts.main]": "[accounts.Main]", NO_LIMITS: ""},
        "accounts.Main: an account's name is 1 to 20 lower case letters, digits or underscores",
    ),
    "no cycle": (
        {WHOLE[WHOLE.index("[cycles.btc]") :]: ""},
        "there is no cycle to run: add a table such as [cycles.btc] (see docs/configuration.md)",
    ),
    "an unknown parameter of the strategy": (
        {"quantity = 100": "quantity = 100\nparameters = {price_offset = 1}"},
        'cycles.btc.parameters.price_offset is not a known key. Did you mean "price_offset_ticks"? '
        "The keys of [cycles.btc.parameters] are: reprice_interval_seconds, price_offset_ticks.",
    ),
    "a parameter that the strategy refuses": (
        {"quantity = 100": "quantity = 100\nparameters = {price_offset_ticks = -1}"},
        "cycles.btc.parameters.price_offset_ticks is -1; expected 0 or more",
    ),
    "a quantity above a limit of the program": (
        {"[exchanges.gateio_spot]": "[limits]\nmax_position_notional = 99\n\n[exchanges.gateio_spot]"},
        "cycles.btc.quantity is 100, more than limits.max_position_notional = 99",
    ),
    "a limit of nothing": (
        {"[exchanges.gateio_spot]": "[limits]\nmax_daily_loss = 0\n\n[exchanges.gateio_spot]"},
        "limits.max_daily_loss is 0; expected a number above 0",
    ),
    "a consequence that there is not": (
        {"max_order_notional = 200": 'max_order_notional = 200\non_daily_loss = "refuse"'},
        'accounts.main.limits.on_daily_loss is "refuse"; expected one of reduce_only, halt',
    ),
    "a quantity above the limit of an order": (
        {"quantity = 100": "quantity = 201"},
        "cycles.btc.quantity is 201, more than accounts.main.limits.max_order_notional = 200",
    ),
    "a leverage where no contracts are traded": (
        {"\n[accounts.main.limits]": "leverage = 5\n\n[accounts.main.limits]"},
        "accounts.main.leverage is for contracts, and gateio_spot trades none: leave it out",
    ),
    "a margin mode where no contracts are traded": (
        {"\n[accounts.main.limits]": 'margin_mode = "isolated"\n\n[accounts.main.limits]'},
        "accounts.main.margin_mode is for contracts, and gateio_spot trades none: leave it out",
    ),
    "one URL without the other": (
        {'mode = "simulated"': 'rest_url = "http://127.0.0.1:8101"'},
        "exchanges.gateio_spot.websocket_url is missing: rest_url and websocket_url are given together or not at all",
    ),
    "a URL without a host": (
        {'mode = "simulated"': 'rest_url = "http://:8101"\nwebsocket_url = "ws://127.0.0.1:8101"'},
        "exchanges.gateio_spot.rest_url: the URL must name a host after http://, as a name or an IPv4 address",
    ),
    "a URL that is none": (
        {'mode = "simulated"': 'rest_url = "http://127.0.0.1:8101"\nwebsocket_url = "ws://127.0.0.1:many"'},
        "exchanges.gateio_spot.websocket_url: this is not a URL: expected ws:// or wss:// followed by a host",
    ),
    "URLs that are swapped": (
        {'mode = "simulated"': 'rest_url = "ws://127.0.0.1:8101"\nwebsocket_url = "http://127.0.0.1:8101"'},
        "exchanges.gateio_spot.rest_url must start with http:// or https://",
    ),
    "a simulated market that is none": (
        {'mode = "simulated"': 'simulation = {markets = [{symbol = "?"}]}'},
        "exchanges.gateio_spot.simulation.markets[0].symbol: '?' is not a symbol: write it as BTC_USDT, BTC/USDT, BTC-USDT or BTCUSDT",
    ),
    "an unknown key of a simulated market": (
        {'mode = "simulated"': "simulation = {markets = [{drift = 1}]}"},
        'exchanges.gateio_spot.simulation.markets[0].drift is not a known key. Did you mean "drift_per_second"?',
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_gives_one_message_that_names_the_key(tmp_path: Path, name: str) -> None:
    changed, expected = BAD_FILES[name]
    assert message(tmp_path, changed).startswith(expected)


@pytest.mark.parametrize(
    "key", ["api_key", "api_secret", "apikey", "secret", "passphrase", "password", "token", "private_key", "SECRET_KEY", "key"]
)
def test_secret_in_the_file_is_refused_with_advice_and_without_its_value(tmp_path: Path, key: str) -> None:
    found = message(tmp_path, {'exchange = "gateio_spot"': f'exchange = "gateio_spot"\n{key} = "abcdef0123"'})
    assert "abcdef" not in found
    assert found.startswith(
        f"accounts.main.{key} looks like a secret, and a settings file is no place for one: delete it here and put it into"
    )
    assert "GATEIO_API_KEY, GATEIO_API_SECRET" in found


def test_secret_of_a_simulated_account_is_refused_too(tmp_path: Path) -> None:
    found = message(tmp_path, {'mode = "simulated"': 'simulation = {accounts = [{name = "main", api_secret = "abcdef"}]}'})
    assert found.startswith("exchanges.gateio_spot.simulation.accounts[0].api_secret looks like a secret")


def test_key_typed_where_the_prefix_belongs_is_not_shown(tmp_path: Path) -> None:
    found = message(tmp_path, {'exchange = "gateio_spot"': 'exchange = "gateio_spot"\ncredential = "abcdef0123"'})
    assert found == (
        "accounts.main.credential is something else; expected the prefix of environment variables, as GATEIO (never a key itself)"
    )


def test_password_in_a_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    found = message(tmp_path, {'mode = "simulated"': 'rest_url = "https://me:hunter2@gate.example"'})
    assert found == "exchanges.gateio_spot.rest_url is something else; expected a URL without a user name or password"


def test_names_of_secrets_are_free_as_assets_of_a_balance(tmp_path: Path) -> None:
    account = '{name = "main", balances = {TOKEN = "5", KEY = 1, USDT = 7}}'
    settings = load(tmp_path, changed={'mode = "simulated"': f"simulation = {{accounts = [{account}]}}"})
    assert list(settings.exchanges["gateio_spot"].simulation.accounts[0].balances) == ["TOKEN", "KEY", "USDT"]


# The environment and the command line


def test_log_level_of_the_environment_that_is_none_names_the_variable(tmp_path: Path) -> None:
    found = message(tmp_path, environment={"LOG_LEVEL": "warn"})
    assert found == (
        'the environment variable LOG_LEVEL is "warn"; expected one of TRACE, DEBUG, INFO, WARNING, ERROR. Did you mean "WARNING"?'
    )


def test_log_level_of_the_command_line_that_is_none_names_the_option(tmp_path: Path) -> None:
    assert message(tmp_path, overrides=Overrides(log_level="loud")).startswith('--log-level is "loud"; expected one of TRACE,')


def test_testnet_switch_that_is_neither_on_nor_off_is_refused(tmp_path: Path) -> None:
    found = message(tmp_path, environment={"GATEIO_TESTNET": "maybe"})
    assert found == 'the environment variable GATEIO_TESTNET is "maybe"; expected 1 to use the testnet of gateio_spot, or 0'


@pytest.mark.parametrize("name", ["gateio", "gate", "Gateio_Spot"])
def test_unknown_exchange_on_the_command_line_names_the_nearest(tmp_path: Path, name: str) -> None:
    found = message(tmp_path, overrides=Overrides(exchange=name))
    assert found.startswith(f'--exchange: "{name}" is not a known exchange. Did you mean "gateio_spot"?')


def test_exchange_of_several_accounts_on_the_command_line_is_ambiguous(tmp_path: Path) -> None:
    found = message(
        tmp_path, {"[cycles.btc]": '[accounts.hedge]\nexchange = "gateio_spot"\n[cycles.btc]'}, overrides=Overrides(exchange="gateio_spot")
    )
    assert found == (
        "--exchange gateio_spot is ambiguous: the accounts main, hedge are all on it. "
        "Name one as the account of each cycle in the file instead."
    )


def test_symbol_of_the_command_line_is_checked_like_the_files(tmp_path: Path) -> None:
    assert message(tmp_path, overrides=Overrides(symbol=Symbol("DOGE", "USDT"))).startswith(
        "cycles.btc.symbol is DOGE/USDT, which the simulated"
    )


# Credentials and live runs


@pytest.mark.parametrize("mode", ["testnet", "live"])
@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({}, "variables GATEIO_API_KEY and GATEIO_API_SECRET are not set"),
        ({"GATEIO_API_KEY": "the-real-key"}, "variable GATEIO_API_SECRET is not set"),
        ({"GATEIO_API_KEY": "", "GATEIO_API_SECRET": "the-real-secret"}, "variable GATEIO_API_KEY is not set"),
    ],
)
def test_missing_credential_names_the_variables_and_no_value(tmp_path: Path, mode: str, environment: dict[str, str], missing: str) -> None:
    found = message(tmp_path, {'"simulated"': f'"{mode}"'}, environment=environment)
    assert found == f"accounts.main on gateio_spot ({mode}) has no credential: the environment {missing}"


def test_half_a_credential_is_an_error_even_when_simulated(tmp_path: Path) -> None:
    found = message(tmp_path, environment={"GATEIO_API_SECRET": "the-real-secret"})
    assert found == "accounts.main on gateio_spot (simulated) has no credential: the environment variable GATEIO_API_KEY is not set"


def test_missing_passphrase_is_named_where_the_exchange_needs_one(tmp_path: Path) -> None:
    text = WHOLE.replace("gateio_spot", "okx_spot").replace("simulated", "live")
    assert message(tmp_path, text=text, environment={"OKX_API_KEY": "k", "OKX_API_SECRET": "s"}).endswith("OKX_API_PASSPHRASE is not set")


def test_two_accounts_with_one_credential_are_refused(tmp_path: Path) -> None:
    found = message(tmp_path, {"[cycles.btc]": '[accounts.hedge]\nexchange = "gateio_spot"\n[cycles.btc]'}, environment=CREDENTIAL)
    assert found == (
        "accounts.main and accounts.hedge use the same credential (GATEIO) on gateio_spot: "
        "give one of them a credential of its own, as accounts.hedge.credential"
    )


@pytest.mark.parametrize("mode", ["testnet", "live"])
def test_real_exchange_needs_an_explicit_installation(tmp_path: Path, mode: str) -> None:
    found = message(tmp_path, {'"simulated"': f'"{mode}"', 'installation = "mm"': ""}, environment=CREDENTIAL)
    assert found.startswith(
        f"runtime.installation must be written in the file because gateio_spot is {mode}: it begins the id of every order"
    )


@pytest.mark.parametrize(
    ("removed", "missing"),
    [
        (NO_LIMITS, "max_order_notional and max_position_notional"),
        ("max_order_notional = 200", "max_order_notional"),
        ("max_position_notional = 500", "max_position_notional"),
    ],
)
def test_live_needs_explicit_limits(tmp_path: Path, removed: str, missing: str) -> None:
    found = message(tmp_path, {'"simulated"': '"live"', removed: ""}, environment=CREDENTIAL)
    assert found == f"accounts.main.limits needs {missing} because gateio_spot is live: say in quote units how much it may trade at most"


def test_live_url_must_be_encrypted(tmp_path: Path) -> None:
    urls = 'mode = "live"\nrest_url = "http://gate.example"\nwebsocket_url = "wss://gate.example"'
    found = message(tmp_path, {'mode = "simulated"': urls}, environment=CREDENTIAL)
    assert found == "exchanges.gateio_spot.rest_url must start with https:// because the mode is live"


def test_testnet_of_an_exchange_that_has_none_is_refused(tmp_path: Path) -> None:
    text = WHOLE.replace("gateio_spot", "mexc_spot").replace("simulated", "testnet")
    assert message(tmp_path, text=text) == "exchanges.mexc_spot.mode is testnet, but mexc_spot has no testnet; expected simulated or live"


def test_no_message_of_a_bad_file_holds_a_secret_of_the_environment(tmp_path: Path) -> None:
    for changed, _ in BAD_FILES.values():
        assert not re.search("the-real", message(tmp_path, changed, environment=CREDENTIAL))


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("1e15", "more than 15 digits before the point"),
        ('"100.123456789"', "more than 8 decimals"),
        ('"1e-30"', "more than 8 decimals"),
    ],
)
def test_quantity_that_no_exchange_can_take_is_refused_at_once_and_not_echoed(tmp_path: Path, quantity: str, words: str) -> None:
    found = message(tmp_path, {"quantity = 100": f"quantity = {quantity}"})
    assert words in found
    assert len(found) < 200


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "[" * 450 + "]" * 450, ".".join("a" * 3000) + " = 1", "a = " + "9" * 5000]
)
def test_file_that_only_a_machine_would_write_is_one_message(tmp_path: Path, text: str) -> None:
    found = message(tmp_path, text=text)
    assert "\n" not in found
    assert len(found) < 100_200


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("\ufeff[nothing]\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="nothing"):
        load_settings(path, environment={}, known_exchanges={}, strategies={})


@pytest.mark.parametrize("value", ["the-key\n", "the key", "thé-key", "the-key\x00"])
def test_credential_with_a_character_that_no_key_has_is_refused_without_showing_it(tmp_path: Path, value: str) -> None:
    found = message(tmp_path, environment={"GATEIO_API_KEY": value, "GATEIO_API_SECRET": "the-secret"})
    assert "GATEIO_API_KEY holds a line break, a space or another character that no key has" in found
    assert value not in found


@pytest.mark.parametrize(
    ("line", "expected"), [('margin_mode = "crossed"', "accounts.main.margin_mode"), ("leverage = 0", "accounts.main.leverage")]
)
def test_leverage_and_margin_mode_of_contracts_are_checked(tmp_path: Path, line: str, expected: str) -> None:
    text = WHOLE.replace("gateio_spot", "okx_swap").replace('exchange = "okx_swap"\n', f'exchange = "okx_swap"\n{line}\n')
    assert message(tmp_path, text=text).startswith(expected)


@pytest.mark.parametrize("section", ["accounts.main.limits", "limits"])
def test_collar_that_is_no_collar_is_refused_for_it_was_meant_as_a_percentage(tmp_path: Path, section: str) -> None:
    text = WHOLE.replace(NO_LIMITS, "") + f"[{section}]\nmax_price_deviation = 5\n"
    assert message(tmp_path, text=text) == f"{section}.max_price_deviation is 5; expected a fraction below 1: 0.05 is 5 %"


def test_silence_that_is_shorter_than_a_program_may_be_busy_is_refused(tmp_path: Path) -> None:
    assert message(tmp_path, {'installation = "mm"': "guardian_silence_seconds = 4.9"}) == (
        "runtime.guardian_silence_seconds is 4.9; expected 5 or more, or 0 for a guardian that acts on the program's death alone"
    )


def test_installation_that_adopts_itself_is_refused(tmp_path: Path) -> None:
    assert message(tmp_path, {'installation = "mm"': 'installation = "mm"\nadopted_installations = ["old1", "mm"]'}) == (
        'runtime.adopted_installations names "mm", which is this installation itself: its orders are ours already'
    )


def test_adopted_installation_of_a_wrong_form_is_refused(tmp_path: Path) -> None:
    told = message(tmp_path, {'installation = "mm"': 'installation = "mm"\nadopted_installations = ["Old-1"]'})
    assert "runtime.adopted_installations" in told
    assert "1 to 6 lower case letters or digits" in told


ONE_WALLET = """
[runtime]
installation = "mm"

[exchanges.okx_spot]
mode = "testnet"

[exchanges.okx_swap]
mode = "testnet"

[accounts.spot]
exchange = "okx_spot"

[accounts.swap]
exchange = "okx_swap"

[cycles.spot]
strategy = "sell_on_top"
account = "spot"
symbol = "BTC_USDT"
quantity = 100

[cycles.swap]
strategy = "sell_on_top"
account = "swap"
symbol = "BTC_USDT"
quantity = 100
"""
OKX_CREDENTIAL = {"OKX_API_KEY": "a-key", "OKX_API_SECRET": "a-secret", "OKX_API_PASSPHRASE": "a-phrase"}


def test_accounts_with_one_wallet_must_not_take_each_others_trades_for_unexplained(tmp_path: Path) -> None:
    found = message(tmp_path, text=ONE_WALLET, environment=OKX_CREDENTIAL)
    assert found.startswith("accounts.spot and accounts.swap have one key and so one wallet, the trading account")
    assert 'unexplained_balances = "report" in accounts.spot and accounts.swap' in found
    mended = ONE_WALLET.replace('exchange = "okx_spot"\n', 'exchange = "okx_spot"\nunexplained_balances = "report"\n')
    assert 'unexplained_balances = "report" in accounts.swap,' in message(tmp_path, text=mended, environment=OKX_CREDENTIAL)
    mended = mended.replace('exchange = "okx_swap"\n', 'exchange = "okx_swap"\nunexplained_balances = "report"\n')
    assert load(tmp_path, mended, environment=OKX_CREDENTIAL).credentials["swap"].key == "a-key"


def test_accounts_with_keys_of_their_own_may_be_strict_about_their_balances(tmp_path: Path) -> None:
    text = ONE_WALLET.replace('exchange = "okx_swap"\n', 'exchange = "okx_swap"\ncredential = "OTHER"\n')
    other = {name.replace("OKX", "OTHER"): f"other-{value}" for name, value in OKX_CREDENTIAL.items()}
    assert load(tmp_path, text, environment={**OKX_CREDENTIAL, **other}).credentials["swap"].key == "other-a-key"


@pytest.mark.parametrize("url", ["hooks.slack.com/services/verysecret", "https://me:verysecret@hooks.slack.com/", "ftp://h/verysecret"])
def test_url_of_a_webhook_that_cannot_be_used_is_refused_without_being_shown(tmp_path: Path, url: str) -> None:
    changed = {"[exchanges.gateio_spot]": '[notifications]\ntemplate = "json"\n\n[exchanges.gateio_spot]'}
    found = message(tmp_path, changed, environment={"NOTIFY_WEBHOOK_URL": url})
    assert found.startswith("the environment's NOTIFY_WEBHOOK_URL cannot be used: ")
    assert "verysecret" not in found


def test_url_of_a_webhook_is_a_secret_of_the_settings(tmp_path: Path) -> None:
    changed = {"[exchanges.gateio_spot]": '[notifications]\ntemplate = "json"\n\n[exchanges.gateio_spot]'}
    settings = load(tmp_path, WHOLE, changed=changed, environment={"NOTIFY_WEBHOOK_URL": "https://hooks.slack.com/services/verysecret"})
    assert settings.webhook is not None
    assert settings.webhook.host == "hooks.slack.com"
    assert "verysecret" not in repr(settings)
    redact = redactor((), webhook=settings.webhook)
    assert redact("POST hooks.slack.com/services/verysecret failed") == "POST hooks.slack.com*** failed"


class Spread(msgspec.Struct, frozen=True):
    """Says of its fields what they are to be, as parameters of strategies do."""

    widest: Decimal = Decimal(1)
    narrowest: Decimal = Decimal("0.1")

    def __post_init__(self) -> None:
        if self.widest <= 0:
            raise ValueError("widest is above 0")
        if self.widest < self.narrowest:
            raise ValueError(f"widest is {self.widest:f}, less than narrowest")
        if self.narrowest == self.widest:
            raise ValueError("narrowest and widest must differ")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"widest": Decimal(-5)}, "spread.widest is -5; expected above 0"),
        ({"widest": Decimal("0.05")}, "spread.widest is 0.05, less than narrowest"),
        ({"narrowest": Decimal(2)}, "spread: widest is 1, less than narrowest"),
        ({"narrowest": 1}, "spread: narrowest and widest must differ"),
    ],
)
def test_what_a_struct_says_of_its_own_fields_is_told_with_the_key_and_what_stands_there(table: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        decode(table, Spread, "spread")
    assert str(caught.value) == told
