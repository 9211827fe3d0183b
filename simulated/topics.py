"""Public push topics. A topic lives while somebody is subscribed; it gathers changes and flushes them at its interval.

Between flushes nobody wakes before the first change, so that a quiet market costs nothing, in real or virtual time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import trio

from market.symbol import Symbol
from network.causes import current_cause
from simulated.engine.book import Book
from simulated.engine.events import EngineEvent, LevelChanged
from simulated.session import Session
from simulated.venue import Venue

TopicKey = tuple[str, ...]
"""A channel and whatever else names a topic of it."""


class Topic(Protocol):
    """One channel with one payload. `interval_seconds` 0 means that pushes leave at once."""

    sessions: dict[Session, None]
    interval_seconds: float

    @property
    def hears(self) -> tuple[type[EngineEvent], ...]:
        """The kinds of events that it wants to notice."""
        ...

    def joined(self, session: Session) -> None:
        """`session` has subscribed and its subscription is acknowledged."""
        ...

    def notice(self, event: EngineEvent) -> None:
        """Something happened; cheap, because it happens often."""
        ...

    async def run(self) -> None:
        """Tell what no event tells of, until cancelled."""
        ...


class Beat:
    """Flushes what was marked, at the next multiple of an interval: one task for all topics of a board that have this interval."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._marked: dict[BatchedTopic, None] = {}
        self._waiting = trio.lowlevel.ParkingLot()

    def mark(self, topic: BatchedTopic) -> None:
        """It has something to push."""
        self._marked[topic] = None
        if self._waiting:
            self._waiting.unpark_all()

    async def run(self) -> None:
        """Flush until cancelled; those that nobody is subscribed to any more are left out."""
        interval = self._interval_seconds
        while True:
            if not self._marked:
                await self._waiting.park()
            await trio.sleep_until((math.floor(trio.current_time() / interval) + 1) * interval)
            marked, self._marked = self._marked, {}
            for topic in marked:
                if topic.sessions:
                    topic.flush()


class BatchedTopic:
    """Shared by the topics that flush at an interval, with the beat that their board has for it. `result` says what is to be pushed,
    `encode` how that is written."""

    hears: tuple[type[EngineEvent], ...] = (LevelChanged,)

    def __init__(self, venue: Venue, symbol: Symbol, interval_seconds: float) -> None:
        self.sessions: dict[Session, None] = {}
        self.interval_seconds = interval_seconds
        self.symbol = symbol
        self.beat: Beat | None = None
        self._state = venue

    @property
    def book(self) -> Book:
        return self._state.engine.books[self.symbol]

    def joined(self, session: Session) -> None:
        """Most topics say nothing until something changes."""

    def notice(self, event: EngineEvent) -> None:
        if isinstance(event, LevelChanged) and event.symbol == self.symbol:
            self.mark()

    def mark(self) -> None:
        if self.beat is not None:
            self.beat.mark(self)

    def flush(self) -> None:
        result = self.result()
        if result is not None:
            self.push(result)

    def result(self) -> Any:
        raise NotImplementedError

    def encode(self, result: Any) -> str | bytes:
        raise NotImplementedError

    def push(self, result: Any) -> None:
        message = self.encode(result)
        for session in self.sessions:
            session.push(message)

    def push_fault(self, result: Any) -> None:
        """As `push`, of what is not so."""
        self.push(result)
        if self.sessions:
            current_cause().had_effect()

    async def run(self) -> None:
        await trio.sleep_forever()


class TopicBoard:
    """Creates a topic by `make` with its first subscriber and ends it with its last."""

    def __init__(self, make: Callable[[TopicKey], Topic]) -> None:
        self._make = make
        self._topics: dict[TopicKey, Topic] = {}
        self._scopes: dict[TopicKey, trio.CancelScope] = {}
        self._beats: dict[float, Beat] = {}
        self._nursery: trio.Nursery | None = None

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
            self._beats.clear()

    def topics(self) -> list[Topic]:
        return list(self._topics.values())

    def topic(self, key: TopicKey) -> Topic | None:
        return self._topics.get(key)

    def subscribe(self, session: Session, keys: list[TopicKey]) -> list[Topic]:
        """Subscribe to each; the topics are to be told by `joined` once the client has its acknowledgement."""
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

    def notice(self, event: EngineEvent) -> None:
        kind = type(event)
        for topic in self._topics.values():
            if kind in topic.hears:
                topic.notice(event)

    def _start(self, key: TopicKey, topic: Topic) -> None:
        scope = self._scopes[key] = trio.CancelScope()

        async def run() -> None:
            with scope:
                await topic.run()

        if self._nursery is not None:
            self._nursery.start_soon(run)
            if isinstance(topic, BatchedTopic) and topic.interval_seconds:
                topic.beat = self._beat(topic.interval_seconds, self._nursery)

    def _beat(self, interval_seconds: float, nursery: trio.Nursery) -> Beat:
        if interval_seconds not in self._beats:
            self._beats[interval_seconds] = Beat(interval_seconds)
            nursery.start_soon(self._beats[interval_seconds].run)
        return self._beats[interval_seconds]
