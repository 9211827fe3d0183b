"""The public side, looked at with the feed that trading uses: rules of every symbol, and first books until they are whole."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

import trio

from actors.feeds.actor import UnknownSymbol, require_instrument, run_feed
from actors.feeds.book_keeper import ask
from actors.feeds.codec import ProtocolError, RequestRefused
from actors.feeds.publisher import FeedSubscriber
from actors.feeds.reports import (
    BadFrameReceived,
    BookDiscarded,
    ChannelRefused,
    FeedDisconnected,
    FeedReport,
    InstrumentsFailed,
    SnapshotFailed,
)
from actors.feeds.settings import FeedSettings
from assembly.parts import ExchangeParts
from market.clock import WallClock
from market.events import BookChanged, MarketEvent
from market.instrument import Instrument
from market.symbol import Symbol
from network.errors import NetworkError
from network.rest import RestClient

CLOSE_TIMEOUT_SECONDS = 0.5
CONNECT_PART = 0.75  # of the deadline, so that there is time to say why it failed
MARKET_ERRORS = (NetworkError, RequestRefused, ProtocolError)
"""What asking for public data may raise."""


class BooksNotWhole(Exception):
    """The books did not become whole in time; the text says what stood in the way."""


class _FirstBooks:
    """Whoever a feed is run for until its books are whole: its context, its listener and its only subscriber."""

    def __init__(self, scope: trio.CancelScope) -> None:
        self.books: dict[Symbol, BookChanged] = {}
        self.are_whole = False
        self.trouble = ""
        self._scope = scope

    def started(self) -> None:
        self.are_whole = True
        self._scope.cancel()

    def progress(self) -> None:
        """Nobody supervises."""

    def send_nowait(self, event: MarketEvent) -> None:
        if isinstance(event, BookChanged):
            self.books[event.symbol] = event

    def report(self, event: FeedReport) -> None:
        match event:
            case (
                FeedDisconnected(reason=reason)
                | InstrumentsFailed(reason=reason)
                | SnapshotFailed(reason=reason)
                | BookDiscarded(reason=reason)
                | BadFrameReceived(reason=reason)
            ):
                self.trouble = reason
            case ChannelRefused():
                self.trouble = f"{event.channel} is refused: {event.message}"
            case _:
                pass


async def load_instruments(
    parts: ExchangeParts, rest: RestClient, symbols: Sequence[Symbol], *, timeout_seconds: float
) -> dict[Symbol, Instrument | UnknownSymbol]:
    """The rules of each symbol, or that it is not listed.

    Raises:
        NetworkError, RequestRefused, ProtocolError: they could not be had.
    """
    body = await ask(rest, parts.feed_codec, parts.feed_codec.instruments_request(), timeout_seconds)
    listed = {instrument.symbol: instrument for instrument in parts.feed_codec.decode_instruments(body)}
    found: dict[Symbol, Instrument | UnknownSymbol] = {}
    for symbol in symbols:
        try:
            found[symbol] = require_instrument(parts.name, listed, symbol)
        except UnknownSymbol as error:
            found[symbol] = error
    return found


async def first_books(
    parts: ExchangeParts,
    rest: RestClient,
    symbols: Sequence[Symbol],
    *,
    wall_clock: WallClock,
    rng: random.Random,
    deadline_seconds: float,
) -> dict[Symbol, BookChanged]:
    """Run the feed until the first book of every symbol is whole; the books.

    Raises:
        BooksNotWhole: in time, with the last thing that went wrong.
        NetworkError, RequestRefused, ProtocolError: the instruments could not be loaded.
    """
    scope = trio.CancelScope(deadline=trio.current_time() + deadline_seconds)
    watcher = _FirstBooks(scope)
    with scope:
        await run_feed(
            codec=parts.feed_codec,
            rest=rest,
            open_stream=partial(
                parts.limits.open_websocket,
                parts.public_websocket_url,
                headers=parts.feed_codec.websocket_headers,
                connect_timeout_seconds=deadline_seconds * CONNECT_PART,
                close_timeout_seconds=CLOSE_TIMEOUT_SECONDS,
            ),
            symbols=symbols,
            subscribers=[FeedSubscriber(name="doctor", sender=watcher)],
            wall_clock=wall_clock,
            rng=rng,
            settings=FeedSettings(max_age_seconds=parts.settings.book_max_age_seconds),
            context=watcher,
            report=watcher.report,
        )
    if not watcher.are_whole:
        missing = ", ".join(str(symbol) for symbol in symbols if symbol not in watcher.books)
        trouble = f": {watcher.trouble}" if watcher.trouble else ""
        raise BooksNotWhole(f"no whole book of {missing} within {deadline_seconds:g} s{trouble}")
    return watcher.books
