"""The public push topics that Gate.io futures has for itself. Each is written in one style of sizes."""

from __future__ import annotations

from typing import Any

import trio

from market.symbol import Symbol
from simulated import book_updates
from simulated.engine.events import EngineEvent, LevelChanged, Liquidated, MarkPriceMoved
from simulated.engine.position import signed
from simulated.faults import Faults
from simulated.gateio import messages, topics
from simulated.gateio.order_fields import Json
from simulated.gateio.topics import GateTopic
from simulated.gateio_futures import contract_encoding, encoding
from simulated.gateio_futures.sizes import SizeStyle
from simulated.gateio_futures.venue import GateFuturesVenue
from simulated.numbers import plain
from simulated.session import Session

_LIQUIDATIONS_MAX = 20


class BookUpdates(book_updates.BookUpdates):
    """futures.order_book_update"""

    def __init__(
        self, venue: GateFuturesVenue, symbol: Symbol, interval_seconds: float, depth: int, style: SizeStyle, faults: Faults
    ) -> None:
        super().__init__(venue, symbol, interval_seconds, depth, faults)
        self._instrument = venue.instrument(symbol)
        self._style = style

    def encode(self, result: book_updates.BookChanges) -> str:
        now = self._state.now()
        frame = {
            "t": now,
            "U": result.first_update_id,
            "u": result.last_update_id,
            "s": encoding.wire(self.symbol),
            "a": encoding.levels(result.asks, self._instrument, self._style),
            "b": encoding.levels(result.bids, self._instrument, self._style),
            "l": str(self._depth),
        }
        return messages.update("futures.order_book_update", frame, now)


class BookDepth(topics.BookDepth):
    """futures.obu: a side without changes is not in a push (seen live in 2026), and nobody's sizes are cut."""

    def result(self) -> Any:
        return {name: value for name, value in super().result().items() if value != []}


class FullBook(GateTopic):
    """futures.order_book: the best levels, whole, at every push; the event is `all`."""

    def __init__(self, venue: GateFuturesVenue, channel: str, symbol: Symbol, depth: int, style: SizeStyle) -> None:
        super().__init__(venue, channel, symbol, 0.1)
        self._instrument = venue.instrument(symbol)
        self._depth = depth
        self._style = style

    def joined(self, session: Session) -> None:
        session.push(self.encode(self.result()))

    def result(self) -> Any:
        return {
            "t": self._state.now(),
            "contract": self.market,
            "id": self.book.update_id,
            "asks": encoding.levels(self.book.asks.levels(self._depth), self._instrument, self._style),
            "bids": encoding.levels(self.book.bids.levels(self._depth), self._instrument, self._style),
            "l": str(self._depth),
        }

    def encode(self, result: Any) -> str:
        return messages.update(self.channel, result, self._state.now(), event="all")


class Tickers(topics.Tickers):
    """futures.tickers: also when the mark price moves."""

    hears = (LevelChanged, MarkPriceMoved)

    def __init__(self, venue: GateFuturesVenue, channel: str, symbol: Symbol) -> None:
        super().__init__(venue, channel, symbol, lambda: [contract_encoding.ticker_push(venue, symbol)])

    def notice(self, event: EngineEvent) -> None:
        super().notice(event)
        if isinstance(event, MarkPriceMoved) and event.symbol == self.symbol:
            self.mark()


class Liquidations:
    """futures.public_liquidates: everybody's liquidations of a contract (or of all), a second's together."""

    hears = (Liquidated,)
    interval_seconds = 1.0

    def __init__(self, venue: GateFuturesVenue, channel: str, symbol: Symbol | None, style: SizeStyle) -> None:
        self.sessions: dict[Session, None] = {}
        self._venue = venue
        self._channel = channel
        self._symbol = symbol
        self._style = style
        self._gathered: dict[Symbol, list[Json]] = {}
        self._changed = trio.Event()

    def joined(self, session: Session) -> None:
        """Nothing is told of the past."""

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, Liquidated) and self._symbol in (None, event.symbol):
            gathered = self._gathered.setdefault(event.symbol, [])
            gathered.append(self._describe(event))
            self._changed.set()
            if len(gathered) >= _LIQUIDATIONS_MAX:
                self._flush()

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            await trio.sleep(self.interval_seconds)
            self._changed = trio.Event()
            self._flush()

    def _flush(self) -> None:
        for told in self._gathered.values():
            text = messages.update(self._channel, told, self._venue.now())
            for session in self.sessions:
                session.push(text)
        self._gathered.clear()

    def _describe(self, event: Liquidated) -> Json:
        return {
            "price": plain(event.price),
            "size": self._style.write(self._venue.instrument(event.symbol), signed(event.quantity, event.side)),
            "time": event.at_milliseconds,
            "contract": encoding.wire(event.symbol),
        }
