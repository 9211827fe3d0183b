"""A world in which no time passes ends, as a violation that says who spins, and does not take the campaign with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from soak.campaign.arguments import parse_arguments
from soak.campaign.processes import Job, Tell, running_each
from soak.campaign.seeds import options_of
from soak.outcome import Outcome, Verdict
from soak.run import run_options
from soak.worlds import pace
from soak.worlds.world import World

SPINS_AT_SECONDS = 3.0


async def spin() -> None:
    await trio.sleep(SPINS_AT_SECONDS)
    while True:
        await trio.lowlevel.checkpoint()


async def spin_for_ever() -> None:
    await trio.sleep(SPINS_AT_SECONDS)
    with trio.CancelScope(shield=True):
        await spin()


async def never_wait() -> None:
    await trio.sleep(SPINS_AT_SECONDS)
    number = 0
    while True:
        number += 1


def world_with(task: Callable[[], Awaitable[None]]) -> Outcome:
    def watch(world: World) -> None:
        world.nursery.start_soon(task)

    return run_options(options_of(3, parse_arguments(["--hours", "0.01", "--faults", "none"])), watch=watch)


def world_of_a_process(task: Callable[[], Awaitable[None]], tell: Tell) -> Outcome:
    return world_with(task)


def test_task_that_only_lets_others_run_is_named_with_the_line_where_it_is() -> None:
    outcome = world_with(spin)
    assert outcome.verdict is Verdict.VIOLATION
    assert outcome.first_line == f"at 3.0000 s: {pace.STEPS_AT_ONCE_MAX} steps were taken at once, and no time passes; these tasks spin:"
    assert "test_pace.spin\n    soak/test_pace.py:" in outcome.told
    assert outcome.virtual_seconds == SPINS_AT_SECONDS


def test_task_that_cannot_even_be_cancelled_ends_with_its_world_and_the_next_one_lives() -> None:
    jobs = [Job(seed, partial(world_of_a_process, spin_for_ever if seed == 1 else trio.sleep_forever)) for seed in (1, 2)]
    with running_each(jobs, at_once=1, tell=lambda seed, virtual_seconds: None) as ended:
        (_, first), (_, second) = ended
    assert first.verdict is Verdict.VIOLATION
    assert "test_pace.spin_for_ever\n    soak/test_pace.py:" in first.told
    assert second.verdict is Verdict.FINE


def test_loop_that_does_not_even_let_others_run_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PROCESSOR_SECONDS_MAX", 1.0)
    monkeypatch.setattr(pace, "STEPS_BETWEEN_SETTINGS", 50)
    outcome = world_with(never_wait)
    assert outcome.verdict is Verdict.VIOLATION
    assert outcome.first_line == "at 3.0000 s: a single step has taken more than 1 s of the processor; it spins here:"
    assert outcome.told.splitlines()[1].endswith("in never_wait")
