"""What the account itself knows of prices: the top of each book as its exchange's feed tells it, whatever a strategy claims.

The books come over a channel that keeps the newest of each symbol and is emptied in the moment in which a price is needed:
a change of a book wakes nobody here.
"""

from __future__ import annotations

import trio

from actors.channels.latest import LatestReceiver, LatestSender, open_latest
from market.events import BookChanged, BookLost
from market.symbol import Symbol
from market.touch import Touch, touch_of

BookNews = BookChanged | BookLost


class AccountPrices:
    """The prices of one account. They outlive its actor's incarnations.

    `books` brings both kinds of news under one key by symbol. A book that nothing has proven for longer than
    `book_age_seconds_max`, which may change, is no price, and neither is one that was lost.
    """

    def __init__(self, books: LatestReceiver[BookNews], *, book_age_seconds_max: float) -> None:
        self._incoming = books
        self.book_age_seconds_max = book_age_seconds_max
        self._news: dict[Symbol, BookNews] = {}
        self._last: dict[Symbol, BookChanged] = {}

    def touch(self, symbol: Symbol, *, now: float) -> Touch | None:
        """Best bid and ask at `now` (monotonic); None if there is no price that could be relied upon (`why_none`)."""
        self._take_in()
        news = self._news.get(symbol)
        return touch_of(news) if isinstance(news, BookChanged) and now - news.received_at <= self.book_age_seconds_max else None

    def last(self, symbol: Symbol) -> Touch | None:
        """Best bid and ask as they were known last, however long ago; None if they never were."""
        self._take_in()
        known = self._last.get(symbol)
        return None if known is None else touch_of(known)

    def why_none(self, symbol: Symbol, *, now: float) -> str:
        """Why `touch` has none, in words for a person."""
        match self._news.get(symbol):
            case BookLost(reason=reason):
                return f"the book of {symbol} is lost ({reason})"
            case BookChanged() as news:
                return f"the book of {symbol} was proven {now - news.received_at:.1f} s ago"
            case _:
                return f"the book of {symbol} is not known yet"

    def _take_in(self) -> None:
        while True:
            try:
                news = self._incoming.receive_nowait()
            except trio.WouldBlock:
                return
            self._news[news.symbol] = news
            if isinstance(news, BookChanged):
                self._last[news.symbol] = news


def open_prices(symbols_max: int, *, book_age_seconds_max: float) -> tuple[LatestSender[BookNews], AccountPrices]:
    """Prices, and the end into which the news of books goes."""
    sender, books = open_latest(_symbol_of, symbols_max)
    return sender, AccountPrices(books, book_age_seconds_max=book_age_seconds_max)


def _symbol_of(news: BookNews) -> Symbol:
    return news.symbol
