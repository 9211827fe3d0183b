"""Run worlds of random faults: ``python bench/random_faults.py FIRST:LAST``, or one of them with its story: ``… SEED``.

What they are is told in soak/swarm.py. Every 20th seed is run twice and must leave the same trace. Exit status:
0 if nothing was violated, otherwise 1.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable

from harness import print_machine, print_table

from soak.swarm import Outcome, draw_plan, run_seed

REPEAT_EVERY = 20
PROGRESS_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Run worlds of random faults and count what was violated.")
    parser.add_argument("seeds", metavar="FIRST:LAST", help="the seeds, LAST included; or a single one, which then tells its story")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time (default: %(default)s)")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition(":")
    if not last:
        return _replay(int(first))
    seeds = range(int(first), int(last) + 1)
    started_at = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        outcomes = _collect(pool.imap_unordered(_run, seeds, chunksize=4), len(seeds))
    _summarise(outcomes, time.monotonic() - started_at)
    return 1 if any(outcome.violation for outcome in outcomes) else 0


def _run(seed: int) -> Outcome:
    outcome = run_seed(seed)
    if seed % REPEAT_EVERY == 0 and not outcome.violation and run_seed(seed).trace != outcome.trace:
        outcome.violation = "a second run of this seed left another trace"
    return outcome


def _replay(seed: int) -> int:
    print(draw_plan(seed), flush=True)
    outcome = run_seed(seed)
    print(
        f"\n{outcome.virtual_seconds:.1f} s of virtual time, {outcome.orders} orders, {outcome.fills} fills, {outcome.rounds} rounds, "
        f"exit status {outcome.status}\n{outcome.violation or 'nothing was violated'}"
    )
    return 1 if outcome.violation else 0


def _collect(outcomes: Iterable[Outcome], count: int) -> list[Outcome]:
    done: list[Outcome] = []
    told_at = time.monotonic()
    for outcome in outcomes:
        done.append(outcome)
        if outcome.violation:
            print(f"seed {outcome.seed}: {outcome.violation.splitlines()[0]}\n  python bench/random_faults.py {outcome.seed}", flush=True)
        if time.monotonic() - told_at > PROGRESS_SECONDS or len(done) == count:
            told_at = time.monotonic()
            violations = sum(bool(one.violation) for one in done)
            hours = sum(one.virtual_seconds for one in done) / 3600
            print(f"{len(done)} of {count} seeds, {hours:.1f} virtual hours, {violations} violations", flush=True)
    return done


def _summarise(outcomes: list[Outcome], seconds: float) -> None:
    strikes = sum((outcome.strikes for outcome in outcomes), Counter[str]())
    virtual_seconds = sum(outcome.virtual_seconds for outcome in outcomes)
    endings = Counter(f"{outcome.ending}, exit status {outcome.status}" for outcome in outcomes)
    print()
    print_machine()
    print_table(
        ("figure", "value"),
        [
            ("seeds", str(len(outcomes))),
            ("violations", str(sum(bool(outcome.violation) for outcome in outcomes))),
            ("virtual hours", f"{virtual_seconds / 3600:.1f}"),
            ("faster than real time", f"{virtual_seconds / seconds:.0f} times"),
            ("orders at the exchange", str(sum(outcome.orders for outcome in outcomes))),
            ("trades", str(sum(outcome.fills for outcome in outcomes))),
            ("rounds reconciled", str(sum(outcome.rounds for outcome in outcomes))),
            ("orders of unknown fate", str(sum(outcome.unknown for outcome in outcomes))),
            ("restarts of actors", str(sum(outcome.restarts for outcome in outcomes))),
            ("impossible transitions told", str(sum(outcome.impossible for outcome in outcomes))),
            *((f"ended by {ending}", str(count)) for ending, count in sorted(endings.items())),
            ("faults that struck", str(strikes.total())),
            *((f"  {kind}", str(count)) for kind, count in sorted(strikes.items())),
        ],
    )
    slowest = sorted(outcomes, key=lambda outcome: -outcome.virtual_seconds)
    print("\nlongest:", ", ".join(f"seed {one.seed} {one.virtual_seconds:.0f} s" for one in itertools.islice(slowest, 5)))


if __name__ == "__main__":
    sys.exit(main())
