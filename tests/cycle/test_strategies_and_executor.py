"""Strategies and executor together: what a strategy wants is brought about, and in a market that stands still nothing more is sent."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from strategy_views import BTC, MARKETS, NOW, History, Market, asks, bids, book_of, flow, live_order, shared_parameters, view_of, walk

from actors.cycle.quoting.contract import LastFill, MidSample, Quote, QuotingStrategy
from actors.cycle.quoting.executor import Surroundings, plan, tag_of
from actors.cycle.quoting.funds import Funds
from actors.cycle.quoting.strategies.avellaneda_stoikov import AvellanedaStoikov, AvellanedaStoikovParameters, Model
from actors.cycle.quoting.strategies.simple import Quoting, QuotingParameters
from market.events import Side, TradeHappened
from orders.order import Order

D = Decimal


class Exchange:
    """One that does at once what it is asked."""

    def __init__(self, place: Market, *, may_amend: bool) -> None:
        self.place, self.may_amend = place, may_amend
        self.live: list[Order] = []
        self.inventory = D(0)
        self.fills: dict[Side, LastFill] = {}
        self.requests = 0
        self._number = 0

    def step(self, strategy: QuotingStrategy, now: float, mid: Decimal, history: History) -> int:
        """One tick: a decision and what the executor makes of it. Returns how many requests it took."""
        before = self.requests
        own = [Quote(side=o.request.side, price=o.request.price or D(0), quantity=o.remaining_quantity or D(0)) for o in self.live]
        book = replace(book_of(self.place, mid=mid, own=own), received_at=now)
        view = view_of(
            self.place, inventory=self.inventory, now=now, book=book, orders=tuple(self.live), history=history, last_fills=dict(self.fills)
        )
        wanted = strategy.decide(view)
        around = Surroundings(
            instrument=self.place.instrument,
            best_bid=D(repr(book.best_bid[0])),
            best_ask=D(repr(book.best_ask[0])),
            funds=Funds(),
            may_amend=self.may_amend,
        )
        while (found := plan(wanted, self.live, around)).cancels or found.amends or found.places:
            self.live = [order for order in self.live if order not in found.cancels]
            for command in found.amends:
                self.live = [
                    order if order.client_order_id != command.client_order_id
                    else replace(
                        order,
                        request=replace(
                            order.request, price=command.price or order.request.price, quantity=command.quantity or order.request.quantity
                        ),
                        amended=True,
                        changed_at=now,
                    )
                    for order in self.live
                ]  # fmt: skip
            for place in found.places:
                self._number += 1
                quote = place.quote
                order = live_order(quote.side, quote.price, quote.quantity, place=self.place, number=self._number, created_at=now)
                self.live.append(replace(order, request=replace(order.request, tag=tag_of(place.slot))))
            self.requests += len(found.cancels) + len(found.amends) + len(found.places)
            assert self.requests < before + 100, "the executor goes round and round"
        return self.requests - before

    def trade(self, now: float, side: Side, price: float) -> None:
        """Somebody takes down to a price: all of ours that is there or better is filled."""
        for order in list(self.live):
            own_price, quantity = order.request.price or D(0), order.remaining_quantity or D(0)
            if order.request.side is side.opposite and (own_price <= D(price) if side is Side.BUY else own_price >= D(price)):
                self.live.remove(order)
                self.inventory += quantity if order.request.side is Side.BUY else -quantity
                self.fills[order.request.side] = LastFill(now, own_price, quantity)


STRATEGIES: dict[str, QuotingStrategy] = {
    "quoting": Quoting(QuotingParameters(levels=5)),
    "everything": Quoting(
        QuotingParameters(
            levels=3, order_optimisation=True, hanging_orders_max=2, inventory_level_skew=D(1), moving_band_fraction=D("0.01")
        )
    ),
    "ping_pong": Quoting(QuotingParameters(ping_pong=True)),
} | {model.value: AvellanedaStoikov(AvellanedaStoikovParameters(model=model, levels=3)) for model in Model}


@given(st.fixed_dictionaries(shared_parameters()), st.sampled_from(MARKETS), st.integers(-12, 12), st.booleans())
def test_in_a_market_that_stands_still_nothing_is_sent_after_the_first_tick(
    shared: dict[str, object], place: Market, orders: int, may_amend: bool
) -> None:
    exchange = Exchange(place, may_amend=may_amend)
    exchange.inventory = orders * 100 / place.price
    strategy = Quoting(QuotingParameters(**shared))
    exchange.step(strategy, NOW, place.price, History())
    assert [exchange.step(strategy, NOW + later, place.price, History()) for later in (1, 4, 6, 60)] == [0, 0, 0, 0]


@pytest.mark.parametrize("may_amend", [False, True])
@pytest.mark.parametrize("name", STRATEGIES)
def test_five_minutes_of_a_moving_market_keep_inventory_in_its_bounds_and_orders_apart(name: str, may_amend: bool) -> None:
    rng, strategy, exchange = random.Random(name), STRATEGIES[name], Exchange(BTC, may_amend=may_amend)
    mids = walk(0.0001, [float(at) for at in range(301)], rng)
    trades: list[TradeHappened] = flow(0.5, 700.0, mids, rng)
    seen: list[MidSample] = []
    happened: list[TradeHappened] = []
    two_sided = 0
    for sample in mids:
        while trades and trades[0].received_at <= sample.at:
            happened.append(trades.pop(0))
            exchange.trade(happened[-1].received_at, happened[-1].side, happened[-1].price)
        for side in Side:  # nobody leaves an order behind that the market has gone through
            exchange.trade(sample.at, side, sample.mid)
        seen.append(sample)
        exchange.step(strategy, sample.at, D(repr(sample.mid)), History(seen, happened))
        prices = {side: [order.request.price or D(0) for order in exchange.live if order.request.side is side] for side in Side}
        assert max(prices[Side.BUY], default=D(0)) < min(prices[Side.SELL], default=D("inf"))
        assert abs(exchange.inventory) <= 11 * 100 / D(repr(sample.mid))  # ten orders, as they were worth when they were placed
        two_sided += bool(prices[Side.BUY] and prices[Side.SELL])
    assert set(exchange.fills) == set(Side)
    assert two_sided > 120 or name == "ping_pong"


def test_moving_market_takes_fewer_requests_where_orders_can_be_amended() -> None:
    counts: list[int] = []
    for may_amend in (False, True):
        exchange = Exchange(BTC, may_amend=may_amend)
        for sample in walk(0.0002, [NOW + at for at in range(120)], random.Random(1)):
            exchange.step(STRATEGIES["quoting"], sample.at, D(repr(sample.mid)), History())
        counts.append(exchange.requests)
    assert counts[1] < 0.6 * counts[0]


def test_sides_are_what_the_strategy_wants_of_them() -> None:
    exchange = Exchange(BTC, may_amend=False)
    exchange.step(STRATEGIES["quoting"], NOW, BTC.price, History())
    wanted = STRATEGIES["quoting"].decide(view_of(orders=tuple(exchange.live)))
    assert (len(bids(wanted)), len(asks(wanted)), len(exchange.live)) == (5, 5, 10)
