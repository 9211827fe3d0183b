"""The same seed gives the same bytes on the wire at the same times, in any process."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio._core._run as trio_scheduler
import wsproto.frame_protocol
from deterministic_world import world

from network.deterministic import run_deterministically

HERE = Path(__file__).parent


def run_in_a_process(seed: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join((str(HERE.parent.parent), str(HERE)))}
    program = [sys.executable, str(HERE / "deterministic_world.py"), str(seed)]
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def test_two_processes_with_different_hash_seeds_give_the_same_wire_bit_for_bit() -> None:
    first, second = run_in_a_process(11, "1"), run_in_a_process(11, "2")
    digest, events = first.split()
    assert first == second
    assert int(events) > 1000
    assert digest != run_deterministically(world, 12, seed=12)[0]


def test_same_seed_twice_in_one_process_gives_the_same_wire() -> None:
    assert run_deterministically(world, 3, seed=3) == run_deterministically(world, 3, seed=3)


def test_seed_of_the_run_alone_changes_the_wire() -> None:
    assert run_deterministically(world, 3, seed=3) != run_deterministically(world, 3, seed=4)


def test_libraries_are_put_back_also_after_a_failure() -> None:
    flag = trio_scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    state = trio_scheduler._r.getstate()

    async def fail() -> None:
        assert trio_scheduler._ALLOW_DETERMINISTIC_SCHEDULING
        assert wsproto.frame_protocol.os is not os
        await trio.sleep(random.Random(1).random() * 1e6)
        raise LookupError

    with pytest.raises(LookupError):
        run_deterministically(fail, seed=1)
    assert trio_scheduler._ALLOW_DETERMINISTIC_SCHEDULING is flag
    assert trio_scheduler._r.getstate() == state
    assert wsproto.frame_protocol.os is os
