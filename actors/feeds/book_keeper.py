"""The books of one connection: their decisions carried out, their snapshots fetched, their freshness watched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVarTuple

import trio

from actors.feeds.book_sync import Decisions, ExpectPush, FetchSnapshot, LossKind, Lost, Publish, Resubscribe, SnapshotRejected, Withhold
from actors.feeds.codec import BookDeltaDecoded, BookSnapshotDecoded, FeedCodec, ProtocolError, PublicRequest, RequestRefused
from actors.feeds.ports import PublicRest
from actors.feeds.publisher import Publisher
from actors.feeds.reports import BookDiscarded, BookSynchronised, FeedReport, SnapshotFailed
from actors.feeds.settings import FeedSettings
from actors.feeds.tracked_book import TrackedBook
from market.book import OrderBook
from market.events import BookChanged
from market.symbol import Symbol
from network.errors import NetworkError

Ts = TypeVarTuple("Ts")


class ConnectionLink(Protocol):
    """What the books need of the connection that carries them."""

    def start(self, work: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        """Run `work` for as long as the connection lives, at most."""
        ...

    def end(self, reason: str) -> None:
        """Give the connection up; every book is closed when this returns."""
        ...

    async def renew_subscription(self, symbol: Symbol) -> None:
        """Unsubscribe from the book of `symbol` and subscribe again."""
        ...


class BookKeeper:
    """Keeps the books of one connection whole and proven. What comes from the stream is handed in without waiting.

    Freshness. Gate.io and most others push nothing while a book does not change, so silence proves neither that a quiet
    book is still true nor that it is not. A book is *proven* at the moment when a delta was applied to it, or when a REST
    snapshot that bears the very sequence number of the local book was asked for (`max_age_seconds` / 2 after the last
    proof); a snapshot with the very same levels proves it, too. One that bears the number and has other levels where the book
    is published shows it to be wrong: it is lost and fetched anew. A proof by REST is published anew, with its time, so that a
    reader's own rule on age holds for quiet books.
    A snapshot that is ahead gives the stream `mismatch_grace_seconds` to catch up; if it does not, the subscription is
    dead though the socket lives: the book is lost and fetched anew, and when it happens again soon the connection is ended.
    A book that nothing proved for `max_age_seconds` is lost whatever the reason, also when REST cannot be reached.

    This costs one request per quiet symbol every `max_age_seconds` / 2: with Gate.io's 20 a second, room for 50 symbols.
    """

    def __init__(
        self,
        link: ConnectionLink,
        books: Sequence[TrackedBook],
        *,
        codec: FeedCodec,
        rest: PublicRest,
        publisher: Publisher,
        settings: FeedSettings,
        report: Callable[[FeedReport], None],
        became_whole: Callable[[Symbol], None],
    ) -> None:
        self.books = {book.symbol: book for book in books}
        self._link = link
        self._codec = codec
        self._exchange = codec.identity.name
        self._rest = rest
        self._publisher = publisher
        self._settings = settings
        self._report = report
        self._became_whole = became_whole

    def open(self) -> None:
        for book in self.books.values():
            book.synchroniser.open()

    def close(self, reason: str) -> None:
        """Make every book unusable at once; those that are closed already stay as they are."""
        for book in self.books.values():
            self._carry_out(book, book.synchroniser.close(reason), trio.current_time())

    def apply_delta(self, delta: BookDeltaDecoded, received_at: float) -> None:
        """A delta of a book that is not ours is ignored."""
        book = self.books.get(delta.symbol)
        if book is not None:
            self._carry_out(book, book.synchroniser.apply_delta(delta), received_at)

    def confirm(self, symbol: Symbol, received_at: float) -> None:
        """The book of `symbol` is subscribed."""
        book = self.books[symbol]
        self._carry_out(book, book.synchroniser.confirm(), received_at)

    def discard(self, symbol: Symbol | None, reason: str) -> None:
        """A frame about the book of `symbol`, or about nobody knows which, could not be read."""
        concerned = [self.books[symbol]] if symbol in self.books else self.books.values()
        for book in concerned:
            if book.is_open:  # breaking one may have been the last straw, and the connection be ended
                self._carry_out(book, book.synchroniser.discard(LossKind.BAD_FRAME, reason), trio.current_time())

    def _carry_out(self, book: TrackedBook, decisions: Decisions, proven_at: float) -> None:
        """Do what a synchroniser decided. `proven_at` is the time at which the book, if there is one, was the exchange's."""
        for decision in decisions:
            match decision:
                case Publish():
                    book.proven_at = proven_at
                    self._publish(book)
                case Withhold():
                    book.proven_at = proven_at
                    self._publisher.lose_book(book.symbol, decision.reason)
                case Lost():
                    self._publisher.lose_book(book.symbol, decision.reason)
                    self._report(BookDiscarded(self._exchange, book.symbol, decision.kind, decision.reason))
                    if decision.kind is not LossKind.DISCONNECTED:
                        self._count_resync(book, decision.reason)
                case SnapshotRejected():
                    self._report(SnapshotFailed(self._exchange, book.symbol, decision.reason))
                    self._count_resync(book, decision.reason)
                case FetchSnapshot():
                    self._link.start(self._fetch_snapshot, book, decision)
                case ExpectPush():
                    self._link.start(self._expect_push, book, decision)
                case Resubscribe():
                    self._link.start(self._resubscribe, book, decision)
        synchroniser = book.synchroniser
        if book.is_whole and book.reported_generation != synchroniser.generation:
            book.reported_generation = synchroniser.generation
            book.backoff.reset()
            self._report(BookSynchronised(self._exchange, book.symbol, synchroniser.generation, synchroniser.book.sequence))
            self._became_whole(book.symbol)

    def _publish(self, book: TrackedBook) -> None:
        synchroniser = book.synchroniser
        bids, asks = synchroniser.book.top(self._settings.depth_levels)
        self._publisher.change_book(
            BookChanged(
                self._exchange,
                synchroniser.symbol,
                bids,
                asks,
                synchroniser.book.sequence,
                synchroniser.generation,
                synchroniser.exchange_time_milliseconds,
                book.proven_at,
            )
        )

    def _count_resync(self, book: TrackedBook, reason: str) -> None:
        if book.resyncs.add(trio.current_time()) > self._settings.resyncs_max:
            self._link.end(f"the book of {book.symbol} does not stay whole: {reason}")

    async def _fetch_snapshot(self, book: TrackedBook, work: FetchSnapshot) -> None:
        if work.attempt > 1:
            await trio.sleep(book.backoff.next_delay_seconds())
        asked_at = trio.current_time()
        try:
            snapshot = await self._ask_snapshot(book)
        except (NetworkError, RequestRefused, ProtocolError) as error:
            self._report(SnapshotFailed(self._exchange, book.symbol, str(error)))
            self._carry_out(book, book.synchroniser.fail_snapshot(work.generation, work.attempt), asked_at)
        else:
            self._carry_out(book, book.synchroniser.apply_snapshot(snapshot, work.generation), asked_at)

    async def _ask_snapshot(self, book: TrackedBook) -> BookSnapshotDecoded:
        body = await ask(self._rest, self._codec, self._codec.snapshot_request(book.symbol), self._settings.request_timeout_seconds)
        return self._codec.decode_snapshot(book.symbol, body)

    async def _expect_push(self, book: TrackedBook, work: ExpectPush | Resubscribe) -> None:
        await trio.sleep(self._settings.subscribe_timeout_seconds)
        self._carry_out(book, book.synchroniser.fail_snapshot(work.generation, work.attempt), trio.current_time())

    async def _resubscribe(self, book: TrackedBook, work: Resubscribe) -> None:
        if work.attempt > 1:
            await trio.sleep(book.backoff.next_delay_seconds())
        await self._link.renew_subscription(book.symbol)
        await self._expect_push(book, work)

    async def watch_freshness(self) -> None:
        """Have quiet books checked in time, and give up those that nothing proves. Runs until cancelled."""
        while True:
            now, max_age_seconds = trio.current_time(), self._settings.max_age_seconds
            wake_at = now + max_age_seconds / 8
            for book in self.books.values():
                if not book.is_whole:
                    continue
                if now >= book.stale_at(max_age_seconds):
                    age = f"{now - book.proven_at:.3g} s"
                    self._carry_out(book, book.synchroniser.discard(LossKind.STALE, f"stale: nothing has proven it for {age}"), now)
                    continue
                if now >= book.check_due_at(max_age_seconds) and not book.is_being_checked:
                    book.is_being_checked, book.checked_at = True, now
                    self._link.start(self._check, book)
                wake_at = min(wake_at, book.stale_at(max_age_seconds))
                if not book.is_being_checked:  # a check that takes its time is past due: waking for it would be a busy loop
                    wake_at = min(wake_at, book.check_due_at(max_age_seconds))
            await trio.sleep_until(wake_at)

    async def _check(self, book: TrackedBook) -> None:
        """Ask the exchange whether a quiet book is still true."""
        synchroniser = book.synchroniser
        generation, asked_at = synchroniser.generation, trio.current_time()
        try:
            snapshot = await self._ask_snapshot(book)
            if not book.is_whole or synchroniser.generation != generation or book.proven_at >= asked_at:
                return
            is_same_change = snapshot.sequence == synchroniser.book.sequence
            if is_same_change and not _shows(snapshot, synchroniser.book, levels_max=self._settings.depth_levels):
                self._give_up_wrong_book(book)
                return
            if is_same_change or _shows(snapshot, synchroniser.book):
                book.proven_at = asked_at
                if synchroniser.book.has_both_sides:
                    self._publish(book)
                return
            if snapshot.sequence < synchroniser.book.sequence:
                return  # REST trails behind, as caches do: that proves nothing either way
            await trio.sleep(self._settings.mismatch_grace_seconds)
            if book.is_whole and synchroniser.generation == generation and synchroniser.book.sequence < snapshot.sequence:
                self._give_up_silent_book(book, snapshot.sequence)
        except (NetworkError, RequestRefused, ProtocolError) as error:
            self._report(SnapshotFailed(self._exchange, book.symbol, f"a check of the quiet book: {error}"))
        finally:
            book.is_being_checked = False

    def _give_up_silent_book(self, book: TrackedBook, sequence: int) -> None:
        now = trio.current_time()
        reason = f"stale: the exchange is at {sequence}, the stream has stayed at {book.synchroniser.book.sequence}"
        if book.mismatches.add(now) > 1:
            self._link.end(f"the stream of {book.symbol} is silent; {reason}")
        else:
            self._carry_out(book, book.synchroniser.discard(LossKind.STALE, reason), now)

    def _give_up_wrong_book(self, book: TrackedBook) -> None:
        """A change was numbered rightly and told wrongly, or lost on our side: no later number would ever show it."""
        reason = f"wrong: the exchange's levels at {book.synchroniser.book.sequence} are not ours"
        self._carry_out(book, book.synchroniser.discard(LossKind.WRONG, reason), trio.current_time())


def _shows(snapshot: BookSnapshotDecoded, book: OrderBook, *, levels_max: int | None = None) -> bool:
    """Whether a snapshot holds the very levels of `book`, as far down as it goes, or as `levels_max`.

    Some exchanges count changes that their stream does not push (there and back within its interval), or do not number REST's answers.
    """
    bids, asks = book.top(levels_max or max(len(snapshot.bids), len(snapshot.asks)))
    return bids == tuple(snapshot.bids[:levels_max]) and asks == tuple(snapshot.asks[:levels_max])


async def ask(rest: PublicRest, codec: FeedCodec, request: PublicRequest, timeout_seconds: float) -> bytes:
    """The body of a successful answer. At most `timeout_seconds` for leave from the rate limiter, and as long for the exchange.

    Raises:
        NetworkError: none came.
        RequestRefused: it was none.
    """
    response = await rest.send(
        lambda: request.request,
        group=request.group,
        weight=request.weight,
        timeout_seconds=timeout_seconds,
        wait_seconds_max=timeout_seconds,
    )
    codec.check_response(response)
    return response.body
