"""The real feed actor at a simulated exchange, over a stream in which frames come damaged; beside it one that hears everything as it is.

What a damaged frame may do to a book depends on what the codec makes of it:

- *refused*: the codec raises `ProtocolError`. Nothing is published of it but losses, and if it may have been about a book, every
  whole book that it may have been about is lost in that very step.
- *silent*: it is read, and says nothing about a book of ours (a trade, an answer, another market). No book is published of it. A
  change of a book that it stood in place of shows as a gap in the exchange's numbers with the next change.
- *forged*: it is read as a change of one of our books. Nothing tells such a frame from the exchange's own words but its number and,
  where the exchange sends one, its checksum. If these do not fit, it is passed over as old or the book is lost. If they do, it is
  believed, as it must be: the book is *doubtful* from then on, and is not judged here until it has been built anew from a whole book
  of the exchange. A forged change that broke a book, or came while it was being built, may wait in the buffer for the next whole
  book; that book is doubtful, too.

Whatever else happens, every book that is published and not doubtful is the exchange's own at that number, level by level; none is
left standing for longer than its maximum age; and when the damage ends, every book becomes whole again and equals the exchange's: by
itself, or, after forged frames, with the next connection.
"""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import trio
from damage import Message, Mutator
from feed_at import SYMBOLS, FeedWorld, run_feed_world

from actors.feeds.codec import BookDeltaDecoded, FeedCodec, ProtocolError, RequestRefused
from actors.feeds.ports import FrameStream, PublicRest
from actors.feeds.reports import FeedReport
from actors.feeds.settings import FeedSettings
from assembly.registry import EXCHANGES
from market.events import BookChanged, BookLost, Level, MarketEvent
from market.symbol import Symbol
from network.http import HttpRequest, HttpResponse
from simulated.control import VenueControl
from simulated.engine.events import EngineEvent, LevelChanged
from simulated.settings import SimulationSettings

DEPTH_LEVELS = 10
SLACK_SECONDS = 0.5
RECOVERY_SECONDS_MAX = 60.0
RECENT_FRAMES = 50
TRIES_MAX = 30
VIOLATIONS_KEPT = 5
# Every refused frame breaks books and none ends the connection: more of what can go wrong fits into a second.
PATIENT = FeedSettings(depth_levels=DEPTH_LEVELS, bad_frames_max=1_000_000, resyncs_max=1_000_000)
AS_TRADED = FeedSettings(depth_levels=DEPTH_LEVELS)

Sides = tuple[Sequence[Level], Sequence[Level]]


class Truth:
    """The exchange's own book at each of its numbers, as its engine tells of every change."""

    def __init__(self, control: VenueControl) -> None:
        self._books = control.engine.books
        self._tops: dict[tuple[Symbol, int], Sides] = {}
        for symbol in self._books:
            self._keep(symbol)
        control.engine.subscribe(self._see)

    def is_at(self, symbol: Symbol, sequence: int, bids: Sequence[Level], asks: Sequence[Level]) -> bool:
        """Whether these were the best levels of `symbol` at `sequence`. Floats of products may differ in their last bit."""
        known = self._tops.get((symbol, sequence))
        return known is not None and all(
            len(ours) == len(real) and all(_agree(one, other) for one, other in zip(ours, real, strict=True))
            for ours, real in zip((bids, asks), known, strict=True)
        )

    def describe(self, symbol: Symbol, sequence: int) -> str:
        known = self._tops.get((symbol, sequence))
        return "no such number" if known is None else f"{known}"

    def _see(self, event: EngineEvent) -> None:
        if isinstance(event, LevelChanged):
            self._keep(event.symbol)

    def _keep(self, symbol: Symbol) -> None:
        book = self._books[symbol]
        bids, asks = ([(float(price), float(quantity)) for price, quantity in side.levels(DEPTH_LEVELS)] for side in (book.bids, book.asks))
        self._tops[symbol, book.update_id] = (bids, asks)


def _agree(one: Level, other: Level) -> bool:
    return math.isclose(one[0], other[0], rel_tol=1e-12) and math.isclose(one[1], other[1], rel_tol=1e-12)


