"""What is left of a quoting decision in each trading state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from test_quoting_limits import fill, quote, tally_of
from test_quoting_risk import view

from actors.cycle.quoting.contract import Wanted
from actors.cycle.quoting.standing import permitted
from market.events import Side
from orders.states import Standing, TradingState

BOTH = Wanted(quotes=(quote(Side.BUY, "1"), quote(Side.SELL, "1"), quote(Side.SELL, "1", level=1)), hold=True)
CONTRACT = Decimal("0.01")


def left(state: TradingState, **fields: Any) -> list[tuple[str, str]]:
    wanted = permitted(BOTH, Standing(state, "cycle:btc", "flattened"), view(**fields))
    assert not wanted.hold
    return [(each.side.value, str(each.quantity)) for each in wanted.quotes]


def test_run_leaves_the_decision_as_it_is() -> None:
    assert permitted(BOTH, Standing(), view()) is BOTH


@pytest.mark.parametrize("state", [TradingState.PAUSED, TradingState.HALTED])
def test_paused_or_halted_nothing_is_wanted_and_nothing_held(state: TradingState) -> None:
    assert left(state, tally=tally_of(fill(Side.BUY, "5"))) == []


@pytest.mark.parametrize("state", [TradingState.PAUSED, TradingState.HALTED])
def test_phase_of_a_cycle_that_is_held_back_says_that_and_not_that_it_quotes(state: TradingState) -> None:
    standing = Standing(state, "cycle:btc", "by mm-ctl")
    assert permitted(BOTH, standing, view()).phase == f"cycle:btc is {state.value}: by mm-ctl"


def test_without_a_book_nothing_is_wanted_in_any_state() -> None:
    assert permitted(BOTH, Standing(), view(book=None)).quotes == ()


@pytest.mark.parametrize(
    ("bought", "expected"),
    [("5", [("sell", "1"), ("sell", "1")]), ("1.5", [("sell", "1"), ("sell", "0.50")]), ("0.009", []), ("0", [])],
)
def test_reduce_only_sells_no_more_of_an_asset_than_the_cycle_has_bought(bought: str, expected: list[tuple[str, str]]) -> None:
    """What else the account holds is not its to sell: a cycle that was flattened goes on selling nothing."""
    tally = tally_of(fill(Side.BUY, bought))
    assert left(TradingState.REDUCE_ONLY, tally=tally, base_total=Decimal(100), base_available=Decimal(100)) == expected


def test_reduce_only_buys_no_asset_back() -> None:
    assert left(TradingState.REDUCE_ONLY, tally=tally_of(fill(Side.SELL, "5"))) == []


@pytest.mark.parametrize(
    ("side", "position", "expected"),
    [
        (Side.BUY, "5", [("sell", "1"), ("sell", "1")]),
        (Side.BUY, "1.2", [("sell", "1"), ("sell", "0.20")]),
        (Side.BUY, "-3", []),
        (Side.BUY, None, []),
        (Side.SELL, "-5", [("buy", "1")]),
        (Side.SELL, "-0.4", [("buy", "0.40")]),
        (Side.SELL, "5", []),
    ],
)
def test_reduce_only_brings_back_no_more_of_a_contract_than_cycle_and_account_hold(
    side: Side, position: str | None, expected: list[tuple[str, str]]
) -> None:
    held = None if position is None else Decimal(position)
    assert left(TradingState.REDUCE_ONLY, tally=tally_of(fill(side, "2")), contract_size=CONTRACT, position=held) == expected


def test_phase_says_why() -> None:
    wanted = permitted(BOTH, Standing(TradingState.REDUCE_ONLY, "cycle:btc", "flattened"), view())
    assert wanted.phase == "quoting; cycle:btc is reduce_only: flattened; bids cut by reduce_only; asks cut by reduce_only"
