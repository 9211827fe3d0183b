"""What an account's ledger must know of earlier runs, besides their orders, to count on from where they stopped."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.symbol import Symbol
from orders.tally import Tally

TradeKey = tuple[Symbol, str, str]
"""Symbol, exchange's order id, trade id: an order that trades with another of the same account gives two fills of one trade id."""
PaymentKey = tuple[Symbol, str]
TallyKey = tuple[str, Symbol]
"""An owner and a symbol."""


class CountedEarlier(msgspec.Struct, frozen=True, kw_only=True):
    """What all fills and funding payments of earlier runs did to each asset, and the newest of them by name.

    The names, oldest first, are those that the exchange may tell again. `tallies` are those of the owners of this installation,
    and `tallied_trades` those of the named trades that are in them: not strangers'.
    """

    fill_changes: dict[str, Decimal] = {}
    trades: tuple[TradeKey, ...] = ()
    payments: tuple[PaymentKey, ...] = ()
    tallies: dict[TallyKey, Tally] = {}
    tallied_trades: frozenset[TradeKey] = frozenset()
