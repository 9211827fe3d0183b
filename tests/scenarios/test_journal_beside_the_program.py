"""The journal hears what the whole program tells, in virtual time, and says in the end what the ledger says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from msgspec.structs import replace
from world import World, scenario

from actors.journal.actor import JournalActor
from actors.journal.entries import EventTold
from actors.journal.port import open_journal_port
from actors.journal.reading import JournalReader, OrderFilter
from actors.journal.records import has_table
from actors.journal.recovery import Recovery
from actors.journal.store import JournalStore
from assembly.presenter.vocabulary import tell
from market.events import Side
from orders.events import OrderPlaced
from orders.ledger import AccountLedger
from orders.order import Order
from supervision.child import ChildContext

ACCOUNTS = {"main": "gateio_spot"}


@asynccontextmanager
async def journal_of(world: World, path: Path | str) -> AsyncGenerator[JournalStore]:
    """A journal of everything that the program reports from now on; what was told by the end of the block is in it."""
    port, queue = open_journal_port(10_000, wall_clock=world.wall_clock)

    def observe(event: object) -> None:
        if has_table(type(event)):
            port.record_nowait(event)
        elif (told := tell(event)) is not None and told.name != "book_top":
            port.note(EventTold(told.name, told.fields))

    with JournalStore(path) as store:
        store.begin_run(at_milliseconds=world.wall_clock.milliseconds(), installation="mm", version="", accounts=ACCOUNTS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(JournalActor(store=store, queue=queue, report=observe).run, ChildContext("journal"))
            world.observers.append(observe)
            yield store
            world.observers.remove(observe)
            nursery.cancel_scope.cancel()


def recover(store: JournalStore) -> Recovery:
    return store.recover(installation="mm", accounts=ACCOUNTS)


def known(order: Order) -> Order:
    """Without what only the living process knows, and without the time of words that changed nothing: they are not reported."""
    return replace(order, created_at=0.0, sent_at=0.0, changed_at=0.0, said_at_milliseconds=0)


@scenario(seed=1)
async def test_journal_of_three_cycles_with_a_crash_in_between_says_what_the_ledger_says(world: World) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        async with journal_of(world, path):
            await world.start(cycles=3)
            await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)
            world.crash_account()
            await world.end()
        with JournalReader(path) as reader:
            written = {history.order.client_order_id: history for history in reader.orders(OrderFilter())}
        with JournalStore(path) as store:
            found = recover(store)
    ledger = world.account.ledger
    assert [known(order) for order in ledger.orders()] == [known(history.order) for history in written.values()]
    assert all(history.events[0].event == "submitted" and history.events[-1].event in ("ended", "filled") for history in written.values())
    assert found.accounts["main"].orders == ()
    assert found.accounts["main"].counted.fill_changes == ledger.fill_changes()
    assert (found.cycles["main", "btc"].round_number, found.cycles["main", "btc"].in_progress) == (4, None)


@scenario(seed=2)
async def test_ledger_restored_in_the_middle_of_a_cycle_knows_every_order_that_the_exchange_has(world: World) -> None:
    async with journal_of(world, ":memory:") as store:
        await world.start(cycles=1)
        await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)
        await trio.sleep(0.05)
        open_now, died = world.our_open_orders(), world.account.ledger
        found = recover(store).accounts["main"]
        ledger = AccountLedger(account="main", installation="mm")
        ledger.restore(found.orders, counted=found.counted)
        assert {world.codec.wire_client_order_id(order.client_order_id) for order in ledger.live_orders()} >= set(open_now)
        assert open_now
        assert ledger.fill_changes() == died.fill_changes()
        world.stop()
        await world.end()
