from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from actors.feeds.book_sync import (
    TRANSITIONS,
    BookState,
    BookSynchroniser,
    BookTransition,
    Decision,
    ExpectPush,
    FetchSnapshot,
    ImpossibleTransition,
    LossKind,
    Lost,
    Publish,
    Resubscribe,
    SnapshotRejected,
    Withhold,
)
from actors.feeds.codec import BookDeltaDecoded, BookSnapshotDecoded, Continuity, SequenceRule, SnapshotSource
from market.events import Level
from market.symbol import Symbol

BTC_USDT = Symbol("BTC", "USDT")
GATE = SequenceRule(SnapshotSource.REST, Continuity.CONTIGUOUS)
BINANCE_FUTURES = SequenceRule(SnapshotSource.REST, Continuity.LINKED, bridge_offset=0)
OKX = SequenceRule(SnapshotSource.STREAM, Continuity.LINKED)
OKX_IN_DOUBT = SequenceRule(SnapshotSource.STREAM_OR_REST, Continuity.LINKED)
BIDS: list[Level] = [(99.0, 1.0), (98.0, 1.0)]
ASKS: list[Level] = [(101.0, 1.0), (102.0, 1.0)]


def delta(first: int, last: int, bids: list[Level] | None = None, asks: list[Level] | None = None, **more: object) -> BookDeltaDecoded:
    return BookDeltaDecoded(
        symbol=BTC_USDT, bids=bids or [], asks=asks or [], first_sequence=first, last_sequence=last, exchange_time_milliseconds=last, **more
    )  # type: ignore[arg-type]


def full(last: int, bids: list[Level] = BIDS, asks: list[Level] = ASKS) -> BookDeltaDecoded:
    return delta(last, last, bids, asks, is_full=True)


def snapshot(sequence: int, bids: list[Level] = BIDS, asks: list[Level] = ASKS) -> BookSnapshotDecoded:
    return BookSnapshotDecoded(symbol=BTC_USDT, bids=bids, asks=asks, sequence=sequence, exchange_time_milliseconds=sequence)


def awaiting(rule: SequenceRule = GATE, **more: object) -> BookSynchroniser:
    synchroniser = BookSynchroniser(BTC_USDT, rule, **more)  # type: ignore[arg-type]
    synchroniser.open()
    synchroniser.confirm()
    return synchroniser


def synchronised(sequence: int = 100, rule: SequenceRule = GATE, **more: object) -> BookSynchroniser:
    synchroniser = awaiting(rule, **more)
    assert synchroniser.apply_snapshot(snapshot(sequence), synchroniser.generation) == (Publish(),)
    return synchroniser


def kinds(decisions: tuple[Decision, ...]) -> list[type]:
    return [type(decision) for decision in decisions]


def test_book_asks_for_snapshot_once_when_subscription_is_confirmed() -> None:
    synchroniser = BookSynchroniser(BTC_USDT, GATE)
    synchroniser.open()
    assert synchroniser.state is BookState.BUFFERING
    assert synchroniser.confirm() == (FetchSnapshot(1, 1),)
    assert synchroniser.confirm() == ()


def test_book_joins_snapshot_with_buffered_deltas() -> None:
    synchroniser = awaiting()
    for first, last, quantity in ((95, 98, 1.0), (99, 100, 2.0), (99, 101, 3.0), (102, 105, 4.0)):
        assert synchroniser.apply_delta(delta(first, last, [(99.0, quantity)])) == ()
    assert synchroniser.apply_snapshot(snapshot(100), 1) == (Publish(),)
    assert synchroniser.book.sequence == 105
    assert synchroniser.book.best_bid == 99.0
    assert synchroniser.book.bid_quantity(99.0) == 4.0


def test_book_is_the_snapshot_itself_when_every_buffered_delta_is_older() -> None:
    synchroniser = awaiting()
    synchroniser.apply_delta(delta(90, 95, [(99.5, 9.0)]))
    assert synchroniser.apply_snapshot(snapshot(100), 1) == (Publish(),)
    assert synchroniser.book.top(5) == (tuple(BIDS), tuple(ASKS))


@pytest.mark.parametrize(
    ("first", "last", "outcome"),
    [
        (90, 99, []),  # old
        (95, 100, []),  # old to the last number
        (101, 101, [Publish]),  # contiguous
        (99, 103, [Publish]),  # overlaps: quantities are absolute
        (102, 102, [Lost, FetchSnapshot]),  # one is missing
    ],
)
def test_book_by_contiguous_numbers_drops_old_applies_fitting_and_breaks_on_gap(first: int, last: int, outcome: list[type]) -> None:
    synchroniser = synchronised(100)
    assert kinds(synchroniser.apply_delta(delta(first, last, [(99.0, 7.0)]))) == outcome
    assert synchroniser.state is (BookState.AWAITING_SNAPSHOT if Lost in outcome else BookState.SYNCHRONISED)
    if outcome == [Publish]:
        assert (synchroniser.book.sequence, synchroniser.book.bid_quantity(99.0)) == (last, 7.0)
    else:
        assert (synchroniser.book.sequence, synchroniser.book.bid_quantity(99.0)) == (100, 1.0)


