"""Settings: what a run does, as frozen structs, from defaults, a TOML file, the environment and the command line.

Each of these overrides the one before it. Every key is explained in `docs/configuration.md`. Secrets come from the
environment only; `Settings.credentials` holds them, and no repr shows them.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from actors.accounts.credential import Credential
from actors.accounts.limits import OnBreach, OnDailyLoss
from actors.accounts.policies import ForeignOrders, UnexplainedBalances
from actors.journal.file import Synchronous
from actors.notifier.bodies import Template
from actors.notifier.outbox import NotificationKind
from assembly.control.place import CONTROL_SOCKET
from assembly.page.credential import PageToken
from assembly.page.place import PagePlace
from assembly.strategies import StrategyEntry
from market.symbol import Symbol
from network.url import Url as ParsedUrl
from orders.reports import MarginMode
from simulated.settings import SimulationSettings

LogLevel = Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"]

DecimalAboveZero = Annotated[Decimal, Meta(extra={"gt": 0})]
SecondsAboveZero = Annotated[float, Meta(gt=0)]
Url = Annotated[str, Meta(pattern=r"(https?|wss?)://[^@\s]+", extra={"means": "a URL without a user name or password", "hidden": True})]
Installation = Annotated[str, Meta(pattern=r"[a-z0-9]{1,6}", extra={"means": "1 to 6 lower case letters or digits"})]
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

    installation: Installation = "mm"
    adopted_installations: tuple[Installation, ...] = ()
    stop_deadline_seconds: Annotated[float, Meta(gt=0, le=600)] = 10.0
    flatten_on_stop: bool = False
    guardian: bool = True
    guardian_silence_seconds: Annotated[float, Meta(ge=0, le=3600)] = 20.0
    guardian_folder: str = "var/guardian"
    control_socket: str = CONTROL_SOCKET
    run_for_seconds: SecondsAboveZero | None = None
    log_level: LogLevel = "INFO"
    log_file: str | None = None
    log_file_megabytes_max: Annotated[int, Meta(ge=1)] = 10
    log_files_kept: Annotated[int, Meta(ge=1, le=1000)] = 5
    seed: Annotated[int, Meta(ge=0)] | None = None


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where what happens is written down. Without a path: beside the settings file, if any exchange outlives the program."""

    path: str | None = None
    synchronous: Synchronous = Synchronous.NORMAL


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange. Without URLs a simulated one is embedded, and the others are reached at their own addresses."""

    mode: ExchangeMode = ExchangeMode.SIMULATED
    rest_url: Url | None = None
    websocket_url: Url | None = None
    private_websocket_url: Url | None = None
    book_max_age_seconds: SecondsAboveZero = 5.0
    taker_fee_fraction: Annotated[float, Meta(ge=0, lt=0.1)] = 0.001
    simulation: SimulationSettings = SimulationSettings()

    @property
    def is_embedded(self) -> bool:
        """Whether this program itself serves the simulated exchange."""
        return self.mode is ExchangeMode.SIMULATED and self.rest_url is None

    @property
    def mode_in_words(self) -> str:
        return f"{self.mode.value}, embedded" if self.is_embedded else self.mode.value


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may do at most; notionals and losses in quote units, None for no limit (of notionals never so when live)."""

    max_order_notional: DecimalAboveZero | None = None
    max_position_notional: DecimalAboveZero | None = None
    max_open_orders: Annotated[int, Meta(ge=1)] = 20
    max_orders_per_second: Annotated[int, Meta(ge=1)] = 50
    max_daily_loss: DecimalAboveZero | None = None
    max_price_deviation: DecimalAboveZero = Decimal("0.05")
    on_breach: OnBreach = OnBreach.REFUSE
    on_daily_loss: OnDailyLoss = OnDailyLoss.HALT


class GlobalLimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What all accounts of the program may do together at most: the keys of an account, without limits unless they are written."""

    max_order_notional: DecimalAboveZero | None = None
    max_position_notional: DecimalAboveZero | None = None
    max_open_orders: Annotated[int, Meta(ge=1)] | None = None
    max_orders_per_second: Annotated[int, Meta(ge=1)] | None = None
    max_daily_loss: DecimalAboveZero | None = None
    max_price_deviation: DecimalAboveZero | None = None
    on_breach: OnBreach = OnBreach.REFUSE
    on_daily_loss: OnDailyLoss = OnDailyLoss.HALT


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One account on one exchange. `credential` is the prefix of its environment variables, by default the exchange's.

    `leverage` and `margin_mode` are for accounts that trade contracts; without them both are left as they are at the exchange.
    A margin mode is set together with a leverage. `foreign_orders` and `unexplained_balances` say what follows when somebody
    else uses the account.
    """

    exchange: str
    credential: Prefix | None = None
    dead_mans_switch_seconds: Annotated[int, Meta(ge=0, le=3600)] = 30
    leverage: DecimalAboveZero | None = None
    margin_mode: MarginMode | None = None
    foreign_orders: ForeignOrders = ForeignOrders.IGNORE
    unexplained_balances: UnexplainedBalances = UnexplainedBalances.REDUCE_ONLY
    limits: LimitSettings = LimitSettings()


class CycleLimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one cycle may do at most since the journal began: in base units, the drawdown in quote units; None for no limit."""

    net_buy_max: DecimalAboveZero | None = None
    net_sell_max: DecimalAboveZero | None = None
    inventory_max: DecimalAboveZero | None = None
    drawdown_max: DecimalAboveZero | None = None
    on_drawdown: OnDailyLoss = OnDailyLoss.HALT


class CycleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle actor. `quantity` is in quote units: what a round buys for, or the amount of one order of a quoting strategy.

    `parameters` is a table in the file and the strategy's own struct here. What follows them is for quoting strategies alone; None
    is their own default.
    """

    strategy: str
    account: str
    symbol: Symbol
    quantity: DecimalAboveZero
    cycles: Annotated[int, Meta(ge=0)] = 1
    tick_seconds: SecondsAboveZero = 1.0
    limits: CycleLimitSettings = CycleLimitSettings()
    parameters: Any = msgspec.field(default_factory=dict[str, object])
    reference_exchange: str | None = None
    reference_symbol: Symbol | None = None
    react_to_move_fraction: Annotated[Decimal, Meta(extra={"ge": 0})] | None = None
    react_to_fills: bool | None = None


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell of what. Nobody, without a `template`; where to post to is a secret, and in the environment variable `url_variable`."""

    template: Template | None = None
    kinds: tuple[NotificationKind, ...] = tuple(NotificationKind)
    interval_seconds: SecondsAboveZero = 10.0
    url_variable: Prefix = "NOTIFY_WEBHOOK_URL"


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The page: where it listens, which but for this machine itself must be allowed, and by which names besides it may be asked for.

    Whoever has the token, in the environment variable that begins with `credential`, may act on the run; without one nobody may.
    """

    listen: str = "127.0.0.1:8321"
    allow_remote: bool = False
    hosts: tuple[str, ...] = ()
    credential: Prefix = "MM_PAGE"


class FileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings file as a whole."""

    runtime: RuntimeSettings = RuntimeSettings()
    journal: JournalSettings = JournalSettings()
    limits: GlobalLimitSettings = GlobalLimitSettings()
    notifications: NotificationSettings = NotificationSettings()
    page: PageSettings | None = None
    exchanges: dict[str, ExchangeSettings] = {}
    accounts: dict[str, AccountSettings] = {}
    cycles: dict[str, CycleSettings] = {}


class Settings(FileSettings, frozen=True, kw_only=True):
    """Settings that have been checked as a whole: every name refers to something, every account has its credential."""

    credentials: dict[str, Credential] = {}
    webhook: ParsedUrl | None = None
    page_place: PagePlace | None = None
    page_token: PageToken | None = None
    own_strategies: dict[str, StrategyEntry] = {}
    """Those of the cycles' strategies that are not the program's, by the name that the file has for them."""

    def exchange_of(self, cycle: str) -> str:
        """The name of the exchange that a cycle trades on."""
        return self.accounts[self.cycles[cycle].account].exchange

    def reference_of(self, cycle: str) -> tuple[str, Symbol] | None:
        """The exchange and symbol of the market that a cycle's strategy is shown besides its own; None if there is none."""
        found = self.cycles[cycle]
        if found.reference_exchange is None and found.reference_symbol is None:
            return None
        return found.reference_exchange or self.exchange_of(cycle), found.reference_symbol or found.symbol


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
    has_contracts: bool = False
    wallet: str | None = None


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
                f"position up to {limits.max_position_notional:f} (quote units), {limits.max_open_orders} open orders at most, "
                f"{_daily_loss(limits, settings.limits)}; {trades}"
            )
    return tuple(lines)


def _daily_loss(limits: LimitSettings, program: GlobalLimitSettings) -> str:
    said = [
        f"{limited.max_daily_loss:f} {whose}"
        for limited, whose in ((limits, "of the account"), (program, "of the program"))
        if limited.max_daily_loss is not None
    ]
    return f"losses a day up to {' and '.join(said)}" if said else "no limit on losses (max_daily_loss)"
