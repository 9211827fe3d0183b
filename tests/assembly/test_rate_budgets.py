"""Rate budgets of a run: who shares which, and what a hold becomes: a line for people, a row of the journal, a hold of the next run."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from settings_files import WHOLE, load

from actors.accounts.timing import AccountTiming
from actors.journal.entries import Entry, HoldPlaced
from actors.journal.file import MEMORY
from actors.journal.store import JournalStore
from assembly.journaling import RunJournal
from assembly.presenter.report import HoldTakenOver
from assembly.rate_budgets import RateBudgets
from assembly.registry import EXCHANGES
from assembly.settings import Settings
from assembly.tree import Tree
from market.clock import VirtualWallClock
from network.errors import BreakerOpen
from network.http import HttpResponse
from network.limits import HOLD_SECONDS_MAX, WEBSOCKETS

ENVIRONMENT = {f"OKX_API_{name}": "made-up" for name in ("KEY", "SECRET", "PASSPHRASE")}
OKX = WHOLE.replace("gateio_spot", "okx_spot").replace('"simulated"', '"testnet"') + '[exchanges.okx_swap]\nmode = "testnet"\n'
BANNED = HttpResponse(status=418, headers={"retry-after": "120"}, body=b"")


class Runs:
    """Runs of the program one after the other, as far as their rate budgets go: one journal, and all that was told."""

    def __init__(self, folder: Path, text: str = OKX) -> None:
        self.settings: Settings = load(folder, text, environment=ENVIRONMENT)
        self.clock = VirtualWallClock()
        self.store = JournalStore(MEMORY)
        self.told: list[object] = []

    def keep(self, *events: object) -> None:
        self.store.write([Entry(self.clock.milliseconds(), events)])

    async def written(self) -> None:
        await trio.lowlevel.checkpoint()

    def start(self, *names: str) -> RateBudgets:
        self.told.clear()
        journal = RunJournal(self.store, self.settings, wall_clock=self.clock, redact=str, on_lost=pytest.fail)
        settings = {name: self.settings.exchanges[name] for name in names or self.settings.exchanges}
        budgets = RateBudgets(settings, wall_clock=self.clock, journal=journal, recorder=self, report=self.told.append)
        budgets.take_over()
        return budgets

    def heard(self, kind: type) -> list[object]:
        return [event for event in self.told if isinstance(event, kind)]

    def in_seconds(self, seconds: float) -> int:
        return self.clock.milliseconds() + round(seconds * 1000)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def left_seconds(budgets: RateBudgets, name: str, group: str | None = None) -> float:
    return round(budgets.exchanges[name].limits.held_until(group) - trio.current_time(), 3)


# Who shares what


async def test_exchanges_that_count_together_share_tokens_and_bans_and_not_their_failures(runs: Runs, autojump_clock) -> None:
    budgets = runs.start()
    spot, swap = (budgets.exchanges[name].limits for name in ("okx_spot", "okx_swap"))
    for _ in range(9):
        assert spot.limiter.try_acquire_nowait("balances")
    assert not swap.limiter.try_acquire_nowait("balances")
    with spot.breaker.admit() as permit:
        permit.failed("500")
    assert swap.breaker is not spot.breaker
    swap.note(BANNED, "orders")
    for limits in (spot, swap):
        with pytest.raises(BreakerOpen):
            await limits.acquire("cancels", urgent=True)
    assert runs.heard(HoldPlaced) == [HoldPlaced("okx (testnet)", runs.in_seconds(120), "banned for 120 s (status 418)")], "told once"


async def test_embedded_exchanges_each_count_for_themselves(tmp_path: Path, autojump_clock) -> None:
    exchanges = Runs(tmp_path, OKX.replace('"testnet"', '"simulated"')).start().exchanges
    assert exchanges["okx_spot"].limits.limiter is not exchanges["okx_swap"].limits.limiter


def test_exchanges_that_count_together_agree_on_their_limits() -> None:
    limits: dict[tuple[str, str], set[object]] = {}
    for name, entry in EXCHANGES.items():
        for group, limit in entry.rate_limits.items():
            limits.setdefault((entry.counted_as or name, group), set()).add(limit)
    assert {where: found for where, found in limits.items() if len(found) > 1} == {}
    assert {name for name, entry in EXCHANGES.items() if entry.counted_as == "okx"} == {"okx_spot", "okx_swap"}


async def test_feed_and_all_accounts_of_an_exchange_wait_for_the_same_tokens(tmp_path: Path, autojump_clock) -> None:
    second = WHOLE[WHOLE.index("[accounts.main]") :].replace("main", "second").replace("cycles.btc", "cycles.eth")
    settings = load(tmp_path, WHOLE + second)
    tree = Tree(
        settings,
        wall_clock=VirtualWallClock(),
        seed=1,
        timing=AccountTiming(),
        journal=None,
        report=lambda event: None,
        fail=lambda status, reason: None,
    )
    parts = tree.exchanges["gateio_spot"]
    parts.rest_url = "http://127.0.0.1:1"
    async with tree.accounts["main"].open_session() as main, tree.accounts["second"].open_session() as second_account:
        assert main.limits is second_account.limits is parts.limits
        started = trio.current_time()
        for session in (main, second_account) * 5:
            await session.limits.acquire("orders")
        assert trio.current_time() - started == pytest.approx(1.0), "nine in a second, whoever they are from"


# Over a restart


async def test_next_run_keeps_to_what_is_left_of_each_hold_and_says_so(runs: Runs, autojump_clock) -> None:
    spot = runs.start("okx_spot").exchanges["okx_spot"].limits
    spot.note(HttpResponse(status=429, headers={"retry-after": "40"}, body=b""), "orders")
    spot.note(HttpResponse(status=429, headers={"retry-after": "2"}, body=b""), "queries")
    spot.note(HttpResponse(status=429, headers={"retry-after": "50"}, body=b""), WEBSOCKETS)
    spot.note(BANNED, "orders")
    await trio.sleep(30)
    budgets = runs.start()
    assert runs.heard(HoldTakenOver) == [
        HoldTakenOver("okx (testnet)", runs.in_seconds(90), "banned for 120 s (status 418)", ""),
        HoldTakenOver("okx (testnet)/websockets", runs.in_seconds(20), "too many requests, held for 50 s (status 429)", ""),
        HoldTakenOver("okx (testnet)/orders", runs.in_seconds(10), "too many requests, held for 40 s (status 429)", ""),
    ]
    assert runs.heard(HoldPlaced) == [], "it is not placed anew"
    for name in ("okx_spot", "okx_swap"):
        held = [left_seconds(budgets, name, group) for group in (None, WEBSOCKETS, "orders", "queries")]
        assert held == [90, 20, 10, float("-inf")], name
    await trio.sleep(30)
    assert left_seconds(runs.start(), "okx_swap") == 60, "and so does the run after it"
    await trio.sleep(60)
    runs.start()
    assert runs.told == [], "what is over is forgotten"


async def test_hold_that_a_run_took_over_is_extended_by_what_the_exchange_says_then(runs: Runs, autojump_clock) -> None:
    runs.start().exchanges["okx_spot"].limits.note(BANNED, "orders")
    await trio.sleep(100)
    budgets = runs.start()
    budgets.exchanges["okx_swap"].limits.note(BANNED, "orders")
    assert [left_seconds(budgets, name) for name in budgets.exchanges] == [120, 120]
    assert len(runs.heard(HoldPlaced)) == 1
    assert left_seconds(runs.start(), "okx_spot") == 120


async def test_clock_that_went_back_makes_a_hold_no_longer_than_it_was_asked_for(runs: Runs, autojump_clock) -> None:
    runs.start().exchanges["okx_spot"].limits.note(BANNED, "orders")
    runs.clock.skew_milliseconds -= 365 * 86_400_000
    budgets = runs.start()
    assert left_seconds(budgets, "okx_spot") == 120
    (taken,) = runs.heard(HoldTakenOver)
    assert taken == HoldTakenOver(
        "okx (testnet)",
        runs.in_seconds(120),
        "banned for 120 s (status 418)",
        "the clock has gone back since then: held for all of the 120 s",
    )
    await trio.sleep(100)
    assert left_seconds(runs.start(), "okx_spot") == 20, "by the clock as it goes now"


async def test_hold_that_claims_to_last_for_years_is_kept_to_for_three_days(runs: Runs, autojump_clock) -> None:
    runs.start()
    runs.keep(HoldPlaced("okx (testnet)", runs.in_seconds(10 * 365 * 86_400), "banned"))
    assert left_seconds(runs.start(), "okx_spot") == HOLD_SECONDS_MAX
    (taken,) = runs.heard(HoldTakenOver)
    assert isinstance(taken, HoldTakenOver)
    assert taken.correction == "held for no longer than any exchange bans, 259200 s"
    await trio.sleep(HOLD_SECONDS_MAX)
    runs.start()
    assert runs.heard(HoldTakenOver) == []


async def test_embedded_exchange_has_no_past(tmp_path: Path, autojump_clock) -> None:
    runs = Runs(tmp_path, WHOLE)
    runs.start().exchanges["gateio_spot"].limits.note(BANNED, "orders")
    assert runs.heard(HoldPlaced), "it is told"
    runs.start()
    assert runs.told == []


async def test_hold_of_the_testnet_is_none_of_the_real_exchange(tmp_path: Path, autojump_clock) -> None:
    testnet, live = Runs(tmp_path), Runs(tmp_path, OKX.replace('"testnet"', '"live"'))
    live.store = testnet.store
    testnet.start().exchanges["okx_spot"].limits.note(BANNED, "orders")
    budgets = live.start()
    assert live.told == []
    assert left_seconds(budgets, "okx_spot") == float("-inf")
