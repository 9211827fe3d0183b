"""What a controller sees and what it answers. A controller is pure: a view in, a decision out, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

import msgspec

from market.events import BookChanged, Level, Side
from market.instrument import Instrument, decimal_from_book
from orders.order import ZERO, Order
from orders.request import OrderType, TimeInForce


class RoundView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a controller may know at one moment of one round, settled: no part of it is newer than another.

    `book` is None while it must not be used (lost, stale, not yet whole). `orders` are all orders of this round, oldest
    first, whatever their state. `carried_quantity` is base left over from earlier rounds. `position_before` is the account's
    position (of contracts) when the round began, and `position` the one by all fills known now (None: not told yet). `now` is
    monotonic seconds.
    """

    now: float
    instrument: Instrument
    book: BookChanged | None
    orders: tuple[Order, ...]
    carried_quantity: Decimal
    quote_quantity: Decimal
    position_before: Decimal = ZERO
    position: Decimal | None = None


class DesiredOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that should be live now. A slot holds at most one live order at any time.

    `quantity` is what should still be unfilled.
    """

    slot: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders should be live now, each other one of ours being unwanted, and where the round stands.

    `hold` leaves what is live as it is (an order that must run its course). `finished` ends the round once nothing is live.
    """

    phase: str
    desired: tuple[DesiredOrder, ...] = ()
    hold: bool = False
    finished: bool = False


class RoundFailed(Exception):
    """The strategy cannot go on; the message says why and what would help."""


class Controller(Protocol):
    """A strategy that trades in rounds."""

    def decide(self, view: RoundView) -> Decision:
        """What should be live now. Called with every settled view, as often as several times in one second.

        Raises:
            RoundFailed: going on makes no sense.
        """
        ...


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
