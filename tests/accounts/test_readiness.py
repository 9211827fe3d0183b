"""Readiness that does not come: who is told, when, and how often."""

from __future__ import annotations

from itertools import pairwise

import trio
from trio.testing import MockClock

from actors.accounts.events import AccountNotReady
from actors.accounts.readiness import TELLING_PAUSE_SECONDS_MAX, Readiness


class Watched:
    def __init__(self) -> None:
        self.told: list[AccountNotReady] = []
        self.readiness = Readiness("main", patience_seconds=20.0, report=self._take)

    def _take(self, event: object) -> None:
        assert isinstance(event, AccountNotReady)
        self.told.append(event)


async def test_account_that_is_not_ready_is_told_of_after_patience_and_with_growing_pauses(autojump_clock: MockClock) -> None:
    watched = Watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.readiness.watch)
        watched.readiness.lose("the private stream")
        await trio.sleep(19.9)
        assert watched.told == []
        watched.readiness.say("a comparison with the exchange")
        await trio.sleep(7200)
        nursery.cancel_scope.cancel()
    assert watched.told[0] == AccountNotReady("main", 20.0, "a comparison with the exchange")
    pauses = [after.seconds - before.seconds for before, after in pairwise(watched.told)]
    assert pauses[:4] == [40, 80, 160, 320]
    assert max(pauses) == TELLING_PAUSE_SECONDS_MAX
    assert len(watched.told) < 20


async def test_account_that_gets_ready_in_time_is_told_of_to_nobody_and_is_waited_for_anew_each_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    watched = Watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.readiness.watch)
        for _ in range(5):
            watched.readiness.lose("the private stream")
            await trio.sleep(15)
            watched.readiness.gain()
            await trio.sleep(1)
        await trio.sleep(100)
        assert watched.told == []
        watched.readiness.lose("the private stream")
        await trio.sleep(21)
        nursery.cancel_scope.cancel()
    assert [event.seconds for event in watched.told] == [20.0]


async def test_starts_that_fail_one_after_another_are_one_wait(autojump_clock: MockClock) -> None:
    watched = Watched()
    watched.readiness.lose("the exchange's time")
    for _ in range(3):
        with trio.move_on_after(15):
            watched.readiness.lose("the exchange's time")
            await watched.readiness.watch()
        await trio.sleep(1)
    assert [event.seconds for event in watched.told] == [20.0]
