"""What must hold after every command, whatever was asked."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

from market.events import Side
from simulated.engine.account import Account
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import ZERO, Order, OrderKind
from simulated.engine.position import MONEY_STEP, Position


class InvariantBroken(AssertionError):
    """The simulated exchange is wrong: money or orders were made or lost. A fault of the simulation, never of a client."""


def check_invariants(engine: MatchingEngine) -> None:
    """Compare totals, locks, levels, open orders and, of contracts, positions with one another.

    Raises:
        InvariantBroken: the first thing that does not agree.
    """
    with localcontext(Context(prec=80)):
        if engine.trades_contracts:
            _check_wallets(engine)
            _check_positions(engine)
        else:
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


def _check_wallets(engine: MatchingEngine) -> None:
    """What some have realised and others have not yet is in the cost of positions: wallets less that are what was deposited."""
    totals: dict[str, Decimal] = dict.fromkeys(engine.supply, ZERO)
    for account in engine.accounts.values():
        for asset, balance in account.balances.items():
            totals[asset] = totals.get(asset, ZERO) + balance.total
            positions = [one for one in account.positions.values() if one.symbol.quote == asset]
            held = sum((order.locked for order in account.open_orders.values() if order.locked_asset == asset), ZERO)
            held += sum((one.margin for one in positions), ZERO)
            _require(balance.locked == held, f"{account.name} locks {balance.locked} {asset}, orders and positions {held}")
            if not account.quiet and not any(one.is_open and one.is_cross for one in positions):
                isolated = sum((one.margin for one in positions), ZERO)
                _require(balance.total >= isolated, f"{account.name} has {balance.total} {asset}, isolated positions hold {isolated}")
        for position in account.positions.values():
            totals[position.symbol.quote] -= position.cost
    for asset, total in totals.items():
        _require(total == engine.supply.get(asset, ZERO), f"there is {total} {asset}, deposited was {engine.supply.get(asset)}")


def _check_positions(engine: MatchingEngine) -> None:
    for symbol in engine.instruments:
        quantities = [account.positions[symbol].quantity for account in engine.accounts.values() if symbol in account.positions]
        _require(sum(quantities, ZERO) == 0, f"positions in {symbol} sum up to {sum(quantities, ZERO)}")
    for account in engine.accounts.values():
        for position in account.positions.values():
            name = f"{account.name} in {position.symbol}"
            _require(position.quantity * position.cost >= 0 and bool(position.quantity) == bool(position.cost), f"{name}: {position}")
            margin = ZERO
            if position.is_open and not account.quiet:
                margin = max(ZERO, _margin_of(abs(position.cost), position) + position.margin_added)
            _require(position.margin == margin, f"{name} holds {position.margin}, expected {margin}")
            _check_orders(account, position)


def _check_orders(account: Account, position: Position) -> None:
    reducible = abs(position.quantity)
    unclaimed = reducible
    for order in account.open_orders.values():
        if order.symbol != position.symbol:
            continue
        reduces = order.side is not (Side.BUY if position.quantity > 0 else Side.SELL)
        adding = order.remaining_quantity
        if order.reduce_only:
            _require(reduces and adding <= reducible, f"order {order.id} would reduce {adding}, there is {position.quantity}")
            adding = ZERO
        elif reduces:
            adding = max(ZERO, order.remaining_quantity - unclaimed)
            unclaimed -= order.remaining_quantity - adding
        notional = order.price * adding
        expected = ZERO if account.quiet else _margin_of(notional, position) + notional * max(ZERO, account.taker_fee)
        _require(order.locked == expected, f"order {order.id} holds {order.locked}, expected {expected}")


def _margin_of(notional: Decimal, position: Position) -> Decimal:
    exact = notional / position.leverage
    rounded = exact.quantize(MONEY_STEP)
    return rounded if rounded >= exact else rounded + MONEY_STEP


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
