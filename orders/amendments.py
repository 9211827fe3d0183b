"""What an order may have been amended to. Until a report shows it, each amendment counts with the most that it may have made of it.

Known to the living process only: a restart places nothing before all orders of the run before have ended.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from orders.order import Order, UnseenAmendment


def amendment_asked(order: Order, price: Decimal | None, quantity: Decimal | None) -> Order:
    """From here on the order may be as it was or as it was to become."""
    return replace(order, unseen_amendments=(*order.unseen_amendments, UnseenAmendment(price=price, quantity=quantity)))


def amendment_refused(order: Order) -> Order:
    """Of several without an outcome nobody knows which one was refused, and any other may still arrive."""
    if sum(not amendment.is_confirmed for amendment in order.unseen_amendments) != 1:
        return order
    return replace(order, unseen_amendments=tuple(amendment for amendment in order.unseen_amendments if amendment.is_confirmed))


def amendment_confirmed(order: Order, price: Decimal | None, quantity: Decimal | None) -> Order:
    """The request is now so. Unseen until a report shows it: an older one may come first, and would put the order back to what it was."""
    asked = UnseenAmendment(price=price, quantity=quantity)
    confirmed = replace(asked, is_confirmed=True, quantity_before=order.largest_request.quantity)
    others = [amendment for amendment in order.unseen_amendments if amendment != asked and not amendment.is_confirmed]
    request = replace(order.request, price=price or order.request.price, quantity=quantity or order.request.quantity)
    return replace(order, request=request, unseen_amendments=(*others, confirmed))


def amendments_shown(order: Order) -> Order:
    """After a report newer than all before it: what it shows is in force, and so is nothing that was confirmed before."""
    request = order.request
    unseen = tuple(
        amendment
        for amendment in order.unseen_amendments
        if amendment.price not in (None, request.price) or amendment.quantity not in (None, request.quantity)
    )
    return replace(order, unseen_amendments=unseen)
