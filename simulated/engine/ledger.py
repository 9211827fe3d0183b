"""The money of the simulated exchange: every account's wallet, always exact, and how much of each asset there must be."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.events import BalanceChanged, BalanceReason, EngineEvent
from simulated.engine.order import ZERO, OrderRefused, Refusal

FEES_ACCOUNT = "fees"


class Ledger:
    """Every account, and the supply of each asset. Fees go to the account `fees`."""

    def __init__(self, publish: Callable[[EngineEvent], None]) -> None:
        self.accounts: dict[str, Account] = {FEES_ACCOUNT: Account(FEES_ACCOUNT, quiet=True)}
        self.supply: dict[str, Decimal] = {}
        self._publish = publish

    def deposit(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        self.supply[asset] = self.supply.get(asset, ZERO) + amount
        self.move(self.accounts[account_name], asset, amount, ZERO, BalanceReason.DEPOSITED, now_milliseconds)

    def withdraw(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        """Raises: OrderRefused: there is less available than `amount`."""
        account = self.accounts[account_name]
        self.require(account, asset, amount)
        self.supply[asset] -= amount
        self.move(account, asset, -amount, ZERO, BalanceReason.WITHDRAWN, now_milliseconds)

    def require(self, account: Account, asset: str, amount: Decimal) -> None:
        """Raises: OrderRefused: there is less available than `amount`."""
        available = account.balance(asset).available
        if available < amount:
            raise OrderRefused(Refusal.BALANCE_NOT_ENOUGH, bound=available, value=amount)

    def move(
        self,
        account: Account,
        asset: str,
        available: Decimal,
        locked: Decimal,
        reason: BalanceReason,
        now_milliseconds: int,
        symbol: Symbol | None = None,
    ) -> None:
        """Change what is available and what is locked by so much."""
        balance = account.balance(asset)
        balance.available += available
        balance.locked += locked
        balance.version += 1
        if not account.quiet and (available or locked):
            self._publish(
                BalanceChanged(account.name, asset, balance.available, balance.locked, available, locked, reason, now_milliseconds, symbol)
            )

    def pay_fee(self, asset: str, fee: Decimal, reason: BalanceReason, now_milliseconds: int) -> None:
        """Credit a fee that was taken from a party."""
        if fee:
            self.move(self.accounts[FEES_ACCOUNT], asset, fee, ZERO, reason, now_milliseconds)
