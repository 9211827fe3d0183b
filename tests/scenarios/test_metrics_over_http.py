"""What Prometheus and a process manager get from the page's server: the format, the status, and nothing for other hosts."""

from __future__ import annotations

import msgspec
import trio
from page_client import asked, start_with_page
from scraping import Scrape, scrape
from test_following_the_market import NO_TAKERS, placed_sell
from world import World, scenario

from assembly.metrics.health import Health, Readiness
from orders.events import AccountReady


@scenario(seed=931, simulation=NO_TAKERS)
async def test_scrape_is_what_the_run_has_counted_in_prometheus_format(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    answer = await asked("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    served, read = Scrape(answer.text), scrape(world)
    assert [(name, labels) for name, labels, _ in served.samples] == [(name, labels) for name, labels, _ in read.samples]
    for name in ("mm_order_events_total", "mm_fills_total", "mm_live_orders", "mm_actor_restarts_total"):
        assert served.values(name) == read.values(name)
    world.stop()
    await world.end()


@scenario(seed=932, simulation=NO_TAKERS)
async def test_readyz_is_503_until_everybody_is_ready_and_again_when_the_run_stops(world: World) -> None:
    with world.network.partition("exchange.sim"):
        await start_with_page(world)
        await trio.sleep(3)
        early = await asked("/readyz")
        told = msgspec.json.decode(early.content, type=Readiness)
        assert early.status_code == 503
        assert "feed:gateio_spot" in [one.actor for one in told.not_ready]
        assert not told.stopping
        assert (await asked("/healthz")).status_code == 200, "it is alive, whoever does not answer it"
    await world.wait_for(AccountReady, within_seconds=300)
    await placed_sell(world)
    ready = await asked("/readyz")
    assert (ready.status_code, ready.headers["content-type"]) == (200, "application/json")
    assert msgspec.json.decode(ready.content, type=Readiness) == Readiness(ready=True, stopping=False, not_ready=(), ended=())
    world.stop()
    stopping = await asked("/readyz")
    assert stopping.status_code == 503
    assert msgspec.json.decode(stopping.content, type=Readiness).stopping
    await world.end()


@scenario(seed=933, simulation=NO_TAKERS)
async def test_account_that_lost_its_stream_is_not_ready_and_says_what_it_waits_for(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    world.exchange.disconnect_all()
    await world.wait_until(lambda: world.account.measures.disconnections > 0)
    told = msgspec.json.decode((await asked("/readyz")).content, type=Readiness)
    (account,) = [one for one in told.not_ready if one.actor == "account:main"]
    assert account.state == "not agreeing"
    assert account.why.startswith("waits for the private stream")
    await world.wait_for(AccountReady, count=2)
    assert (await asked("/readyz")).status_code == 200
    world.stop()
    await world.end()


@scenario(seed=934, simulation=NO_TAKERS)
async def test_many_scrapes_at_once_are_all_answered_and_other_hosts_are_not(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    answers: list[int] = []

    async def ask() -> None:
        answers.append((await asked("/metrics")).status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(ask)
    assert answers == [200] * 8
    for path in ("/metrics", "/readyz", "/healthz"):
        assert (await asked(path, host="attacker.example")).status_code == 403
        assert (await asked(path, method="POST")).status_code == 405
    health = msgspec.json.decode((await asked("/healthz")).content, type=Health)
    assert health.alive
    assert health.loop_lag_seconds == 0
    world.stop()
    await world.end()
