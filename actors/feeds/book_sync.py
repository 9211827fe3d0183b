"""How a local book is made whole and kept whole, as a pure state machine. One per symbol; it does no I/O and keeps no time.

Theory of operation. A local book is a *generation*: one snapshot, then every delta after it, contiguously. The exchange
numbers its changes, so each delta can be judged against the book's sequence:

    old      it ends at or before the sequence: dropped, because its change is already in the book
    fitting  it continues the sequence (by the rule that `SequenceRule` states): applied
    gap      something between is missing: the generation is worthless

A snapshot is asked for only once the subscription is confirmed, and deltas are buffered from the first one on, so that
whatever happens after the snapshot was taken is either in the buffer or still to come. The snapshot is then joined with
the buffer by the same judgement: old deltas drop, the first that remains must reach back to the snapshot, the rest must
be contiguous. If it does not reach back, the snapshot is older than the oldest delta we hold, and a newer one is fetched
while buffering goes on. The buffer is bounded; when it is full its oldest delta goes, which the join then sees as exactly
that: a snapshot too old.

             opened             confirmed                     whole
    CLOSED ─────────▶ BUFFERING ─────────▶ AWAITING_SNAPSHOT ───────▶ SYNCHRONISED ─┐ whole (a full push)
       ▲                 │  whole (a full push before the confirmation)     ▲    ◀──┘
       │                 └──────────────────────────────────────────────────┘
       └── closed, from anywhere            ▲──────── broken ───────────────┘

Where an exchange pushes the whole book it is waited for; one that may have given that up (`STREAM_OR_REST`) is asked by REST
when the push does not come. The book is then built from the second delta on, as OKX's recipe has it: the first after a
subscription is thrown away where there is another.

A gap, a crossed book, a wrong checksum or a caller's doubt breaks the generation; the delta that showed it is kept, since
it is good news for the next one. Nothing is published from a generation before it is whole, nor after it broke, and an
answer that belongs to an earlier generation is ignored. A whole book with an empty side is withheld, not broken.

Every method changes the state at once and returns what is to be done about it; it can be called from anywhere that must
not wait.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from actors.feeds.codec import BookDeltaDecoded, BookSnapshotDecoded, Continuity, SequenceRule, SnapshotSource
from market.book import OrderBook
from market.events import Level
from market.symbol import Symbol


class BookState(enum.Enum):
    CLOSED = "closed"
    BUFFERING = "buffering"
    AWAITING_SNAPSHOT = "awaiting_snapshot"
    SYNCHRONISED = "synchronised"


class BookTransition(enum.Enum):
    OPENED = "opened"
    CONFIRMED = "confirmed"
    WHOLE = "whole"
    BROKEN = "broken"
    CLOSED = "closed"


TRANSITIONS: dict[tuple[BookState, BookTransition], BookState] = {
    (BookState.CLOSED, BookTransition.OPENED): BookState.BUFFERING,
    (BookState.BUFFERING, BookTransition.CONFIRMED): BookState.AWAITING_SNAPSHOT,
    (BookState.BUFFERING, BookTransition.WHOLE): BookState.SYNCHRONISED,
    (BookState.BUFFERING, BookTransition.BROKEN): BookState.BUFFERING,
    (BookState.AWAITING_SNAPSHOT, BookTransition.CONFIRMED): BookState.AWAITING_SNAPSHOT,
    (BookState.AWAITING_SNAPSHOT, BookTransition.WHOLE): BookState.SYNCHRONISED,
    (BookState.AWAITING_SNAPSHOT, BookTransition.BROKEN): BookState.AWAITING_SNAPSHOT,
    (BookState.SYNCHRONISED, BookTransition.CONFIRMED): BookState.SYNCHRONISED,
    (BookState.SYNCHRONISED, BookTransition.WHOLE): BookState.SYNCHRONISED,
    (BookState.SYNCHRONISED, BookTransition.BROKEN): BookState.AWAITING_SNAPSHOT,
    (BookState.CLOSED, BookTransition.CLOSED): BookState.CLOSED,
    (BookState.BUFFERING, BookTransition.CLOSED): BookState.CLOSED,
    (BookState.AWAITING_SNAPSHOT, BookTransition.CLOSED): BookState.CLOSED,
    (BookState.SYNCHRONISED, BookTransition.CLOSED): BookState.CLOSED,
}


class ImpossibleTransition(Exception):
    """The owner of a synchroniser called it out of order; nothing was changed. Our fault."""


class LossKind(enum.Enum):
    """Why a book stopped being usable."""

    GAP = "gap"
    CROSSED = "crossed"
    CHECKSUM = "checksum"
    WRONG = "wrong"
    BAD_FRAME = "bad_frame"
    STALE = "stale"
    DISCONNECTED = "disconnected"


class Publish(msgspec.Struct, frozen=True):
    """The book is whole and has just changed: publish it before the next frame is read."""


class Withhold(msgspec.Struct, frozen=True):
    """The book is whole but cannot be published until it changes again."""

    reason: str


class Lost(msgspec.Struct, frozen=True):
    """The generation is discarded: whatever was published of it must not be used any more."""

    kind: LossKind
    reason: str


class SnapshotRejected(msgspec.Struct, frozen=True):
    """The snapshot did not fit the deltas, or was no possible book; another is asked for."""

    reason: str


class FetchSnapshot(msgspec.Struct, frozen=True):
    """Ask for a snapshot and hand it, or its failure, back with this `generation`. `attempt` counts from 1 in a generation."""

    generation: int
    attempt: int


class ExpectPush(msgspec.Struct, frozen=True):
    """The exchange should push the whole book soon: hand its absence back, as a failed attempt, if it does not."""

    generation: int
    attempt: int


class Resubscribe(msgspec.Struct, frozen=True):
    """End and renew the subscription of this book, then do as for `ExpectPush`. `attempt` as in `FetchSnapshot`."""

    generation: int
    attempt: int


Decision = Publish | Withhold | Lost | SnapshotRejected | FetchSnapshot | ExpectPush | Resubscribe
Decisions = tuple[Decision, ...]

_PUBLISH: Decisions = (Publish(),)  # one object for every update: this is the hot path


class _Verdict(enum.Enum):
    OLD = enum.auto()
    FITTING = enum.auto()
    GAP = enum.auto()


class BookSynchroniser:
    """The book of one symbol, and whether it may be believed. `generation` grows with each book begun and never repeats."""

    def __init__(
        self,
        symbol: Symbol,
        rule: SequenceRule,
        *,
        buffer_max: int = 1000,
        checksum_agrees: Callable[[OrderBook, int], bool] | None = None,
    ) -> None:
        self.symbol = symbol
        self.book = OrderBook()
        self.state = BookState.CLOSED
        self.generation = 0
        self.exchange_time_milliseconds = 0
        self._rule = rule
        self._checksum_agrees = checksum_agrees
        self._buffer: deque[BookDeltaDecoded] = deque(maxlen=buffer_max)
        self._attempt = 0
        self._is_bridged = False  # whether a delta has been applied on the REST snapshot
        self._asks_rest = False  # whether this generation's snapshot is asked for by REST

    def __repr__(self) -> str:
        return f"<{self.symbol} {self.state.value}, generation {self.generation}, {self.book!r}>"

    def open(self) -> None:
        """A new connection will carry this book: begin a generation and buffer.

        Raises:
            ImpossibleTransition: it is open already.
        """
        self._move(BookTransition.OPENED)
        self._begin_generation()

    def confirm(self) -> Decisions:
        """The exchange has confirmed the subscription.

        Raises:
            ImpossibleTransition: it is closed.
        """
        was_buffering = self.state is BookState.BUFFERING
        self._move(BookTransition.CONFIRMED)
        if not was_buffering:
            return ()
        if self._rule.source is not SnapshotSource.REST:
            return (ExpectPush(self.generation, self._attempt),)
        return (self._next_attempt(),)

    def close(self, reason: str) -> Decisions:
        """The connection is gone, or about to be. Allowed in every state."""
        was_open = self.state is not BookState.CLOSED
        self._move(BookTransition.CLOSED)
        self._buffer.clear()
        return (Lost(LossKind.DISCONNECTED, reason),) if was_open else ()

    def discard(self, kind: LossKind, reason: str) -> Decisions:
        """Someone has reason to doubt the book: begin again.

        Raises:
            ImpossibleTransition: it is closed.
        """
        return self._break(Lost(kind, reason))

    def apply_delta(self, delta: BookDeltaDecoded) -> Decisions:
        """A delta or a full push has arrived from the stream. Ignored while closed."""
        if self.state is BookState.SYNCHRONISED:
            if not delta.is_full:
                verdict = self._judge(delta)
                if verdict is _Verdict.FITTING:
                    loss = self._fold(delta)
                    return self._publication() if loss is None else self._break(loss, delta)
                return () if verdict is _Verdict.OLD else self._break(Lost(LossKind.GAP, self._describe_gap(delta)), delta)
        elif self.state is BookState.CLOSED:
            return ()
        if delta.is_full:
            self._buffer.clear()  # a stream is in order: what came before the whole book is in it
            return self._replace(
                delta.bids, delta.asks, delta.last_sequence, delta.exchange_time_milliseconds, is_bridged=True, checksum=delta.checksum
            )
        self._buffer.append(delta)
        return ()

    def apply_snapshot(self, snapshot: BookSnapshotDecoded, generation: int) -> Decisions:
        """The answer to `FetchSnapshot`. One that is no longer waited for is ignored."""
        if self.state is not BookState.AWAITING_SNAPSHOT or generation != self.generation:
            return ()
        return self._replace(snapshot.bids, snapshot.asks, snapshot.sequence, snapshot.exchange_time_milliseconds, is_bridged=False)

    def fail_snapshot(self, generation: int, attempt: int) -> Decisions:
        """That attempt brought no snapshot; asks for the next one. Ignored when it is no longer waited for."""
        if self.state is not BookState.AWAITING_SNAPSHOT or (generation, attempt) != (self.generation, self._attempt):
            return ()
        if self._rule.source is SnapshotSource.STREAM_OR_REST and not self._asks_rest:
            self._asks_rest = True
            if len(self._buffer) > 1:
                self._buffer.popleft()
        return (self._next_attempt(),)

    def _replace(
        self,
        bids: Sequence[Level],
        asks: Sequence[Level],
        sequence: int,
        time_ms: int,
        *,
        is_bridged: bool,
        checksum: int | None = None,
    ) -> Decisions:
        self.book.replace(bids, asks, sequence)
        self.exchange_time_milliseconds = time_ms
        self._is_bridged = is_bridged
        if self.book.is_crossed:
            return self._reject(Lost(LossKind.CROSSED, f"the snapshot at {sequence} is crossed: {self.book!r}"))
        if (loss := self._checksum_loss(checksum)) is not None:
            return self._reject(loss)
        while self._buffer:
            delta = self._buffer[0]
            verdict = self._judge(delta)
            if verdict is _Verdict.GAP:
                return self._reject(Lost(LossKind.GAP, self._describe_gap(delta)))
            self._buffer.popleft()
            if verdict is _Verdict.FITTING and (loss := self._fold(delta)) is not None:
                return self._reject(loss)
        self._move(BookTransition.WHOLE)
        self._attempt = 0
        return self._publication()

    def _reject(self, loss: Lost) -> Decisions:
        """A snapshot did not become a book. What is still buffered stays, for a newer snapshot to meet."""
        if self.state is BookState.SYNCHRONISED:  # a full push took the place of a published book
            return self._break(loss)
        if self.state is BookState.BUFFERING:  # the confirmation will ask for the next one
            return (SnapshotRejected(loss.reason),)
        return (SnapshotRejected(loss.reason), self._next_attempt())

    def _judge(self, delta: BookDeltaDecoded) -> _Verdict:
        sequence = self.book.sequence
        if self._rule.continuity is Continuity.CONTIGUOUS or not self._is_bridged:
            target = sequence + self._rule.bridge_offset
            if delta.last_sequence < target:
                return _Verdict.OLD
            return _Verdict.FITTING if delta.first_sequence <= target else _Verdict.GAP
        # A link is checked before age, because an exchange may lower its numbers in a delta that links (OKX, maintenance).
        if delta.previous_sequence == sequence:
            return _Verdict.FITTING
        # On a pushed book nothing can be old: a stream is in order, and a number may be low only because a reset was missed.
        is_old = self._rule.source is SnapshotSource.REST and delta.last_sequence <= sequence
        return _Verdict.OLD if is_old else _Verdict.GAP

    def _fold(self, delta: BookDeltaDecoded) -> Lost | None:
        book = self.book
        book.apply(delta.bids, delta.asks, delta.last_sequence)
        self._is_bridged = True
        self.exchange_time_milliseconds = delta.exchange_time_milliseconds
        if book.is_crossed:
            return Lost(LossKind.CROSSED, f"crossed at {book.sequence}: bid {book.best_bid} and ask {book.best_ask}")
        return self._checksum_loss(delta.checksum)

    def _checksum_loss(self, checksum: int | None) -> Lost | None:
        if checksum is None or self._checksum_agrees is None or self._checksum_agrees(self.book, checksum):
            return None
        return Lost(LossKind.CHECKSUM, f"the checksum at {self.book.sequence} is not {checksum}")

    def _publication(self) -> Decisions:
        if self.book.has_both_sides:
            return _PUBLISH
        return (Withhold(f"the book has no {'ask' if self.book.best_ask is None else 'bid'} at {self.book.sequence}"),)

    def _break(self, loss: Lost, delta: BookDeltaDecoded | None = None) -> Decisions:
        self._move(BookTransition.BROKEN)
        self._begin_generation()
        if delta is not None:
            self._buffer.append(delta)
        # While the subscription is unconfirmed, its confirmation will ask for the snapshot.
        return (loss,) if self.state is BookState.BUFFERING else (loss, self._next_attempt())

    def _begin_generation(self) -> None:
        self.generation += 1
        self._attempt = 0
        self._asks_rest = self._rule.source is SnapshotSource.REST
        self._buffer.clear()

    def _next_attempt(self) -> FetchSnapshot | Resubscribe:
        self._attempt += 1
        work = FetchSnapshot if self._asks_rest else Resubscribe
        return work(self.generation, self._attempt)

    def _describe_gap(self, delta: BookDeltaDecoded) -> str:
        return f"gap: the book is at {self.book.sequence}, the next delta is {delta.first_sequence} to {delta.last_sequence}"

    def _move(self, transition: BookTransition) -> None:
        state = TRANSITIONS.get((self.state, transition))
        if state is None:
            raise ImpossibleTransition(f"a {self.state.value} book cannot be {transition.value}: {self!r}")
        self.state = state
