"""The whole program in worlds drawn from seeds, with every kind of fault: a fixed budget, and some worlds that nobody has seen before.

A failure names the command that replays it; many more worlds are run by `bin/mm-soak` (docs/simulation.md).
"""

from __future__ import annotations

import os
import random

import pytest

from assembly.registry import EXCHANGES, STRATEGIES
from soak.campaign.arguments import parse_arguments
from soak.campaign.seeds import has_repeated, options_of, run_seeds
from soak.faults.kinds import KINDS
from soak.faults.strike import Group
from soak.options import REGIMES, draw_options
from soak.outcome import Verdict
from soak.run import run_options
from soak.strategies import STRATEGY_PARAMETERS

HOURS = "0.02"
SEEDS = range(1, 11)
# Another handful each time, the same in all processes of one run of the tests; a test's name tells its seed.
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(random.SystemRandom().random())
NEW_SEEDS = random.Random(RUN).sample(range(1_000, 1_000_000_000), k=3)


def check(seed: int) -> None:
    arguments = parse_arguments(["--seed", str(seed), "--hours", HOURS])
    outcome = run_options(options_of(seed, arguments))
    assert outcome.verdict is Verdict.FINE, f"{arguments.replay(seed)}\n" + "\n".join([*outcome.options, outcome.told])


@pytest.mark.parametrize("seed", SEEDS)
def test_random_faults_break_nothing_and_are_recovered_from(seed: int) -> None:
    check(seed)


@pytest.mark.parametrize("seed", NEW_SEEDS)
def test_random_faults_of_worlds_that_nobody_has_seen_break_nothing(seed: int) -> None:
    check(seed)


def test_same_seed_gives_the_same_trace_in_processes_that_hash_otherwise() -> None:
    arguments = parse_arguments(["--seed", "2", "--hours", "0.01", "--repeat", "1"])
    (outcome,) = run_seeds(arguments)
    assert outcome.is_repeated
    assert len(outcome.other_hashes) == 2
    assert has_repeated(outcome), (outcome.trace_hash, outcome.other_hashes)


def test_worlds_without_faults_have_none_and_are_quiet() -> None:
    arguments = parse_arguments(["--seed", "6", "--hours", "0.02", "--faults", "none"])
    outcome = run_options(options_of(6, arguments))
    assert (outcome.verdict, outcome.strikes, outcome.unknown_fates, outcome.restarts_of_actors) == (Verdict.FINE, {}, 0, 0), outcome.told
    assert outcome.orders > 0
    assert outcome.fills > 0


def test_every_exchange_strategy_regime_and_kind_of_fault_has_a_place_in_the_worlds_of_a_hundred_seeds() -> None:
    drawn = [draw_options(seed, hours=1, kinds=tuple(KINDS)) for seed in range(1, 101)]
    assert {name for options in drawn for name in options.exchanges} == set(EXCHANGES)
    assert {cycle.strategy for options in drawn for cycle in options.cycles} == set(STRATEGIES) == set(STRATEGY_PARAMETERS)
    assert {regime for options in drawn for regime in options.regimes.values()} == set(REGIMES)
    assert {kind for options in drawn for kind in options.kinds} == set(KINDS)
    assert any(len(options.exchanges) > 1 for options in drawn)


def test_every_group_of_faults_has_kinds() -> None:
    assert {kind.group for kind in KINDS.values()} == set(Group)
