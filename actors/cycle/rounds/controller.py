"""What a controller sees and what it answers. A controller is pure: a view in, a decision out, nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from market.events import BookChanged, Side
from market.instrument import Instrument
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
