"""Crashes and hangs at a checkpoint, kills and torn journals: what the simulator itself does, shown on small things."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.accounts.events import AccountReconciled
from actors.journal.entries import Entry
from market.events import Side
from orders.events import AccountReady, OrderPlaced
from orders.states import StateEntered, TradingState
from simulated.settings import MarketSettings, SimulationSettings
from soak.worlds.interference import Hang, InjectedCrash, actors_of, can_hang, crash, tasks_of, tasks_of_account
from soak.worlds.journal import WorldJournal
from soak.worlds.world import World, run_world
from supervision.events import ChildDied, ChildHung

NO_TAKERS = SimulationSettings(markets=(MarketSettings(taker_rate_per_second=0.0, gap_rate_per_second=0.0),))
TIME = 1_790_000_000_000


async def test_crash_is_raised_where_the_task_waits() -> None:
    caught: list[str] = []

    async def wait() -> None:
        try:
            await trio.sleep_forever()
        except InjectedCrash as error:
            caught.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, name="somebody")
        await wait_all_tasks_blocked()
        (task,) = nursery.child_tasks
        crash(task)
    assert caught == ["in somebody"]


async def test_hung_task_goes_on_with_what_it_was_woken_with_once_the_hang_ends() -> None:
    sender, receiver = trio.open_memory_channel[int](1)
    got: list[int] = []

    async def take() -> None:
        got.append(await receiver.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        (task,) = nursery.child_tasks
        hang = Hang(task)
        sender.send_nowait(7)
        await wait_all_tasks_blocked()
        assert got == []
        hang.end()
    assert got == [7]


async def test_hung_task_can_be_cancelled() -> None:
    sender, receiver = trio.open_memory_channel[int](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver.receive)
        await wait_all_tasks_blocked()
        (task,) = nursery.child_tasks
        hang = Hang(task)
        sender.send_nowait(7)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    hang.end()  # too late, and no harm


async def test_task_that_hangs_while_it_ends_in_a_shielded_block_is_bound_by_its_own_time_out(autojump_clock: MockClock) -> None:
    async def end_in_order() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_in_order)
        await wait_all_tasks_blocked()
        (task,) = nursery.child_tasks
        nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        Hang(task)
    assert trio.current_time() == 2


async def test_task_that_was_about_to_go_on_hangs_with_its_time_outs_when_it_waits_again(autojump_clock: MockClock) -> None:
    wakes = [trio.Event(), trio.Event()]

    async def wait_twice() -> None:
        with trio.move_on_after(1) as waiting:
            for wake in wakes:
                await wake.wait()
                waiting.deadline = trio.current_time() + 1
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_twice)
        await wait_all_tasks_blocked()
        (task,) = nursery.child_tasks
        wakes[0].set()
        hang = Hang(task)
        await wait_all_tasks_blocked()
        wakes[1].set()
        await trio.sleep(5)
        assert nursery.child_tasks
        hang.end()


async def test_task_that_waits_for_its_children_cannot_hang_but_they_can() -> None:
    async def parent() -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(trio.sleep_forever)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(parent)
        await wait_all_tasks_blocked()
        (task,) = nursery.child_tasks
        (child,) = task.child_nurseries[0].child_tasks
        assert (can_hang(task), can_hang(child)) == (False, True)
        nursery.cancel_scope.cancel()


def test_crash_at_any_checkpoint_of_any_actor_is_restarted_from() -> None:
    async def story(world: World) -> None:
        await world.start(cycles=0)
        await world.wait_for(OrderPlaced)
        assert world.runtime_task is not None
        names = [task.name for task in actors_of(world.runtime_task)]
        assert names == ["root/feeds/feed:gateio_spot", "root/accounts/account:main", "root/cycles/cycle:btc"]
        assert tasks_of_account(world.runtime_task, "main") == tasks_of(actors_of(world.runtime_task)[1])
        for name in names:
            (actor,) = [task for task in actors_of(world.runtime_task) if task.name == name]
            died = len(world.seen(ChildDied))
            crash(tasks_of(actor)[-1])
            await world.wait_for(ChildDied, count=died + 1)
            await world.settle(20)
        world.stop()
        await world.end()

    run_world(story, seed=1)


def test_actor_that_hangs_is_found_and_replaced() -> None:
    async def story(world: World) -> None:
        await world.start(cycles=0)
        await world.wait_for(OrderPlaced)
        await world.settle(0.01)  # until it waits again
        assert world.runtime_task is not None
        cycle = actors_of(world.runtime_task)[-1]
        Hang(tasks_of(cycle)[0])
        await world.wait_for(ChildHung, within_seconds=60)
        await world.settle(10)
        world.stop()
        await world.end()

    run_world(story, seed=2)


def test_killed_program_sends_nothing_more_and_the_next_one_goes_on_from_its_journal() -> None:
    async def story(world: World) -> None:
        await world.start(cycles=0)
        await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)
        world.exchange.freeze_flow()
        left = world.our_open_orders()
        orders = len(world.exchange.orders())
        world.kill()
        await world.settle(5)  # the exchange's own switch does it after thirty
        assert world.our_open_orders() == left  # nobody cancelled them: nobody was there any more
        assert len(world.exchange.orders()) == orders
        assert [str(how) for (how,) in world.journal_rows("SELECT ended_how FROM runs")] == ["None"]
        ready = len(world.seen(AccountReady))
        await world.start(cycles=0)
        await world.wait_for(AccountReady, count=ready + 1)
        assert world.seen(AccountReconciled)
        assert left[0] not in world.our_open_orders()
        world.stop()
        await world.end()

    run_world(story, seed=3, simulation=NO_TAKERS)


def write_state(journal: WorldJournal, number: int) -> None:
    journal.write([Entry(TIME + number, (StateEntered("global", TradingState.PAUSED, f"{number}"),))])


def numbers(journal: WorldJournal) -> int:
    return len(journal.rows("SELECT 1 FROM events"))


@pytest.mark.parametrize("where", ["memory", "file"])
def test_kill_leaves_what_was_committed(where: str, tmp_path: Path) -> None:
    with WorldJournal(":memory:" if where == "memory" else tmp_path / "journal.db") as journal:
        journal.begin_run(at_milliseconds=TIME, installation="mm", version="1", accounts={})
        for number in range(5):
            write_state(journal, number)
        before = numbers(journal)
        with journal.left_by_kill() as left:
            assert numbers(left) == before


def test_torn_journal_has_lost_its_end_and_is_whole(tmp_path: Path) -> None:
    with WorldJournal(tmp_path / "journal.db") as journal:
        journal.begin_run(at_milliseconds=TIME, installation="mm", version="1", accounts={})
        for number in range(50):
            write_state(journal, number)
        with journal.left_by_kill(torn_bytes=4_000) as left:
            assert left.rows("PRAGMA integrity_check") == [("ok",)]
            assert 0 < numbers(left) < 50
