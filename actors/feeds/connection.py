"""One websocket connection's life: subscribe, receive, keep every book whole and proven, until there is a reason to end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVarTuple

import trio

from actors.feeds.book_keeper import BookKeeper
from actors.feeds.codec import (
    BookDeltaDecoded,
    ConnectionClosing,
    Decoded,
    FeedCodec,
    Frame,
    PingReceived,
    Pong,
    ProtocolError,
    Subscription,
    SubscriptionConfirmed,
    SubscriptionRefused,
)
from actors.feeds.measures import FRAMES_PER_OBSERVATION, FeedMeasures
from actors.feeds.ports import FeedContext, FrameStream, PublicRest
from actors.feeds.publisher import Publisher
from actors.feeds.reports import BadFrameReceived, ChannelRefused, FeedReport
from actors.feeds.settings import FeedSettings
from actors.feeds.tracked_book import RecentCount, TrackedBook
from market.clock import WallClock
from market.symbol import Symbol
from network.backoff import Backoff
from network.errors import ConnectionLost

Ts = TypeVarTuple("Ts")

_EXCERPT_CHARACTERS = 200


_PROGRESS_SECONDS = 1.0


class Connection:
    """What a feed does on one open websocket. `run` once; `close` needs no awaiting. Implements `ConnectionLink`."""

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
        measures: FeedMeasures,
        context: FeedContext,
        report: Callable[[FeedReport], None],
        became_whole: Callable[[Symbol], None],
    ) -> None:
        self._codec = codec
        self._exchange = codec.identity.name
        self._stream = stream
        self._publisher = publisher
        self._wall_clock = wall_clock
        self._new_backoff = new_backoff
        self._settings = settings
        self._measures = measures
        self._context = context
        self._report = report
        self._keeper = BookKeeper(
            self,
            books,
            codec=codec,
            rest=rest,
            publisher=publisher,
            settings=settings,
            report=report,
            became_whole=became_whole,
        )
        self._bad_frames = RecentCount(settings.resync_period_seconds)
        self._pending: dict[int, tuple[Subscription, float]] = {}  # by request id, with the deadline of the answer
        self._request_id = 0  # the last one used
        self._pong = trio.Event()
        self._scope = trio.CancelScope()
        self._reason = ""
        self._nursery: trio.Nursery  # while `run` runs

    async def run(self) -> str:
        """Serve the connection until it is lost or given up; why it ended. The books are closed by then."""
        measures = self._measures
        with self._scope:
            async with trio.open_nursery() as self._nursery:
                self._keeper.open()
                self.start(self._show_progress)
                await self._subscribe(self._codec.subscribe_frames(list(self._keeper.books), self._wall_clock.milliseconds(), 1))
                self.start(self._keep_alive)
                self.start(self._end_in_time)
                self.start(self._keeper.watch_freshness)
                try:
                    while True:
                        frame = await self._stream.receive()
                        received_at = trio.current_time()
                        self._take(frame, received_at)
                        measures.frames += 1
                        if measures.frames % FRAMES_PER_OBSERVATION == 1:
                            measures.frame_seconds.observe(trio.current_time() - received_at)
                except ConnectionLost as error:
                    self.end(str(error))
        return self._reason

    def close(self, reason: str) -> None:
        """Make every book unusable at once. Does nothing when `run` has ended by itself."""
        self._keeper.close(reason)

    def start(self, work: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        """Run `work` for as long as the connection lives, at most."""
        self._nursery.start_soon(work, *arguments)

    def end(self, reason: str) -> None:
        """Give the connection up. Its books are closed when this returns, so that nobody believes one while it is being closed."""
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
                self._measures.book_deltas += 1
                self._keeper.apply_delta(message, received_at)
            else:
                self._measures.other_messages[type(message)] += 1
                self._take_other(message, received_at)

    def _take_other(self, message: Decoded, received_at: float) -> None:
        match message:
            case SubscriptionConfirmed():
                subscription = self._pop_pending(message)
                for symbol in subscription.book_symbols if subscription else ():
                    self._keeper.confirm(symbol, received_at)
            case SubscriptionRefused():
                subscription = self._pop_pending(message)
                symbols = subscription.book_symbols if subscription else ()
                self._report(ChannelRefused(self._exchange, message.channel, symbols, message.message))
                if subscription:
                    self.start(self._subscribe_again, subscription)
            case Pong():
                self._pong.set()
            case PingReceived():
                self.start(self._send, message.reply)
            case ConnectionClosing():
                self.end(f"the exchange announced the end of the connection: {message.reason}")
            case BookDeltaDecoded():
                self._keeper.apply_delta(message, received_at)
            case _:
                self._publisher.pass_on(message)

    def _blame(self, error: ProtocolError, frame: Frame, now: float) -> None:
        """The exchange broke its protocol: give up what the frame may have been about, and the connection if it goes on."""
        excerpt = str(frame[:_EXCERPT_CHARACTERS])
        self._report(BadFrameReceived(self._exchange, error.symbol, str(error), excerpt))
        if self._bad_frames.add(now) >= self._settings.bad_frames_max:
            self.end(f"too many frames against the protocol, the last: {error}")
        elif error.affects_books:
            self._keeper.discard(error.symbol, f"a frame could not be read: {error}")

    # Control

    async def renew_subscription(self, symbol: Symbol) -> None:
        """Unsubscribe from the book of `symbol` and subscribe again."""
        now_milliseconds = self._wall_clock.milliseconds()
        frames = self._codec.unsubscribe_frames((symbol,), now_milliseconds, self._request_id + 1)
        self._request_id += len(frames)
        for frame in frames:
            await self._send(frame)
        await self._subscribe(self._codec.resubscribe_frames(symbol, now_milliseconds, self._request_id + 1))

    async def _subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Send subscriptions and see to it that they are answered."""
        for subscription in subscriptions:
            self._request_id = max(self._request_id, subscription.request_id)
            deadline = trio.current_time() + self._settings.subscribe_timeout_seconds
            self._pending[subscription.request_id] = (subscription, deadline)
            await self._send(subscription.frame)
        self.start(self._await_answers)

    async def _await_answers(self) -> None:
        await trio.sleep(self._settings.subscribe_timeout_seconds)
        now = trio.current_time()
        unanswered = [subscription.channel for subscription, deadline in self._pending.values() if now >= deadline]
        if unanswered:
            self.end(f"no answer to the subscription of {', '.join(unanswered)} in {self._settings.subscribe_timeout_seconds:g} s")

    async def _subscribe_again(self, subscription: Subscription) -> None:
        backoffs = [self._keeper.books[symbol].backoff for symbol in subscription.book_symbols] or [self._new_backoff()]
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
            self.end(f"no pong in {self._settings.pong_timeout_seconds:g} s")

    async def _end_in_time(self) -> None:
        """The exchange would end the connection at a moment of its own choosing; an end of ours is followed by a new one at once."""
        seconds_max = self._codec.connection_seconds_max
        if seconds_max is not None:
            await trio.sleep(seconds_max)
            self.end(f"renewed after {seconds_max / 3600:g} h, before the exchange ends it")

    async def _send(self, frame: Frame) -> None:
        try:
            await self._stream.send(frame)
        except ConnectionLost as error:
            self.end(str(error))

    async def _show_progress(self) -> None:
        while True:
            self._context.progress()
            await trio.sleep(_PROGRESS_SECONDS)
