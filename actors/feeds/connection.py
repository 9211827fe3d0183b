"""One websocket connection's life: subscribe, receive, keep every book whole and proven, until there is a reason to end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVarTuple

import trio

from actors.feeds.book_sync import Decisions, ExpectPush, FetchSnapshot, LossKind, Lost, Publish, Resubscribe, SnapshotRejected, Withhold
from actors.feeds.codec import (
    BookDeltaDecoded,
    BookSnapshotDecoded,
    ConnectionClosing,
    Decoded,
    FeedCodec,
    Frame,
    PingReceived,
    Pong,
    ProtocolError,
    PublicRequest,
    RequestRefused,
    Subscription,
    SubscriptionConfirmed,
    SubscriptionRefused,
)
from actors.feeds.ports import FeedContext, FrameStream, PublicRest
from actors.feeds.publisher import Publisher
from actors.feeds.reports import BadFrameReceived, BookDiscarded, BookSynchronised, ChannelRefused, FeedReport, SnapshotFailed
from actors.feeds.settings import FeedSettings
from actors.feeds.tracked_book import RecentCount, TrackedBook
from market.clock import WallClock
from market.events import BookChanged
from market.symbol import Symbol
from network.backoff import Backoff
from network.errors import ConnectionLost, NetworkError

Ts = TypeVarTuple("Ts")

_EXCERPT_CHARACTERS = 200


class Connection:
    """What a feed does on one open websocket. `run` once, then `close`, which needs no awaiting.

    Freshness. Gate.io and most others push nothing while a book does not change, so silence proves neither that a quiet
    book is still true nor that it is not. A book is *proven* at the moment when a delta was applied to it, or when a REST
    snapshot that bears the very sequence number of the local book was asked for (`max_age_seconds` / 2 after the last
    proof). A proof by REST is published anew, with its time, so that a reader's own rule on age holds for quiet books.
    A snapshot that is ahead gives the stream `mismatch_grace_seconds` to catch up; if it does not, the subscription is
    dead though the socket lives: the book is lost and fetched anew, and when it happens again soon the connection is ended.
    A book that nothing proved for `max_age_seconds` is lost whatever the reason, also when REST cannot be reached.
    """

    def __init__(
        self,
        *,
        codec: FeedCodec,
        rest: PublicRest,
        stream: FrameStream,
        books: Sequence[TrackedBook],
        publisher: Publisher,
        wall_clock: WallClock,
        new_backoff: Callable[[], Backoff],
        settings: FeedSettings,
        context: FeedContext,
        report: Callable[[FeedReport], None],
        became_whole: Callable[[Symbol], None],
    ) -> None:
        self._codec = codec
        self._exchange = codec.identity.name
        self._rest = rest
        self._stream = stream
        self._books = {book.symbol: book for book in books}
        self._publisher = publisher
        self._wall_clock = wall_clock
        self._new_backoff = new_backoff
        self._settings = settings
        self._context = context
        self._report = report
        self._became_whole = became_whole
        self._bad_frames = RecentCount(settings.resync_period_seconds)
        self._pending: dict[int, tuple[Subscription, float]] = {}  # by request id, with the deadline of the answer
        self._request_id = 0
        self._pong = trio.Event()
        self._scope = trio.CancelScope()
        self._reason = ""
        self._nursery: trio.Nursery  # while `run` runs

    async def run(self) -> str:
        """Serve the connection until it is lost or given up; why it ended. The books are closed by then."""
        with self._scope:
            async with trio.open_nursery() as self._nursery:
                for book in self._books.values():
                    book.synchroniser.open()
                await self._subscribe(self._codec.subscribe_frames(list(self._books), self._wall_clock.milliseconds(), 1))
                self._start(self._keep_alive)
                self._start(self._watch_freshness)
                try:
                    while True:
                        frame = await self._stream.receive()
                        self._take(frame, trio.current_time())
                except ConnectionLost as error:
                    self._end(str(error))
        return self._reason

    def close(self, reason: str) -> None:
        """Make every book unusable at once. Does nothing when `run` has ended by itself."""
        for book in self._books.values():
            self._carry_out(book, book.synchroniser.close(reason), trio.current_time())

    def _end(self, reason: str) -> None:
        """The connection is of no more use: nobody may believe a book while it is being closed."""
        if not self._reason:
            self._reason = reason
            self.close(reason)
            self._scope.cancel()

    # Frames

    def _take(self, frame: Frame, received_at: float) -> None:
        """Decode, change books and publish, all without a checkpoint between."""
        try:
            messages = self._codec.decode_frame(frame, received_at)
        except ProtocolError as error:
            self._blame(error, frame, received_at)
            return
        for message in messages:
            if self._reason:
                return  # an earlier message of this frame ended the connection
            if type(message) is BookDeltaDecoded:
                book = self._books.get(message.symbol)
                if book is not None:
                    self._carry_out(book, book.synchroniser.apply_delta(message), received_at)
            else:
                self._take_other(message, received_at)

    def _take_other(self, message: Decoded, received_at: float) -> None:
        match message:
            case SubscriptionConfirmed():
                subscription = self._pop_pending(message)
                for symbol in subscription.book_symbols if subscription else ():
                    book = self._books[symbol]
                    self._carry_out(book, book.synchroniser.confirm(), received_at)
            case SubscriptionRefused():
                subscription = self._pop_pending(message)
                symbols = subscription.book_symbols if subscription else ()
                self._report(ChannelRefused(self._exchange, message.channel, symbols, message.message))
                if subscription:
                    self._start(self._subscribe_again, subscription)
            case Pong():
                self._pong.set()
            case PingReceived():
                self._start(self._send, message.reply)
            case ConnectionClosing():
                self._end(f"the exchange announced the end of the connection: {message.reason}")
            case BookDeltaDecoded() | BookSnapshotDecoded():
                # Whole books that come by the stream are deltas with `is_full`; `_take` has dealt with deltas.
                raise TypeError(f"{self._exchange}'s codec put a {type(message).__name__} where none belongs")
            case _:
                self._publisher.pass_on(message)

    def _blame(self, error: ProtocolError, frame: Frame, now: float) -> None:
        """The exchange broke its protocol: give up what the frame may have been about, and the connection if it goes on."""
        excerpt = str(frame[:_EXCERPT_CHARACTERS])
        self._report(BadFrameReceived(self._exchange, error.symbol, str(error), excerpt))
        if self._bad_frames.add(now) >= self._settings.bad_frames_max:
            self._end(f"too many frames against the protocol, the last: {error}")
        elif error.affects_books:
            concerned = [self._books[error.symbol]] if error.symbol in self._books else self._books.values()
            for book in concerned:
                if self._reason:
                    return  # that was one broken generation too many
                self._carry_out(book, book.synchroniser.discard(LossKind.BAD_FRAME, f"a frame could not be read: {error}"), now)

    # Books

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
                    self._start(self._fetch_snapshot, book, decision)
                case ExpectPush():
                    self._start(self._expect_push, book, decision)
                case Resubscribe():
                    self._start(self._resubscribe, book, decision)
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
            self._end(f"the book of {book.symbol} does not stay whole: {reason}")

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
        now_milliseconds = self._wall_clock.milliseconds()
        for frame in self._codec.unsubscribe_frames((book.symbol,), now_milliseconds, self._next_request_id()):
            await self._send(frame)
        await self._subscribe(self._codec.resubscribe_frames(book.symbol, now_milliseconds, self._next_request_id()))
        await self._expect_push(book, work)

    async def _watch_freshness(self) -> None:
        max_age_seconds = self._settings.max_age_seconds
        while True:
            self._context.progress()
            now = trio.current_time()
            wake_at = now + max_age_seconds / 4
            for book in self._books.values():
                if not book.is_whole:
                    continue
                if now >= book.stale_at(max_age_seconds):
                    age = f"{now - book.proven_at:.3g} s"
                    self._carry_out(book, book.synchroniser.discard(LossKind.STALE, f"stale: nothing has proven it for {age}"), now)
                    continue
                if now >= book.check_due_at(max_age_seconds) and not book.is_being_checked:
                    book.is_being_checked, book.checked_at = True, now
                    self._start(self._check, book)
                wake_at = min(wake_at, book.stale_at(max_age_seconds), max(now, book.check_due_at(max_age_seconds)))
            await trio.sleep_until(wake_at)

    async def _check(self, book: TrackedBook) -> None:
        """Ask the exchange whether a quiet book is still true."""
        synchroniser = book.synchroniser
        generation, asked_at = synchroniser.generation, trio.current_time()
        try:
            snapshot = await self._ask_snapshot(book)
            if not book.is_whole or synchroniser.generation != generation or book.proven_at >= asked_at:
                return
            if snapshot.sequence == synchroniser.book.sequence:
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
            self._end(f"the stream of {book.symbol} is silent; {reason}")
        else:
            self._carry_out(book, book.synchroniser.discard(LossKind.STALE, reason), now)

    # Control

    def _next_request_id(self) -> int:
        return self._request_id + 1

    async def _subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Send subscriptions and see to it that they are answered."""
        for subscription in subscriptions:
            self._request_id = max(self._request_id, subscription.request_id)
            deadline = trio.current_time() + self._settings.subscribe_timeout_seconds
            self._pending[subscription.request_id] = (subscription, deadline)
            await self._send(subscription.frame)
        self._start(self._await_answers)

    async def _await_answers(self) -> None:
        await trio.sleep(self._settings.subscribe_timeout_seconds)
        now = trio.current_time()
        unanswered = [subscription.channel for subscription, deadline in self._pending.values() if now >= deadline]
        if unanswered:
            self._end(f"no answer to the subscription of {', '.join(unanswered)} in {self._settings.subscribe_timeout_seconds:g} s")

    async def _subscribe_again(self, subscription: Subscription) -> None:
        backoffs = [self._books[symbol].backoff for symbol in subscription.book_symbols] or [self._new_backoff()]
        await trio.sleep(backoffs[0].next_delay_seconds())
        await self._subscribe([subscription])

    def _pop_pending(self, answer: SubscriptionConfirmed | SubscriptionRefused) -> Subscription | None:
        request_id = answer.request_id
        if request_id is None:  # answers without a number come in order, for each channel
            request_id = next((number for number, (pending, _) in self._pending.items() if pending.channel == answer.channel), None)
        if request_id is None or request_id not in self._pending:
            return None
        return self._pending.pop(request_id)[0]

    async def _keep_alive(self) -> None:
        """The exchange must answer our pings in its own protocol, not only on the socket's level."""
        while True:
            await trio.sleep(self._codec.ping_interval_seconds)
            frame = self._codec.ping_frame(self._wall_clock.milliseconds())
            if frame is None:
                return
            self._pong = trio.Event()
            await self._send(frame)
            with trio.move_on_after(self._settings.pong_timeout_seconds):
                await self._pong.wait()
                continue
            self._end(f"no pong in {self._settings.pong_timeout_seconds:g} s")

    async def _send(self, frame: Frame) -> None:
        try:
            await self._stream.send(frame)
        except ConnectionLost as error:
            self._end(str(error))

    def _start(self, work: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        self._nursery.start_soon(work, *arguments)


async def ask(rest: PublicRest, codec: FeedCodec, request: PublicRequest, timeout_seconds: float) -> bytes:
    """The body of a successful answer.

    Raises:
        NetworkError: none came.
        RequestRefused: it was none.
    """
    response = await rest.send(lambda: request.request, group=request.group, weight=request.weight, timeout_seconds=timeout_seconds)
    codec.check_response(response)
    return response.body
