"""The synchroniser against an exchange whose wire drops, repeats, reorders and delays: what it publishes is always true."""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.feeds.book_sync import (
    BookState,
    BookSynchroniser,
    Decisions,
    ExpectPush,
    FetchSnapshot,
    LossKind,
    Lost,
    Publish,
    Resubscribe,
    Withhold,
)
from actors.feeds.codec import BookDeltaDecoded, BookSnapshotDecoded, Continuity, SequenceRule, SnapshotSource
from market.events import Level
from market.symbol import Symbol

SYMBOL = Symbol("BTC", "USDT")
Sides = tuple[dict[float, float], dict[float, float]]


class ModelExchange:
    """Numbers each change of one level; remembers its book at every number."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.sequence = 10
        self.bids: dict[float, float] = {9.0: 1.0}
        self.asks: dict[float, float] = {11.0: 1.0}
        self.history: dict[int, Sides] = {}
        self._previous = 10
        self._remember()

    def _remember(self) -> None:
        self.history[self.sequence] = (dict(self.bids), dict(self.asks))

    def change(self, count: int) -> BookDeltaDecoded:
        bids: dict[float, float] = {}
        asks: dict[float, float] = {}
        first = self.sequence + 1
        for _ in range(count):
            own, changed, prices = self._rng.choice(((self.bids, bids, range(1, 10)), (self.asks, asks, range(11, 20))))
            price = float(self._rng.choice(prices))
            own[price] = changed[price] = self._rng.choice([0.0, 1.0, 2.0, 3.0])
            if not own[price]:
                del own[price]
            self.sequence += 1
            self._remember()
        previous, self._previous = self._previous, self.sequence
        return BookDeltaDecoded(
            symbol=SYMBOL,
            bids=list(bids.items()),
            asks=list(asks.items()),
            first_sequence=first,
            last_sequence=self.sequence,
            previous_sequence=previous,
            exchange_time_milliseconds=0,
        )

    def push_whole(self) -> BookDeltaDecoded:
        return BookDeltaDecoded(
            symbol=SYMBOL,
            bids=list(self.bids.items()),
            asks=list(self.asks.items()),
            first_sequence=self.sequence,
            last_sequence=self.sequence,
            exchange_time_milliseconds=0,
            is_full=True,
        )

    def snapshot(self) -> BookSnapshotDecoded:
        return BookSnapshotDecoded(
            symbol=SYMBOL, bids=list(self.bids.items()), asks=list(self.asks.items()), sequence=self.sequence, exchange_time_milliseconds=0
        )  # fmt: skip


def best_first(sides: Sides) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    return tuple(sorted(sides[0].items(), reverse=True)), tuple(sorted(sides[1].items()))


class SynchroniserMachine(RuleBasedStateMachine):
    sequence_rule = SequenceRule(SnapshotSource.REST, Continuity.CONTIGUOUS)

    def __init__(self) -> None:
        super().__init__()
        self.exchange = ModelExchange(random.Random(7))
        self.synchroniser = BookSynchroniser(SYMBOL, self.sequence_rule, buffer_max=4)
        self.wire: list[BookDeltaDecoded] = []
        self.asked: list[FetchSnapshot] = []
        self.expected: list[ExpectPush | Resubscribe] = []
        self.answers: list[tuple[FetchSnapshot, BookSnapshotDecoded]] = []
        self.published: tuple[tuple[Level, ...], tuple[Level, ...]] | None = None
        self.published_at = 0
        self.synchroniser.open()

    def carry_out(self, decisions: Decisions) -> None:
        for decision in decisions:
            match decision:
                case Publish():
                    self.published, self.published_at = self.synchroniser.book.top(100), self.synchroniser.book.sequence
                    assert self.synchroniser.state is BookState.SYNCHRONISED
                    assert self.published == best_first(self.exchange.history[self.published_at])
                case Lost():
                    self.published = None
                case Withhold():
                    self.published = None
                    assert self.synchroniser.book.top(100) == best_first(self.exchange.history[self.synchroniser.book.sequence])
                case FetchSnapshot():
                    self.asked.append(decision)
                case ExpectPush() | Resubscribe():
                    self.expected.append(decision)
                case _:
                    pass

    @rule(count=st.integers(1, 3))
    def exchange_changes(self, count: int) -> None:
        self.wire.append(self.exchange.change(count))

    @rule()
    def exchange_pushes_whole_book(self) -> None:
        self.wire.append(self.exchange.push_whole())

    @precondition(lambda self: self.wire)
    @rule()
    def wire_delivers(self) -> None:
        self.carry_out(self.synchroniser.apply_delta(self.wire.pop(0)))

    @precondition(lambda self: self.wire)
    @rule()
    def wire_delivers_all(self) -> None:
        while self.wire:
            self.wire_delivers()

    @precondition(lambda self: self.wire)
    @rule()
    def wire_repeats(self) -> None:
        self.carry_out(self.synchroniser.apply_delta(self.wire[0]))

    @precondition(lambda self: self.wire)
    @rule()
    def wire_drops(self) -> None:
        self.wire.pop(0)

    @precondition(lambda self: len(self.wire) > 1)
    @rule()
    def wire_reorders(self) -> None:
        self.wire[0], self.wire[1] = self.wire[1], self.wire[0]

    @precondition(lambda self: self.synchroniser.state is not BookState.CLOSED)
    @rule()
    def exchange_confirms(self) -> None:
        self.carry_out(self.synchroniser.confirm())

    @precondition(lambda self: self.asked)
    @rule()
    def snapshot_is_taken(self) -> None:
        self.answers.append((self.asked.pop(0), self.exchange.snapshot()))

    @precondition(lambda self: self.answers)
    @rule(newest=st.booleans())
    def snapshot_arrives(self, newest: bool) -> None:
        work, snapshot = self.answers.pop(-1 if newest else 0)
        self.carry_out(self.synchroniser.apply_snapshot(snapshot, work.generation))

    @precondition(lambda self: self.asked)
    @rule()
    def snapshot_fails(self) -> None:
        work = self.asked.pop(0)
        self.carry_out(self.synchroniser.fail_snapshot(work.generation, work.attempt))

    @precondition(lambda self: self.expected)
    @rule()
    def push_does_not_come(self) -> None:
        work = self.expected.pop(0)
        self.carry_out(self.synchroniser.fail_snapshot(work.generation, work.attempt))

    @precondition(lambda self: self.synchroniser.state is not BookState.CLOSED)
    @rule()
    def book_is_doubted(self) -> None:
        self.carry_out(self.synchroniser.discard(LossKind.STALE, "stale"))

    @precondition(lambda self: self.synchroniser.state is not BookState.CLOSED)
    @rule()
    def connection_is_lost(self) -> None:
        self.wire.clear()
        self.carry_out(self.synchroniser.close("lost"))
        assert self.published is None

    @precondition(lambda self: self.synchroniser.state is BookState.CLOSED)
    @rule()
    def connection_is_back(self) -> None:
        self.synchroniser.open()

    @invariant()
    def nothing_is_published_but_from_a_whole_book(self) -> None:
        if self.published is not None:
            assert self.synchroniser.state is BookState.SYNCHRONISED
            assert self.synchroniser.book.sequence == self.published_at
            assert self.synchroniser.book.top(100) == self.published

    def teardown(self) -> None:
        """Faults off: with a faithful wire and answers to every request the book must become the exchange's own."""
        if self.synchroniser.state is BookState.CLOSED:
            self.synchroniser.open()
        self.exchange_confirms()
        for _ in range(6):
            self.exchange_changes(1)
            self.wire_delivers_all()
            while self.expected:
                self.push_does_not_come()
            while self.answers:
                self.snapshot_arrives(newest=False)
            while self.asked:
                self.snapshot_is_taken()
                self.snapshot_arrives(newest=True)
        assert self.synchroniser.state is BookState.SYNCHRONISED
        assert self.synchroniser.book.sequence == self.exchange.sequence
        assert self.synchroniser.book.top(100) == best_first((self.exchange.bids, self.exchange.asks))


class LinkedSynchroniserMachine(SynchroniserMachine):
    sequence_rule = SequenceRule(SnapshotSource.REST, Continuity.LINKED)


class PushedOrAskedSynchroniserMachine(SynchroniserMachine):
    """The exchange pushes whole books when it likes."""

    sequence_rule = SequenceRule(SnapshotSource.STREAM_OR_REST, Continuity.LINKED)


TestContiguousBook = SynchroniserMachine.TestCase
TestContiguousBook.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLinkedBook = LinkedSynchroniserMachine.TestCase
TestLinkedBook.settings = TestContiguousBook.settings
TestPushedOrAskedBook = PushedOrAskedSynchroniserMachine.TestCase
TestPushedOrAskedBook.settings = TestContiguousBook.settings
