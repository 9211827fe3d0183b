"""Public websocket channels: which topic a payload means, and the topics' lives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from market.symbol import Symbol
from simulated.faults import Faults
from simulated.gateio_spot.errors import GateError
from simulated.gateio_spot.topics import (
    BookDepth,
    BookTicker,
    BookUpdates,
    Candlesticks,
    FullBook,
    Tickers,
    Trades,
)
from simulated.gateio_spot.venue import GateVenue
from simulated.session import Session
from simulated.tape import INTERVAL_SECONDS
from simulated.topics import Topic, TopicBoard, TopicKey

_UPDATE_DEPTHS = {"100ms": 100, "20ms": 20}
_OBU_INTERVALS = {"50": 0.02, "400": 0.1}
_FULL_DEPTHS = ("5", "10", "20", "50", "100")
_PER_PAIR: dict[str, Callable[[GateVenue, Symbol], Topic]] = {
    "spot.trades": Trades,
    "spot.tickers": Tickers,
    "spot.book_ticker": BookTicker,
}


class PublicChannels:
    """Who is subscribed to what."""

    def __init__(self, venue: GateVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._board = TopicBoard(self._make)
        self.run = self._board.run
        self.unsubscribe = self._board.unsubscribe
        venue.engine.subscribe(self._board.notice)

    def keys_of(self, channel: str, payload: list[str]) -> list[TopicKey]:
        """The topics that a payload means; one unknown pair fails all of them. Raises: GateError."""
        if channel in _PER_PAIR:
            if not payload:
                raise GateError("INVALID_PARAM_VALUE", "payload must name currency pairs")
            return [(channel, self._pair(pair)) for pair in payload]
        match channel, payload:
            case "spot.order_book_update", [pair, ("100ms" | "20ms") as interval]:
                return [(channel, self._pair(pair), interval)]
            case "spot.order_book", [pair, depth, ("100ms" | "1000ms") as interval] if depth in _FULL_DEPTHS:
                return [(channel, self._pair(pair), depth, interval)]
            case "spot.candlesticks", [interval, pair] if interval in INTERVAL_SECONDS:
                return [(channel, self._pair(pair), interval)]
            case "spot.obu", [*names] if names:
                return [self._obu_key(name) for name in names]
            case _:
                raise GateError("INVALID_PARAM_VALUE", f"invalid argument: {channel} {payload}")

    def subscribe(self, session: Session, keys: list[TopicKey]) -> list[Topic]:
        """Subscribe to each; the topics are to be told by `joined` once the client has its acknowledgement.

        Raises:
            GateError: a depth topic is already subscribed on this connection.
        """
        for key in keys:
            topic = self._board.topic(key)
            if key[0] == "spot.obu" and topic is not None and session in topic.sessions:
                raise GateError("INVALID_PARAM_VALUE", f"Alert sub ob.{key[1]}.{key[2]}")
        return self._board.subscribe(session, keys)

    def push_crossed(self, symbol: Symbol) -> None:
        """Every book-update topic of `symbol` tells of a bid above the best ask."""
        for topic in self._board.topics():
            if isinstance(topic, BookUpdates) and topic.symbol == symbol:
                topic.push_crossed()

    def _make(self, key: TopicKey) -> Topic:
        channel, symbol = key[0], self._venue.symbols[key[1]]
        if channel in _PER_PAIR:
            return _PER_PAIR[channel](self._venue, symbol)
        if channel == "spot.order_book_update":
            return BookUpdates(self._venue, symbol, int(key[2][:-2]) / 1000, _UPDATE_DEPTHS[key[2]], self._faults)
        if channel == "spot.order_book":
            return FullBook(self._venue, symbol, int(key[3][:-2]) / 1000, int(key[2]))
        if channel == "spot.candlesticks":
            return Candlesticks(self._venue, symbol, key[2])
        return BookDepth(self._venue, symbol, f"ob.{key[1]}.{key[2]}", _OBU_INTERVALS[key[2]], int(key[2]), self._faults)

    def _obu_key(self, name: str) -> TopicKey:
        with contextlib.suppress(ValueError):
            prefix, pair, depth = name.split(".")
            if prefix == "ob" and depth in _OBU_INTERVALS:
                return ("spot.obu", self._pair(pair), depth)
        raise GateError("INVALID_PARAM_VALUE", f"invalid argument: {name}")

    def _pair(self, pair: str) -> str:
        if pair not in self._venue.symbols:
            raise GateError("INVALID_CURRENCY_PAIR", f"unknown currency pair {pair}")
        return pair
