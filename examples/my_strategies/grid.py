"""A strategy of one's own: a grid of prices, with a buy on every line under the market and a sell on every line above it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.cycle.quoting.contract import Quote, QuotingView, StrategyFailed, Wanted
from market.events import Side
from market.instrument import decimal_from_book


class GridParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`centre_price`: the price of the middle line. `lines`: how many there are above it, and as many under it.

    `spacing_fraction`: from one line to the next, a part of the centre price (0.005 is half a percent).
    """

    centre_price: Decimal
    lines: int = 5
    spacing_fraction: Decimal = Decimal("0.005")

    def __post_init__(self) -> None:
        if self.centre_price <= 0 or self.spacing_fraction <= 0 or self.lines < 1:
            raise ValueError("centre_price and spacing_fraction are above 0, and lines is 1 or more")
        if self.lines * self.spacing_fraction >= 1:
            raise ValueError("the lowest line must be above 0: lines times spacing_fraction is below 1")


class Grid:
    """Buys the cycle's `quantity` on each line on the way down, and sells it one line higher on the way up.

    The line that was filled last stays empty, or else what was just bought would be sold at its own price. It is found by the
    newest fill; before the first one it is the middle line.
    """

    Parameters = GridParameters
    history_seconds = 0.0

    def __init__(self, parameters: GridParameters) -> None:
        self._centre, self._lines = parameters.centre_price, parameters.lines
        self._spacing = parameters.centre_price * parameters.spacing_fraction

    def decide(self, view: QuotingView) -> Wanted:
        if view.book is None:
            return Wanted(phase="waiting for the book")
        mid = (decimal_from_book(view.book.best_bid[0]) + decimal_from_book(view.book.best_ask[0])) / 2
        newest = max(view.last_fills.values(), key=lambda fill: fill.at, default=None)
        empty = 0 if newest is None else round((newest.price - self._centre) / self._spacing)
        lines = [self._price(view, line) for line in range(-self._lines, self._lines + 1) if line != empty]
        under, above = sorted((price for price in lines if price < mid), reverse=True), [price for price in lines if price > mid]
        bids = [self._quote(view, Side.BUY, price, level) for level, price in enumerate(under)]
        asks = [self._quote(view, Side.SELL, price, level) for level, price in enumerate(above)]
        return Wanted(phase="keeping the grid", quotes=(*bids, *asks), facts={"mid": mid, "empty_line": Decimal(empty)})

    def _price(self, view: QuotingView, line: int) -> Decimal:
        return view.instrument.round_price_down(self._centre + line * self._spacing)

    def _quote(self, view: QuotingView, side: Side, price: Decimal, level: int) -> Quote:
        quantity = view.instrument.round_quantity_down(view.order_quote / price)
        if quantity < view.instrument.quantity_min or quantity * price < view.instrument.notional_min:
            raise StrategyFailed(f"{view.order_quote:f} {view.instrument.symbol.quote} are too little for an order: raise quantity")
        return Quote(side=side, price=price, quantity=quantity, level=level)
