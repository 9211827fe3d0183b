"""The sums that a report is made of, and how they are added up: over days, symbols and all. Pure; money is exact.

Every figure is additive, so that the days of a cycle add up to it, and its shares are only formed when they are shown.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Self

import msgspec

from market.exact import EXACT, PRECISE
from orders.order import ZERO

HORIZONS_SECONDS = (1, 5, 30)
BASIS_POINTS = Decimal(10_000)


class Distance(msgspec.Struct):
    """How far from a middle trades were, in their favour if positive: of those whose middle was known.

    `quote` is the distance times the quantity, summed up; `notional` what those trades were worth at their own prices.
    """

    fills: int = 0
    quote: Decimal = ZERO
    notional: Decimal = ZERO

    def count(self, distance: Decimal, quantity: Decimal, notional: Decimal) -> None:
        """One more trade, `distance` quote units a base unit better than the middle."""
        self.fills += 1
        self.quote = EXACT.add(self.quote, EXACT.multiply(distance, quantity))
        self.notional = EXACT.add(self.notional, notional)

    def add(self, other: Distance) -> None:
        self.fills += other.fills
        self.quote = EXACT.add(self.quote, other.quote)
        self.notional = EXACT.add(self.notional, other.notional)

    @property
    def basis_points(self) -> Decimal | None:
        """The average, weighted by quantity; None of nothing."""
        return PRECISE.divide(PRECISE.multiply(self.quote, BASIS_POINTS), self.notional) if self.notional else None


def _distances() -> list[Distance]:
    return [Distance() for _ in HORIZONS_SECONDS]


class Trades(msgspec.Struct):
    """Some trades: how many, for how much, how far from the middle, and how far from where the middle went (`after`, by horizon)."""

    fills: int = 0
    quantity: Decimal = ZERO
    volume: Decimal = ZERO
    spread: Distance = msgspec.field(default_factory=Distance)
    after: list[Distance] = msgspec.field(default_factory=_distances)

    def add(self, other: Trades) -> None:
        self.fills += other.fills
        self.quantity = EXACT.add(self.quantity, other.quantity)
        self.volume = EXACT.add(self.volume, other.volume)
        self.spread.add(other.spread)
        for ours, theirs in zip(self.after, other.after, strict=True):
            ours.add(theirs)


class OrderCounts(msgspec.Struct):
    """Orders by what became of them. `placed` are those that the exchange was heard to have; amounts are in quote units."""

    intended: int = 0
    placed: int = 0
    filled: int = 0
    partly_filled: int = 0
    cancelled: int = 0
    expired: int = 0
    rejected: int = 0
    may_exist: int = 0
    placed_quote: Decimal = ZERO
    filled_quote: Decimal = ZERO

    def add(self, other: OrderCounts) -> None:
        for name in self.__struct_fields__:
            ours, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, EXACT.add(ours, theirs) if isinstance(ours, Decimal) else ours + theirs)

    @property
    def fill_rate(self) -> float | None:
        """Of the orders placed, the share that was filled, if only in part."""
        return (self.filled + self.partly_filled) / self.placed if self.placed else None

    @property
    def amount_fill_rate(self) -> float | None:
        """The same by amounts."""
        return float(self.filled_quote / self.placed_quote) if self.placed_quote else None


class Uptime(msgspec.Struct):
    """For how long orders rested on both sides, on one and on none, in milliseconds of running."""

    both: int = 0
    one: int = 0
    none: int = 0

    def add(self, other: Uptime) -> None:
        self.both += other.both
        self.one += other.one
        self.none += other.none

    @property
    def running(self) -> int:
        return self.both + self.one + self.none

    def share(self, milliseconds: int) -> float | None:
        return milliseconds / self.running if self.running else None


class Earnings(msgspec.Struct, frozen=True):
    """What was earned, in quote units, by the tallies' accounting. `fees` are those in base and quote, the former at the last price;
    others are by asset in `other_fees`, and no part of the profit; neither is funding."""

    realised: Decimal = ZERO
    unrealised: Decimal = ZERO
    fees: Decimal = ZERO
    profit: Decimal = ZERO
    volume: Decimal = ZERO
    funding: Decimal = ZERO
    fees_by_asset: dict[str, Decimal] = {}

    def plus(self, other: Earnings) -> Earnings:
        return self._combined(other, 1)

    def minus(self, other: Earnings) -> Earnings:
        """What came between two moments."""
        return self._combined(other, -1)

    def _combined(self, other: Earnings, sign: int) -> Earnings:
        def both(ours: Decimal, theirs: Decimal) -> Decimal:
            return EXACT.add(ours, theirs if sign > 0 else theirs.copy_negate())

        fees = {
            asset: both(self.fees_by_asset.get(asset, ZERO), other.fees_by_asset.get(asset, ZERO))
            for asset in sorted({*self.fees_by_asset, *other.fees_by_asset})
        }
        return Earnings(
            realised=both(self.realised, other.realised),
            unrealised=both(self.unrealised, other.unrealised),
            fees=both(self.fees, other.fees),
            profit=both(self.profit, other.profit),
            volume=both(self.volume, other.volume),
            funding=both(self.funding, other.funding),
            fees_by_asset={asset: fee for asset, fee in fees.items() if fee},
        )


class Sums(msgspec.Struct):
    """Everything that is added up of a cycle, of one of its days, of a symbol, or of all."""

    trades: dict[tuple[str, bool], Trades] = {}
    earnings: Earnings = Earnings()
    orders: OrderCounts = msgspec.field(default_factory=OrderCounts)
    uptime: Uptime = msgspec.field(default_factory=Uptime)

    def trades_of(self, side: str, *, maker: bool) -> Trades:
        """The trades of a side and role, to be added to."""
        return self.trades.setdefault((side, maker), Trades())

    def some(self, *, side: str | None = None, maker: bool | None = None) -> Trades:
        """The sum of the trades of a side, of a role, or of all."""
        total = Trades()
        for (its_side, is_maker), trades in self.trades.items():
            if side in (None, its_side) and maker in (None, is_maker):
                total.add(trades)
        return total

    def add(self, other: Sums) -> Self:
        for key, trades in other.trades.items():
            self.trades.setdefault(key, Trades()).add(trades)
        self.earnings = self.earnings.plus(other.earnings)
        self.orders.add(other.orders)
        self.uptime.add(other.uptime)
        return self

    @property
    def maker_share(self) -> float | None:
        """By volume."""
        volume = self.some().volume
        return float(self.some(maker=True).volume / volume) if volume else None
