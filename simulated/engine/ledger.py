"""The money of the simulated exchange: accounts, locks, fills and fees, always exact.

A limit buy locks price times remaining, a sell locks its quantity, a market buy locks what it may spend. A fill takes
from the lock; what a better price leaves over is free at once. Fees are taken from the asset received and go to the
account `fees`, so that the total of each asset changes only by `deposit` and `withdraw`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from market.events import Side
from simulated.engine.account import Account
from simulated.engine.events import BalanceChanged, BalanceReason, EngineEvent
from simulated.engine.order import ZERO, Order, OrderKind, OrderRefused, Refusal, TradeParty

FEES_ACCOUNT = "fees"


class Ledger:
    """Every account, and how much of each asset there must be in all of them together."""

    def __init__(self, publish: Callable[[EngineEvent], None]) -> None:
        self.accounts: dict[str, Account] = {FEES_ACCOUNT: Account(FEES_ACCOUNT, quiet=True)}
        self.supply: dict[str, Decimal] = {}
        self._publish = publish

    def deposit(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        self.supply[asset] = self.supply.get(asset, ZERO) + amount
        self._move(self.accounts[account_name], asset, amount, ZERO, BalanceReason.DEPOSITED, now_milliseconds)

    def withdraw(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        """Raises: OrderRefused: there is less available than `amount`."""
        account = self.accounts[account_name]
        self.require(account, asset, amount)
        self.supply[asset] -= amount
        self._move(account, asset, -amount, ZERO, BalanceReason.WITHDRAWN, now_milliseconds)

    def require(self, account: Account, asset: str, amount: Decimal) -> None:
        """Raises: OrderRefused: there is less available than `amount`."""
        available = account.balance(asset).available
        if available < amount:
            raise OrderRefused(Refusal.BALANCE_NOT_ENOUGH, bound=available, value=amount)

    def lock(self, order: Order, amount: Decimal, reason: BalanceReason, now_milliseconds: int) -> None:
        """Let the order hold `amount` more (less, if negative)."""
        order.locked += amount
        self._move(self.accounts[order.account], order.locked_asset, -amount, amount, reason, now_milliseconds)

    def fill(self, order: Order, fee_rate: Decimal, price: Decimal, quantity: Decimal, now_milliseconds: int) -> TradeParty:
        """Book one party's side of a trade: money from its lock, what it received less the fee, the fee to the house."""
        account = self.accounts[order.account]
        notional = price * quantity
        order.filled_quantity += quantity
        order.filled_notional += notional
        order.updated_at_milliseconds = now_milliseconds
        if order.side is Side.BUY:
            unlocked = order.price * quantity if order.kind is OrderKind.LIMIT else notional
            paid, received = notional, quantity
        else:
            unlocked = paid = quantity
            received = notional
        fee = received * fee_rate
        order.fee += fee
        order.locked -= unlocked
        matched = BalanceReason.ORDER_MATCHED
        self._move(account, order.locked_asset, unlocked - paid, -unlocked, matched, now_milliseconds)
        self._move(account, order.fee_asset, received - fee, ZERO, matched, now_milliseconds)
        if fee:
            self._move(self.accounts[FEES_ACCOUNT], order.fee_asset, fee, ZERO, matched, now_milliseconds)
        return TradeParty(order.id, order.client_id, order.account, fee, order.fee_asset)

    def _move(self, account: Account, asset: str, available: Decimal, locked: Decimal, reason: BalanceReason, now: int) -> None:
        balance = account.balance(asset)
        balance.available += available
        balance.locked += locked
        balance.version += 1
        if not account.quiet and (available or locked):
            self._publish(BalanceChanged(account.name, asset, balance.available, balance.locked, available, locked, reason, now))