class Witness:
    """A feed's subscriber: holds what is published against the truth, and each frame against what was published of it."""

    def __init__(self, truth: Truth, codec: FeedCodec, max_age_seconds: float) -> None:
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self.published: dict[tuple[Symbol, int], BookChanged] = {}  # those that are not doubtful
        self.standing: dict[Symbol, BookChanged] = {}
        self._truth = truth
        self._codec = codec
        self._max_age_seconds = max_age_seconds
        self._doubtful: set[Symbol] = set()  # the generation that stands
        self._next_is_doubtful: set[Symbol] = set()  # whatever generation is published next
        self._generations: dict[Symbol, int] = {}
        self._frame: Message | None = None  # the damaged one that is being taken
        self._refusal: ProtocolError | None = None
        self._changed: frozenset[Symbol] = frozenset()  # the books of ours that it is read as a change of
        self._whole_before: frozenset[Symbol] = frozenset()
        self._since_frame: list[MarketEvent] = []

    # What the feed publishes

    def send_nowait(self, event: MarketEvent) -> None:
        if self._frame is not None:
            self._since_frame.append(event)
        match event:
            case BookChanged():
                self._take_book(event)
            case BookLost():
                self.counts["books lost"] += event.symbol in self.standing
                self.standing.pop(event.symbol, None)
            case _:
                pass

    def _take_book(self, event: BookChanged) -> None:
        symbol = event.symbol
        if self._generations.get(symbol) != event.generation:
            self._generations[symbol] = event.generation
            self._doubtful.discard(symbol)
            if symbol in self._next_is_doubtful:
                self._next_is_doubtful.remove(symbol)
                self._doubtful.add(symbol)
        self.standing[symbol] = event
        self.counts["books published"] += 1
        if event.best_bid[0] >= event.best_ask[0]:
            self._say(f"a crossed book was published: {event}")
        if self._frame is not None and symbol in self._changed:
            self._doubtful.add(symbol)
        if symbol in self._doubtful:
            self.counts["books doubtful"] += 1
        elif not self._truth.is_at(symbol, event.sequence, event.bids, event.asks):
            self._say(f"a wrong book was published: {event}; the exchange's: {self._truth.describe(symbol, event.sequence)}")
        else:
            self.published[symbol, event.sequence] = event

    # The frames that it is given

    def connected(self) -> None:
        """A new connection: what was buffered on the one before is gone."""
        self.counts["connections"] += 1
        self._next_is_doubtful.clear()

    def give(self, frame: Message, *, is_damaged: bool) -> None:
        """The feed is about to take `frame`, and does so before anything else happens."""
        now = trio.current_time()
        self.counts["frames damaged" if is_damaged else "frames untouched"] += 1
        for event in self.standing.values():
            if now - event.received_at > self._max_age_seconds + SLACK_SECONDS:
                self._say(f"a book stands though nothing has proven it for {now - event.received_at:.1f} s: {event}")
        if is_damaged:
            self._frame = frame
            self._since_frame = []
            self._whole_before = frozenset(self.standing)
            try:
                decoded = self._codec.decode_frame(frame, now)
            except ProtocolError as error:
                self._refusal, self._changed = error, frozenset()
            else:
                changed = {one.symbol for one in decoded if isinstance(one, BookDeltaDecoded)}
                self._refusal, self._changed = None, frozenset(changed & set(SYMBOLS))

    def taken(self) -> None:
        """The feed asks for the next frame: what it made of the last one is over."""
        frame, self._frame = self._frame, None
        if frame is None:
            return
        losses = {event.symbol for event in self._since_frame if isinstance(event, BookLost)}
        books = {event.symbol for event in self._since_frame if isinstance(event, BookChanged)}
        if self._refusal is not None:
            self.counts["refused"] += 1
            if not all(isinstance(event, BookLost) for event in self._since_frame):
                self._say(f"a refused frame has published {self._since_frame}: {frame[:300]!r}")
            concerned = {self._refusal.symbol} if self._refusal.symbol in SYMBOLS else set(SYMBOLS)
            if self._refusal.affects_books and (concerned & self._whole_before) - losses:
                self._say(f"a refused frame ({self._refusal}) leaves a book standing that it may have been about: {frame[:300]!r}")
            return
        self.counts["forged" if self._changed else "silent"] += 1
        if books - self._changed:
            self._say(f"a frame that says nothing of these books has published them: {frame[:300]!r}")
        for symbol in self._changed:
            if symbol in self._whole_before and symbol not in losses:
                continue  # passed over as old, or published and doubtful since then
            # It may wait in the buffer; or, where the book was only withheld for its empty side, be in it.
            self._next_is_doubtful.add(symbol)
            if symbol not in losses:
                self._doubtful.add(symbol)

    def is_believed(self, symbol: Symbol) -> bool:
        """Whether a book of `symbol` stands that is not doubtful."""
        return symbol in self.standing and symbol not in self._doubtful

    def _say(self, text: str) -> None:
        self.counts["violations"] += 1
        if len(self.violations) < VIOLATIONS_KEPT:
            self.violations.append(f"at {trio.current_time():.3f} s: {text}")


