"""Other settings in the middle of what a run does: a round, a placement, a crash, a stop."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import trio
from test_following_the_market import NO_TAKERS, exchange_id, is_sell, placed_sell
from world import BTC_USDT, World, scenario

from actors.accounts.events import OrderRefused
from assembly.reloading.desk import Outcome, SettingsDesk
from assembly.reloading.events import SettingChanged, SettingsRefused
from assembly.reloading.watch import LOOK_SECONDS
from assembly.settings_loading import Table
from orders.events import OrderPlaced, OrderSubmitted
from orders.reconciliation import CycleReconciled, CycleStarted
from simulated.faults import Operation
from soak.faults.settings import began_otherwise
from soak.worlds.settings_file import WorldSettingsFile, text_of
from supervision.events import ChildRestarting

QUANTITY, OFFSET = "cycles.btc.quantity", "cycles.btc.parameters.price_offset_ticks"
LIMIT = "accounts.main.limits.max_order_notional"


def start(world: World, **settings: Any) -> WorldSettingsFile:
    """Start the program with a file of these settings."""
    file = world.open_settings_file(world.settings(**settings))
    world.launch(file.settings(file.table()))
    return file


def desk(world: World) -> SettingsDesk:
    assert world.runtime is not None
    assert world.runtime.settings_desk is not None
    return world.runtime.settings_desk


def with_values(file: WorldSettingsFile, values: Mapping[str, object]) -> str:
    """The file as it was at first, but for these keys."""
    table = file.table_at_first()
    for key, value in values.items():
        *path, last = key.split(".")
        inner = table
        for part in path:
            inner = cast("Table", inner.setdefault(part, {}))
        inner[last] = value
    return text_of(table)


async def reload(world: World, file: WorldSettingsFile, values: Mapping[str, object]) -> Outcome:
    file.write(with_values(file, values))
    return await desk(world).reload(by="SIGHUP")


@scenario(seed=601, simulation=NO_TAKERS)
async def test_file_that_changes_moves_the_quote_within_seconds_and_the_round_ends_as_ever(world: World) -> None:
    world.exchange.freeze_flow()
    file = start(world)
    sell = await placed_sell(world)
    file.write(with_values(file, {OFFSET: 3}))
    await trio.sleep(3 * LOOK_SECONDS)
    moved = await placed_sell(world, 2)
    assert sell.request.price is not None
    assert moved.request.price == sell.request.price - Decimal("0.2"), "three ticks under the best ask of others, and no more one"
    world.exchange.fill_order(exchange_id(moved))
    await world.end()
    assert [(change.key, change.before, change.after, change.by) for change in world.seen(SettingChanged)] == [
        (OFFSET, "1", "3", "the file")
    ]
    assert world.journal_rows("SELECT name FROM events WHERE name LIKE 'setting%'") == [("setting_changed",)]


@scenario(seed=602, simulation=NO_TAKERS)
async def test_quantity_that_changes_while_the_buy_is_on_its_way_is_the_next_round_s(world: World) -> None:
    file = start(world, cycles=2)
    world.exchange.delay_requests(Operation.PLACE, 1.0, 1)
    await world.wait_for(OrderSubmitted)
    assert (await reload(world, file, {QUANTITY: 40})).done
    world.exchange.fill_order(exchange_id(await placed_sell(world)))
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()
    assert [started.quote_quantity for started in world.seen(CycleStarted)] == [Decimal(100), Decimal(40)]
    assert all(round_.agrees for round_ in world.seen(CycleReconciled))


@scenario(seed=603, simulation=NO_TAKERS)
async def test_limit_that_is_tightened_holds_for_the_very_next_order_and_cancels_nothing(world: World) -> None:
    world.exchange.freeze_flow()
    file = start(world)
    sell = await placed_sell(world)
    assert (await reload(world, file, {QUANTITY: 90, LIMIT: 95})).done
    await trio.sleep(20)
    assert world.our_open_orders() != [], "what is open stays, whatever it is worth"
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    refused = await world.wait_for(OrderRefused)
    assert "is above max_order_notional 95" in refused.reason
    assert refused.client_order_id != sell.client_order_id
    assert desk(world).set(LIMIT, "none", by="mm-ctl").done
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=604, simulation=NO_TAKERS)
async def test_cycle_that_crashes_begins_again_with_the_settings_that_it_had_last(world: World) -> None:
    world.exchange.freeze_flow()
    file = start(world)
    first = await placed_sell(world)
    assert (await reload(world, file, {OFFSET: 3})).done
    second = await placed_sell(world, 2)
    world.crash_cycle()
    await world.wait_for(ChildRestarting)
    third = await placed_sell(world, 3)
    assert third.request.price == second.request.price
    assert third.request.price != first.request.price
    world.exchange.fill_order(exchange_id(third))
    await world.end()


@scenario(seed=605, simulation=NO_TAKERS)
async def test_account_that_crashes_keeps_to_the_limits_that_were_accepted_last(world: World) -> None:
    file = start(world, cycles=2)
    sell = await placed_sell(world)
    assert (await reload(world, file, {LIMIT: 150})).done
    world.crash_account()
    await world.wait_for(ChildRestarting)
    assert not desk(world).set(QUANTITY, "151", by="mm-ctl").done
    again = await placed_sell(world, 2)
    assert again.client_order_id != sell.client_order_id
    assert (await reload(world, file, {QUANTITY: 50, LIMIT: 60})).done
    world.exchange.move_market(BTC_USDT, Decimal(59_000))
    assert "is above max_order_notional 60" in (await world.wait_for(OrderRefused)).reason
    world.stop()
    await world.end()


@scenario(seed=606, simulation=NO_TAKERS)
async def test_refused_file_changes_nothing_and_is_told_once_until_it_is_mended(world: World) -> None:
    world.exchange.freeze_flow()
    file = start(world)
    sell = await placed_sell(world)
    file.write(with_values(file, {OFFSET: 3, "accounts.main.dead_mans_switch_seconds": 77}))
    await trio.sleep(20 * LOOK_SECONDS)
    (refused,) = world.seen(SettingsRefused)
    assert refused.reason == f"needs a restart: accounts.main.dead_mans_switch_seconds. Nothing else of it was taken over either: {OFFSET}."
    file.write(with_values(file, {OFFSET: 3})[:-9])
    await trio.sleep(20 * LOOK_SECONDS)
    assert len(world.seen(SettingsRefused)) == 2
    assert [order.request.price for order in (event.order for event in world.seen(OrderPlaced, is_sell))] == [sell.request.price]
    file.write(with_values(file, {OFFSET: 3}))
    world.exchange.fill_order(exchange_id(await placed_sell(world, 2)))
    await world.end()


@scenario(seed=607, simulation=NO_TAKERS)
async def test_restart_goes_by_the_file_and_not_by_what_was_set(world: World) -> None:
    world.exchange.freeze_flow()
    file = start(world, cycles=0)
    await placed_sell(world)
    assert desk(world).set(OFFSET, "3", by="mm-ctl").done
    moved = await placed_sell(world, 2)
    world.kill()
    world.launch(file.settings(file.table()))
    # The order that the killed run may not have written down as placed is told to be so once more.
    of_before = {event.order.client_order_id for event in world.seen(OrderPlaced)}
    again = await world.wait_for(OrderPlaced, lambda event: is_sell(event) and event.order.client_order_id not in of_before)
    assert moved.request.price is not None
    assert again.order.request.price is not None
    assert desk(world).set_by_hand() == {}
    assert again.order.request.price > moved.request.price, "one tick under the best ask of others again, and not three"
    world.stop()
    await world.end()


@scenario(seed=608, simulation=NO_TAKERS)
async def test_run_time_counts_from_the_start_and_less_than_has_passed_stops_at_once(world: World) -> None:
    start(world, cycles=0, run_for_seconds=1_000.0)
    await placed_sell(world)
    await trio.sleep(50)
    assert desk(world).set("runtime.run_for_seconds", "100", by="mm-ctl").done
    await trio.sleep(20)
    assert not world.runtime_is_stopping()
    assert desk(world).set("runtime.run_for_seconds", "60", by="mm-ctl").done
    report = await world.end()
    assert report.reason == "60 s are over"


@scenario(seed=609, simulation=NO_TAKERS)
async def test_stop_deadline_is_the_one_there_is_when_the_stop_begins(world: World) -> None:
    start(world, cycles=0, dead_mans_switch_seconds=0)
    await placed_sell(world)
    assert desk(world).set("runtime.stop_deadline_seconds", "30", by="mm-ctl").done
    world.exchange.delay_requests(Operation.CANCEL, 12.0, 1)
    world.stop()
    began_at = trio.current_time()
    await world.end()
    assert trio.current_time() - began_at > 10
    assert not desk(world).set(OFFSET, "3", by="mm-ctl").done


@scenario(seed=7016, simulation=NO_TAKERS)
async def test_run_that_was_begun_with_an_edit_that_needs_a_restart_is_known_when_the_file_has_been_written_back(world: World) -> None:
    """From then on nothing of the file can be taken over: the simulator took that for a refusal of what is fine."""
    file = world.open_settings_file(world.settings(cycles=0))
    file.write(with_values(file, {"runtime.seed": 7}))
    world.launch(file.settings(file.table()))
    await placed_sell(world)
    assert not began_otherwise(file, desk(world).settings)
    file.write(file.at_first)
    assert began_otherwise(file, desk(world).settings)
    world.stop()
    await world.end()
