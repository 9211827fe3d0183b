"""What owners are told about what their trades add up to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from scripted_account import BTC, sell, trade

from actors.accounts.bookkeeper import Bookkeeper, InboxItem
from market.symbol import Symbol
from orders.events import OrderChanged
from orders.ledger import AccountLedger
from orders.recording import NoRecorder
from orders.tally import Tally, TallyChanged

ETH = Symbol("ETH", "USDT")


class Inbox:
    def __init__(self) -> None:
        self.items: list[InboxItem] = []
        self.send_nowait = self.items.append


@pytest.fixture
def inboxes() -> dict[str, Inbox]:
    return {"btc": Inbox(), "other": Inbox()}


@pytest.fixture
def books(inboxes) -> Bookkeeper:
    ledger = AccountLedger(account="main", installation="mm")
    return Bookkeeper(ledger=ledger, inboxes=inboxes, recorder=NoRecorder(), report=lambda event: None)


async def test_owner_is_told_its_tally_in_the_step_in_which_it_is_told_of_the_fill(books, inboxes) -> None:
    books.ledger.record_intent(sell("mm-btc-1"), now=0.0)
    books.take(trade("mm-btc-1", "77", quantity="0.4"))
    changed, told = inboxes["btc"].items
    assert isinstance(changed, OrderChanged)
    assert changed.order.filled_quantity == Decimal("0.4")
    assert told == TallyChanged("main", "btc", BTC, books.ledger.tally("btc", BTC))
    assert told.tally.inventory == Decimal("-0.4")
    assert inboxes["other"].items == []


async def test_trade_that_is_told_twice_changes_no_tally_and_tells_nobody(books, inboxes) -> None:
    books.ledger.record_intent(sell("mm-btc-1"), now=0.0)
    books.take(trade("mm-btc-1", "77"))
    inboxes["btc"].items.clear()
    books.take(trade("mm-btc-1", "77"))
    assert inboxes["btc"].items == []
    assert books.ledger.tally("btc", BTC).trades == 1


async def test_every_owner_is_told_of_every_symbol_when_the_account_becomes_ready(books, inboxes) -> None:
    books.ledger.record_intent(sell("mm-btc-1"), now=0.0)
    books.take(trade("mm-btc-1", "77"))
    inboxes["btc"].items.clear()
    books.tell_tallies((BTC, ETH))
    assert inboxes["btc"].items == [
        TallyChanged("main", "btc", BTC, books.ledger.tally("btc", BTC)),
        TallyChanged("main", "btc", ETH, Tally()),
    ]
    assert [item.tally for item in inboxes["other"].items] == [Tally(), Tally()]