class Meddler:
    """While `is_on`, puts damaged frames before real ones or in their place, about every `pause_seconds`.

    With `refused_only`, such as the codec refuses.
    """

    def __init__(self, rng: random.Random, codec: FeedCodec, *, refused_only: bool, pause_seconds: float) -> None:
        self.is_on = True
        self._rng = rng
        self._codec = codec
        self._mutator = Mutator(rng)
        self._refused_only = refused_only
        self._pause_seconds = pause_seconds
        self._not_before = 0.0
        self._recent: deque[Message] = deque(maxlen=RECENT_FRAMES)

    def frames(self, frame: Message) -> list[tuple[Message, bool]]:
        """What arrives when the exchange has sent `frame`, each with whether it is damaged."""
        self._recent.append(frame)
        rng, found = self._rng, list[tuple[Message, bool]]()
        if self.is_on and trio.current_time() >= self._not_before:
            self._not_before = trio.current_time() + rng.expovariate(1 / self._pause_seconds)
            for _ in range(rng.choice((1, 1, 1, 2, 5))):
                damaged = self._damaged((frame,) if rng.random() < 0.5 else self._recent)
                if damaged is not None:
                    found.append((damaged, True))
            if found and rng.random() < 0.2:
                return found  # in place of the real one
        return [*found, (frame, False)]

    def body(self, response: HttpResponse, symbol: Symbol) -> HttpResponse:
        """An answer with a whole book, sometimes as one that is refused."""
        if self.is_on and self._rng.random() < 0.1:
            for _ in range(TRIES_MAX):
                damaged = self._mutator.damaged([response.body])
                body = damaged.encode(errors="replace") if isinstance(damaged, str) else damaged
                candidate = HttpResponse(status=response.status, headers=response.headers, body=body)
                try:
                    self._codec.check_response(candidate)
                    self._codec.decode_snapshot(symbol, body)
                except (ProtocolError, RequestRefused):
                    return candidate
        return response

    def _damaged(self, corpus: Sequence[Message]) -> Message | None:
        for _ in range(TRIES_MAX):
            damaged = self._mutator.damaged(corpus)
            if not self._refused_only or self._refuses(damaged):
                return damaged
        return None

    def _refuses(self, frame: Message) -> bool:
        try:
            self._codec.decode_frame(frame, 0.0)
        except ProtocolError:
            return True
        return False


class _DamagedStream:
    """A stream as it comes through a meddler. Implements `FrameStream`."""

    def __init__(self, stream: FrameStream, meddler: Meddler, witness: Witness) -> None:
        self._stream = stream
        self._meddler = meddler
        self._witness = witness
        self._waiting: deque[tuple[Message, bool]] = deque()

    async def receive(self) -> Message:
        self._witness.taken()
        while not self._waiting:
            self._waiting.extend(self._meddler.frames(await self._stream.receive()))
        await trio.lowlevel.checkpoint()  # answers and timers come between two frames
        frame, is_damaged = self._waiting.popleft()
        self._witness.give(frame, is_damaged=is_damaged)
        return frame

    async def send(self, message: Message, /) -> None:
        await self._stream.send(message)


