"""An exchange that asks to be left alone is left alone: by every actor, by those that are closing, and by the next run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from test_following_the_market import NO_TAKERS, placed_sell
from world import BTC_USDT, HOST, World, run_world, scenario

from actors.accounts.events import AccountTrouble
from actors.journal.entries import HoldPlaced
from assembly.presenter.report import ExitStatus, HoldTakenOver
from orders.events import AccountReady
from orders.reconciliation import CycleReconciled

EXCHANGES = ("gateio_spot", "mexc_spot", "okx_spot")
BAN_SECONDS = 100.0
STORM_SECONDS = 30.0


def at_each_exchange(*, seed: int) -> Callable[[Callable[[World], Awaitable[None]]], Callable[[str], None]]:
    def decorate(story: Callable[[World], Awaitable[None]]) -> Callable[[str], None]:
        def run(exchange_name: str) -> None:
            run_world(story, seed=seed, simulation=NO_TAKERS, exchange_name=exchange_name)

        return pytest.mark.parametrize("exchange_name", EXCHANGES)(run)

    return decorate


async def banned(world: World) -> HoldPlaced:
    """The exchange bans us, and one of our requests has found out."""
    world.exchange.ban_for(BAN_SECONDS)
    hold = await world.wait_for(HoldPlaced, lambda hold: hold.reason.startswith("banned"))
    await world.settle(0.1)  # what was under way has arrived
    return hold


async def die(world: World) -> None:
    """As after `kill -9`: nothing can be said to the exchange any more."""
    with world.network.partition(HOST):
        world.stop()
        report = await world.ended()
        assert report is not None
        assert report.exit_status is ExitStatus.MAY_BE_LIVE


async def sell_out(world: World) -> None:
    """Fill the sell that is open once there is one, which ends the round and the run."""
    await world.wait_until(lambda: bool(world.exchange.open_orders()))
    world.exchange.fill_order(world.exchange.open_orders()[0].id)
    await world.end()
    assert [event.agrees for event in world.seen(CycleReconciled)] == [True]


def milliseconds_banned(world: World) -> int:
    return round((world.exchange.faults.banned_until - trio.current_time()) * 1000)


@at_each_exchange(seed=401)
async def test_ban_is_kept_to_by_the_run_that_is_started_in_the_middle_of_it(world: World) -> None:
    await world.start()
    await placed_sell(world)
    hold = await banned(world)
    came = world.exchange.came_while_banned
    await die(world)
    await trio.sleep(5)
    await world.start()
    kept = await world.wait_for(HoldTakenOver)
    assert (kept.scope, kept.until_milliseconds, kept.reason, kept.correction) == (hold.scope, hold.until_milliseconds, hold.reason, "")
    assert 0 <= hold.until_milliseconds - world.wall_clock.milliseconds() - milliseconds_banned(world) < 1000, "as long as was asked"
    await trio.sleep_until(world.exchange.faults.banned_until)
    assert world.exchange.came_while_banned == came, "not one request, and no websocket"
    await world.wait_for(AccountReady, count=2, within_seconds=3)
    await sell_out(world)


@scenario(seed=402, simulation=NO_TAKERS)
async def test_ban_holds_back_everything_until_it_is_over_and_then_the_run_goes_on(world: World) -> None:
    await world.start()
    await placed_sell(world)
    await banned(world)
    came = world.exchange.came_while_banned
    world.exchange.disconnect_all()  # both streams want to be opened again
    await trio.sleep_until(world.exchange.faults.banned_until)
    assert world.exchange.came_while_banned == came
    renewals = world.seen(AccountTrouble, lambda trouble: "switch" in trouble.doing)
    assert len(renewals) < 3, "what cannot be renewed before a certain time is tried again then, not all the while"
    await sell_out(world)


@scenario(seed=403, simulation=NO_TAKERS)
async def test_stop_during_a_ban_asks_nothing_and_says_what_may_be_live(world: World) -> None:
    await world.start()
    sell = await placed_sell(world)
    await banned(world)
    came = world.exchange.came_while_banned
    world.stop()
    report = await world.ended()
    assert report is not None
    assert report.exit_status is ExitStatus.MAY_BE_LIVE
    assert [order.client_order_id for order in report.orders["main"] if not order.is_terminal] == [sell.client_order_id]
    assert world.exchange.came_while_banned == came


@scenario(seed=404, simulation=NO_TAKERS)
async def test_restart_after_the_ban_is_over_knows_nothing_of_it(world: World) -> None:
    await world.start()
    await placed_sell(world)
    await banned(world)
    await die(world)
    await trio.sleep_until(world.exchange.faults.banned_until + 1)
    restarted_at = trio.current_time()
    await world.start()
    await world.wait_for(AccountReady, count=2)
    assert trio.current_time() - restarted_at < 3
    assert not world.seen(HoldTakenOver)
    await sell_out(world)


@pytest.mark.parametrize("retry_after_seconds", [None, 4])
@pytest.mark.parametrize("exchange_name", EXCHANGES)
def test_storm_of_refusals_is_a_few_requests_and_the_cancel_goes_out_after_it(exchange_name: str, retry_after_seconds: int | None) -> None:
    async def story(world: World) -> None:
        await world.start(dead_mans_switch_seconds=120)
        await placed_sell(world)
        await world.settle(2)
        world.exchange.freeze_flow()
        (resting,) = world.exchange.open_orders()
        world.exchange.rate_limit_for(STORM_SECONDS, retry_after_seconds=retry_after_seconds)
        over_at = trio.current_time() + STORM_SECONDS
        best_ask = world.exchange.best_ask(BTC_USDT)
        assert best_ask is not None
        world.exchange.move_market(BTC_USDT, best_ask - 2_000)  # the sell is to be cancelled, and another one placed
        await world.wait_until(lambda: resting not in world.exchange.open_orders())
        assert 0 <= trio.current_time() - over_at < 12, "a hold of ten seconds may have begun at the very end"
        assert world.exchange.refused_for_rate <= 25
        await sell_out(world)

    run_world(story, seed=405, simulation=NO_TAKERS, exchange_name=exchange_name)
