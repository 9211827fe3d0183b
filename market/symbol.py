"""The unified name of a market: a base and a quote asset, and the spellings people type for it."""

from __future__ import annotations

import re

import msgspec

# Quote assets that end a spelling without a separator ("BTCUSDT"), longest first so that USDT wins over USD.
KNOWN_QUOTES: tuple[str, ...] = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDD", "USDE", "USD1", "DAI", "USD",
    "EUR", "GBP", "TRY", "BRL", "JPY", "BTC", "ETH", "BNB", "GT", "HT",
)  # fmt: skip

_ASSET = re.compile(r"[A-Z0-9]{1,20}")


class Symbol(msgspec.Struct, frozen=True, order=True):
    """A market by its unified name. Assets are upper case letters and digits, as exchanges write them."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


class SymbolError(ValueError):
    """The text does not name a market; the message says which spellings are understood."""


def parse_symbol(text: str) -> Symbol:
    """Read a symbol as people type it: ``BTCUSDT``, ``BTC_USDT``, ``BTC/USDT`` or ``BTC-USDT``, in any case.

    Raises:
        SymbolError: no base and quote can be read from `text`.
    """
    spelling = text.strip().upper()
    for separator in "/_-":
        if separator in spelling:
            base, _, quote = spelling.partition(separator)
            if _ASSET.fullmatch(base) and _ASSET.fullmatch(quote):
                return Symbol(base, quote)
            break
    else:
        for quote in KNOWN_QUOTES:
            base = spelling.removesuffix(quote)
            if base != spelling and _ASSET.fullmatch(base):
                return Symbol(base, quote)
    raise SymbolError(f"{text!r} is not a symbol: write it as BTC_USDT, BTC/USDT, BTC-USDT or BTCUSDT")