def test_book_after_gap_begins_new_generation_with_the_delta_that_showed_it() -> None:
    synchroniser = synchronised(100)
    lost, fetch = synchroniser.apply_delta(delta(103, 104, [(99.0, 7.0)]))
    assert isinstance(lost, Lost)
    assert lost.kind is LossKind.GAP
    assert "at 100" in lost.reason
    assert fetch == FetchSnapshot(2, 1)
    assert synchroniser.apply_snapshot(snapshot(102), 2) == (Publish(),)
    assert (synchroniser.book.sequence, synchroniser.book.bid_quantity(99.0)) == (104, 7.0)


def test_snapshot_older_than_the_oldest_buffered_delta_is_fetched_again() -> None:
    synchroniser = awaiting()
    synchroniser.apply_delta(delta(103, 104))
    rejected, fetch = synchroniser.apply_snapshot(snapshot(100), 1)
    assert isinstance(rejected, SnapshotRejected)
    assert fetch == FetchSnapshot(1, 2)
    assert synchroniser.apply_snapshot(snapshot(103), 1) == (Publish(),)
    assert synchroniser.book.sequence == 104


def test_hole_between_buffered_deltas_is_never_published() -> None:
    synchroniser = awaiting()
    synchroniser.apply_delta(delta(101, 101))
    synchroniser.apply_delta(delta(103, 103))
    assert kinds(synchroniser.apply_snapshot(snapshot(100), 1)) == [SnapshotRejected, FetchSnapshot]
    assert synchroniser.apply_snapshot(snapshot(102), 1) == (Publish(),)
    assert synchroniser.book.sequence == 103


def test_buffer_when_full_forgets_its_oldest_and_an_older_snapshot_no_longer_fits() -> None:
    synchroniser = awaiting(buffer_max=3)
    for sequence in range(101, 106):
        synchroniser.apply_delta(delta(sequence, sequence))
    assert kinds(synchroniser.apply_snapshot(snapshot(100), 1)) == [SnapshotRejected, FetchSnapshot]
    assert synchroniser.apply_snapshot(snapshot(102), 1) == (Publish(),)
    assert synchroniser.book.sequence == 105


def test_snapshot_of_an_earlier_generation_is_ignored() -> None:
    synchroniser = awaiting()
    synchroniser.discard(LossKind.BAD_FRAME, "unreadable")
    assert synchroniser.apply_snapshot(snapshot(100), 1) == ()
    assert synchroniser.fail_snapshot(1, 1) == ()
    assert synchroniser.state is BookState.AWAITING_SNAPSHOT
    assert synchroniser.apply_snapshot(snapshot(100), 2) == (Publish(),)


def test_failed_snapshot_is_asked_for_again_with_the_next_attempt() -> None:
    synchroniser = awaiting()
    assert synchroniser.fail_snapshot(1, 1) == (FetchSnapshot(1, 2),)
    assert synchroniser.fail_snapshot(1, 1) == ()  # told twice
    assert synchroniser.fail_snapshot(1, 2) == (FetchSnapshot(1, 3),)


def test_crossing_delta_breaks_the_book() -> None:
    synchroniser = synchronised(100)
    lost, _ = synchroniser.apply_delta(delta(101, 101, [(101.0, 1.0)]))
    assert isinstance(lost, Lost)
    assert lost.kind is LossKind.CROSSED
    # The delta was true: it is kept, and fits a newer snapshot that holds the other half.
    assert synchroniser.apply_snapshot(snapshot(100, BIDS, [(102.0, 1.0)]), 2) == (Publish(),)
    assert synchroniser.book.best_bid == 101.0


def test_crossed_snapshot_is_rejected() -> None:
    synchroniser = awaiting()
    assert kinds(synchroniser.apply_snapshot(snapshot(100, [(102.0, 1.0)]), 1)) == [SnapshotRejected, FetchSnapshot]


