"""How a simulated exchange is set up. Everything has a default that makes a lively market on BTC_USDT and ETH_USDT."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from market.symbol import Symbol, parse_symbol


class ContractSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A market's terms where it is a market of contracts. `contract_size` is in base units; orders are for multiples of `lot` contracts.

    Rates are fractions. `leverage` and `margin_mode` hold until an account chooses others.
    """

    contract_size: Decimal = Decimal("0.0001")
    lot: Decimal = Decimal(1)
    leverage: Decimal = Decimal(10)
    leverage_max: Decimal = Decimal(100)
    margin_mode: Literal["cross", "isolated"] = "cross"
    maintenance_rate: Decimal = Decimal("0.005")
    funding_rate: Decimal = Decimal("0.0001")
    funding_interval_seconds: int = 28_800


class MarketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market: its rules, and how its fair price and its participants behave. Fractions are of the price.

    The fair price follows a geometric random walk; makers quote `maker_levels` prices a side around it, the first at
    `half_spread` from it and the next `level_spacing` apart, and renew `maker_quotes_at_once` of their quotes whenever they act; takers
    arrive as a Poisson process and hit either side, `taker_buy_share` of them the asks.
    """

    symbol: str = "BTC_USDT"
    price_decimals: int = 1
    quantity_decimals: int = 6
    quantity_min: Decimal = Decimal("0.00001")
    notional_min: Decimal = Decimal(3)
    start_price: Decimal = Decimal(60_000)
    drift_per_second: float = 0.0
    volatility_per_second: float = 0.00004
    gap_rate_per_second: float = 0.002
    gap_fraction: float = 0.001
    half_spread: float = 0.00005
    level_spacing: float = 0.00005
    maker_levels: int = 10
    maker_level_notional: float = 6_000.0
    maker_rate_per_second: float = 16.0
    maker_quotes_at_once: int = 1
    taker_rate_per_second: float = 0.5
    taker_notional: float = 400.0
    taker_buy_share: float = 0.5
    contract: ContractSettings = ContractSettings()

    @property
    def parsed_symbol(self) -> Symbol:
        """Raises: SymbolError: `symbol` does not name a market."""
        return parse_symbol(self.symbol)


DEFAULT_MARKETS = (
    MarketSettings(),
    MarketSettings(
        symbol="ETH_USDT",
        price_decimals=2,
        quantity_decimals=5,
        quantity_min=Decimal("0.0001"),
        start_price=Decimal(3_000),
        maker_rate_per_second=8.0,
        taker_rate_per_second=0.3,
        contract=ContractSettings(contract_size=Decimal("0.01")),
    ),
)


def _default_balances() -> dict[str, Decimal]:
    return {"USDT": Decimal(10_000), "BTC": Decimal("0.1")}


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account and its key. The key is made up: it opens nothing but this simulation. Fees are fractions.

    A request that names a self-trade action is refused unless the account is in a self-trade group (`stp_group` not 0).
    `position_mode` is of contracts: with "hedge" the account says that it keeps long and short positions side by side, and
    cannot trade.
    """

    name: str = "main"
    user_id: int = 10_000_001
    api_key: str = "simulated-key-main"
    api_secret: str = "simulated-secret-main-0123456789abcdef"  # noqa: S105 - made up, opens nothing but this simulation
    api_passphrase: str = "simulated-passphrase-main"  # noqa: S105 - as the secret; only some exchanges ask for one
    permissions: Literal["trade", "read"] = "trade"
    stp_group: int = 0
    position_mode: Literal["one_way", "hedge"] = "one_way"
    balances: dict[str, Decimal] = msgspec.field(default_factory=_default_balances)
    maker_fee: Decimal = Decimal("0.002")
    taker_fee: Decimal = Decimal("0.002")

    def __repr__(self) -> str:
        return f"<account settings {self.name}>"


class SimulationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated exchange. The first account is the one whose key `mm-sim` prints.

    `answer_delay_seconds` passes between a request and its answer. `text_lookup_after_finish_seconds` and
    `unfilled_order_memory_seconds` say how long a finished order can still be found by client id, and how long a cancelled
    order without fills can be found at all; None: as long as the exchange has it, where that is simulated.
    A new order with the client id of one that finished at most `client_id_memory_seconds` ago is refused, as with that of an open one.
    `outgoing_messages_max` bounds what waits for a websocket client that does not read; it is disconnected when that overflows.
    With `book_checksums` OKX's books bear checksums, as they did until 2026.
    """

    seed: int = 1
    markets: tuple[MarketSettings, ...] = DEFAULT_MARKETS
    accounts: tuple[AccountSettings, ...] = (AccountSettings(),)
    flow: bool = True
    replay_speed: float = 1.0
    self_trade: Literal["allow", "cancel_newest", "cancel_oldest", "cancel_both"] = "cancel_newest"
    answer_delay_seconds: float = 0.0
    rate_limits: bool = True
    text_lookup_after_finish_seconds: float | None = None
    unfilled_order_memory_seconds: float | None = None
    client_id_memory_seconds: float = 0.0
    obu_full_before_acknowledgement: bool = False
    book_checksums: bool = False
    outgoing_messages_max: int = 4_000
    ping_interval_seconds: float = 20.0
