"""The journal against the ledger, over a model exchange: whatever happens and in whatever order, both say the same, and a
ledger restored from the journal at any moment goes on as if it had been there all along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hypothesis import settings
from journal_samples import ACCOUNTS, INSTALLATION, open_store, rows, write
from msgspec.structs import replace

from actors.journal.rows import fill_from_row, order_from_row
from orders.earlier import CountedEarlier
from orders.events import OrderFilled
from orders.ledger import AccountLedger
from orders.life_cycle import OrderState
from orders.order import Order
from tests.orders.ledger_world import LedgerWorld
from tests.orders.test_ledger_model import LedgerAgainstExchange


class JournaledWorld(LedgerWorld):
    """Everything that the ledger returns is written. When the process dies, the next one has only what was."""

    def __init__(self, *, contracts: bool, fills_name_their_owner: bool, placements_max: int) -> None:
        self.store = open_store(":memory:")
        self.told_as_ours: Counter[tuple[object, ...]] = Counter()
        super().__init__(contracts=contracts, fills_name_their_owner=fills_name_their_owner, placements_max=placements_max)

    def what_is_left_of(self, died: AccountLedger) -> tuple[Sequence[Order], CountedEarlier]:
        self.ensure_journal_has_what_the_ledger_knows()
        recovered = self.store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"]
        unfinished = [as_recovered(order, self.sent_at(order)) for order in died.orders() if not order.is_settled]
        assert by_id(recovered.orders) == by_id(unfinished)
        self.store.begin_run(at_milliseconds=self.exchange.time, installation=INSTALLATION, version="", accounts=ACCOUNTS)
        return recovered.orders, recovered.counted

    def take(self, events: Iterable[object]) -> None:
        told = list(events)
        super().take(told)
        for event in told:
            if isinstance(event, OrderFilled):
                fill = event.fill
                self.told_as_ours[fill.symbol, fill.exchange_order_id, fill.trade_id] += 1
        if told:
            write(self.store, *told, at=self.exchange.time)

    def end_of_the_disorder(self) -> None:
        super().end_of_the_disorder()
        self.ensure_journal_has_what_the_ledger_knows()
        self.store.close()

    def ensure_journal_has_what_the_ledger_knows(self) -> None:
        written = {row["client_order_id"]: row for row in rows(self.store, "SELECT * FROM orders ORDER BY id")}
        for order in self.ledger.orders():
            row = written[order.client_order_id]
            fills = rows(self.store, "SELECT * FROM fills WHERE order_id = ? ORDER BY id", row["id"])
            journaled = order_from_row(row, tuple(fill_from_row(fill) for fill in fills))
            if not journaled.sent:  # it left, and nothing was heard since
                journaled = replace(journaled, sent=order.sent, sent_at_milliseconds=order.sent_at_milliseconds)
            if order.transport is None:  # settled, forgotten, and found again: who found it does not know how it left
                journaled = replace(journaled, transport=None, sent_at_milliseconds=order.sent_at_milliseconds)
            # Or nothing was heard since it was restored.
            assert timeless(order) in (timeless(journaled), timeless(as_recovered(journaled, order.sent_at_milliseconds)))
            assert bool(row["is_settled"]) == order.is_settled
            assert (row["ended_at"] is not None) == order.is_terminal
        told = rows(self.store, "SELECT symbol, exchange_order_id, trade_id FROM fills WHERE order_id IS NOT NULL")
        assert {(row["symbol"], row["exchange_order_id"], row["trade_id"]) for row in told} == {
            (str(symbol), *ids) for symbol, *ids in self.told_as_ours
        }
        events = rows(self.store, "SELECT order_id, trade_id FROM order_events WHERE event = 'filled'")
        assert len(events) == self.told_as_ours.total(), "each fill is one event of one order"

    def sent_at(self, order: Order) -> int:
        row = rows(self.store, "SELECT sent_at, created_at FROM orders WHERE client_order_id = ?", order.client_order_id)[0]
        return row["sent_at"] or row["created_at"]


def as_recovered(order: Order, sent_at: int) -> Order:
    if order.is_terminal:
        return order
    return replace(order, state=OrderState.UNKNOWN, sent=True, sent_at_milliseconds=sent_at)


def timeless(order: Order) -> Order:
    """Without what only the living process knows: monotonic times, amendments under way, which id a fill was told with."""
    fills = sorted((replace(fill, client_order_id=None) for fill in order.fills), key=lambda fill: fill.trade_id)
    transport = order.transport if order.is_terminal else None  # of an order that left unheard it is not written
    return replace(order, created_at=0.0, changed_at=0.0, fills=tuple(fills), transport=transport, unseen_amendments=())


def by_id(orders: Iterable[Order]) -> dict[str, Order]:
    return {order.client_order_id: timeless(order) for order in orders}


class JournalAgainstLedger(LedgerAgainstExchange):
    """Any steps in any order, among them that the process dies."""

    make_world = JournaledWorld


TestJournalAgainstLedger = JournalAgainstLedger.TestCase
TestJournalAgainstLedger.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
