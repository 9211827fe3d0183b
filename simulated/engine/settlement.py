"""How orders are backed and trades are paid: the one thing in which markets of assets and markets of contracts differ."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from market.events import Side
from simulated.engine.account import Account
from simulated.engine.book import Book
from simulated.engine.events import BalanceReason
from simulated.engine.ledger import Ledger
from simulated.engine.order import ZERO, NewOrder, Order, OrderKind, OrderRefused, Refusal, Trade, TradeParty


class Settlement(Protocol):
    """What matching asks of it. What is checked must be carried out at once after; only the checks raise."""

    def assets(self, new: NewOrder) -> tuple[str, str]:
        """What the order locks, and what its fee is taken in."""
        ...

    def check(self, new: NewOrder, book: Book) -> Decimal:
        """What the order must hold before it may be matched. Raises: OrderRefused: it cannot be backed."""
        ...

    def check_amendment(self, order: Order, price: Decimal, remaining: Decimal, book: Book) -> Decimal:
        """What the order must hold once it is so. Raises: OrderRefused: it cannot be backed."""
        ...

    def opened(self, order: Order, needed: Decimal, now_milliseconds: int) -> None:
        """Let the order hold what was found by `check`."""
        ...

    def amended(self, order: Order, needed: Decimal, now_milliseconds: int) -> None:
        """Let the order hold what was found by `check_amendment`."""
        ...

    def finished(self, order: Order, now_milliseconds: int) -> None:
        """Release what the order, which is not among the open ones any more, still holds."""
        ...

    def takes(self, order: Order) -> Decimal:
        """How much of what remains of the order may be matched now."""
        ...

    def fill(self, order: Order, fee_rate: Decimal, price: Decimal, quantity: Decimal, now_milliseconds: int, trade_id: int) -> TradeParty:
        """Book one party's side of a trade."""
        ...

    def traded(self, trade: Trade, taker: Order, now_milliseconds: int) -> list[Order]:
        """Both sides are booked and told. The resting orders that cannot stay after it."""
        ...

    def available(self, account: Account, asset: str) -> Decimal:
        """What the account may use for new orders."""
        ...


class SpotSettlement:
    """Assets are exchanged. A limit buy locks price times remaining, a sell locks its quantity, a market buy what it may spend.

    A fill takes from the lock; what a better price leaves over is free at once. Fees are taken from the asset received, so
    that the total of each asset changes only by deposits and withdrawals.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def assets(self, new: NewOrder) -> tuple[str, str]:
        symbol = new.symbol
        return (symbol.quote, symbol.base) if new.side is Side.BUY else (symbol.base, symbol.quote)

    def check(self, new: NewOrder, book: Book) -> Decimal:
        if new.reduce_only:
            raise OrderRefused(Refusal.INVALID)
        needed = self._needed(new, book)
        self._ledger.require(self._ledger.accounts[new.account], self.assets(new)[0], needed)
        return needed

    def check_amendment(self, order: Order, price: Decimal, remaining: Decimal, book: Book) -> Decimal:
        needed = price * remaining if order.side is Side.BUY else remaining
        self._ledger.require(self._ledger.accounts[order.account], order.locked_asset, needed - order.locked)
        return needed

    def opened(self, order: Order, needed: Decimal, now_milliseconds: int) -> None:
        self._lock(order, needed, BalanceReason.ORDER_PUT, now_milliseconds)

    def amended(self, order: Order, needed: Decimal, now_milliseconds: int) -> None:
        self._lock(order, needed - order.locked, BalanceReason.ORDER_CHANGED, now_milliseconds)

    def finished(self, order: Order, now_milliseconds: int) -> None:
        if order.locked:
            self._lock(order, -order.locked, BalanceReason.ORDER_CHANGED, now_milliseconds)

    def takes(self, order: Order) -> Decimal:
        return order.remaining_quantity

    def fill(self, order: Order, fee_rate: Decimal, price: Decimal, quantity: Decimal, now_milliseconds: int, trade_id: int) -> TradeParty:
        """Money from its lock, what it received less the fee, the fee to the house."""
        account = self._ledger.accounts[order.account]
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
        self._ledger.move(account, order.locked_asset, unlocked - paid, -unlocked, matched, now_milliseconds)
        self._ledger.move(account, order.fee_asset, received - fee, ZERO, matched, now_milliseconds)
        self._ledger.pay_fee(order.fee_asset, fee, matched, now_milliseconds)
        return TradeParty(order.id, order.client_id, order.account, fee, order.fee_asset)

    def traded(self, trade: Trade, taker: Order, now_milliseconds: int) -> list[Order]:
        return []

    def available(self, account: Account, asset: str) -> Decimal:
        return account.balance(asset).available

    def _lock(self, order: Order, amount: Decimal, reason: BalanceReason, now_milliseconds: int) -> None:
        order.locked += amount
        self._ledger.move(self._ledger.accounts[order.account], order.locked_asset, -amount, amount, reason, now_milliseconds)

    @staticmethod
    def _needed(new: NewOrder, book: Book) -> Decimal:
        if new.side is Side.SELL:
            return new.quantity
        if new.kind is OrderKind.LIMIT:
            return new.price * new.quantity
        if new.quote_quantity is not None:
            return new.quote_quantity
        needed, left = ZERO, new.quantity
        for price, quantity in book.asks.levels():
            taken = min(left, quantity)
            needed += price * taken
            left -= taken
            if not left:
                break
        return needed
