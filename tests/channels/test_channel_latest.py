from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from actors.channels.latest import LatestReceiver, LatestSender, TooManyKeys, open_latest

Quote = tuple[str, int]


def open_quotes(keys_max: int = 8) -> tuple[LatestSender[Quote], LatestReceiver[Quote]]:
    return open_latest(lambda quote: quote[0], keys_max)


@pytest.mark.parametrize("keys_max", [0, -3, 2.0, True])
def test_latest_channel_refuses_a_keys_max_that_is_no_whole_number_above_zero(keys_max: Any) -> None:
    with pytest.raises(ValueError, match="keys_max is a whole number above zero"):
        open_quotes(keys_max)


def test_latest_channel_overwrites_value_of_same_key() -> None:
    sender, receiver = open_quotes()
    sender.send_nowait(("btc", 1))
    sender.send_nowait(("btc", 2))
    assert receiver.receive_nowait() == ("btc", 2)
    with pytest.raises(trio.WouldBlock):
        receiver.receive_nowait()


async def test_latest_channel_keeps_the_place_of_an_overwritten_key() -> None:
    sender, receiver = open_quotes()
    for quote in [("btc", 1), ("eth", 1), ("btc", 2)]:
        sender.send_nowait(quote)
    assert await receiver.receive() == ("btc", 2)
    sender.send_nowait(("btc", 3))
    assert [receiver.receive_nowait(), receiver.receive_nowait()] == [("eth", 1), ("btc", 3)]


def test_latest_channel_says_what_is_wrong_when_more_keys_are_pending_than_it_was_opened_for() -> None:
    sender, receiver = open_quotes(keys_max=2)
    sender.send_nowait(("btc", 1))
    sender.send_nowait(("eth", 1))
    with pytest.raises(TooManyKeys, match=r"keys_max=2 .* another, 'sol': open it for more keys, or mend its key function"):
        sender.send_nowait(("sol", 1))
    sender.send_nowait(("eth", 2))
    assert [receiver.receive_nowait(), receiver.receive_nowait()] == [("btc", 1), ("eth", 2)]
    sender.send_nowait(("sol", 2))
    assert receiver.receive_nowait() == ("sol", 2)


def test_latest_statistics_account_for_every_value_sent() -> None:
    sender, receiver = open_quotes(keys_max=5)
    for number in range(10):
        sender.send_nowait((f"key {number % 4}", number))
    receiver.receive_nowait()
    statistics = receiver.statistics()
    assert statistics == sender.statistics()
    assert (statistics.keys_max, statistics.pending, statistics.pending_max) == (5, 3, 4)
    assert (statistics.sent, statistics.overwritten, statistics.received) == (10, 6, 1)


async def test_latest_receive_waits_for_a_value() -> None:
    sender, receiver = open_quotes()
    received: list[Quote] = []

    async def receive() -> None:
        received.append(await receiver.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        assert received == []
        await sender.send(("btc", 1))
    assert received == [("btc", 1)]


async def test_latest_channel_wakes_every_waiting_receiver_and_gives_each_value_once() -> None:
    sender, receiver = open_quotes()
    received: list[Quote] = []

    async def receive() -> None:
        received.append(await receiver.receive())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        for key in "abc":
            sender.send_nowait((key, 0))
    assert sorted(received) == [("a", 0), ("b", 0), ("c", 0)]


async def test_latest_value_is_kept_for_the_next_receiver_when_the_woken_one_is_cancelled() -> None:
    sender, receiver = open_quotes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver.receive)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        sender.send_nowait(("btc", 1))  # the receiver is woken by the cancellation, not by this
    assert await receiver.receive() == ("btc", 1)
    assert receiver.statistics().received == 1


async def test_latest_send_cancelled_before_it_began_has_sent_nothing() -> None:
    sender, _ = open_quotes()
    with trio.CancelScope() as scope:
        scope.cancel()
        await sender.send(("btc", 1))
    assert scope.cancelled_caught
    assert sender.statistics().sent == 0


async def test_latest_iteration_ends_when_the_sender_is_closed_and_nothing_is_pending() -> None:
    sender, receiver = open_quotes()
    sender.send_nowait(("btc", 1))
    await sender.aclose()
    assert [quote async for quote in receiver] == [("btc", 1)]
    with pytest.raises(trio.EndOfChannel):
        receiver.receive_nowait()
    with pytest.raises(trio.ClosedResourceError):
        sender.send_nowait(("btc", 2))


async def test_latest_close_of_the_sender_ends_a_waiting_receiver() -> None:
    sender, receiver = open_quotes()

    async def expect_end() -> None:
        with pytest.raises(trio.EndOfChannel):
            await receiver.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_end)
        await trio.testing.wait_all_tasks_blocked()
        sender.close()


async def test_latest_close_of_the_receiver_ends_its_waiters_and_refuses_senders() -> None:
    sender, receiver = open_quotes()

    async def expect_closed() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await receiver.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed)
        await trio.testing.wait_all_tasks_blocked()
        await receiver.aclose()
    with pytest.raises(trio.BrokenResourceError):
        sender.send_nowait(("btc", 1))
    with pytest.raises(trio.ClosedResourceError):
        receiver.receive_nowait()


@pytest.mark.parametrize("pending", [True, False])
async def test_latest_receive_is_a_checkpoint(pending: bool) -> None:
    sender, receiver = open_quotes()
    if pending:
        sender.send_nowait(("btc", 1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await receiver.receive()
    assert scope.cancelled_caught
    assert receiver.statistics().pending == int(pending)
    with trio.testing.assert_checkpoints():
        await sender.send(("btc", 2))
    with trio.testing.assert_checkpoints():
        await receiver.receive()
