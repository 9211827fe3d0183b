"""Paused, reduce-only and halted: what is pulled, what is refused below the strategy, how it goes on, and what a restart keeps."""

from __future__ import annotations

from decimal import Decimal

import trio
from test_following_the_market import NO_TAKERS, exchange_id, placed_sell
from world import BTC_USDT, World, scenario

from actors.accounts.events import OrderRefused, QuotesPulled
from actors.accounts.timing import AccountTiming
from actors.accounts.trading_states import TradingStates
from market.events import Side
from network.breaker import BreakerChanged, BreakerState
from orders.commands import PlaceOrder
from orders.events import OrderSubmitted
from orders.order import Transport
from orders.reconciliation import CyclePhaseChanged, CycleReconciled
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import RestraintLifted, RestraintPlaced, StateRecovered, TradingState
from simulated.faults import Operation

QUIET_SECONDS = 20.0


def states(world: World) -> TradingStates:
    assert world.runtime is not None
    return world.runtime.tree.states


async def fill_quote(world: World) -> None:
    """Fill the sell that is open, once one is."""
    await world.wait_until(lambda: bool(world.our_open_orders()))
    (quote,) = [order for order in world.exchange.open_orders() if order.client_id == world.our_open_orders()[0]]
    world.exchange.fill_order(quote.id)


def buys_at_the_exchange(world: World) -> int:
    return sum(order.side is Side.BUY for order in world.exchange.orders())


def orders_at_the_exchange(world: World) -> int:
    return len(world.exchange.orders())


@scenario(seed=401, simulation=NO_TAKERS, both_ways=True)
async def test_pause_pulls_the_quote_and_places_nothing_until_it_is_lifted(world: World) -> None:
    await world.start()
    await placed_sell(world)
    states(world).enter("global", TradingState.PAUSED, "lunch")
    await world.wait_until(lambda: not world.our_open_orders(), within_seconds=2)
    pulled = await world.wait_for(QuotesPulled)
    assert pulled.transport is (Transport.REST if world.orders_by_rest else Transport.WEBSOCKET)
    placed = orders_at_the_exchange(world)
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    await trio.sleep(QUIET_SECONDS)
    assert orders_at_the_exchange(world) == placed
    assert "global is paused: lunch" in world.seen(CyclePhaseChanged)[-1].phase
    states(world).enter("global", TradingState.RUN, "")
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


@scenario(seed=8020, simulation=NO_TAKERS)
async def test_cycle_hears_of_another_state_while_the_cancellation_for_the_one_before_is_unanswered(world: World) -> None:
    await world.start()
    await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 4.0, 1)
    states(world).enter("global", TradingState.PAUSED, "lunch")
    await world.wait_until(lambda: "is paused: lunch" in world.seen(CyclePhaseChanged)[-1].phase, within_seconds=1)
    await world.wait_for(QuotesPulled)
    states(world).enter("global", TradingState.RUN, "")
    await world.wait_until(lambda: "paused" not in world.seen(CyclePhaseChanged)[-1].phase, within_seconds=1)
    states(world).enter("cycle:btc", TradingState.PAUSED, "tea")
    await world.wait_until(lambda: "is paused: tea" in world.seen(CyclePhaseChanged)[-1].phase, within_seconds=1)
    assert world.our_open_orders()  # the cancellation has not arrived yet
    await world.wait_until(lambda: not world.our_open_orders(), within_seconds=5)
    states(world).enter("cycle:btc", TradingState.RUN, "")
    second = await placed_sell(world, 2)
    world.exchange.fill_order(exchange_id(second))
    await world.end()


@scenario(seed=402, simulation=NO_TAKERS)
async def test_reduce_only_keeps_the_sell_and_begins_no_round(world: World) -> None:
    await world.start(cycles=2)
    await placed_sell(world)
    states(world).enter("account:main", TradingState.REDUCE_ONLY, "enough for today")
    await trio.sleep(QUIET_SECONDS)
    await fill_quote(world)  # a sell makes the position smaller: it goes on being quoted
    await world.wait_for(CycleReconciled)
    await trio.sleep(QUIET_SECONDS)
    assert buys_at_the_exchange(world) == 1
    states(world).enter("account:main", TradingState.RUN, "")
    await fill_quote(world)
    await world.end()
    assert buys_at_the_exchange(world) == 2


