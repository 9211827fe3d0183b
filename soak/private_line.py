"""A host of its own for the private stream, so that a scenario can break it alone: a relay to the world's exchange."""

from __future__ import annotations

from functools import partial

import trio

from soak.world import HOST, PORT, World

PRIVATE_HOST = "private.exchange.sim"
PRIVATE_ADDRESS = "10.0.0.3"


async def open_private_line(world: World) -> str:
    """Relay whatever comes to `PRIVATE_HOST` for as long as the world lasts; gives the private stream's URL there."""
    world.network.add_host(PRIVATE_HOST, PRIVATE_ADDRESS)
    await world.nursery.start(partial(trio.serve_tcp, host=PRIVATE_ADDRESS), _relay, PORT)
    url = world.settings().exchanges[world.exchange_name].private_websocket_url
    assert url is not None
    return url.replace(f"//{HOST}:", f"//{PRIVATE_HOST}:")


async def _relay(client: trio.SocketStream) -> None:
    try:
        exchange = await trio.open_tcp_stream(HOST, PORT)
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
