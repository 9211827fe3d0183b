"""The command line of `mm-soak`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import msgspec

from assembly.registry import EXCHANGES
from soak.faults.strike import Group
from soak.plan import Plan, format_plan, parse_plan

HOURS_MAX = 10_000.0
SEED_MAX = 2**53
JOBS_MAX = 1_000
REPEAT_SHARE_MIN = 1e-6

EPILOG = """\
faults: network (connections, latency, names), exchange (answers, limits, bans, streams, books, the market, our orders), crash (actors at
any checkpoint, hangs, kill -9), clock (the exchange's and our own), disk (full, torn journal), load (bursts, slow consumers), operator
(pauses, halts, stops, cancellations and other settings).

exit status:
  0  every world was fine
  1  a violation: something that must always be true was not
  2  bad arguments
  3  not converged: something did not come right in time after the last fault
  4  the simulator itself crashed, or could not write what it found
  5  a kind of fault never struck in a run of enough seeds (see --enough), or it or a limit of losses had no effect in as many hours
  6  a seed did not repeat: two runs of it left other traces
  7  an order never made a move that it can make, in as many virtual hours of all faults and exchanges
  130  interrupted: the report is of the seeds done until then
  141  nobody reads what it prints any more (as after | head): it has ended without a word
  143  ended by SIGTERM: the report is of the seeds done until then
Of several, the first in the order 4, 1, 6, 3, 5, 7 counts.
"""


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    first_seed: int
    last_seed: int
    hours: float
    groups: tuple[Group, ...]
    exchanges: tuple[str, ...]
    jobs: int
    as_json: bool
    traces: bool
    repeat_share: float
    enough: int
    cycles: tuple[str, ...] = ()
    plan: Plan | None = None
    shrink_seconds: float | None = None

    @property
    def seeds(self) -> range:
        return range(self.first_seed, self.last_seed + 1)

    @property
    def of_world(self) -> tuple[str, ...]:
        """What makes a seed's world the same again, as words of a command."""
        faults = "all" if self.groups == tuple(Group) else ",".join(group.value for group in self.groups) or "none"
        words = ["--hours", repr(self.hours).removesuffix(".0"), "--faults", faults]
        words += ["--exchanges", ",".join(self.exchanges)] if self.exchanges else []
        words += ["--cycles", ",".join(self.cycles)] if self.cycles else []
        return (*words, *(["--plan", format_plan(self.plan)] if self.plan is not None else []))

    def replay(self, seed: int) -> str:
        """The one command that replays a seed."""
        return f"bin/mm-soak --seed {seed} {' '.join(self.of_world)} --trace"


def parse_arguments(argv: Sequence[str] | None) -> Arguments:
    """Raises: SystemExit: with status 2 and a message, or 0 after the help."""
    parser = argparse.ArgumentParser(
        prog="mm-soak",
        description="Run the whole program in simulated worlds drawn from seeds, with faults, in virtual time. Checks what must be true.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", metavar="FIRST:LAST", type=_seeds, help="the seeds, LAST included (default: 1:20)")
    which.add_argument("--seed", metavar="N", type=_seed, help="one seed, as a failure names it")
    parser.add_argument("--hours", type=_hours, default=1.0, help="virtual hours of each seed (default: %(default)g)")
    parser.add_argument("--faults", metavar="A,B", type=_groups, default=tuple(Group), help="groups of faults; all, or none (default: all)")
    parser.add_argument("--exchanges", metavar="A,B", type=_exchanges, default=(), help=f"only these of {', '.join(sorted(EXCHANGES))}")
    parser.add_argument("--shrink", action="store_true", help="reduce the world of a failing --seed to a small one that still fails so")
    parser.add_argument(
        "--shrink-seconds", metavar="N", type=_seconds, default=600.0, help="for how long, in real seconds (default: %(default)g)"
    )
    parser.add_argument("--plan", metavar="SPELLS", type=_plan, help="only these spells and strikes of --seed, as 3:0+2,5: (see --shrink)")
    parser.add_argument("--cycles", metavar="A,B", type=_names, default=(), help="only these cycles of the world of --seed")
    parser.add_argument("--jobs", type=_jobs, default=os.cpu_count() or 1, help="how many processes at a time (default: %(default)s)")
    parser.add_argument("--repeat", metavar="SHARE", type=_share, default=0.05, help="share of the seeds that is run twice (default: 0.05)")
    parser.add_argument(
        "--enough", metavar="N", type=_count, default=100, help="from so many seeds on every fault must strike, and orders move (100)"
    )
    parser.add_argument("--trace", action="store_true", help="print everything that happens in the world (with --seed)")
    parser.add_argument("--json", action="store_true", help="print one JSON object: the totals, and every seed with its trace_hash")
    found = parser.parse_args(argv)
    if found.trace and found.seed is None:
        parser.error("--trace tells the story of one world: name it with --seed")
    if found.seed is None and (found.shrink or found.plan is not None or found.cycles):
        parser.error("--shrink, --plan and --cycles are about one world: name it with --seed")
    if found.shrink and (found.trace or found.json):
        parser.error("--shrink tells its own story: leave --trace and --json to the command that it prints")
    if found.trace and found.json:
        parser.error("--trace is for people and --json for programs: choose one")
    first, last = (found.seed, found.seed) if found.seed is not None else found.seeds or (1, 20)
    return Arguments(
        first_seed=first,
        last_seed=last,
        hours=found.hours,
        groups=found.faults,
        exchanges=found.exchanges,
        jobs=found.jobs,
        as_json=found.json,
        traces=found.trace,
        repeat_share=found.repeat,
        enough=found.enough,
        cycles=found.cycles,
        plan=found.plan,
        shrink_seconds=found.shrink_seconds if found.shrink else None,
    )


def _seed(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= SEED_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: a whole number from 0 to {SEED_MAX}")
    return int(text)


def _seeds(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds: write FIRST:LAST, or --seed for one")
    seeds = (_seed(first), _seed(last))
    if seeds[0] > seeds[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is empty: the first seed comes first")
    return seeds


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    if not 0 < hours <= HOURS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: a number of hours above 0 and up to {HOURS_MAX:g}")
    return hours


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not (share == 0 or REPEAT_SHARE_MIN <= share <= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no share: a number from 0 to 1, and not between 0 and {REPEAT_SHARE_MIN:f}")
    return share


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: a number of seconds above 0")
    return seconds


def _plan(text: str) -> Plan:
    try:
        return parse_plan(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _jobs(text: str) -> int:
    jobs = _count(text)
    if jobs > JOBS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} are too many processes at a time: {JOBS_MAX} at most, and best one for each core")
    return jobs


def _groups(text: str) -> tuple[Group, ...]:
    if text == "all":
        return tuple(Group)
    if text == "none":
        return ()
    known = {group.value: group for group in Group}
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"there are no faults {name!r}: choose from {', '.join(known)}, all, none")
    return tuple(group for group in Group if group.value in names)


def _exchanges(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in EXCHANGES:
            raise argparse.ArgumentTypeError(f"there is no exchange {name!r}: choose from {', '.join(sorted(EXCHANGES))}")
    return names
