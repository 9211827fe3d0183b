"""The feed actor: one per exchange. It keeps the books of its symbols whole and fresh, and tells its subscribers."""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Mapping, Sequence

import msgspec
import trio

from actors.feeds.book_keeper import ask
from actors.feeds.book_sync import BookSynchroniser
from actors.feeds.codec import FeedCodec, ProtocolError, RequestRefused
from actors.feeds.connection import Connection
from actors.feeds.measures import FeedMeasures
from actors.feeds.ports import FeedContext, PublicRest, StreamOpener
from actors.feeds.publisher import FeedSubscriber, Publisher
from actors.feeds.reports import FeedConnected, FeedDisconnected, FeedReport, InstrumentsFailed, InstrumentsLoaded
from actors.feeds.settings import FeedSettings
from actors.feeds.tracked_book import TrackedBook
from market.clock import WallClock
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from network.backoff import Backoff
from network.errors import BreakerOpen, ConnectionFailed, NetworkError

_PROGRESS_SECONDS = 1.0


class UnknownSymbol(Exception):
    """The exchange does not list a symbol that the feed was asked to follow. The user's to fix; trying again will not help."""

    def __init__(self, exchange: str, symbol: Symbol, near: Sequence[str]) -> None:
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"{exchange} does not list {symbol}{hint}")
        self.exchange = exchange
        self.symbol = symbol
        self.near = tuple(near)


def require_instrument(exchange: str, listed: Mapping[Symbol, Instrument], symbol: Symbol) -> Instrument:
    """The rules of `symbol`.

    Raises:
        UnknownSymbol: it is not among what `exchange` lists.
    """
    instrument = listed.get(symbol)
    if instrument is None:
        raise UnknownSymbol(exchange, symbol, difflib.get_close_matches(str(symbol), map(str, listed), n=3))
    return instrument


async def run_feed(
    *,
    codec: FeedCodec,
    rest: PublicRest,
    open_stream: StreamOpener,
    symbols: Sequence[Symbol],
    subscribers: Sequence[FeedSubscriber],
    subscriptions: trio.abc.ReceiveChannel[FeedSubscriber] | None = None,
    wall_clock: WallClock,
    rng: random.Random,
    settings: FeedSettings | None = None,
    measures: FeedMeasures | None = None,
    context: FeedContext,
    report: Callable[[FeedReport], None],
) -> None:
    """Follow `symbols` until cancelled.

    Publishes `InstrumentListed` for each symbol, then `BookChanged` for every change of a whole and fresh book and
    `BookLost` the moment a book may no longer be used, tickers, and trades to those who want them. Says
    `context.started()` once every symbol's first book is whole. A lost connection is opened again for as long as it takes,
    with a back-off and jitter from `rng`; instruments are loaded again every hour.

    Whoever comes by `subscriptions` (a restarted cycle, say) is told at once how things stand, then gets events like
    `subscribers`. Channel ends, the REST client and the subscribers' inboxes belong to the caller, who closes them.

    However this ends, cancelled or failed, every book has been published as lost; nothing else is left behind.

    Raises:
        UnknownSymbol: a symbol is not listed.
        NetworkError, RequestRefused, ProtocolError: the instruments could not be loaded, after several tries.
    """
    feed = _Feed(
        codec, rest, open_stream, symbols, wall_clock, rng, settings or FeedSettings(), measures or FeedMeasures(), context, report
    )
    for subscriber in subscribers:
        feed.publisher.add(subscriber)
    try:
        await feed.load_instruments()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.reload_instruments)
            if subscriptions is not None:
                nursery.start_soon(feed.admit, subscriptions)
            await feed.stay_connected()
    finally:
        feed.publisher.lose_all("the feed has stopped")


