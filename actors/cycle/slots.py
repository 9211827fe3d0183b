"""Slots: what an order of a cycle is for. One slot has at most one live order, whatever the strategy."""

from __future__ import annotations

from orders.order import Order


def slot_of(order: Order) -> str:
    """The last part of the order's tag, where its cycle's executor has written it."""
    return order.request.tag.rpartition(":")[2]
