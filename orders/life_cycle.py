"""An order's life as a table.

Theory of operation. An order is born `PENDING_NEW` before anything leaves the machine. Only the exchange's word about
this very order ends it: a time-out, a broken connection or a failed server make it `UNKNOWN`, which is a state with its
exposure kept, and is left only by an answer about its client order id. The exchange's word that an order has ended is
final: an older "open" that comes later changes nothing. A fill may come after the cancellation was confirmed, and is
counted. `SAID_NEVER_ACCEPTED` and `SAID_FORGOTTEN` are our conclusions from all of the exchange's lists agreeing that it
has no such order, after the time when it could still have accepted it: of an order that it never spoke of, and of one that
it did. What we concluded is undone when the exchange lists the order after all (`FOUND_OPEN`, in place of `SAID_OPEN`).

Every pair of state and input is either in the table, or an impossible transition: it is reported and changes nothing.
"""

from __future__ import annotations

import enum
from types import MappingProxyType


class OrderState(enum.Enum):
    """Where an order is in its life."""

    PENDING_NEW = "pending_new"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_AMEND = "pending_amend"
    PENDING_CANCEL = "pending_cancel"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    def __init__(self, word: str) -> None:
        self.is_terminal = word in ("filled", "cancelled", "expired", "rejected")
        """Whether the order can no longer trade, by the exchange's word. Asked thousands of times a second: no call, and no hash."""


class OrderInput(enum.Enum):
    """What may happen to an order. SAID_* is the exchange speaking; the rest is us or the network."""

    SAID_OPEN = "said_open"
    SAID_PARTIALLY_FILLED = "said_partially_filled"
    SAID_FILLED = "said_filled"
    SAID_CANCELLED = "said_cancelled"
    SAID_EXPIRED = "said_expired"
    SAID_REJECTED = "said_rejected"
    SAID_NEVER_ACCEPTED = "said_never_accepted"
    SAID_FORGOTTEN = "said_forgotten"
    FOUND_OPEN = "found_open"
    NEVER_SENT = "never_sent"
    CANCEL_ASKED = "cancel_asked"
    AMEND_ASKED = "amend_asked"
    AMEND_ENDED = "amend_ended"
    ANSWER_LOST = "answer_lost"


