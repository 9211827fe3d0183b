"""Runs the world of a seed, in this process, from its beginning to its end."""

from __future__ import annotations

import gc
import tempfile
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trio

from network.deterministic import run_deterministically
from soak.life import Life
from soak.options import Options
from soak.outcome import Outcome, Verdict
from soak.transitions import counting_transitions
from soak.worlds.errors import NotConverged, Violation
from soak.worlds.journal import WorldJournal
from soak.worlds.pace import Pace
from soak.worlds.world import World
from supervision.errors import leaf_errors

COLLECT_EVERY = 100_000  # new objects that hold others


def run_options(options: Options, *, watch: Callable[[World], None] | None = None) -> Outcome:
    """What is wrong is in the outcome. `watch` is given the world before anything happens in it.

    Raises:
        KeyboardInterrupt: Ctrl-C came meanwhile, wherever in the world it was met.
    """
    outcome = Outcome(seed=options.seed, options=options.describe())
    errors_of_real_disk: list[str] = []
    pace = Pace()
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mm-soak-") as folder, counting_transitions(outcome.transitions), _collecting_rarely():
        try:
            with pace.watching():
                world = partial(_world, options, outcome, errors_of_real_disk, pace, Path(folder), watch)
                run_deterministically(world, seed=options.seed, watch_steps=pace.step)
        except Exception as error:  # noqa: BLE001  whatever goes wrong in a world is what this looks for
            outcome.verdict, outcome.told = _judged(error)
        except BaseExceptionGroup as error:
            if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaf_errors(error)):
                raise KeyboardInterrupt from None
            raise
    if pace.found is not None:
        outcome.verdict, outcome.told = Verdict.VIOLATION, pace.found
    if errors_of_real_disk:
        told = f"the disk that the simulator runs on failed: {errors_of_real_disk[0]}"
        outcome.verdict, outcome.told = Verdict.HARNESS_CRASHED, f"{told}\n{outcome.told}"
    outcome.real_seconds = time.monotonic() - began_at
    return outcome


@contextmanager
def _collecting_rarely() -> Generator[None]:
    """Nearly nothing of a world is garbage in cycles: Python need not look for it every 700 objects."""
    thresholds = gc.get_threshold()
    gc.set_threshold(COLLECT_EVERY, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


async def _world(
    options: Options, outcome: Outcome, errors_of_real_disk: list[str], pace: Pace, folder: Path, watch: Callable[[World], None] | None
) -> None:
    async with trio.open_nursery() as nursery:
        pace.world = nursery.cancel_scope
        first, *others = options.exchanges
        world = World(
            options.seed,
            nursery,
            latency_seconds=options.latencies_seconds[first],
            exchange_name=first,
            other_exchanges=others,
            journal=WorldJournal(folder / "journal.db"),
            buffer_bytes=options.buffer_bytes,
            epoch_milliseconds=options.epoch_milliseconds,
        )
        with world.machine.install():
            for venue in world.venues.values():
                await world.open_venue(venue, options.simulations[venue.name])
            if watch is not None:
                watch(world)
            life = Life(world, options, outcome)
            try:
                await life.live()
            finally:
                life.count_facts()
                errors_of_real_disk += world.journal.errors_of_real_disk
                world.journal.close()
            nursery.cancel_scope.cancel()


def _judged(error: Exception) -> tuple[Verdict, str]:
    leaves = leaf_errors(error)
    found = [leaf for leaf in leaves if isinstance(leaf, Violation)]
    for leaf in sorted(found, key=lambda leaf: isinstance(leaf, NotConverged)):
        cause = "" if leaf.__cause__ is None else "\n" + "".join(traceback.format_exception(leaf.__cause__))
        return Verdict.NOT_CONVERGED if isinstance(leaf, NotConverged) else Verdict.VIOLATION, str(leaf) + cause
    return Verdict.HARNESS_CRASHED, "".join(traceback.format_exception(error))
