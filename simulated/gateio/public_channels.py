"""Public websocket channels: which topic a payload means, and the topics' lives."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod

from market.symbol import Symbol
from simulated.book_updates import BookUpdates
from simulated.engine.events import OF_MARKETS
from simulated.faults import Faults
from simulated.gateio.errors import GateError
from simulated.gateio.session import GateSession
from simulated.topics import Topic, TopicBoard, TopicKey
from simulated.venue import Venue

OBU_INTERVALS_SECONDS = {"50": 0.02, "400": 0.1}


class PublicChannels(ABC):
    """Who is subscribed to what; subclasses know the channels and make their topics."""

    channels: tuple[str, ...]

    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._board = TopicBoard(self.make)
        self.run = self._board.run
        self.unsubscribe = self._board.unsubscribe
        venue.engine.subscribe(self._board.notice, OF_MARKETS)

    @abstractmethod
    def keys_of(self, session: GateSession, channel: str, payload: list[str]) -> list[TopicKey]:
        """The topics that a payload means; one unknown market fails all of them. Raises: GateError."""

    @abstractmethod
    def make(self, key: TopicKey) -> Topic: ...

    @abstractmethod
    def market(self, name: str) -> str:
        """`name` itself. Raises: GateError: no such market."""

    def subscribe(self, session: GateSession, keys: list[TopicKey]) -> list[Topic]:
        """Subscribe to each; the topics are to be told by `joined` once the client has its acknowledgement.

        Raises:
            GateError: a depth topic is already subscribed on this connection.
        """
        for key in keys:
            topic = self._board.topic(key)
            if key[0].endswith(".obu") and topic is not None and session in topic.sessions:
                raise GateError("INVALID_PARAM_VALUE", f"Alert sub ob.{key[1]}.{key[2]}")
        return self._board.subscribe(session, keys)

    def push_crossed(self, symbol: Symbol) -> None:
        """Every book-update topic of `symbol` tells of a bid above the best ask."""
        for topic in self._board.topics():
            if isinstance(topic, BookUpdates) and topic.symbol == symbol:
                topic.push_crossed()

    def obu_key(self, channel: str, name: str) -> TopicKey:
        """The topic that ``ob.MARKET.DEPTH`` means. Raises: GateError: none."""
        with contextlib.suppress(ValueError):
            prefix, market, depth = name.split(".")
            if prefix == "ob" and depth in OBU_INTERVALS_SECONDS:
                return (channel, self.market(market), depth)
        raise GateError("INVALID_PARAM_VALUE", f"invalid argument: {name}")
