"""The port and the actor behind it: order, acknowledgement, batches, a full queue, failure, stopping."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
import trio.testing
from journal_samples import TIME, intent, placed, rows, write

from actors.channels.reply import Reply
from actors.journal import actor as actor_module
from actors.journal import port as port_module
from actors.journal.actor import BATCH_ENTRIES_MAX, CHECKPOINT_WRITES_MIN, IDLE_SECONDS, QUIET_SECONDS, JournalActor
from actors.journal.entries import Entry, EventTold
from actors.journal.errors import JournalBroken
from actors.journal.events import JournalFailed
from actors.journal.port import DROPPED, open_journal_port
from actors.journal.records import UnknownEvent
from actors.journal.store import JournalStore
from market.clock import VirtualWallClock
from orders.events import AccountReady, OrderPlaced, OrderSubmitted

T = TypeVar("T")
NOTE = EventTold("notice", {"text": "something"})


class FailingStore(JournalStore):
    """A real store that can be made to refuse, and that remembers how many entries each transaction had."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.batches: list[int] = []

    def refuse_writing(self, refuse: bool) -> None:
        self._connection.execute(f"PRAGMA query_only = {int(refuse)}")

    def write(self, entries: Sequence[Entry]) -> None:
        self.batches.append(len(entries))
        super().write(entries)


class Desk:
    """A journal's parts as the assembly has them: what outlives incarnations, and incarnations made as they are needed.

    It is the context of each of them as well.
    """

    def __init__(self, capacity: int, path: Path | str) -> None:
        self.store = FailingStore(path)
        self.store.begin_run(at_milliseconds=TIME, installation="mm", version="", accounts={"main": "gateio_spot"})
        self.port, self.queue = open_journal_port(capacity, wall_clock=VirtualWallClock(TIME))
        self.reported: list[object] = []
        self.times_started = 0
        self.times_progressed = 0

    def actor(self, **options: float) -> JournalActor:
        return JournalActor(store=self.store, queue=self.queue, report=self.reported.append, **options)

    def started(self) -> None:
        self.times_started += 1

    def progress(self) -> None:
        self.times_progressed += 1

    def ids(self) -> list[str]:
        return [row["client_order_id"] for row in rows(self.store, "SELECT client_order_id FROM orders ORDER BY id")]


@pytest.fixture
def make_desk(tmp_path: Path) -> Generator[Callable[..., Desk]]:
    """Makes desks, each with a journal of its own."""
    with ExitStack() as stack:

        def make(*, capacity: int = 8, on_disk: bool = False) -> Desk:
            desk = Desk(capacity, tmp_path / "journal.db" if on_disk else ":memory:")
            stack.enter_context(desk.store)
            return desk

        yield make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One in memory whose queue holds eight entries."""
    return make_desk()


@pytest.fixture
async def patience(autojump_clock) -> AsyncGenerator[None]:
    """A test that waits for ever uses up a minute of virtual time and fails."""

    async def run_out() -> None:
        await trio.sleep(60)
        raise AssertionError("somebody waits for ever")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_out)
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def running(desk: Desk, **options: float) -> AsyncGenerator[trio.CancelScope]:
    """With an incarnation that lives until the end of the block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.actor(**options).run, desk)
        await trio.testing.wait_all_tasks_blocked()
        yield nursery.cancel_scope
        nursery.cancel_scope.cancel()


def submitted(number: int = 1) -> OrderSubmitted:
    return OrderSubmitted("main", intent(number))


# Writing


async def test_acknowledged_intent_is_written_when_the_call_returns(autojump_clock, patience, desk: Desk) -> None:
    async with running(desk):
        assert desk.times_started == 1
        await desk.port.record_and_wait(submitted())
        assert desk.ids() == ["mm-btc-0001"]


async def test_entries_keep_their_order_and_the_time_at_which_they_were_sent(autojump_clock, patience, desk: Desk) -> None:
    await desk.port.record(submitted(1))
    await trio.sleep(1.5)
    desk.port.note(NOTE)
    desk.port.record_nowait(OrderPlaced("main", placed(1)))
    await trio.sleep(1)
    async with running(desk):
        await desk.port.record_and_wait(submitted(2))
    told = rows(desk.store, "SELECT event, at - ? AS at FROM order_events ORDER BY id", TIME)
    assert [tuple(row.values()) for row in told] == [("submitted", 0), ("placed", 1500), ("submitted", 2500)]
    assert [row["at"] - TIME for row in rows(desk.store, "SELECT at FROM events")] == [1500]