def _table() -> dict[tuple[OrderState, OrderInput], OrderState]:
    s, i = OrderState, OrderInput
    resting = (s.PENDING_NEW, s.OPEN, s.PARTIALLY_FILLED, s.PENDING_AMEND, s.PENDING_CANCEL, s.UNKNOWN)
    table: dict[tuple[OrderState, OrderInput], OrderState] = {}
    for state in resting:
        table[state, i.SAID_FILLED] = s.FILLED
        table[state, i.SAID_CANCELLED] = s.CANCELLED
        table[state, i.SAID_FORGOTTEN] = s.CANCELLED
        table[state, i.SAID_EXPIRED] = s.EXPIRED
        table[state, i.ANSWER_LOST] = s.UNKNOWN
    table |= {
        (s.PENDING_NEW, i.SAID_OPEN): s.OPEN,
        (s.OPEN, i.SAID_OPEN): s.OPEN,
        (s.PARTIALLY_FILLED, i.SAID_OPEN): s.PARTIALLY_FILLED,
        (s.PENDING_AMEND, i.SAID_OPEN): s.PENDING_AMEND,
        # An "open" may have been written before the cancel arrived; only the end of the order answers a cancel.
        (s.PENDING_CANCEL, i.SAID_OPEN): s.PENDING_CANCEL,
        (s.UNKNOWN, i.SAID_OPEN): s.OPEN,
        (s.PENDING_NEW, i.SAID_PARTIALLY_FILLED): s.PARTIALLY_FILLED,
        (s.OPEN, i.SAID_PARTIALLY_FILLED): s.PARTIALLY_FILLED,
        (s.PARTIALLY_FILLED, i.SAID_PARTIALLY_FILLED): s.PARTIALLY_FILLED,
        (s.PENDING_AMEND, i.SAID_PARTIALLY_FILLED): s.PENDING_AMEND,
        (s.PENDING_CANCEL, i.SAID_PARTIALLY_FILLED): s.PENDING_CANCEL,
        (s.UNKNOWN, i.SAID_PARTIALLY_FILLED): s.PARTIALLY_FILLED,
        (s.PENDING_NEW, i.SAID_REJECTED): s.REJECTED,
        (s.UNKNOWN, i.SAID_REJECTED): s.REJECTED,
        (s.PENDING_CANCEL, i.SAID_REJECTED): s.REJECTED,
        (s.PENDING_NEW, i.SAID_NEVER_ACCEPTED): s.REJECTED,
        (s.UNKNOWN, i.SAID_NEVER_ACCEPTED): s.REJECTED,
        (s.PENDING_CANCEL, i.SAID_NEVER_ACCEPTED): s.REJECTED,
        (s.PENDING_NEW, i.NEVER_SENT): s.REJECTED,
        (s.PENDING_CANCEL, i.NEVER_SENT): s.REJECTED,
        (s.PENDING_NEW, i.CANCEL_ASKED): s.PENDING_CANCEL,
        (s.OPEN, i.CANCEL_ASKED): s.PENDING_CANCEL,
        (s.PARTIALLY_FILLED, i.CANCEL_ASKED): s.PENDING_CANCEL,
        (s.PENDING_AMEND, i.CANCEL_ASKED): s.PENDING_CANCEL,
        (s.PENDING_CANCEL, i.CANCEL_ASKED): s.PENDING_CANCEL,
        (s.UNKNOWN, i.CANCEL_ASKED): s.UNKNOWN,
        (s.OPEN, i.AMEND_ASKED): s.PENDING_AMEND,
        (s.PARTIALLY_FILLED, i.AMEND_ASKED): s.PENDING_AMEND,
        (s.PENDING_AMEND, i.AMEND_ENDED): s.OPEN,
        # Unknown in between, and found open by a query that was quicker than the amendment's answer.
        (s.OPEN, i.AMEND_ENDED): s.OPEN,
        (s.PARTIALLY_FILLED, i.AMEND_ENDED): s.PARTIALLY_FILLED,
        (s.PENDING_CANCEL, i.AMEND_ENDED): s.PENDING_CANCEL,
        (s.UNKNOWN, i.AMEND_ENDED): s.UNKNOWN,
        # The fill that completes an order may be told after "cancelled" by a slower stream.
        (s.CANCELLED, i.SAID_FILLED): s.FILLED,
        (s.EXPIRED, i.SAID_FILLED): s.FILLED,
        # We concluded that it has ended, and were wrong.
        (s.CANCELLED, i.FOUND_OPEN): s.OPEN,
        # We concluded that it was never accepted, and were wrong: the exchange's own word counts more.
        (s.REJECTED, i.SAID_FILLED): s.FILLED,
        (s.REJECTED, i.SAID_OPEN): s.OPEN,
        (s.REJECTED, i.SAID_PARTIALLY_FILLED): s.PARTIALLY_FILLED,
        (s.REJECTED, i.SAID_CANCELLED): s.CANCELLED,
        (s.REJECTED, i.SAID_EXPIRED): s.EXPIRED,
    }
    # Cancelling an ended order does nothing: the end and the wish to cancel often cross.
    late = (i.SAID_OPEN, i.SAID_PARTIALLY_FILLED, i.AMEND_ENDED, i.ANSWER_LOST, i.CANCEL_ASKED)
    for state in (s.FILLED, s.CANCELLED, s.EXPIRED):
        for said in late:
            table[state, said] = state
    table |= {
        (s.FILLED, i.SAID_FILLED): s.FILLED,
        (s.CANCELLED, i.SAID_CANCELLED): s.CANCELLED,
        (s.CANCELLED, i.SAID_FORGOTTEN): s.CANCELLED,
        (s.EXPIRED, i.SAID_EXPIRED): s.EXPIRED,
        # Exchanges word the end of an immediate order either way; the first word stands.
        (s.EXPIRED, i.SAID_CANCELLED): s.EXPIRED,
        (s.CANCELLED, i.SAID_EXPIRED): s.CANCELLED,
        (s.REJECTED, i.SAID_REJECTED): s.REJECTED,
        (s.REJECTED, i.SAID_NEVER_ACCEPTED): s.REJECTED,
        (s.REJECTED, i.ANSWER_LOST): s.REJECTED,
        (s.REJECTED, i.NEVER_SENT): s.REJECTED,
        (s.REJECTED, i.CANCEL_ASKED): s.REJECTED,
        (s.REJECTED, i.AMEND_ENDED): s.REJECTED,
    }
    return table


TRANSITIONS = MappingProxyType(_table())


def next_state(state: OrderState, happened: OrderInput) -> OrderState | None:
    """The state after `happened`, or None for an impossible transition."""
    return TRANSITIONS.get((state, happened))
