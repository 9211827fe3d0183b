"""The public push topics that Gate.io spot has for itself."""

from __future__ import annotations

from typing import Any

from market.symbol import Symbol
from simulated import book_updates
from simulated.gateio import messages
from simulated.gateio.topics import GateTopic
from simulated.gateio_spot import encoding
from simulated.session import Session
from simulated.venue import Venue


class BookUpdates(book_updates.BookUpdates):
    """spot.order_book_update"""

    def encode(self, result: book_updates.BookChanges) -> str:
        now = self._state.now()
        frame = {
            "t": now,
            "e": "depthUpdate",
            "E": now // 1000,
            "s": encoding.wire(self.symbol),
            "U": result.first_update_id,
            "u": result.last_update_id,
            "b": encoding.levels(result.bids),
            "a": encoding.levels(result.asks),
        }
        return messages.update("spot.order_book_update", frame, now)


class FullBook(GateTopic):
    """spot.order_book: the best levels, whole, at every push."""

    def __init__(self, venue: Venue, channel: str, symbol: Symbol, interval_seconds: float, depth: int) -> None:
        super().__init__(venue, channel, symbol, interval_seconds)
        self._depth = depth

    def joined(self, session: Session) -> None:
        session.push(self.encode(self.result()))

    def result(self) -> Any:
        return {
            "t": self._state.now(),
            "lastUpdateId": self.book.update_id,
            "s": self.market,
            "l": str(self._depth),
            "bids": encoding.levels(self.book.bids.levels(self._depth)),
            "asks": encoding.levels(self.book.asks.levels(self._depth)),
        }
