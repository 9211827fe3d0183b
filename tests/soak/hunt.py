"""``python hunt.py SEEDS [ARGUMENTS OF mm-soak]``: worlds from seed 1 on until one is not fine.

Run with `PYTHONPATH` naming a copy of the program.
"""

from __future__ import annotations

import sys
import time

import msgspec

from soak.arguments import parse_arguments
from soak.campaign import options_of
from soak.outcome import Verdict
from soak.run import run_options


def main() -> None:
    seeds, world_arguments = int(sys.argv[1]), sys.argv[2:]
    virtual_seconds, began_at = 0.0, time.monotonic()
    found: dict[str, object] = {}
    for seed in range(1, seeds + 1):
        outcome = run_options(options_of(seed, parse_arguments(["--seed", str(seed), *world_arguments])))
        virtual_seconds += outcome.virtual_seconds
        if outcome.verdict is not Verdict.FINE:
            found = {"seed": seed, "verdict": outcome.verdict.value, "told": outcome.told, "options": outcome.options}
            break
    totals = {"seeds": seeds, "virtual_hours": virtual_seconds / 3600, "real_seconds": time.monotonic() - began_at}
    sys.stdout.buffer.write(msgspec.json.encode({**totals, **found}))


if __name__ == "__main__":
    main()
