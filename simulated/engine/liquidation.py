"""Liquidation: a position that less stands behind than it needs is closed by the exchange.

The account's orders that use the same margin are cancelled. Then the exchange closes the position by an order of its own on
behalf of the account, limited to the price at which nothing is left behind it; what the book does not take at that price
or a better one, the insurance account does at that price. What better prices leave over stays with the account; what fees
take beyond the margin is paid by insurance. Of cross positions the one that needs most is closed first, and the others
stay if that is enough.
"""

from __future__ import annotations

from collections.abc import Mapping

from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.contract_settlement import INSURANCE_ACCOUNT, ContractSettlement
from simulated.engine.events import Liquidated, OrderChange
from simulated.engine.margin import Margin
from simulated.engine.matcher import Matcher
from simulated.engine.order import FinishReason, NewOrder, Order, TimeInForce
from simulated.engine.position import Position
from simulated.engine.records import OrderRecords

LIQUIDATION_TAG = "liquidation"


class Liquidator:
    """Closes the positions that are due. The caller's context must be exact."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        records: OrderRecords,
        matcher: Matcher,
        settlement: ContractSettlement,
        margin: Margin,
    ) -> None:
        self._accounts = accounts
        self._records = records
        self._matcher = matcher
        self._settlement = settlement
        self._margin = margin

    def liquidate_due(self, now: int) -> None:
        """Liquidate until no position of any account is due: closing one may fill an order that makes another one due."""
        while due := [
            (position, account) for account in self._accounts.values() if account.positions and (position := self._due(account)) is not None
        ]:
            for position, account in due:
                if self._due(account) is position:
                    self._liquidate(position, account, now)

    def _due(self, account: Account) -> Position | None:
        return None if account.quiet else self._margin.due(account)

    def _liquidate(self, position: Position, account: Account, now: int) -> None:
        for order in list(account.open_orders.values()):
            if self._shares_margin(account, order.symbol, position):
                self._matcher.withdraw(order, FinishReason.LIQUIDATED, now)
        wallet = account.balance(position.symbol.quote)
        wallet_before, margin, is_isolated = wallet.total, position.margin, not position.is_cross
        order = self._open_closing_order(position, account, now)
        self._matcher.match(order, now)
        if order.remaining_quantity:
            self._matcher.trade_off_book(order, self._open_takeover(order, now), now)
        self._matcher.finish(order, FinishReason.FILLED, now)
        self._records.publish(
            Liquidated(account.name, order.symbol, order.side, order.price, order.quantity, now, order.id)
        )  # fmt: skip
        lost = wallet_before - wallet.total
        if is_isolated and lost > margin:
            self._settlement.pay_by_insurance(account, position.symbol, lost - margin, now)

    def _shares_margin(self, account: Account, symbol: Symbol, position: Position) -> bool:
        if not position.is_cross:
            return symbol == position.symbol
        return symbol.quote == position.symbol.quote and self._margin.position(account, symbol).is_cross

    def _open_closing_order(self, position: Position, account: Account, now: int) -> Order:
        new = NewOrder(
            account=account.name,
            symbol=position.symbol,
            side=position.closing_side,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            price=self._margin.bankruptcy_price(position, account),
            quantity=abs(position.quantity),
            tag=LIQUIDATION_TAG,
            reduce_only=True,
        )
        order = self._records.open(new, account, self._settlement.assets(new), now, is_liquidation=True)
        self._records.announce(order, account, OrderChange.PUT, now)
        return order

    def _open_takeover(self, order: Order, now: int) -> Order:
        new = NewOrder(
            account=INSURANCE_ACCOUNT,
            symbol=order.symbol,
            side=order.side.opposite,
            price=order.price,
            quantity=order.remaining_quantity,
            tag=LIQUIDATION_TAG,
        )
        return self._records.open(new, self._accounts[INSURANCE_ACCOUNT], self._settlement.assets(new), now)
