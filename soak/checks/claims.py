"""What the program never has reason to say in these worlds: nobody else trades on its accounts, and what it does is written down first."""

from __future__ import annotations

from actors.accounts.actor import BEING_ALONE
from actors.accounts.events import AccountTrouble
from orders.events import BalanceDiffers, ForeignFillSeen, ForeignOrderSeen, LeftoverOrderFound
from orders.reconciliation import CycleFinished
from orders.states import StateEntered, TradingState

CLOSED_BY_SOMEBODY = "closed by somebody else"


def untrue_claim(event: object, *, has_lost_records: bool) -> str:
    """What is wrong with something that the program says; empty if nothing is.

    What it has done and was not left written down looks like somebody else's to it, or like an earlier run's.
    """
    match event:
        case AccountTrouble(doing=doing) if doing == BEING_ALONE:
            return f"there is no other program at {event.account}, and it says: {event.reason}"
        case ForeignOrderSeen(account, report):
            return f"order {report.exchange_order_id} at {account} is said to be somebody else's ({report.client_order_id})"
        case CycleFinished(cycle=cycle, reason=reason) if CLOSED_BY_SOMEBODY in reason and not has_lost_records:
            return f"nobody else trades there, and cycle {cycle} says: {reason}"
        case _ if has_lost_records:
            return ""
        case BalanceDiffers():
            return (
                f"every change of {event.asset} at {event.account} has its trade or payment, and {event.difference:f} is said to have "
                f"none: {event.expected:f} expected, {event.actual:f} there"
            )
        case ForeignFillSeen(account, fill):
            return f"trade {fill.trade_id} at {account} is said to be somebody else's ({fill.client_order_id})"
        case LeftoverOrderFound(account, order):
            return f"{order.client_order_id} is open at {account}, and the journal is said not to know it"
        case StateEntered(scope, TradingState.HALTED, reason) if "the journal has lost its end" in reason:
            return f"{scope} is halted for what the journal has lost, and it has lost nothing: {reason}"
        case _:
            return ""
