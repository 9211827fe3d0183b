"""What Gate.io spot says about an account: the shapes of its own messages and how they become reports.

Only the fields that are used, from https://www.gate.com/docs/developers/apiv4/ ("Order", "SpotAccount", "Trade") and
https://www.gate.com/docs/developers/apiv4/ws/en/ ("Orders channel", "User trades channel", "Spot balance channel"). What it
shares with futures is in `gateio_wire`.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from actors.accounts.gateio.wire import Number, charged, client_order_id, how_it_ended, milliseconds
from actors.accounts.reading import amount, finite
from exchanges.gateio_spot import GATEIO_SPOT
from market.events import Side
from market.exact import EXACT, exact_sum
from orders.order import ZERO
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus


class Order(msgspec.Struct):
    """REST says how it stands by `status`, the stream by `event`. Amounts of a market buy are in quote units."""

    id: str | int
    currency_pair: str
    side: Side
    amount: Decimal
    type: str = "limit"
    text: str | None = None
    status: str | None = None
    event: str | None = None
    finish_as: str | None = None
    price: Number | None = None  # may be empty for market orders
    left: Decimal | None = None
    filled_amount: Decimal | None = None
    filled_total: Decimal | None = None
    update_time_ms: Number | None = None
    succeeded: bool | None = None  # in the answer to cancelling all


class OpenOrders(msgspec.Struct):
    """`orders` are one pair's; the stated `total` counts this page only, so it tells nothing."""

    currency_pair: str
    orders: list[Order] | None


class Fill(msgspec.Struct):
    id: str | int
    order_id: str | int
    currency_pair: str
    side: Side
    role: str
    amount: Decimal
    price: Decimal
    fee: Decimal | None = None
    fee_currency: str | None = None
    gt_fee: Decimal | None = None
    point_fee: Decimal | None = None
    text: str | None = None
    create_time_ms: Number | None = None


class Account(msgspec.Struct):
    """REST's balance."""

    currency: str
    available: Decimal
    locked: Decimal


class Balance(msgspec.Struct):
    """The stream's balance."""

    currency: str
    total: Decimal
    available: Decimal
    timestamp_ms: Number | None = None


ORDERS = msgspec.json.Decoder(list[Order])
ORDER = msgspec.json.Decoder(Order)
OPEN_ORDERS = msgspec.json.Decoder(list[OpenOrders])
FILLS = msgspec.json.Decoder(list[Fill])
ACCOUNTS = msgspec.json.Decoder(list[Account])
BALANCES = msgspec.json.Decoder(list[Balance])


def order_report(order: Order) -> OrderReport:
    is_market = order.type == "market"
    amount_is_quote = is_market and order.side is Side.BUY
    whole = amount(order.amount)
    left = None if order.left is None else amount(order.left)
    if order.filled_amount is not None:
        filled_quantity = amount(order.filled_amount)
    elif left is not None and not amount_is_quote:
        filled_quantity = amount(EXACT.subtract(whole, left))
    else:
        raise ValueError("neither filled_amount nor left in base units")
    is_filled = left == 0 and filled_quantity > 0 and (amount_is_quote or filled_quantity >= whole)
    status, reason = _standing(order, is_filled=is_filled)
    price = None if is_market or order.price in (None, "") else amount(Decimal(str(order.price)))
    return OrderReport(
        exchange_order_id=str(order.id),
        client_order_id=client_order_id(order.text),
        symbol=GATEIO_SPOT.from_wire(order.currency_pair),
        side=order.side,
        status=status,
        filled_quantity=filled_quantity,
        filled_quote=amount(order.filled_total or ZERO),
        price=price or None,
        quantity=None if amount_is_quote else whole,
        reason=reason,
        exchange_time_milliseconds=milliseconds(order.update_time_ms),
    )


def _standing(order: Order, *, is_filled: bool) -> tuple[ReportedStatus, str]:
    """Status and reason. Samples disagree on the status word of a partly filled immediate order, so amounts decide."""
    if order.event != "finish" and order.status not in ("closed", "cancelled"):
        if order.status == "open" or order.event in ("put", "update"):
            return ReportedStatus.OPEN, ""
        raise ValueError(f"neither status {order.status!r} nor event {order.event!r} is known")
    return how_it_ended(order.finish_as, is_filled=is_filled)


def fill_report(fill: Fill) -> FillReport:
    symbol = GATEIO_SPOT.from_wire(fill.currency_pair)
    asset = fill.fee_currency or (symbol.base if fill.side is Side.BUY else symbol.quote)
    fee, fee_asset = charged(fill.fee, asset, GT=fill.gt_fee, POINT=fill.point_fee)
    return FillReport(
        trade_id=str(fill.id),
        exchange_order_id=str(fill.order_id),
        client_order_id=client_order_id(fill.text),
        symbol=symbol,
        side=fill.side,
        price=amount(fill.price),
        quantity=amount(fill.amount),
        fee=fee,
        fee_asset=fee_asset,
        maker=fill.role == "maker",
        exchange_time_milliseconds=milliseconds(fill.create_time_ms),
    )


def account_report(account: Account) -> BalanceReport:
    available = finite(account.available)
    return BalanceReport(asset=account.currency, total=exact_sum((available, finite(account.locked))), available=available)


def balance_report(balance: Balance) -> BalanceReport:
    return BalanceReport(
        asset=balance.currency,
        total=finite(balance.total),
        available=finite(balance.available),
        exchange_time_milliseconds=milliseconds(balance.timestamp_ms),
    )
