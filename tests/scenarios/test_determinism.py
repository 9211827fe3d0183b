"""One seed is one run, bit for bit, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from world import World, run_world

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def trace_of(seed: int) -> str:
    """The hash of everything the program told, with its times, in two cycles with crashes and network trouble."""

    async def troubled(world: World) -> None:
        world.exchange.delay_private_events(0.05, jitter_seconds=0.2)
        await world.start(cycles=2)
        await world.wait_until(lambda: bool(world.exchange.orders()))
        world.network.drop_connections("exchange.sim")
        world.crash_cycle()
        await world.end(within_seconds=600)

    return run_world(troubled, seed=seed).trace.hexdigest()


def trace_in_another_process(seed: int, hash_seed: str) -> str:
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(HERE)!r}]; import test_determinism as t; print(t.trace_of({seed}))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_same_seed_gives_the_same_trace_in_two_processes_with_different_hash_seeds() -> None:
    assert trace_in_another_process(81, "1") == trace_in_another_process(81, "2") == trace_of(81)


def test_other_seed_gives_another_trace() -> None:
    assert trace_of(81) != trace_of(82)
