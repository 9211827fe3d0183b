"""An account as limits see it: what it has, and its own prices. It outlives the account's actor."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from actors.accounts.prices import AccountPrices
from market.symbol import Symbol
from orders.ledger import AccountLedger
from orders.losses import worth


class LimitedAccount:
    """`symbols` are those that it trades. `has_compared` is set once it knows what happened before this run."""

    def __init__(self, ledger: AccountLedger, prices: AccountPrices, symbols: Sequence[Symbol]) -> None:
        self.name = ledger.account
        self.ledger = ledger
        self.prices = prices
        self.symbols = tuple(symbols)
        self.has_compared = False

    def worth(self) -> dict[str, Decimal] | None:
        """What all fills and funding have made of its assets, by quote asset; None while a price that counts was never known."""
        return worth(self.ledger.fill_changes(), self.symbols, self.middle)

    def middle(self, symbol: Symbol) -> Decimal | None:
        """The middle of the book as it was known last, however long ago; None if it never was."""
        touch = self.prices.last(symbol)
        return None if touch is None else touch.middle
