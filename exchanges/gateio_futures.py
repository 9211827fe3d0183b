"""Gate.io futures, USDT-settled perpetual contracts: symbols are ``BTC_USDT``."""

from __future__ import annotations

from exchanges.identity import ExchangeIdentity

GATEIO_FUTURES = ExchangeIdentity("gateio_futures", separator="_")
