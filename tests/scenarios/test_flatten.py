"""`mm-ctl flatten`: what a cycle holds is sold, it reduces only from then on, and whoever asked hears what is left."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from test_control import say, state_of
from test_following_the_market import NO_TAKERS, placed_sell
from world import World, scenario

from actors.accounts.events import OwnerFlattened
from assembly.control.flattening import FLATTEN_SECONDS_MAX
from assembly.control.protocol import Command
from market.events import Side
from orders.events import OrderFilled
from orders.reconciliation import CyclePhaseChanged, CycleReconciled
from orders.states import RestraintLifted, TradingState
from simulated.faults import Operation

CYCLE = "cycle:btc"


def sold_by_flattening(world: World) -> list[Decimal]:
    return [event.fill.quantity for event in world.seen(OrderFilled) if event.order.request.tag.endswith("flatten")]


@scenario(seed=541, simulation=NO_TAKERS, both_ways=True)
async def test_round_in_progress_is_sold_at_market_and_ends_with_it(world: World) -> None:
    await world.start(cycles=0)
    sell = await placed_sell(world)
    answer = await say(world, Command.FLATTEN, CYCLE, reason="going away")
    assert world.our_open_orders() == []
    assert answer.done
    (flattened,) = answer.flattened
    assert (flattened.cycle, flattened.side, Decimal(flattened.quantity)) == ("btc", "sell", sell.request.quantity)
    assert answer.message.splitlines()[-1] == "cycle:btc is reduce_only, flattened by mm-ctl: going away."
    assert sum(sold_by_flattening(world)) == sell.request.quantity
    reconciled = await world.wait_for(CycleReconciled)
    assert reconciled.agrees
    assert reconciled.sold_quantity == sell.request.quantity
    await trio.sleep(20)
    assert "flattened by mm-ctl" in world.seen(CyclePhaseChanged)[-1].phase
    assert len(world.seen(CycleReconciled)) == 1, "no round begins"
    assert (await say(world, Command.RESUME, CYCLE)).done
    await placed_sell(world, 2)
    world.stop()
    await world.end()


@scenario(seed=542, simulation=NO_TAKERS)
async def test_flattening_again_sells_nothing_more(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    await say(world, Command.FLATTEN, CYCLE)
    sold = len(sold_by_flattening(world))
    again = await say(world, Command.FLATTEN, CYCLE)
    assert again.done
    assert again.flattened[0].side is None
    assert len(sold_by_flattening(world)) == sold
    assert state_of(world, CYCLE) is TradingState.REDUCE_ONLY
    world.stop()
    await world.end()


@scenario(seed=543, simulation=NO_TAKERS)
async def test_two_who_flatten_at_once_sell_once(world: World) -> None:
    await world.start(cycles=0)
    sell = await placed_sell(world)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(say, world, Command.FLATTEN, "global")
    assert sum(sold_by_flattening(world)) == sell.request.quantity
    assert len(world.seen(OwnerFlattened)) == 2
    world.stop()
    await world.end()


@scenario(seed=544, simulation=NO_TAKERS)
async def test_halted_cycle_is_flattened_and_stays_halted(world: World) -> None:
    await world.start(cycles=0)
    sell = await placed_sell(world)
    await say(world, Command.HALT, CYCLE, reason="something smells")
    answer = await say(world, Command.FLATTEN, CYCLE)
    assert answer.done
    assert sum(sold_by_flattening(world)) == sell.request.quantity
    assert answer.message.splitlines()[-1] == "cycle:btc is halted, by mm-ctl: something smells."
    world.stop()
    await world.end()


@scenario(seed=545, simulation=NO_TAKERS)
async def test_other_cycles_keep_what_they_have_and_their_orders(world: World) -> None:
    await world.start(names=("btc", "two"), cycles=0)
    await world.wait_until(lambda: len(world.our_open_orders()) == 2)
    assert (await say(world, Command.FLATTEN, CYCLE)).done
    assert [order.startswith("t-mm-two-") for order in world.our_open_orders()] == [True]
    assert {event.order.request.owner for event in world.seen(OrderFilled) if event.order.request.side is Side.SELL} == {"btc"}
    assert state_of(world, "cycle:two") is TradingState.RUN
    world.stop()
    await world.end()


@scenario(seed=546, simulation=NO_TAKERS)
async def test_exchange_that_does_not_answer_leaves_it_in_doubt_and_it_is_done_once_it_does(world: World) -> None:
    await world.start(cycles=0, dead_mans_switch_seconds=0)
    sell = await placed_sell(world)
    world.exchange.delay_requests(Operation.CANCEL, 14.0, 5)
    asked_at = trio.current_time()
    answer = await say(world, Command.FLATTEN, CYCLE)
    assert trio.current_time() - asked_at == pytest.approx(FLATTEN_SECONDS_MAX)
    assert not answer.done
    assert "IS NOT FLAT; it was not done within 10 s" in answer.message
    assert state_of(world, CYCLE) is TradingState.REDUCE_ONLY
    await world.wait_for(OwnerFlattened, within_seconds=120)
    assert sum(sold_by_flattening(world)) == sell.request.quantity
    assert world.seen(RestraintLifted)[-1].cause == "flattening"
    world.stop()
    await world.end()


@scenario(seed=547, simulation=NO_TAKERS)
async def test_scope_without_a_cycle_is_refused_and_so_is_flattening_during_a_stop(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    answer = await say(world, Command.FLATTEN, "cycle:bct")
    assert not answer.done
    assert 'there is no scope "cycle:bct". Did you mean "cycle:btc"?' in answer.message
    assert len(world.our_open_orders()) == 1
    world.stop()
    refused = await say(world, Command.FLATTEN, CYCLE)
    assert (refused.done, refused.flattened) == (False, ())
    assert "the program is stopping" in refused.message
    await world.end()


@scenario(seed=548, simulation=NO_TAKERS)
async def test_restart_goes_on_in_the_state_that_flattening_left(world: World) -> None:
    await world.start(cycles=0)
    await placed_sell(world)
    await say(world, Command.FLATTEN, CYCLE)
    world.stop()
    await world.end()
    await world.start(cycles=0)
    await trio.sleep(20)
    assert state_of(world, CYCLE) is TradingState.REDUCE_ONLY
    assert world.our_open_orders() == []
    world.stop()
    await world.end()
