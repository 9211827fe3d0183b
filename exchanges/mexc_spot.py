"""MEXC spot: symbols are ``BTCUSDT``."""

from __future__ import annotations

from exchanges.identity import ExchangeIdentity

MEXC_SPOT = ExchangeIdentity("mexc_spot", separator="")
