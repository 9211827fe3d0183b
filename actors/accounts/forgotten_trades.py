"""Trades of orders that are ours by their id, and that no round knows: a power loss has taken the end of the journal.

They explain their balances like any other trade. But the round that they were of goes on as it stands in the journal: it would
sell a second time what it has sold, out of whatever else the account holds, or never sell what it has bought. So its cycle waits
for a person.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from orders.events import ForeignFillSeen, OrderFilled
from orders.identity import owner_of
from orders.ledger import AccountLedger
from orders.reports import FillReport


class ForgottenTrade(msgspec.Struct, frozen=True):
    """Whose trade it was, and the reason to tell people."""

    owner: str
    reason: str


def forgotten_trade(event: object, ledger: AccountLedger, *, is_of_an_earlier_run: Callable[[str], bool]) -> ForgottenTrade | None:
    """What an event of the ledger tells of such a trade; None of any other.

    An order that was found open is known again, but has lost its owner's mark and so its round. `is_of_an_earlier_run` tells by a
    client order id: what was given since is another program's, whose trades are in no journal of ours.
    """
    match event:
        case ForeignFillSeen(_, fill) if fill.client_order_id is not None and ledger.is_ours(fill.client_order_id):
            client_order_id = fill.client_order_id
        case OrderFilled(_, order, fill) if not order.request.tag:
            client_order_id = order.client_order_id
        case _:
            return None
    return _forgotten(fill, client_order_id) if is_of_an_earlier_run(client_order_id) else None


def _forgotten(fill: FillReport, client_order_id: str) -> ForgottenTrade:
    told = f"{fill.side.value} {fill.quantity:f} {fill.symbol} at {fill.price:f} by order {client_order_id}"
    return ForgottenTrade(
        owner_of(client_order_id),
        f"a trade is in no round, since the journal has lost its end: {told}; compare what is held with the round in progress",
    )
