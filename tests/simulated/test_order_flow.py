from __future__ import annotations

import math
import random
from decimal import Decimal

import msgspec
import pytest

from market.events import Side
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.events import LevelChanged, TradeMade
from simulated.engine.invariants import check_invariants
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import NewOrder
from simulated.flow import SyntheticFlow
from simulated.house import open_house
from simulated.settings import MarketSettings
from simulated.venue import instrument_of

BTC = Symbol("BTC", "USDT")


class FlowWorld:
    """A market with the flow and one client account, driven by hand."""

    def __init__(self, seed: int = 1, **changes: object) -> None:
        self.settings = msgspec.structs.replace(MarketSettings(), **changes)
        self.engine = MatchingEngine([instrument_of(self.settings, "gateio_spot")])
        open_house(self.engine, 0)
        self.engine.open_account(Account("client"))
        self.engine.deposit("client", "BTC", Decimal(10), 0)
        self.engine.deposit("client", "USDT", Decimal(1_000_000), 0)
        self.flow = SyntheticFlow(self.engine, [self.settings], random.Random(seed))
        self.seconds = 0.0
        self.trace: list[object] = []
        self.engine.subscribe(self.trace.append)
        self.flow.warm_up(0)

    @property
    def best(self) -> tuple[Decimal, Decimal]:
        book = self.engine.books[BTC]
        assert book.bids.best is not None
        assert book.asks.best is not None
        return book.bids.best, book.asks.best

    def run(self, seconds: float) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            delay = self.flow.delay_seconds(round(self.seconds * 1000))
            assert delay is not None
            self.seconds += delay
            self.flow.step(round(self.seconds * 1000))
            assert self.best[0] < self.best[1]

    def limit(self, side: Side, price: Decimal, quantity: str) -> int:
        new = NewOrder(account="client", symbol=BTC, side=side, price=price, quantity=Decimal(quantity))
        return self.engine.place(new, round(self.seconds * 1000)).id


def test_book_is_two_sided_and_moves_and_trades_at_every_moment_after_warm_up() -> None:
    world = FlowWorld()
    world.run(60)
    changes = sum(isinstance(event, LevelChanged) for event in world.trace)
    trades = sum(isinstance(event, TradeMade) for event in world.trace)
    assert 15 * 60 < changes < 80 * 60
    assert trades > 20
    check_invariants(world.engine)


def test_same_seed_gives_the_same_market_and_another_seed_another() -> None:
    first, again, other = FlowWorld(3), FlowWorld(3), FlowWorld(4)
    for world in (first, again, other):
        world.run(20)
    assert first.trace == again.trace
    assert first.trace != other.trace


@pytest.mark.parametrize("side", list(Side))
def test_order_at_the_top_of_the_book_is_filled_within_seconds(side: Side) -> None:
    waits: list[float] = []
    for seed in range(10):
        world = FlowWorld(seed, volatility_per_second=0.0, gap_rate_per_second=0.0, taker_rate_per_second=2.0)
        world.run(5)
        bid, ask = world.best
        order_id = world.limit(side, ask - Decimal("0.1") if side is Side.SELL else bid + Decimal("0.1"), "0.0005")
        started = world.seconds
        while world.engine.orders[order_id].is_open:
            world.run(0.5)
            assert world.seconds - started < 60
        waits.append(world.seconds - started)
    assert sorted(waits)[5] < 5


def test_drift_moves_the_price_as_fast_as_configured() -> None:
    world = FlowWorld(drift_per_second=0.001, volatility_per_second=0.0, gap_rate_per_second=0.0)
    world.run(60)
    assert float(world.best[0]) == pytest.approx(60_000 * math.exp(0.06), rel=0.003)


def test_gap_jumps_the_price_by_its_fraction() -> None:
    world = FlowWorld(volatility_per_second=0.0, gap_rate_per_second=1000.0, gap_fraction=0.01)
    world.run(0.1)
    distance = abs(math.log(world.flow.fair_price(BTC) / 60_000))
    assert distance % 0.01 == pytest.approx(0, abs=1e-9) or distance % 0.01 == pytest.approx(0.01, abs=1e-9)
    assert world.trace


def test_market_moved_up_fills_the_sells_in_between_and_quotes_around_the_new_price() -> None:
    world = FlowWorld()
    order_id = world.limit(Side.SELL, world.best[1] + 500, "0.001")
    world.flow.move_to(BTC, Decimal(62_000), 0)
    bid, ask = world.best
    assert bid < 62_000 < ask
    assert not world.engine.orders[order_id].is_open


def test_deep_sell_through_the_whole_book_leaves_it_two_sided_after_the_next_event() -> None:
    world = FlowWorld()
    world.limit(Side.SELL, Decimal(50_000), "9")
    assert world.engine.books[BTC].bids.best is None
    world.flow.step(10)
    assert world.engine.books[BTC].bids.best is not None
