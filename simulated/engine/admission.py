"""The rules of a market that an order must keep before it is admitted."""

from __future__ import annotations

from decimal import Decimal

from market.events import Side
from market.instrument import Instrument, TradingStatus
from simulated.engine.book import Book
from simulated.engine.order import NewOrder, OrderKind, OrderRefused, Refusal, TimeInForce

_OPEN_FOR = {
    Side.BUY: (TradingStatus.TRADABLE, TradingStatus.BUY_ONLY),
    Side.SELL: (TradingStatus.TRADABLE, TradingStatus.SELL_ONLY),
}


def check_market(instrument: Instrument, side: Side) -> None:
    """Is this side of the market open?

    Raises:
        OrderRefused: it is not.
    """
    if instrument.status not in _OPEN_FOR[side]:
        raise OrderRefused(Refusal.TRADING_CLOSED)


def check_amounts(instrument: Instrument, book: Book, new: NewOrder) -> None:
    """Price on a tick, quantity on a step, and both within the stated bounds.

    Raises:
        OrderRefused: with the bound that was missed.
    """
    if new.kind is OrderKind.LIMIT:
        _check_price(instrument, new.price)
    elif new.price or new.time_in_force is TimeInForce.POST_ONLY:
        raise OrderRefused(Refusal.INVALID)
    if new.quote_quantity is not None:
        if new.kind is not OrderKind.MARKET or new.side is not Side.BUY or new.quantity or new.quote_quantity <= 0:
            raise OrderRefused(Refusal.INVALID, value=new.quote_quantity)
        _check_notional(instrument, new.quote_quantity)
        return
    _check_quantity(instrument, new.quantity)
    # A market order has no price of its own: what it would meet first stands in for it.
    price = new.price if new.kind is OrderKind.LIMIT else book.side(new.side.opposite).best
    if price is not None:
        _check_notional(instrument, price * new.quantity)


def _check_price(instrument: Instrument, price: Decimal) -> None:
    if not price.is_finite() or price <= 0:
        raise OrderRefused(Refusal.INVALID, value=price)
    if price % instrument.price_tick:
        raise OrderRefused(Refusal.PRICE_OFF_TICK, bound=instrument.price_tick, value=price)


def _check_quantity(instrument: Instrument, quantity: Decimal) -> None:
    if not quantity.is_finite() or quantity <= 0:
        raise OrderRefused(Refusal.INVALID, value=quantity)
    if quantity % instrument.quantity_step:
        raise OrderRefused(Refusal.QUANTITY_OFF_STEP, bound=instrument.quantity_step, value=quantity)
    if quantity < instrument.quantity_min:
        raise OrderRefused(Refusal.QUANTITY_TOO_SMALL, bound=instrument.quantity_min, value=quantity)
    if instrument.quantity_max is not None and quantity > instrument.quantity_max:
        raise OrderRefused(Refusal.QUANTITY_TOO_LARGE, bound=instrument.quantity_max, value=quantity)


def _check_notional(instrument: Instrument, notional: Decimal) -> None:
    if notional < instrument.notional_min:
        raise OrderRefused(Refusal.NOTIONAL_TOO_SMALL, bound=instrument.notional_min, value=notional)
    if instrument.notional_max is not None and notional > instrument.notional_max:
        raise OrderRefused(Refusal.NOTIONAL_TOO_LARGE, bound=instrument.notional_max, value=notional)
