"""What new quotes are paid from: pure. The account has the last word; this is so as to ask for what it would grant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from actors.cycle.quoting.contract import Quote
from actors.cycle.quoting.matching import is_leaving
from market.events import Side
from orders.order import ZERO, Order


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """What is not reserved by anything, as far as known; None where it is not told yet, and counts as enough then.

    Of contracts (`position` not None), both sides are paid for from `quote_available`, at `leverage`, but for what reduces the
    position. `are_settled`: balances were told after the last change of an order, so that what is missing is missing.
    """

    base_available: Decimal | None = None
    quote_available: Decimal | None = None
    position: Decimal | None = None
    leverage: Decimal = Decimal(1)
    are_settled: bool = True

    @property
    def is_margin(self) -> bool:
        return self.position is not None

    def less(self, orders: Iterable[Order], *, base_told_at: float, quote_told_at: float) -> Funds:
        """Without what these live orders hold, where they are younger than what was told of the asset."""
        base, quote = self.base_available, self.quote_available
        for order in orders:
            is_buy = order.request.side is Side.BUY
            if (self.is_margin or is_buy) and quote is not None and order.created_at > quote_told_at:
                quote -= held_by(order, self)
            elif not self.is_margin and not is_buy and base is not None and order.created_at > base_told_at:
                base -= held_by(order, self)
        return replace(self, base_available=base, quote_available=quote)

    def budget(self, live: Iterable[Order]) -> Budget:
        return Budget(self, live)


class Budget:
    """Funds, while they are given out."""

    def __init__(self, funds: Funds, live: Iterable[Order]) -> None:
        self._funds = funds
        self._available = {Side.BUY: funds.quote_available, Side.SELL: funds.quote_available if funds.is_margin else funds.base_available}
        position = funds.position or ZERO
        self._reducible = {Side.BUY: max(ZERO, -position), Side.SELL: max(ZERO, position)}
        self._coming = {Side.BUY: ZERO, Side.SELL: ZERO}
        for order in live:
            side = order.request.side
            remaining = max(ZERO, (order.request.quantity or ZERO) - order.filled_quantity)
            self._reducible[side] = max(ZERO, self._reducible[side] - remaining)
            if is_leaving(order):
                self._add_coming(order)

    def _add_coming(self, order: Order) -> None:
        for side in self._sides(order.request.side):
            self._coming[side] += held_by(order, self._funds)

    def _sides(self, side: Side) -> tuple[Side, ...]:
        """The sides that are paid from the same money."""
        return (Side.BUY, Side.SELL) if self._funds.is_margin else (side,)

    def covers(self, quote: Quote, order: Order | None, *, freed: Sequence[Order] | None = None) -> bool:
        """Whether `quote` can be placed, or `order` amended to be it; with `freed`, after those and all that leaves have gone."""
        available = self._available[quote.side]
        if available is None:
            return True
        if freed is not None:
            available += self._coming[quote.side] + sum((held_by(each, self._funds) for each in freed), ZERO)
        return self._needed(quote, order) <= max(ZERO, available)

    def part_of(self, quote: Quote) -> Decimal:
        """How much of `quote`, which is not covered, could be placed. Of contracts that is what reduces the position: the rest
        of the margin is the exchange's estimate, and an order for the last of it is refused."""
        if self._funds.is_margin:
            return min(quote.quantity, self._reducible[quote.side])
        available = max(ZERO, self._available[quote.side] or ZERO)
        return min(quote.quantity, available / quote.price if quote.side is Side.BUY else available)

    def spend(self, quote: Quote, order: Order | None) -> None:
        needed = self._needed(quote, order)
        if order is None:
            self._reducible[quote.side] = max(ZERO, self._reducible[quote.side] - quote.quantity)
        for side in self._sides(quote.side):
            available = self._available[side]
            if available is not None:
                self._available[side] = available - needed

    def _needed(self, quote: Quote, order: Order | None) -> Decimal:
        if self._funds.is_margin:
            increasing = ZERO if quote.reduce_only else max(ZERO, quote.quantity - self._reducible[quote.side])
            needed = increasing * quote.price / self._funds.leverage
        else:
            needed = quote.quantity * quote.price if quote.side is Side.BUY else quote.quantity
        return needed if order is None else max(ZERO, needed - held_by(order, self._funds))


def held_by(order: Order, funds: Funds) -> Decimal:
    """What the order has set aside."""
    request = order.request
    remaining = max(ZERO, (request.quantity or ZERO) - order.filled_quantity)
    if funds.is_margin:
        return ZERO if request.reduce_only else remaining * (request.price or ZERO) / funds.leverage
    return remaining * (request.price or ZERO) if request.side is Side.BUY else remaining
