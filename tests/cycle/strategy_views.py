"""What a quoting strategy is shown in tests: markets, books, live orders, and views drawn at random."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec
from hypothesis import strategies as st

from actors.cycle.quoting.contract import LastFill, MidSample, Quote, QuotingView, Wanted
from market.events import BookChanged, Level, Side, TradeHappened
from market.instrument import Instrument
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import Order
from orders.positions import PositionAccount
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.tally import Tally

NOW = 1_000.0


class History(msgspec.Struct, frozen=True):
    """A market's past as a test wants it."""

    mids: Sequence[MidSample] = ()
    trades: Sequence[TradeHappened] = ()


class Market(msgspec.Struct, frozen=True):
    """An instrument and about what it costs."""

    instrument: Instrument
    price: Decimal


def market(name: str, price: str, tick: str, step: str, quantity_min: str, notional_min: str) -> Market:
    rules = Instrument(
        exchange="gateio_spot",
        symbol=Symbol(name, "USDT"),
        price_tick=Decimal(tick),
        quantity_step=Decimal(step),
        quantity_min=Decimal(quantity_min),
        notional_min=Decimal(notional_min),
    )
    return Market(rules, Decimal(price))


BTC = market("BTC", "60000", "0.1", "0.000001", "0.00001", "3")
DOGE = market("DOGE", "0.12345", "0.00001", "0.1", "1", "3")
SHIB = market("SHIB", "0.00002345", "0.00000001", "1", "1", "1")
MARKETS = (BTC, DOGE, SHIB)


def book_of(
    place: Market, *, mid: Decimal | None = None, half_spread_ticks: int = 5, levels: int = 5, own: Iterable[Quote] = ()
) -> BookChanged:
    """Others' orders, a tick apart, each worth some 500 quote units; and `own` among them."""
    tick, price = place.instrument.price_tick, place.instrument.round_price_down(mid or place.price)
    quantities: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}
    for number in range(levels):
        for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
            quantities[side][price + sign * tick * (half_spread_ticks + number)] = 500 / price
    for quote in own:
        side = quantities[quote.side]
        side[quote.price] = side.get(quote.price, Decimal(0)) + quote.quantity

    def sorted_levels(side: Side) -> tuple[Level, ...]:
        found = [(float(price), float(quantity)) for price, quantity in quantities[side].items()]
        return tuple(sorted(found, reverse=side is Side.BUY))

    return BookChanged("gateio_spot", place.instrument.symbol, sorted_levels(Side.BUY), sorted_levels(Side.SELL), 1, 1, 0, NOW)


def view_of(place: Market = BTC, *, inventory: Decimal | str = "0", **changes: object) -> QuotingView:
    """A view of a quiet market, with whatever is different."""
    values: dict[str, object] = {
        "now": NOW,
        "instrument": place.instrument,
        "book": book_of(place),
        "history": History(),
        "order_quote": Decimal(100),
        "tally": Tally(traded=PositionAccount(quantity=Decimal(inventory))),
    }
    return QuotingView(**(values | changes))


def live_order(
    side: Side,
    price: Decimal | str,
    quantity: Decimal | str,
    *,
    place: Market = BTC,
    number: int = 1,
    state: OrderState = OrderState.OPEN,
    filled: str = "0",
    created_at: float = NOW,
    **changes: object,
) -> Order:
    request = OrderRequest(
        client_order_id=f"mm-btc-{number}",
        owner="btc",
        symbol=place.instrument.symbol,
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(price),
    )
    values: dict[str, object] = {"created_at": created_at, "changed_at": created_at} | changes
    return Order(request=request, state=state, filled_quantity=Decimal(filled), sent=True, **values)


def orders_of(wanted: Wanted, place: Market = BTC, *, created_at: float = NOW) -> tuple[Order, ...]:
    """What is live once a decision was carried out."""
    return tuple(
        live_order(quote.side, quote.price, quote.quantity, place=place, number=number, created_at=created_at)
        for number, quote in enumerate(wanted.quotes)
    )


def bids(wanted: Wanted) -> list[Quote]:
    return [quote for quote in wanted.quotes if quote.side is Side.BUY]


def asks(wanted: Wanted) -> list[Quote]:
    return [quote for quote in wanted.quotes if quote.side is Side.SELL]


def prices(quotes: Iterable[Quote]) -> list[Decimal]:
    return [quote.price for quote in quotes]


def quantities(quotes: Iterable[Quote]) -> list[Decimal]:
    return [quote.quantity for quote in quotes]


