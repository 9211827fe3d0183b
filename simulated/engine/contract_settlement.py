"""Linear contracts: trades make positions, orders and positions hold margin, profit and loss go to the wallet.

An order holds margin for what it could add to the position, never for what it reduces, and a reduce-only order holds
none. What orders and positions hold is worked out anew from what they are whenever one of them changes; nobody is asked
for funds then, so that what is available may fall below zero, and new orders are refused until it is above again.

A reduce-only order fills at most the position. It is refused where there is nothing to reduce, and so is one for more than
there is, unless it is immediate-or-cancel: then what it does not find to reduce ends as `REDUCE_ONLY`. One that rests ends
so as soon as more of it remains than there is to reduce: the exchange never changes the quantity of an order.

A wallet that has less than its isolated positions hold, and no cross position that could stand for it, owes. What it owes
is taken from the margin of the position that caused it, and what is still lacking is paid by the account `insurance`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal

from market.events import Side
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.book import Book
from simulated.engine.events import BalanceReason, EngineEvent, PositionChanged, PositionReason
from simulated.engine.ledger import Ledger
from simulated.engine.margin import Margin, cross_positions
from simulated.engine.order import ZERO, NewOrder, Order, OrderKind, OrderRefused, Refusal, TimeInForce, Trade, TradeParty
from simulated.engine.position import Position

INSURANCE_ACCOUNT = "insurance"


class ContractSettlement:
    """A `Settlement` over positions. House accounts hold no margin and are asked for none."""

    def __init__(self, ledger: Ledger, margin: Margin, publish: Callable[[EngineEvent], None]) -> None:
        self._accounts = ledger.accounts
        self._accounts[INSURANCE_ACCOUNT] = Account(INSURANCE_ACCOUNT, quiet=True)
        self._ledger = ledger
        self._margin = margin
        self._publish = publish

    # -- orders -------------------------------------------------------------------------------------------------------

    def assets(self, new: NewOrder) -> tuple[str, str]:
        return new.symbol.quote, new.symbol.quote

    def check(self, new: NewOrder, book: Book) -> Decimal:
        if new.quote_quantity is not None:
            raise OrderRefused(Refusal.INVALID, value=new.quote_quantity)
        account, position = self._holder(new.account, new.symbol)
        if new.reduce_only:
            may_be_larger = new.kind is OrderKind.MARKET or new.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
            _check_reducible(position, new.side, ZERO if may_be_larger else new.quantity)
            return ZERO
        if account.quiet:
            return ZERO
        claimed = sum(
            (one.remaining_quantity - adding for one, adding in self._margin.increases(account, position) if not one.reduce_only), ZERO
        )
        reducing = min(new.quantity, max(ZERO, position.reducible(new.side) - claimed))
        needed = self._margin.order_margin(account, position, _notional_beyond(reducing, new, book))
        self.require(account, new.symbol.quote, needed)
        return needed

    def check_amendment(self, order: Order, price: Decimal, remaining: Decimal, book: Book) -> Decimal:
        account, position = self._holder(order.account, order.symbol)
        if order.reduce_only:
            _check_reducible(position, order.side, remaining)
            return ZERO
        if account.quiet:
            return ZERO
        amended = NewOrder(account=order.account, symbol=order.symbol, side=order.side, price=price, quantity=remaining)
        needed = more = ZERO
        for one, adding in self._margin.increases(account, position, (order, remaining)):
            notional = one.price * adding if one is not order else _notional_beyond(remaining - adding, amended, book)
            hold = self._margin.order_margin(account, position, notional)
            more += hold - one.locked
            if one is order:
                needed = hold
        self.require(account, order.symbol.quote, more)
        return needed

    def opened(self, order: Order, needed: Decimal, now_milliseconds: int) -> None:
        self._hold_for(order, BalanceReason.ORDER_PUT, now_milliseconds)

    def amended(self, order: Order, needed: Decimal, now_milliseconds: int) -> None:
        self._hold_for(order, BalanceReason.ORDER_CHANGED, now_milliseconds)

    def finished(self, order: Order, now_milliseconds: int) -> None:
        released, order.locked = order.locked, ZERO
        self._hold_for(order, BalanceReason.ORDER_CHANGED, now_milliseconds, released=released)

    def takes(self, order: Order) -> Decimal:
        if not order.reduce_only:
            return order.remaining_quantity
        _, position = self._holder(order.account, order.symbol)
        return min(order.remaining_quantity, position.reducible(order.side))

    # -- trades -------------------------------------------------------------------------------------------------------

    def fill(self, order: Order, fee_rate: Decimal, price: Decimal, quantity: Decimal, now_milliseconds: int, trade_id: int) -> TradeParty:
        """Realise what is closed, take the fee, and let the wallet hold what orders and position need now."""
        account, position = self._holder(order.account, order.symbol)
        notional = price * quantity
        fee = notional * fee_rate
        filled = position.fill(order.side, price, quantity, fee_rate, now_milliseconds, trade_id)
        order.filled_quantity += quantity
        order.filled_notional += notional
        order.fee += fee
        order.realised_pnl += filled.realised_pnl
        order.updated_at_milliseconds = now_milliseconds
        self.pay(account, order.symbol, filled.realised_pnl, BalanceReason.REALISED, now_milliseconds)
        self.pay(account, order.symbol, -fee, BalanceReason.FEE, now_milliseconds)
        self._ledger.pay_fee(order.fee_asset, fee, BalanceReason.FEE, now_milliseconds)
        self.hold(account, position, BalanceReason.ORDER_MATCHED, now_milliseconds)
        return TradeParty(order.id, order.client_id, order.account, fee, order.fee_asset, filled.closed_quantity, filled.realised_pnl)

    def traded(self, trade: Trade, taker: Order, now_milliseconds: int) -> list[Order]:
        """Tell of the positions, let insurance pay what is lacking, and name the reduce-only orders for which too little is left."""
        ending: list[Order] = []
        for name in dict.fromkeys((trade.taker.account, trade.maker.account)):
            account, position = self._holder(name, trade.symbol)
            is_liquidated = taker.is_liquidation and name == taker.account
            self.make_good(account, position, now_milliseconds)
            self.tell(account, position, PositionReason.LIQUIDATED if is_liquidated else PositionReason.TRADED, now_milliseconds)
            ending += [
                order
                for order in account.open_orders.values()
                if order.reduce_only
                and order.symbol == trade.symbol
                and order is not taker
                and order.remaining_quantity > position.reducible(order.side)
            ]
        return ending

    # -- wallets ------------------------------------------------------------------------------------------------------

    def available(self, account: Account, asset: str) -> Decimal:
        return max(ZERO, self._margin.available(account, asset))

    def require(self, account: Account, asset: str, amount: Decimal) -> None:
        """Raises: OrderRefused: there is less available than `amount`. Nothing is always there, even if less than that is."""
        available = self.available(account, asset)
        if amount > available:
            raise OrderRefused(Refusal.BALANCE_NOT_ENOUGH, bound=available, value=amount)

    def pay(self, account: Account, symbol: Symbol, amount: Decimal, reason: BalanceReason, now_milliseconds: int) -> None:
        """Let the wallet get `amount` (lose it, if negative) on behalf of a position in `symbol`."""
        if amount:
            self._ledger.move(account, symbol.quote, amount, ZERO, reason, now_milliseconds, symbol)

    def pay_by_insurance(self, account: Account, symbol: Symbol, amount: Decimal, now_milliseconds: int) -> None:
        self.pay(account, symbol, amount, BalanceReason.INSURANCE, now_milliseconds)
        self.pay(self._accounts[INSURANCE_ACCOUNT], symbol, -amount, BalanceReason.INSURANCE, now_milliseconds)

    def hold(self, account: Account, position: Position, reason: BalanceReason, now_milliseconds: int, *, released: Decimal = ZERO) -> None:
        """Let the wallet hold just what the position and the orders in its market need; `released` is what nothing holds any more."""
        if account.quiet:
            return
        more = -released
        for order, adding in self._margin.increases(account, position):
            hold = self._margin.order_margin(account, position, order.price * adding)
            more += hold - order.locked
            order.locked = hold
        margin = self._margin.held_margin(position)
        more += margin - position.margin
        position.margin = margin
        if more:
            self._ledger.move(account, position.symbol.quote, -more, more, reason, now_milliseconds, position.symbol)

    def tell(self, account: Account, position: Position, reason: PositionReason, now_milliseconds: int) -> None:
        if not account.quiet:
            self._publish(PositionChanged(account.name, copy.copy(position), reason, now_milliseconds))

    def make_good(self, account: Account, position: Position, now_milliseconds: int) -> None:
        """Let nothing be owed after a change of `position`."""
        asset = position.symbol.quote
        if account.quiet or cross_positions(account, asset):
            return
        owed = self._margin.isolated_margin(account, asset) - account.balance(asset).total
        if owed > 0 and position.margin:
            position.margin_added -= min(owed, position.margin)
            owed -= position.margin
            self.hold(account, position, BalanceReason.MARGIN_CHANGED, now_milliseconds)
        if owed > 0:
            self.pay_by_insurance(account, position.symbol, owed, now_milliseconds)

    def _holder(self, account_name: str, symbol: Symbol) -> tuple[Account, Position]:
        account = self._accounts[account_name]
        return account, self._margin.position(account, symbol)

    def _hold_for(self, order: Order, reason: BalanceReason, now_milliseconds: int, *, released: Decimal = ZERO) -> None:
        account, position = self._holder(order.account, order.symbol)
        self.hold(account, position, reason, now_milliseconds, released=released)


def _check_reducible(position: Position, side: Side, quantity: Decimal) -> None:
    reducible = position.reducible(side)
    if not reducible or quantity > reducible:
        raise OrderRefused(Refusal.WOULD_INCREASE_POSITION, bound=reducible, value=quantity)


def _notional_beyond(skipped: Decimal, new: NewOrder, book: Book) -> Decimal:
    """The most that the order can be worth without the first `skipped` of it.

    A limit buy pays its price at most. Any other order meets the other side of the book first, and a limit sell rests at its price.
    """
    if new.kind is OrderKind.LIMIT and new.side is Side.BUY:
        return new.price * (new.quantity - skipped)
    notional, left = ZERO, new.quantity
    for price, quantity in book.side(new.side.opposite).levels():
        if not left or (new.kind is OrderKind.LIMIT and price < new.price):
            break
        taken = min(left, quantity)
        passed = min(skipped, taken)
        notional += price * (taken - passed)
        skipped -= passed
        left -= taken
    return notional + new.price * (left - skipped)
