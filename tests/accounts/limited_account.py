"""An account's own prices and limits as a test sets them, around a real ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from actors.accounts.limited import LimitedAccount
from actors.accounts.limits import AccountLimits, Limits, ScopeLimits
from actors.accounts.prices import open_prices
from market.events import BookChanged, BookLost
from market.symbol import Symbol
from orders.ledger import AccountLedger
from orders.states import GLOBAL, account_scope

BOOK_AGE_SECONDS_MAX = 5.0


class Market:
    """The books that one account hears of."""

    def __init__(self, ledger: AccountLedger, symbols: Sequence[Symbol]) -> None:
        self._books, prices = open_prices(100, book_age_seconds_max=BOOK_AGE_SECONDS_MAX)
        self.account = LimitedAccount(ledger, prices, symbols)
        self.account.has_compared = True

    def quote(self, bid: float, ask: float, *, symbol: Symbol | None = None, received_at: float | None = None) -> None:
        """The book is so from now on."""
        which = symbol or self.account.symbols[0]
        at = trio.current_time() if received_at is None else received_at
        self._books.send_nowait(BookChanged("scripted", which, ((bid, 1.0),), ((ask, 1.0),), 1, 1, 0, at))

    def lose(self, reason: str = "a gap", *, symbol: Symbol | None = None) -> None:
        self._books.send_nowait(BookLost("scripted", symbol or self.account.symbols[0], reason, 0.0))

    def limits(self, own: Limits | None = None, *, program: ScopeLimits | None = None, **changes: Any) -> AccountLimits:
        """The account's limits, alone or within a program's."""
        scope = ScopeLimits(account_scope(self.account.name), own or Limits(**changes), [self.account])
        return AccountLimits(self.account, [scope] if program is None else [scope, program])


def program_limits(markets: Sequence[Market], **changes: Any) -> ScopeLimits:
    """The limits over all these accounts."""
    return ScopeLimits(GLOBAL, Limits(**changes), [market.account for market in markets])
