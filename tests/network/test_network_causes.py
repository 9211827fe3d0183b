"""Who let something go wrong on the network is told once that has an effect, and not when it is put in force."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from network.causes import NO_CAUSE, Cause, current_cause
from network.faults import Fault, FaultKind
from network.simulated_network import SimulatedNetwork

HOST, ADDRESS, PORT = "api.gate.sim", "10.1.0.1", 80


class Told:
    """A cause, and how often it told."""

    def __init__(self) -> None:
        self.times = 0
        self.cause = Cause(self._count)

    def _count(self) -> None:
        self.times += 1


def test_cause_tells_of_its_first_effect_only() -> None:
    told = Told()
    with told.cause.at_work():
        assert current_cause() is told.cause
    assert told.times == 0
    told.cause.had_effect()
    told.cause.had_effect()
    assert told.times == 1


async def test_task_that_is_started_at_work_goes_on_at_it_and_another_cause_hides_the_first() -> None:
    seen: list[Cause] = []
    told = Told()

    async def look() -> None:
        seen.append(current_cause())

    async with trio.open_nursery() as nursery:
        with told.cause.at_work():
            nursery.start_soon(look)
            with NO_CAUSE.at_work():
                seen.append(current_cause())
        seen.append(current_cause())
    assert seen == [NO_CAUSE, NO_CAUSE, told.cause]


async def come(network: SimulatedNetwork, listener: trio.SocketListener) -> None:
    """Open a connection, and send over it."""
    with trio.move_on_after(1.0):
        try:
            client = await trio.open_tcp_stream(HOST, PORT)
        except OSError:
            return
        async with client:
            await client.send_all(b"hello")
            await (await listener.accept()).receive_some()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.REFUSE, host=HOST),
        Fault(kind=FaultKind.PARTITION, host=HOST),
        Fault(kind=FaultKind.STALL, host=HOST, direction="to"),
        Fault(kind=FaultKind.SLOW, host=HOST, bytes_per_second=500.0),
        Fault(kind=FaultKind.FAIL_DNS, host=HOST),
        Fault(kind=FaultKind.CUT, host=HOST, n_bytes=2),
    ],
    ids=lambda fault: fault.kind.value,
)
async def test_installed_fault_has_an_effect_once_somebody_meets_it(fault: Fault, autojump_clock: trio.testing.MockClock) -> None:
    network, told, unmet = SimulatedNetwork(random.Random(1)), Told(), Told()
    network.add_host(HOST, ADDRESS)
    with network.install():
        [listener] = await trio.open_tcp_listeners(PORT, host=ADDRESS)
        with unmet.cause.at_work(), network.fault(fault):
            await wait_all_tasks_blocked()
        with told.cause.at_work():
            installed = network.fault(fault)
        assert told.times == 0
        await come(network, listener)
        installed.repair()
        await come(network, listener)
        await listener.aclose()
    assert (told.times, unmet.times) == (1, 0)


async def test_fault_of_the_other_direction_or_of_another_host_has_no_effect(autojump_clock: trio.testing.MockClock) -> None:
    network, told = SimulatedNetwork(random.Random(1)), Told()
    network.add_host(HOST, ADDRESS)
    network.add_host("other.sim", "10.1.0.2")
    with network.install():
        [listener] = await trio.open_tcp_listeners(PORT, host=ADDRESS)
        with told.cause.at_work():
            network.stall(HOST, "from")
            network.refuse("other.sim")
            network.fail_dns("other.sim")
            network.drop_connections(HOST)
        await come(network, listener)
        await listener.aclose()
    assert told.times == 0


async def test_bytes_that_are_under_way_when_a_stall_begins_are_an_effect(autojump_clock: trio.testing.MockClock) -> None:
    network, told = SimulatedNetwork(random.Random(1), latency_seconds=(0.1, 0.1)), Told()
    network.add_host(HOST, ADDRESS)
    with network.install():
        [listener] = await trio.open_tcp_listeners(PORT, host=ADDRESS)
        async with await trio.open_tcp_stream(HOST, PORT) as client, await listener.accept():
            await client.send_all(b"hello")
            with told.cause.at_work():
                network.stall(HOST, "to")
            assert told.times == 1
        await listener.aclose()
