"""What fills and funding have made of an account's assets, valued, and where a day's loss is counted from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from market.instrument import format_decimal
from market.symbol import Symbol
from orders.order import ZERO

DAY_MILLISECONDS = 86_400_000
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DECIMALS_SHOWN = 8
NO_DAY = ""


class DayBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's fills had made of its assets when a UTC day began, or when a person took the day's loss as accepted.

    `value` is in `asset`, `day` as ``2026-01-31``, or `NO_DAY` where the next look takes another. `scope` is the one whose daily loss
    is counted from it: the account's, or the whole program's. `is_struck` says that the loss since then has moved the scope into
    another state.

    Of a cycle's scope it is the highest profit that its drawdown is counted from, `asset` the symbol, and `day` when it was written.
    """

    scope: str
    account: str
    asset: str
    day: str
    value: Decimal
    is_struck: bool = False


def day_of(milliseconds: int) -> str:
    """The UTC day of a wall time."""
    return date.fromordinal(EPOCH_ORDINAL + milliseconds // DAY_MILLISECONDS).isoformat()


def shown(loss: Decimal) -> str:
    """A loss for people to read."""
    return format_decimal(round(loss, DECIMALS_SHOWN).normalize())


def worth(
    changes: Mapping[str, Decimal], symbols: Sequence[Symbol], middle_of: Callable[[Symbol], Decimal | None]
) -> dict[str, Decimal] | None:
    """What `changes` of assets are worth together, by the quote asset they are valued in; None while a price that counts is not known.

    Each asset is valued along the markets traded, at their middles. Markets that share an asset are valued together, in the
    first quote asset that is not itself a base there. An asset of none of these markets (a fee paid in a third one) has no value here.
    """
    bases = {symbol.base for symbol in symbols}
    values: dict[str, Decimal] = {}
    placed: set[str] = set()
    for first in sorted(symbols, key=lambda symbol: symbol.quote in bases):
        if first.quote in placed:
            continue
        prices = _prices_in(first.quote, symbols, middle_of)
        placed |= prices.keys()
        total = ZERO
        for asset, price in prices.items():
            change = changes.get(asset, ZERO)
            if change and price is None:
                return None
            total += change * (price or ZERO)
        values[first.quote] = total
    return values


def _prices_in(quote: str, symbols: Sequence[Symbol], middle_of: Callable[[Symbol], Decimal | None]) -> dict[str, Decimal | None]:
    """The price in `quote` of every asset that can be exchanged for it, on however many markets; None where one has no price."""
    prices: dict[str, Decimal | None] = {quote: Decimal(1)}
    while True:
        before = len(prices)
        for symbol in symbols:
            if (symbol.base in prices) is (symbol.quote in prices):
                continue
            middle = middle_of(symbol)
            if symbol.quote in prices:
                known = prices[symbol.quote]
                prices[symbol.base] = None if known is None or middle is None else known * middle
            else:
                known = prices[symbol.base]
                prices[symbol.quote] = None if known is None or middle is None else known / middle
        if len(prices) == before:
            return prices
