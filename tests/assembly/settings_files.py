"""Settings files for tests, from a whole one and what is different in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from assembly.settings import KnownExchange, Overrides, Settings
from assembly.settings_loading import load_settings
from assembly.strategies import StrategyEntry, StrategyKind

WHOLE = """
[runtime]
installation = "mm"

[exchanges.gateio_spot]
mode = "simulated"

[accounts.main]
exchange = "gateio_spot"

[accounts.main.limits]
max_order_notional = 200
max_position_notional = 500

[cycles.btc]
strategy = "sell_on_top"
account = "main"
symbol = "BTC_USDT"
quantity = 100
"""
KNOWN = {
    "gateio_spot": KnownExchange(credential_prefix="GATEIO"),
    "okx_spot": KnownExchange(credential_prefix="OKX", needs_passphrase=True, wallet="the trading account"),
    "mexc_spot": KnownExchange(credential_prefix="MEXC", has_testnet=False),
    "okx_swap": KnownExchange(credential_prefix="OKX", needs_passphrase=True, has_contracts=True, wallet="the trading account"),
}
CREDENTIAL = {"GATEIO_API_KEY": "the-real-key", "GATEIO_API_SECRET": "the-real-secret"}


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    reprice_interval_seconds: float = 1.0
    price_offset_ticks: int = 1

    def __post_init__(self) -> None:
        if self.price_offset_ticks < 0:
            raise ValueError("price_offset_ticks is 0 or more")


def undecided(parameters: Parameters) -> NoReturn:
    raise NotImplementedError("settings are read, and no strategy is made of them")


STRATEGIES = {
    "sell_on_top": StrategyEntry(parameters=Parameters, make=undecided),
    "cross": StrategyEntry(parameters=Parameters, make=undecided),
    "quoting": StrategyEntry(parameters=Parameters, make=undecided, kind=StrategyKind.QUOTING),
}


def load(
    folder: Path,
    text: str = WHOLE,
    *,
    changed: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
) -> Settings:
    """Load `text` from a file named config.toml; each key of `changed` stands in it once and is replaced by its value."""
    for old, new in (changed or {}).items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the settings"
        text = text.replace(old, new)
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(
        path,
        overrides=overrides or Overrides(),
        environment=environment or {},
        known_exchanges=KNOWN,
        strategies=STRATEGIES,
    )
