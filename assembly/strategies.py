"""What the assembly knows of a strategy: one of the program's own, or one of its user's (`assembly/own_strategies.py`)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import msgspec

from actors.cycle.quoting.contract import QuotingStrategy
from actors.cycle.rounds.controller import Controller


class StrategyKind(enum.Enum):
    """How a strategy trades: in rounds, each reconciled, or by quotes that are live until the program stops."""

    ROUNDS = "rounds"
    QUOTING = "quoting"


class StrategyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy: its parameters' struct, and what decides, made from them: a `Controller` or a `QuotingStrategy`, by its kind."""

    parameters: type[msgspec.Struct]
    make: Callable[[Any], Controller | QuotingStrategy]
    kind: StrategyKind = StrategyKind.ROUNDS
