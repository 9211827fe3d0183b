"""What a virtual hour of `bin/mm-soak` costs: virtual seconds and wire events per second of processor, and where those go.

    python bench/soak_speed.py [--seeds 1:6] [--hours 0.1] [--other ../before]

The worlds of the seeds run without faults and with all of them, each in a process of its own, one after the other. `--other` names another
checkout: then each world runs in both by turns, and the ratio of each pair is what counts on a busy machine. The
worlds of two checkouts need not be the same: compare wire events per second. `--profile` says which packages the time goes to.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import re
import resource
import subprocess
import sys
from collections import defaultdict
from importlib import import_module
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from statistics import median

from harness import ROOT, print_machine, print_table

FAULTS = ("none", "all")
PACKAGES_SHOWN = 14


def measure(seed: int, hours: float, faults: str) -> dict[str, float]:
    """Run one world in this process."""
    from soak.run import run_options

    is_flat = find_spec("soak.arguments") is not None  # a checkout from before `soak` had folders
    parse_arguments = import_module("soak.arguments" if is_flat else "soak.campaign.arguments").parse_arguments
    options_of = import_module("soak.campaign" if is_flat else "soak.campaign.seeds").options_of
    arguments = parse_arguments(["--seed", str(seed), "--hours", f"{hours:g}", "--faults", faults])
    busy_from = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    outcome = run_options(options_of(seed, arguments))
    busy = resource.getrusage(resource.RUSAGE_SELF).ru_utime - busy_from
    return {"busy": busy, "virtual": outcome.virtual_seconds, "wire": outcome.wire_events, "orders": outcome.orders}


def measure_in(checkout: Path, seed: int, hours: float, faults: str) -> dict[str, float]:
    """The same in a new process, with the program and the simulator of `checkout`."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", f"{seed}", "--hours", f"{hours:g}", "--faults", faults]
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    ran = subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{checkout}: {ran.stderr}")
    return json.loads(ran.stdout.splitlines()[-1])


def print_profile(seed: int, hours: float, faults: str) -> None:
    """The shares of the packages in the time of one world. A profiler makes calls dearer than they are: read it as a ranking."""
    profile = cProfile.Profile()
    profile.runcall(measure, seed, hours, faults)
    spent: dict[str, float] = defaultdict(float)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = vars(pstats.Stats(profile))["stats"]
    for (file, _, function), (_, _, seconds, _, _) in stats.items():
        spent[_package(file, function)] += seconds
    total = sum(spent.values())
    ranked = sorted(spent.items(), key=itemgetter(1), reverse=True)
    print(f"seed {seed}, faults: {faults}\n")
    print_table(["package", "share"], [[name, f"{seconds / total:.1%}"] for name, seconds in ranked[:PACKAGES_SHOWN]])
    print()


def _package(file: str, function: str) -> str:
    if library := re.search(r"site-packages/(\w+)", file):
        return library[1]
    if file.startswith(str(ROOT)):
        return "/".join(Path(file).relative_to(ROOT).parts[:2]).removesuffix(".py")
    return "Python itself" if file != "~" or "built-in" in function else "methods of built-in types"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1:6", help="first and last (default: 1:6)")
    parser.add_argument("--hours", type=float, default=0.1, help="virtual hours of each (default: 0.1)")
    parser.add_argument("--faults", choices=FAULTS, help="only worlds with none or with all (default: both)")
    parser.add_argument("--other", type=Path, help="another checkout to compare with")
    parser.add_argument("--profile", action="store_true", help="say where the time of the first seed's world goes")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        sys.path.insert(0, str(Path.cwd()))  # the checkout to be measured, ahead of this one
        print(json.dumps(measure(arguments.one, arguments.hours, arguments.faults)))
        return
    first, last = map(int, arguments.seeds.split(":"))
    print_machine()
    kinds = (arguments.faults,) if arguments.faults else FAULTS
    if arguments.profile:
        for faults in kinds:
            print_profile(first, arguments.hours, faults)
        return
    checkouts = [ROOT, *([arguments.other.resolve()] if arguments.other else [])]
    rows: list[list[str]] = []
    for faults in kinds:
        runs: dict[Path, list[dict[str, float]]] = {checkout: [] for checkout in checkouts}
        for seed in range(first, last + 1):
            for checkout in checkouts:
                runs[checkout].append(measure_in(checkout, seed, arguments.hours, faults))
        for checkout in checkouts:
            busy = sum(run["busy"] for run in runs[checkout])
            figures = [sum(run[name] for run in runs[checkout]) / busy for name in ("virtual", "wire", "orders")]
            rows.append([f"faults: {faults}, {checkout.name}", *(f"{figure:,.0f}" for figure in figures)])
        if arguments.other:
            rows.append(["ratio, median of the pairs", *(f"{_ratio(runs, checkouts, name):.2f}" for name in ("virtual", "wire", "orders"))])
    print_table(["per second of processor", "virtual seconds", "wire events", "orders"], rows)


def _ratio(runs: dict[Path, list[dict[str, float]]], checkouts: list[Path], name: str) -> float:
    ours, others = (runs[checkout] for checkout in checkouts)
    return median(one[name] / one["busy"] / (other[name] / other["busy"]) for one, other in zip(ours, others, strict=True) if other[name])


if __name__ == "__main__":
    main()
