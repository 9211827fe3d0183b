"""MEXC's private stream over its whole life: the listen key kept, lost and given back, connections renewed, and silence about an order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
import trio
from world import World, run_world

from actors.accounts.events import AccountConnected, AccountDisconnected
from actors.accounts.mexc import spot as mexc_spot
from actors.accounts.mexc.spot import MexcSpotAccountCodec
from actors.feeds.mexc.spot import MexcSpotFeedCodec
from actors.feeds.reports import FeedDisconnected
from market.events import Side
from orders.events import OrderPlaced
from orders.order import Order
from simulated.faults import Operation
from simulated.mexc_spot import listen_keys
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
