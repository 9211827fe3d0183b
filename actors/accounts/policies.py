"""What an account does about things on it that are not ours, or that nothing explains: its owner's choice."""

from __future__ import annotations

import enum

import msgspec


class ForeignOrders(enum.Enum):
    """What an open order means that is not of this installation. It is never touched.

    `IGNORE`: it is reported. `HALT`: the account is halted too, until a person has looked.
    """

    IGNORE = "ignore"
    HALT = "halt"


class UnexplainedBalances(enum.Enum):
    """What a balance means that no fill and no payment explains, besides being reported."""

    REPORT = "report"
    REDUCE_ONLY = "reduce_only"
    HALT = "halt"


class AccountPolicies(msgspec.Struct, kw_only=True):
    """Both choices of one account, as they are now: its owner may make others while it runs."""

    foreign_orders: ForeignOrders = ForeignOrders.IGNORE
    unexplained_balances: UnexplainedBalances = UnexplainedBalances.REDUCE_ONLY
