"""MEXC's private stream over its whole life: the listen key kept, lost, borrowed and given back, connections renewed, and silence about an
order.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio_websocket import open_websocket
from world import HOST, PORT, World, run_world

from actors.accounts.events import AccountConnected, AccountDisconnected
from actors.accounts.mexc import spot as mexc_spot
from actors.accounts.mexc.spot import MexcSpotAccountCodec
from actors.feeds.mexc.spot import MexcSpotFeedCodec
from actors.feeds.reports import FeedDisconnected
from market.events import Side
from orders.events import AccountReady, OrderPlaced
from orders.order import Order
from simulated.faults import Operation
from simulated.mexc_spot import listen_keys
from simulated.mexc_spot.errors import MexcError
from simulated.settings import MarketSettings, SimulationSettings

QUIET = MarketSettings(taker_rate_per_second=0.0, gap_rate_per_second=0.0, volatility_per_second=0.0, maker_rate_per_second=1.0)


def run_on_mexc(story: Callable[[World], Awaitable[None]], *, seed: int) -> None:
    run_world(story, seed=seed, simulation=SimulationSettings(markets=(QUIET,)), exchange_name="mexc_spot")


def is_sell(event: OrderPlaced) -> bool:
    return event.order.request.side is Side.SELL


async def open_sell(world: World) -> Order:
    """A sell that rests at the exchange now."""
    await world.wait_for(OrderPlaced, is_sell)
    await world.wait_until(lambda: bool(world.our_open_orders()))
    found = [placed.order for placed in world.seen(OrderPlaced, is_sell) if placed.order.client_order_id in world.our_open_orders()]
    return found[-1]


async def fill_and_end(world: World) -> None:
    """Fill whatever rests until the cycle is done."""
    while world.report is None:
        for order in world.exchange.open_orders():
            world.exchange.fill_order(order.id)
        await trio.sleep(0.1)
    await world.end()


def keys_left(world: World) -> list[str]:
    server: Any = world.venue.server
    return server._keys.of(server.credential)


def test_listen_key_is_kept_for_as_long_as_the_stream_lives_and_given_back_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen_keys, "VALID_SECONDS", 35.0)
    monkeypatch.setattr(mexc_spot, "LISTEN_KEY_RENEWAL_SECONDS", 15.0)

    async def story(world: World) -> None:
        await world.start()
        await open_sell(world)
        await trio.sleep(120)
        assert not world.seen(AccountDisconnected)
        assert len(keys_left(world)) == 1
        await fill_and_end(world)
        assert keys_left(world) == []

    run_on_mexc(story, seed=1)


def test_stream_whose_listen_key_has_expired_is_back_within_seconds_with_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen_keys, "VALID_SECONDS", 35.0)

    async def story(world: World) -> None:
        await world.start()
        await world.wait_for(AccountDisconnected)
        lost_at = trio.current_time()
        await world.wait_for(AccountConnected, count=2)
        assert trio.current_time() - lost_at < 5
        await fill_and_end(world)

    run_on_mexc(story, seed=2)


def test_key_that_cannot_be_had_for_a_while_is_asked_for_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        await world.start()
        await open_sell(world)
        monkeypatch.setattr(listen_keys, "KEYS_MAX", 0)
        world.exchange.restart()  # which forgets every listen key
        await world.wait_for(AccountDisconnected, lambda event: "no key for the stream" in event.reason, count=2)
        monkeypatch.setattr(listen_keys, "KEYS_MAX", 60)
        await world.wait_for(AccountConnected, count=2)
        await fill_and_end(world)

    run_on_mexc(story, seed=3)


def left_by_others(world: World) -> list[str]:
    """As many keys as there may be, made by nobody who will ever close them."""
    server: Any = world.venue.server
    return [server._keys.create(server.credential) for _ in range(listen_keys.KEYS_MAX)]


@asynccontextmanager
async def connections(key: str, count: int) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(open_websocket(HOST, PORT, f"/ws?listenKey={key}", use_ssl=False))
        yield


def check_hidden(world: World, keys: list[str], log: str = "") -> None:
    """Nothing of a key is in anything that is told or written down."""
    told = f"{world.events}{world.report}{log}".encode() + world.journal._connection.serialize()
    assert b"account_disconnected" in told
    assert not [key for key in keys if key[:8].encode() in told]


@pytest.mark.parametrize("code", [730708, 739999])
def test_program_that_was_killed_as_often_as_there_may_be_keys_listens_with_one_that_it_left(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Whatever MEXC says then, which is not documented."""
    monkeypatch.setattr(listen_keys, "KEYS_MAX", 3)
    monkeypatch.setattr(listen_keys, "_refusal", lambda: MexcError(code, "no words that anybody knows"))

    async def story(world: World) -> None:
        for number in range(1, listen_keys.KEYS_MAX + 3):
            await world.start()
            await world.wait_for(AccountReady, count=number)
            world.kill()
        left = keys_left(world)
        assert len(left) == listen_keys.KEYS_MAX
        await world.start()
        await fill_and_end(world)
        assert keys_left(world) == left
        assert not world.seen(AccountDisconnected)

    run_on_mexc(story, seed=41)


