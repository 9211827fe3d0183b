"""SIGINT, and SIGKILL, at instants that nobody chose."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.program.random_kills import kill_9_at, kill_at, open_exchange, random_instants

SEED = 20
COUNT = 12
SECONDS_MAX = 1.5
KILL_9_COUNT = 4


def test_sigint_at_any_instant_exits_0_and_leaves_no_order_open(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown with a failure
    with open_exchange(tmp_path) as exchange:
        for instant_seconds in random_instants(SEED, COUNT, SECONDS_MAX):
            outcome = kill_at(instant_seconds, signal.SIGINT, exchange, tmp_path)
            assert outcome.is_clean, f"seed {SEED}: {outcome}\n{outcome.story}"
        assert exchange.our_open_orders() == []


def test_sigkill_at_any_instant_leaves_no_order_open_once_the_guardian_is_done(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown with a failure
    with open_exchange(tmp_path, "mexc_spot") as exchange:
        for instant_seconds in random_instants(SEED, KILL_9_COUNT, SECONDS_MAX):
            outcome = kill_9_at(instant_seconds, "mexc_spot", exchange, tmp_path)
            assert outcome.is_clean, f"seed {SEED}: {outcome}\n{outcome.story}"
