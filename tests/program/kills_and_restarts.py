"""One installation, killed again and again at instants that nobody chose, and started again on what it has left.

Used by tests and by ``bench/kill_9_at_random.py``.
"""

from __future__ import annotations

import enum
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from assembly.registry import EXCHANGES
from tests.program.guardians import open_orders_at, settings_at
from tests.program.ledger_and_exchange import differences
from tests.program.processes import PATIENCE_SECONDS, Exchange, Program, exchange_settings

# Sells of ours are filled, in parts too, or rest, those of SOL until somebody cancels them. Answers take long enough for a kill to
# come in between, and positions are paid for.
MARKET = """
answer_delay_seconds = 0.05
[[markets]]
symbol = "BTC_USDT"
taker_rate_per_second = 3.0
taker_notional = 60
[markets.contract]
funding_interval_seconds = 10
[[markets]]
symbol = "ETH_USDT"
price_decimals = 2
quantity_decimals = 5
quantity_min = "0.0001"
start_price = 3000
taker_rate_per_second = 12.0
taker_notional = 60
[markets.contract]
contract_size = "0.01"
funding_interval_seconds = 10
[[markets]]
symbol = "SOL_USDT"
price_decimals = 3
quantity_decimals = 3
quantity_min = "0.01"
start_price = 150
taker_rate_per_second = 0.000001
volatility_per_second = 0.0
gap_rate_per_second = 0.0
[markets.contract]
contract_size = "0.1"
funding_interval_seconds = 10
[[accounts]]
balances = { USDT = "1000000", BTC = "1", ETH = "10", SOL = "100" }
"""
DEPOSITS = {"USDT": Decimal(1_000_000), "BTC": Decimal(1), "ETH": Decimal(10), "SOL": Decimal(100)}
MORE_CYCLES = """
[cycles.eth]
strategy = "sell_on_top"
account = "main"
symbol = "ETH_USDT"
quantity = 150
cycles = 0
[cycles.sol]
strategy = "sell_on_top"
account = "main"
symbol = "SOL_USDT"
quantity = 200
cycles = 0
"""

GUARDIAN_DEADLINE_SECONDS = 30.0
SWITCH_SECONDS = 10
SWITCH_DEADLINE_SECONDS = SWITCH_SECONDS + 10.0
# What was heard last before a death is written when the journal comes to it, and asked for again when a stream was late.
AGREES_WITHIN_SECONDS = 15.0
TOLD_WITHIN_MILLISECONDS = 2_000
POLL_SECONDS = 0.05
LIVES_BETWEEN_RESTS = 5
NEVER_EXPECTED = (
    "leftover_order_found",
    "impossible_transition",
    "foreign_order_seen",
    "foreign_fill_seen",
    "actor_crashed",
    "journal_failed",
)

COUNTS = {
    "rounds": "SELECT count(*) FROM rounds WHERE ended_at IS NOT NULL",
    "orders": "SELECT count(*) FROM orders",
    "fills": "SELECT count(*) FROM fills",
    "payments": "SELECT count(*) FROM funding",
}


class Helper(enum.Enum):
    """Who cancels for the dead: one of them, both, or nobody before the next start. The guardian is killed along where it is not named."""

    GUARDIAN = "guardian"
    SWITCH = "switch"
    BOTH = "both"
    NEXT_START = "next start"

    @property
    def has_guardian(self) -> bool:
        return self in (Helper.GUARDIAN, Helper.BOTH)

    @property
    def has_switch(self) -> bool:
        return self in (Helper.SWITCH, Helper.BOTH)


class Moment(enum.Enum):
    """`STARTING` is any instant from the process's first on, `RECOVERING` one after its first word, `TRADING` one after it was ready,
    `STOPPING` one after SIGINT.
    """

    STARTING = "starting"
    RECOVERING = "recovering"
    TRADING = "trading"
    STOPPING = "stopping"


INSTANT_SECONDS_MAX = {Moment.STARTING: 1.2, Moment.RECOVERING: 0.6, Moment.TRADING: 2.5, Moment.STOPPING: 0.2}


@dataclass(frozen=True)
class Plan:
    """How one life ends. With `restarts_at_once` its guardian is still at work while the next one begins."""

    moment: Moment
    instant_seconds: float
    helper: Helper
    restarts_at_once: bool


