"""The stream of a book's changes: numbered, whole, and with the bad days of such streams on request."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.events import Side
from market.symbol import Symbol
from simulated.engine.book import Book
from simulated.engine.events import EngineEvent, LevelChanged
from simulated.engine.order import ZERO
from simulated.faults import BookError, Faults, WrongLevel
from simulated.topics import BatchedTopic
from simulated.venue import Venue

PricedQuantity = tuple[Decimal, Decimal]


class BookChanges(msgspec.Struct, frozen=True):
    """The levels that changed from the first update to the last, with what they hold now; zero: gone."""

    first_update_id: int
    last_update_id: int
    bids: list[PricedQuantity]
    asks: list[PricedQuantity]


def tell_wrong(changes: BookChanges, wrong: WrongLevel, book: Book, tick: Decimal) -> None:
    """Put a level into `changes` that the book does not have so."""
    level = wrong_level(book, wrong, tick)
    if level is None:
        return
    told = changes.bids if wrong.side is Side.BUY else changes.asks
    told[:] = [*(right for right in told if right[0] != level[0]), level]


def wrong_level(book: Book, wrong: WrongLevel, tick: Decimal) -> PricedQuantity | None:
    """The level that is told; None where the book is not so deep, or has no room for one more."""
    side = book.side(wrong.side)
    levels = side.levels(wrong.depth + 1)
    if len(levels) <= wrong.depth:
        return None
    price, quantity = levels[wrong.depth]
    match wrong.error:
        case BookError.QUANTITY:
            return price, 3 * quantity
        case BookError.MISSING:
            return price, ZERO
        case BookError.EXTRA:
            better = tick if wrong.side is Side.BUY else -tick
            other = book.side(wrong.side.opposite).best
            for extra in (price + better, price - better):
                if extra > 0 and not side.quantity_at(extra) and extra != other:
                    return extra, quantity
            return None


class BookUpdates(BatchedTopic):
    """Every change of the book since the last push, with the ids it covers. `encode` is given `BookChanges`.

    A level that was out of reach of a snapshot of `depth` levels and has come within it is told again, unchanged, so
    that a client which knows the best `depth` levels goes on knowing them.
    """

    def __init__(self, venue: Venue, symbol: Symbol, interval_seconds: float, depth: int, faults: Faults) -> None:
        super().__init__(venue, symbol, interval_seconds)
        self._depth = depth
        self._faults = faults
        self._last_update_id = self.book.update_id
        self._touched: dict[tuple[Side, Decimal], None] = {}
        self._within: dict[Side, set[Decimal] | None] = {side: self._view(side) for side in Side}

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, LevelChanged) and event.symbol == self.symbol:
            self._touched[(event.side, event.price)] = None
            self.mark()

    def flush(self) -> None:
        if self.book.update_id > self._last_update_id:
            changes = self.result()
            if (wrong := self._faults.take_wrong_level(self.symbol)) is not None:
                tell_wrong(changes, wrong, self.book, self._state.engine.instruments[self.symbol].price_tick)
            if not self._faults.take_withheld_update(self.symbol):
                for _ in range(1 + self._faults.take_duplicated_update(self.symbol)):
                    self.push(changes)

    def result(self) -> BookChanges:
        book = self.book
        for side in Side:
            view, before = self._view(side), self._within[side]
            if before is not None:
                for price in [price for price in book.side(side).prices() if (view is None or price in view) and price not in before]:
                    self._touched[(side, price)] = None
            self._within[side] = view
        levels: dict[Side, list[PricedQuantity]] = {Side.BUY: [], Side.SELL: []}
        for side, price in self._touched:
            levels[side].append((price, book.side(side).quantity_at(price)))
        first_update_id = self._last_update_id + 1
        self._touched.clear()
        self._last_update_id = book.update_id
        return BookChanges(first_update_id, self._last_update_id, levels[Side.BUY], levels[Side.SELL])

    def push_crossed(self) -> None:
        """Tell of a bid above the best ask that does not exist; the ids go on without a gap."""
        ask = self.book.asks.best
        if ask is not None:
            self.flush()
            first_update_id = self._last_update_id + 1
            self.book.update_id += 1
            self._last_update_id = self.book.update_id
            above = ask + self._state.engine.instruments[self.symbol].price_tick
            self.push_fault(BookChanges(first_update_id, self._last_update_id, [(above, Decimal(1))], []))

    def _view(self, side: Side) -> set[Decimal] | None:
        """The prices within reach; None where all are."""
        if len(self.book.side(side)) <= self._depth:
            return None
        return {price for price, _ in self.book.side(side).levels(self._depth)}