def fractions(low: str, high: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=5)


@st.composite
def views(draw: st.DrawFn, *, place: Market | None = None, with_orders: bool = True) -> QuotingView:
    """Any moment: a market, a book, an inventory, and live orders and fills that have nothing to do with what is wanted now."""
    here = place or draw(st.sampled_from(MARKETS))
    tick = here.instrument.price_tick
    mid = here.price * (1 + draw(fractions("-0.02", "0.02")))
    inventory = 100 / here.price * draw(fractions("-14", "14"))
    book = book_of(here, mid=mid, half_spread_ticks=draw(st.integers(1, 200)), levels=draw(st.integers(1, 8)))
    history = History(tuple(MidSample(NOW - 60 + at, float(here.price)) for at in range(0, 60, 5)))
    orders: list[Order] = []
    fills: dict[Side, LastFill] = {}
    if with_orders:
        for number in range(draw(st.integers(0, 6))):
            side = draw(st.sampled_from(Side))
            price = here.instrument.round_price_down(here.price * (1 + draw(fractions("-0.03", "0.03")))) + tick
            quantity = here.instrument.round_quantity_up(150 / here.price)
            age = draw(st.sampled_from((0.5, 3.0, 20.0)))
            state = draw(st.sampled_from((OrderState.OPEN, OrderState.PENDING_NEW, OrderState.PENDING_CANCEL, OrderState.UNKNOWN)))
            orders.append(live_order(side, price, quantity, place=here, number=number, created_at=NOW - age, state=state))
        for side in draw(st.sets(st.sampled_from(Side))):
            fills[side] = LastFill(NOW - draw(st.sampled_from((1.0, 10.0))), here.price, Decimal(1))
    return view_of(here, inventory=inventory, book=book, history=history, orders=tuple(orders), last_fills=fills)


def shared_parameters() -> dict[str, st.SearchStrategy[object]]:
    """Values of the parameters that all two-sided strategies share."""
    return {
        "maker_fee_fraction": fractions("-0.0002", "0.002"),
        "spread_min_fraction": fractions("0.001", "0.005"),
        "order_optimisation": st.booleans(),
        "optimisation_depth_quote": st.sampled_from((Decimal(0), Decimal(600), Decimal(5000))),
        "levels": st.integers(1, 6),
        "level_spacing_fraction": fractions("0", "0.01"),
        "level_spacing_growth": fractions("0.5", "2"),
        "level_amount_growth": fractions("0.3", "2"),
        "filled_order_delay_seconds": st.sampled_from((0.0, 5.0)),
        "ping_pong": st.booleans(),
        "hanging_orders_max": st.integers(0, 3),
        "inventory_target_base": st.just(Decimal(0)),
        "inventory_size_skew": fractions("0", "1"),
        "inventory_level_skew": fractions("0", "1"),
        "moving_band_fraction": st.one_of(st.none(), fractions("0.001", "0.05")),
    }


def walk(sigma: float, times: list[float], rng: random.Random) -> list[MidSample]:
    """A geometric Brownian motion seen at these times."""
    price, samples = 60_000.0, [MidSample(times[0], 60_000.0)]
    for before, after in pairwise(times):
        price *= math.exp(sigma * math.sqrt(after - before) * rng.gauss(0, 1))
        samples.append(MidSample(after, price))
    return samples


def trade(at: float, side: Side, price: float, milliseconds: int | None = None) -> TradeHappened:
    when = round(at * 1000) if milliseconds is None else milliseconds
    return TradeHappened("gateio_spot", BTC.instrument.symbol, f"{at}", side, price, 1.0, when, at)


def flow(arrivals_per_second: float, decay: float, mids: list[MidSample], rng: random.Random, nearest: float = 0.0) -> list[TradeHappened]:
    """Orders that take, on both sides, that reach a depth of delta as often as A exp(-k delta) says; none nearer than `nearest`."""
    trades: list[TradeHappened] = []
    rate = 2 * arrivals_per_second * math.exp(-decay * nearest)
    at = mids[0].at
    index = 0
    while (at := at + rng.expovariate(rate)) < mids[-1].at:
        while mids[index + 1].at <= at:
            index += 1
        side = rng.choice((Side.BUY, Side.SELL))
        depth = nearest + rng.expovariate(decay)
        trades.append(trade(at, side, mids[index].mid * (1 + depth * (1 if side is Side.BUY else -1))))
    return trades


def steady(seconds: int = 600) -> list[MidSample]:
    return [MidSample(float(at), 60_000.0) for at in range(seconds + 1)]
