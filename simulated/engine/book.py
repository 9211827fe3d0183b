"""A book of resting orders with price-time priority."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from market.events import Side
from simulated.engine.order import ZERO, Order


class PriceLevel:
    """Orders at one price, first come first served. A dict keeps arrival order and forgets an order at once."""

    __slots__ = ("orders", "quantity")

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.quantity = ZERO


class BookSide:
    """All resting orders of one side. Prices are kept ascending."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._prices: list[Decimal] = []
        self._levels: dict[Decimal, PriceLevel] = {}

    def __len__(self) -> int:
        return len(self._prices)

    @property
    def best(self) -> Decimal | None:
        if not self._prices:
            return None
        return self._prices[-1] if self.side is Side.BUY else self._prices[0]

    def first_order(self) -> Order | None:
        """The order that is matched next."""
        best = self.best
        return None if best is None else next(iter(self._levels[best].orders.values()))

    def quantity_at(self, price: Decimal) -> Decimal:
        level = self._levels.get(price)
        return ZERO if level is None else level.quantity

    def orders_at(self, price: Decimal) -> tuple[Order, ...]:
        """The orders at `price` in the order in which they are matched."""
        level = self._levels.get(price)
        return () if level is None else tuple(level.orders.values())

    def add(self, order: Order) -> None:
        """Put `order` at the end of its price's queue."""
        level = self._levels.get(order.price)
        if level is None:
            level = self._levels[order.price] = PriceLevel()
            insort(self._prices, order.price)
        level.orders[order.id] = order
        level.quantity += order.remaining_quantity

    def reduce(self, order: Order, quantity: Decimal) -> None:
        """`order` has become smaller by `quantity` and keeps its place."""
        self._levels[order.price].quantity -= quantity

    def remove(self, order: Order) -> None:
        level = self._levels[order.price]
        del level.orders[order.id]
        if level.orders:
            level.quantity -= order.remaining_quantity
        else:
            del self._levels[order.price]
            del self._prices[bisect_left(self._prices, order.price)]

    def prices(self) -> Iterator[Decimal]:
        """Prices, best first."""
        return reversed(self._prices) if self.side is Side.BUY else iter(self._prices)

    def levels(self, depth: int | None = None) -> list[tuple[Decimal, Decimal]]:
        """Price and quantity of the best `depth` levels, or of all."""
        levels: list[tuple[Decimal, Decimal]] = []
        for price in self.prices():
            if depth is not None and len(levels) >= depth:
                break
            levels.append((price, self._levels[price].quantity))
        return levels

    def orders(self) -> Iterator[Order]:
        """Every order in the order in which it would be matched."""
        for price in self.prices():
            yield from self._levels[price].orders.values()


class Book:
    """Both sides of a market. `update_id` counts changes of levels."""

    def __init__(self, first_update_id: int = 0) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.update_id = first_update_id
        self.updated_at_milliseconds = 0

    def side(self, side: Side) -> BookSide:
        return self.bids if side is Side.BUY else self.asks
