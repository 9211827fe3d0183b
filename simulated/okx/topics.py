"""The public push topics of OKX."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import trio

from market.events import Side
from market.symbol import Symbol
from simulated.book_updates import wrong_level
from simulated.engine.book import BookSide
from simulated.engine.events import EngineEvent, LevelChanged, TradeMade
from simulated.faults import Faults, WrongLevel
from simulated.numbers import plain
from simulated.okx import encoding, messages
from simulated.okx.encoding import Json, Level
from simulated.okx.venue import OkxVenue
from simulated.session import Session
from simulated.tape import INTERVAL_SECONDS
from simulated.topics import BatchedTopic

BOOK_LEVELS = 400
_HEARTBEAT_SECONDS = 60.0
_Views = tuple[dict[str, Level], dict[str, Level]]


class OkxTopic(BatchedTopic):
    """A topic of one channel and instrument."""

    def __init__(self, venue: OkxVenue, channel: str, symbol: Symbol, interval_seconds: float) -> None:
        super().__init__(venue, symbol, interval_seconds)
        self.venue = venue
        self.arg = {"channel": channel, "instId": venue.wire(symbol)}

    def encode(self, result: Any) -> str:
        return messages.push(self.arg, [result])


class Books(OkxTopic):
    """books: the whole book of 400 levels first, then what changed in it, linked by numbers; a heartbeat when nothing does."""

    def __init__(self, venue: OkxVenue, symbol: Symbol, faults: Faults) -> None:
        super().__init__(venue, "books", symbol, 0.1)
        self._faults = faults
        self._sequence = self.book.update_id
        self._sent = self._views()
        self._touched: dict[tuple[Side, Decimal], None] = {}

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, LevelChanged) and event.symbol == self.symbol:
            self._touched[event.side, event.price] = None
            self.mark()

    def joined(self, session: Session) -> None:
        # Everybody else is brought up to this moment first, so that one chain of numbers serves all.
        self.sessions.pop(session, None)
        self.flush()
        self.sessions[session] = None
        bids, asks = ([*view.values()] for view in self._views())
        session.push(messages.push(self.arg, [self._frame(bids, asks, -1)], action="snapshot"))

    def encode(self, result: Any) -> str:
        return messages.push(self.arg, [result], action="update")

    def flush(self) -> None:
        result = self.result()
        if result is None:
            return
        if (wrong := self._faults.take_wrong_level(self.symbol)) is not None:
            self._tell_wrong(result, wrong)
        if not self._faults.take_withheld_update(self.symbol):
            for _ in range(1 + self._faults.take_duplicated_update(self.symbol)):
                self.push(result)

    def result(self) -> Json | None:
        touched, self._touched = self._touched, {}
        book = self.book
        if max(len(book.bids), len(book.asks), *map(len, self._sent)) > BOOK_LEVELS:
            before, self._sent = self._sent, self._views()
            bids, asks = _changes(before[0], self._sent[0]), _changes(before[1], self._sent[1])
        else:  # nothing is out of sight: what was touched is all that can have changed
            bids = self._changes_of_touched([price for side, price in touched if side is Side.BUY], book.bids, self._sent[0])
            asks = self._changes_of_touched([price for side, price in touched if side is Side.SELL], book.asks, self._sent[1])
        if not bids and not asks:
            return None  # there and back within the interval: nothing is pushed, and the numbers stay
        previous, self._sequence = self._sequence, self.book.update_id
        return self._frame(bids, asks, previous)

    def push_crossed(self) -> None:
        """Tell of a bid above the best ask that does not exist; the numbers go on without a gap."""
        ask = self.book.asks.best
        if ask is not None:
            self.flush()
            self.book.update_id += 1
            previous, self._sequence = self._sequence, self.book.update_id
            above = ask + self.venue.engine.instruments[self.symbol].price_tick
            self.push_fault(self._frame([[plain(above), "1", "0", "1"]], [], previous))

    def _tell_wrong(self, frame: Json, wrong: WrongLevel) -> None:
        """Put a level into `frame` that the book does not have so. The checksum, if there is one, is the right book's."""
        level = wrong_level(self.book, wrong, self.venue.engine.instruments[self.symbol].price_tick)
        if level is not None:
            price, size = plain(level[0]), self.venue.listings[self.symbol].size(level[1])
            name = "bids" if wrong.side is Side.BUY else "asks"
            frame[name] = [*(right for right in frame[name] if right[0] != price), [price, size, "0", "1" if level[1] else "0"]]

    async def run(self) -> None:
        while True:
            pushed = self._sequence
            await trio.sleep(_HEARTBEAT_SECONDS)
            if self._sequence == pushed:
                self.push(self._frame([], [], self._sequence))

    def _frame(self, bids: list[Level], asks: list[Level], previous: int) -> Json:
        checksum = encoding.checksum(*self.venue.levels(self.symbol, encoding.CHECKSUM_LEVELS)) if self.venue.settings.book_checksums else 0
        return {
            "asks": asks,
            "bids": bids,
            "ts": str(self.venue.now()),
            "checksum": checksum,
            "prevSeqId": previous,
            "seqId": self._sequence,
        }

    def _changes_of_touched(self, prices: list[Decimal], side: BookSide, sent: dict[str, Level]) -> list[Level]:
        """As `_changes`; `sent` then holds what is sent now."""
        changed: list[Level] = []
        for price in prices:
            name = plain(price)
            level, before = encoding.level(self.venue.listings[self.symbol], side, price), sent.get(name)
            if level is None:
                if before is not None:
                    del sent[name]
                    changed.append([name, "0", "0", "0"])
            elif before is None or before[1] != level[1]:
                sent[name] = level
                changed.append(level)
        return changed

    def _views(self) -> _Views:
        bids, asks = ({level[0]: level for level in levels} for levels in self.venue.levels(self.symbol, BOOK_LEVELS))
        return bids, asks


