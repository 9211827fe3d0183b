"""Many seeds over many processes: each world in one of them, and some of them in a second one that hashes otherwise."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.pool import Pool
from pathlib import Path

import msgspec
from msgspec.structs import replace

from soak.arguments import Arguments
from soak.faults.kinds import kinds_of
from soak.options import Options, draw_options
from soak.outcome import Outcome
from soak.run import run_options

ROOT = Path(__file__).resolve().parent.parent
OTHER_HASH_SEEDS = ("0", "1")


def options_of(seed: int, arguments: Arguments) -> Options:
    """The world of a seed under these arguments.

    Raises:
        ValueError: it has no such cycle.
    """
    options = draw_options(seed, hours=arguments.hours, kinds=kinds_of(arguments.groups), exchanges=arguments.exchanges)
    if arguments.cycles:
        options = options.with_cycles(arguments.cycles)
    return replace(options, plan=arguments.plan)


def run_seeds(arguments: Arguments) -> Generator[Outcome]:
    """The outcome of every seed, as they come. Closed, or with Ctrl-C, it ends at once."""
    seeds = arguments.seeds
    if len(seeds) == 1:
        yield _run(arguments, seeds[0])
        return
    # One at a time are run elsewhere too: Ctrl-C inside a world would be met by whatever part of the program is running.
    with _workers(min(arguments.jobs, len(seeds))) as pool:
        yield from pool.imap_unordered(partial(_run, arguments), seeds)


@contextmanager
def running_each(jobs: int) -> Generator[Callable[[Sequence[Options]], Iterable[Outcome]] | None]:
    """What runs several worlds at once and gives their outcomes in the same order; None for one job, which needs nothing."""
    if jobs == 1:
        yield None
        return
    with _workers(jobs) as pool:
        yield partial(pool.imap, run_options)


@contextmanager
def _workers(jobs: int) -> Generator[Pool]:
    """Processes that have run nothing before, each of which hashes in its own way.

    Ctrl-C is for whoever waits for them: neither they nor what they start hear of it. Leaving the block ends them at once, with
    what they have started and their files.
    """
    resource_tracker.ensure_running()  # the pool would begin it, which lets the signal through again
    with tempfile.TemporaryDirectory(prefix="mm-soak-") as folder:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with multiprocessing.get_context("spawn").Pool(jobs, _keep_files_in, (folder,)) as pool:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                yield pool
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _keep_files_in(folder: str) -> None:
    """Of this process, and of those that it starts."""
    tempfile.tempdir = os.environ["TMPDIR"] = folder


def _run(arguments: Arguments, seed: int) -> Outcome:
    outcome = run_options(options_of(seed, arguments))
    every = round(1 / arguments.repeat_share) if arguments.repeat_share else 0
    if every and seed % every == 0:
        outcome.is_repeated = True
        outcome.other_hashes = tuple(_trace_hash_elsewhere(arguments, seed, hash_seed) for hash_seed in OTHER_HASH_SEEDS)
    return outcome


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
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def has_repeated(outcome: Outcome) -> bool:
    """Whether every run of this seed has left the same trace."""
    return all(other == outcome.trace_hash for other in outcome.other_hashes)
