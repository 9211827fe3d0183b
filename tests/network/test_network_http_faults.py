"""Whether a failed request may have been received: the error's answer against the server's own record."""

from __future__ import annotations

import random

import pytest
import trio
from network_helpers import HOST, URL, get, post, simulated_exchange

from network.backoff import Backoff
from network.errors import NetworkError, RequestNotSent, ResponseLost
from network.http import HttpClient
from network.simulated_network import SimulatedNetwork


async def test_name_that_does_not_resolve_is_not_sent(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        with network.fail_dns(HOST), pytest.raises(RequestNotSent, match="name resolution"):
            await client.send(post(), timeout_seconds=5)
        assert exchange.received == []
        assert network.statistics().names_failed == 1
        assert (await client.send(post(), timeout_seconds=5)).status == 200


async def test_refused_connection_is_not_sent_and_works_after_repair(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        network.refuse(HOST)
        with pytest.raises(RequestNotSent, match="refused"):
            await client.send(post(), timeout_seconds=5)
        network.repair(HOST)
        assert (await client.send(post(), timeout_seconds=5)).status == 200
        assert len(exchange.received) == 1


async def test_connection_that_hangs_past_the_deadline_is_not_sent(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        with network.partition(HOST):
            started = trio.current_time()
            with pytest.raises(RequestNotSent, match="within 2 s"):
                await client.send(post(), timeout_seconds=2)
            assert trio.current_time() - started == pytest.approx(2)
        await trio.sleep(60)
        assert exchange.received == []


async def test_answer_held_back_by_half_open_connection_is_lost_though_received(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        await client.send(get(), timeout_seconds=5)
        with network.partition(HOST, "from"):
            with pytest.raises(ResponseLost, match="may have been received"):
                await client.send(post(b"order"), timeout_seconds=2)
            assert exchange.bodies == [b"", b"order"]
        assert (await client.send(get(), timeout_seconds=5)).status == 200


async def test_request_held_back_by_half_open_connection_is_lost_and_arrives_after_the_repair(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        await client.send(get(), timeout_seconds=5)
        with network.partition(HOST, "to"):
            with pytest.raises(ResponseLost):
                await client.send(post(b"late order"), timeout_seconds=2)
            await trio.sleep(10)
            assert exchange.bodies == [b""]
        await trio.sleep(1)
        assert exchange.bodies == [b"", b"late order"]  # what the caller gave up on was carried out: why ResponseLost is never "rejected"


async def test_connection_reset_inside_the_request_is_response_lost_though_not_received(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        network.cut_after(HOST, 30)
        with pytest.raises(ResponseLost, match="reset"):
            await client.send(post(), timeout_seconds=5)
        await trio.sleep(1)
        assert exchange.received == []
        assert network.statistics().connections_reset == 1


@pytest.mark.parametrize("answer_bytes", [0, 1, 20])
async def test_connection_reset_inside_the_answer_is_response_lost_and_received(autojump_clock: trio.abc.Clock, answer_bytes: int) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        network.cut_after(HOST, answer_bytes, "from")
        with pytest.raises(ResponseLost):
            await client.send(post(b"order"), timeout_seconds=5)
        assert exchange.bodies == [b"order"]
        assert (await client.send(get(), timeout_seconds=5)).status == 200


@pytest.mark.parametrize("verb", ["drop_connections", "close_without_frame"])
async def test_connection_that_ends_while_server_thinks_is_response_lost(autojump_clock: trio.abc.Clock, verb: str) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        exchange.think_seconds = 10
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await trio.sleep(1)
                assert getattr(network, verb)(HOST) == 1

            nursery.start_soon(end)
            with pytest.raises(ResponseLost):
                await client.send(post(b"order"), timeout_seconds=60)
            assert trio.current_time() < 2
        assert exchange.bodies == [b"order"]


@pytest.mark.parametrize("verb", ["drop_connections", "close_without_frame"])
async def test_idle_connection_that_ended_is_replaced_without_an_error(autojump_clock: trio.abc.Clock, verb: str) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        await client.send(post(b"a"), timeout_seconds=5)
        getattr(network, verb)(HOST)
        await trio.sleep(1)
        await client.send(post(b"b"), timeout_seconds=5)
        assert exchange.bodies == [b"a", b"b"]
        assert network.statistics().connections_opened == 2


async def test_slow_line_delays_bytes_and_deadline_still_holds(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), HttpClient(URL) as client:
        with network.slow(HOST, 1000):
            started = trio.current_time()
            await client.send(post(b"x" * 2000), timeout_seconds=60)
            assert 4 < trio.current_time() - started < 6
            with pytest.raises(ResponseLost):
                await client.send(post(b"x" * 2000), timeout_seconds=3)


async def test_nothing_is_ever_sent_twice(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        for n in range(20):
            network.cut_after(HOST, 0, "from")
            with pytest.raises(ResponseLost):
                await client.send(post(str(n).encode()), timeout_seconds=5)
        assert exchange.bodies == [str(n).encode() for n in range(20)]


async def test_not_sent_always_means_not_received_under_random_faults(autojump_clock: trio.abc.Clock) -> None:
    """Goal: the promise orders hang on. Method: seeded faults under 300 numbered requests; the server's record is the judge."""
    rng = random.Random(7)
    outcomes: dict[int, type[NetworkError] | None] = {}
    async with simulated_exchange(latency_seconds=(0.001, 0.2)) as (network, exchange), HttpClient(URL, connections_max=3) as client:
        exchange.think_seconds = 0.05

        async def break_things(network: SimulatedNetwork) -> None:
            while True:
                await trio.sleep(rng.uniform(0.1, 1))
                fault = rng.choice([
                    lambda: network.refuse(HOST),
                    lambda: network.partition(HOST, rng.choice(["to", "from", "both"])),
                    lambda: network.stall(HOST),
                    lambda: network.slow(HOST, rng.uniform(100, 10_000)),
                    lambda: network.fail_dns(HOST),
                    lambda: network.cut_after(HOST, rng.randrange(400), rng.choice(["to", "from"])),
                ])()  # fmt: skip
                if rng.random() < 0.4:
                    rng.choice([network.drop_connections, network.close_without_frame])(HOST)
                await trio.sleep(rng.uniform(0.1, 1))
                fault.repair()

        async def place(number: int) -> None:
            outcomes[number] = None
            try:
                await client.send(post(str(number).encode()), timeout_seconds=rng.uniform(0.05, 2))
            except NetworkError as error:
                outcomes[number] = type(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(break_things, network)
            async with trio.open_nursery() as requests:
                for number in range(300):
                    requests.start_soon(place, number)
                    await trio.sleep(rng.uniform(0, 0.2))
            nursery.cancel_scope.cancel()
        network.repair()
        await trio.sleep(60)

        received = [int(body) for body in exchange.bodies]
        assert len(received) == len(set(received))
        for number, outcome in outcomes.items():
            if outcome is None:
                assert number in received
            elif outcome is RequestNotSent:
                assert number not in received
        lost = [number for number, outcome in outcomes.items() if outcome is ResponseLost]
        assert {number in received for number in lost} == {True, False}, "the faults should have produced both kinds of lost answers"
        assert RequestNotSent in outcomes.values()
        assert (await client.send(get(), timeout_seconds=5)).status == 200


async def test_client_reconnects_with_growing_delays_until_server_is_back(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), HttpClient(URL) as client:
        network.refuse(HOST)
        backoff = Backoff(0.5, 2, 10, 0, random.Random(1))
        delays: list[float] = []
        while True:
            try:
                await client.send(get(), timeout_seconds=1)
            except RequestNotSent:
                delays.append(backoff.next_delay_seconds())
                if len(delays) == 6:
                    network.repair()
                await trio.sleep(delays[-1])
            else:
                break
        assert delays == [0.5, 1, 2, 4, 8, 10]
