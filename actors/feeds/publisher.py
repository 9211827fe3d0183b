"""Who gets which market event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import trio

from actors.feeds.codec import PassedOn
from actors.feeds.reports import FeedReport, SubscriberGone
from market.events import BookChanged, BookLost, InstrumentListed, MarketEvent, TradeHappened
from market.instrument import Instrument
from market.symbol import Symbol


class EventSender(Protocol):
    """The sending end of a channel that never makes its sender wait (`actors.channels.latest` or `dropping`)."""

    @property
    def send_nowait(self) -> Callable[[MarketEvent], None]: ...


class FeedSubscriber(msgspec.Struct, frozen=True, kw_only=True):
    """An inbox, and what goes into it: everything about `symbols` (None: all of the feed's), trades only if wanted.

    A book's two events, `BookChanged` and `BookLost`, must share one key in a latest-value inbox: the newer of them counts.
    """

    name: str
    sender: EventSender
    symbols: frozenset[Symbol] | None = None
    wants_trades: bool = False


class Publisher:
    """Sends events to subscribers, without waiting, and remembers what a late subscriber has to know."""

    def __init__(self, exchange: str, symbols: Sequence[Symbol], report: Callable[[FeedReport], None]) -> None:
        self._exchange = exchange
        self._report = report
        self._subscribers: list[FeedSubscriber] = []
        self._instruments: dict[Symbol, InstrumentListed] = {}
        self._books: dict[Symbol, BookChanged | BookLost] = {}
        self._by_symbol: dict[Symbol, list[FeedSubscriber]] = {symbol: [] for symbol in symbols}

    def add(self, subscriber: FeedSubscriber) -> None:
        """From now on `subscriber` gets events; first those that say how things stand. Adding a name again replaces it."""
        self._remove(subscriber.name)
        self._subscribers.append(subscriber)
        for symbol, subscribers in self._by_symbol.items():
            if subscriber.symbols is None or symbol in subscriber.symbols:
                subscribers.append(subscriber)
                for known in (self._instruments.get(symbol), self._books.get(symbol)):
                    if known is not None:
                        self._send((subscriber,), known)

    def list_instrument(self, instrument: Instrument) -> None:
        event = self._instruments[instrument.symbol] = InstrumentListed(instrument)
        self._send(self._by_symbol[instrument.symbol], event)

    def instrument(self, symbol: Symbol) -> Instrument:
        """The rules last published for `symbol`, which must have been."""
        return self._instruments[symbol].instrument

    def change_book(self, event: BookChanged) -> None:
        self._books[event.symbol] = event
        self._send(self._by_symbol[event.symbol], event)

    def lose_book(self, symbol: Symbol, reason: str) -> None:
        """Nobody may use the book of `symbol` any more."""
        event = self._books[symbol] = BookLost(self._exchange, symbol, reason, trio.current_time())
        self._send(self._by_symbol[symbol], event)

    def lose_all(self, reason: str) -> None:
        """Nobody may use any book of this feed any more."""
        for symbol in self._by_symbol:
            self.lose_book(symbol, reason)

    def pass_on(self, event: PassedOn) -> None:
        """Send a trade to those who want trades, anything else to all. Events of symbols that are not ours go nowhere."""
        subscribers = self._by_symbol.get(event.symbol, [])
        if isinstance(event, TradeHappened):
            subscribers = [subscriber for subscriber in subscribers if subscriber.wants_trades]
        self._send(subscribers, event)

    def _send(self, subscribers: Sequence[FeedSubscriber], event: MarketEvent) -> None:
        gone: list[str] = []
        for subscriber in subscribers:
            try:
                subscriber.sender.send_nowait(event)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                gone.append(subscriber.name)
        for name in gone:
            self._remove(name)
            self._report(SubscriberGone(self._exchange, name))

    def _remove(self, name: str) -> None:
        self._subscribers = [subscriber for subscriber in self._subscribers if subscriber.name != name]
        for symbol, subscribers in self._by_symbol.items():
            self._by_symbol[symbol] = [subscriber for subscriber in subscribers if subscriber.name != name]
