"""What a cycle must remember across its own crashes. The assembly owns it; an incarnation works on it."""

from __future__ import annotations

from decimal import Decimal

from market.events import BookChanged
from market.instrument import Instrument
from orders.commands import BalanceCapture
from orders.order import ZERO, Order
from orders.reconciliation import CycleReconciled
from orders.states import Standing


class CycleMemory:
    """The round in progress, what earlier rounds left, and the newest of what is told only when it changes."""

    def __init__(self) -> None:
        self.round_number = 1
        self.rounds_completed = 0
        self.before: BalanceCapture | None = None
        self.started_at_milliseconds = 0
        # Of the round in progress: what it began with, whatever the settings say by now. None: it is of an earlier run.
        self.quote_quantity: Decimal | None = None
        self.orders: dict[str, Order] = {}
        self.carried_quantity: Decimal = ZERO
        self.reconciliations: list[CycleReconciled] = []
        self.instrument: Instrument | None = None
        self.book: BookChanged | None = None
        self.account_ready = False
        self.standing = Standing()
        self.position: Decimal | None = None
        # By slot: the client order id that was sent to the account, which has not spoken of it yet, and until when it may.
        self.placing: dict[str, tuple[str, float]] = {}

    def round_orders(self) -> tuple[Order, ...]:
        """The orders of the round in progress, oldest first."""
        return tuple(self.orders.values())

    def keep_order(self, order: Order) -> None:
        """Take in an order of the round in progress.

        A sell that follows the market for days is replaced very often: of those that ended without a fill only the newest
        are kept, for they say nothing about what the round holds.
        """
        self.orders[order.client_order_id] = order
        if len(self.orders) <= ROUND_ORDERS_KEPT_MAX:
            return
        empty = [known for known in self.orders.values() if known.is_terminal and not known.filled_quantity]
        for known in empty[: len(empty) // 2]:
            del self.orders[known.client_order_id]

    def end_round(self, reconciled: CycleReconciled) -> None:
        """The round is closed and agrees: the next may begin."""
        self.reconciliations.append(reconciled)
        del self.reconciliations[:-RECONCILIATIONS_KEPT_MAX]
        self.carried_quantity = reconciled.left_over_quantity
        self.rounds_completed += 1
        self.round_number += 1
        self.before = None
        self.quote_quantity = None
        self.orders.clear()


RECONCILIATIONS_KEPT_MAX = 1_000
ROUND_ORDERS_KEPT_MAX = 500
