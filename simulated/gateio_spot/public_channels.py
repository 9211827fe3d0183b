"""Public websocket channels: which topic a payload means, and the topics' lives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import trio

from market.symbol import Symbol
from simulated.engine.events import EngineEvent
from simulated.faults import Faults
from simulated.gateio_spot.errors import GateError
from simulated.gateio_spot.topics import (
    BookDepth,
    BookTicker,
    BookUpdates,
    Candlesticks,
    FullBook,
    Tickers,
    Topic,
    Trades,
)
from simulated.gateio_spot.venue import GateVenue
from simulated.session import Session
from simulated.tape import INTERVAL_SECONDS

_UPDATE_DEPTHS = {"100ms": 100, "20ms": 20}
_OBU_INTERVALS = {"50": 0.02, "400": 0.1}
_FULL_DEPTHS = ("5", "10", "20", "50", "100")
_PER_PAIR: dict[str, Callable[[GateVenue, Symbol], Topic]] = {
    "spot.trades": Trades,
    "spot.tickers": Tickers,
    "spot.book_ticker": BookTicker,
}

TopicKey = tuple[str, ...]


class PublicChannels:
    """Creates a topic with its first subscriber and ends it with its last."""

    def __init__(self, venue: GateVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._topics: dict[TopicKey, Topic] = {}
        self._scopes: dict[TopicKey, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        venue.engine.subscribe(self._notice)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be home to the topics' tasks until cancelled; then every topic is gone."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._topics.clear()
            self._scopes.clear()

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
            topic = self._topics.get(key)
            if key[0] == "spot.obu" and topic is not None and session in topic.sessions:
                raise GateError("INVALID_PARAM_VALUE", f"Alert sub ob.{key[1]}.{key[2]}")
        topics: list[Topic] = []
        for key in keys:
            topic = self._topics.get(key)
            if topic is None:
                topic = self._topics[key] = self._make(key)
                self._start(key, topic)
            topic.sessions[session] = None
            topics.append(topic)
        return topics

    def unsubscribe(self, session: Session, keys: list[TopicKey] | None = None) -> None:
        """Leave these topics, or every one."""
        for key in list(self._topics) if keys is None else keys:
            topic = self._topics.get(key)
            if topic is not None:
                topic.sessions.pop(session, None)
                if not topic.sessions:
                    del self._topics[key]
                    self._scopes.pop(key).cancel()

    def push_crossed(self, symbol: Symbol) -> None:
        """Every book-update topic of `symbol` tells of a bid above the best ask."""
        for topic in self._topics.values():
            if isinstance(topic, BookUpdates) and topic.symbol == symbol:
                topic.push_crossed()

    def _notice(self, event: EngineEvent) -> None:
        for topic in self._topics.values():
            topic.notice(event)

    def _start(self, key: TopicKey, topic: Topic) -> None:
        scope = self._scopes[key] = trio.CancelScope()

        async def run() -> None:
            with scope:
                await topic.run()

        if self._nursery is not None:
            self._nursery.start_soon(run)

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