@dataclass
class Kill:
    """What came of one. Times are in seconds after the kill.

    `gone_seconds` is when the last order of ours was gone, 0 if none was open; `helped_seconds` when whoever cancels had
    done. `differences` were found by the next start that became ready.
    """

    market: str
    plan: Plan
    phase: str = ""
    open_at_kill: int = 0
    gone_seconds: float = 0.0
    helped_seconds: float = 0.0
    left_open: list[str] = field(default_factory=list[str])
    differences: list[str] = field(default_factory=list[str])
    story: str = ""

    @property
    def is_clean(self) -> bool:
        return not self.left_open and not self.differences and "Traceback" not in self.story


def random_plans(rng: random.Random, count: int, *, has_switch: bool) -> list[Plan]:
    """Four in ten while it starts and sweeps, four while it trades, two while it stops; mostly with a guardian alone."""
    helpers = [Helper.GUARDIAN] * 6 + ([Helper.BOTH, Helper.SWITCH] if has_switch else [Helper.GUARDIAN]) + [Helper.NEXT_START] * 2
    moments = [Moment.STARTING, Moment.RECOVERING, Moment.TRADING, Moment.TRADING, Moment.STOPPING] * 2
    plans: list[Plan] = []
    for _ in range(count):
        moment, helper = rng.choice(moments), rng.choice(helpers)
        plans.append(Plan(moment, rng.uniform(0, INSTANT_SECONDS_MAX[moment]), helper, rng.random() < 0.2))
    return plans


@contextmanager
def open_exchange(folder: Path, market: str) -> Generator[Exchange]:
    with Exchange("--exchange", market, "--config", exchange_settings(folder, MARKET)) as exchange:
        yield exchange


