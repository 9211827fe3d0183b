"""Worlds in which random faults strike at random moments: nothing unsafe ever happens, and once they are over all is well.

A failing seed is replayed, with its plan and its story, by ``python bench/random_faults.py SEED``; the same command with
``FIRST:LAST`` runs as many more as there is time for.
"""

from __future__ import annotations

import pytest

from soak.strikes import KINDS, PRIVATE_LINE_KINDS
from soak.swarm import draw_plan, run_seed

SEEDS = range(1, 61)
REPEATED_SEEDS = (3, 29, 58)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_faults_break_nothing_and_are_recovered_from(seed: int) -> None:
    outcome = run_seed(seed)
    assert not outcome.violation, f"{draw_plan(seed)}\n\n{outcome.violation}"


@pytest.mark.parametrize("seed", REPEATED_SEEDS)
def test_same_seed_of_random_faults_gives_the_same_trace(seed: int) -> None:
    first, second = run_seed(seed), run_seed(seed)
    assert first.trace == second.trace
    assert first == second


def test_every_kind_of_fault_has_a_place_in_the_plans_of_the_suite() -> None:
    drawn = {strike.kind for seed in SEEDS for _, strike in draw_plan(seed).strikes}
    assert drawn == {*KINDS, *PRIVATE_LINE_KINDS}
