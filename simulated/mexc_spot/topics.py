"""The public push topics of MEXC."""

from __future__ import annotations

from market.symbol import Symbol
from simulated import book_updates
from simulated.engine.events import EngineEvent, TradeMade
from simulated.faults import Faults
from simulated.mexc_spot import pushes
from simulated.mexc_spot.venue import MexcVenue
from simulated.tape import INTERVAL_SECONDS, PublicTrade
from simulated.topics import BatchedTopic

_DEPTH = 5_000  # as deep as a snapshot can be
_CANDLE_SECONDS = 1.0


class BookUpdates(book_updates.BookUpdates):
    """aggre.depth: what changed in the book within the interval."""

    def __init__(self, venue: MexcVenue, symbol: Symbol, topic: str, interval_seconds: float, faults: Faults) -> None:
        super().__init__(venue, symbol, interval_seconds, _DEPTH, faults)
        self._topic = topic

    def encode(self, result: book_updates.BookChanges) -> bytes:
        return pushes.depth(self._topic, self.symbol, result, self._state.now())


class Trades(BatchedTopic):
    """aggre.deals: the trades of the interval, from the takers' side."""

    hears = (TradeMade,)

    def __init__(self, venue: MexcVenue, symbol: Symbol, topic: str, interval_seconds: float) -> None:
        super().__init__(venue, symbol, interval_seconds)
        self._topic = topic
        self._made: list[PublicTrade] = []

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self._made.append(self._state.tapes[self.symbol].trades[-1])
            self.mark()

    def result(self) -> list[PublicTrade]:
        made, self._made = self._made, []
        return made

    def encode(self, result: list[PublicTrade]) -> bytes:
        return pushes.trades(self._topic, self.symbol, result, self._state.now())


class BookTicker(BatchedTopic):
    """aggre.bookTicker: the best bid and ask when they have changed."""

    def __init__(self, venue: MexcVenue, symbol: Symbol, topic: str, interval_seconds: float) -> None:
        super().__init__(venue, symbol, interval_seconds)
        self._topic = topic
        self._sent: pushes.Best | None = None

    def joined(self, session: object) -> None:
        self._sent = None
        self.mark()

    def result(self) -> pushes.Best | None:
        best = (self.book.bids.levels(1), self.book.asks.levels(1))
        if best == self._sent:
            return None
        self._sent = best
        return best

    def encode(self, result: pushes.Best) -> bytes:
        return pushes.book_ticker(self._topic, self.symbol, result, self._state.now())


class Candles(BatchedTopic):
    """kline: the running candle, once a second while there are trades."""

    hears = (TradeMade,)

    def __init__(self, venue: MexcVenue, symbol: Symbol, topic: str, name: str, interval: str) -> None:
        super().__init__(venue, symbol, _CANDLE_SECONDS)
        self._topic = topic
        self._name = name
        self._interval = interval

    def joined(self, session: object) -> None:
        self.mark()

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self.mark()

    def flush(self) -> None:
        candle = self._state.tapes[self.symbol].last_candle(self._interval)
        if candle is not None:
            self.push(candle)

    def encode(self, result: pushes.Candlestick) -> bytes:
        return pushes.candle(self._topic, self.symbol, self._name, result, INTERVAL_SECONDS[self._interval], self._state.now())
