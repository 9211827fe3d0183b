"""Checks of settings as a whole: names that must refer to something, overrides, the environment, credentials, live runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors.accounts.credential import Credential
from actors.accounts.policies import UnexplainedBalances
from assembly.control.place import control_path
from assembly.cycle_checks import (
    check_cycle,
    check_known,
    check_listed,
    check_reference,
    check_reference_market,
    check_rounds_wanted,
    find_strategies,
)
from assembly.decoding import SettingsError, nearest
from assembly.page.credential import HOW_TO_MAKE, PageToken
from assembly.page.credential import LENGTH_MIN as TOKEN_LENGTH_MIN
from assembly.page.place import PagePlace, PlaceError, parse_place
from assembly.settings import (
    AccountSettings,
    CycleSettings,
    ExchangeMode,
    ExchangeSettings,
    FileSettings,
    GlobalLimitSettings,
    JournalSettings,
    KnownExchange,
    LimitSettings,
    LogLevel,
    NotificationSettings,
    Overrides,
    PageSettings,
    RuntimeSettings,
    Settings,
)
from assembly.strategies import StrategyEntry
from market.symbol import SymbolError
from network.url import Url, UrlError, parse_url
from simulated import settings as simulated_settings

JOURNAL_PATH = "var/journal.sqlite"  # from the settings file's folder
_ACCOUNT_NAME = re.compile(r"[a-z0-9_]{1,20}")
_LOG_LEVELS: tuple[LogLevel, ...] = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR")
GUARDIAN_SILENCE_SECONDS_MIN = 5.0  # a sign of life comes every second, except while the last statement is written
QUANTITY_DIGITS_MAX = 15
QUANTITY_DECIMALS_MAX = 8
_SWITCHED_ON = {"1": True, "true": True, "yes": True, "on": True, "": False, "0": False, "false": False, "no": False, "off": False}
_FIRST_SIMULATED_USER_ID = 10_000_001


def check_settings(
    found: FileSettings,
    *,
    folder: Path,
    installation_is_explicit: bool,
    overrides: Overrides,
    environment: Mapping[str, str],
    known_exchanges: Mapping[str, KnownExchange],
    strategies: Mapping[str, StrategyEntry],
    winning: Collection[str] = (),
) -> Settings:
    """Lay environment and overrides over what the file says, and check that the whole makes sense.

    Keys that are `winning`, as "cycles.btc.quantity", are not overridden.

    Raises:
        SettingsError: it does not.
    """
    for name in found.exchanges:
        check_known(f"exchanges.{name}", name, known_exchanges, "exchange")
    _check_collar("limits", found.limits)
    for name, account in found.accounts.items():
        _check_account(name, account, found.exchanges)
        _check_collar(f"accounts.{name}.limits", account.limits)
    if not found.cycles:
        raise SettingsError("there is no cycle to run: add a table such as [cycles.btc] (see docs/configuration.md)")
    used = find_strategies(found.cycles, strategies, folder)
    cycles = {name: check_cycle(name, cycle, found.accounts, used[cycle.strategy]) for name, cycle in found.cycles.items()}
    check_rounds_wanted(cycles, used, overrides.cycles)

    runtime = _override_runtime(found.runtime, overrides, environment, folder, winning)
    cycles = {name: _override_cycle(name, cycle, overrides, winning) for name, cycle in cycles.items()}
    exchanges, accounts = dict(found.exchanges), dict(found.accounts)
    if overrides.exchange is not None:
        check_known("--exchange", overrides.exchange, known_exchanges, "exchange")
        exchanges, accounts, cycles = _move_to_exchange(overrides.exchange, exchanges, accounts, cycles)
    exchanges = {name: _override_mode(name, exchange, known_exchanges[name], environment) for name, exchange in exchanges.items()}

    for name, exchange in exchanges.items():
        _check_exchange(name, exchange, known_exchanges[name])
    credentials = _credentials(exchanges, accounts, environment, known_exchanges)
    _check_wallets(exchanges, accounts, credentials, known_exchanges)
    for name, account in accounts.items():
        _check_contracts(name, account, known_exchanges[account.exchange])
        _check_account_mode(name, account, exchanges[account.exchange], installation_is_explicit=installation_is_explicit)
    for name, cycle in cycles.items():
        _check_quantity(name, cycle, accounts[cycle.account].limits, f"accounts.{cycle.account}.limits")
        _check_quantity(name, cycle, found.limits, "limits")
    exchanges = {name: _open_accounts(name, exchange, accounts, credentials) for name, exchange in exchanges.items()}
    journal = _place_journal(found.journal, exchanges, folder)
    settings = Settings(
        runtime=runtime,
        journal=journal,
        limits=found.limits,
        notifications=found.notifications,
        webhook=_webhook(found.notifications, environment),
        page=found.page,
        page_place=_page_place(found.page),
        page_token=_page_token(found.page, environment),
        exchanges=exchanges,
        accounts=accounts,
        cycles=cycles,
        credentials=credentials,
        own_strategies={name: entry for name, entry in used.items() if name not in strategies},
    )
    for name, cycle in cycles.items():
        check_listed(f"cycles.{name}.symbol", settings, settings.exchange_of(name), str(cycle.symbol))
        check_reference_market(name, settings)
    return settings


def _webhook(settings: NotificationSettings, environment: Mapping[str, str]) -> Url | None:
    if settings.template is None:
        return None
    variable = settings.url_variable
    text = environment.get(variable, "").strip()
    if not text:
        raise SettingsError(f"the environment has no {variable}: [notifications] needs the URL to post to there, for it is a secret")
    try:
        return parse_url(text)
    except UrlError as error:
        raise SettingsError(f"the environment's {variable} cannot be used: {error}") from None


def _page_place(settings: PageSettings | None) -> PagePlace | None:
    if settings is None:
        return None
    try:
        place = parse_place(settings.listen, hosts=settings.hosts)
    except PlaceError as error:
        raise SettingsError(str(error)) from None
    if not place.is_loopback and not settings.allow_remote:
        raise SettingsError(
            f'page.listen is "{settings.listen}", where others than this machine reach the page, which shows them all of the run, '
            'unencrypted: listen at "127.0.0.1:8321" and use an SSH tunnel (docs/page.md), or write allow_remote = true if that is meant'
        )
    return place


def _page_token(settings: PageSettings | None, environment: Mapping[str, str]) -> PageToken | None:
    if settings is None:
        return None
    variable = f"{settings.credential}_TOKEN"
    text = environment.get(variable, "")
    if not text:
        return None
    if not _stands_in_a_header(text):
        raise SettingsError(
            f"the environment variable {variable} holds a line break, a space or another character that no token may have "
            "(often the line break at the end of a file it was read from)"
        )
    if len(text) < TOKEN_LENGTH_MIN:
        raise SettingsError(
            f"the environment variable {variable} has {len(text)} characters; whoever guesses it can sell what is held, so that "
            f"{TOKEN_LENGTH_MIN} are the least. Make one: {HOW_TO_MAKE}"
        )
    return PageToken(text)


# What the file says


def _check_collar(path: str, limits: LimitSettings | GlobalLimitSettings) -> None:
    """A sell cannot be 100 % below the bid: whoever writes 5 means 5 %, and would have no collar at all."""
    fraction = limits.max_price_deviation
    if fraction is not None and fraction >= 1:
        raise SettingsError(f"{path}.max_price_deviation is {fraction}; expected a fraction below 1: 0.05 is 5 %")


def _check_account(name: str, account: AccountSettings, exchanges: Mapping[str, ExchangeSettings]) -> None:
    if not _ACCOUNT_NAME.fullmatch(name):
        raise SettingsError(f"accounts.{name}: an account's name is 1 to 20 lower case letters, digits or underscores")
    check_reference(f"accounts.{name}.exchange", account.exchange, "exchanges", exchanges)


# What overrides it


def _override_runtime(
    runtime: RuntimeSettings, overrides: Overrides, environment: Mapping[str, str], folder: Path, winning: Collection[str]
) -> RuntimeSettings:
    if 0 < runtime.guardian_silence_seconds < GUARDIAN_SILENCE_SECONDS_MIN:
        raise SettingsError(
            f"runtime.guardian_silence_seconds is {runtime.guardian_silence_seconds:g}; expected {GUARDIAN_SILENCE_SECONDS_MIN:g} "
            "or more, or 0 for a guardian that acts on the program's death alone"
        )
    if runtime.installation in runtime.adopted_installations:
        raise SettingsError(
            f'runtime.adopted_installations names "{runtime.installation}", which is this installation itself: its orders are ours already'
        )
    log_level = runtime.log_level
    for source, text in (("the environment variable LOG_LEVEL", environment.get("LOG_LEVEL")), ("--log-level", overrides.log_level)):
        if text and "runtime.log_level" not in winning:
            wanted = [level for level in _LOG_LEVELS if level == text.upper()]
            if not wanted:
                raise SettingsError(f'{source} is "{text}"; expected one of {", ".join(_LOG_LEVELS)}.{nearest(text, _LOG_LEVELS)}')
            log_level = wanted[0]
    is_overridden = overrides.run_for_seconds is not None and "runtime.run_for_seconds" not in winning
    return replace(
        runtime,
        log_level=log_level,
        log_file=str(folder / runtime.log_file) if runtime.log_file else None,
        guardian_folder=str(folder / runtime.guardian_folder),
        control_socket=str(control_path(folder, runtime.control_socket) or ""),
        run_for_seconds=overrides.run_for_seconds if is_overridden else runtime.run_for_seconds,
    )


def _override_cycle(name: str, cycle: CycleSettings, overrides: Overrides, winning: Collection[str]) -> CycleSettings:
    said: dict[str, Any] = {"symbol": overrides.symbol, "quantity": overrides.quantity, "cycles": overrides.cycles}
    return replace(cycle, **{key: value for key, value in said.items() if value is not None and f"cycles.{name}.{key}" not in winning})


def _move_to_exchange(
    exchange: str,
    exchanges: dict[str, ExchangeSettings],
    accounts: dict[str, AccountSettings],
    cycles: dict[str, CycleSettings],
) -> tuple[dict[str, ExchangeSettings], dict[str, AccountSettings], dict[str, CycleSettings]]:
    """All cycles onto the one account of `exchange`, made if there is none; what no cycle uses any more, or is shown, is left out."""
    there = [name for name, account in accounts.items() if account.exchange == exchange]
    if len(there) > 1:
        raise SettingsError(
            f"--exchange {exchange} is ambiguous: the accounts {', '.join(there)} are all on it. "
            "Name one as the account of each cycle in the file instead."
        )
    if there:
        account_name, account = there[0], accounts[there[0]]
    else:
        account_name, account = exchange, AccountSettings(exchange=exchange)
    moved = {name: replace(cycle, account=account_name) for name, cycle in cycles.items()}
    seen = {cycle.reference_exchange for cycle in cycles.values()}
    references = {name: found for name, found in exchanges.items() if name in seen}
    return {exchange: exchanges.get(exchange, ExchangeSettings()), **references}, {account_name: account}, moved


def _override_mode(name: str, exchange: ExchangeSettings, known: KnownExchange, environment: Mapping[str, str]) -> ExchangeSettings:
    variable = f"{known.credential_prefix}_TESTNET"
    switch = environment.get(variable, "").strip().lower()
    if switch not in _SWITCHED_ON:
        raise SettingsError(f'the environment variable {variable} is "{switch}"; expected 1 to use the testnet of {name}, or 0')
    return replace(exchange, mode=ExchangeMode.TESTNET) if _SWITCHED_ON[switch] else exchange


def _place_journal(journal: JournalSettings, exchanges: Mapping[str, ExchangeSettings], folder: Path) -> JournalSettings:
    """The journal's whole path. A run whose exchanges all end with it leaves nothing that a restart could need."""
    if journal.path is None and all(exchange.is_embedded for exchange in exchanges.values()):
        return journal
    return replace(journal, path=str(folder / (journal.path or JOURNAL_PATH)))


