"""The book as others made it: without what is, or a moment ago was, our own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from market.events import BookChanged, Level
from market.instrument import decimal_from_book
from orders.order import Order

# So long after one of our orders ended may the public book still show it: it is batched and comes by another stream.
OWN_ORDER_ECHO_SECONDS = 0.5


def asks_of_others(book: BookChanged, own_sells: Iterable[Order]) -> tuple[Level, ...]:
    """The asks of the book without what is, or a moment ago was, our own.

    Our orders are taken out with their whole original quantity: the book may lag behind our fills, and to mistake the
    rest of our own order for a competitor would have us undercut ourselves.
    """
    return _of_others(book.asks, own_sells, book.received_at)


def bids_of_others(book: BookChanged, own_buys: Iterable[Order]) -> tuple[Level, ...]:
    """The bids of the book without what is, or a moment ago was, our own: see `asks_of_others`."""
    return _of_others(book.bids, own_buys, book.received_at)


def _of_others(levels: tuple[Level, ...], own: Iterable[Order], received_at: float) -> tuple[Level, ...]:
    own_quantity_by_price: dict[float, float] = {}
    for order in own:
        echoes = not order.is_terminal or order.changed_at > received_at - OWN_ORDER_ECHO_SECONDS
        if echoes and order.sent and order.request.price is not None:
            price = float(order.request.price)
            own_quantity_by_price[price] = own_quantity_by_price.get(price, 0.0) + float(order.request.quantity or 0)
    others: list[Level] = []
    for price, quantity in levels:
        left = quantity - own_quantity_by_price.get(price, 0.0)
        if left > quantity * 1e-9:  # a float's error is not a competitor
            others.append((price, left))
    return tuple(others)


def book_price(level: Level) -> Decimal:
    """A level's price as the exchange wrote it."""
    return decimal_from_book(level[0])
