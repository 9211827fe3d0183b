"""Public websocket channels: which topic a name means, and the topics' lives."""

from __future__ import annotations

from market.symbol import Symbol
from simulated.engine.events import OF_MARKETS
from simulated.faults import Faults
from simulated.mexc_spot.topics import BookTicker, BookUpdates, Candles, Trades
from simulated.mexc_spot.venue import MexcVenue
from simulated.session import Session
from simulated.topics import Topic, TopicBoard, TopicKey

_SECONDS = {"10ms": 0.01, "100ms": 0.1}
_CANDLES = {
    "Min1": "1m",
    "Min5": "5m",
    "Min15": "15m",
    "Min30": "30m",
    "Min60": "1h",
    "Hour4": "4h",
    "Hour8": "8h",
    "Day1": "1d",
    "Week1": "7d",
}
_AGGREGATED = ("public.aggre.depth.v3.api.pb", "public.aggre.deals.v3.api.pb", "public.aggre.bookTicker.v3.api.pb")
_CANDLE = "public.kline.v3.api.pb"


class PublicChannels:
    """Who is subscribed to what."""

    def __init__(self, venue: MexcVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._board = TopicBoard(self._make)
        self.run = self._board.run
        venue.engine.subscribe(self._board.notice, OF_MARKETS)

    def has(self, topic: str) -> bool:
        """Is this the name of a topic?"""
        match topic.split("@"):
            case ["spot", channel, interval, wire] if channel in _AGGREGATED:
                return interval in _SECONDS and wire in self._venue.symbols
            case ["spot", "public.kline.v3.api.pb", wire, interval]:
                return interval in _CANDLES and wire in self._venue.symbols
            case _:
                return False

    def subscribe(self, session: Session, topic: str) -> Topic:
        """The topic is to be told by `joined` once the client has its acknowledgement."""
        return self._board.subscribe(session, [(topic,)])[0]

    def unsubscribe(self, session: Session, topic: str | None = None) -> None:
        """Leave this topic, or every one."""
        self._board.unsubscribe(session, None if topic is None else [(topic,)])

    def push_crossed(self, symbol: Symbol) -> None:
        """Every book-update topic of `symbol` tells of a bid above the best ask."""
        for topic in self._board.topics():
            if isinstance(topic, BookUpdates) and topic.symbol == symbol:
                topic.push_crossed()

    def _make(self, key: TopicKey) -> Topic:
        topic = key[0]
        _, channel, first, second = topic.split("@")
        if channel == _CANDLE:
            return Candles(self._venue, self._venue.symbols[first], topic, second, _CANDLES[second])
        symbol, seconds = self._venue.symbols[second], _SECONDS[first]
        if "depth" in channel:
            return BookUpdates(self._venue, symbol, topic, seconds, self._faults)
        if "deals" in channel:
            return Trades(self._venue, symbol, topic, seconds)
        return BookTicker(self._venue, symbol, topic, seconds)
