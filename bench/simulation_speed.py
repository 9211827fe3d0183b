"""How much faster than real time the whole program runs in simulation: program, exchange, network and clock in one thread.

    python bench/simulation_speed.py [--seconds 300] [--repeats 3]

The world of the scenario tests runs cycles for so many virtual seconds, as quickly as it can. A wire event is a piece of data, an
opening or an end that an in-memory connection carries. The same seed must give the same trace in every repetition, which is checked.
"""

from __future__ import annotations

import argparse
import statistics
import time

import trio
from harness import print_machine, print_table

from market.events import BookChanged
from orders.events import OrderPlaced
from orders.reconciliation import CycleReconciled
from tests.scenarios.world import World, run_world


class Simulated:
    """What one repetition did, and how long it took."""

    def __init__(self, seconds: float, seed: int) -> None:
        async def run(world: World) -> None:
            await world.start(cycles=0)
            await trio.sleep(seconds)
            world.stop()
            await world.end()

        began, busy_from = time.perf_counter(), time.process_time()
        self.world = run_world(run, seed=seed)
        self.real_seconds = time.perf_counter() - began
        self.processor_seconds = time.process_time() - busy_from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="virtual seconds (default: 300)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print_machine()
    runs = [Simulated(arguments.seconds, arguments.seed) for _ in range(arguments.repeats)]
    if len({run.world.trace.hexdigest() for run in runs}) != 1:
        raise SystemExit(f"seed {arguments.seed} gave different traces: the simulation is not deterministic")

    world, events = runs[0].world, runs[0].world.wire_events
    real = statistics.median(run.real_seconds for run in runs)
    busy = statistics.median(run.processor_seconds for run in runs)
    rows = [
        ["real seconds, median", f"{real:.2f}"],
        ["processor seconds, median", f"{busy:.2f}"],
        ["virtual seconds per real second", f"{arguments.seconds / real:.0f}"],
        ["virtual seconds per processor second", f"{arguments.seconds / busy:.0f}"],
        ["wire events per processor second", f"{events / busy:.0f}"],
        ["wire events", str(events)],
        ["book changes", str(len(world.seen(BookChanged)))],
        ["orders placed", str(len(world.seen(OrderPlaced)))],
        ["rounds reconciled", str(len(world.seen(CycleReconciled)))],
        ["trace", runs[0].world.trace.hexdigest()[:16]],
    ]
    print_table([f"{arguments.seconds:g} virtual seconds", "seed " + str(arguments.seed)], rows)


if __name__ == "__main__":
    main()
