"""The journal against the ledger, over a model exchange: whatever happens and in whatever order, both say the same, and a
ledger restored from the journal at any moment goes on as if it had been there all along."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import consumes, rule
from journal_samples import ACCOUNTS, INSTALLATION, open_store, rows, write
from msgspec.structs import replace

from actors.journal.rows import fill_from_row, order_from_row
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order
from tests.orders.test_ledger_model import LedgerAgainstExchange, fates


class JournalAgainstLedger(LedgerAgainstExchange):
    """Everything that the ledger returns is written. The process may die, with all that was on its way to it."""

    def __init__(self) -> None:
        super().__init__()
        self.store = open_store(":memory:")
        self.forgotten: set[str] = set()  # settled before the last restart

    # What the model does besides

    @rule()
    def the_process_dies_and_another_goes_on(self) -> None:
        self.ensure_journal_has_what_the_ledger_knows()
        died = self.ledger
        recovered = self.store.recover(installation=INSTALLATION, accounts=ACCOUNTS).accounts["main"]
        assert recovered.counted.fill_changes == died.fill_changes()
        unfinished = [order for order in died.orders() if not order.is_settled]
        assert [timeless(order) for order in recovered.orders] == [
            timeless(as_recovered(order, self.sent_at(order))) for order in unfinished
        ]

        self.store.begin_run(at_milliseconds=self.time, installation=INSTALLATION, version="", accounts=ACCOUNTS)
        self.ledger = AccountLedger(account="main", installation="mm")
        self.ledger.restore(recovered.orders, counted=recovered.counted)
        assert self.ledger.fill_changes() == died.fill_changes()
        self.forgotten |= {order.client_order_id for order in died.orders() if order.is_settled}
        self.words.clear()
        self.refused -= self.forgotten

    @rule(client_order_id=LedgerAgainstExchange.placing)
    def lose_placement_answer(self, client_order_id: str) -> None:
        if client_order_id not in self.forgotten:
            super().lose_placement_answer(client_order_id=client_order_id)

    @rule(amendment=consumes(LedgerAgainstExchange.amending), accepted=st.booleans(), fate=fates)
    def amendment_arrives(self, amendment: tuple[str, object, object], accepted: bool, fate: str) -> None:
        if amendment[0] in self.forgotten:  # it had ended, and who asked for it is gone
            self.asked.discard(amendment[0])
        else:
            super().amendment_arrives(amendment=amendment, accepted=accepted, fate=fate)

    def happened(self, client_order_id: str, happened: OrderInput) -> None:
        if client_order_id not in self.forgotten:
            super().happened(client_order_id, happened)

    def take(self, events: list[object]) -> None:
        super().take(events)
        if events:
            write(self.store, *events, at=self.time)

    def teardown(self) -> None:
        super().teardown()
        self.ensure_journal_has_what_the_ledger_knows()
        self.store.close()

    # What must hold

    def ensure_agreement(self) -> None:
        """As ever, but that of an order which the ledger has forgotten the fills were told as ours."""
        ours, foreign = self.told_fills, self.told_foreign_fills
        of_forgotten = {
            (str(fill.symbol), fill.trade_id) for real in self.exchange if real.client_order_id in self.forgotten for fill in real.fills
        }
        self.told_fills, self.told_foreign_fills = ours - of_forgotten, foreign | (ours & of_forgotten)
        super().ensure_agreement()
        self.told_fills, self.told_foreign_fills = ours, foreign

    def ensure_journal_has_what_the_ledger_knows(self) -> None:
        written = {row["client_order_id"]: row for row in rows(self.store, "SELECT * FROM orders ORDER BY id")}
        for order in self.ledger.orders():
            row = written[order.client_order_id]
            fills = rows(self.store, "SELECT * FROM fills WHERE order_id = ? ORDER BY id", row["id"])
            journaled = order_from_row(row, tuple(fill_from_row(fill) for fill in fills))
            if not journaled.sent:  # it left, and nothing was heard since
                journaled = replace(journaled, sent=order.sent, sent_at_milliseconds=order.sent_at_milliseconds)
            # Or nothing was heard since it was restored.
            assert timeless(order) in (timeless(journaled), timeless(as_recovered(journaled, order.sent_at_milliseconds)))
            assert bool(row["is_settled"]) == order.is_settled
            assert (row["ended_at"] is not None) == order.is_terminal
        told = {(row["symbol"], row["trade_id"]) for row in rows(self.store, "SELECT * FROM fills WHERE order_id IS NOT NULL")}
        assert told == self.told_fills
        events = rows(self.store, "SELECT order_id, trade_id FROM order_events WHERE event = 'filled'")
        assert len(events) == len(self.told_fills), "each fill is one event of one order"

    def sent_at(self, order: Order) -> int:
        row = rows(self.store, "SELECT sent_at, created_at FROM orders WHERE client_order_id = ?", order.client_order_id)[0]
        return row["sent_at"] or row["created_at"]


def as_recovered(order: Order, sent_at: int) -> Order:
    if order.is_terminal:
        return order
    return replace(order, state=OrderState.UNKNOWN, sent=True, sent_at_milliseconds=sent_at)


def timeless(order: Order) -> Order:
    """Without what only the living process knows: monotonic times, and which id a fill was told with. Fills by their ids."""
    fills = sorted((replace(fill, client_order_id=None) for fill in order.fills), key=lambda fill: fill.trade_id)
    transport = order.transport if order.is_terminal else None  # of an order that left unheard it is not written
    return replace(order, created_at=0.0, changed_at=0.0, fills=tuple(fills), transport=transport)


TestJournalAgainstLedger = JournalAgainstLedger.TestCase
TestJournalAgainstLedger.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
