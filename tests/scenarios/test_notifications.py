"""The whole program with a webhook on the same network: what a person is told of a run, and that nothing of it holds up the run."""

from __future__ import annotations

import functools
import json

import trio
from msgspec.structs import replace
from test_control import say
from test_following_the_market import NO_TAKERS, exchange_id, placed_sell
from world import World, scenario

from actors.notifier.actor import NotificationsFailed
from actors.notifier.bodies import Template
from actors.notifier.outbox import NotificationKind
from assembly.control.protocol import Command
from assembly.settings import NotificationSettings
from network.url import parse_url
from orders.reconciliation import CycleReconciled
from tests.network.network_helpers import Exchange as Receiver
from tests.network.network_helpers import serve

HOOKS, ADDRESS = "hooks.sim", "10.9.0.1"
NOTIFICATIONS = NotificationSettings(template=Template.JSON, interval_seconds=5.0)


async def start_with_webhook(world: World, settings: NotificationSettings = NOTIFICATIONS, *, is_up: bool = True) -> Receiver:
    receiver = Receiver()
    world.network.add_host(HOOKS, ADDRESS)
    if is_up:
        await world.nursery.start(functools.partial(serve, receiver.app(), host=ADDRESS))
    made = replace(world.settings(cycles=0), notifications=settings, webhook=parse_url(f"http://{HOOKS}/services/verysecret"))
    world.launch(made)
    return receiver


def told(receiver: Receiver) -> dict[str, list[str]]:
    """The events told, by kind."""
    found: dict[str, list[str]] = {}
    for posted in receiver.bodies:
        for each in json.loads(posted)["notifications"]:
            found.setdefault(each["kind"], []).append(each["text"].split()[1])
    return found


@scenario(seed=561, simulation=NO_TAKERS)
async def test_fills_halts_restarts_and_the_stop_are_told(world: World) -> None:
    receiver = await start_with_webhook(world)
    world.exchange.fill_order(exchange_id(await placed_sell(world)))
    await world.wait_for(CycleReconciled)
    await placed_sell(world, 2)
    await say(world, Command.HALT, reason="something smells")
    world.crash_account()
    await trio.sleep(30)
    world.stop("enough")
    await world.end()
    found = told(receiver)
    assert set(found["fills"]) == {"order_filled"}
    assert len(found["fills"]) >= 3
    assert found["halts"] == ["state_entered"]
    assert "actor_crashed" in found["restarts"]
    assert found["stop"] == ["stopping"]
    halted = next(posted for posted in receiver.bodies if b"state_entered" in posted)
    assert b"global is HALTED: by mm-ctl: something smells" in halted


@scenario(seed=562, simulation=NO_TAKERS)
async def test_webhook_that_is_not_there_holds_up_nothing_and_its_url_is_not_told(world: World) -> None:
    await start_with_webhook(world, is_up=False)
    world.exchange.fill_order(exchange_id(await placed_sell(world)))
    await world.wait_for(CycleReconciled)
    world.stop()
    report = await world.end()
    assert report.seconds < 60
    assert [event.host for event in world.seen(NotificationsFailed)[:1]] == [HOOKS]
    assert not any("verysecret" in repr(event) for _, event in world.events)


@scenario(seed=563, simulation=NO_TAKERS)
async def test_only_the_kinds_that_are_wanted_are_told(world: World) -> None:
    receiver = await start_with_webhook(world, replace(NOTIFICATIONS, kinds=(NotificationKind.HALTS,)))
    world.exchange.fill_order(exchange_id(await placed_sell(world)))
    await world.wait_for(CycleReconciled)
    await say(world, Command.PAUSE)
    await trio.sleep(10)
    world.stop()
    await world.end()
    assert told(receiver) == {"halts": ["state_entered"]}
