"""What must hold after every command, whatever was asked."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

from market.events import Side
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import ZERO, Order, OrderKind


class InvariantBroken(AssertionError):
    """The simulated exchange is wrong: money or orders were made or lost. A fault of the simulation, never of a client."""


def check_invariants(engine: MatchingEngine) -> None:
    """Compare totals, locks, levels and open orders with one another.

    Raises:
        InvariantBroken: the first thing that does not agree.
    """
    with localcontext(Context(prec=80)):
        _check_money(engine)
        _check_books(engine)


def _check_money(engine: MatchingEngine) -> None:
    totals: dict[str, Decimal] = {}
    for account in engine.accounts.values():
        held: dict[str, Decimal] = {}
        for order in account.open_orders.values():
            held[order.locked_asset] = held.get(order.locked_asset, ZERO) + order.locked
            _require(order.locked == _expected_lock(order), f"order {order.id} holds {order.locked}, expected {_expected_lock(order)}")
        for asset, balance in account.balances.items():
            totals[asset] = totals.get(asset, ZERO) + balance.total
            _require(balance.available >= 0, f"{account.name} has {balance.available} {asset} available")
            _require(balance.locked == held.get(asset, ZERO), f"{account.name} locks {balance.locked} {asset}, orders {held.get(asset)}")
    for asset, total in totals.items():
        _require(total == engine.supply.get(asset, ZERO), f"there is {total} {asset}, deposited was {engine.supply.get(asset)}")


def _expected_lock(order: Order) -> Decimal:
    if order.side is Side.SELL:
        return order.remaining_quantity
    return order.price * order.remaining_quantity if order.kind is OrderKind.LIMIT else order.locked


def _check_books(engine: MatchingEngine) -> None:
    resting: set[int] = set()
    for symbol, book in engine.books.items():
        bid, ask = book.bids.best, book.asks.best
        _require(bid is None or ask is None or bid < ask, f"{symbol} is crossed: bid {bid}, ask {ask}")
        for side in (book.bids, book.asks):
            for price, quantity in side.levels():
                orders = side.orders_at(price)
                _require(quantity > 0, f"{symbol} has an empty level at {price}")
                _require(sum((order.remaining_quantity for order in orders), ZERO) == quantity, f"{symbol} level {price} does not add up")
            for order in side.orders():
                _require(order.is_open and order.remaining_quantity > 0, f"order {order.id} rests but is finished or empty")
                resting.add(order.id)
    open_ids = {order_id for account in engine.accounts.values() for order_id in account.open_orders}
    _require(resting == open_ids, f"orders {resting ^ open_ids} are open or resting, but not both")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvariantBroken(message)