@scenario(seed=403, simulation=NO_TAKERS)
async def test_order_that_a_state_forbids_is_refused_by_the_account_whoever_wants_it(world: World) -> None:
    await world.start()
    await placed_sell(world)
    states(world).enter("cycle:btc", TradingState.REDUCE_ONLY, "looking")
    request = OrderRequest(
        client_order_id="mm-btc-zzzzzzzzz",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal("0.001"),
        price=Decimal(50_000),
    )
    command = PlaceOrder(request=request, expires_at=trio.current_time() + 2)
    await world.account.commands_sender.send(command)
    refused = await world.wait_for(OrderRefused, lambda event: event.client_order_id == request.client_order_id)
    assert refused.reason == "cycle:btc is reduce_only: looking"
    assert orders_at_the_exchange(world) == 2
    world.stop()
    await world.end()


@scenario(seed=404, simulation=NO_TAKERS)
async def test_order_on_its_way_when_the_state_changes_is_held_back_or_cancelled(world: World) -> None:
    world.exchange.delay_requests(Operation.PLACE, 1.0, 1)
    await world.start()
    await world.wait_for(OrderSubmitted)
    states(world).enter("global", TradingState.HALTED, "now")
    await trio.sleep(QUIET_SECONDS)
    assert orders_at_the_exchange(world) <= 1
    assert not world.our_open_orders()
    states(world).enter("global", TradingState.RUN, "")
    world.exchange.fill_order(exchange_id(await placed_sell(world)))
    await world.end()


@scenario(seed=405, simulation=NO_TAKERS)
async def test_halt_survives_a_restart_until_somebody_lifts_it(world: World) -> None:
    await world.start()
    await placed_sell(world)
    states(world).enter("global", TradingState.HALTED, "something smells")
    await world.wait_until(lambda: not world.our_open_orders())
    world.stop()
    await world.end()
    placed = orders_at_the_exchange(world)
    await world.start()
    recovered = await world.wait_for(StateRecovered)
    assert (recovered.scope, recovered.state, recovered.reason) == ("global", TradingState.HALTED, "something smells")
    await trio.sleep(QUIET_SECONDS)
    assert orders_at_the_exchange(world) == placed
    states(world).enter("global", TradingState.RUN, "")
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=406, simulation=NO_TAKERS)
async def test_account_that_crashes_while_paused_stays_paused(world: World) -> None:
    await world.start()
    await placed_sell(world)
    states(world).enter("account:main", TradingState.PAUSED, "lunch")
    await world.wait_until(lambda: not world.our_open_orders())
    world.crash_account()
    await trio.sleep(QUIET_SECONDS)
    assert not world.our_open_orders()
    assert orders_at_the_exchange(world) == 2
    states(world).enter("account:main", TradingState.RUN, "")
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=407, simulation=NO_TAKERS)
async def test_quotes_are_pulled_over_the_stream_while_rest_does_not_answer_and_are_back_when_it_does(world: World) -> None:
    # Nothing else is asked over REST meanwhile: what it answered would close the breaker again.
    await world.start(timing=AccountTiming(reconcile_seconds=2.0, clock_seconds=600.0), dead_mans_switch_seconds=0)
    await placed_sell(world)
    world.exchange.fail_before_accepting(Operation.QUERY, count=10_000)
    opened = await world.wait_for(BreakerChanged, lambda event: event.after is BreakerState.OPEN)
    assert opened.exchange == world.exchange_name
    await world.wait_until(lambda: not world.our_open_orders(), within_seconds=1)
    assert world.seen(QuotesPulled)[0].transport is Transport.WEBSOCKET
    assert world.seen(RestraintPlaced)[0].scope == "account:main"
    await trio.sleep(QUIET_SECONDS)
    assert not world.our_open_orders()
    world.exchange.clear_faults()
    await world.wait_for(RestraintLifted, within_seconds=15)
    await fill_quote(world)
    await world.end()
