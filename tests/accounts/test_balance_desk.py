"""The balance desk: which assets are compared when, and what follows from a difference, in which order."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from scripted_account import Books, said, sell
from trio.testing import MockClock

from actors.accounts.balance_desk import BalanceDesk
from actors.accounts.memory import FILLS_OVERLAP_MILLISECONDS, AccountMemory
from actors.accounts.policies import AccountPolicies, UnexplainedBalances
from actors.accounts.readiness import Readiness
from actors.accounts.trading_states import TradingStates
from market.symbol import Symbol
from orders.agreement import BALANCES_LAG_SECONDS, AssetBaseline, BalanceAgreement
from orders.events import BalanceBaselined, BalanceDiffers, CountingBegan
from orders.life_cycle import OrderInput
from orders.states import StateEntered, TradingState

BTC = Symbol("BTC", "USDT")
TOTALS = {"BTC": Decimal(1), "USDT": Decimal(100), "ETH": Decimal(5)}
ID = "mm-btc-000000001"


class Kept:
    """A recorder that remembers, and never keeps anybody waiting."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def keep(self, *events: object) -> None:
        self.events += events

    async def written(self) -> None:
        await trio.lowlevel.checkpoint()


class Desk:
    def __init__(self, policy: UnexplainedBalances = UnexplainedBalances.REDUCE_ONLY) -> None:
        self.books = Books()
        self.kept = Kept()
        self.told: list[object] = []
        self.states = TradingStates(on_change=self.kept.keep)
        self.agreement = BalanceAgreement("main")
        self.policies = AccountPolicies(unexplained_balances=policy)
        self.desk = BalanceDesk(
            ledger=self.books.ledger,
            agreement=self.agreement,
            symbols=[BTC],
            states=self.states,
            policies=self.policies,
            recorder=self.kept,
            report=self.told.append,
        )

    def look(self, **totals: int) -> None:
        self.desk.look(TOTALS | {asset: Decimal(total) for asset, total in totals.items()}, now_milliseconds=7)


async def test_traded_assets_are_compared_and_others_are_not() -> None:
    desk = Desk()
    desk.look()
    assert [event.asset for event in desk.kept.events if isinstance(event, BalanceBaselined)] == ["BTC", "USDT"]
    assert desk.desk.has_compared_all


@pytest.mark.parametrize(
    ("policy", "state"), [(UnexplainedBalances.REDUCE_ONLY, TradingState.REDUCE_ONLY), (UnexplainedBalances.HALT, TradingState.HALTED)]
)
async def test_state_is_written_down_before_the_new_baseline_so_that_no_death_in_between_loses_it(
    policy: UnexplainedBalances, state: TradingState, autojump_clock: MockClock
) -> None:
    desk = Desk(policy)
    desk.look()
    desk.look(USDT=93)
    assert desk.desk.doubts() == "7 USDT less"
    await trio.sleep(BALANCES_LAG_SECONDS)
    desk.kept.events.clear()
    desk.look(USDT=93)
    assert [type(event) for event in desk.kept.events] == [BalanceDiffers, StateEntered, BalanceBaselined]
    assert desk.states.declared()["account:main"].state is state
    assert [type(event) for event in desk.told] == [BalanceDiffers]


async def test_policy_is_the_one_there_is_when_the_difference_is_found(autojump_clock: MockClock) -> None:
    desk = Desk(UnexplainedBalances.HALT)
    desk.look()
    desk.look(USDT=93)
    desk.policies.unexplained_balances = UnexplainedBalances.REPORT
    await trio.sleep(BALANCES_LAG_SECONDS)
    desk.look(USDT=93)
    assert [type(event) for event in desk.told] == [BalanceDiffers]
    assert desk.states.declared() == {}


async def test_stricter_state_that_is_in_force_stays(autojump_clock: MockClock) -> None:
    desk = Desk()
    desk.states.enter("account:main", TradingState.HALTED, "by hand")
    desk.look()
    desk.look(BTC=2)
    await trio.sleep(BALANCES_LAG_SECONDS)
    desk.look(BTC=2)
    assert desk.states.declared()["account:main"].reason == "by hand"


async def test_assets_that_an_order_of_unknown_fate_may_have_changed_are_left_out_until_it_is_known() -> None:
    desk = Desk()
    desk.look()
    desk.books.send(sell(ID))
    desk.books.bookkeeper.happened(ID, OrderInput.ANSWER_LOST)
    desk.look(BTC=0, USDT=200)
    assert desk.desk.doubts() == ""
    assert not desk.desk.has_compared_all
    desk.books.bookkeeper.take(said(ID, "77"))
    desk.look(BTC=0)
    assert desk.desk.doubts() == "1 BTC less"


def memory(kept: Kept, *, known_until: int | None, baselines: dict[str, AssetBaseline] | None = None) -> AccountMemory:
    return AccountMemory(
        "main",
        agreement=BalanceAgreement("main", known=baselines),
        readiness=Readiness("main", patience_seconds=1, report=kept.keep),
        began_at_milliseconds=1_000_000,
        trades_known_until_milliseconds=known_until,
        counting={},
        recorder=kept,
    )


def test_counting_begins_a_little_before_the_first_question_and_is_written_down_once() -> None:
    kept = Kept()
    found = memory(kept, known_until=None)
    since = 1_000_000 - FILLS_OVERLAP_MILLISECONDS
    assert found.counting_since(BTC, now_milliseconds=1_000_000) == since
    assert found.counting_since(BTC, now_milliseconds=9_000_000) == since
    assert kept.events == [CountingBegan("main", BTC, since)]


def test_symbol_that_is_new_to_an_account_with_baselines_counts_from_now_and_else_from_where_the_last_run_ended() -> None:
    baselines = {"USDT": AssetBaseline(constant=Decimal(1))}
    new = memory(Kept(), known_until=500_000, baselines=baselines)
    assert new.counting_since(BTC, now_milliseconds=1_000_000) == 1_000_000 - FILLS_OVERLAP_MILLISECONDS
    old_journal = memory(Kept(), known_until=500_000)
    assert old_journal.counting_since(BTC, now_milliseconds=1_000_000) == 500_000 - FILLS_OVERLAP_MILLISECONDS
