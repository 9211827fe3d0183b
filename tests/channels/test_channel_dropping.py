from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from actors.channels.dropping import open_dropping


@pytest.mark.parametrize("capacity", [0, -1, 1.0, True])
def test_dropping_channel_refuses_a_capacity_that_is_no_whole_number_above_zero(capacity: Any) -> None:
    with pytest.raises(ValueError, match="capacity is a whole number above zero"):
        open_dropping(capacity)


async def test_dropping_channel_drops_the_oldest_when_full_and_counts_it() -> None:
    sender, receiver = open_dropping[int](3)
    for value in range(5):
        sender.send_nowait(value)
    statistics = receiver.statistics()
    assert statistics == sender.statistics()
    assert (statistics.capacity, statistics.pending, statistics.dropped, statistics.sent, statistics.received) == (3, 3, 2, 5, 0)
    assert await receiver.receive() == 2
    assert [receiver.receive_nowait(), receiver.receive_nowait()] == [3, 4]


def test_dropping_receiver_takes_the_count_of_drops_since_the_last_time() -> None:
    sender, receiver = open_dropping[int](1)
    for value in range(4):
        sender.send_nowait(value)
    assert receiver.take_dropped() == 3
    assert receiver.take_dropped() == 0
    sender.send_nowait(4)
    assert receiver.take_dropped() == 1
    assert receiver.statistics().dropped == 4


async def test_dropping_receiver_waits_for_an_item_and_a_cancelled_wait_loses_none() -> None:
    sender, receiver = open_dropping[str](2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver.receive)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        sender.send_nowait("kept")
    assert await receiver.receive() == "kept"


async def test_dropping_iteration_ends_when_the_sender_is_closed_and_nothing_is_pending() -> None:
    sender, receiver = open_dropping[str](2)
    sender.send_nowait("last")
    sender.close()
    assert [item async for item in receiver] == ["last"]
    with pytest.raises(trio.ClosedResourceError):
        sender.send_nowait("refused")


async def test_dropping_sender_is_told_that_the_receiver_was_closed() -> None:
    sender, receiver = open_dropping[str](2)
    receiver.close()
    with pytest.raises(trio.BrokenResourceError):
        sender.send_nowait("refused")
