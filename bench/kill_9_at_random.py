"""Kill the program at random instants, again and again, and start it on what it has left: ``python bench/kill_9_at_random.py [N]``.

N kills in all, evenly at every market, or at those named by ``--market``; each market is a simulated exchange that runs apart and
outlives them all, each with one journal. A life ends while it starts, trades or stops; nobody but its guardian cancels then, or the
exchange's own switch, or not even the guardian lives. The exchange is asked what is open of ours; and whenever a start has become
ready, whether its journal has every order and every trade of the lives before it, each once. In between, and in the end, the
program stops in order, and the balances are held against all that it has ever counted.

Exit status: 0 if no order of ours was open past the deadline of whoever was to cancel, nor after the next start, and the ledger was
the exchange's each time; otherwise 1.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from harness import print_machine, print_table, quantile

from simulated.registry import NAMES
from tests.program.kills_and_restarts import COUNTS, Helper, Installation, Kill, has_switch, open_exchange, random_plans


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the program at random instants and hold what it goes on with against the exchange.")
    parser.add_argument("count", metavar="N", type=int, nargs="?", default=50, help="how many times in all (default: %(default)s)")
    parser.add_argument("--market", action="append", choices=sorted(NAMES), help="only at this one; may be repeated")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32), help="of the instants (default: a new one)")
    arguments = parser.parse_args()
    markets = arguments.market or sorted(NAMES)

    print(f"{arguments.count} times SIGKILL, seed {arguments.seed}\n")
    began_at = time.monotonic()
    kills: list[Kill] = []
    compared: dict[str, dict[str, int]] = {}
    for index, market in enumerate(markets):
        count = (arguments.count + index) // len(markets)
        folder = Path(tempfile.mkdtemp(prefix=f"kills-{market}-"))
        plans = random_plans(random.Random(f"{arguments.seed} {market}"), count, has_switch=has_switch(market))
        of_market: list[Kill] = []
        print(f"{market} in {folder}")
        with open_exchange(folder, market) as exchange, Installation(market, exchange, folder) as installation:
            for kill in installation.kills(plans):
                of_market.append(kill)
                print(_line(len(kills) + len(of_market), arguments.count, kill), flush=True)
                if not kill.is_clean:
                    print("\n".join((*kill.left_open, *kill.differences, kill.story)), flush=True)
            compared[market] = installation.counts()
        kills += of_market
        if all(kill.is_clean for kill in of_market):
            shutil.rmtree(folder)  # else it stays, to be looked at
    _summarise(kills, markets, compared)
    print(f"\n{time.monotonic() - began_at:.0f} s; seed {arguments.seed}")
    return 0 if all(kill.is_clean for kill in kills) else 1


def _line(count: int, of: int, kill: Kill) -> str:
    plan = kill.plan
    return (
        f"{count:>3}/{of} {kill.market:<14} {plan.moment.value:<8} {plan.instant_seconds:5.2f} s, after {kill.phase:<22} "
        f"{kill.open_at_kill} open, helped by {plan.helper.value:<10} {kill.helped_seconds:5.2f} s, gone {kill.gone_seconds:5.2f} s: "
        f"{'clean' if kill.is_clean else 'NOT CLEAN'}"
    )


def _summarise(kills: list[Kill], markets: list[str], compared: dict[str, dict[str, int]]) -> None:
    print()
    print_machine()
    moments = Counter((kill.plan.moment.value, kill.plan.helper.value) for kill in kills)
    print("\n".join(f"{count:>4} {moment}, helped by {helper}" for (moment, helper), count in sorted(moments.items())))
    print(f"{sum(kill.plan.restarts_at_once for kill in kills):>4} of them started again at once\n")
    header = (
        "market",
        "kills",
        "with orders open",
        "left open",
        "ledger differed",
        "guardian: last cancellation, median",
        "longest",
        "guardian left, longest",
        *COUNTS,
    )
    rows = [_row(market, [kill for kill in kills if kill.market == market], compared[market]) for market in markets]
    in_all = {name: sum(counts[name] for counts in compared.values()) for name in COUNTS}
    print_table(header, [*rows, _row("all", kills, in_all)])


def _row(market: str, kills: list[Kill], counts: dict[str, int]) -> tuple[str, ...]:
    guarded = [kill for kill in kills if kill.plan.helper is Helper.GUARDIAN]
    seconds = [kill.gone_seconds for kill in guarded if kill.gone_seconds]
    return (
        market,
        str(len(kills)),
        str(sum(bool(kill.open_at_kill) for kill in kills)),
        str(sum(len(kill.left_open) for kill in kills)),
        str(sum(bool(kill.differences) for kill in kills)),
        f"{quantile(seconds, 0.5):.2f} s" if seconds else "-",
        f"{max(seconds):.2f} s" if seconds else "-",
        f"{max((kill.helped_seconds for kill in guarded), default=0):.2f} s",
        *(str(counts[name]) for name in COUNTS),
    )


if __name__ == "__main__":
    sys.exit(main())
