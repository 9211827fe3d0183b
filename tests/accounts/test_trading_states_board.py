"""The board of trading states: the strictest counts, declared states stay, restraints last as long as their cause."""

from __future__ import annotations

import pytest
import trio
from scripted_account import BTC

from actors.accounts.trading_states import BoardEvent, TradingStates
from market.symbol import Symbol
from orders.states import (
    GLOBAL,
    RestraintLifted,
    RestraintPlaced,
    Standing,
    StateEntered,
    TradingState,
    account_scope,
    cycle_scope,
    symbol_scope,
)

ETH = Symbol("ETH", "USDT")
MAIN, CYCLE = account_scope("main"), cycle_scope("btc")
RUN, REDUCE_ONLY, PAUSED, HALTED = TradingState


class Board:
    def __init__(self, **recovered: StateEntered) -> None:
        self.told: list[BoardEvent] = []
        self.states = TradingStates(on_change=self.told.append, recovered=recovered)

    @property
    def standing(self) -> Standing:
        return self.states.standing(account="main", owner="btc", symbol=BTC)


def test_everything_may_be_traded_where_nothing_was_said() -> None:
    assert Board().standing.state is RUN


@pytest.mark.parametrize("scope", [GLOBAL, MAIN, CYCLE, symbol_scope("main", BTC)])
def test_state_of_any_scope_that_an_order_belongs_to_counts(scope: str) -> None:
    board = Board()
    board.states.enter(scope, PAUSED, "lunch")
    assert board.standing == Standing(PAUSED, scope, "lunch")
    assert board.standing.words == f"{scope} is paused: lunch"


@pytest.mark.parametrize("scope", [account_scope("other"), cycle_scope("eth"), symbol_scope("main", ETH), symbol_scope("other", BTC)])
def test_state_of_another_account_cycle_or_symbol_does_not_count(scope: str) -> None:
    board = Board()
    board.states.enter(scope, HALTED, "not ours")
    assert board.standing.state is RUN


def test_strictest_state_counts_whatever_scope_it_is_of() -> None:
    board = Board()
    board.states.enter(GLOBAL, REDUCE_ONLY, "evening")
    board.states.enter(CYCLE, HALTED, "daily loss")
    board.states.enter(MAIN, PAUSED, "lunch")
    assert board.standing == Standing(HALTED, CYCLE, "daily loss")
    board.states.enter(CYCLE, RUN, "")
    assert board.standing == Standing(PAUSED, MAIN, "lunch")


def test_states_are_ordered_from_free_to_strict() -> None:
    assert sorted(TradingState, key=lambda state: state.strictness) == [RUN, REDUCE_ONLY, PAUSED, HALTED]
    assert [state for state in TradingState if state.may_place] == [RUN, REDUCE_ONLY]


def test_state_that_is_entered_again_is_told_once() -> None:
    board = Board()
    board.states.enter(MAIN, PAUSED, "lunch")
    board.states.enter(MAIN, PAUSED, "still lunch")
    board.states.enter(MAIN, RUN, "")
    board.states.enter(MAIN, RUN, "")
    assert board.told == [StateEntered(MAIN, PAUSED, "lunch"), StateEntered(MAIN, RUN, "")]
    assert board.states.declared() == {}


def test_what_tightens_never_frees() -> None:
    board = Board()
    board.states.enter(MAIN, PAUSED, "lunch")
    board.states.tighten(MAIN, REDUCE_ONLY, "order too large")
    assert board.standing == Standing(PAUSED, MAIN, "lunch")
    board.states.tighten(MAIN, HALTED, "daily loss")
    assert board.standing == Standing(HALTED, MAIN, "daily loss")
    board.states.tighten(MAIN, HALTED, "foreign order")
    assert board.standing.reason == "daily loss", "the first reason stands"


def test_restraints_of_one_scope_last_each_as_long_as_its_own_cause() -> None:
    board = Board()
    board.states.restrain(MAIN, "silence", PAUSED, "it does not answer")
    board.states.restrain(MAIN, "unknown", REDUCE_ONLY, "mm-btc-1 is unknown")
    board.states.lift(MAIN, "silence")
    assert board.standing == Standing(REDUCE_ONLY, MAIN, "mm-btc-1 is unknown")
    board.states.lift(MAIN, "unknown")
    board.states.lift(MAIN, "unknown")
    assert board.standing.state is RUN
    assert board.told == [
        RestraintPlaced(MAIN, "silence", PAUSED, "it does not answer"),
        RestraintPlaced(MAIN, "unknown", REDUCE_ONLY, "mm-btc-1 is unknown"),
        RestraintLifted(MAIN, "silence"),
        RestraintLifted(MAIN, "unknown"),
    ]


def test_restraint_that_is_said_again_is_told_once_and_a_stricter_one_takes_its_place() -> None:
    board = Board()
    board.states.restrain(MAIN, "silence", REDUCE_ONLY, "slow")
    board.states.restrain(MAIN, "silence", REDUCE_ONLY, "slower")
    board.states.restrain(MAIN, "silence", PAUSED, "silent")
    assert board.standing.reason == "silent"
    assert len(board.told) == 2
    assert len(board.states.restraints()) == 1


def test_resuming_a_scope_does_not_lift_a_restraint() -> None:
    board = Board()
    board.states.restrain(MAIN, "silence", PAUSED, "silent")
    board.states.enter(MAIN, RUN, "")
    assert board.standing.state is PAUSED


def test_states_of_an_earlier_run_are_in_force_and_those_that_run_are_forgotten() -> None:
    board = Board(a=StateEntered("a", RUN, ""), **{GLOBAL: StateEntered(GLOBAL, HALTED, "yesterday")})
    assert board.standing == Standing(HALTED, GLOBAL, "yesterday")
    assert list(board.states.declared()) == [GLOBAL]
    assert board.told == [], "it is told by whoever recovered it"


async def test_waiter_sees_the_new_state_when_it_wakes(autojump_clock: object) -> None:
    board = Board()
    seen: list[TradingState] = []

    async def wait() -> None:
        await board.states.changed.wait()
        seen.append(board.standing.state)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        board.states.enter(MAIN, PAUSED, "lunch")
    assert seen == [PAUSED]
    assert not board.states.changed.is_set(), "the next change has an event of its own"
