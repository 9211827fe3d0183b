"""What Gate.io futures say about an account: the shapes of their own messages and how they become reports.

Only the fields that are used, from https://www.gate.com/docs/developers/apiv4/ ("FuturesOrder", "MyFuturesTrade", "FuturesAccount")
and https://www.gate.com/docs/developers/futures/ws/en/ ("Orders API", "User trades API"). Sizes are numbers of contracts, positive
for buys and negative for sells; they come as integers or as text. What futures share with spot is in `gateio_wire`.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.accounts.gateio.futures_catalogue import GateioFuturesCatalogue
from actors.accounts.gateio.wire import Number, charged, client_order_id, how_it_ended, milliseconds
from actors.accounts.reading import amount, finite
from exchanges.gateio_futures import GATEIO_FUTURES
from market.events import Side
from market.exact import EXACT, exact_product
from orders.order import ZERO
from orders.reports import BalanceReport, FillReport, MarginMode, OrderReport, ReportedStatus

# The stream tells `update_time` in milliseconds, REST in seconds with decimals. No time of an order lies between the two.
_SECONDS_MAX = 10**11


class Order(msgspec.Struct):
    """As REST, the stream and answers on the stream describe it. The latter leave out what is 0."""

    id: str | int
    contract: str
    size: Decimal
    status: str
    left: Decimal | None = None
    price: Decimal | None = None
    fill_price: Decimal | None = None
    finish_as: str | None = None
    text: str | None = None
    create_time: Number | None = None
    finish_time: Number | None = None
    update_time: Number | None = None
    succeeded: bool | None = None


class Fill(msgspec.Struct):
    """A list by time calls the id `trade_id`. Times are in milliseconds where their name says so, in seconds otherwise."""

    order_id: str | int
    contract: str
    size: Decimal
    price: Decimal
    role: str
    id: str | int | None = None
    trade_id: str | int | None = None
    fee: Decimal | None = None
    point_fee: Decimal | None = None
    text: str | None = None
    create_time: Number | None = None
    create_time_ms: Number | None = None


class Account(msgspec.Struct):
    """`margin_mode` is 0 for an account of its own, others are unified with spot. `cross_available` is of the newer margin rules."""

    currency: str
    total: Decimal
    available: Decimal
    margin_mode: int | None = None
    enable_evolved_classic: bool | None = None
    cross_available: Decimal | None = None


ORDERS = msgspec.json.Decoder(list[Order])
ORDER = msgspec.json.Decoder(Order)
FILLS = msgspec.json.Decoder(list[Fill])
ACCOUNT = msgspec.json.Decoder(Account)


def order_reports(orders: list[Order], contracts: GateioFuturesCatalogue) -> list[OrderReport]:
    """Of orders to close whatever is open, some state no size and so no side: none of ours, they are left out."""
    # Of those that cancelling all has failed to cancel, the answer says nothing certain.
    return [order_report(order, contracts) for order in orders if order.size and order.succeeded is not False]


def order_report(order: Order, contracts: GateioFuturesCatalogue) -> OrderReport:
    """
    Raises:
        ValueError, ArithmeticError, ProtocolError: it makes no sense, or the contract is not known.
    """
    symbol = GATEIO_FUTURES.from_wire(order.contract)
    contract = contracts.size(symbol)
    size = finite(order.size)
    if not size:
        raise ValueError("an order without a size")
    if order.left is not None:
        filled = amount(EXACT.subtract(size.copy_abs(), finite(order.left).copy_abs()))
    elif order.finish_as == "filled":
        filled = size.copy_abs()
    else:
        raise ValueError("it does not say what is left of it")
    status, reason = _standing(order, is_filled=filled == size.copy_abs())
    filled_quantity = contract.to_base_units(filled)
    return OrderReport(
        exchange_order_id=str(order.id),
        client_order_id=client_order_id(order.text),
        symbol=symbol,
        side=side(size),
        status=status,
        filled_quantity=filled_quantity,
        filled_quote=exact_product(filled_quantity, amount(order.fill_price or ZERO)),
        price=amount(order.price or ZERO) or None,  # 0 is a market order's
        quantity=contract.to_base_units(size.copy_abs()),
        reason=reason,
        exchange_time_milliseconds=_order_milliseconds(order),
    )


def _standing(order: Order, *, is_filled: bool) -> tuple[ReportedStatus, str]:
    if order.status == "open":
        return ReportedStatus.OPEN, ""
    if order.status == "finished":
        return how_it_ended(order.finish_as, is_filled=is_filled)
    raise ValueError(f"no status {order.status!r} is known")


def fill_report(fill: Fill, contracts: GateioFuturesCatalogue) -> FillReport:
    """
    Raises:
        ValueError, ArithmeticError, ProtocolError: as `order_report`.
    """
    symbol = GATEIO_FUTURES.from_wire(fill.contract)
    trade_id = fill.id if fill.id is not None else fill.trade_id
    size = finite(fill.size)
    if trade_id is None or not size:
        raise ValueError("a trade without an id or a size")
    fee, fee_asset = charged(fill.fee, symbol.quote, POINT=fill.point_fee)
    seconds = fill.create_time if fill.create_time_ms is None else None
    return FillReport(
        trade_id=str(trade_id),
        exchange_order_id=str(fill.order_id),
        client_order_id=client_order_id(fill.text),
        symbol=symbol,
        side=side(size),
        price=amount(fill.price),
        quantity=contracts.size(symbol).to_base_units(size.copy_abs()),
        fee=fee,
        fee_asset=fee_asset,
        maker=fill.role == "maker",
        exchange_time_milliseconds=milliseconds(fill.create_time_ms) or from_seconds(seconds),
    )


def account_report(account: Account, margin_mode: MarginMode) -> BalanceReport:
    """What may be used for new orders in `margin_mode`.

    Raises:
        ValueError: it is unified with other accounts, and this answer is not about the funds that it trades with.
    """
    if account.margin_mode:
        raise ValueError(f"the account is a unified one (margin_mode {account.margin_mode}): only classic accounts are traded")
    available = account.available
    if account.enable_evolved_classic and margin_mode is MarginMode.CROSS and account.cross_available is not None:
        available = account.cross_available
    return BalanceReport(asset=account.currency.upper(), total=finite(account.total), available=finite(available))


def side(size: Decimal) -> Side:
    return Side.BUY if size > 0 else Side.SELL


def from_seconds(value: Number | None) -> int:
    return 0 if value is None or value == "" else round(float(value) * 1000)


def _order_milliseconds(order: Order) -> int:
    """When it last changed."""
    told = order.update_time or order.finish_time or order.create_time
    number = float(told or 0)
    return int(number) if number > _SECONDS_MAX else from_seconds(told)
