"""A venue of contracts with no protocol: its terms, its mark prices, its funding, and a market that lives by itself."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from market.clock import VirtualWallClock
from market.events import Side
from market.symbol import Symbol
from simulated.contracts import ContractVenue, MarkPrices
from simulated.control import FlowGate, VenueClock, VenueControl
from simulated.engine.events import EngineEvent, FundingPaid, Liquidated, MarkPriceMoved, TradeMade
from simulated.engine.order import NewOrder, Order, OrderKind, OrderRefused, TimeInForce
from simulated.faults import Faults
from simulated.flow import MarketDriver, SyntheticFlow
from simulated.rate_limits import RateLimits
from simulated.settings import DEFAULT_MARKETS, AccountSettings, ContractSettings, MarketSettings, SimulationSettings

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
HOUR = 3_600_000


class PlainVenue(ContractVenue):
    def wire(self, symbol: Symbol) -> str:
        return f"{symbol.base}-{symbol.quote}"

    def encode_order(self, order: Order) -> dict[str, Any]:
        return {"id": order.id}


class VenueWorld:
    """The venue with flow, mark prices and control, as a server would put them together."""

    def __init__(self, settings: SimulationSettings, *, has_flow: bool = True) -> None:
        self.venue = PlainVenue(settings, VenueClock(VirtualWallClock()), exchange="test")
        self.engine = self.venue.engine
        self.events: list[EngineEvent] = []
        self.engine.subscribe(self.events.append)
        self.driver: MarketDriver | None = SyntheticFlow(self.engine, settings.markets, random.Random(3)) if has_flow else None
        self.gate = FlowGate()
        self.marks = MarkPrices(self.venue, self.driver, self.gate)
        self.control = VenueControl(
            engine=self.engine,
            driver=self.driver,
            faults=Faults(),
            limits=RateLimits(enforced=False),
            clock=self.venue.clock,
            flow_gate=self.gate,
            snapshots=self.venue.snapshots,
            main_account="main",
            disconnect=lambda: None,
            restart=lambda: None,
            inject_crossed_update=lambda symbol: None,
            announce_shutdown=lambda: None,
        )

    async def drive(self, driver: MarketDriver) -> None:
        driver.warm_up(self.venue.now())
        while True:
            await trio.sleep(driver.delay_seconds(self.venue.now()) or 1.0)
            await self.gate.wait_open()
            driver.step(self.venue.now())

    def market(self, side: Side, quantity: str, symbol: Symbol = BTC, *, account: str = "main") -> Order:
        new = NewOrder(
            account=account,
            symbol=symbol,
            side=side,
            kind=OrderKind.MARKET,
            quantity=Decimal(quantity),
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        return self.engine.place(new, self.venue.now())

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def running(settings: SimulationSettings | None = None) -> AsyncGenerator[VenueWorld]:
    world = VenueWorld(settings or SimulationSettings())
    async with trio.open_nursery() as nursery:
        await nursery.start(world.marks.run)
        if world.driver is not None:
            nursery.start_soon(world.drive, world.driver)
        await trio.testing.wait_all_tasks_blocked()
        yield world
        nursery.cancel_scope.cancel()


async def test_instruments_are_in_base_units_on_steps_of_a_lot(autojump_clock: MockClock) -> None:
    eth = msgspec.structs.replace(DEFAULT_MARKETS[1], contract=ContractSettings(contract_size=Decimal("0.1"), lot=Decimal("0.01")))
    venue = PlainVenue(SimulationSettings(markets=(MarketSettings(), eth)), VenueClock(VirtualWallClock()), exchange="test")
    btc, eth_rules = venue.engine.instruments[BTC], venue.engine.instruments[ETH]
    assert (btc.contract_size, btc.quantity_step, btc.quantity_min) == (Decimal("0.0001"), Decimal("0.0001"), Decimal("0.0001"))
    assert (btc.price_tick, btc.notional_min, btc.leverage_max, btc.is_contract) == (Decimal("0.1"), 0, 100, True)
    assert (eth_rules.contract_size, eth_rules.quantity_step) == (Decimal("0.1"), Decimal("0.001"))


async def test_terms_come_from_the_settings_and_wallets_hold_settlement_assets_only(autojump_clock: MockClock) -> None:
    terms = ContractSettings(leverage=Decimal(5), leverage_max=Decimal(20), margin_mode="isolated", funding_rate=Decimal("0.0003"))
    async with running(SimulationSettings(markets=(MarketSettings(contract=terms),))) as world:
        position = world.engine.position("main", BTC)
        assert (position.leverage, position.is_cross) == (Decimal(5), False)
        with pytest.raises(OrderRefused):
            world.engine.set_leverage("main", BTC, Decimal(21), is_cross=False, now_milliseconds=world.venue.now())
        assert world.engine.funding_rate(BTC) == Decimal("0.0003")
        assert world.control.balances() == {"USDT": (Decimal(10_000), Decimal(0))}
        assert set(world.engine.supply) == {"USDT"}


async def test_mark_and_index_prices_follow_the_market_a_few_times_a_second(autojump_clock: MockClock) -> None:
    async with running() as world:
        await trio.sleep(10)
        moves = [event for event in world.told(MarkPriceMoved) if event.symbol == BTC]
        assert 30 <= len(moves) <= 40
        assert any(move.mark_price != move.index_price for move in moves)
        assert all(move.mark_price % world.venue.mark_price_step(BTC) == 0 for move in moves)
        world.control.move_market(BTC, Decimal(50_000))
        await trio.sleep(0.3)
        assert abs(world.engine.mark_price(BTC) - 50_000) < 50
        assert abs(world.engine.index_price(BTC) - 50_000) < 50


async def test_mark_price_is_half_way_between_fair_price_and_middle_of_the_book(autojump_clock: MockClock) -> None:
    async with running() as world:
        world.control.freeze_flow()
        await trio.sleep(1)
        world.control.resume_flow()
        world.marks.step()
        assert world.driver is not None
        fair = world.driver.fair_price(BTC)
        bid, ask = world.control.best_bid(BTC), world.control.best_ask(BTC)
        assert fair is not None
        assert bid is not None
        assert ask is not None
        half_way = (Decimal(fair) + (bid + ask) / 2) / 2
        assert abs(world.engine.mark_price(BTC) - half_way) <= Decimal("0.005")
        assert abs(world.engine.index_price(BTC) - Decimal(fair)) <= Decimal("0.005")


async def test_without_a_fair_price_the_book_tells_and_without_a_book_nothing_does(autojump_clock: MockClock) -> None:
    world = VenueWorld(SimulationSettings(), has_flow=False)
    world.marks.step()
    assert (world.engine.mark_price(BTC), world.told(MarkPriceMoved)) == (Decimal(60_000), [])
    for side, price in ((Side.BUY, 100), (Side.SELL, 103)):
        world.engine.place(NewOrder(account="main", symbol=BTC, side=side, price=Decimal(price), quantity=Decimal(1)), 0)
    world.marks.step()
    assert (world.engine.mark_price(BTC), world.engine.index_price(BTC)) == (Decimal("101.5"), Decimal("101.5"))


async def test_mark_price_is_never_below_its_step(autojump_clock: MockClock) -> None:
    world = VenueWorld(SimulationSettings(markets=(MarketSettings(start_price=Decimal("0.001")),)))
    world.marks.step()
    assert (world.engine.mark_price(BTC), world.engine.index_price(BTC)) == (Decimal("0.01"), Decimal("0.01"))


async def test_mark_price_that_is_set_by_hand_holds_while_the_flow_is_frozen(autojump_clock: MockClock) -> None:
    async with running() as world:
        world.control.freeze_flow()
        world.control.set_mark_price(BTC, Decimal(70_000))
        await trio.sleep(5)
        assert world.engine.mark_price(BTC) == 70_000
        world.control.resume_flow()
        await trio.sleep(0.3)
        assert abs(world.engine.mark_price(BTC) - 60_000) < 100


async def test_funding_is_paid_when_it_is_due_even_while_the_flow_is_frozen(autojump_clock: MockClock) -> None:
    terms = ContractSettings(funding_interval_seconds=60, funding_rate=Decimal("0.0002"))
    async with running(SimulationSettings(markets=(MarketSettings(contract=terms),))) as world:
        await trio.sleep(1)
        world.market(Side.BUY, "0.05")
        world.control.freeze_flow()
        due = world.engine.next_funding_milliseconds(BTC)
        assert due % 60_000 == 0
        assert 0 < due - world.venue.now() <= 60_000
        await trio.sleep((due - world.venue.now()) / 1000 - 0.001)
        assert world.told(FundingPaid) == []
        await trio.sleep(0.3)
        (paid,) = world.told(FundingPaid)
        assert paid.amount == -Decimal("0.05") * world.engine.mark_price(BTC) * Decimal("0.0002")
        await trio.sleep(60)
        assert len(world.told(FundingPaid)) == 2
        world.control.check_invariants()


async def test_control_pays_funding_and_liquidates_by_hand(autojump_clock: MockClock) -> None:
    async with running() as world:
        await trio.sleep(1)
        world.control.freeze_flow()
        world.market(Side.BUY, "0.2")
        (position,) = world.control.positions().values()
        assert (position.symbol, position.quantity, world.control.positions("house_makers")[BTC].quantity < 0) == (
            BTC,
            Decimal("0.2"),
            True,
        )
        world.control.pay_funding(BTC, Decimal("0.001"))
        assert [event.account for event in world.told(FundingPaid)] == ["main"]
        world.control.set_mark_price(BTC, Decimal(9_000))
        assert [event.account for event in world.told(Liquidated)] == ["main"]
        assert world.control.positions() == {}
        world.control.check_invariants()


async def test_state_tells_of_positions_and_mark_prices(autojump_clock: MockClock) -> None:
    async with running() as world:
        await trio.sleep(1)
        world.market(Side.SELL, "0.01")
        state = world.venue.state()
        (position,) = state["accounts"]["main"]["positions"]
        assert (position["market"], position["quantity"], position["leverage"], position["margin_mode"]) == (
            "BTC-USDT",
            "-0.01",
            "10",
            "cross",
        )
        assert abs(Decimal(state["markets"]["ETH-USDT"]["mark_price"]) - 3_000) < 30


async def test_market_of_contracts_lives_and_its_money_adds_up(autojump_clock: MockClock) -> None:
    """Ten minutes in which prices fall: one client trades either way, another buys with all that it can."""
    reckless = AccountSettings(name="reckless", user_id=2, api_key="k", api_secret="s", balances={"USDT": Decimal(1_000)})
    markets = tuple(msgspec.structs.replace(market, drift_per_second=-0.0001, gap_fraction=0.005) for market in DEFAULT_MARKETS)
    rng = random.Random(5)
    async with running(SimulationSettings(accounts=(AccountSettings(), reckless), markets=markets)) as world:
        world.engine.set_leverage("reckless", BTC, Decimal(100), is_cross=False, now_milliseconds=world.venue.now())
        for _ in range(60):
            await trio.sleep(10)
            world.market(rng.choice(list(Side)), "0.03", rng.choice([BTC, ETH]))
            affordable = world.engine.available("reckless", "USDT") * 80 / world.engine.mark_price(BTC)
            if affordable > Decimal("0.001"):
                world.market(Side.BUY, str(affordable.quantize(Decimal("0.001"), ROUND_FLOOR)), account="reckless")
            world.control.check_invariants()
        assert len(world.told(TradeMade)) > 200
        assert {event.account for event in world.told(Liquidated)} == {"reckless"}
