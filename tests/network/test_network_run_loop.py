"""Rounds that the jumping clock makes are those that Trio would make: whatever tasks do, they do it in the same order at the same time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
import trio
import trio.testing

from network import jumping_clock
from network.deterministic import run_deterministically

STEPS = 60
TASKS = 12


class _Expected(Exception):
    pass


async def _restless(seed: int, log: list[tuple[int, float, str]]) -> None:
    """Tasks that sleep, wait for each other, are cancelled and fail, as a seed has it."""
    rng = random.Random(seed)
    events = [trio.Event() for _ in range(TASKS)]
    token = trio.lowlevel.current_trio_token()

    async def task(number: int) -> None:
        for _ in range(STEPS):
            what = rng.choice(("sleep", "sleep", "checkpoint", "wait", "tell", "cancelled", "fail", "child", "idle", "outside", "shielded"))
            log.append((number, trio.current_time(), what))
            match what:
                case "sleep":
                    await trio.sleep(rng.choice((0.0, 0.25, 0.5, rng.random())))
                case "checkpoint":
                    await trio.lowlevel.checkpoint()
                case "wait":
                    with trio.move_on_after(rng.random()):
                        await events[rng.randrange(TASKS)].wait()
                case "tell":
                    events[number].set()
                    events[number] = trio.Event()
                case "cancelled":
                    with trio.CancelScope() as scope:
                        scope.cancel()
                        await trio.sleep(1)
                case "fail":
                    with pytest.RaisesGroup(_Expected):
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(fail)
                            nursery.start_soon(trio.sleep_forever)
                case "child":
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(trio.sleep, rng.random())
                        nursery.start_soon(trio.lowlevel.checkpoint)
                case "idle":
                    await trio.testing.wait_all_tasks_blocked()
                case "outside":
                    token.run_sync_soon(log.append, (number, trio.current_time(), "came from outside"))
                case _:
                    with trio.move_on_after(0.1), trio.CancelScope(shield=True):
                        await trio.sleep(0.2)

    async def fail() -> None:
        await trio.sleep(rng.random())
        raise _Expected

    async with trio.open_nursery() as nursery:
        for number in range(TASKS):
            nursery.start_soon(task, number)


@pytest.mark.parametrize("seed", range(8))
def test_run_is_the_same_as_in_trios_own_loop(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make_rounds = jumping_clock.make_rounds

    def counting(runner: object) -> None:
        made.append(1)
        make_rounds(runner)

    def run(rounds: Callable[[object], None]) -> list[tuple[int, float, str]]:
        log: list[tuple[int, float, str]] = []
        monkeypatch.setattr(jumping_clock, "make_rounds", rounds)
        run_deterministically(_restless, seed, log, seed=seed)
        return log

    here, trios = run(counting), run(lambda runner: None)
    assert made
    assert len(trios) > TASKS * STEPS
    assert here == trios


def test_thread_that_ends_is_noticed_while_everybody_sleeps_for_ever() -> None:
    async def run() -> str:
        return await trio.to_thread.run_sync(lambda: threading.current_thread().name)

    assert run_deterministically(run, seed=1) != threading.current_thread().name


def test_real_socket_is_read_in_the_instant_in_which_something_comes_while_others_sleep() -> None:
    async def run() -> tuple[bytes, float]:
        near, far = trio.socket.socketpair()

        async def send() -> None:
            await trio.sleep(1.0)
            await near.send(b"real")

        async def tick() -> None:
            for _ in range(1_000):
                await trio.sleep(0.125)

        with near, far:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                nursery.start_soon(tick)
                data = await far.recv(4)
                nursery.cancel_scope.cancel()
            return data, trio.current_time()

    assert run_deterministically(run, seed=1) == (b"real", 1.0)


def test_error_of_a_task_tells_the_frames_of_the_task_and_none_of_the_loop() -> None:
    async def run() -> None:
        await trio.sleep(1)
        raise _Expected

    with pytest.raises(_Expected) as caught:
        run_deterministically(run, seed=1)
    assert "_step" not in [entry.name for entry in caught.traceback]
