"""Many seeds, each world in a process of its own, and some of them again in two that hash otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio
from msgspec.structs import replace

from soak.campaign.arguments import Arguments
from soak.campaign.processes import Job, Tell, running_each
from soak.campaign.telling import run_telling
from soak.faults.kinds import kinds_of
from soak.options import Options, draw_options
from soak.outcome import Outcome

ROOT = Path(__file__).resolve().parent.parent.parent
OTHER_HASH_SEEDS = ("0", "1")
TELLING_PAUSE_VIRTUAL_SECONDS = 60.0


def options_of(seed: int, arguments: Arguments) -> Options:
    """The world of a seed under these arguments.

    Raises:
        ValueError: it has no such cycle.
    """
    options = draw_options(seed, hours=arguments.hours, kinds=kinds_of(arguments.groups), exchanges=arguments.exchanges)
    if arguments.cycles:
        options = options.with_cycles(arguments.cycles)
    return replace(options, plan=arguments.plan)


def run_seeds(arguments: Arguments, *, tell: Callable[[int, float], None] | None = None) -> Generator[Outcome]:
    """The outcome of every seed, as they come; `tell` is given seeds and how many virtual seconds of them have passed.

    Closed, or with Ctrl-C, it ends at once.
    """
    seeds = arguments.seeds
    if len(seeds) == 1:
        yield _run_seed(arguments, seeds[0], partial(tell or _tell_nobody, seeds[0]))
        return
    # One at a time are run elsewhere too: Ctrl-C inside a world would be met by whatever part of the program is running.
    jobs = (Job(seed, partial(_run_seed, arguments, seed)) for seed in seeds)
    with running_each(jobs, at_once=arguments.jobs, tell=tell or _tell_nobody) as ended:
        for _, outcome in ended:
            yield outcome


def run_in_order(at_once: int, worlds: Sequence[Options]) -> Generator[Outcome]:
    """The outcomes of these worlds, in their order. Closed, it ends at once."""
    jobs = (Job(options.seed, partial(_run_world, options)) for options in worlds)
    early: dict[int, Outcome] = {}
    following = 0
    with running_each(jobs, at_once=at_once, tell=_tell_nobody) as ended:
        for number, outcome in ended:
            early[number] = outcome
            while following in early:
                yield early.pop(following)
                following += 1


def _tell_nobody(seed: int, virtual_seconds: float) -> None:
    """Nobody asks."""


def _run_seed(arguments: Arguments, seed: int, tell: Tell) -> Outcome:
    outcome = _run_world(options_of(seed, arguments), tell)
    every = round(1 / arguments.repeat_share) if arguments.repeat_share else 0
    if every and seed % every == 0:
        outcome.is_repeated = True
        outcome.other_hashes = tuple(_trace_hash_elsewhere(arguments, seed, hash_seed) for hash_seed in OTHER_HASH_SEEDS)
    return outcome


def _run_world(options: Options, tell: Tell) -> Outcome:
    """`tell` is told now and then how far it is."""
    told_at = 0.0

    def look(event: object) -> None:
        nonlocal told_at
        now = trio.current_time()
        if now - told_at >= TELLING_PAUSE_VIRTUAL_SECONDS:
            told_at = now
            tell(now)

    return run_telling(options, tell_event=look)


def _trace_hash_elsewhere(arguments: Arguments, seed: int, hash_seed: str) -> str:
    """The same seed in a new process, in which everything hashed is in another order."""
    command = [sys.executable, "-m", "soak.command", "--seed", str(seed), *arguments.of_world, "--repeat", "0", "--json"]
    environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    with _ending_in_order():
        ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if not ran.stdout:
        return f"it crashed: {ran.stderr.strip().splitlines()[-1:]}"
    return str(msgspec.json.decode(ran.stdout)["worlds"][0]["trace_hash"])


@contextmanager
def _ending_in_order() -> Generator[None]:
    """Whoever ends this process meanwhile ends with it the one that it waits for."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # it is heard already, as an interruption
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def has_repeated(outcome: Outcome) -> bool:
    """Whether every run of this seed has left the same trace."""
    return all(other == outcome.trace_hash for other in outcome.other_hashes)
