"""Which price the market has: reference prices, the book without ourselves, and averages of what the price was. Pure."""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter

import msgspec

from actors.cycle.others import asks_of_others, bids_of_others, book_price
from actors.cycle.quoting.contract import MidSample, QuotingView
from market.events import BookChanged, Level, Side
from market.instrument import decimal_from_book
from orders.order import ZERO

# A moving average is taken over so many samples at most, spread evenly: more would cost time and change nothing.
AVERAGE_SAMPLES_MAX = 600
# Ticks come a little early or late: a sample so much of a spacing after the one before is not passed over.
SPACING_SLACK = 0.95
_at = attrgetter("at")


class PriceSource(enum.Enum):
    """What quotes are placed around.

    The middle of best bid and ask; the same weighted by what stands on the other side, so that it leans to the side with less
    (micro-price); the last public trade; or either of the first two of the cycle's reference exchange.
    """

    MID = "mid"
    MICRO_PRICE = "micro_price"
    LAST_TRADE = "last_trade"
    REFERENCE_MID = "reference_mid"
    REFERENCE_MICRO_PRICE = "reference_micro_price"


class OthersBook(msgspec.Struct, frozen=True):
    """A book without our own orders. Where nobody else stands on a side, that side is as it is, ours included."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def mid(self) -> Decimal:
        return (book_price(self.bids[0]) + book_price(self.asks[0])) / 2

    @property
    def micro_price(self) -> Decimal:
        """The mid weighted by the best quantities: a large bid beside a small ask means a price near the ask."""
        bid, ask = book_price(self.bids[0]), book_price(self.asks[0])
        bid_quantity, ask_quantity = self.bids[0][1], self.asks[0][1]
        # A weight is not money: the float's nearest decimal will do.
        return bid + (ask - bid) * Decimal(repr(bid_quantity / (bid_quantity + ask_quantity)))

    def levels(self, side: Side) -> tuple[Level, ...]:
        return self.bids if side is Side.BUY else self.asks

    def best(self, side: Side) -> Decimal:
        return book_price(self.levels(side)[0])

    def price_at_depth(self, side: Side, depth_quote: Decimal) -> Decimal:
        """The best price that has more than `depth_quote` standing at it or better; the last one seen where the book ends before."""
        levels = self.levels(side)
        passed = ZERO
        for price, quantity in levels:
            passed += decimal_from_book(price) * Decimal(repr(quantity))
            if passed > depth_quote:
                return decimal_from_book(price)
        return book_price(levels[-1])


def others_book(view: QuotingView, book: BookChanged) -> OthersBook:
    """The cycle's own market without what is, or was a moment ago, ours."""
    own = (*view.orders, *view.ended_orders)
    bids = bids_of_others(book, (order for order in own if order.request.side is Side.BUY))
    asks = asks_of_others(book, (order for order in own if order.request.side is Side.SELL))
    return OthersBook(bids or book.bids, asks or book.asks)


def reference_price(source: PriceSource, view: QuotingView, book: OthersBook) -> Decimal | str:
    """The price to quote around, or in words what it is waited for."""
    match source:
        case PriceSource.MID:
            return book.mid
        case PriceSource.MICRO_PRICE:
            return book.micro_price
        case PriceSource.LAST_TRADE:
            return "the first trade" if view.last_trade is None else decimal_from_book(view.last_trade.price)
        case PriceSource.REFERENCE_MID | PriceSource.REFERENCE_MICRO_PRICE:
            if view.reference_book is None:
                return "the reference exchange's book"
            elsewhere = OthersBook(view.reference_book.bids, view.reference_book.asks)
            return elsewhere.mid if source is PriceSource.REFERENCE_MID else elsewhere.micro_price


def spaced_samples(mids: Sequence[MidSample], since: float, spacing_seconds: float) -> list[MidSample]:
    """The samples from `since` on, none nearer to the one before than (about) `spacing_seconds`."""
    found: list[MidSample] = []
    next_at = since
    # A walk, and no leaps: it is done in every decision, and mostly samples are as far apart as ticks, so that none is passed over.
    for sample in mids[bisect_left(mids, since, key=_at) :]:
        at = sample.at
        if at >= next_at:
            found.append(sample)
            next_at = at + spacing_seconds * SPACING_SLACK
    return found


def moving_average(mids: Sequence[MidSample], now: float, window_seconds: float) -> Decimal | None:
    """The mean of the mids of the last `window_seconds`; None where there are none."""
    since = now - window_seconds
    samples = mids[bisect_left(mids, since, key=_at) :]
    if len(samples) > AVERAGE_SAMPLES_MAX:
        samples = spaced_samples(samples, since, window_seconds / AVERAGE_SAMPLES_MAX)
    values = [sample.mid for sample in samples]
    return Decimal(repr(sum(values) / len(values))) if values else None
