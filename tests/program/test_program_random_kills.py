"""SIGINT, and SIGKILL, at instants that nobody chose."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from tests.program import kills_and_restarts
from tests.program.kills_and_restarts import INSTANT_SECONDS_MAX, Helper, Installation, Moment, Plan
from tests.program.random_kills import kill_at, open_exchange, random_instants

SEED = 20
COUNT = 12
SECONDS_MAX = 1.5
ENDS = (
    (Moment.TRADING, Helper.GUARDIAN, True),
    (Moment.STARTING, Helper.GUARDIAN, True),
    (Moment.TRADING, Helper.NEXT_START, False),
    (Moment.RECOVERING, Helper.NEXT_START, False),
    (Moment.STOPPING, Helper.NEXT_START, False),
)


def test_sigint_at_any_instant_exits_0_and_leaves_no_order_open(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown with a failure
    with open_exchange(tmp_path) as exchange:
        for instant_seconds in random_instants(SEED, COUNT, SECONDS_MAX):
            outcome = kill_at(instant_seconds, signal.SIGINT, exchange, tmp_path)
            assert outcome.is_clean, f"seed {SEED}: {outcome}\n{outcome.story}"
        assert exchange.our_open_orders() == []


def test_sigkill_at_any_instant_leaves_no_order_open_and_the_next_start_a_ledger_that_is_the_exchanges(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown with a failure
    rng = random.Random(SEED)
    plans = [Plan(moment, rng.uniform(0, INSTANT_SECONDS_MAX[moment]), helper, at_once) for moment, helper, at_once in ENDS]
    with (
        kills_and_restarts.open_exchange(tmp_path, "mexc_spot") as exchange,
        Installation("mexc_spot", exchange, tmp_path) as installation,
    ):
        for kill in installation.kills(plans):
            assert kill.is_clean, f"seed {SEED}: {kill}\n{kill.story}"
