"""Kill the program at random instants, again and again, where only its guardian cancels: ``python bench/kill_9_at_random.py [N]``.

N kills at every market, or at those named by ``--market``, each on a simulated exchange that runs apart, without a dead-man's
switch. Exit status: 0 if no order of ours was open past the guardian's deadline, nor once it had left, otherwise 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from harness import print_machine, print_table, quantile

from simulated.registry import NAMES
from tests.program.random_kills import Kill9, kill_9_at, open_exchange, random_instants


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the program at random instants and see how its guardian cancels.")
    parser.add_argument("count", metavar="N", type=int, nargs="?", default=10, help="how many times at each market (default: %(default)s)")
    parser.add_argument("--market", action="append", choices=sorted(NAMES), help="only at this one; may be repeated")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32), help="of the instants (default: a new one)")
    parser.add_argument("--seconds-max", type=float, default=3.0, help="the latest instant (default: %(default)s)")
    arguments = parser.parse_args()
    markets = arguments.market or sorted(NAMES)

    print(f"SIGKILL at {arguments.count} random instants of the first {arguments.seconds_max:g} s, seed {arguments.seed}\n")
    kills: list[Kill9] = []
    for market in markets:
        with tempfile.TemporaryDirectory() as folder, open_exchange(Path(folder), market) as exchange:
            for instant_seconds in random_instants(arguments.seed, arguments.count, arguments.seconds_max):
                kill = kill_9_at(instant_seconds, market, exchange, Path(folder))
                kills.append(kill)
                print(_line(len(kills), arguments.count * len(markets), kill), flush=True)
                if not kill.is_clean:
                    print(kill.story)
    _summarise(kills, markets)
    return 0 if all(kill.is_clean for kill in kills) else 1


def _line(count: int, of: int, kill: Kill9) -> str:
    return (
        f"{count:>3}/{of} {kill.market:<14} at {kill.instant_seconds:5.2f} s, after {kill.phase:<22} {kill.open_at_kill} open, "
        f"gone after {kill.gone_seconds:5.2f} s, guardian left after {kill.guardian_seconds:5.2f} s, "
        f"{len(kill.left_open)} left open: {'clean' if kill.is_clean else 'NOT CLEAN'}"
    )


def _summarise(kills: list[Kill9], markets: list[str]) -> None:
    print()
    print_machine()
    header = (
        "market",
        "kills",
        "with an order open",
        "left open",
        "kill to last cancellation: median",
        "longest",
        "guardian left, longest",
    )
    rows = [_row(market, [kill for kill in kills if kill.market == market]) for market in markets]
    print_table(header, [*rows, _row("all", kills)])


def _row(market: str, kills: list[Kill9]) -> tuple[str, ...]:
    seconds = [kill.gone_seconds for kill in kills if kill.gone_seconds]
    return (
        market,
        str(len(kills)),
        str(len(seconds)),
        str(sum(len(kill.left_open) for kill in kills)),
        f"{quantile(seconds, 0.5):.2f} s" if seconds else "-",
        f"{max(seconds):.2f} s" if seconds else "-",
        f"{max(kill.guardian_seconds for kill in kills):.2f} s",
    )


if __name__ == "__main__":
    sys.exit(main())
