"""Public websocket channels: which topic an argument means, and on which path it is."""

from __future__ import annotations

from typing import Any

from market.symbol import Symbol
from simulated.faults import Faults
from simulated.okx import encoding
from simulated.okx.errors import OkxError
from simulated.okx.topics import Books, Candles, FullBook, Tickers, Trades
from simulated.okx.venue import OkxVenue
from simulated.session import Session
from simulated.topics import Topic, TopicBoard, TopicKey

_PATHS = {"books": "public", "books5": "public", "bbo-tbt": "public", "tickers": "public", "trades": "public", "trades-all": "business"}


class PublicChannels:
    """Who is subscribed to what."""

    def __init__(self, venue: OkxVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._board = TopicBoard(self._make)
        self.run = self._board.run
        self.unsubscribe = self._board.unsubscribe
        venue.engine.subscribe(self._board.notice)

    def key_of(self, arg: dict[str, Any], path: str) -> TopicKey:
        """The topic that an argument means. Raises: OkxError: there is none such on this path."""
        channel, instrument = str(arg.get("channel", "")), str(arg.get("instId", ""))
        is_candle = channel.removeprefix("candle") in encoding.BARS and channel.startswith("candle")
        if (_PATHS.get(channel) or ("business" if is_candle else None)) != path or instrument not in self._venue.symbols:
            raise no_such_channel(arg)
        return (channel, instrument)

    def subscribe(self, session: Session, key: TopicKey) -> Topic:
        (topic,) = self._board.subscribe(session, [key])
        return topic

    def push_crossed(self, symbol: Symbol) -> None:
        """Every book topic of `symbol` tells of a bid above the best ask."""
        for topic in self._board.topics():
            if isinstance(topic, Books) and topic.symbol == symbol:
                topic.push_crossed()

    def _make(self, key: TopicKey) -> Topic:
        channel, symbol = key[0], self._venue.symbols[key[1]]
        match channel:
            case "books":
                return Books(self._venue, symbol, self._faults)
            case "books5":
                return FullBook(self._venue, channel, symbol, 5, 0.1)
            case "bbo-tbt":
                return FullBook(self._venue, channel, symbol, 1, 0.01)
            case "tickers":
                return Tickers(self._venue, symbol)
            case "trades" | "trades-all":
                return Trades(self._venue, channel, symbol)
            case _:
                return Candles(self._venue, channel, symbol)


def no_such_channel(arg: dict[str, Any]) -> OkxError:
    named = ",".join(f"{name}:{value}" for name, value in arg.items())
    return OkxError("60018", f"Wrong URL or {named} doesn't exist. Please use the correct URL, channel and parameters.")