def test_full_push_replaces_the_book_in_every_open_state() -> None:
    early = BookSynchroniser(BTC_USDT, GATE)
    early.open()
    for synchroniser in (early, awaiting(), synchronised(100)):
        assert synchroniser.apply_delta(full(500, [(50.0, 1.0)], [(60.0, 1.0)])) == (Publish(),)
        assert synchroniser.book.top(5) == (((50.0, 1.0),), ((60.0, 1.0),))
        assert synchroniser.apply_delta(delta(501, 501, [(51.0, 1.0)])) == (Publish(),)
        assert synchroniser.confirm() == ()  # late or repeated: the book is there already


def test_crossed_full_push_breaks_a_published_book() -> None:
    assert kinds(synchronised(100).apply_delta(full(101, [(102.0, 1.0)]))) == [Lost, FetchSnapshot]


def test_book_with_an_empty_side_is_withheld_and_published_again_when_filled() -> None:
    synchroniser = synchronised(100)
    assert kinds(synchroniser.apply_delta(delta(101, 101, [], [(101.0, 0.0), (102.0, 0.0)]))) == [Withhold]
    assert synchroniser.state is BookState.SYNCHRONISED
    assert synchroniser.apply_delta(delta(102, 102, [], [(103.0, 1.0)])) == (Publish(),)


def test_closed_book_ignores_everything_and_says_lost_once() -> None:
    synchroniser = synchronised(100)
    assert synchroniser.close("reset") == (Lost(LossKind.DISCONNECTED, "reset"),)
    assert synchroniser.close("reset") == ()
    assert synchroniser.apply_delta(delta(101, 101)) == ()
    assert synchroniser.apply_delta(full(101)) == ()
    assert synchroniser.apply_snapshot(snapshot(100), synchroniser.generation) == ()
    with pytest.raises(ImpossibleTransition, match="closed book cannot be broken"):
        synchroniser.discard(LossKind.STALE, "stale")


def test_deltas_buffered_on_a_lost_connection_do_not_reach_the_next_one() -> None:
    synchroniser = awaiting()
    synchroniser.apply_delta(delta(101, 101, [(99.5, 1.0)]))
    synchroniser.close("reset")
    synchroniser.open()
    synchroniser.confirm()
    assert synchroniser.apply_snapshot(snapshot(100), 1) == ()
    assert synchroniser.apply_snapshot(snapshot(100), 2) == (Publish(),)
    assert synchroniser.book.sequence == 100


def test_bad_frame_before_confirmation_is_followed_by_one_fetch_only() -> None:
    synchroniser = BookSynchroniser(BTC_USDT, GATE)
    synchroniser.open()
    assert kinds(synchroniser.discard(LossKind.BAD_FRAME, "unreadable")) == [Lost]
    assert synchroniser.confirm() == (FetchSnapshot(2, 1),)


def test_transition_table_names_every_open_state_for_every_transition_but_opening() -> None:
    for state, transition in itertools.product(BookState, BookTransition):
        expected = (transition is BookTransition.OPENED) == (state is BookState.CLOSED) or transition is BookTransition.CLOSED
        assert ((state, transition) in TRANSITIONS) == expected, (state, transition)


def test_impossible_transition_changes_nothing() -> None:
    synchroniser = synchronised(100)
    before = (synchroniser.state, synchroniser.generation, synchroniser.book.top(5))
    with pytest.raises(ImpossibleTransition, match="synchronised book cannot be opened"):
        synchroniser.open()
    assert (synchroniser.state, synchroniser.generation, synchroniser.book.top(5)) == before


def test_linked_book_bridges_by_range_and_continues_by_link() -> None:
    synchroniser = awaiting(BINANCE_FUTURES)
    synchroniser.apply_delta(delta(90, 99, previous_sequence=89))  # u < id: dropped
    synchroniser.apply_delta(delta(95, 100, [(99.0, 5.0)], previous_sequence=94))  # U <= id <= u
    assert synchroniser.apply_snapshot(snapshot(100), 1) == (Publish(),)
    assert synchroniser.book.bid_quantity(99.0) == 5.0
    assert synchroniser.apply_delta(delta(107, 109, previous_sequence=100)) == (Publish(),)  # numbers skip, the link holds
    assert synchroniser.apply_delta(delta(105, 108, previous_sequence=104)) == ()  # old
    assert kinds(synchroniser.apply_delta(delta(111, 112, previous_sequence=110))) == [Lost, FetchSnapshot]


