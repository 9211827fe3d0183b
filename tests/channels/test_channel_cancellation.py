"""Actors die anywhere: whichever step a receiver or sender is cancelled at, its successor finds every item, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from actors.channels.bounded import open_bounded
from actors.channels.dropping import open_dropping
from actors.channels.latest import open_latest

ITEMS = list(range(12))
OPENERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "bounded": lambda: open_bounded[int](3),
    "latest": lambda: open_latest(lambda item: item, len(ITEMS)),
    "dropping": lambda: open_dropping[int](len(ITEMS)),
}


class CancelAtStep(trio.abc.Instrument):
    """Cancels `scope` after the run's step number `step`."""

    def __init__(self, step: int) -> None:
        self.scope = trio.CancelScope()
        self.steps_left = step

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            self.scope.cancel()


def run_with_victim(step: int, main: Callable[[trio.CancelScope], Any]) -> bool:
    """Run `main`, cancelling its victim at `step`; false if it was over before."""
    instrument = CancelAtStep(step)
    trio.run(main, instrument.scope, instruments=[instrument], clock=trio.testing.MockClock(autojump_threshold=0))
    return instrument.steps_left <= 0


@pytest.mark.parametrize("name", OPENERS)
def test_channel_loses_and_duplicates_nothing_when_a_receiver_is_cancelled_at_any_step(name: str) -> None:
    def attempt(step: int) -> bool:
        received: list[int] = []

        async def main(scope: trio.CancelScope) -> None:
            sender, receiver = OPENERS[name]()

            async def consume() -> None:
                async for item in receiver:
                    received.append(item)

            async def lives() -> None:
                with scope:
                    await consume()
                await consume()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(lives)
                for item in ITEMS:
                    await sender.send(item)
                    if item % 4 == 0:
                        await trio.testing.wait_all_tasks_blocked()
                sender.close()

        reached = run_with_victim(step, main)
        assert received == ITEMS, f"cancelled at step {step}"
        return reached

    step = 1
    while attempt(step):
        step += 1
    assert step > len(ITEMS)


@pytest.mark.parametrize("name", OPENERS)
def test_channel_holds_what_a_sender_cancelled_at_any_step_had_sent_and_nothing_else(name: str) -> None:
    def attempt(step: int) -> bool:
        received: list[int] = []
        sent = 0

        async def main(scope: trio.CancelScope) -> None:
            sender, receiver = OPENERS[name]()

            async def produce() -> None:
                nonlocal sent
                with scope:
                    for item in ITEMS:
                        await sender.send(item)
                        sent += 1
                assert sender.statistics().sent == sent
                for item in ITEMS[sent:]:  # the next incarnation goes on where this one was cut off
                    await sender.send(item)
                sender.close()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(produce)
                async for item in receiver:
                    received.append(item)
                    if item % 4 == 0:
                        await trio.testing.wait_all_tasks_blocked()

        reached = run_with_victim(step, main)
        assert received == ITEMS, f"cancelled at step {step}"
        return reached

    step = 1
    while attempt(step):
        step += 1
    assert step > len(ITEMS)
