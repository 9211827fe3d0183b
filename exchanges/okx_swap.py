"""OKX swaps, perpetual contracts settled in the quote asset: symbols are ``BTC-USDT-SWAP``."""

from __future__ import annotations

from exchanges.identity import ExchangeIdentity

OKX_SWAP = ExchangeIdentity("okx_swap", separator="-", suffix="-SWAP")
