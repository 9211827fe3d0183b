"""Every change of the accounts' wallets, as Gate.io's account book lists them."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from market.symbol import Symbol
from simulated.engine.events import BalanceChanged, BalanceReason

KINDS = {
    BalanceReason.DEPOSITED: "dnw",
    BalanceReason.WITHDRAWN: "dnw",
    BalanceReason.REALISED: "pnl",
    BalanceReason.INSURANCE: "pnl",
    BalanceReason.FEE: "fee",
    BalanceReason.FUNDING: "fund",
}
"""Reasons that change a wallet's total; the rest only move money between what is held and what is free."""
_ENTRIES_MAX = 20_000


class BookEntry(msgspec.Struct, frozen=True):
    """`id` counts the entries of the whole exchange; `balance` is the wallet's total afterwards."""

    id: int
    at_milliseconds: int
    kind: str
    change: Decimal
    balance: Decimal
    asset: str
    symbol: Symbol | None


class AccountBook:
    """The last 20,000 entries of each account, and the sums by kind of all there ever were."""

    def __init__(self) -> None:
        self._entries: dict[str, deque[BookEntry]] = {}
        self._sums: dict[tuple[str, str], Decimal] = {}
        self._next_id = 1

    def record(self, changed: BalanceChanged) -> BookEntry | None:
        """The entry that the change makes; None where the wallet's total is as it was."""
        kind = KINDS.get(changed.reason)
        change = changed.available_change + changed.locked_change
        if kind is None or not change:
            return None
        entry = BookEntry(
            self._next_id, changed.at_milliseconds, kind, change, changed.available + changed.locked, changed.asset, changed.symbol
        )
        self._next_id += 1
        self._entries.setdefault(changed.account, deque(maxlen=_ENTRIES_MAX)).append(entry)
        self._sums[(changed.account, kind)] = self.sum(changed.account, kind) + change
        return entry

    def sum(self, account: str, kind: str) -> Decimal:
        return self._sums.get((account, kind), Decimal(0))

    def entries(self, account: str) -> list[BookEntry]:
        """Newest first."""
        return list(reversed(self._entries.get(account, ())))
