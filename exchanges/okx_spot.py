"""OKX spot: symbols are ``BTC-USDT``."""

from __future__ import annotations

from exchanges.identity import ExchangeIdentity

OKX_SPOT = ExchangeIdentity("okx_spot", separator="-")
