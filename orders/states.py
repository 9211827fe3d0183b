"""What may be traded now: run, reduce-only, paused, halted, each of a scope.

A scope is the whole program (`global`), an account, a cycle, or a symbol of an account. The strictest of those that an order
belongs to counts (`docs/states.md`).
"""

from __future__ import annotations

import enum

import msgspec

from market.symbol import Symbol

GLOBAL = "global"


class TradingState(enum.Enum):
    """What a scope may do, from the freest to the strictest.

    `RUN`: everything. `REDUCE_ONLY`: only what makes a position smaller. `PAUSED`: no order is placed or left live, and it is
    expected to go on. `HALTED`: as paused, and it goes on only after somebody has looked.
    """

    RUN = "run"
    REDUCE_ONLY = "reduce_only"
    PAUSED = "paused"
    HALTED = "halted"

    @property
    def strictness(self) -> int:
        return _STRICTNESS[self]

    @property
    def may_place(self) -> bool:
        """Whether anything at all may be placed."""
        return self in (TradingState.RUN, TradingState.REDUCE_ONLY)


_STRICTNESS = {state: number for number, state in enumerate(TradingState)}


def account_scope(account: str) -> str:
    return f"account:{account}"


def cycle_scope(cycle: str) -> str:
    return f"cycle:{cycle}"


def symbol_scope(account: str, symbol: Symbol) -> str:
    return f"symbol:{account}:{symbol}"


class StateEntered(msgspec.Struct, frozen=True):
    """A scope is in this state from now on, also after a restart, until somebody or something puts it into another."""

    scope: str
    state: TradingState
    reason: str


class StateRecovered(msgspec.Struct, frozen=True):
    """A scope goes on in the state that an earlier run left it in; it has been in it since that wall time."""

    scope: str
    state: TradingState
    reason: str
    since_milliseconds: int


class RestraintPlaced(msgspec.Struct, frozen=True):
    """A scope is in this state for as long as `cause` lasts, which is looked at anew after a restart."""

    scope: str
    cause: str
    state: TradingState
    reason: str


class RestraintLifted(msgspec.Struct, frozen=True):
    """The cause is over."""

    scope: str
    cause: str


class Standing(msgspec.Struct, frozen=True):
    """How things stand for the orders of one cycle in one symbol: the strictest state that concerns them, whose it is, and why."""

    state: TradingState = TradingState.RUN
    scope: str = GLOBAL
    reason: str = ""

    @property
    def words(self) -> str:
        """``account:main is reduce_only: daily loss``."""
        return f"{self.scope} is {self.state.value}: {self.reason}"


class StandingChanged(msgspec.Struct, frozen=True):
    """Told to an owner: its orders in this symbol stand so from now on."""

    account: str
    symbol: Symbol
    standing: Standing
