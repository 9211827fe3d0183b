"""A position in a linear contract: what is open, what it was bought for, and what came of it."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

import msgspec

from market.events import Side
from market.symbol import Symbol
from simulated.engine.order import ZERO

MONEY_STEP = Decimal(1).scaleb(-12)
"""What a quotient in money is rounded to. Products and sums never are."""

_DIVISION = Context(prec=80)


def signed(quantity: Decimal, side: Side) -> Decimal:
    """`quantity` as a change of a position: what is sold is negative."""
    return quantity if side is Side.BUY else -quantity


class PositionFill(msgspec.Struct, frozen=True):
    """What one fill did to a position. `realised_pnl` is before fees."""

    closed_quantity: Decimal
    realised_pnl: Decimal


class Position(msgspec.Struct, kw_only=True):
    """One account's position in one contract; only the engine changes it.

    `quantity` is in base units, positive when long; `cost` is what it was bought for, with the same sign. A partial close takes
    its share of the cost, rounded to `MONEY_STEP`, and the last one all that is left, so that what is realised adds up to
    what was paid and received, to the last digit.

    `margin` is what the wallet holds for it (`Balance.locked`): the initial margin and `margin_added`, which is negative where
    funding was taken from the margin of an isolated position. `realised_pnl`, `funding` (received) and `fees` (paid) are those
    of the position that is open, or else of the last one; `history_pnl` is what all ended ones have brought, after funding
    and fees, `last_close_pnl` the last of them. `version` grows with every change.
    """

    account: str
    symbol: Symbol
    leverage: Decimal
    is_cross: bool
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    margin: Decimal = ZERO
    margin_added: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    funding: Decimal = ZERO
    fees: Decimal = ZERO
    history_pnl: Decimal = ZERO
    last_close_pnl: Decimal = ZERO
    opened_at_milliseconds: int = 0
    updated_at_milliseconds: int = 0
    last_trade_id: int = 0
    version: int = 0

    @property
    def is_open(self) -> bool:
        return bool(self.quantity)

    @property
    def side(self) -> Side | None:
        """The side of the orders that made it; None when it is empty."""
        if not self.quantity:
            return None
        return Side.BUY if self.quantity > 0 else Side.SELL

    @property
    def closing_side(self) -> Side:
        """The side of an order that closes it. It must not be empty."""
        return Side.SELL if self.quantity > 0 else Side.BUY

    @property
    def entry_price(self) -> Decimal | None:
        """The average price of what is open, rounded to `MONEY_STEP`; None when it is empty."""
        if not self.quantity:
            return None
        return _DIVISION.divide(self.cost, self.quantity).quantize(MONEY_STEP, ROUND_HALF_EVEN, _DIVISION)

    def reducible(self, side: Side) -> Decimal:
        """How much an order on `side` can reduce."""
        return ZERO if self.side in (None, side) else abs(self.quantity)

    def fill(self, side: Side, price: Decimal, quantity: Decimal, fee_rate: Decimal, now_milliseconds: int, trade_id: int) -> PositionFill:
        """Take in a fill: reduce what is open on the other side, then open with what is left of it. The context must be exact."""
        closed = min(quantity, self.reducible(side))
        opened = quantity - closed
        realised = self._close(side, price, closed) if closed else ZERO
        self.fees += price * closed * fee_rate
        if closed and not self.quantity:
            self._end()
        if opened:
            if not self.quantity:
                self.realised_pnl = self.funding = self.fees = ZERO
                self.opened_at_milliseconds = now_milliseconds
            self.quantity += signed(opened, side)
            self.cost += price * signed(opened, side)
            self.fees += price * opened * fee_rate
        self.last_trade_id = trade_id
        self.touch(now_milliseconds)
        return PositionFill(closed, realised)

    def touch(self, now_milliseconds: int) -> None:
        """Something about it has changed."""
        self.updated_at_milliseconds = now_milliseconds
        self.version += 1

    def _close(self, side: Side, price: Decimal, closed: Decimal) -> Decimal:
        share, added = self.cost, self.margin_added
        if closed != abs(self.quantity):
            share = _share(self.cost, closed, self.quantity)
            added = _share(self.margin_added, closed, self.quantity)
        realised = -price * signed(closed, side) - share
        self.quantity += signed(closed, side)
        self.cost -= share
        self.margin_added -= added
        self.realised_pnl += realised
        return realised

    def _end(self) -> None:
        self.last_close_pnl = self.realised_pnl + self.funding - self.fees
        self.history_pnl += self.last_close_pnl


def _share(amount: Decimal, closed: Decimal, quantity: Decimal) -> Decimal:
    return (amount * closed / abs(quantity)).quantize(MONEY_STEP, ROUND_HALF_EVEN)
