"""The simulated network as a network: Trio's own stream conformance, TCP's errors, and each fault at the level of bytes."""

from __future__ import annotations

import errno
import random
import socket as stdlib_socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import check_half_closeable_stream, wait_all_tasks_blocked

from network.faults import Fault, FaultKind
from network.simulated_network import SimulatedNetwork
from network.wire_trace import WireEvent

HOST = "api.gate.sim"
ADDRESS = "10.1.0.1"


def make_network(**options: object) -> SimulatedNetwork:
    network = SimulatedNetwork(random.Random(1), **options)  # type: ignore[arg-type]
    network.add_host(HOST, ADDRESS)
    return network


@asynccontextmanager
async def connected(network: SimulatedNetwork) -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """A client's and a host's end of one connection over Trio's own streams and listeners."""
    [listener] = await trio.open_tcp_listeners(0, host=ADDRESS)
    port = listener.socket.getsockname()[1]
    client = await trio.open_tcp_stream(HOST, port)
    server = await listener.accept()
    await listener.aclose()
    async with client, server:
        yield client, server


async def test_streams_over_it_pass_trios_own_conformance_check(autojump_clock: trio.abc.Clock) -> None:
    network = make_network(latency_seconds=(0, 0), buffer_bytes=64 * 1024)

    async def pair() -> tuple[trio.SocketStream, trio.SocketStream]:
        [listener] = await trio.open_tcp_listeners(0, host=ADDRESS)
        client = await trio.open_tcp_stream(ADDRESS, listener.socket.getsockname()[1])
        server = await listener.accept()
        await listener.aclose()
        return client, server

    async def clogged_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
        left, right = await pair()
        for stream in (left, right):
            with trio.move_on_after(1):
                while True:
                    await stream.send_all(b"x" * 1000)
        return left, right

    with network.install():
        await check_half_closeable_stream(pair, clogged_pair)


async def test_install_restores_the_network_before(autojump_clock: trio.abc.Clock) -> None:
    with make_network().install(), pytest.raises(OSError, match=r"no host example\.sim"):
        await trio.socket.getaddrinfo("example.sim", 80)
    real = trio.socket.socket()
    assert isinstance(real.fileno(), int)
    real.close()


async def test_addresses_are_those_of_tcp(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            assert client.socket.getpeername() == server.socket.getsockname()
            assert server.socket.getpeername() == client.socket.getsockname()
            assert server.socket.getsockname()[0] == ADDRESS
            assert client.socket.getsockname()[1] != server.socket.getsockname()[1]


async def test_binding_errors_are_those_of_tcp(autojump_clock: trio.abc.Clock) -> None:
    with make_network().install():
        [listener] = await trio.open_tcp_listeners(80, host=ADDRESS)
        with pytest.raises(OSError, match="in use"):
            await trio.open_tcp_listeners(80, host=ADDRESS)
        with pytest.raises(OSError, match="add_host it first"):
            await trio.open_tcp_listeners(80, host="10.9.9.9")
        await listener.aclose()
        [again] = await trio.open_tcp_listeners(80)  # any address, and no IPv6
        client = await trio.open_tcp_stream(HOST, 80)
        assert (await again.accept()).socket.getsockname() == (ADDRESS, 80)
        await client.aclose()
        with pytest.raises(OSError, match="IPv4") as caught:
            trio.socket.socket(stdlib_socket.AF_INET6)
        assert caught.value.errno == errno.EAFNOSUPPORT


async def test_bytes_arrive_in_order_after_the_latency(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(latency_seconds=(0.1, 0.5))).install():
        async with connected(network) as (client, server):
            sent_at = trio.current_time()
            for n in range(200):
                await client.send_all(bytes([n]))
            received = b""
            while len(received) < 200:
                received += await server.receive_some()
                assert trio.current_time() - sent_at >= 0.1
            assert received == bytes(range(200))
            assert trio.current_time() - sent_at <= 0.5

        network.set_latency(HOST, 2, 2)
        async with connected(network) as (client, server):
            sent_at = trio.current_time()
            await server.send_all(b"a")
            await client.receive_some()
            assert trio.current_time() - sent_at == pytest.approx(2)


async def test_sender_waits_while_nobody_reads(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(buffer_bytes=1000)).install():
        async with connected(network) as (client, server), trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, b"x" * 5000)
            await trio.sleep(10)
            assert network.statistics().bytes_to_hosts == 1000
            received = b""
            while len(received) < 5000:
                received += await server.receive_some()