class _DamagedRest:
    """A REST client whose answers come through a meddler. Implements `PublicRest`."""

    def __init__(self, rest: PublicRest, meddler: Meddler, codec: FeedCodec) -> None:
        self._rest = rest
        self._meddler = meddler
        self._codec = codec

    async def send(
        self, build: Callable[[], HttpRequest], *, group: str, weight: int = 1, timeout_seconds: float, wait_seconds_max: float
    ) -> HttpResponse:
        response = await self._rest.send(
            build, group=group, weight=weight, timeout_seconds=timeout_seconds, wait_seconds_max=wait_seconds_max
        )
        for symbol in SYMBOLS:
            if build() == self._codec.snapshot_request(symbol).request:
                return self._meddler.body(response, symbol)
        return response


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one run."""

    name: str
    seed: int
    counts: Counter[str]
    violations: list[str]


def run_damaged_feed(
    name: str,
    *,
    seed: int,
    refused_only: bool,
    seconds: float,
    settings: FeedSettings = PATIENT,
    pause_seconds: float = 0.2,
    book_checksums: bool = False,
) -> Outcome:
    """Follow the exchange called `name` for so many seconds of virtual time with damage, and then until all is well.

    What was wrong is in the outcome's `violations`; whatever the feed died of is raised.
    """

    async def story(world: FeedWorld, nursery: trio.Nursery) -> Outcome:
        feeds = _Feeds(world, settings)
        rng = random.Random(f"{seed}:damage")
        meddler = Meddler(rng, feeds.codecs["damaged"], refused_only=refused_only, pause_seconds=pause_seconds)
        meddler.is_on = False
        for start in (feeds.follow_untouched, partial(feeds.follow_damaged, meddler)):
            await nursery.start(start)
        meddler.is_on = True
        await trio.sleep(seconds)
        meddler.is_on = False
        if not refused_only:
            world.exchange.control.disconnect_all()
        await feeds.wait_agreed()
        return Outcome(name=name, seed=seed, violations=feeds.violations(), counts=feeds.counts)

    return run_feed_world(name, story, seed=seed, simulation=SimulationSettings(seed=seed, book_checksums=book_checksums))


class _Feeds:
    """Two feeds of one exchange, and what each is seen to publish."""

    def __init__(self, world: FeedWorld, settings: FeedSettings) -> None:
        self.codecs = {which: EXCHANGES[world.name].feed_codec() for which in ("untouched", "damaged")}
        self._world = world
        self._settings = settings
        truth = Truth(world.exchange.control)
        self._witnesses = {which: Witness(truth, codec, settings.max_age_seconds) for which, codec in self.codecs.items()}
        self._reports: list[FeedReport] = []

    @property
    def counts(self) -> Counter[str]:
        return self._witnesses["damaged"].counts

    async def follow_untouched(self, *, task_status: trio.TaskStatus[None]) -> None:
        codec, witness = self.codecs["untouched"], self._witnesses["untouched"]
        await self._world.follow("untouched", codec, witness, settings=self._settings, task_status=task_status)

    async def follow_damaged(self, meddler: Meddler, *, task_status: trio.TaskStatus[None]) -> None:
        codec, witness = self.codecs["damaged"], self._witnesses["damaged"]

        def through(stream: FrameStream) -> FrameStream:
            witness.connected()
            return _DamagedStream(stream, meddler, witness)

        await self._world.follow(
            "damaged",
            codec,
            witness,
            settings=self._settings,
            report=self._reports.append,
            through=through,
            rest_through=lambda rest: _DamagedRest(rest, meddler, codec),
            task_status=task_status,
        )

    async def wait_agreed(self) -> None:
        """Wait until both feeds publish the same books again; what does not come is a violation."""
        damaged, untouched = self._witnesses["damaged"], self._witnesses["untouched"]
        with trio.move_on_after(RECOVERY_SECONDS_MAX) as patience:
            moments = 0
            while moments < 20:  # what is right by accident does not stay so
                await trio.sleep(0.05)
                moments += all(
                    damaged.is_believed(symbol)
                    and symbol in untouched.standing
                    and damaged.standing[symbol].sequence == untouched.standing[symbol].sequence
                    for symbol in SYMBOLS
                )
        if patience.cancelled_caught:
            last = "\n  ".join(map(str, self._reports[-5:]))
            damaged.violations.append(f"{damaged.standing} after {RECOVERY_SECONDS_MAX:g} s without damage; the last reports:\n  {last}")

    def violations(self) -> list[str]:
        """Of the truth, by either feed, and of one another."""
        damaged, untouched = self._witnesses["damaged"], self._witnesses["untouched"]
        found = [*damaged.violations, *(f"the untouched feed: {text}" for text in untouched.violations)]
        common = damaged.published.keys() & untouched.published.keys()
        for key in common:
            ours, other = damaged.published[key], untouched.published[key]
            if (ours.bids, ours.asks) != (other.bids, other.asks):
                found.append(f"the feeds differ at {key}: {ours} and {other}")
        damaged.counts["books as the other feed's"] = len(common)
        return found[:VIOLATIONS_KEPT]
