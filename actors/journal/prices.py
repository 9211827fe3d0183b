"""The prices of the markets that are traded in, as often as the journal wants them: the newest of each, until it is written.

Whoever hears of every book says so here, which costs a look-up, and the journal's actor takes what has changed, once a second:
so a busy market costs the disk no more than a second's row, and its hot path nothing of it. What a row says holds until the next
one of its market: with at most a second's delay where something changed meanwhile, and exactly in the moment of each fill.
"""

from __future__ import annotations

from collections.abc import Mapping

import trio

from actors.journal.entries import PriceSampled
from market.events import BookChanged, BookLost
from market.instrument import decimal_from_book
from market.symbol import Symbol

SAMPLE_SECONDS = 0.99  # a hair less than the pause of the actor that takes them

MarketKey = tuple[str, Symbol]
"""An exchange by its name, and a symbol there."""
_Top = tuple[float, float]


class PriceSampler:
    """What is known of each market. `exchange_by_market` says which markets count, and what the journal calls their exchanges.

    `exchange_by_account` has the names of the exchanges that the accounts are at.
    """

    def __init__(self, exchange_by_market: Mapping[MarketKey, str], exchange_by_account: Mapping[str, str]) -> None:
        self._exchange_by_market = exchange_by_market
        self._exchange_by_account = exchange_by_account
        self._newest: dict[MarketKey, BookChanged | BookLost] = {}
        self._changed: set[MarketKey] = set()
        self._written: dict[MarketKey, _Top | None] = {}
        self._taken: dict[MarketKey, _Top | None] = {}
        self._taken_at: float | None = None

    def note(self, news: BookChanged | BookLost) -> None:
        """A book has changed or is lost. Never blocks, and keeps the newest of each market."""
        key = (news.exchange, news.symbol)
        if key in self._exchange_by_market:
            self._newest[key] = news
            self._changed.add(key)

    def at_fill(self, account: str, symbol: Symbol) -> PriceSampled | None:
        """The prices in this moment where an account trades a symbol, to be written with its fill; None if nothing is known of them."""
        key = (self._exchange_by_account.get(account, ""), symbol)
        if key not in self._newest:
            return None
        self._written.pop(key, None)  # whatever comes next differs from this row, even if it is what was sampled before it
        return self._sampled(key, _top(self._newest[key]))

    def take(self, *, everything: bool = False) -> tuple[PriceSampled, ...]:
        """What has changed since it was `written` last, at most once a second, or `everything` that has."""
        now = trio.current_time()
        if not (self._changed or self._taken) or not (everything or self._taken_at is None or now - self._taken_at >= SAMPLE_SECONDS):
            return ()
        self._taken_at = now
        newest = {key: _top(self._newest[key]) for key in self._exchange_by_market if key in self._changed or key in self._taken}
        self._changed.clear()
        self._taken = {key: top for key, top in newest.items() if key not in self._written or self._written[key] != top}
        return tuple(self._sampled(key, top) for key, top in self._taken.items())

    def written(self) -> None:
        """What was taken last is in the journal. Else it is taken again, with what has changed since."""
        self._written |= self._taken
        self._taken.clear()

    def _sampled(self, key: MarketKey, top: _Top | None) -> PriceSampled:
        bid, ask = (None, None) if top is None else (decimal_from_book(top[0]), decimal_from_book(top[1]))
        return PriceSampled(exchange=self._exchange_by_market[key], symbol=key[1], bid=bid, ask=ask)


def _top(news: BookChanged | BookLost | None) -> _Top | None:
    return (news.bids[0][0], news.asks[0][0]) if isinstance(news, BookChanged) else None
