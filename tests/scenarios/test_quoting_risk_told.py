"""A quoting cycle's inventory in the whole program: flattened, limited, halted by a drawdown, and remembered over restarts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio
from msgspec.structs import replace
from quoting_world import FIVE_LEVELS, STILL, quotes, quoting_settings
from test_control import say, state_of, status
from world import BTC_USDT, World, run_world

from actors.cycle.quoting.risk import RiskMeasured
from assembly.control.protocol import Command
from assembly.settings import CycleLimitSettings
from market.events import Side
from orders.events import OrderFilled
from orders.reconciliation import CyclePhaseChanged
from orders.states import StateEntered, TradingState
from simulated.engine.order import Order

SPOT_AND_CONTRACTS = pytest.mark.parametrize("name", ["gateio_spot", "gateio_futures", "okx_swap"])
LEVELS = 2


def launch(world: World, **cycle: Any) -> None:
    """The program with one cycle that quotes two levels a side, of 100 USDT each."""
    world.launch(quoting_settings(world, parameters=replace(FIVE_LEVELS, levels=LEVELS), quantity="100", **cycle))


def best_quote(world: World, side: Side) -> Order:
    best = max if side is Side.BUY else min
    return best(quotes(world, side), key=lambda order: order.price or Decimal(0))


async def filled(world: World, side: Side, count: int = 1) -> Decimal:
    """Somebody takes our best quote of a side, so often; returns what was traded in all."""
    traded = Decimal(0)
    for _ in range(count):
        before = len(world.seen(OrderFilled))
        await world.wait_until(lambda: len(quotes(world, side)) == LEVELS, within_seconds=30)
        best = best_quote(world, side)
        traded += best.remaining_quantity
        world.exchange.fill_order(best.id)
        await world.wait_until(lambda before=before: len(world.seen(OrderFilled)) > before, within_seconds=30)
    return traded


def inventory(world: World) -> Decimal:
    return world.account.ledger.tally("btc", BTC_USDT).inventory


def run(story: Any, name: str = "gateio_spot", *, seed: int = 1) -> None:
    run_world(story, seed=seed, simulation=STILL, exchange_name=name)


@SPOT_AND_CONTRACTS
def test_flattening_sells_what_the_cycle_has_bought_pulls_its_quotes_and_places_none_after(name: str) -> None:
    async def story(world: World) -> None:
        launch(world)
        bought = await filled(world, Side.BUY, 2)
        answer = await say(world, Command.FLATTEN, "cycle:btc")
        assert answer.done
        (flattened,) = answer.flattened
        assert (flattened.side, flattened.is_flat) == ("sell", True)
        assert Decimal(flattened.quantity) + Decimal(flattened.left) == pytest.approx(bought, rel=Decimal("0.01"))
        assert abs(inventory(world)) == abs(Decimal(flattened.left)) < Decimal("0.0001")
        await trio.sleep(30)
        assert world.venue.open_orders() == []
        assert state_of(world, "cycle:btc") is TradingState.REDUCE_ONLY
        assert (await say(world, Command.RESUME, "cycle:btc")).done
        await world.wait_until(lambda: len(world.venue.open_orders()) == 2 * LEVELS, within_seconds=30)
        world.stop()
        await world.end()

    run(story, name)


@pytest.mark.parametrize("name", ["gateio_futures", "okx_swap"])
def test_flattening_buys_a_short_position_back(name: str) -> None:
    async def story(world: World) -> None:
        launch(world)
        sold = await filled(world, Side.SELL, 2)
        assert inventory(world) == -sold
        answer = await say(world, Command.FLATTEN, "global")
        assert answer.done
        assert (answer.flattened[0].side, Decimal(answer.flattened[0].quantity)) == ("buy", sold)
        assert inventory(world) == 0
        world.stop()
        await world.end()

    run(story, name)


def test_asset_that_was_sold_is_not_bought_back() -> None:
    async def story(world: World) -> None:
        launch(world)
        sold = await filled(world, Side.SELL)
        answer = await say(world, Command.FLATTEN, "cycle:btc")
        assert (answer.done, answer.flattened[0].side, Decimal(answer.flattened[0].left)) == (True, None, -sold)
        await trio.sleep(30)
        assert world.venue.open_orders() == []
        world.stop()
        await world.end()

    run(story)


@SPOT_AND_CONTRACTS
def test_inventory_and_its_average_price_are_remembered_over_restarts_and_sold_by_a_later_run(name: str) -> None:
    async def story(world: World) -> None:
        launch(world)
        await filled(world, Side.BUY, 2)
        await world.wait_until(lambda: len(quotes(world, Side.BUY)) == LEVELS, within_seconds=30)
        before = world.account.ledger.tally("btc", BTC_USDT)
        assert before.trades == 2
        world.kill()
        launch(world)
        await world.wait_until(lambda: len(quotes(world, Side.BUY)) == LEVELS, within_seconds=60)
        assert world.account.ledger.tally("btc", BTC_USDT) == before
        more = await filled(world, Side.BUY)
        world.stop()
        await world.end()
        launch(world)
        await world.wait_until(lambda: len(quotes(world, Side.SELL)) == LEVELS, within_seconds=60)
        tally = world.account.ledger.tally("btc", BTC_USDT)
        assert (tally.trades, tally.bought_quantity) == (3, before.bought_quantity + more)
        answer = await say(world, Command.FLATTEN, "cycle:btc")
        assert answer.done
        assert Decimal(answer.flattened[0].quantity) > before.inventory, "what earlier runs bought is sold too"
        assert abs(inventory(world)) < Decimal("0.0001")
        world.stop()
        await world.end()

    run(story, name)


@SPOT_AND_CONTRACTS
def test_inventory_stays_within_its_limits_however_much_of_what_is_live_is_taken(name: str) -> None:
    async def story(world: World) -> None:
        limits = CycleLimitSettings(net_buy_max=Decimal("0.004"), net_sell_max=Decimal("0.003"))
        launch(world, limits=limits)
        await world.wait_until(lambda: len(world.venue.open_orders()) == 2 * LEVELS, within_seconds=30)

        def look(_: object) -> None:
            net = world.account.ledger.tally("btc", BTC_USDT).traded.quantity
            bids, asks = (sum((order.remaining_quantity for order in quotes(world, side)), Decimal(0)) for side in Side)
            assert net + bids <= Decimal("0.004")
            assert asks - net <= Decimal("0.003")

        world.observers.append(look)
        for side in (Side.BUY, Side.SELL):
            while quotes(world, side):
                world.exchange.fill_order(best_quote(world, side).id)
                await trio.sleep(3)
            phase = world.seen(CyclePhaseChanged)[-1].phase
            assert f"{'bids' if side is Side.BUY else 'asks'} cut by net_{side.value}_max" in phase
        net = world.account.ledger.tally("btc", BTC_USDT).traded.quantity
        assert Decimal("-0.003") <= net < 0
        world.stop()
        await world.end()

    run(story, name)


@SPOT_AND_CONTRACTS
def test_drawdown_halts_the_cycle_until_somebody_accepts_it(name: str) -> None:
    async def story(world: World) -> None:
        launch(world, limits=CycleLimitSettings(drawdown_max=Decimal(5)))
        await filled(world, Side.BUY, 2)
        world.exchange.move_market(BTC_USDT, Decimal(57_000))
        halted = await world.wait_for(StateEntered, lambda event: event.state is TradingState.HALTED)
        assert halted.scope == "cycle:btc"
        assert halted.reason.endswith("drawdown_max is 5")
        await world.wait_until(lambda: world.venue.open_orders() == [], within_seconds=30)
        resumed = await say(world, Command.RESUME, "cycle:btc", from_halt=True)
        assert resumed.done
        await world.wait_until(lambda: len(world.venue.open_orders()) == 2 * LEVELS, within_seconds=30)
        await trio.sleep(30)
        assert state_of(world, "cycle:btc") is TradingState.RUN, "the loss is accepted, and counting begins anew"
        world.stop()
        await world.end()

    run(story, name)


def test_how_the_cycle_stands_is_told_and_shown_by_status() -> None:
    async def story(world: World) -> None:
        launch(world)
        bought = await filled(world, Side.BUY)
        await world.wait_until(lambda: len(quotes(world, Side.BUY)) == LEVELS, within_seconds=30)
        await trio.sleep(3)
        risk = world.seen(RiskMeasured)[-1].risk
        assert risk.net_quantity == bought
        assert risk.trades == 1
        assert risk.spread_captured > 0, "the quote that was taken was better than the middle"
        assert risk.uptime is not None
        assert 0 < risk.uptime < 1
        shown = (await status(world)).cycles[0].risk
        assert shown is not None
        assert Decimal(str(shown["inventory"])) == risk.inventory
        journaled = world.journal_rows("SELECT count(*) FROM events WHERE name = 'risk_measured'")[0][0]
        assert 1 <= journaled < len(world.seen(RiskMeasured))
        world.stop()
        await world.end()

    run(story)
