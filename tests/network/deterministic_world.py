"""A busy simulated world whose whole wire is hashed; run as a program it prints `digest events`. For the determinism test."""

from __future__ import annotations

import functools
import hashlib
import random
import sys

import trio
from network_helpers import ADDRESS, HOST, URL, WS_URL, Exchange, post, serve
from starlette.websockets import WebSocket as ServerSocket

from network.deterministic import run_deterministically
from network.errors import NetworkError
from network.http import HttpClient
from network.simulated_network import SimulatedNetwork
from network.websocket import open_websocket
from network.wire_trace import WireEvent


class TraceHash:
    """A trace hook that condenses everything on the wire to one digest: equal digests, equal runs."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.events = 0

    def __call__(self, event: WireEvent) -> None:
        self.events += 1
        self._digest.update(f"{event.time!r} {event.connection} {event.direction} {event.kind} {len(event.data)} ".encode())
        self._digest.update(event.data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


async def world(seed: int) -> tuple[str, int]:
    trace = TraceHash()
    rng = random.Random(seed)
    network = SimulatedNetwork(random.Random(seed), trace=trace)
    network.add_host(HOST, ADDRESS)
    exchange = Exchange()

    async def ticks(socket: ServerSocket) -> None:
        await socket.accept()
        await socket.receive_text()
        for n in range(300):
            await trio.sleep(rng.expovariate(20))
            await socket.send_text(f'{{"u":{n},"p":"{rng.random()}"}}')

    async def follow(name: str) -> None:
        while True:
            try:
                async with open_websocket(WS_URL, ping_interval_seconds=2, pong_timeout_seconds=1) as websocket:
                    await websocket.send(f"subscribe {name}")
                    while True:
                        await websocket.receive()
            except NetworkError:
                await trio.sleep(rng.random())

    async def trade(client: HttpClient, name: str) -> None:
        for n in range(40):
            await trio.sleep(rng.random() / 2)
            try:
                await client.send(post(f"{name} {n}".encode(), headers=(("SIGN", "a" * 64),)), timeout_seconds=1)
            except NetworkError:
                await trio.sleep(rng.random())

    async def break_things() -> None:
        while True:
            await trio.sleep(rng.uniform(1, 3))
            with rng.choice([network.refuse, network.partition, network.stall, network.fail_dns])(HOST):
                rng.choice([network.drop_connections, network.close_without_frame])(HOST)
                await trio.sleep(rng.uniform(0.1, 2))

    exchange.on_websocket = ticks
    with network.install():
        async with trio.open_nursery() as nursery:
            await nursery.start(functools.partial(serve, exchange.app()))
            async with HttpClient(URL) as client:
                for n in range(3):
                    nursery.start_soon(follow, f"follower {n}")
                nursery.start_soon(break_things)
                async with trio.open_nursery() as traders:
                    for n in range(3):
                        traders.start_soon(trade, client, f"trader {n}")
            nursery.cancel_scope.cancel()
    return trace.hexdigest(), trace.events


if __name__ == "__main__":
    seed = int(sys.argv[1])
    print(*run_deterministically(world, seed, seed=seed))  # noqa: T201
