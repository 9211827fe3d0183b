"""Which live order serves which wanted quote: pure. One side at a time, nearest price first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from actors.cycle.quoting.contract import Quote, Tolerance
from market.events import Side
from market.instrument import Instrument
from orders.life_cycle import OrderState
from orders.order import ZERO, Order
from orders.request import TimeInForce


class Pair(msgspec.Struct, frozen=True):
    """A live order, and the quote that it serves or is to serve."""

    order: Order
    quote: Quote


def is_at_rest(order: Order) -> bool:
    """Whether the exchange was heard last, and is asked nothing about the order: only then is it changed or cancelled."""
    return order.state in (OrderState.OPEN, OrderState.PARTIALLY_FILLED) and not order.cancel_wanted and remaining_of(order) > 0


def is_leaving(order: Order) -> bool:
    """Whether its end was asked for, or has come and is only not told yet."""
    return order.cancel_wanted or order.state is OrderState.PENDING_CANCEL or remaining_of(order) <= 0


def price_of(order: Order) -> Decimal:
    """Its price; of one that is being amended, the price that it is asked to have."""
    asked = [amendment.price for amendment in order.unseen_amendments if amendment.price is not None] if _is_changing(order) else []
    return asked[-1] if asked else order.request.price or ZERO


def remaining_of(order: Order) -> Decimal:
    """What is still to fill of its quantity; of one that is being amended, of the quantity that it is asked to have."""
    asked = [amendment.quantity for amendment in order.unseen_amendments if amendment.quantity is not None] if _is_changing(order) else []
    return (asked[-1] if asked else order.request.quantity or ZERO) - order.filled_quantity


def _is_changing(order: Order) -> bool:
    return order.state in (OrderState.PENDING_AMEND, OrderState.UNKNOWN)


def boldest_price(order: Order) -> Decimal:
    """The price nearest to the other side that it may have, whatever became of amendments: the highest of a buy, the lowest of a sell."""
    price = order.request.price or ZERO
    if not order.unseen_amendments:
        return price
    prices = [price, *(amendment.price for amendment in order.unseen_amendments if amendment.price is not None)]
    return max(prices) if order.request.side is Side.BUY else min(prices)


def would_meet(price: Decimal, side: Side, other_price: Decimal) -> bool:
    """Whether an order of `side` at `price` would trade with one of the other side at `other_price`."""
    return price >= other_price if side is Side.BUY else price <= other_price


def possible_quotes(
    quotes: Iterable[Quote],
    instrument: Instrument,
    *,
    best_bid: Decimal | None,
    best_ask: Decimal | None,
    price_bounds: Mapping[Side, Decimal],
) -> list[Quote]:
    """The wanted quotes as they can rest: on ticks and steps, not below the minimum, post-only ones inside the touch and
    within `price_bounds`, and none that would trade with another. What cannot be is left out, the higher level first."""
    found: list[Quote] = []
    for quote in sorted(quotes, key=lambda quote: (quote.level, quote.side.value)):
        price = _resting_price(quote, instrument, best_bid, best_ask, price_bounds)
        quantity = instrument.round_quantity_down(quote.quantity)
        if price <= 0 or not is_tradable(quantity, price, instrument):
            continue
        if any(other.side is not quote.side and would_meet(price, quote.side, other.price) for other in found):
            continue
        found.append(replace(quote, price=price, quantity=quantity))
    return found


def _resting_price(
    quote: Quote, instrument: Instrument, best_bid: Decimal | None, best_ask: Decimal | None, price_bounds: Mapping[Side, Decimal]
) -> Decimal:
    is_buy, tick = quote.side is Side.BUY, instrument.price_tick
    price = quote.price
    if quote.time_in_force is TimeInForce.POST_ONLY:
        bound = price_bounds.get(quote.side, price)
        if is_buy:
            price = min(price, bound, price if best_ask is None else best_ask - tick)
        else:
            price = max(price, bound, price if best_bid is None else best_bid + tick)
    return instrument.round_price_down(price) if is_buy else instrument.round_price_up(price)


def fits(order: Order, quote: Quote, tolerance: Tolerance) -> bool:
    """Whether the order may be left where it is to serve the quote."""
    if not is_of_kind(order, quote):
        return False
    return (
        abs(price_of(order) - quote.price) <= tolerance.price_fraction * quote.price
        and abs(remaining_of(order) - quote.quantity) <= tolerance.quantity_fraction * quote.quantity
    )


def fits_but_is_smaller(order: Order, quote: Quote, tolerance: Tolerance) -> bool:
    """Whether nothing but quantity is lacking."""
    if not is_of_kind(order, quote) or remaining_of(order) >= quote.quantity:
        return False
    return abs(price_of(order) - quote.price) <= tolerance.price_fraction * quote.price


def is_tradable(quantity: Decimal, price: Decimal, instrument: Instrument) -> bool:
    """Whether the exchange takes an order that small."""
    return quantity > 0 and quantity >= instrument.quantity_min and quantity * price >= instrument.notional_min


def is_of_kind(order: Order, quote: Quote) -> bool:
    """Whether an amendment of price and quantity is all that the order lacks to be the quote."""
    request = order.request
    return (
        request.side is quote.side
        and request.time_in_force is quote.time_in_force
        and request.reduce_only is quote.reduce_only
        and request.price is not None
    )


def pair_nearest(orders: Sequence[Order], quotes: Sequence[Quote], may_pair: Callable[[Order, Quote], bool]) -> list[Pair]:
    """Pairs of those that `may_pair`, the nearest prices first, each order and each quote in one pair at most."""
    prices = [price_of(order) for order in orders]
    candidates = sorted(
        (abs(prices[order_index] - quote.price), order_index, quote_index)
        for order_index, order in enumerate(orders)
        for quote_index, quote in enumerate(quotes)
        if may_pair(order, quote)
    )
    used_orders: set[int] = set()
    used_quotes: set[int] = set()
    pairs: list[Pair] = []
    for _, order_index, quote_index in candidates:
        if order_index not in used_orders and quote_index not in used_quotes:
            used_orders.add(order_index)
            used_quotes.add(quote_index)
            pairs.append(Pair(orders[order_index], quotes[quote_index]))
    return pairs
