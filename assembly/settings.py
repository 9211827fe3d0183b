"""Settings: what a run does, as frozen structs, from defaults, a TOML file, the environment and the command line.

Each of these overrides the one before it. Every key is explained in `docs/configuration.md`. Secrets come from the
environment only; `Settings.credentials` holds them, and no repr shows them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
import tomli
from msgspec import Meta

from actors.accounts.credential import Credential
from assembly.decoding import SettingsError, decode, looks_like_secret, refuse_secrets
from market.symbol import Symbol
from simulated.settings import SimulationSettings

LogLevel = Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"]

DecimalAboveZero = Annotated[Decimal, Meta(extra={"gt": 0})]
SecondsAboveZero = Annotated[float, Meta(gt=0)]
Url = Annotated[str, Meta(pattern=r"(https?|wss?)://[^@\s]+", extra={"means": "a URL without a user name or password", "hidden": True})]
Prefix = Annotated[
    str,
    Meta(
        pattern=r"[A-Z][A-Z0-9_]{0,30}",
        extra={"means": "the prefix of environment variables, as GATEIO (never a key itself)", "hidden": True},
    ),
]


class ExchangeMode(enum.Enum):
    """What is on the other side of the wire."""

    SIMULATED = "simulated"
    TESTNET = "testnet"
    LIVE = "live"


class RuntimeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The program as a whole."""

    installation: Annotated[str, Meta(pattern=r"[a-z0-9]{1,6}", extra={"means": "1 to 6 lower case letters or digits"})] = "mm"
    stop_deadline_seconds: Annotated[float, Meta(gt=0, le=600)] = 10.0
    flatten_on_stop: bool = False
    run_for_seconds: SecondsAboveZero | None = None
    log_level: LogLevel = "INFO"
    log_file: str | None = None
    log_file_megabytes_max: Annotated[int, Meta(ge=1)] = 10
    log_files_kept: Annotated[int, Meta(ge=1, le=1000)] = 5
    seed: Annotated[int, Meta(ge=0)] | None = None


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange. Without URLs a simulated one is embedded, and the others are reached at their own addresses."""

    mode: ExchangeMode = ExchangeMode.SIMULATED
    rest_url: Url | None = None
    websocket_url: Url | None = None
    book_max_age_seconds: SecondsAboveZero = 5.0
    simulation: SimulationSettings = SimulationSettings()

    @property
    def is_embedded(self) -> bool:
        """Whether this program itself serves the simulated exchange."""
        return self.mode is ExchangeMode.SIMULATED and self.rest_url is None


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may do at most; notionals in quote units, None for no limit (never so when live)."""

    max_order_notional: DecimalAboveZero | None = None
    max_position_notional: DecimalAboveZero | None = None
    max_open_orders: Annotated[int, Meta(ge=1)] = 20
    max_price_deviation: DecimalAboveZero = Decimal("0.05")


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One account on one exchange. `credential` is the prefix of its environment variables, by default the exchange's."""

    exchange: str
    credential: Prefix | None = None
    limits: LimitSettings = LimitSettings()


class CycleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle actor. `quantity` is in quote units. `parameters` is a table in the file and the strategy's own struct here."""

    strategy: str
    account: str
    symbol: Symbol
    quantity: DecimalAboveZero
    cycles: Annotated[int, Meta(ge=0)] = 1
    tick_seconds: SecondsAboveZero = 1.0
    parameters: Any = msgspec.field(default_factory=dict[str, object])


class FileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings file as a whole."""

    runtime: RuntimeSettings = RuntimeSettings()
    exchanges: dict[str, ExchangeSettings] = {}
    accounts: dict[str, AccountSettings] = {}
    cycles: dict[str, CycleSettings] = {}


class Settings(FileSettings, frozen=True, kw_only=True):
    """Settings that have been checked as a whole: every name refers to something, every account has its credential."""

    credentials: dict[str, Credential] = {}

    def exchange_of(self, cycle: str) -> str:
        """The name of the exchange that a cycle trades on."""
        return self.accounts[self.cycles[cycle].account].exchange


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says; None where it says nothing. They apply to every cycle."""

    exchange: str | None = None
    symbol: Symbol | None = None
    quantity: Decimal | None = None
    cycles: int | None = None
    run_for_seconds: float | None = None
    log_level: str | None = None


class KnownExchange(msgspec.Struct, frozen=True, kw_only=True):
    """What settings need to know of an exchange; the registry says it."""

    credential_prefix: str
    needs_passphrase: bool = False
    has_testnet: bool = True


def load_settings(
    path: Path,
    *,
    overrides: Overrides = Overrides(),  # noqa: B008 - frozen
    environment: Mapping[str, str],
    known_exchanges: Mapping[str, KnownExchange],
    parameters_type_by_strategy: Mapping[str, type[msgspec.Struct]],
) -> Settings:
    """Read `path`, lay environment and overrides over it, and check the whole.

    Raises:
        SettingsError: one message that says what is wrong and what is expected. No secret is in it.
    """
    from assembly.settings_checks import check_settings

    table = _read(path)
    try:
        refuse_secrets(table)
        in_file = decode(table, FileSettings, "")
        return check_settings(
            in_file,
            folder=path.parent,
            installation_is_explicit="installation" in _subtable(table, "runtime"),
            overrides=overrides,
            environment=environment,
            known_exchanges=known_exchanges,
            parameters_type_by_strategy=parameters_type_by_strategy,
        )
    except SettingsError as error:
        text = str(error)
        # What the command line or the environment says is no fault of the file.
        raise SettingsError(text if text.startswith(("--", "the environment")) else f"{path}: {text}") from error.__cause__


def live_permissions(settings: Settings) -> tuple[str, ...]:
    """One line for each account on a live exchange: what it may do with real money. To be said at start."""
    lines: list[str] = []
    for name, account in settings.accounts.items():
        if settings.exchanges[account.exchange].mode is ExchangeMode.LIVE:
            limits = account.limits
            trades = ", ".join(
                f"{cycle} buys {found.symbol} for {found.quantity:f} {found.symbol.quote} "
                + ("until stopped" if found.cycles == 0 else f"{found.cycles} times")
                for cycle, found in settings.cycles.items()
                if found.account == name
            )
            lines.append(
                f"LIVE: account {name} trades with real money on {account.exchange}: orders up to {limits.max_order_notional:f}, "
                f"position up to {limits.max_position_notional:f} (quote units), {limits.max_open_orders} open orders at most; {trades}"
            )
    return tuple(lines)


def _read(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; the first argument is the path of the settings file") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text (byte {error.start + 1})") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return tomli.loads(text, parse_float=Decimal)
    except tomli.TOMLDecodeError as error:
        lines = text.splitlines() or [""]
        line = lines[min(error.lineno, len(lines)) - 1].strip()
        key, equals, _ = line.partition("=")
        if equals and looks_like_secret(key.strip(' "')):
            line = f"{key}= ***"
        raise SettingsError(f"{path}:{error.lineno}:{error.colno}: {error.msg} in this line: {line}") from None


def _subtable(table: dict[str, object], key: str) -> dict[str, object]:
    found = table.get(key)
    return cast(dict[str, object], found) if isinstance(found, dict) else {}
