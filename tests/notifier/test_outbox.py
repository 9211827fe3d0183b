"""What waits to be told, and what is left out."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.notifier.outbox import KEPT_MAX, Batch, Notification, NotificationKind, Outbox

FILLS, HALTS, STOP = NotificationKind.FILLS, NotificationKind.HALTS, NotificationKind.STOP


def notification(text: str, kind: NotificationKind = FILLS) -> Notification:
    return Notification(kind, 1, text)


async def test_what_was_put_in_is_taken_out_together_oldest_first() -> None:
    outbox = Outbox(NotificationKind)
    for number in range(6):
        outbox.put(notification(str(number), FILLS if number % 2 else HALTS))
    assert [each.text for each in outbox.take().notifications] == ["0", "1", "2", "3", "4", "5"]
    outbox.delivered()
    assert outbox.is_empty


async def test_many_of_one_kind_leave_out_their_oldest_and_none_of_another_kind() -> None:
    outbox = Outbox(NotificationKind)
    outbox.put(notification("halted", HALTS))
    for number in range(KEPT_MAX + 7):
        outbox.put(notification(str(number)))
    batch = outbox.take()
    assert [each.text for each in batch.notifications] == ["halted", *(str(number) for number in range(7, KEPT_MAX + 7))]
    assert batch.left_out == {FILLS: 7}


async def test_what_is_in_hand_stays_there_until_it_is_delivered_and_what_comes_meanwhile_is_the_next() -> None:
    outbox = Outbox(NotificationKind)
    outbox.put(notification("first"))
    first = outbox.take()
    outbox.put(notification("second"))
    assert outbox.take() == first
    outbox.delivered()
    assert outbox.take() == Batch((notification("second"),))


async def test_kinds_that_are_not_wanted_are_not_taken() -> None:
    outbox = Outbox([HALTS])
    outbox.put(notification("fill"))
    assert outbox.is_empty
    assert (outbox.wants(HALTS), outbox.wants(FILLS)) == (True, False)


async def test_waiting_ends_with_the_first_that_comes_and_hurrying_only_with_the_end_of_the_run(autojump_clock: MockClock) -> None:
    outbox, heard = Outbox(NotificationKind), list[str]()

    async def wait_for_any() -> None:
        await outbox.wait()
        heard.append("any")

    async def wait_for_urgent() -> None:
        await outbox.wait_urgent()
        heard.append("urgent")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_any)
        nursery.start_soon(wait_for_urgent)
        await wait_all_tasks_blocked()
        assert heard == []
        outbox.put(notification("fill"))
        await wait_all_tasks_blocked()
        assert heard == ["any"]
        outbox.put(notification("stopping", STOP))
    assert heard == ["any", "urgent"]
