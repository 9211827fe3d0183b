"""The matching engine: price-time priority over exact balances.

Every command takes the time and runs to its end without waiting; listeners are called while it runs, in the order in
which things happen. A command that is refused raises `OrderRefused` and has changed nothing.
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.admission import check_amounts, check_market
from simulated.engine.book import Book
from simulated.engine.events import (
    BalanceReason,
    EngineEvent,
    EngineListener,
    LevelChanged,
    OrderChange,
    OrderChanged,
    TradeMade,
)
from simulated.engine.ledger import Ledger
from simulated.engine.margin import Margin, MarginSettings
from simulated.engine.order import (
    ZERO,
    FinishReason,
    NewOrder,
    Order,
    OrderKind,
    OrderRefused,
    Refusal,
    SelfTrade,
    TimeInForce,
    Trade,
)
from simulated.engine.position import Position

_EXACT = Context(prec=80)  # products and sums of prices, quantities and fees never round


class MatchingEngine:
    """Books, accounts and orders of one simulated exchange.

    With `doomed_orders_are_admitted`, orders that must not take, or must be filled whole, and cannot, are admitted and ended.
    With `margin`, every instrument is a linear contract, settled in its quote asset; the commands about positions are for those.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        first_order_id: int = 1,
        first_trade_id: int = 1,
        first_update_id: int = 1,
        doomed_orders_are_admitted: bool = False,
        margin: MarginSettings | None = None,
    ) -> None:
        self.instruments: dict[Symbol, Instrument] = {instrument.symbol: instrument for instrument in instruments}
        self.books: dict[Symbol, Book] = {symbol: Book(first_update_id) for symbol in self.instruments}
        self._ledger = Ledger(self._publish)
        self.accounts: dict[str, Account] = self._ledger.accounts
        self.orders: dict[int, Order] = {}
        self.last_prices: dict[Symbol, Decimal] = {}
        self.supply: dict[str, Decimal] = self._ledger.supply
        self.trade_count = 0
        self._admits_doomed = doomed_orders_are_admitted
        self._next_order_id = first_order_id
        self._next_trade_id = first_trade_id
        self._expiries: list[tuple[int, int]] = []
        self._listeners: list[EngineListener] = []
        self._margin = None if margin is None else Margin(margin, self.instruments)

    def subscribe(self, listener: EngineListener) -> None:
        """Call `listener` with every event from now on. It must neither raise nor command the engine."""
        self._listeners.append(listener)

    def open_account(self, account: Account) -> Account:
        self.accounts[account.name] = account
        return account

    def deposit(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        with localcontext(_EXACT):
            self._ledger.deposit(account_name, asset, amount, now_milliseconds)

    def withdraw(self, account_name: str, asset: str, amount: Decimal, now_milliseconds: int) -> None:
        """Take from what is available.

        Raises:
            OrderRefused: there is less available than `amount`.
        """
        with localcontext(_EXACT):
            self._ledger.withdraw(account_name, asset, amount, now_milliseconds)

    def place(self, new: NewOrder, now_milliseconds: int) -> Order:
        """Admit an order, match it, rest what remains. The order returned is the live record.

        Raises:
            OrderRefused: the order breaks a rule of the market or the account cannot pay for it.
        """
        with localcontext(_EXACT):
            return self._place(new, now_milliseconds)

    def cancel(self, order_id: int, now_milliseconds: int, *, reason: FinishReason = FinishReason.CANCELLED) -> Order:
        """Finish an open order and release what it holds.

        Raises:
            OrderRefused: there is no such order, or it is finished.
        """
        with localcontext(_EXACT):
            order = self._require_open(order_id)
            self._take_from_book(order, now_milliseconds)
            self._finish(order, reason, now_milliseconds)
            return order

    def amend(
        self, order_id: int, now_milliseconds: int, *, price: Decimal | None = None, quantity: Decimal | None = None, note: str = ""
    ) -> Order:
        """Change price or total quantity. A smaller quantity keeps the place in the queue; anything else goes to the end.

        Raises:
            OrderRefused: unknown or finished order, no change, a rule broken, not enough balance, or a post-only order would take.
        """
        with localcontext(_EXACT):
            return self._amend(self._require_open(order_id), price, quantity, note, now_milliseconds)

    def expire_due(self, now_milliseconds: int) -> None:
        """Finish every open order whose time has come."""
        with localcontext(_EXACT):
            while self._expiries and self._expiries[0][0] <= now_milliseconds:
                _, order_id = heapq.heappop(self._expiries)
                order = self.orders.get(order_id)
                if order is not None and order.is_open:
                    self._take_from_book(order, now_milliseconds)
                    self._finish(order, FinishReason.EXPIRED, now_milliseconds)

    def trade_against(self, order_id: int, account_name: str, quantity: Decimal, now_milliseconds: int) -> Trade:
        """Let `account_name` take exactly `quantity` from one resting order, whatever stands before it. For fault injection.

        Raises:
            OrderRefused: the order is not open, holds less than `quantity`, or the account cannot pay.
        """
        with localcontext(_EXACT):
            maker = self._require_open(order_id)
            if not ZERO < quantity <= maker.remaining_quantity:
                raise OrderRefused(Refusal.INVALID, bound=maker.remaining_quantity, value=quantity)
            taker = self._admit(
                NewOrder(
                    account=account_name,
                    symbol=maker.symbol,
                    side=maker.side.opposite,
                    time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
                    price=maker.price,
                    quantity=quantity,
                ),
                maker.price * quantity if maker.side is Side.SELL else quantity,
                now_milliseconds,
            )
            trade = self._trade(taker, maker, quantity, now_milliseconds)
            self._finish(taker, FinishReason.FILLED, now_milliseconds)
            return trade

    # -- contracts ----------------------------------------------------------------------------------------------------

    def position(self, account_name: str, symbol: Symbol) -> Position:
        """The live record of the account's position; an empty one is made where it never had any."""
        raise NotImplementedError

    def open_positions(self, account_name: str) -> list[Position]:
        """The live records of the positions that are not empty."""
        raise NotImplementedError

    def set_leverage(self, account_name: str, symbol: Symbol, leverage: Decimal, *, is_cross: bool, now_milliseconds: int) -> Position:
        """Choose leverage and margin mode for the position and for every order in `symbol`. Nothing happens if both are as they were.

        Raises:
            OrderRefused: out of the contract's bounds; the mode would change under a position or an open order; or the margin would
                not suffice: not enough is available, or the isolated position would be due at once.
        """
        raise NotImplementedError

    def mark_price(self, symbol: Symbol) -> Decimal:
        """What positions are valued at."""
        raise NotImplementedError

    def index_price(self, symbol: Symbol) -> Decimal:
        """What the base asset is worth elsewhere."""
        raise NotImplementedError

    def set_mark_price(self, symbol: Symbol, price: Decimal, now_milliseconds: int, *, index_price: Decimal | None = None) -> None:
        """Value positions at `price` from now on, and liquidate those that are due. Without `index_price` the index is the same."""
        raise NotImplementedError

    def unrealised_pnl(self, position: Position) -> Decimal:
        """What closing at the mark price would realise, before fees."""
        raise NotImplementedError

    def initial_margin(self, position: Position) -> Decimal:
        """Cost / leverage."""
        raise NotImplementedError

    def maintenance_margin(self, position: Position) -> Decimal:
        """What must at least stand behind the position."""
        raise NotImplementedError

    def liquidation_price(self, position: Position) -> Decimal | None:
        """The mark price, on a tick, at which the position is due if nothing else changes; None where there is none."""
        raise NotImplementedError

    def order_margin(self, account_name: str, symbol: Symbol) -> Decimal:
        """What the account's open orders in `symbol` hold."""
        raise NotImplementedError

    def available(self, account_name: str, asset: str) -> Decimal:
        """What the account may use for new orders, never below zero. Of contracts: with the unrealised profit of cross positions."""
        raise NotImplementedError

    def funding_rate(self, symbol: Symbol) -> Decimal:
        """The rate that is paid next: longs pay it to shorts, of their position's value at the mark price."""
        raise NotImplementedError

    def set_funding_rate(self, symbol: Symbol, rate: Decimal) -> None:
        raise NotImplementedError

    def next_funding_milliseconds(self, symbol: Symbol) -> int:
        raise NotImplementedError

    def pay_funding(self, symbol: Symbol, rate: Decimal, now_milliseconds: int) -> None:
        """Let every position in `symbol` pay or get its funding now, and liquidate those that are due for it. Sums up to zero.

        If funding was due, the next is due at the end of the interval that now is in.
        """
        raise NotImplementedError

    # -- placing ------------------------------------------------------------------------------------------------------

    def _place(self, new: NewOrder, now: int) -> Order:
        instrument = self.instruments.get(new.symbol)
        if instrument is None:
            raise OrderRefused(Refusal.UNKNOWN_SYMBOL)
        check_market(instrument, new.side)
        book = self.books[new.symbol]
        check_amounts(instrument, book, new)
        account = self.accounts[new.account]
        if new.client_id and new.client_id in account.open_order_by_client_id:
            raise OrderRefused(Refusal.DUPLICATE_CLIENT_ID, order=account.open_order_by_client_id[new.client_id])
        if new.time_in_force is TimeInForce.POST_ONLY and self._crosses(book, new.side, new.price):
            doom = FinishReason.POST_ONLY
        elif new.time_in_force is TimeInForce.FILL_OR_KILL and not self._is_fillable(book, new, account):
            doom = FinishReason.FILL_OR_KILL
        else:
            doom = None
        if doom is not None and not self._admits_doomed:
            raise OrderRefused(Refusal.WOULD_TAKE if doom is FinishReason.POST_ONLY else Refusal.NOT_FILLABLE)
        order = self._admit(new, self._needed(book, new), now)
        if doom is None:
            self._match_and_rest(order, now)
        else:
            self._finish(order, doom, now)
        return order

    def _admit(self, new: NewOrder, needed: Decimal, now: int) -> Order:
        account = self.accounts[new.account]
        asset = new.symbol.quote if new.side is Side.BUY else new.symbol.base
        self._ledger.require(account, asset, needed)
        order = Order(
            id=self._next_order_id,
            account=new.account,
            symbol=new.symbol,
            side=new.side,
            kind=new.kind,
            time_in_force=new.time_in_force,
            price=new.price,
            quantity=new.quantity,
            quote_quantity=new.quote_quantity,
            client_id=new.client_id,
            self_trade=new.self_trade or account.self_trade,
            created_at_milliseconds=now,
            updated_at_milliseconds=now,
            locked_asset=asset,
            fee_asset=new.symbol.base if new.side is Side.BUY else new.symbol.quote,
            expires_at_milliseconds=new.expires_at_milliseconds,
            tag=new.tag,
        )
        self._next_order_id += 1
        self.orders[order.id] = order
        account.open_orders[order.id] = order
        if order.client_id:
            account.open_order_by_client_id[order.client_id] = order
        if order.expires_at_milliseconds is not None:
            heapq.heappush(self._expiries, (order.expires_at_milliseconds, order.id))
        self._ledger.lock(order, needed, BalanceReason.ORDER_PUT, now)
        self._announce(order, OrderChange.PUT, now)
        return order

    def _needed(self, book: Book, new: NewOrder) -> Decimal:
        """What the order must hold before it may be matched."""
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

    @staticmethod
    def _crosses(book: Book, side: Side, price: Decimal) -> bool:
        best = book.side(side.opposite).best
        return best is not None and (best <= price if side is Side.BUY else best >= price)

    def _is_fillable(self, book: Book, new: NewOrder, account: Account) -> bool:
        policy = new.self_trade or account.self_trade
        left = new.quantity if new.quote_quantity is None else new.quote_quantity
        step = self.instruments[new.symbol].quantity_step
        for maker in book.side(new.side.opposite).orders():
            if new.kind is OrderKind.LIMIT and (maker.price > new.price if new.side is Side.BUY else maker.price < new.price):
                return False
            if maker.account == new.account and policy is not SelfTrade.ALLOW:
                if policy is SelfTrade.CANCEL_OLDEST:
                    continue
                return False
            left -= maker.remaining_quantity * (maker.price if new.quote_quantity is not None else 1)
            if left <= 0 or (new.quote_quantity is not None and left < maker.price * step):
                return True
        return False

    def _match_and_rest(self, order: Order, now: int) -> None:
        """Match, then finish the order or let what remains rest in the book."""
        filled_before = order.filled_quantity
        self._match(order, now)
        if not order.is_open:
            return
        if self._is_done(order):
            self._finish(order, FinishReason.FILLED, now)
        elif order.kind is OrderKind.MARKET or order.time_in_force in (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL):
            self._finish(order, FinishReason.IMMEDIATE_OR_CANCEL, now)
        else:
            if order.filled_quantity != filled_before:
                self._announce(order, OrderChange.UPDATED, now)
            self.books[order.symbol].side(order.side).add(order)
            self._level_changed(order, now)

    def _is_done(self, order: Order) -> bool:
        if order.quote_quantity is None:
            return order.filled_quantity == order.quantity
        if not order.filled_quantity:
            return False
        # What is left of the money buys no further step: the order is filled and the rest goes back.
        price = self.books[order.symbol].asks.best or self.last_prices[order.symbol]
        return self._affordable(order, price) == 0

    # -- amending -----------------------------------------------------------------------------------------------------

    def _amend(self, order: Order, price: Decimal | None, quantity: Decimal | None, note: str, now: int) -> Order:
        new_price = order.price if price is None else price
        new_quantity = order.quantity if quantity is None else quantity
        if new_price == order.price and new_quantity == order.quantity:
            raise OrderRefused(Refusal.NO_CHANGE, order=order)
        if new_quantity <= order.filled_quantity:
            raise OrderRefused(Refusal.QUANTITY_TOO_SMALL, bound=order.filled_quantity, value=new_quantity)
        book = self.books[order.symbol]
        changed = NewOrder(account=order.account, symbol=order.symbol, side=order.side, price=new_price, quantity=new_quantity)
        check_amounts(self.instruments[order.symbol], book, changed)
        if order.time_in_force is TimeInForce.POST_ONLY and self._crosses(book, order.side, new_price):
            raise OrderRefused(Refusal.WOULD_TAKE, order=order)
        remaining = new_quantity - order.filled_quantity
        needed = new_price * remaining if order.side is Side.BUY else remaining
        self._ledger.require(self.accounts[order.account], order.locked_asset, needed - order.locked)

        keeps_place = new_price == order.price and new_quantity < order.quantity
        side = book.side(order.side)
        if keeps_place:
            side.reduce(order, order.quantity - new_quantity)
        else:
            self._take_from_book(order, now)
        order.price, order.quantity, order.note = new_price, new_quantity, note or order.note
        order.updated_at_milliseconds = now
        self._ledger.lock(order, needed - order.locked, BalanceReason.ORDER_CHANGED, now)
        self._announce(order, OrderChange.UPDATED, now)
        if keeps_place:
            self._level_changed(order, now)
        else:
            self._match_and_rest(order, now)
        return order

    # -- matching -----------------------------------------------------------------------------------------------------

    def _match(self, taker: Order, now: int) -> None:
        book = self.books[taker.symbol]
        opposite = book.side(taker.side.opposite)
        filled_before = taker.filled_quantity
        while not (taker.quote_quantity is None and taker.filled_quantity == taker.quantity):
            maker = opposite.first_order()
            if maker is None or (taker.kind is OrderKind.LIMIT and not self._crosses(book, taker.side, taker.price)):
                return
            if maker.account == taker.account and taker.self_trade is not SelfTrade.ALLOW:
                if taker.self_trade is not SelfTrade.CANCEL_NEWEST:
                    self._take_from_book(maker, now)
                    self._finish(maker, FinishReason.SELF_TRADE, now)
                if taker.self_trade is not SelfTrade.CANCEL_OLDEST:
                    self._finish(taker, FinishReason.SELF_TRADE, now)
                    return
                continue
            wanted = taker.remaining_quantity if taker.quote_quantity is None else self._affordable(taker, maker.price)
            quantity = min(wanted, maker.remaining_quantity)
            if not quantity:
                return
            if taker.filled_quantity != filled_before:
                self._announce(taker, OrderChange.UPDATED, now)
            self._trade(taker, maker, quantity, now)

    def _affordable(self, order: Order, price: Decimal) -> Decimal:
        step = self.instruments[order.symbol].quantity_step
        return (order.remaining_quote // (price * step)) * step

    def _trade(self, taker: Order, maker: Order, quantity: Decimal, now: int) -> Trade:
        price = maker.price
        taker_party = self._ledger.fill(taker, self.accounts[taker.account].taker_fee, price, quantity, now)
        self.books[maker.symbol].side(maker.side).reduce(maker, quantity)
        maker_party = self._ledger.fill(maker, self.accounts[maker.account].maker_fee, price, quantity, now)
        trade = Trade(self._next_trade_id, taker.symbol, price, quantity, taker.side, taker_party, maker_party, now)
        self._next_trade_id += 1
        self.last_prices[taker.symbol] = price
        self.trade_count += 1
        for party in (taker_party, maker_party):
            account = self.accounts[party.account]
            if not account.quiet and not (account.trades and account.trades[-1] is trade):
                account.trades.append(trade)
        if not maker.remaining_quantity:
            self._take_from_book(maker, now)
            self._publish(TradeMade(trade))
            self._finish(maker, FinishReason.FILLED, now)
        else:
            self._level_changed(maker, now)
            self._publish(TradeMade(trade))
            self._announce(maker, OrderChange.UPDATED, now)
        return trade

    # -- book-keeping -------------------------------------------------------------------------------------------------

    def _require_open(self, order_id: int) -> Order:
        order = self.orders.get(order_id)
        if order is None:
            raise OrderRefused(Refusal.UNKNOWN_ORDER)
        if not order.is_open:
            raise OrderRefused(Refusal.ORDER_FINISHED, order=order)
        return order

    def _finish(self, order: Order, reason: FinishReason, now: int) -> None:
        order.finish = reason
        order.updated_at_milliseconds = now
        account = self.accounts[order.account]
        del account.open_orders[order.id]
        if order.client_id:
            del account.open_order_by_client_id[order.client_id]
        if order.locked:
            self._ledger.lock(order, -order.locked, BalanceReason.ORDER_CHANGED, now)
        if account.quiet:
            del self.orders[order.id]
            return
        account.finished_orders.append(order)
        if len(account.finished_orders) > account.history_limit:
            self.orders.pop(account.finished_orders.popleft().id, None)
        self._announce(order, OrderChange.FINISHED, now)

    def _take_from_book(self, order: Order, now: int) -> None:
        self.books[order.symbol].side(order.side).remove(order)
        self._level_changed(order, now)

    def _level_changed(self, order: Order, now: int) -> None:
        book = self.books[order.symbol]
        book.update_id += 1
        book.updated_at_milliseconds = now
        if self._listeners:
            quantity = book.side(order.side).quantity_at(order.price)
            self._publish(LevelChanged(order.symbol, order.side, order.price, quantity, book.update_id, now))

    def _announce(self, order: Order, change: OrderChange, now: int) -> None:
        if not self.accounts[order.account].quiet:
            self._publish(OrderChanged(copy.copy(order), change, now))

    def _publish(self, event: EngineEvent) -> None:
        for listener in self._listeners:
            listener(event)
