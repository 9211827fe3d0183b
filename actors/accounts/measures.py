"""What is counted and timed of one account. Its owner keeps it over the account's restarts and closings; both add to it."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection
from decimal import Decimal

import msgspec
import trio

from market.exact import EXACT, exact_product
from market.symbol import Symbol
from measuring.family import HistogramFamily
from orders.events import LedgerEvent, OrderChanged, OrderEnded, OrderFateUnknown, OrderFilled, OrderPlaced, OrderSubmitted
from orders.life_cycle import OrderState
from orders.order import ZERO, Order, Transport

OTHERS = "other"
"""The owner of what no cycle of this run owns: leftovers of earlier ones, and what a person places."""
NOT_SENT, NEVER_ACCEPTED, REPORTED = "not_sent", "never_accepted", "reported"
"""How an order was rejected, where that is no refusal of the exchange in answer to the placement (`ErrorKind`)."""


class RequestKind(enum.Enum):
    """What is asked about an order."""

    PLACE = "place"
    CANCEL = "cancel"
    AMEND = "amend"


class OrderMilestone(enum.Enum):
    """What is counted of an order's life."""

    SUBMITTED = "submitted"
    PLACED = "placed"  # the exchange has it
    UNKNOWN = "unknown"  # each time nobody knows what became of it
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


_END_OF = {
    OrderState.FILLED: OrderMilestone.FILLED,
    OrderState.CANCELLED: OrderMilestone.CANCELLED,
    OrderState.EXPIRED: OrderMilestone.EXPIRED,
    OrderState.REJECTED: OrderMilestone.REJECTED,
}


class Traded(msgspec.Struct, frozen=True):
    """Trades since the start: how many, and their sum in quote units."""

    trades: int = 0
    notional: Decimal = ZERO


class AccountMeasures:
    """Of one account, since its owner made it. `owners` are the cycles of this run; everybody else counts as `OTHERS`."""

    def __init__(self, owners: Collection[str] = ()) -> None:
        self.message_to_order_seconds = HistogramFamily(("request", "transport"))
        """From the arrival of the market's message that a decision rests on until what it asked about an order leaves, once an order.

        What no message of a market has asked for (a tick, a fill, a person) is not in it.
        """
        self.order_to_word_seconds = HistogramFamily(("transport",))
        """From the moment a placement leaves to the exchange's first word of it, by whichever way that came."""
        self.milestones: Counter[tuple[str, OrderMilestone]] = Counter()
        self.rejections: Counter[tuple[str, str]] = Counter()
        """By owner, and by how: the exchange's refusal (`ErrorKind`), or else as said above."""
        self.traded: dict[tuple[str, Symbol, bool], Traded] = {}
        """By owner, symbol, and whether as maker."""
        self.private_frames = 0
        self.connections = 0
        self.disconnections = 0
        self._owners = frozenset(owners)
        self._refusals: dict[str, str] = {}  # of orders that end in the same step
        self._unknown_since: dict[str, float] = {}

    # Requests

    def left(self, request: RequestKind, transport: Transport, caused_at: float | None, *, orders: int = 1) -> None:
        """A request about so many orders leaves now. `caused_at` is when the message arrived that it answers; None if it answers none."""
        if caused_at is not None:
            seconds = trio.current_time() - caused_at
            for _ in range(orders):
                self.message_to_order_seconds.of(request.value, transport.value).observe(seconds)

    def refused(self, order: Order, kind: str) -> None:
        """The exchange refuses a placement, in answer to it. Its end is the next that is noted of it."""
        self._refusals[order.client_order_id] = kind
        self._first_word(order)

    # Events

    def note(self, event: LedgerEvent) -> None:
        """Count what the ledger tells."""
        match event:
            case OrderChanged(_, order):
                if order.state is not OrderState.UNKNOWN:
                    self._unknown_since.pop(order.client_order_id, None)
            case OrderSubmitted(_, order):
                self._count(order, OrderMilestone.SUBMITTED)
            case OrderPlaced(_, order):
                self._count(order, OrderMilestone.PLACED)
                self._first_word(order)
            case OrderFateUnknown(_, order):
                self._count(order, OrderMilestone.UNKNOWN)
                self._unknown_since[order.client_order_id] = trio.current_time()
            case OrderEnded(_, order):
                self._end(order)
            case OrderFilled(_, order, fill):
                key = (self.owner_of(order), fill.symbol, fill.maker)
                known = self.traded.get(key, Traded())
                notional = EXACT.add(known.notional, exact_product(fill.quantity, fill.price))
                self.traded[key] = Traded(known.trades + 1, notional)
            case _:
                pass

    def unknown_since(self, order: Order) -> float | None:
        """Since when (monotonic seconds) nobody has known what became of an order; None if it was so before anything was counted."""
        return self._unknown_since.get(order.client_order_id)

    def owner_of(self, order: Order) -> str:
        """The cycle that owns an order, or `OTHERS`."""
        owner = order.request.owner
        return owner if owner in self._owners else OTHERS

    def _end(self, order: Order) -> None:
        self._count(order, _END_OF[order.state])
        refusal = self._refusals.pop(order.client_order_id, None)
        if order.state is OrderState.REJECTED:
            otherwise = REPORTED if order.exchange_order_id is not None else NEVER_ACCEPTED if order.sent else NOT_SENT
            self.rejections[self.owner_of(order), refusal or otherwise] += 1

    def _count(self, order: Order, milestone: OrderMilestone) -> None:
        self.milestones[self.owner_of(order), milestone] += 1

    def _first_word(self, order: Order) -> None:
        if order.sent_at and order.transport is not None:
            self.order_to_word_seconds.of(order.transport.value).observe(trio.current_time() - order.sent_at)
