"""A quote that the exchange will not have, again and again: tried with growing pauses, however the exchange says no."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from test_following_the_market import NO_TAKERS, is_sell, placed_sell
from world import BTC_USDT, World, run_world

from assembly.registry import EXCHANGES
from market.events import Side
from orders.events import OrderEnded, OrderSubmitted

SPOT = sorted(name for name in EXCHANGES if name.endswith("_spot"))
SECONDS = 3.5  # in which the book may be as silent as it is here without being old


@pytest.mark.parametrize("exchange_name", SPOT)
def test_post_only_sells_that_would_take_are_tried_again_with_growing_pauses(exchange_name: str) -> None:
    async def story(world: World) -> None:
        await world.start()
        first = await placed_sell(world)
        # The market rises while nobody tells us: at the price that we see, every sell would take.
        world.exchange.withhold_book_updates(BTC_USDT, 100_000)
        theirs = world.exchange.order_by_client_id(world.codec.wire_client_order_id(first.client_order_id))
        assert theirs is not None
        world.exchange.cancel_order(theirs.id)
        world.exchange.move_market(BTC_USDT, Decimal(61_000))
        before = len(world.seen(OrderSubmitted, is_sell))
        await trio.sleep(SECONDS)
        refused = [event.order for event in world.seen(OrderEnded, is_sell) if event.order.client_order_id != first.client_order_id]
        assert refused
        assert not any(order.filled_quantity or order.cancel_wanted for order in refused)
        assert 1 <= len(world.seen(OrderSubmitted, is_sell)) - before <= 2, "after one second, then two more"
        world.exchange.clear_faults()
        again = await world.wait_for(
            OrderSubmitted, lambda event: event.order.request.side is Side.SELL and (event.order.request.price or 0) > 60_900
        )
        assert again
        world.stop()
        await world.end()

    run_world(story, seed=221, simulation=NO_TAKERS, exchange_name=exchange_name)
