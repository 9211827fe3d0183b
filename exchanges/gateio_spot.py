"""Gate.io spot: symbols are ``BTC_USDT``."""

from __future__ import annotations

from exchanges.identity import ExchangeIdentity

GATEIO_SPOT = ExchangeIdentity("gateio_spot", separator="_")
