"""A quoting cycle in the whole program, on every exchange: two sides, five levels, through a life with everything that happens in it."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from msgspec.structs import replace
from quoting_world import FIVE_LEVELS, LEVELS, STILL, all_quotes, quotes, quoting_settings, watch_quotes
from world import BTC_USDT, World, run_world

from actors.cycle.quoting.contract import QuotingView, StrategyFailed, Wanted
from actors.cycle.quoting.strategies.pricing import PriceSource
from actors.cycle.quoting.strategies.simple import Quoting
from assembly.presenter.report import ExitStatus
from assembly.registry import EXCHANGES, STRATEGIES
from assembly.settings import ExchangeSettings
from market.events import BookLost, Side
from orders.events import OrderCancelRequested, OrderFilled, OrderSubmitted
from orders.life_cycle import OrderState
from orders.reconciliation import CyclePhaseChanged
from orders.states import TradingState
from simulated.faults import Operation
from simulated.settings import AccountSettings
from supervision.events import ChildDied, ChildReady

BOTH_KINDS = ["gateio_spot", "okx_swap"]  # without and with amendments that keep an order's id, assets and contracts


def mid(world: World) -> Decimal:
    best_bid, best_ask = world.exchange.best_bid(BTC_USDT), world.exchange.best_ask(BTC_USDT)
    assert best_bid is not None
    assert best_ask is not None
    return (best_bid + best_ask) / 2


async def calm(world: World, seconds: float = 5.0) -> tuple[int, int]:
    """What was asked of the exchange by then: placements and cancellations."""
    await trio.sleep(seconds)
    return len(world.seen(OrderSubmitted)), len(world.seen(OrderCancelRequested))


@pytest.mark.parametrize("name", EXCHANGES)
def test_five_levels_on_both_sides_rest_follow_the_market_and_are_gone_after_a_stop(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world))
        watch_quotes(world)
        await all_quotes(world)
        world.exchange.freeze_flow()
        before = await calm(world)
        assert before == (2 * LEVELS, 0), "what rests within tolerance is left alone"
        assert await calm(world) == before

        bids = sorted(order.price for order in quotes(world, Side.BUY))
        world.exchange.resume_flow()
        world.exchange.move_market(BTC_USDT, mid(world) * Decimal("1.00175"))
        await trio.sleep(3.0)
        await all_quotes(world)
        moved = sorted(order.price for order in quotes(world, Side.BUY))
        assert moved[0] > bids[0] * Decimal("1.0015"), "the quotes follow the market"
        placed, cancelled = await calm(world)
        if EXCHANGES[name].account_codec().capabilities.amend:
            assert (placed, cancelled) == before, "each was amended"
        else:
            assert placed - before[0] == cancelled == 2 * LEVELS, "each was cancelled and replaced once"
        assert len(world.seen(OrderFilled)) == 0
        world.stop()
        await world.end()

    run_world(body, seed=3, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", EXCHANGES)
def test_minute_of_trading_leave_ledger_and_tally_equal_to_what_the_exchange_has(name: str) -> None:
    async def body(world: World) -> None:
        near = replace(
            FIVE_LEVELS,
            bid_spread_fraction=Decimal("0.00002"),
            ask_spread_fraction=Decimal("0.00002"),
            spread_min_fraction=Decimal("0.00001"),
            refresh_tolerance_fraction=Decimal("0.000004"),
        )
        world.launch(quoting_settings(world, parameters=near, quantity="200"))
        watch_quotes(world)
        await all_quotes(world)
        await trio.sleep(60.0)
        fills = world.seen(OrderFilled)
        assert {event.fill.side for event in fills} == set(Side)
        assert len(fills) > 5
        world.stop()
        await world.end()
        tally = world.account.ledger.tally("btc", BTC_USDT)
        assert tally.trades == len(world.seen(OrderFilled))
        assert tally.inventory == world.venue.holdings("btc", BTC_USDT)
        assert tally.maker_trades == tally.trades, "post-only orders never take"

    run_world(body, seed=5, exchange_name=name)


@pytest.mark.parametrize("name", ["gateio_spot", "gateio_futures"])  # whose books begin with a snapshot over REST
def test_quotes_are_pulled_when_the_book_is_lost_and_come_back_with_it(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world, tick_seconds=60.0))
        await all_quotes(world)
        world.exchange.fail_before_accepting(Operation.MARKET_DATA, count=10_000)
        world.exchange.withhold_book_updates(BTC_USDT, 1_000_000)
        world.exchange.disconnect_all()
        await world.wait_for(BookLost)
        lost_at = trio.current_time()
        await world.wait_until(lambda: not quotes(world), within_seconds=10)
        assert trio.current_time() - lost_at < 10, "long before the next tick"
        before = len(world.seen(OrderSubmitted))
        await trio.sleep(60.0)
        assert len(world.seen(OrderSubmitted)) == before, "nothing is placed on a market that nobody sees"
        world.exchange.clear_faults()
        await all_quotes(world, within_seconds=60)
        world.stop()
        await world.end()

    run_world(body, seed=7, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", BOTH_KINDS)
def test_pause_pulls_the_quotes_reduce_only_keeps_what_reduces_and_run_brings_all_back(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world, tick_seconds=60.0))
        await all_quotes(world)
        world.exchange.fill_order(quotes(world, Side.BUY)[0].id)
        await world.wait_for(OrderFilled)
        assert world.runtime is not None
        states = world.runtime.tree.states
        states.enter("cycle:btc", TradingState.PAUSED, "a person wants it")
        await world.wait_until(lambda: not quotes(world), within_seconds=3)
        assert len(await calm(world)) == 2
        assert not quotes(world)
        states.enter("cycle:btc", TradingState.REDUCE_ONLY, "a person wants it")
        await trio.sleep(3.0)
        [sell] = quotes(world)
        assert sell.side is Side.SELL
        assert sell.quantity <= world.venue.holdings("btc", BTC_USDT)
        states.enter("cycle:btc", TradingState.RUN, "")
        await all_quotes(world, within_seconds=3)
        told = [event.phase for event in world.seen(CyclePhaseChanged)]
        assert any("cycle:btc is paused: a person wants it" in phase for phase in told)
        world.stop()
        await world.end()

    run_world(body, seed=8, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", BOTH_KINDS)
def test_fill_is_answered_at_once_and_not_at_the_next_tick(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world, tick_seconds=600.0))
        await all_quotes(world)
        best = max(quotes(world, Side.BUY), key=lambda order: order.price)
        filled_at = trio.current_time()
        world.exchange.fill_order(best.id)
        await world.wait_for(OrderFilled)
        await all_quotes(world, within_seconds=5)
        assert trio.current_time() - filled_at < 5
        world.stop()
        await world.end()

    run_world(body, seed=9, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", BOTH_KINDS)
def test_cycle_that_crashes_has_its_quotes_cancelled_and_goes_on_with_what_it_holds(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world))
        await all_quotes(world)
        world.exchange.fill_order(quotes(world, Side.BUY)[0].id)
        await world.wait_for(OrderFilled)
        world.crash_cycle()
        await world.wait_for(ChildReady, lambda event: event.child == "cycle:btc" and event.incarnation == 2)
        await all_quotes(world)
        assert world.runtime is not None
        memory = world.runtime.tree.cycles["btc"].quoting
        assert memory is not None
        assert memory.tally is not None
        assert memory.tally.inventory == world.venue.holdings("btc", BTC_USDT) != 0
        world.stop()
        await world.end()
        assert len(world.seen(ChildDied, lambda event: event.child == "cycle:btc" and event.error is not None)) == 1

    run_world(body, seed=10, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", BOTH_KINDS)
def test_killed_program_sweeps_its_quotes_at_the_next_start_and_knows_what_it_holds(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world))
        await all_quotes(world)
        world.exchange.fill_order(quotes(world, Side.SELL)[0].id)
        await world.wait_for(OrderFilled)
        await trio.sleep(5.0)
        world.kill()
        left = {order.client_id for order in quotes(world)}
        assert left
        world.launch(quoting_settings(world))
        await world.wait_until(lambda: not left & {order.client_id for order in quotes(world)})
        await all_quotes(world)
        assert world.runtime is not None
        memory = world.runtime.tree.cycles["btc"].quoting
        assert memory is not None
        assert memory.tally is not None
        assert memory.tally.inventory == world.venue.holdings("btc", BTC_USDT) != 0
        world.stop()
        await world.end()

    run_world(body, seed=11, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", EXCHANGES)
def test_refused_post_only_orders_are_priced_anew_with_pauses_and_never_storm_the_exchange(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world))
        await all_quotes(world)
        # What we see stays where it is, while the market goes through our asks: each replaced ask would take, and is refused.
        world.exchange.withhold_book_updates(BTC_USDT, 1_000_000)
        before = len(world.seen(OrderSubmitted))
        world.exchange.move_market(BTC_USDT, mid(world) * Decimal("1.01"))
        await trio.sleep(20.0)
        assert len(world.seen(OrderSubmitted)) - before < 60
        world.exchange.clear_faults()
        await all_quotes(world, within_seconds=120)
        world.stop()
        await world.end()

    run_world(body, seed=12, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", EXCHANGES)
def test_lost_answers_leave_never_two_orders_in_the_place_of_one(name: str) -> None:
    async def body(world: World) -> None:
        world.launch(quoting_settings(world))
        watch_quotes(world)
        world.exchange.lose_answers(Operation.PLACE, 2)
        await all_quotes(world, within_seconds=120)
        world.exchange.lose_answers(Operation.CANCEL, 2)
        world.exchange.lose_answers(Operation.AMEND, 2)
        world.exchange.move_market(BTC_USDT, mid(world) * Decimal("0.996"))
        await trio.sleep(10.0)
        await all_quotes(world, within_seconds=120)
        world.stop()
        await world.end()

    run_world(body, seed=13, simulation=STILL, exchange_name=name)


@pytest.mark.parametrize("name", sorted(name for name in EXCHANGES if name.endswith("_spot")))
def test_account_without_one_of_the_assets_quotes_the_other_side_and_asks_for_nothing_that_it_cannot_pay(name: str) -> None:
    """An exchange does not list an asset of which there is nothing: that is as good as being told of it."""

    async def body(world: World) -> None:
        world.launch(quoting_settings(world))
        await world.wait_until(lambda: len(quotes(world, Side.BUY)) == LEVELS)
        await trio.sleep(10.0)
        assert {event.order.request.side for event in world.seen(OrderSubmitted)} == {Side.BUY}
        assert world.seen(CyclePhaseChanged)[-1].phase == "quoting; too little BTC for all asks"
        world.stop()
        await world.end()

    only_quote = replace(STILL, accounts=(AccountSettings(balances={"USDT": Decimal(10_000)}),))
    run_world(body, seed=15, simulation=only_quote, exchange_name=name)


class GivesUp(Quoting):
    """As soon as all of its quotes rest."""

    def decide(self, view: QuotingView) -> Wanted:
        if len(view.orders) == 2 * LEVELS and all(order.state is OrderState.OPEN for order in view.orders):
            raise StrategyFailed("the market is closed for today")
        return super().decide(view)


def test_strategy_that_gives_up_ends_its_cycle_with_nothing_open_and_says_why() -> None:
    async def body(world: World) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(STRATEGIES, "quoting", replace(STRATEGIES["quoting"], make=GivesUp))
            world.launch(quoting_settings(world))
            report = await world.end(status=ExitStatus.FAILED)
        assert "the market is closed for today" in report.reason

    run_world(body, seed=14, simulation=STILL)


def test_exchange_that_is_only_looked_at_and_is_down_holds_up_nobody() -> None:
    """Its cycle waits for the reference price; the account is ready all the same, and the others trade."""

    async def body(world: World) -> None:
        settings = quoting_settings(world)
        elsewhere = ExchangeSettings(rest_url="http://nowhere.sim:80", websocket_url="ws://nowhere.sim:80")
        by_reference = replace(
            settings.cycles["btc"],
            reference_exchange="okx_spot",
            parameters=replace(FIVE_LEVELS, price_source=PriceSource.REFERENCE_MID),
        )
        world.launch(
            replace(
                settings,
                exchanges=settings.exchanges | {"okx_spot": elsewhere},
                cycles=settings.cycles | {"waiting": by_reference},
            )
        )
        await all_quotes(world)
        assert world.seen(CyclePhaseChanged, lambda event: event.cycle == "waiting" and "waiting for the reference" in event.phase)
        world.stop()
        await world.end()

    run_world(body, seed=3, simulation=STILL)
