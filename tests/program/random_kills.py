"""The program stopped or killed at a random instant of its life: what came of it.

Used by tests, by ``bench/kill_at_random.py`` and by ``bench/kill_9_at_random.py``.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.program.guardians import open_orders_at, settings_at
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


GUARDIAN_DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02


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


def open_exchange(folder: Path, market: str = "gateio_spot") -> Exchange:
    return Exchange("--exchange", market, "--config", exchange_settings(folder, MARKET))


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


@dataclass(frozen=True)
class Kill9:
    """One life that ended without a word, at an exchange that does nothing by itself. Times are in seconds after the kill.

    `gone_seconds` is when the last order of ours was gone, 0 if none was open; `guardian_seconds` when the guardian had left.
    """

    market: str
    instant_seconds: float
    phase: str
    open_at_kill: int
    gone_seconds: float
    guardian_seconds: float
    left_open: list[str]
    story: str

    @property
    def is_clean(self) -> bool:
        return not self.left_open and self.gone_seconds < GUARDIAN_DEADLINE_SECONDS and "Traceback" not in self.story


def kill_9_at(instant_seconds: float, market: str, exchange: Exchange, folder: Path) -> Kill9:
    """Start the program, kill it so long after it could first be heard, and watch the exchange until its guardian has left."""
    ours = open_orders_at(market, exchange)
    with Program(settings_at(market, exchange, folder), "--json") as program:
        program.wait_catches(signal.SIGTERM)
        try:
            program.popen.wait(instant_seconds)
        except subprocess.TimeoutExpired:
            pass
        else:
            raise AssertionError(f"it ended by itself\n{program.story()}")
        told = program.events()
        killed_at = time.monotonic()
        program.send(signal.SIGKILL)
        open_at_kill = len(ours())
        gone_seconds = 0.0
        while True:
            # In this order: what is open once the guardian has left stays open.
            guardian_has_left = not program.guardians()
            if left_open := ours():
                gone_seconds = time.monotonic() - killed_at
            if guardian_has_left or gone_seconds > GUARDIAN_DEADLINE_SECONDS:
                break
            time.sleep(POLL_SECONDS)  # the guardian needs the processor more than we do
        guardian_seconds = time.monotonic() - killed_at
        program.wait_exit()
        return Kill9(
            market=market,
            instant_seconds=instant_seconds,
            phase=next((event["event"] for event in reversed(told) if event["event"] != "book_top"), "importing"),
            open_at_kill=open_at_kill,
            gone_seconds=gone_seconds,
            guardian_seconds=guardian_seconds,
            left_open=left_open,
            story=program.story(),
        )