async def test_what_has_come_together_is_one_transaction_and_a_large_heap_is_several(
    autojump_clock, patience, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(capacity=BATCH_ENTRIES_MAX + 50)
    for number in range(BATCH_ENTRIES_MAX + 20):
        desk.port.record_nowait(submitted(number))
    async with running(desk):
        pass
    assert desk.store.batches[:2] == [BATCH_ENTRIES_MAX, 20]
    assert len(desk.ids()) == BATCH_ENTRIES_MAX + 20


async def test_several_who_wait_are_answered_by_one_transaction(autojump_clock, patience, desk: Desk) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(desk.port.record_and_wait, submitted(number))
        await trio.testing.wait_all_tasks_blocked()
        async with running(desk):
            pass
    assert desk.store.batches[0] == 5


async def test_events_of_one_moment_are_one_entry(autojump_clock, patience, desk: Desk) -> None:
    async with running(desk):
        await desk.port.record_and_wait(submitted(1), OrderPlaced("main", placed(1)))
    assert desk.store.batches[0] == 1
    assert [row["event"] for row in rows(desk.store, "SELECT event FROM order_events ORDER BY id")] == ["submitted", "placed"]


async def test_event_without_a_table_is_refused_where_it_is_sent(autojump_clock, patience, desk: Desk) -> None:
    for send in (desk.port.record, desk.port.record_and_wait):
        with pytest.raises(UnknownEvent, match="AccountReady"):
            await send(AccountReady("main"))
    with pytest.raises(UnknownEvent):
        desk.port.record_nowait(AccountReady("main"))
    assert desk.port.statistics().waiting == 0


async def test_actor_reports_progress_though_nothing_comes(autojump_clock, patience, desk: Desk) -> None:
    async with running(desk):
        before = desk.times_progressed
        await trio.sleep(10)
        assert desk.times_progressed - before >= 10 / IDLE_SECONDS - 1


# A full queue


async def test_sender_waits_while_the_queue_is_full_and_nothing_is_lost(autojump_clock, patience, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(capacity=2)
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(desk.port.record, submitted(number))
        await trio.testing.wait_all_tasks_blocked()
        assert desk.port.statistics().waiting == 6
        with pytest.raises(trio.WouldBlock):
            desk.port.record_nowait(submitted(9))
        async with running(desk):
            pass
    assert sorted(desk.ids()) == [f"mm-btc-{number:04}" for number in range(6)]
    assert desk.port.statistics().waiting == 0


async def test_cancelled_sender_has_recorded_nothing(autojump_clock, patience, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(capacity=1)
    desk.port.record_nowait(submitted(1))
    with trio.move_on_after(1):
        await desk.port.record(submitted(2))
    async with running(desk):
        pass
    assert desk.ids() == ["mm-btc-0001"]


async def test_notes_are_dropped_and_counted_before_they_could_make_an_order_wait(
    autojump_clock, patience, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(capacity=8)
    for _ in range(10):
        desk.port.note(NOTE)
    assert desk.port.statistics().dropped == 6
    for number in range(4):
        desk.port.record_nowait(submitted(number))
    async with running(desk):
        pass
    told = rows(desk.store, "SELECT name, fields FROM events ORDER BY id")
    assert [row["name"] for row in told] == ["notice"] * 4 + [DROPPED]
    assert told[-1]["fields"] == '{"count":6}'
    assert len(desk.ids()) == 4


async def test_dropped_notes_are_told_once(autojump_clock, patience, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(capacity=2)
    for _ in range(3):
        desk.port.note(NOTE)
    async with running(desk):
        await desk.port.record_and_wait(submitted(1))
        await desk.port.record_and_wait(submitted(2))
    assert [row["fields"] for row in rows(desk.store, "SELECT fields FROM events WHERE name = ?", DROPPED)] == ['{"count":2}']


# Failure


async def fails(desk: Desk) -> JournalBroken:
    """Let an incarnation run until it dies of its disk."""
    desk.store.refuse_writing(True)
    with pytest.raises(JournalBroken) as died:
        await desk.actor().run(desk)
    desk.store.refuse_writing(False)
    return died.value


async def heard(send: Callable[..., Awaitable[None]], *events: object) -> str:
    try:
        await send(*events)
    except JournalBroken as error:
        return str(error)
    return "written"


async def test_everybody_who_waits_hears_the_failure_and_the_actor_dies_of_it(
    autojump_clock, patience, make_desk: Callable[..., Desk]
) -> None:
    desk, said = make_desk(capacity=2), list[str]()

    async def wait(number: int) -> None:
        said.append(await heard(desk.port.record_and_wait, submitted(number)))

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(wait, number)
        await trio.testing.wait_all_tasks_blocked()
        error = await fails(desk)
    assert "cannot be written: attempt to write a readonly database" in str(error)
    assert said == [str(error)] * 5
    assert desk.reported == [JournalFailed(str(error), 5)]
    assert desk.ids() == []


async def test_what_one_incarnation_could_not_write_the_next_one_writes_in_order(autojump_clock, patience, desk: Desk) -> None:
    desk.port.record_nowait(submitted(1))
    desk.port.record_nowait(submitted(2))
    await fails(desk)
    desk.port.record_nowait(submitted(3))
    async with running(desk):
        await desk.port.record_and_wait(submitted(4))
    assert desk.ids() == [f"mm-btc-{number:04}" for number in (1, 2, 3, 4)]


async def test_nobody_waits_for_a_journal_that_has_failed(autojump_clock, patience, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(capacity=2)
    desk.port.record_nowait(submitted(1))
    reason = str(await fails(desk))
    began_at = trio.current_time()
    assert await heard(desk.port.record_and_wait, submitted(2)) == reason, "and it was not recorded"
    assert await heard(desk.port.record, submitted(3)) == "written", "in the queue, that is"
    desk.port.note(NOTE)
    desk.port.record_nowait(submitted(4))
    assert await heard(desk.port.record, submitted(5)) == reason, "the queue is full"
    with pytest.raises(JournalBroken):
        desk.port.record_nowait(submitted(6))
    assert trio.current_time() == began_at
    async with running(desk):
        await desk.port.record_and_wait(submitted(7))
    assert desk.ids() == [f"mm-btc-{number:04}" for number in (1, 3, 4, 7)]


async def test_who_heard_of_the_failure_is_not_answered_again_when_the_entry_is_written_after_all(
    autojump_clock, patience, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: list[Reply[Any]] = []

    class KnownReply(Reply[T]):
        def __init__(self) -> None:
            super().__init__()
            replies.append(self)

    monkeypatch.setattr(port_module, "Reply", KnownReply)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(heard, desk.port.record_and_wait, submitted(1))
        await trio.testing.wait_all_tasks_blocked()
        await fails(desk)
    async with running(desk):
        await desk.port.record_and_wait(submitted(2))
    assert desk.ids() == ["mm-btc-0001", "mm-btc-0002"]
    assert [reply.answers_ignored for reply in replies] == [0, 0]


async def test_what_is_kept_for_a_journal_that_fails_again_and_again_has_a_bound(
    autojump_clock, patience, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(capacity=5)
    said = list[str]()
    for life in range(4):
        for number in range(20):
            said.append(await heard(desk.port.record, submitted(life * 20 + number)) if life else "")
            desk.port.note(NOTE)
        if not life:
            desk.port.record_nowait(submitted(999))
        reason = str(await fails(desk))
        assert desk.port.statistics().waiting <= 10
    assert set(said) == {"", "written", reason}
    async with running(desk):
        pass
    assert len(desk.ids()) == 1 + said.count("written")


async def test_incarnation_that_has_not_written_yet_is_not_waited_for(autojump_clock, patience, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(capacity=5)
    for number in range(5):
        desk.port.record_nowait(submitted(number))
    for life in range(1, 6):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(heard, desk.port.record, submitted(life * 20 + number))
            await fails(desk)
        if life > 1:
            assert desk.port.statistics().waiting <= 5 + 20 + 5


async def test_event_of_an_unknown_account_fails_the_journal_and_says_whose_fault_it_is(autojump_clock, patience, desk: Desk) -> None:
    desk.port.record_nowait(OrderSubmitted("hedge", intent()))
    with pytest.raises(UnknownEvent, match="of an account hedge"):
        await desk.actor().run(desk)
    assert [type(event) for event in desk.reported] == [JournalFailed]


async def test_checkpoint_that_fails_is_a_failure_of_the_journal(
    autojump_clock, patience, monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> None:
    desk.store.writes_since_checkpoint = CHECKPOINT_WRITES_MIN

    def fail() -> None:
        raise JournalBroken("no more room")

    monkeypatch.setattr(desk.store, "checkpoint", fail)
    with pytest.raises(JournalBroken, match="no more room"):
        await desk.actor().run(desk)
    assert desk.reported == [JournalFailed("no more room", 0)]


# Checkpoints


async def test_checkpoint_waits_until_it_is_quiet(autojump_clock, patience, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(on_disk=True)
    async with running(desk):
        while desk.store.writes_since_checkpoint < CHECKPOINT_WRITES_MIN + 100:
            await desk.port.record_and_wait(*(submitted(number) for number in range(50)))
        await trio.sleep(QUIET_SECONDS * 2)
        assert desk.store.writes_since_checkpoint == 0


async def test_checkpoint_comes_in_between_where_it_is_never_quiet(
    autojump_clock, patience, monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> None:
    monkeypatch.setattr(actor_module, "CHECKPOINT_WRITES_MAX", 50)
    async with running(desk):
        for number in range(100):
            await desk.port.record_and_wait(submitted(number))
            assert desk.store.writes_since_checkpoint <= 52


# Stopping


async def test_stopped_actor_writes_what_was_sent_before_and_nobody_waits_for_it_after(
    autojump_clock, patience, make_desk: Callable[..., Desk]
) -> None:
    desk = make_desk(capacity=300)
    async with running(desk) as scope:
        for number in range(250):
            desk.port.record_nowait(submitted(number))
        scope.cancel("the program stops")
    assert len(desk.ids()) == 250
    assert desk.reported == []
    assert await heard(desk.port.record_and_wait, submitted(999)) == "the journal actor has stopped"


async def test_actor_stopped_at_any_step_has_written_everything_once_in_order(
    autojump_clock, patience, make_desk: Callable[..., Desk]
) -> None:
    for steps in range(12):
        desk = make_desk(capacity=4)
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as inner:
                inner.start_soon(desk.actor().run, desk)
                for number in range(4):
                    nursery.start_soon(desk.port.record, submitted(number))
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                inner.cancel_scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            async with running(desk):
                pass
        assert sorted(desk.ids()) == [f"mm-btc-{number:04}" for number in range(4)]
        assert len(rows(desk.store, "SELECT * FROM order_events")) == 4


async def test_stop_that_has_no_time_says_how_much_is_not_written(autojump_clock, patience, make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(capacity=1_000)
    async with running(desk, flush_deadline_seconds=0.0) as scope:
        for number in range(250):
            desk.port.record_nowait(submitted(number))
        scope.cancel()
    assert desk.reported == [JournalFailed("the journal was stopped before everything was written", 250 - len(desk.ids()))]
    assert 0 < len(desk.ids()) < 250
    async with running(desk):
        pass
    assert len(desk.ids()) == 250


async def test_failure_while_stopping_is_told_and_raised(autojump_clock, patience, desk: Desk) -> None:
    with pytest.RaisesGroup(JournalBroken):
        async with running(desk) as scope:
            desk.store.refuse_writing(True)
            desk.port.record_nowait(submitted())
            scope.cancel()
    assert [type(event) for event in desk.reported] == [JournalFailed]


async def test_store_is_left_open_for_its_owner(autojump_clock, patience, desk: Desk) -> None:
    async with running(desk):
        pass
    write(desk.store, submitted())
    assert desk.ids() == ["mm-btc-0001"]


async def test_queue_without_a_bound_cannot_be_made(autojump_clock, patience) -> None:
    with pytest.raises(ValueError, match="above zero"):
        open_journal_port(0, wall_clock=VirtualWallClock())
