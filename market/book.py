"""A local order book in plain Python: a dict and a sorted list of prices per side, with the best price cached.

Prices and quantities are floats, because decoding and hashing decimals costs more than twice as much and a float of at
most 15 significant digits names its decimal exactly (see `market.instrument.decimal_from_book`). Depth sums are float
sums: good for deciding, never for money.

The book knows nothing of sequence rules; who may apply what, and when, is `actors.feeds.book_sync`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from market.events import Level


class OrderBook:
    """The bids and asks of one symbol as of `sequence`, the exchange's number of the last change it contains.

    Every level that was given is kept until it is deleted.
    """

    __slots__ = ("_asks", "_bids", "best_ask", "best_bid", "sequence")

    def __init__(self) -> None:
        self._bids = _Side()
        self._asks = _Side()
        self.best_bid: float | None = None
        """The highest bid price, None while there is no bid."""
        self.best_ask: float | None = None
        """The lowest ask price, None while there is no ask."""
        self.sequence = 0

    def __repr__(self) -> str:
        return f"<book at {self.sequence}: {self.bid_levels} bids to {self.best_bid}, {self.ask_levels} asks from {self.best_ask}>"

    def replace(self, bids: Iterable[Level], asks: Iterable[Level], sequence: int) -> None:
        """Forget everything and hold exactly these levels; levels of quantity 0 are left out.

        Raises:
            ValueError: a price or a quantity is negative or not a number; the book is then unchanged.
        """
        self._bids, self._asks = _Side(bids), _Side(asks)
        self._settle(sequence)

    def apply(self, bids: Sequence[Level], asks: Sequence[Level], sequence: int) -> None:
        """Set levels to absolute quantities, in the order given; quantity 0 deletes, deleting what is absent does nothing.

        Raises:
            ValueError: a price or a quantity is negative or not a number. The book is then half changed: `replace` it.
        """
        if bids:
            self._bids.apply(bids)
        if asks:
            self._asks.apply(asks)
        self._settle(sequence)

    def _settle(self, sequence: int) -> None:
        bids, asks = self._bids.prices, self._asks.prices
        self.best_bid = bids[-1] if bids else None
        self.best_ask = asks[0] if asks else None
        self.sequence = sequence

    @property
    def is_crossed(self) -> bool:
        """A bid at or above an ask: no matching engine rests in this state, so the book is wrong."""
        return self.best_bid is not None and self.best_ask is not None and self.best_bid >= self.best_ask

    @property
    def has_both_sides(self) -> bool:
        return self.best_bid is not None and self.best_ask is not None

    @property
    def bid_levels(self) -> int:
        """How many bid prices are held."""
        return len(self._bids.prices)

    @property
    def ask_levels(self) -> int:
        """How many ask prices are held."""
        return len(self._asks.prices)

    def top(self, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best `depth` bids and asks, best first; fewer where the book holds fewer."""
        bids, asks = self._bids, self._asks
        bid_quantities, ask_quantities = bids.quantities, asks.quantities
        return (
            tuple([(price, bid_quantities[price]) for price in bids.prices[: -depth - 1 : -1]]),
            tuple([(price, ask_quantities[price]) for price in asks.prices[:depth]]),
        )

    def bid_quantity(self, price: float) -> float:
        """The quantity bid at exactly `price`, 0 where there is none."""
        return self._bids.quantities.get(price, 0.0)

    def ask_quantity(self, price: float) -> float:
        """The quantity asked at exactly `price`, 0 where there is none."""
        return self._asks.quantities.get(price, 0.0)


class _Side:
    """One side: quantities by price, and the prices ascending."""

    __slots__ = ("prices", "quantities")

    def __init__(self, levels: Iterable[Level] = ()) -> None:
        self.quantities: dict[float, float] = {}
        self.prices: list[float] = []
        self.apply(levels)

    def apply(self, levels: Iterable[Level]) -> None:
        quantities, prices = self.quantities, self.prices
        for price, quantity in levels:
            if quantity > 0.0:
                if price not in quantities:
                    if not price > 0.0:
                        raise ValueError(f"a level has the price {price!r}")
                    insort(prices, price)
                quantities[price] = quantity
            elif quantity == 0.0:
                if price in quantities:
                    del quantities[price]
                    del prices[bisect_left(prices, price)]
            else:  # negative, or NaN, which no comparison catches
                raise ValueError(f"the level at {price!r} has the quantity {quantity!r}")
