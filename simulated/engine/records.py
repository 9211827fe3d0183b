"""The records of the engine: which orders are open, which rest, and what listeners are told of them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.book import Book
from simulated.engine.events import EVERY_KIND, EngineEvent, EngineListener, LevelChanged, OrderChange, OrderChanged
from simulated.engine.order import FinishReason, NewOrder, Order, OrderRefused, Refusal


class OrderRecords:
    """Opens, rests and finishes orders. It knows nothing of money, nor of who is matched with whom."""

    def __init__(self, books: Mapping[Symbol, Book], *, first_order_id: int) -> None:
        self.books = books
        self.orders: dict[int, Order] = {}
        self._next_order_id = first_order_id
        self._listeners: dict[type[EngineEvent], list[EngineListener]] = {kind: [] for kind in EVERY_KIND}

    def subscribe(self, listener: EngineListener, kinds: Iterable[type[EngineEvent]]) -> None:
        for kind in kinds:
            self._listeners[kind].append(listener)

    def publish(self, event: EngineEvent) -> None:
        for listener in self._listeners[type(event)]:
            listener(event)

    def open(self, new: NewOrder, account: Account, assets: tuple[str, str], now: int, *, is_liquidation: bool = False) -> Order:
        """Make an open order of it, which holds nothing and does not rest yet, and of which nobody was told."""
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
            locked_asset=assets[0],
            fee_asset=assets[1],
            tag=new.tag,
            reduce_only=new.reduce_only,
            is_liquidation=is_liquidation,
        )
        self._next_order_id += 1
        self.orders[order.id] = order
        account.open_orders[order.id] = order
        if order.client_id:
            account.open_order_by_client_id[order.client_id] = order
        return order

    def require_open(self, order_id: int) -> Order:
        """Raises: OrderRefused: there is no such order, or it is finished."""
        order = self.orders.get(order_id)
        if order is None:
            raise OrderRefused(Refusal.UNKNOWN_ORDER)
        if not order.is_open:
            raise OrderRefused(Refusal.ORDER_FINISHED, order=order)
        return order

    def close(self, order: Order, account: Account, reason: FinishReason, now: int) -> None:
        """The order is open no more. It must not rest."""
        order.finish = reason
        order.updated_at_milliseconds = now
        del account.open_orders[order.id]
        if order.client_id:
            del account.open_order_by_client_id[order.client_id]

    def remember(self, order: Order, account: Account) -> None:
        """Keep the finished order as long as the account's history reaches; the house's not at all."""
        if account.quiet:
            del self.orders[order.id]
            return
        account.finished_orders.append(order)
        if len(account.finished_orders) > account.history_limit:
            self.orders.pop(account.finished_orders.popleft().id, None)

    def rest(self, order: Order, now: int) -> None:
        self.books[order.symbol].side(order.side).add(order)
        self.level_changed(order, now)

    def take_from_book(self, order: Order, now: int) -> None:
        self.books[order.symbol].side(order.side).remove(order)
        self.level_changed(order, now)

    def level_changed(self, order: Order, now: int) -> None:
        """The level at which the order rests, or rested, holds something else now."""
        book = self.books[order.symbol]
        book.update_id += 1
        book.updated_at_milliseconds = now
        if self._listeners[LevelChanged]:
            quantity = book.side(order.side).quantity_at(order.price)
            self.publish(LevelChanged(order.symbol, order.side, order.price, quantity, book.update_id, now))

    def announce(self, order: Order, account: Account, change: OrderChange, now: int) -> None:
        if not account.quiet:
            self.publish(OrderChanged(copy.copy(order), change, now))
