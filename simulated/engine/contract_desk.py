"""The commands that only contracts know: leverage, mark prices and funding."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.contract_settlement import ContractSettlement
from simulated.engine.events import BalanceReason, FundingPaid, MarkPriceMoved, PositionReason
from simulated.engine.liquidation import Liquidator
from simulated.engine.margin import Margin
from simulated.engine.order import ZERO, OrderRefused, Refusal
from simulated.engine.position import Position
from simulated.engine.records import OrderRecords


class ContractDesk:
    """Carries out what `MatchingEngine` promises of contracts. The caller's context must be exact."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        records: OrderRecords,
        settlement: ContractSettlement,
        margin: Margin,
        liquidator: Liquidator,
    ) -> None:
        self.margin = margin
        self._accounts = accounts
        self._records = records
        self._settlement = settlement
        self._liquidator = liquidator
        self._next_funding_id = 1

    def position(self, account_name: str, symbol: Symbol) -> Position:
        return self.margin.position(self._accounts[account_name], symbol)

    def order_margin(self, account_name: str, symbol: Symbol) -> Decimal:
        orders = self._accounts[account_name].open_orders.values()
        return sum((order.locked for order in orders if order.symbol == symbol), ZERO)

    def liquidation_price(self, position: Position) -> Decimal | None:
        return self.margin.liquidation_price(position, self._accounts[position.account])

    def set_leverage(self, account_name: str, symbol: Symbol, leverage: Decimal, is_cross: bool, now: int) -> Position:
        if symbol not in self.margin.rules:
            raise OrderRefused(Refusal.UNKNOWN_SYMBOL)
        account = self._accounts[account_name]
        position = self.margin.position(account, symbol)
        if (leverage, is_cross) == (position.leverage, position.is_cross):
            return position
        leverage_max = self.margin.rules[symbol].leverage_max
        if not leverage.is_finite() or not 1 <= leverage <= leverage_max:
            raise OrderRefused(Refusal.LEVERAGE_OUT_OF_RANGE, bound=leverage_max, value=leverage)
        if is_cross != position.is_cross and (position.is_open or any(one.symbol == symbol for one in account.open_orders.values())):
            raise OrderRefused(Refusal.POSITION_IN_THE_WAY)
        self._check_margin(account, position, leverage)
        position.leverage, position.is_cross = leverage, is_cross
        self._settlement.hold(account, position, BalanceReason.MARGIN_CHANGED, now)
        position.touch(now)
        self._settlement.tell(account, position, PositionReason.LEVERAGE_CHANGED, now)
        return position

    def set_mark_price(self, symbol: Symbol, price: Decimal, index_price: Decimal, now: int) -> None:
        if not price.is_finite() or price <= 0:
            raise OrderRefused(Refusal.INVALID, value=price)
        margin = self.margin
        if (price, index_price) != (margin.mark_prices[symbol], margin.index_prices[symbol]):
            margin.mark_prices[symbol], margin.index_prices[symbol] = price, index_price
            self._records.publish(MarkPriceMoved(symbol, price, index_price, now))
        self._liquidator.liquidate_due(now)

    def pay_funding(self, symbol: Symbol, rate: Decimal, now: int) -> None:
        for account in list(self._accounts.values()):
            position = account.positions.get(symbol)
            if position is not None and position.is_open:
                self._pay(account, position, -position.quantity * self.margin.mark_prices[symbol] * rate, rate, now)
        if now >= self.margin.next_funding_milliseconds[symbol]:
            self.margin.schedule_funding(symbol, now)
        self._liquidator.liquidate_due(now)

    def _pay(self, account: Account, position: Position, amount: Decimal, rate: Decimal, now: int) -> None:
        position.funding += amount
        self._settlement.pay(account, position.symbol, amount, BalanceReason.FUNDING, now)
        self._settlement.make_good(account, position, now)
        position.touch(now)
        if not account.quiet:
            asset = position.symbol.quote
            paid = FundingPaid(account.name, position.symbol, amount, rate, asset, now, self._next_funding_id)
            account.payments.append(paid)
            self._records.publish(paid)
        self._settlement.tell(account, position, PositionReason.FUNDING, now)
        self._next_funding_id += 1

    def _check_margin(self, account: Account, position: Position, leverage: Decimal) -> None:
        """Raises: OrderRefused: with this leverage more would be held than is available, or the isolated position would be due."""
        changed = replace(position, leverage=leverage)
        more = self.margin.held_margin(changed) - position.margin
        for order, adding in self.margin.increases(account, changed):
            more += self.margin.order_margin(account, changed, order.price * adding) - order.locked
        if not account.quiet:
            self._settlement.require(account, position.symbol.quote, more)
        if position.is_open and not position.is_cross:
            left = self.margin.held_margin(changed) + self.margin.unrealised_pnl(position)
            needed = self.margin.maintenance_margin(position)
            if left <= needed:
                raise OrderRefused(Refusal.BALANCE_NOT_ENOUGH, bound=needed, value=left)
