"""The program for a day or more of virtual time: ``python bench/growth.py [HOURS]``. What it holds must not grow.

One cycle that goes on until it is stopped, on a simulated exchange with a calm market, and now and then a broken
connection or a crash. Every hour the tasks, the program's objects and the remembered orders are counted. Exit status: 0 if they stayed
within `GROWTH_MAX` of what they were half way, and the stop at the end was clean; otherwise 1.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
from decimal import Decimal

import msgspec
import trio
from harness import print_machine, print_table

from actors.cycle.rounds.sell_on_top import SellOnTopParameters
from assembly.presenter.report import ExitStatus
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings
from soak.worlds.world import HOST, World, run_world

GROWTH_MAX = 1.1
HOUR_SECONDS = 3600.0
TROUBLE_SECONDS = 600.0
SIMULATION = SimulationSettings(
    markets=(MarketSettings(maker_rate_per_second=0.5, taker_rate_per_second=0.2, maker_levels=4, volatility_per_second=0.0001),),
    # What is paid in fees in the time.
    accounts=(AccountSettings(balances={"USDT": Decimal(1_000_000), "BTC": Decimal(0)}),),
)


class Sample(msgspec.Struct, frozen=True):
    """How big the world is."""

    hours: float
    tasks: int
    objects: int
    orders: int
    round_orders: int
    rounds: int
    resident_megabytes: float


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the program for long and see whether anything grows.")
    parser.add_argument("hours", type=int, nargs="?", default=24, help="virtual hours (default: %(default)s)")
    arguments = parser.parse_args()
    samples: list[Sample] = []
    ends: list[ExitStatus | None] = []
    started_at = time.monotonic()

    async def soak(world: World) -> None:
        world.keeps_events = False
        await world.start(cycles=0, quantity="20", parameters=SellOnTopParameters(reprice_interval_seconds=0.5))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_trouble, world)
            for _ in range(arguments.hours):
                await trio.sleep(HOUR_SECONDS)
                samples.append(_sample(world))
                print(f"{samples[-1].hours:.0f} h, {time.monotonic() - started_at:.0f} s: {samples[-1]}", flush=True)
            nursery.cancel_scope.cancel()
        world.stop()
        report = await world.ended()
        ends.append(report.exit_status if report is not None else None)
        await world.settle()
        world.check_nothing_is_open()

    run_world(soak, seed=1, simulation=SIMULATION)
    seconds = time.monotonic() - started_at
    half, last = samples[len(samples) // 2 - 1], samples[-1]
    print()
    print_machine()
    print_table(
        ("figure", "half way", "at the end"),
        [(name, f"{getattr(half, name):g}", f"{getattr(last, name):g}") for name in Sample.__struct_fields__],
    )
    print(f"\n{arguments.hours * HOUR_SECONDS / seconds:.0f} times real time; exit status {ends}")
    has_grown = last.tasks > half.tasks + 5 or last.objects > GROWTH_MAX * half.objects
    return 1 if has_grown or ends != [ExitStatus.CLEAN] else 0


async def _trouble(world: World) -> None:
    """Something goes wrong every ten minutes, and is recovered from."""
    while True:
        for trouble in (lambda: world.network.drop_connections(HOST), world.crash_cycle, world.crash_account, world.exchange.restart):
            await trio.sleep(TROUBLE_SECONDS)
            trouble()


def _sample(world: World) -> Sample:
    assert world.runtime is not None
    assert world.runtime_task is not None
    gc.collect()
    memory = next(iter(world.runtime.tree.cycles.values())).memory
    return Sample(
        hours=trio.current_time() / HOUR_SECONDS,
        tasks=_tasks_below(world.runtime_task),
        objects=sum(_is_of_the_program(one) for one in gc.get_objects()),
        orders=sum(1 for _ in world.account.ledger.orders()),
        round_orders=len(memory.orders),
        rounds=memory.rounds_completed,
        resident_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _is_of_the_program(one: object) -> bool:
    """The exchange keeps a record of its own, up to 20,000 orders and as many trades; tuples may be part of either."""
    return type(one) is not tuple and not type(one).__module__.startswith("simulated")


def _tasks_below(task: trio.lowlevel.Task) -> int:
    return 1 + sum(_tasks_below(child) for nursery in task.child_nurseries for child in nursery.child_tasks)


if __name__ == "__main__":
    sys.exit(main())