def test_pushed_book_resubscribes_when_broken_and_expects_the_push() -> None:
    synchroniser = BookSynchroniser(BTC_USDT, OKX)
    synchroniser.open()
    assert synchroniser.confirm() == (ExpectPush(1, 0),)
    assert synchroniser.fail_snapshot(1, 0) == (Resubscribe(1, 1),)
    assert synchroniser.apply_delta(full(10)) == (Publish(),)
    assert synchroniser.apply_delta(delta(15, 15, previous_sequence=10)) == (Publish(),)
    assert synchroniser.apply_delta(delta(15, 15, previous_sequence=15)) == (Publish(),)  # heartbeat
    assert synchroniser.apply_delta(delta(3, 3, previous_sequence=15)) == (Publish(),)  # numbers restart, the link holds
    lost, resubscribe = synchroniser.apply_delta(delta(9, 9, previous_sequence=8))
    assert isinstance(lost, Lost)
    assert resubscribe == Resubscribe(2, 1)
    assert synchroniser.apply_delta(full(20)) == (Publish(),)


def test_book_whose_push_does_not_come_is_asked_for_by_rest_and_built_from_the_second_delta_on() -> None:
    synchroniser = BookSynchroniser(BTC_USDT, OKX_IN_DOUBT)
    synchroniser.open()
    synchroniser.apply_delta(delta(101, 105, [(99.0, 7.0)], previous_sequence=100))
    assert synchroniser.confirm() == (ExpectPush(1, 0),), "the push is waited for first"
    synchroniser.apply_delta(delta(106, 110, [(98.0, 8.0)], previous_sequence=105))
    synchroniser.apply_delta(delta(111, 115, [(97.0, 9.0)], previous_sequence=110))
    assert synchroniser.fail_snapshot(1, 0) == (FetchSnapshot(1, 1),)
    assert kinds(synchroniser.apply_snapshot(snapshot(104), 1)) == [SnapshotRejected, FetchSnapshot], "the first delta may be but a part"
    assert synchroniser.apply_snapshot(snapshot(107), 1) == (Publish(),)
    assert [synchroniser.book.bid_quantity(price) for price in (97.0, 98.0)] == [9.0, 8.0]
    assert synchroniser.book.bid_quantity(99.0) != 7.0
    assert synchroniser.apply_delta(delta(116, 120, previous_sequence=115)) == (Publish(),)
    assert kinds(synchroniser.apply_delta(delta(126, 130, previous_sequence=125))) == [Lost, Resubscribe], "a push may come again"
    assert synchroniser.fail_snapshot(2, 1) == (FetchSnapshot(2, 2),)
    assert synchroniser.fail_snapshot(2, 2) == (FetchSnapshot(2, 3),), "REST may be out of reach for a while"


def test_push_that_comes_late_is_better_than_the_answer_of_rest() -> None:
    synchroniser = awaiting(OKX_IN_DOUBT)
    assert synchroniser.fail_snapshot(1, 0) == (FetchSnapshot(1, 1),), "also of a book that does not change"
    assert synchroniser.apply_delta(full(110)) == (Publish(),)
    assert synchroniser.apply_snapshot(snapshot(100), 1) == ()
    assert synchroniser.apply_delta(delta(111, 115, previous_sequence=110)) == (Publish(),)


def test_low_number_that_does_not_link_to_a_pushed_book_is_a_gap() -> None:
    synchroniser = awaiting(OKX)
    synchroniser.apply_delta(full(15))
    assert kinds(synchroniser.apply_delta(delta(5, 5, previous_sequence=3))) == [Lost, Resubscribe], "the reset from 15 to 3 was missed"


def test_full_push_with_a_wrong_checksum_is_no_book() -> None:
    synchroniser = awaiting(OKX, checksum_agrees=lambda book, checksum: checksum == book.bid_levels)
    assert kinds(synchroniser.apply_delta(replace(full(10), checksum=7))) == [SnapshotRejected, Resubscribe]
    assert synchroniser.apply_delta(replace(full(10), checksum=2)) == (Publish(),)
    lost, _ = synchroniser.apply_delta(replace(full(11), checksum=7))
    assert isinstance(lost, Lost)
    assert lost.kind is LossKind.CHECKSUM


def test_wrong_checksum_breaks_the_book() -> None:
    synchroniser = awaiting(OKX, checksum_agrees=lambda book, checksum: checksum == book.bid_levels)
    synchroniser.apply_delta(full(10))
    assert synchroniser.apply_delta(delta(11, 11, [(97.0, 1.0)], previous_sequence=10, checksum=3)) == (Publish(),)
    lost, _ = synchroniser.apply_delta(delta(12, 12, [(97.0, 0.0)], previous_sequence=11, checksum=3))
    assert isinstance(lost, Lost)
    assert lost.kind is LossKind.CHECKSUM


def test_full_push_makes_everything_buffered_before_it_worthless() -> None:
    synchroniser = awaiting()
    synchroniser.apply_delta(delta(9001, 9001, [(99.5, 1.0)]))  # the exchange then begins to number anew
    assert synchroniser.apply_delta(full(5)) == (Publish(),)
    assert synchroniser.book.sequence == 5
