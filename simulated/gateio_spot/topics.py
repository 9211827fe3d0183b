"""The public push topics of Gate.io."""

from __future__ import annotations

from typing import Any

import trio

from market.events import Side
from market.symbol import Symbol
from simulated import book_updates
from simulated.engine.events import EngineEvent, TradeMade
from simulated.faults import Faults
from simulated.gateio_spot import encoding, messages
from simulated.gateio_spot.venue import GateVenue
from simulated.session import Session
from simulated.tape import INTERVAL_SECONDS
from simulated.topics import BatchedTopic


class _GateTopic(BatchedTopic):
    """A topic of one channel, framed as Gate.io frames it."""

    def __init__(self, venue: GateVenue, channel: str, symbol: Symbol, interval_seconds: float) -> None:
        super().__init__(venue, symbol, interval_seconds)
        self.venue = venue
        self.channel = channel

    def encode(self, result: Any) -> str:
        return messages.update(self.channel, result, self.venue.now())


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


class BookDepth(_GateTopic):
    """spot.obu: the whole book of so many levels first, then what changed in it."""

    def __init__(self, venue: GateVenue, symbol: Symbol, name: str, interval_seconds: float, depth: int, faults: Faults) -> None:
        super().__init__(venue, "spot.obu", symbol, interval_seconds)
        self._name = name
        self._depth = depth
        self._faults = faults
        self._last_update_id = self.book.update_id
        self._sent = self._view()

    def joined(self, session: Session) -> None:
        # Everybody else is brought up to this moment first, so that one chain of ids serves all.
        self.sessions.pop(session, None)
        self.flush()
        self.sessions[session] = None
        self._last_update_id = self.book.update_id
        self._sent = self._view()
        bids, asks = ([[price, quantity] for price, quantity in self._sent[side].items()] for side in Side)
        frame = {"t": self.venue.now(), "full": True, "s": self._name, "u": self._last_update_id, "b": bids, "a": asks}
        session.push(messages.update(self.channel, frame, self.venue.now()))

    def flush(self) -> None:
        if self.book.update_id > self._last_update_id:
            result = self.result()
            if not self._faults.take_withheld_update(self.symbol):
                self.push(result)

    def result(self) -> Any:
        view = self._view()
        changes: dict[Side, list[list[str]]] = {}
        for side in Side:
            gone = [[price, "0"] for price in self._sent[side] if price not in view[side]]
            new = [[price, quantity] for price, quantity in view[side].items() if self._sent[side].get(price) != quantity]
            changes[side] = gone + new
        first_update_id = self._last_update_id + 1
        self._last_update_id = self.book.update_id
        self._sent = view
        return {
            "t": self.venue.now(),
            "s": self._name,
            "U": first_update_id,
            "u": self._last_update_id,
            "b": changes[Side.BUY],
            "a": changes[Side.SELL],
        }

    def _view(self) -> dict[Side, dict[str, str]]:
        return {side: dict(encoding.levels(self.book.side(side).levels(self._depth))) for side in Side}


class FullBook(_GateTopic):
    """spot.order_book: the best levels, whole, at every push."""

    def __init__(self, venue: GateVenue, symbol: Symbol, interval_seconds: float, depth: int) -> None:
        super().__init__(venue, "spot.order_book", symbol, interval_seconds)
        self._depth = depth

    def joined(self, session: Session) -> None:
        session.push(messages.update(self.channel, self.result(), self.venue.now()))

    def result(self) -> Any:
        return {
            "t": self.venue.now(),
            "lastUpdateId": self.book.update_id,
            "s": encoding.wire(self.symbol),
            "l": str(self._depth),
            "bids": encoding.levels(self.book.bids.levels(self._depth)),
            "asks": encoding.levels(self.book.asks.levels(self._depth)),
        }


class BookTicker(_GateTopic):
    """spot.book_ticker: the best bid and ask when they have changed."""

    def __init__(self, venue: GateVenue, symbol: Symbol) -> None:
        super().__init__(venue, "spot.book_ticker", symbol, 0.01)
        self._sent: tuple[str, ...] = ()

    def joined(self, session: Session) -> None:
        self._sent = ()
        self.mark()

    def result(self) -> Any:
        bid, ask = encoding.levels(self.book.bids.levels(1)), encoding.levels(self.book.asks.levels(1))
        top = (*(bid[0] if bid else ("", "0")), *(ask[0] if ask else ("", "0")))
        if top == self._sent:
            return None
        self._sent = top
        return {
            "t": self.venue.now(),
            "u": self.book.update_id,
            "s": encoding.wire(self.symbol),
            "b": top[0],
            "B": top[1],
            "a": top[2],
            "A": top[3],
        }


class Tickers(_GateTopic):
    """spot.tickers: the day's figures, once a second while anything changes."""

    def __init__(self, venue: GateVenue, symbol: Symbol) -> None:
        super().__init__(venue, "spot.tickers", symbol, 1.0)

    def joined(self, session: Session) -> None:
        self.mark()

    def result(self) -> Any:
        bid, ask = self.book.bids.levels(1), self.book.asks.levels(1)
        tape = self.venue.tapes[self.symbol]
        return encoding.ticker(self.symbol, tape, bid[0] if bid else None, ask[0] if ask else None, self.venue.now())


class Candlesticks(_GateTopic):
    """spot.candlesticks: the running candle, every two seconds while there are trades."""

    def __init__(self, venue: GateVenue, symbol: Symbol, interval: str) -> None:
        super().__init__(venue, "spot.candlesticks", symbol, 2.0)
        self._interval = interval

    def joined(self, session: Session) -> None:
        self.mark()

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self.mark()

    def result(self) -> Any:
        candle = self.venue.tapes[self.symbol].last_candle(self._interval)
        if candle is None:
            return None
        length = INTERVAL_SECONDS[self._interval]
        return encoding.candle_push(self.symbol, self._interval, candle, length, self.venue.now() // 1000)


class Trades(_GateTopic):
    """spot.trades: each trade as it happens, from the taker's side."""

    def __init__(self, venue: GateVenue, symbol: Symbol) -> None:
        super().__init__(venue, "spot.trades", symbol, 0.0)

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self.push(encoding.public_trade_push(self.symbol, self.venue.tapes[self.symbol].trades[-1]))

    async def run(self) -> None:
        await trio.sleep_forever()
