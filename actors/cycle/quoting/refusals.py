"""What refusals teach: a side whose orders come to nothing pauses, longer each time, and is not quoted again at a price that would take.

An exchange refuses a post-only order that would trade at once when its book is ahead of ours. At that price or beyond it would
be refused again until our book has moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from market.events import Side
from market.touch import Touch
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import TimeInForce

PAUSE_SECONDS = 0.5
PAUSE_SECONDS_MAX = 32.0
# An order that has rested so long was not refused by the book.
RESTING_SECONDS = 1.0
# Fewer in a row are the market's doing; from then on somebody should know why.
TOLD_FROM_IN_A_ROW = 3


class _SideRefusals(msgspec.Struct):
    in_a_row: int = 0
    last_at: float = 0.0
    bound: Decimal | None = None
    touch_then: Touch | None = None
    reason: str = ""


class Refusals:
    """Those of one cycle, by side. It outlives the cycle's incarnations."""

    def __init__(self) -> None:
        self._by_side = {side: _SideRefusals() for side in Side}

    def note(self, order: Order, touch: Touch | None, *, price_tick: Decimal, now: float) -> None:
        """An order has come to nothing. Of several sent before the first refusal was known, all count as one."""
        side = self._by_side[order.request.side]
        if not side.in_a_row or order.created_at >= side.last_at:
            side.in_a_row += 1
            side.last_at = now
            side.reason = order.reason
        if order.sent and not order.refused_for_now and order.request.time_in_force is TimeInForce.POST_ONLY and order.request.price:
            is_buy = order.request.side is Side.BUY
            beyond = order.request.price - price_tick if is_buy else order.request.price + price_tick
            known = side.bound if side.bound is not None else beyond
            side.bound = min(known, beyond) if is_buy else max(known, beyond)
            side.touch_then = touch

    def look(self, live: Iterable[Order], touch: Touch | None, *, now: float) -> None:
        """At a decision: forget what the market or a resting order has overtaken."""
        for side in self._by_side.values():
            if side.bound is not None and touch is not None and touch != side.touch_then:
                side.bound = side.touch_then = None
        for order in live:
            side = self._by_side[order.request.side]
            is_resting = order.state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED) and now - order.created_at >= RESTING_SECONDS
            if is_resting and order.created_at >= side.last_at:
                side.in_a_row = 0

    def pausing(self, now: float) -> frozenset[Side]:
        """The sides on which nothing is to be placed yet."""
        return frozenset(side for side, found in self._by_side.items() if found.in_a_row and now < self._resumes_at(found))

    @property
    def price_bounds(self) -> Mapping[Side, Decimal]:
        """The price that a post-only bid must not be above, and an ask not below, where there is one."""
        return {side: found.bound for side, found in self._by_side.items() if found.bound is not None}

    def in_words(self) -> list[str]:
        """Why a side has no orders, or fewer than it should, where it was refused over and over."""
        return [
            f"{'bids' if side is Side.BUY else 'asks'} refused: {found.reason}"
            for side, found in self._by_side.items()
            if found.in_a_row >= TOLD_FROM_IN_A_ROW and found.reason
        ]

    def _resumes_at(self, found: _SideRefusals) -> float:
        return found.last_at + min(PAUSE_SECONDS_MAX, PAUSE_SECONDS * 2 ** (min(found.in_a_row, 20) - 1))


def came_to_nothing(order: Order) -> bool:
    """Whether the exchange, or the account, would not have it, or it was ended unasked before it filled at all."""
    if order.state is OrderState.REJECTED:
        return True
    return order.is_terminal and not order.cancel_wanted and not order.filled_quantity