class Installation:
    """The program at one market, with its journal. `kills` yields each kill once it is known what came of it."""

    def __init__(self, market: str, exchange: Exchange, folder: Path) -> None:
        self._market = market
        self._exchange = exchange
        self._folder = folder
        self._journal = folder / "var/journal.sqlite"
        self._open_orders = open_orders_at(market, exchange)
        self._life: Program | None = None
        self._dead: list[Program] = []
        self._may_be_open = False
        self._started_at_milliseconds = 0
        self._pending: list[Kill] = []

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *exception: object) -> None:
        for program in (*self._dead, *filter(None, [self._life])):
            program.__exit__(None, None, None)

    def kills(self, plans: list[Plan]) -> Iterator[Kill]:
        """Carry the plans out, one after the other; in the end a whole life that ends in order."""
        lives = 0
        for plan in plans:
            program = self._life = self._start(plan.helper)
            if plan.moment is Moment.RECOVERING:
                program.wait_for('"started"')
            elif plan.moment is not Moment.STARTING:
                self._go_on(program)
                lives += 1
                if lives % LIVES_BETWEEN_RESTS == 0:
                    self._rest(program)
                    program = self._life = self._start(plan.helper)
                    program.wait_for('"order_submitted"')
                yield from self._told_of()
            if (kill := self._kill(program, plan)) is not None:
                self._pending.append(kill)
        program = self._life = self._start(Helper.GUARDIAN)
        self._go_on(program)
        self._rest(program)
        yield from self._told_of()

    def counts(self) -> dict[str, int]:
        """What the journal has: rounds that have ended, orders, fills, funding payments."""
        with closing(sqlite3.connect(f"{self._journal.as_uri()}?mode=ro", uri=True)) as connection:
            return {name: connection.execute(sql).fetchone()[0] for name, sql in COUNTS.items()}

    def _told_of(self) -> Iterator[Kill]:
        kills, self._pending = self._pending, []
        yield from kills

    def _start(self, helper: Helper) -> Program:
        self._started_at_milliseconds = self._exchange.state()["time"]
        switch_seconds = SWITCH_SECONDS if helper.has_switch else 0
        path = settings_at(self._market, self._exchange, self._folder, dead_mans_switch_seconds=switch_seconds, cycle_table=MORE_CYCLES)
        return Program(path, "--json")

    # The end of a life

    def _kill(self, program: Program, plan: Plan) -> Kill | None:
        """None if a stop was quicker than the kill."""
        kill = Kill(self._market, plan)
        began_at = time.monotonic()
        if plan.moment is Moment.STOPPING:
            program.send(signal.SIGINT)
        try:
            program.popen.wait(max(0.0, began_at + plan.instant_seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        else:
            assert plan.moment is Moment.STOPPING, f"it ended by itself\n{program.story()}"
            program.__exit__(None, None, None)
            self._life = None
            return None
        told = [event["event"] for event in program.events()]
        kill.phase = next((name for name in reversed(told) if name != "book_top"), "importing")
        if not plan.helper.has_guardian:
            program.send(signal.SIGSTOP)  # or else it would start another
            for process in program.guardians():
                os.kill(process, signal.SIGKILL)
        program.send(signal.SIGKILL)
        killed_at = time.monotonic()
        kill.open_at_kill = len(self._open_orders())
        self._dead.append(program)
        self._life = None
        must_be_gone = not self._may_be_open or (plan.helper.has_guardian and "guardian_watching" in told)
        if plan.helper is Helper.NEXT_START or plan.restarts_at_once:
            self._may_be_open = True
        else:
            self._wait_gone(program, plan, kill, killed_at)
            if not must_be_gone:
                kill.left_open = []
            self._may_be_open = bool(self._open_orders())
        kill.story = program.story()
        return kill

    def _wait_gone(self, program: Program, plan: Plan, kill: Kill, killed_at: float) -> None:
        """Until whoever cancels has done, and the deadline at the latest: what is open then is left open."""
        deadline_seconds = GUARDIAN_DEADLINE_SECONDS if plan.helper.has_guardian else SWITCH_DEADLINE_SECONDS
        while True:
            # In this order: what is open once the guardian has left stays open.
            has_left = not program.guardians() if plan.helper.has_guardian else time.monotonic() > killed_at + SWITCH_SECONDS + 2
            kill.left_open = self._open_orders()
            seconds = time.monotonic() - killed_at
            if kill.left_open:
                kill.gone_seconds = seconds
            if (has_left and (plan.helper.has_guardian or not kill.left_open)) or seconds > deadline_seconds:
                break
            time.sleep(POLL_SECONDS)  # the guardian needs the processor more than we do
        kill.helped_seconds = time.monotonic() - killed_at

    # The next one

    def _go_on(self, program: Program) -> None:
        """It becomes ready, nothing of earlier lives is open or counted otherwise than at the exchange, and the rounds go on."""
        program.wait_for('"account_ready"')
        found = self._agree(at_rest=False, paid_until_milliseconds=self._started_at_milliseconds)
        program.wait_for('"order_submitted"')
        self._note(program, found)
        self._may_be_open = False
        self._bury()

    def _rest(self, program: Program) -> None:
        stopped_at_milliseconds = self._exchange.state()["time"]
        program.send(signal.SIGINT)
        status = program.wait_exit()
        found = self._agree(at_rest=True, paid_until_milliseconds=stopped_at_milliseconds - TOLD_WITHIN_MILLISECONDS)
        self._note(program, [*([] if status == 0 else [f"exit status {status}"]), *found])
        program.__exit__(None, None, None)
        self._life = None

    def _agree(self, *, at_rest: bool, paid_until_milliseconds: int) -> list[str]:
        """What still differs when it has had the time to be written."""
        give_up_at = time.monotonic() + (0 if at_rest else AGREES_WITHIN_SECONDS)
        while True:
            found = differences(
                self._market,
                self._exchange,
                self._journal,
                at_rest=at_rest,
                deposits=DEPOSITS,
                paid_until_milliseconds=paid_until_milliseconds,
            )
            if not found or time.monotonic() > give_up_at:
                return found
            time.sleep(POLL_SECONDS)

    def _note(self, program: Program, found: list[str]) -> None:
        events = program.events()
        found += [f"{event}" for event in events if event["event"] in NEVER_EXPECTED]
        found += [
            f"a round that does not agree: {event}" for event in events if event["event"] == "cycle_reconciled" and not event["agrees"]
        ]
        if found and not self._pending:
            raise AssertionError("\n".join([*found, program.story()]))
        for kill in self._pending:
            kill.differences += found
            if found:
                kill.story += f"\nthe next start:\n{program.story()}"

    def _bury(self) -> None:
        """Guardians of lives after which the next one began at once have done, too."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        for program in self._dead:
            while program.guardians():
                assert time.monotonic() < give_up_at, f"its guardian stays\n{program.story()}"
                time.sleep(POLL_SECONDS)
            program.wait_exit()
            program.__exit__(None, None, None)
        self._dead = []


def has_switch(market: str) -> bool:
    return EXCHANGES[market].account_codec().capabilities.dead_mans_switch_seconds_min is not None