# What must be so in the end


def _check_exchange(name: str, exchange: ExchangeSettings, known: KnownExchange) -> None:
    path = f"exchanges.{name}"
    if (exchange.rest_url is None) != (exchange.websocket_url is None):
        missing = "rest_url" if exchange.rest_url is None else "websocket_url"
        raise SettingsError(f"{path}.{missing} is missing: rest_url and websocket_url are given together or not at all")
    for key, url, plain, secure in (
        ("rest_url", exchange.rest_url, "http", "https"),
        ("websocket_url", exchange.websocket_url, "ws", "wss"),
        ("private_websocket_url", exchange.private_websocket_url, "ws", "wss"),
    ):
        if url is None:
            continue
        if exchange.mode is not ExchangeMode.SIMULATED and not url.startswith(f"{secure}://"):
            raise SettingsError(f"{path}.{key} must start with {secure}:// because the mode is {exchange.mode.value}")
        if not url.startswith((f"{plain}://", f"{secure}://")):
            raise SettingsError(f"{path}.{key} must start with {plain}:// or {secure}://")
        try:
            parse_url(url, schemes=(plain, secure))
        except UrlError as error:
            raise SettingsError(f"{path}.{key}: {error}") from error
    if exchange.mode is ExchangeMode.TESTNET and not known.has_testnet:
        raise SettingsError(f"{path}.mode is testnet, but {name} has no testnet; expected simulated or live")
    for number, market in enumerate(exchange.simulation.markets):
        try:
            market.parsed_symbol  # noqa: B018 - reading it is the check
        except SymbolError as error:
            raise SettingsError(f"{path}.simulation.markets[{number}].symbol: {error}") from error


