from __future__ import annotations

import math
from typing import Any

import pytest
import trio
import trio.testing

from actors.channels.bounded import open_bounded


@pytest.mark.parametrize("capacity", [0, -1, math.inf, 1.5, True])
def test_bounded_channel_refuses_a_capacity_that_is_no_whole_number_above_zero(capacity: Any) -> None:
    with pytest.raises(ValueError, match="capacity is a whole number above zero"):
        open_bounded(capacity)


async def test_bounded_channel_delivers_every_item_in_order() -> None:
    sender, receiver = open_bounded[int](3)

    async def produce() -> None:
        for value in range(20):
            await sender.send(value)
        await sender.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        assert [value async for value in receiver] == list(range(20))


async def test_bounded_sender_waits_while_the_channel_is_full() -> None:
    sender, receiver = open_bounded[str](1)
    sender.send_nowait("first")
    with pytest.raises(trio.WouldBlock):
        sender.send_nowait("refused")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.send, "second")
        await trio.testing.wait_all_tasks_blocked()
        assert sender.statistics().senders_waiting == 1
        assert await receiver.receive() == "first"
        assert await receiver.receive() == "second"
    with pytest.raises(trio.WouldBlock):
        receiver.receive_nowait()


async def test_bounded_statistics_count_what_went_through_and_the_high_water_mark() -> None:
    sender, receiver = open_bounded[int](4)
    for value in range(3):
        sender.send_nowait(value)
    await receiver.receive()
    receiver.receive_nowait()
    statistics = receiver.statistics()
    assert statistics == sender.statistics()
    assert (statistics.capacity, statistics.used, statistics.used_max) == (4, 1, 3)
    assert (statistics.sent, statistics.received) == (3, 2)
    assert (statistics.senders_waiting, statistics.receivers_waiting) == (0, 0)


async def test_bounded_send_cancelled_while_waiting_has_sent_nothing() -> None:
    sender, receiver = open_bounded[str](1)
    await sender.send("kept")
    with trio.move_on_after(0) as scope:
        await sender.send("cancelled")
    assert scope.cancelled_caught
    assert sender.statistics().sent == 1
    assert receiver.receive_nowait() == "kept"
    with pytest.raises(trio.WouldBlock):
        receiver.receive_nowait()


async def test_bounded_channel_serves_the_next_receiver_after_one_was_cancelled_while_waiting() -> None:
    sender, receiver = open_bounded[str](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver.receive)
        await trio.testing.wait_all_tasks_blocked()
        assert receiver.statistics().receivers_waiting == 1
        nursery.cancel_scope.cancel()
    await sender.send("for the next incarnation")
    assert await receiver.receive() == "for the next incarnation"
    assert receiver.statistics().received == 1


async def test_bounded_channel_ends_when_all_clones_of_the_sender_are_closed() -> None:
    sender, receiver = open_bounded[str](2)
    other = sender.clone()
    sender.send_nowait("left")
    sender.close()
    other.send_nowait("behind")
    with pytest.raises(trio.ClosedResourceError):
        sender.send_nowait("refused")
    await other.aclose()
    assert [item async for item in receiver] == ["left", "behind"]
    assert receiver.statistics().sent == 2
    with pytest.raises(trio.EndOfChannel):
        await receiver.receive()


async def test_bounded_sender_is_told_that_every_receiver_was_closed() -> None:
    sender, receiver = open_bounded[int](1)
    other = receiver.clone()
    receiver.close()
    await sender.send(1)
    assert await other.receive() == 1
    await other.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await sender.send(2)
    with pytest.raises(trio.ClosedResourceError):
        await receiver.receive()
