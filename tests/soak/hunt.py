"""``python hunt.py SEEDS KIND [ARGUMENTS OF mm-soak]``: worlds from seed 1 on, of those that KIND strikes for sure, until one is not fine.

Run with `PYTHONPATH` naming a copy of the program.
"""

from __future__ import annotations

import sys
import time
from itertools import count

import msgspec

from soak.campaign.arguments import parse_arguments
from soak.campaign.seeds import options_of
from soak.outcome import Verdict
from soak.run import run_options


def main() -> None:
    seeds, kind, world_arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    virtual_seconds, began_at = 0.0, time.monotonic()
    found: dict[str, object] = {}
    worlds = 0
    for seed in count(1):
        options = options_of(seed, parse_arguments(["--seed", str(seed), *world_arguments]))
        if kind and options.sure_kind != kind:
            continue
        outcome = run_options(options)
        worlds += 1
        virtual_seconds += outcome.virtual_seconds
        if outcome.verdict is not Verdict.FINE:
            found = {"seed": seed, "verdict": outcome.verdict.value, "told": outcome.told, "options": outcome.options}
        if found or worlds == seeds:
            break
    totals = {"worlds": worlds, "virtual_hours": virtual_seconds / 3600, "real_seconds": time.monotonic() - began_at}
    sys.stdout.buffer.write(msgspec.json.encode({**totals, **found}))


if __name__ == "__main__":
    main()