async def test_closing_wakes_who_waits_on_the_socket(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(buffer_bytes=1000)).install():
        [listener] = await trio.open_tcp_listeners(80, host=ADDRESS)
        async with connected(network) as (client, _), trio.open_nursery() as nursery:

            async def fails(operation: object, *args: object) -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await operation(*args)  # type: ignore[operator]

            nursery.start_soon(fails, client.receive_some)
            nursery.start_soon(fails, client.send_all, b"x" * 5000)
            nursery.start_soon(fails, listener.accept)
            await wait_all_tasks_blocked()
            await client.aclose()
            await listener.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await client.receive_some()
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()


async def test_half_closed_connection_still_carries_the_answer(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            await client.send_all(b"question")
            await client.send_eof()
            assert await server.receive_some() == b"question"
            assert await server.receive_some() == b""
            await server.send_all(b"answer")
            assert await client.receive_some() == b"answer"
            with pytest.raises(trio.ClosedResourceError):
                await client.send_all(b"more")


async def test_sending_to_a_closed_end_is_answered_by_a_reset(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            await client.aclose()
            await server.send_all(b"nobody reads this")  # a TCP sender learns of it only a moment later
            await trio.sleep(1)
            with pytest.raises(trio.BrokenResourceError):
                await server.send_all(b"or this")
            with pytest.raises(trio.BrokenResourceError):
                await server.receive_some()


async def test_half_open_connection_is_reset_for_the_host_and_silent_for_the_client(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(buffer_bytes=1000)).install():
        async with connected(network) as (client, server):
            await server.send_all(b"under way")
            assert network.half_open(HOST) == 1
            with pytest.raises(trio.BrokenResourceError):
                await server.receive_some()
            await server.aclose()
            await client.send_all(b"into nowhere")
            with trio.move_on_after(1_000):
                pytest.fail(f"heard of it: {await client.receive_some()!r}")
            with trio.move_on_after(1_000):
                await client.send_all(b"x" * 2_000)  # nobody acknowledges it: the buffer fills
                pytest.fail("more was taken than the buffer holds")
            network.repair()
            with trio.move_on_after(1_000):
                pytest.fail(f"heard of it: {await client.receive_some()!r}")


async def test_sender_blocked_on_a_reader_that_closes_is_woken_by_the_reset(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(buffer_bytes=1000)).install():
        async with connected(network) as (client, server), trio.open_nursery() as nursery:
            woken = trio.Event()

            async def send() -> None:
                try:
                    while True:
                        await server.send_all(b"x" * 500)
                except trio.BrokenResourceError:
                    woken.set()

            nursery.start_soon(send)
            await trio.sleep(1)
            await client.aclose()
            with trio.fail_after(10):
                await woken.wait()


async def test_refused_connections_and_unknown_ports_are_econnrefused(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        for port, fault in ((81, None), (80, network.refuse(HOST))):
            sock = trio.socket.socket()
            with pytest.raises(ConnectionRefusedError):
                await sock.connect((ADDRESS, port))
            sock.close()
            if fault is not None:
                fault.repair()
        assert network.statistics().connections_refused == 2


async def test_full_accept_queue_makes_connecting_wait(autojump_clock: trio.abc.Clock) -> None:
    with make_network().install():
        [listener] = await trio.open_tcp_listeners(80, host=ADDRESS, backlog=2)
        clients = [await trio.open_tcp_stream(HOST, 80) for _ in range(2)]
        with trio.move_on_after(10) as scope:
            await trio.open_tcp_stream(HOST, 80)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.open_tcp_stream, HOST, 80)
            await wait_all_tasks_blocked()
            await listener.accept()
        assert len(clients) == 2


async def test_listener_that_closes_resets_what_nobody_accepted(autojump_clock: trio.abc.Clock) -> None:
    with make_network().install():
        [listener] = await trio.open_tcp_listeners(80, host=ADDRESS)
        client = await trio.open_tcp_stream(HOST, 80)
        await listener.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()


@pytest.mark.parametrize(("direction", "is_to_held", "is_from_held"), [("both", True, True), ("to", True, False), ("from", False, True)])
async def test_partition_holds_bytes_in_its_direction_until_repaired(
    autojump_clock: trio.abc.Clock, direction: str, is_to_held: bool, is_from_held: bool
) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            fault = network.partition(HOST, direction)  # type: ignore[arg-type]
            for sender, receiver, is_held in ((client, server, is_to_held), (server, client, is_from_held)):
                await sender.send_all(b"held?")
                with trio.move_on_after(60) as scope:
                    assert await receiver.receive_some() == b"held?"
                assert scope.cancelled_caught is is_held
            fault.repair()
            for receiver, is_held in ((server, is_to_held), (client, is_from_held)):
                if is_held:
                    assert await receiver.receive_some() == b"held?"


async def test_closing_during_a_partition_with_unread_bytes_resets_the_host_after_the_repair(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            await server.send_all(b"unread")
            await trio.sleep(1)
            with network.partition(HOST):
                await client.aclose()
                with trio.move_on_after(10):
                    pytest.fail(f"heard of it: {await server.receive_some()!r}")
            await trio.sleep(1)
            with pytest.raises(trio.BrokenResourceError):
                await server.receive_some()


async def test_partition_lets_what_has_arrived_be_read(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            await client.send_all(b"arrived")
            await trio.sleep(1)
            with network.partition(HOST):
                assert await server.receive_some() == b"arrived"


async def test_connection_attempt_during_a_partition_hangs_and_succeeds_after_the_repair(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        [_] = await trio.open_tcp_listeners(80, host=ADDRESS)
        fault = network.partition(HOST, "from")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.open_tcp_stream, HOST, 80)
            await trio.sleep(3600)
            assert network.statistics().connections_opened == 0
            fault.repair()
        assert network.statistics().connections_opened == 1


async def test_stalled_host_accepts_connections_and_holds_their_bytes(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install(), network.stall(HOST):
        async with connected(network) as (client, server):
            await client.send_all(b"hello")
            with trio.move_on_after(60):
                pytest.fail(f"received {await server.receive_some()!r}")
            network.repair(HOST)
            assert await server.receive_some() == b"hello"


async def test_slow_line_carries_so_many_bytes_a_second_in_pieces(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(latency_seconds=(0, 0))).install(), network.slow(HOST, 100):
        async with connected(network) as (client, server):
            started = trio.current_time()
            await client.send_all(b"x" * 1000)
            arrivals = []
            received = 0
            while received < 1000:
                received += len(await server.receive_some())
                arrivals.append(trio.current_time() - started)
            assert arrivals[-1] == pytest.approx(10)
            assert len(arrivals) > 10


async def test_dropped_connections_are_reset_at_both_ends_and_lose_what_was_under_way(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            await client.send_all(b"arrived")
            await trio.sleep(1)
            await client.send_all(b"under way")
            assert network.drop_connections(HOST) == 1
            assert await server.receive_some() == b"arrived"
            for end in (client, server):
                with pytest.raises(trio.BrokenResourceError, match="reset"):
                    await end.receive_some()
                with pytest.raises(trio.BrokenResourceError):
                    await end.send_all(b"x")
        assert network.statistics().connections_reset == 1
        assert network.statistics().connections_open == 0


async def test_dropping_wakes_blocked_senders_and_receivers(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(buffer_bytes=100)).install():
        async with connected(network) as (client, server), trio.open_nursery() as nursery:

            async def breaks(operation: object, *args: object) -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await operation(*args)  # type: ignore[operator]

            nursery.start_soon(breaks, client.send_all, b"x" * 1000)
            nursery.start_soon(breaks, client.receive_some)
            await wait_all_tasks_blocked()
            network.drop_connections(HOST)
        assert server is not None


@pytest.mark.parametrize("n_bytes", [0, 4, 5, 9])
async def test_cut_lets_so_many_bytes_pass_and_resets_both_ends_once(autojump_clock: trio.abc.Clock, n_bytes: int) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            network.cut_after(HOST, n_bytes)
            await client.send_all(b"01234")
            await client.send_all(b"56789")
            received = b""
            with pytest.raises(trio.BrokenResourceError, match="reset"):  # noqa: PT012
                while True:
                    received += await server.receive_some()
            assert received == b"0123456789"[:n_bytes]
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()
        async with connected(network) as (client, server):
            await client.send_all(b"x" * 1000)
            assert await server.receive_some() == b"x" * 1000
        assert network.statistics().faults_in_force == 0


async def test_cut_wakes_a_host_that_is_blocked_sending_the_other_way(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network(buffer_bytes=100)).install():
        async with connected(network) as (client, server), trio.open_nursery() as nursery:

            async def send() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await server.send_all(b"x" * 1000)

            nursery.start_soon(send)
            await wait_all_tasks_blocked()
            network.cut_after(HOST, 0)
            await client.send_all(b"y")
            nursery.cancel_scope.deadline = trio.current_time() + 10
        assert not nursery.cancel_scope.cancelled_caught


async def test_close_without_frame_ends_both_directions_after_what_is_under_way(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, server):
            await server.send_all(b"last words")
            assert network.close_without_frame(HOST) == 1
            assert await client.receive_some() == b"last words"
            assert await client.receive_some() == b""
            assert await server.receive_some() == b""
            await client.send_all(b"into the void")
            await trio.sleep(1)
            with pytest.raises(trio.BrokenResourceError):
                await client.send_all(b"again")


async def test_fault_of_one_host_leaves_the_others_alone(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        network.add_host("other.sim", "10.1.0.2")
        [_] = await trio.open_tcp_listeners(80, host=ADDRESS)
        with network.partition("other.sim"), network.refuse("other.sim"), network.fail_dns("other.sim"):
            await (await trio.open_tcp_stream(HOST, 80)).aclose()
            with pytest.raises(OSError, match="name resolution"):
                await trio.open_tcp_stream("other.sim", 80)
        with pytest.raises(ValueError, match=r"no host 'typo\.sim'"):
            network.refuse("typo.sim")


async def test_faults_as_data_and_as_verbs_are_the_same_and_end_with_their_block(autojump_clock: trio.abc.Clock) -> None:
    network = make_network()
    with network.fault(Fault(kind=FaultKind.REFUSE, host=HOST)) as by_data, network.refuse(ADDRESS) as by_verb:
        assert by_data.fault.kind is by_verb.fault.kind
        assert network.statistics().faults_in_force == 2
        by_verb.repair()
        assert network.statistics().faults_in_force == 1
    assert network.statistics().faults_in_force == 0
    assert network.statistics().faults_installed == 2


async def test_trace_and_statistics_see_everything_put_on_the_wire(autojump_clock: trio.abc.Clock) -> None:
    events: list[WireEvent] = []
    with (network := make_network(trace=events.append)).install():
        async with connected(network) as (client, server):
            await client.send_all(b"abc")
            await server.receive_some()
            await server.send_all(b"de")
            await client.receive_some()
    assert [(event.connection, event.direction, event.kind, event.data) for event in events] == [
        (1, "to", "open", b""),
        (1, "to", "data", b"abc"),
        (1, "from", "data", b"de"),
        (1, "from", "fin", b""),
        (1, "to", "fin", b""),
    ]
    statistics = network.statistics()
    assert (statistics.bytes_to_hosts, statistics.bytes_from_hosts, statistics.connections_opened) == (3, 2, 1)


async def test_two_readers_of_one_socket_are_a_mistake_that_is_told(autojump_clock: trio.abc.Clock) -> None:
    with (network := make_network()).install():
        async with connected(network) as (client, _), trio.open_nursery() as nursery:
            nursery.start_soon(client.receive_some)
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await client.receive_some()
            nursery.cancel_scope.cancel()
