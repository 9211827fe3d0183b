"""Stop the program at random instants, again and again, and count what is left open: ``python bench/kill_at_random.py [N]``.

A simulated exchange runs apart and outlives every run. Exit status: 0 if every stop was clean, otherwise 1.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from harness import print_machine, print_table, quantile

from tests.program.random_kills import Outcome, kill_at, open_exchange, random_instants


def main() -> int:
    parser = argparse.ArgumentParser(description="Stop the program at random instants and count what is left open.")
    parser.add_argument("count", metavar="N", type=int, nargs="?", default=50, help="how many times (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32), help="of the instants (default: a new one)")
    parser.add_argument("--seconds-max", type=float, default=5.0, help="the latest instant (default: %(default)s)")
    parser.add_argument("--sigterm", action="store_true", help="send SIGTERM instead of SIGINT")
    arguments = parser.parse_args()
    number = signal.SIGTERM if arguments.sigterm else signal.SIGINT

    print(f"{number.name} at {arguments.count} random instants of the first {arguments.seconds_max:g} s, seed {arguments.seed}\n")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder, open_exchange(Path(folder)) as exchange:
        for instant_seconds in random_instants(arguments.seed, arguments.count, arguments.seconds_max):
            outcome = kill_at(instant_seconds, number, exchange, Path(folder))
            outcomes.append(outcome)
            print(_line(len(outcomes), arguments.count, outcome), flush=True)
            if not outcome.is_clean:
                print(outcome.story)
        orders, open_at_end = exchange.orders_ever(), exchange.our_open_orders()
    _summarise(outcomes, orders, open_at_end)
    return 0 if all(outcome.is_clean for outcome in outcomes) and not open_at_end else 1


def _line(count: int, of: int, outcome: Outcome) -> str:
    verdict = "clean" if outcome.is_clean else "NOT CLEAN"
    return (
        f"{count:>3}/{of} at {outcome.instant_seconds:5.2f} s, after {outcome.phase:<22} exit {outcome.status}, "
        f"{outcome.stop_seconds:5.2f} s to stop, {len(outcome.left_open)} left open: {verdict}"
    )


def _summarise(outcomes: list[Outcome], orders: int, open_at_end: list[str]) -> None:
    statuses = Counter(outcome.status for outcome in outcomes)
    seconds = [outcome.stop_seconds for outcome in outcomes]
    print()
    print_machine()
    print_table(
        ("figure", "value"),
        [
            ("stops", str(len(outcomes))),
            ("clean stops", str(sum(outcome.is_clean for outcome in outcomes))),
            ("exit statuses", ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))),
            ("orders left open, after each stop", str(sum(len(outcome.left_open) for outcome in outcomes))),
            ("orders left open, at the end", str(len(open_at_end))),
            ("orders placed in all", str(orders)),
            ("kinds of last event before the signal", str(len({outcome.phase for outcome in outcomes}))),
            ("signal to exit, median", f"{quantile(seconds, 0.5):.3f} s"),
            ("signal to exit, longest", f"{max(seconds):.3f} s"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
