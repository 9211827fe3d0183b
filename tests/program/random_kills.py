"""The program stopped at a random instant of its life: what came of it.

Used by tests and by ``bench/kill_at_random.py``; for ends without a stop see `kills_and_restarts`.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.program.processes import Exchange, Program, exchange_settings, settings

# Some sells of ours rest and some are filled; answers take long enough for a signal to come in between.
MARKET = """
answer_delay_seconds = 0.02
[[markets]]
symbol = "BTC_USDT"
taker_rate_per_second = 4.0
[[accounts]]
balances = { USDT = "1000000", BTC = "1" }
"""


@dataclass(frozen=True)
class Outcome:
    """One life. `phase` is what the program told last before the signal; times are in seconds."""

    number: signal.Signals
    instant_seconds: float
    phase: str
    status: int
    stop_seconds: float
    left_open: list[str]
    story: str

    @property
    def is_clean(self) -> bool:
        return self.status == 0 and not self.left_open and "Traceback" not in self.story


def open_exchange(folder: Path) -> Exchange:
    return Exchange("--config", exchange_settings(folder, MARKET))


def kill_at(instant_seconds: float, number: signal.Signals, exchange: Exchange, folder: Path) -> Outcome:
    """Start the program, send it the signal so long after it could first be heard, and see what is left at the exchange."""
    with Program(settings(folder, exchange=exchange), "--json") as program:
        program.wait_catches(signal.SIGTERM)
        try:
            program.popen.wait(instant_seconds)
        except subprocess.TimeoutExpired:
            pass
        else:
            raise AssertionError(f"it ended by itself\n{program.story()}")
        told = program.events()
        asked_at = time.monotonic()
        program.send(number)
        status = program.wait_exit()
        return Outcome(
            number=number,
            instant_seconds=instant_seconds,
            phase=next((event["event"] for event in reversed(told) if event["event"] != "book_top"), "importing"),
            status=status,
            stop_seconds=time.monotonic() - asked_at,
            left_open=exchange.our_open_orders(),
            story=program.story(),
        )


def random_instants(seed: int, count: int, seconds_max: float) -> list[float]:
    """Even over the time, except that a quarter falls into the first half second, where a run begins."""
    rng = random.Random(seed)
    return [rng.uniform(0, 0.5 if number % 4 == 0 else seconds_max) for number in range(count)]