class _Feed:
    """What `run_feed` is made of; lives as long as one call of it."""

    def __init__(
        self,
        codec: FeedCodec,
        rest: PublicRest,
        open_stream: StreamOpener,
        symbols: Sequence[Symbol],
        wall_clock: WallClock,
        rng: random.Random,
        settings: FeedSettings,
        measures: FeedMeasures,
        context: FeedContext,
        report: Callable[[FeedReport], None],
    ) -> None:
        def tell(event: FeedReport) -> None:
            measures.note(event)
            report(event)

        self.publisher = Publisher(codec.identity.name, symbols, tell)
        self._codec = codec
        self._exchange = codec.identity.name
        self._rest = rest
        self._open_stream = open_stream
        self._symbols = tuple(dict.fromkeys(symbols))
        self._wall_clock = wall_clock
        self._rng = rng
        self._settings = settings
        self._measures = measures
        self._context = context
        self._report = tell
        self._reconnecting = self._new_backoff()
        self._never_whole = set(self._symbols)
        self._books = [self._new_book(symbol) for symbol in self._symbols]
        measures.follow(self._books)

    def _new_backoff(self) -> Backoff:
        settings = self._settings
        return Backoff(settings.retry_initial_seconds, 2.0, settings.retry_seconds_max, settings.retry_jitter, self._rng)

    def _new_book(self, symbol: Symbol) -> TrackedBook:
        synchroniser = BookSynchroniser(
            symbol,
            self._codec.sequence_rule,
            buffer_max=self._settings.buffer_deltas_max,
            checksum_agrees=self._codec.checksum_agrees,
        )
        return TrackedBook(synchroniser, self._new_backoff(), self._settings.resync_period_seconds)

    # Connections

    async def stay_connected(self) -> None:
        while True:
            began_at = trio.current_time()
            try:
                async with self._open_stream() as stream:
                    self._report(FeedConnected(self._exchange))
                    connection = Connection(
                        codec=self._codec,
                        rest=self._rest,
                        stream=stream,
                        books=self._books,
                        publisher=self.publisher,
                        wall_clock=self._wall_clock,
                        new_backoff=self._new_backoff,
                        settings=self._settings,
                        measures=self._measures,
                        context=self._context,
                        report=self._report,
                        became_whole=self._note_whole,
                    )
                    try:
                        reason = await connection.run()
                    finally:
                        # Before the connection is closed, which may take seconds: its books are not to be believed any more.
                        connection.close("the feed is stopping")
            except ConnectionFailed as error:
                reason = str(error)
            if trio.current_time() - began_at > self._settings.retry_seconds_max:
                self._reconnecting.reset()  # it lasted: this is no series of failures
            retry_seconds = self._reconnecting.next_delay_seconds()
            self._report(FeedDisconnected(self._exchange, reason, retry_seconds))
            await self._pause(retry_seconds)

    def _note_whole(self, symbol: Symbol) -> None:
        if symbol in self._never_whole:
            self._never_whole.remove(symbol)
            if not self._never_whole:
                self._context.started()

    async def _pause(self, seconds: float) -> None:
        """Sleep, showing signs of life."""
        until = trio.current_time() + seconds
        while (remaining := until - trio.current_time()) > 0:
            self._context.progress()
            await trio.sleep(min(remaining, _PROGRESS_SECONDS))

    # Instruments

    async def load_instruments(self) -> None:
        """Load and publish the rules of the feed's instruments, trying several times."""
        backoff = self._new_backoff()
        for _ in range(self._settings.instruments_attempts_max - 1):
            try:
                return await self._load_instruments(self._require)
            except (NetworkError, RequestRefused, ProtocolError) as error:
                self._report(InstrumentsFailed(self._exchange, str(error)))
                delay_seconds = backoff.next_delay_seconds()
                if isinstance(error, BreakerOpen):
                    delay_seconds = max(delay_seconds, error.retry_at_monotonic - trio.current_time())
                    backoff.reset()  # nothing was asked: when it may be, that is a first time
                await self._pause(delay_seconds)
        return await self._load_instruments(self._require)

    async def reload_instruments(self) -> None:
        """Keep the rules up to date; those that are known stay in force while the exchange cannot be asked."""
        backoff = self._new_backoff()
        delay_seconds = self._settings.instruments_reload_seconds
        while True:
            await trio.sleep(delay_seconds)
            try:
                await self._load_instruments(self._find_or_close)
            except (NetworkError, RequestRefused, ProtocolError) as error:
                self._report(InstrumentsFailed(self._exchange, str(error)))
                delay_seconds = backoff.next_delay_seconds()
            else:
                backoff.reset()
                delay_seconds = self._settings.instruments_reload_seconds

    async def _load_instruments(self, find: Callable[[Mapping[Symbol, Instrument], Symbol], Instrument]) -> None:
        self._context.progress()
        body = await ask(self._rest, self._codec, self._codec.instruments_request(), self._settings.request_timeout_seconds)
        listed = {instrument.symbol: instrument for instrument in self._codec.decode_instruments(body)}
        instruments = [find(listed, symbol) for symbol in self._symbols]
        for instrument in instruments:
            self.publisher.list_instrument(instrument)
        self._report(InstrumentsLoaded(self._exchange, len(listed)))

    def _require(self, listed: Mapping[Symbol, Instrument], symbol: Symbol) -> Instrument:
        return require_instrument(self._exchange, listed, symbol)

    def _find_or_close(self, listed: Mapping[Symbol, Instrument], symbol: Symbol) -> Instrument:
        """A symbol that has been taken off the list is published as closed: nothing can be traded there any more."""
        if symbol in listed:
            return listed[symbol]
        return msgspec.structs.replace(self.publisher.instrument(symbol), status=TradingStatus.CLOSED)

    # Subscribers

    async def admit(self, subscriptions: trio.abc.ReceiveChannel[FeedSubscriber]) -> None:
        """Take in late subscribers until the channel is closed."""
        async for subscriber in subscriptions:
            self.publisher.add(subscriber)