def _check_contracts(name: str, account: AccountSettings, known: KnownExchange) -> None:
    default = AccountSettings(exchange=account.exchange)
    for key, value, unset in (("leverage", account.leverage, default.leverage), ("margin_mode", account.margin_mode, default.margin_mode)):
        if value != unset and not known.has_contracts:
            raise SettingsError(f"accounts.{name}.{key} is for contracts, and {account.exchange} trades none: leave it out")
    if account.margin_mode is not None and account.leverage is None:
        raise SettingsError(
            f"accounts.{name}.margin_mode is given without accounts.{name}.leverage: exchanges set the two together, so give both"
        )


def _check_account_mode(name: str, account: AccountSettings, exchange: ExchangeSettings, *, installation_is_explicit: bool) -> None:
    mode = exchange.mode
    if mode is not ExchangeMode.SIMULATED and not installation_is_explicit:
        raise SettingsError(
            f"runtime.installation must be written in the file because {account.exchange} is {mode.value}: it begins the id of every "
            "order, so it must differ from that of any other program that trades with the same key"
        )
    if mode is ExchangeMode.LIVE:
        limits = {
            "max_order_notional": account.limits.max_order_notional,
            "max_position_notional": account.limits.max_position_notional,
        }
        missing = [limit for limit, value in limits.items() if value is None]
        if missing:
            raise SettingsError(
                f"accounts.{name}.limits needs {' and '.join(missing)} because {account.exchange} is live: "
                "say in quote units how much it may trade at most"
            )


