"""A host of its own for the private stream, so that it can be broken alone: a relay to the exchange."""

from __future__ import annotations

from functools import partial

import trio

from soak.worlds.venue import PORT, Venue
from soak.worlds.world import World

PRIVATE_HOST = "private.exchange.sim"
PRIVATE_ADDRESS = "10.0.0.3"


async def open_private_line(world: World, venue: Venue | None = None) -> str:
    """Relay whatever comes to `private_host` for as long as the world lasts; gives the private stream's URL there.

    Of the world's first exchange, if no other is named. A `venue` gives this URL to the program from now on.
    """
    found = venue or world.venue
    address = PRIVATE_ADDRESS if found is world.venue else f"10.0.1.{found.address.rpartition('.')[2]}"
    host = private_host(world, found)
    world.network.add_host(host, address)
    await world.nursery.start(partial(trio.serve_tcp, host=address), partial(_relay, found.host), PORT)
    url = found.settings().private_websocket_url
    assert url is not None
    url = url.replace(f"//{found.host}:", f"//{host}:")
    if venue is not None:
        venue.private_url = url
    return url


def private_host(world: World, venue: Venue) -> str:
    """Where the private stream of an exchange has a host of its own."""
    return PRIVATE_HOST if venue is world.venue else f"private.{venue.host}"


async def _relay(host: str, client: trio.SocketStream) -> None:
    try:
        exchange = await trio.open_tcp_stream(host, PORT)
    except OSError:
        return  # the exchange itself cannot be reached: so is this line
    async with exchange, trio.open_nursery() as nursery:
        nursery.start_soon(_pump, client, exchange, nursery.cancel_scope)
        nursery.start_soon(_pump, exchange, client, nursery.cancel_scope)


async def _pump(source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
    """One direction; when either side is gone, so is the whole line."""
    try:
        async for data in source:
            await sink.send_all(data)
    except trio.BrokenResourceError:
        pass
    both.cancel()
