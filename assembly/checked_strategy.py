"""A strategy of the user's own, with what it raises and answers told in the user's terms: which of his lines, and what was expected.

The program's own strategies are typed and tested with it; one of the user's may be neither, and what it answers goes far into the
executor before it is found to be no number.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from actors.cycle.quoting.contract import Quote, QuotingStrategy, QuotingView, StrategyFailed, Tolerance, Wanted
from market.events import Side
from orders.request import TimeInForce

PHASE_CHARACTERS_MAX = 200


class OwnStrategyError(Exception):
    """A strategy of the user's own raised something, or answered what is no decision; the text says what and where."""


class CheckedStrategy:
    """Decides as `strategy` does, which is called `name` in the settings and whose files are in `folder`."""

    def __init__(self, strategy: QuotingStrategy, name: str, folder: Path) -> None:
        self.strategy = strategy
        self._name = name
        self._folder = folder

    @property
    def history_seconds(self) -> float:
        return self.strategy.history_seconds

    def decide(self, view: QuotingView) -> Wanted:
        """What the strategy wants.

        Raises:
            StrategyFailed: it gave up.
            OwnStrategyError: anything else that it raised, or an answer that is no decision.
        """
        try:
            answer = self.strategy.decide(view)
        except StrategyFailed:
            raise
        except (Exception, SystemExit) as error:  # `sys.exit()` in a strategy is no stop of the program, which closes its accounts
            raise OwnStrategyError(f"{self._name}: {type(error).__name__}: {error}{where_in(self._folder, error)}") from error
        wrong = wrong_with(answer)
        if wrong:
            raise OwnStrategyError(f"{self._name}: decide answered {wrong}")
        return replace(answer, phase=" ".join(answer.phase.split())[:PHASE_CHARACTERS_MAX])


def where_in(folder: Path, error: BaseException) -> str:
    """The innermost line of a file in `folder` that `error` came through, in words; empty if there is none."""
    inside = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)]
    return f", line {inside[-1].lineno} of {inside[-1].filename}" if inside else ""


def wrong_with(answer: object) -> str:
    """What makes it no decision, and what was expected, in words; empty if it is one.

    Prices off their ticks, quantities that are too small and quotes that cross are none of it: the executor puts them right, or leaves
    them out.
    """
    if not isinstance(answer, Wanted):
        return f"{answer!r:.100}; expected a Wanted"
    if not isinstance(cast(object, answer.phase), str):
        return f"phase {answer.phase!r:.100}; expected a text"
    if not isinstance(cast(object, answer.quotes), Sequence):
        return f"quotes {answer.quotes!r:.100}; expected a tuple of Quote"
    for number, quote in enumerate(cast(Sequence[object], answer.quotes)):
        wrong = _wrong_with_quote(quote)
        if wrong:
            return f"quotes[{number}]{wrong}"
    tolerance = cast(object, answer.tolerance)
    if not isinstance(tolerance, Tolerance):
        return f"tolerance {tolerance!r:.100}; expected a Tolerance"
    for name in ("price_fraction", "quantity_fraction"):
        value = getattr(tolerance, name)
        if not _is_number(value) or value < 0:
            return f"tolerance.{name} {value!r:.100}; expected a Decimal of 0 or more"
    return ""


def _wrong_with_quote(quote: object) -> str:
    if not isinstance(quote, Quote):
        return f" {quote!r:.100}; expected a Quote"
    for name in ("price", "quantity"):
        value = getattr(quote, name)
        if not _is_number(value):
            return f".{name} {value!r:.100}; expected a Decimal that is a number"
    kinds: dict[str, Any] = {"side": Side, "level": int, "time_in_force": TimeInForce, "reduce_only": bool}
    for name, kind in kinds.items():
        value = getattr(quote, name)
        if not isinstance(value, kind):
            return f".{name} {value!r:.100}; expected {kind.__name__}"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite()
