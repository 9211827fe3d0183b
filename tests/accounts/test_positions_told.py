"""What owners are told about the account's position in a contract, which is one for all of them."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace
from scripted_account import said, sell, trade

from actors.accounts.bookkeeper import Bookkeeper, InboxItem
from market.events import Side
from orders.events import PositionCounted
from orders.ledger import AccountLedger
from orders.recording import NoRecorder
from orders.reports import ReportedStatus


class Inbox:
    def __init__(self) -> None:
        self.items: list[InboxItem] = []
        self.send_nowait = self.items.append

    @property
    def positions(self) -> list[Decimal]:
        return [item.quantity for item in self.items if isinstance(item, PositionCounted)]


async def test_position_has_what_orders_are_said_to_have_filled_before_their_fills_are_told() -> None:
    """Else the sell of two owners' trades that is told first looks like a position that somebody has closed."""
    inbox = Inbox()
    ledger = AccountLedger(account="main", installation="mm", holds_positions=True)
    books = Bookkeeper(ledger=ledger, inboxes={"one": inbox}, recorder=NoRecorder(), report=lambda event: None)
    for number, (name, side) in enumerate((("mm-one-1", Side.BUY), ("mm-hand-1", Side.BUY), ("mm-hand-2", Side.SELL))):
        ledger.record_intent(replace(sell(name, owner=name.split("-")[1]), side=side), now=float(number))
    books.take(replace(trade("mm-one-1", "1", "a"), side=Side.BUY))
    books.take(replace(said("mm-hand-1", "2", ReportedStatus.FILLED, filled="1"), side=Side.BUY))
    books.take(trade("mm-hand-2", "3", "c"))
    assert inbox.positions == [1, 2, 1], "one bought 1; the hand bought 1, which is only said so far, and sold it"
    books.take(replace(trade("mm-hand-1", "2", "b"), side=Side.BUY))
    assert inbox.positions == [1, 2, 1], "its fill changes nothing more"