def _check_wallets(
    exchanges: Mapping[str, ExchangeSettings],
    accounts: Mapping[str, AccountSettings],
    credentials: Mapping[str, Credential],
    known_exchanges: Mapping[str, KnownExchange],
) -> None:
    """What one account trades, nothing explains to another that has the same money."""
    first_by_wallet: dict[tuple[str, str], str] = {}
    for name, account in accounts.items():
        wallet = known_exchanges[account.exchange].wallet
        if wallet is None or exchanges[account.exchange].mode is ExchangeMode.SIMULATED:
            continue
        first = first_by_wallet.setdefault((wallet, credentials[name].key), name)
        strict = [one for one in (first, name) if accounts[one].unexplained_balances is not UnexplainedBalances.REPORT]
        if first != name and strict:
            where = " and ".join(f"accounts.{one}" for one in strict)
            raise SettingsError(
                f"accounts.{first} and accounts.{name} have one key and so one wallet, {wallet}: what one of them trades, nothing "
                f'explains to the other; set unexplained_balances = "report" in {where}, or give each the key of a sub-account of its own'
            )


def _check_quantity(name: str, cycle: CycleSettings, limits: LimitSettings | GlobalLimitSettings, path: str) -> None:
    if cycle.quantity.adjusted() >= QUANTITY_DIGITS_MAX:
        raise SettingsError(f"cycles.{name}.quantity has more than {QUANTITY_DIGITS_MAX} digits before the point")
    if cycle.quantity != round(cycle.quantity, QUANTITY_DECIMALS_MAX):
        raise SettingsError(f"cycles.{name}.quantity has more than {QUANTITY_DECIMALS_MAX} decimals, which no exchange takes")
    for limit, most in (
        ("max_order_notional", limits.max_order_notional),
        ("max_position_notional", limits.max_position_notional),
    ):
        if most is not None and cycle.quantity > most:
            raise SettingsError(f"cycles.{name}.quantity is {cycle.quantity:f}, more than {path}.{limit} = {most:f}")


