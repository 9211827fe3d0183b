"""What is told of a strategy of one's own that raises, or answers what is no decision: in its user's words, with his line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from settings_files import WHOLE, load

from actors.cycle.quoting.contract import Quote, QuotingView, StrategyFailed, Tolerance, Wanted
from actors.cycle.quoting.history import KeptHistory
from assembly.checked_strategy import PHASE_CHARACTERS_MAX, CheckedStrategy, OwnStrategyError
from assembly.cycle_parts import cycle_terms
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol

RULES = Instrument(
    exchange="gateio_spot",
    symbol=Symbol("BTC", "USDT"),
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.01"),
    notional_min=Decimal(1),
)
VIEW = QuotingView(now=0.0, instrument=RULES, book=None, history=KeptHistory(), order_quote=Decimal(60))
GRID = """
import msgspec

class GridParameters(msgspec.Struct, frozen=True):
    pass

class Grid:
    Parameters = GridParameters
    history_seconds = 0.0

    def __init__(self, parameters):
        pass

    def decide(self, view):
        return 1 / 0
"""


class Answering:
    history_seconds = 7.0

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def decide(self, view: QuotingView) -> Wanted:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


def decided(answer: Any) -> Wanted:
    return CheckedStrategy(Answering(answer), "here.grid:Grid", Path("/here")).decide(VIEW)


def answer_of(**fields: Any) -> Wanted:
    return Wanted(**fields)


def quoted(**changed: Any) -> Wanted:
    fields: dict[str, Any] = {"side": Side.BUY, "price": Decimal(1), "quantity": Decimal(1)}
    return Wanted(quotes=(Quote(**(fields | changed)),))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "None; expected a Wanted"),
        ([], "[]; expected a Wanted"),
        (answer_of(phase=None), "phase None; expected a text"),
        (answer_of(quotes=7), "quotes 7; expected a tuple of Quote"),
        (answer_of(quotes=("bid",)), "quotes[0] 'bid'; expected a Quote"),
        (quoted(price=0.5), "quotes[0].price 0.5; expected a Decimal that is a number"),
        (quoted(price=Decimal("NaN")), "quotes[0].price Decimal('NaN'); expected a Decimal that is a number"),
        (quoted(quantity=Decimal("Infinity")), "quotes[0].quantity Decimal('Infinity'); expected a Decimal that is a number"),
        (quoted(side="buy"), "quotes[0].side 'buy'; expected Side"),
        (quoted(level=None), "quotes[0].level None; expected int"),
        (answer_of(tolerance=0.1), "tolerance 0.1; expected a Tolerance"),
        (
            Wanted(tolerance=Tolerance(price_fraction=Decimal(-1))),
            "tolerance.price_fraction Decimal('-1'); expected a Decimal of 0 or more",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_answer_that_is_no_decision_is_told_with_what_was_expected(answer: Any, said: str) -> None:
    with pytest.raises(OwnStrategyError) as caught:
        decided(answer)
    assert str(caught.value) == f"here.grid:Grid: decide answered {said}"


def test_quotes_that_the_executor_puts_right_are_let_through_as_they_are() -> None:
    wanted = quoted(price=Decimal("-1.23456"), quantity=Decimal(0))
    assert decided(wanted) == wanted


def test_phase_becomes_one_line_that_is_not_endless() -> None:
    assert decided(Wanted(phase="buying\n  low")).phase == "buying low"
    assert len(decided(Wanted(phase="x" * 1000)).phase) == PHASE_CHARACTERS_MAX


def test_strategy_that_gives_up_says_so_in_its_own_words() -> None:
    with pytest.raises(StrategyFailed, match=r"^no more$"):
        decided(StrategyFailed("no more"))


def test_strategy_that_would_end_the_program_ends_no_more_than_its_decision() -> None:
    with pytest.raises(OwnStrategyError, match=r"^here.grid:Grid: SystemExit: 3"):
        decided(SystemExit(3))


def test_exception_of_a_strategy_of_ones_own_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "grid.py").write_text(GRID, encoding="utf-8")
    settings = load(tmp_path, WHOLE.replace('strategy = "sell_on_top"', 'strategy = "grid:Grid"'))
    with pytest.raises(OwnStrategyError) as caught:
        cycle_terms(settings, "btc").strategy.decide(VIEW)
    assert str(caught.value) == f"grid:Grid: ZeroDivisionError: division by zero, line 15 of {tmp_path / 'grid.py'}"


def test_history_reaches_as_far_back_as_the_strategy_says() -> None:
    assert CheckedStrategy(Answering(None), "here.grid:Grid", Path("/here")).history_seconds == 7.0
