"""From what should be live to the requests that bring it about: pure planning, one slot at a time.

Rules. An order that is as desired stays. Any other live order is cancelled, once. A slot is filled only when no order of it
can still trade, by the exchange's word: so the quantity of a replacement is counted after the last fill of what it replaces,
and one intent never has two live orders. Unknown orders occupy their slot until their fate is known. Market orders are
never cancelled: they end by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actors.cycle.rounds.controller import Decision, DesiredOrder
from actors.cycle.slots import slot_of
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderType


class Plan(msgspec.Struct, frozen=True):
    """What to send now: cancels first."""

    cancels: tuple[Order, ...]
    places: tuple[DesiredOrder, ...]


def plan(decision: Decision, orders: Iterable[Order], *, may_place: bool) -> Plan:
    """The requests that lead from the live ones among `orders` to `decision`. Applied again after they took effect, it sends nothing.

    An order's slot is its tag's last part (`slots.slot_of`). With `may_place` false only cancels are planned.
    """
    if decision.hold:
        return Plan((), ())
    desired_by_slot = {desired.slot: desired for desired in decision.desired}
    cancels: list[Order] = []
    occupied: set[str] = set()
    for order in orders:
        if order.is_terminal:
            continue
        slot = slot_of(order)
        # A second live order in a slot can only be one whose absence was wrongly believed: it goes, however well it fits.
        is_kept = slot not in occupied and _is_as_desired(order, desired_by_slot.get(slot))
        occupied.add(slot)
        if not is_kept and _can_be_cancelled(order):
            cancels.append(order)
    places = [desired for desired in decision.desired if desired.slot not in occupied] if may_place else []
    return Plan(tuple(cancels), tuple(places))


def tag_for(round_number: int, slot: str) -> str:
    """What marks an order of a round and slot."""
    return f"{round_number}:{slot}"


def _is_as_desired(order: Order, desired: DesiredOrder | None) -> bool:
    if desired is None or desired.side is not order.request.side or desired.type is not order.request.type:
        return False
    return desired.price == order.request.price and desired.quantity == order.remaining_quantity


def _can_be_cancelled(order: Order) -> bool:
    if order.request.type is OrderType.MARKET or order.cancel_wanted:
        return False
    return order.state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