def _changes(before: dict[str, Level], now: dict[str, Level]) -> list[Level]:
    """Levels that are gone, with quantity 0, and levels whose quantity is another."""
    gone = [[price, "0", "0", "0"] for price in before if price not in now]
    return gone + [level for price, level in now.items() if price not in before or before[price][1] != level[1]]


class FullBook(OkxTopic):
    """books5 and bbo-tbt: the best levels, whole, when they have changed."""

    def __init__(self, venue: OkxVenue, channel: str, symbol: Symbol, depth: int, interval_seconds: float) -> None:
        super().__init__(venue, channel, symbol, interval_seconds)
        self._depth = depth
        self._sent: tuple[list[Level], list[Level]] | None = None

    def joined(self, session: Session) -> None:
        self._sent = None
        self.mark()

    def result(self) -> Json | None:
        view = self.venue.levels(self.symbol, self._depth)
        if view == self._sent:
            return None
        self._sent = view
        bids, asks = view
        return {
            "asks": asks,
            "bids": bids,
            "instId": self.arg["instId"],
            "ts": str(self.venue.now()),
            "seqId": self.book.update_id,
        }


class Tickers(OkxTopic):
    """tickers: the day's figures, when there was a trade or the best bid or ask has changed (as the channel's documentation says)."""

    hears = (LevelChanged, TradeMade)

    def __init__(self, venue: OkxVenue, symbol: Symbol) -> None:
        super().__init__(venue, "tickers", symbol, 0.1)
        self._best = {side: self.book.side(side).best for side in Side}

    def joined(self, session: Session) -> None:
        self.mark()

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, LevelChanged) and event.symbol == self.symbol:
            best = self.book.side(event.side).best
            if event.price == best or best != self._best[event.side]:
                self._best[event.side] = best
                self.mark()
        elif isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self.mark()

    def result(self) -> Json:
        return self.venue.ticker(self.symbol)


class Candles(OkxTopic):
    """candle1m and so on: the running candle, every second while there are trades."""

    hears = (TradeMade,)

    def __init__(self, venue: OkxVenue, channel: str, symbol: Symbol) -> None:
        super().__init__(venue, channel, symbol, 1.0)
        self._interval = encoding.BARS[channel.removeprefix("candle")]

    def joined(self, session: Session) -> None:
        self.mark()

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            self.mark()

    def result(self) -> list[str] | None:
        one = self.venue.tapes[self.symbol].last_candle(self._interval)
        return None if one is None else self.venue.candle(self.symbol, one, INTERVAL_SECONDS[self._interval])


class Trades(OkxTopic):
    """trades and trades-all: each trade as it happens, from the taker's side."""

    hears = (TradeMade,)

    def __init__(self, venue: OkxVenue, channel: str, symbol: Symbol) -> None:
        super().__init__(venue, channel, symbol, 0.0)

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, TradeMade) and event.trade.symbol == self.symbol:
            trade = self.venue.tapes[self.symbol].trades[-1]
            self.push({**encoding.public_trade(self.venue.listings[self.symbol], trade), "count": "1"})
