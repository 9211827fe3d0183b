"""Scenarios: tests that happen in a `soak.worlds.world`, the real program against a simulated exchange, in virtual time, from one seed.

    @scenario(seed=3)
    async def test_sell_is_replaced_when_the_market_moves(world: World) -> None:
        world.exchange.freeze_flow()
        await world.start(cycles=1)
        sell = await world.wait_for(OrderPlaced, lambda event: event.order.request.side is Side.SELL)
        ...
        report = await world.end()

A failing scenario names its seed; the same seed gives the same run, bit for bit.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import pytest

from simulated.settings import SimulationSettings
from soak.worlds.interference import InjectedCrash
from soak.worlds.venue import PORT
from soak.worlds.world import BTC_USDT, HOST, World, run_world

__all__ = ["BTC_USDT", "HOST", "PORT", "InjectedCrash", "World", "run_world", "scenario"]


def scenario(
    *,
    seed: int = 1,
    latency_seconds: tuple[float, float] = (0.001, 0.005),
    simulation: SimulationSettings | None = None,
    both_ways: bool = False,
) -> Callable[[Callable[[World], Awaitable[None]]], Callable[..., None]]:
    """Make a test of an async function that is given a `World`. The exchange is up before it begins.

    With `both_ways` it is two tests: with orders over the websocket and by REST.
    """

    def decorate(function: Callable[[World], Awaitable[None]]) -> Callable[..., None]:
        async def by_rest(world: World) -> None:
            world.orders_by_rest = True
            await function(world)

        def run() -> None:
            run_world(function, seed=seed, latency_seconds=latency_seconds, simulation=simulation)

        def run_either(way: str) -> None:
            run_world(by_rest if way == "rest" else function, seed=seed, latency_seconds=latency_seconds, simulation=simulation)

        test = pytest.mark.parametrize("way", ["websocket", "rest"])(run_either) if both_ways else run
        functools.update_wrapper(test, function, updated=())
        del test.__wrapped__  # pytest would read the wrapped function's signature and look for a fixture called world
        return test

    return decorate