def test_borrowed_listen_key_is_kept_while_it_is_listened_with_never_closed_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # libraries' words, too
    monkeypatch.setattr(listen_keys, "VALID_SECONDS", 60.0)
    monkeypatch.setattr(mexc_spot, "LISTEN_KEY_RENEWAL_SECONDS", 20.0)

    async def story(world: World) -> None:
        others = left_by_others(world)
        await trio.sleep(50)
        await world.start(cycles=0)
        await open_sell(world)
        assert keys_left(world) == others
        await trio.sleep(60)
        assert keys_left(world) == others[:1], "the others' time is over, and this one's would be"
        assert not world.seen(AccountDisconnected)
        world.exchange.disconnect_all()  # now there is room for one of our own
        await world.wait_for(AccountConnected, count=2)
        assert len(keys_left(world)) == 2
        world.stop()
        await world.end()
        assert keys_left(world) == others[:1]
        assert "httpcore" in caplog.text
        check_hidden(world, others, caplog.text)

    run_on_mexc(story, seed=42)


def test_key_that_carries_all_the_connections_it_may_is_passed_over_for_the_next() -> None:
    async def story(world: World) -> None:
        others = left_by_others(world)
        async with connections(others[0], 5), connections(others[1], 5):
            await world.start()
            await world.wait_for(AccountReady)
        assert len(world.seen(AccountDisconnected)) == 2
        await fill_and_end(world)
        assert keys_left(world) == others
        check_hidden(world, others)

    run_on_mexc(story, seed=43)


def test_connections_are_renewed_before_the_exchange_ends_them_and_no_fill_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MexcSpotAccountCodec, "stream_seconds_max", 45.0)
    monkeypatch.setattr(MexcSpotFeedCodec, "connection_seconds_max", 60.0)

    async def story(world: World) -> None:
        await world.start()
        lost = await world.wait_for(AccountDisconnected)
        assert lost.reason == "renewed before the exchange ends it"
        sell = world.exchange.order_by_client_id((await open_sell(world)).client_order_id)
        assert sell is not None
        if sell.is_open:
            world.exchange.fill_order(sell.id, Decimal("0.0001"))  # while nobody listens
        ended = await world.wait_for(FeedDisconnected)
        assert "renewed after" in ended.reason
        await fill_and_end(world)

    run_on_mexc(story, seed=4)


def test_answer_that_loses_a_new_key_leaves_it_to_expire_and_another_is_asked_for() -> None:
    async def story(world: World) -> None:
        world.exchange.lose_answers(Operation.QUERY)  # the first private request of all is the one for the key
        await world.start()
        await fill_and_end(world)
        assert len(keys_left(world)) == 1, "nobody knows it, so nobody can give it back"

    run_on_mexc(story, seed=5)


def test_market_buy_of_which_the_stream_tells_nothing_is_asked_about_within_seconds() -> None:
    """It was answered with an id alone, and what cannot rest must have ended by then."""

    async def story(world: World) -> None:
        world.exchange.drop_private_events(1_000)
        await world.start()
        await world.wait_for(OrderPlaced, is_sell, within_seconds=8)
        await fill_and_end(world)

    run_on_mexc(story, seed=6)
