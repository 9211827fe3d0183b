"""Bids and asks are mirror images: what is away from the market for one is away for the other, downwards and upwards."""

from __future__ import annotations

from decimal import Decimal

from market.events import Side
from market.instrument import Instrument, TradingStatus


def away(side: Side, price: Decimal, distance: Decimal) -> Decimal:
    """`distance` further from the market than `price`: lower for a buy, higher for a sell."""
    return price - distance if side is Side.BUY else price + distance


def further(side: Side, left: Decimal, right: Decimal) -> Decimal:
    """Whichever of two prices is further from the market: the lower for a buy."""
    return min(left, right) if side is Side.BUY else max(left, right)


def nearer(side: Side, left: Decimal, right: Decimal) -> Decimal:
    """Whichever of two prices is nearer to the market: the higher for a buy."""
    return further(side.opposite, left, right)


def is_beyond(side: Side, price: Decimal, limit: Decimal) -> bool:
    """Whether an order at `price` is at least as far from the market as `limit`: a buy at or under it, a sell at or above it."""
    return price <= limit if side is Side.BUY else price >= limit


def round_away(side: Side, instrument: Instrument, price: Decimal) -> Decimal:
    """The next tick at `price` or further from the market."""
    return instrument.round_price_down(price) if side is Side.BUY else instrument.round_price_up(price)


def best_first(side: Side, price: Decimal) -> Decimal:
    """A key that sorts prices of a side with the best one first."""
    return -price if side is Side.BUY else price


def is_open_for(side: Side, status: TradingStatus) -> bool:
    """Whether the exchange takes orders of this side now."""
    return status is TradingStatus.TRADABLE or status is (TradingStatus.BUY_ONLY if side is Side.BUY else TradingStatus.SELL_ONLY)
