"""Bugs planted in copies of the program, and how soon the simulator finds each: ``python bench/planted_bugs.py``.

Prints the table of docs/found_by_simulation.md. Exit status: 0 if every plant was found within its seeds, otherwise 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import ROOT, print_machine

sys.path.insert(0, str(Path(ROOT) / "tests" / "soak"))

from overlay import Found, hunt
from plants import PLANTS, Plant, invariant_of


def main() -> int:
    parser = argparse.ArgumentParser(description="Look for every planted bug, and print how soon each was found.")
    parser.add_argument("names", nargs="*", help="only these plants (default: all but those known not to be found)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (default: %(default)s)")
    arguments = parser.parse_args()
    wanted = arguments.names or [plant.name for plant in PLANTS if not plant.why_not_found]
    plants = [plant for plant in PLANTS if plant.name in wanted]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = list(pool.map(hunt, plants))
    print_machine()
    print("| bug | worlds | found in | by | virtual hours | real seconds |")
    print("|---|---|---|---|---|---|")
    for plant, one in zip(plants, found, strict=True):
        print(_row(plant, one))
    return 0 if all(one.seed is not None for one in found) else 1


def _row(plant: Plant, found: Found) -> str:
    struck = f" with `{plant.kind}`" if plant.kind else ""
    where = f"{plant.faults}{struck}, {plant.exchanges}"
    how = "not found" if found.seed is None else f"world {found.worlds} of {plant.seeds_max} (seed {found.seed})"
    by = invariant_of(found.first_line) if found.seed is not None else ""
    return f"| {plant.what} | {where} | {how} | {by} | {found.virtual_hours:.2f} | {found.real_seconds:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