# Credentials


def _credentials(
    exchanges: Mapping[str, ExchangeSettings],
    accounts: Mapping[str, AccountSettings],
    environment: Mapping[str, str],
    known_exchanges: Mapping[str, KnownExchange],
) -> dict[str, Credential]:
    """The credential of each account, from the environment; a simulated exchange has made-up ones for who has none."""
    credentials: dict[str, Credential] = {}
    account_by_key: dict[tuple[str, str], str] = {}
    for name, account in accounts.items():
        exchange, known = exchanges[account.exchange], known_exchanges[account.exchange]
        prefix = account.credential or known.credential_prefix
        variables = credential_variables(account, known)
        missing = [variable for variable in variables if not environment.get(variable)]
        for variable in set(variables) - set(missing):
            if not _stands_in_a_header(environment[variable]):
                raise SettingsError(
                    f"the environment variable {variable} holds a line break, a space or another character that no key has "
                    "(often the line break at the end of a file it was read from)"
                )
        if not missing:
            credential = Credential(**dict(zip(("key", "secret", "passphrase"), (environment[each] for each in variables), strict=False)))
        elif exchange.mode is ExchangeMode.SIMULATED and len(missing) == len(variables):
            credential = made_up_credential(name)
        else:
            is_are = "is" if len(missing) == 1 else "are"
            raise SettingsError(
                f"accounts.{name} on {account.exchange} ({exchange.mode.value}) has no credential: the environment variable"
                f"{'' if len(missing) == 1 else 's'} {' and '.join(missing)} {is_are} not set"
            )
        other = account_by_key.setdefault((account.exchange, credential.key), name)
        if other != name:
            raise SettingsError(
                f"accounts.{other} and accounts.{name} use the same credential ({prefix}) on {account.exchange}: "
                f"give one of them a credential of its own, as accounts.{name}.credential"
            )
        credentials[name] = credential
    return credentials


def credential_variables(account: AccountSettings, known: KnownExchange) -> list[str]:
    """The environment variables that an account's key, secret and, where the exchange wants one, passphrase are in."""
    prefix = account.credential or known.credential_prefix
    return [f"{prefix}_API_KEY", f"{prefix}_API_SECRET", *([f"{prefix}_API_PASSPHRASE"] if known.needs_passphrase else [])]


def _stands_in_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def made_up_credential(name: str) -> Credential:
    """That of a simulated account for which the environment has none, by its name; the default account's is what `mm-sim` prints."""
    default = simulated_settings.AccountSettings()
    if name == default.name:
        return Credential(key=default.api_key, secret=default.api_secret, passphrase=default.api_passphrase)
    return Credential(key=f"simulated-key-{name}", secret=f"simulated-secret-{name}", passphrase=f"simulated-passphrase-{name}")


def _open_accounts(
    exchange_name: str,
    exchange: ExchangeSettings,
    accounts: Mapping[str, AccountSettings],
    credentials: Mapping[str, Credential],
) -> ExchangeSettings:
    """An embedded simulation has exactly our accounts on it: as the file says of each by its name, with the key that we use."""
    if not exchange.is_embedded:
        return exchange
    in_file = {account.name: account for account in exchange.simulation.accounts}
    opened: list[simulated_settings.AccountSettings] = []
    for name, account in accounts.items():
        if account.exchange == exchange_name:
            simulated_account = in_file.pop(name, None) or simulated_settings.AccountSettings(name=name)
            credential = credentials[name]
            opened.append(
                replace(
                    simulated_account,
                    user_id=_FIRST_SIMULATED_USER_ID + len(opened),
                    api_key=credential.key,
                    api_secret=credential.secret,
                    api_passphrase=credential.passphrase,
                )
            )
    # One that only shows its books (`reference_exchange`) has the account that every simulation has, and nobody trades with it.
    return replace(exchange, simulation=replace(exchange.simulation, accounts=tuple(opened) or exchange.simulation.accounts))
