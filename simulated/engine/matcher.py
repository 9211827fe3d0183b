"""Who trades with whom: price first, then arrival. Orders are finished here, too, because matching finishes most of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.book import Book
from simulated.engine.events import OrderChange, TradeMade
from simulated.engine.order import FinishReason, NewOrder, Order, OrderKind, SelfTrade, TimeInForce, Trade, TradeParty
from simulated.engine.records import OrderRecords
from simulated.engine.settlement import Settlement


class Matcher:
    """Matches an admitted order with the book. The caller's context must be exact."""

    def __init__(
        self,
        instruments: Mapping[Symbol, Instrument],
        accounts: Mapping[str, Account],
        records: OrderRecords,
        settlement: Settlement,
        *,
        first_trade_id: int,
    ) -> None:
        self.last_prices: dict[Symbol, Decimal] = {}
        self.trade_count = 0
        self._instruments = instruments
        self._accounts = accounts
        self._records = records
        self._settlement = settlement
        self._books: Mapping[Symbol, Book] = records.books
        self._next_trade_id = first_trade_id

    def crosses(self, symbol: Symbol, side: Side, price: Decimal) -> bool:
        """Would an order at `price` be matched at once?"""
        best = self._books[symbol].side(side.opposite).best
        return best is not None and (best <= price if side is Side.BUY else best >= price)

    def is_fillable(self, new: NewOrder) -> bool:
        """Can all of it be matched at once?"""
        policy = new.self_trade or self._accounts[new.account].self_trade
        left = new.quantity if new.quote_quantity is None else new.quote_quantity
        step = self._instruments[new.symbol].quantity_step
        for maker in self._books[new.symbol].side(new.side.opposite).orders():
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

    def match_and_rest(self, order: Order, now: int) -> None:
        """Match, then finish the order or let what remains rest in the book."""
        filled_before = order.filled_quantity
        self.match(order, now)
        if not order.is_open:
            return
        if self._is_done(order):
            self.finish(order, FinishReason.FILLED, now)
        elif order.quote_quantity is None and self._settlement.takes(order) < order.remaining_quantity:
            self.finish(order, FinishReason.REDUCE_ONLY, now)
        elif order.kind is OrderKind.MARKET or order.time_in_force in (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL):
            self.finish(order, FinishReason.IMMEDIATE_OR_CANCEL, now)
        else:
            if order.filled_quantity != filled_before:
                self._announce(order, OrderChange.UPDATED, now)
            self._records.rest(order, now)

    def match(self, taker: Order, now: int) -> None:
        """Trade with the best of the other side while the order's price allows it."""
        opposite = self._books[taker.symbol].side(taker.side.opposite)
        filled_before = taker.filled_quantity
        while not (taker.quote_quantity is None and taker.filled_quantity == taker.quantity):
            maker = opposite.first_order()
            if maker is None or (taker.kind is OrderKind.LIMIT and not self.crosses(taker.symbol, taker.side, taker.price)):
                return
            if maker.account == taker.account and taker.self_trade is not SelfTrade.ALLOW:
                if taker.self_trade is not SelfTrade.CANCEL_NEWEST:
                    self.withdraw(maker, FinishReason.SELF_TRADE, now)
                if taker.self_trade is not SelfTrade.CANCEL_OLDEST:
                    self.finish(taker, FinishReason.SELF_TRADE, now)
                    return
                continue
            wanted = self._settlement.takes(taker) if taker.quote_quantity is None else self._affordable(taker, maker.price)
            quantity = min(wanted, maker.remaining_quantity)
            if not quantity:
                return
            if taker.filled_quantity != filled_before:
                self._announce(taker, OrderChange.UPDATED, now)
            self.trade(taker, maker, quantity, now)

    def trade(self, taker: Order, maker: Order, quantity: Decimal, now: int) -> Trade:
        """Let the resting `maker` and `taker` trade `quantity` at the maker's price."""
        taker_party = self._fill(taker, self._accounts[taker.account].taker_fee, maker.price, quantity, now)
        self._books[maker.symbol].side(maker.side).reduce(maker, quantity)
        maker_party = self._fill(maker, self._accounts[maker.account].maker_fee, maker.price, quantity, now)
        trade = self._record(taker, taker_party, maker_party, maker.price, quantity, now)
        if not maker.remaining_quantity:
            self._records.take_from_book(maker, now)
            self._records.publish(TradeMade(trade))
            self.finish(maker, FinishReason.FILLED, now)
        else:
            self._records.level_changed(maker, now)
            self._records.publish(TradeMade(trade))
            self._announce(maker, OrderChange.UPDATED, now)
        self._end_unable(trade, taker, now)
        return trade

    def trade_off_book(self, taker: Order, maker: Order, now: int) -> Trade:
        """Let two orders that do not rest, and are of the same size, trade what remains of them at the maker's price."""
        quantity = maker.remaining_quantity
        taker_party = self._fill(taker, self._accounts[taker.account].taker_fee, maker.price, quantity, now)
        maker_party = self._fill(maker, self._accounts[maker.account].maker_fee, maker.price, quantity, now)
        trade = self._record(taker, taker_party, maker_party, maker.price, quantity, now)
        self._records.publish(TradeMade(trade))
        self.finish(maker, FinishReason.FILLED, now)
        self._end_unable(trade, taker, now)
        return trade

    def withdraw(self, order: Order, reason: FinishReason, now: int) -> None:
        """Take a resting order out of the book and finish it."""
        self._records.take_from_book(order, now)
        self.finish(order, reason, now)

    def finish(self, order: Order, reason: FinishReason, now: int) -> None:
        """End an order that does not rest, and release what it holds."""
        account = self._accounts[order.account]
        self._records.close(order, account, reason, now)
        self._settlement.finished(order, now)
        self._records.remember(order, account)
        self._announce(order, OrderChange.FINISHED, now)

    def _is_done(self, order: Order) -> bool:
        if order.quote_quantity is None:
            return order.filled_quantity == order.quantity
        if not order.filled_quantity:
            return False
        # What is left of the money buys no further step: the order is filled and the rest goes back.
        price = self._books[order.symbol].asks.best or self.last_prices[order.symbol]
        return self._affordable(order, price) == 0

    def _affordable(self, order: Order, price: Decimal) -> Decimal:
        step = self._instruments[order.symbol].quantity_step
        return (order.remaining_quote // (price * step)) * step

    def _fill(self, order: Order, fee_rate: Decimal, price: Decimal, quantity: Decimal, now: int) -> TradeParty:
        return self._settlement.fill(order, fee_rate, price, quantity, now, self._next_trade_id)

    def _record(self, taker: Order, taker_party: TradeParty, maker_party: TradeParty, price: Decimal, quantity: Decimal, now: int) -> Trade:
        trade = Trade(self._next_trade_id, taker.symbol, price, quantity, taker.side, taker_party, maker_party, now)
        self._next_trade_id += 1
        self.last_prices[taker.symbol] = price
        self.trade_count += 1
        for party in (taker_party, maker_party):
            account = self._accounts[party.account]
            if not account.quiet and not (account.trades and account.trades[-1] is trade):
                account.trades.append(trade)
        return trade

    def _end_unable(self, trade: Trade, taker: Order, now: int) -> None:
        for order in self._settlement.traded(trade, taker, now):
            self.withdraw(order, FinishReason.REDUCE_ONLY, now)

    def _announce(self, order: Order, change: OrderChange, now: int) -> None:
        self._records.announce(order, self._accounts[order.account], change, now)
