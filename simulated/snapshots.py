"""What a client sees who asks for a whole book: the book as it is, or as it was, where the answers come from a cache that hangs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from market.symbol import Symbol
from network.causes import Cause, current_cause
from simulated.engine.book import Book, BookSide
from simulated.engine.order import Order

Level = tuple[Decimal, Decimal]


class SidePicture:
    """One side of a book as it was."""

    def __init__(self, side: BookSide) -> None:
        self._levels = side.levels()
        self._orders = {price: side.orders_at(price) for price, _ in self._levels}

    def levels(self, depth: int | None = None) -> list[Level]:
        """Price and quantity of the best `depth` levels, or of all."""
        return self._levels[:depth]

    def orders_at(self, price: Decimal) -> tuple[Order, ...]:
        return self._orders.get(price, ())


class BookPicture:
    """A book as it was."""

    def __init__(self, book: Book) -> None:
        self.update_id = book.update_id
        self.updated_at_milliseconds = book.updated_at_milliseconds
        self.bids = SidePicture(book.bids)
        self.asks = SidePicture(book.asks)


class Snapshots:
    """The books that are answered to whoever asks for one by REST."""

    def __init__(self, books: Mapping[Symbol, Book]) -> None:
        self._books = books
        self._frozen: dict[Symbol, tuple[BookPicture, Cause]] = {}

    def of(self, symbol: Symbol) -> Book | BookPicture:
        frozen = self._frozen.get(symbol)
        if frozen is None:
            return self._books[symbol]
        picture, cause = frozen
        cause.had_effect()
        return picture

    def freeze(self, symbol: Symbol) -> None:
        """Go on answering with the book as it is now."""
        self._frozen[symbol] = (BookPicture(self._books[symbol]), current_cause())

    def thaw(self, symbol: Symbol | None = None) -> None:
        """Answer with the book as it is again; of every symbol, if None."""
        if symbol is None:
            self._frozen.clear()
        else:
            self._frozen.pop(symbol, None)
