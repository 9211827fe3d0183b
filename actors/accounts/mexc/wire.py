"""What MEXC spot says about an account: the shapes of its messages and how they become reports.

Only the fields that are used, from https://www.mexc.com/api-docs/spot-v3/ ("Spot Account/Trade", "Websocket User Data Streams").
REST is JSON; pushes are protobuf (`exchanges/mexc_spot_push.proto`), in which text may be empty where there is nothing to say.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Decimal

import msgspec

from actors.accounts.reading import amount, finite
from actors.accounts.reading import reading as exchange_reading
from exchanges.mexc_spot import MEXC_SPOT
from exchanges.mexc_spot_push_pb2 import Push
from market.events import Side
from market.exact import exact_sum
from market.symbol import Symbol
from orders.order import ZERO
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus

_Status = ReportedStatus
# "Status": PARTIALLY_CANCELED is an end with fills, which other exchanges call cancelled.
STATUS_BY_NAME = {
    "NEW": _Status.OPEN,
    "PARTIALLY_FILLED": _Status.OPEN,
    "FILLED": _Status.FILLED,
    "CANCELED": _Status.CANCELLED,
    "PARTIALLY_CANCELED": _Status.CANCELLED,
}
STATUS_BY_NUMBER = {1: _Status.OPEN, 2: _Status.FILLED, 3: _Status.OPEN, 4: _Status.CANCELLED, 5: _Status.CANCELLED}
# Orders that may not rest; cancelled by the exchange, they have expired. Named in REST, numbered in pushes.
_IMMEDIATE = ("IMMEDIATE_OR_CANCEL", "FILL_OR_KILL", "MARKET", 3, 4, 5)
_MARKET = ("MARKET", 5)
_SIDE_BY_NUMBER = {1: Side.BUY, 2: Side.SELL}  # "tradeType"
_SIDE_BY_NAME = {"BUY": Side.BUY, "SELL": Side.SELL}


class Order(msgspec.Struct, rename="camel"):
    """In the answer to a cancellation `client_order_id` names the cancellation, and `orig_client_order_id` the order."""

    symbol: str
    order_id: str | int
    side: str
    status: str
    executed_qty: Decimal
    cummulative_quote_qty: Decimal
    orig_qty: Decimal | None = None
    price: Decimal | None = None
    type: str = "LIMIT"
    client_order_id: str | None = None
    orig_client_order_id: str | None = None
    time: int | None = None
    update_time: int | None = None
    cancel_reason: str | None = None


class Placed(msgspec.Struct, rename="camel"):
    symbol: str
    order_id: str | int


class BatchItem(msgspec.Struct, rename="camel"):
    """Either an order's id, or a code and a message."""

    order_id: str | int | None = None
    new_client_order_id: str | None = None
    code: int | None = None
    msg: str | None = None


class Fill(msgspec.Struct, rename="camel"):
    symbol: str
    id: str | int
    order_id: str | int
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    is_buyer: bool
    is_maker: bool
    time: int = 0
    client_order_id: str | None = None


class Balance(msgspec.Struct):
    asset: str
    free: Decimal
    locked: Decimal


class Account(msgspec.Struct, rename="camel"):
    balances: list[Balance]
    can_trade: bool = True


class Timed(msgspec.Struct):
    """An entry of a list that may have to be asked for in pages."""

    time: int = 0


class ListenKey(msgspec.Struct, rename="camel"):
    listen_key: str


class ListenKeys(msgspec.Struct, rename="camel"):
    """Of the same name where there are several."""

    listen_key: list[str]


class ServerTime(msgspec.Struct, rename="camel"):
    server_time: int


class Control(msgspec.Struct):
    """The answer to a request on the websocket. `code` is 0 for refusals, too: only the text tells."""

    code: int = 0
    msg: str = ""


ORDER = msgspec.json.Decoder(Order, strict=False)
ORDERS = msgspec.json.Decoder(list[Order], strict=False)
PLACED = msgspec.json.Decoder(Placed)
BATCH = msgspec.json.Decoder(list[BatchItem], strict=False)
FILLS = msgspec.json.Decoder(list[Fill], strict=False)
ACCOUNT = msgspec.json.Decoder(Account, strict=False)
TIMES = msgspec.json.Decoder(list[Timed], strict=False)
LISTEN_KEY = msgspec.json.Decoder(ListenKey)
LISTEN_KEYS = msgspec.json.Decoder(ListenKeys)
SERVER_TIME = msgspec.json.Decoder(ServerTime)
CONTROL = msgspec.json.Decoder(Control, strict=False)


def reading(what: str, data: bytes | str) -> AbstractContextManager[None]:
    """As `actors.accounts.reading.reading`."""
    return exchange_reading("MEXC", what, data)


def order_report(order: Order) -> OrderReport:
    status, side = STATUS_BY_NAME.get(order.status), _SIDE_BY_NAME.get(order.side)
    if status is None or side is None:
        raise ValueError(f"an order's status is {order.status[:40]!r} and its side {order.side[:40]!r}")
    given_id = order.client_order_id if order.orig_client_order_id is None else order.orig_client_order_id
    return OrderReport(
        exchange_order_id=str(order.order_id),
        client_order_id=given_id or None,
        symbol=MEXC_SPOT.from_wire(order.symbol),
        side=side,
        status=_end(status, order.type),
        filled_quantity=amount(order.executed_qty),
        filled_quote=amount(order.cummulative_quote_qty),
        price=None if order.type in _MARKET else amount(order.price or ZERO) or None,
        quantity=amount(order.orig_qty or ZERO) or None,
        reason=order.cancel_reason or "",
        exchange_time_milliseconds=order.update_time or order.time or 0,
    )


def pushed_order_report(push: Push) -> OrderReport:
    order = push.private_order
    status, side = STATUS_BY_NUMBER.get(order.status), _SIDE_BY_NUMBER.get(order.trade_type)
    if status is None or side is None:
        raise ValueError(f"an order's status is {order.status} and its side {order.trade_type}")
    return OrderReport(
        exchange_order_id=_required(order.id),
        # Examples differ on an order that its client did not name: nothing, or the exchange's own id again.
        client_order_id=None if order.client_id in ("", order.id) else order.client_id,
        symbol=_symbol(push),
        side=side,
        status=_end(status, order.order_type),
        filled_quantity=_decimal(order.cumulative_quantity),
        filled_quote=_decimal(order.cumulative_amount),
        price=None if order.order_type in _MARKET else _decimal(order.price) or None,
        quantity=_decimal(order.quantity) or None,
        exchange_time_milliseconds=push.send_time or order.create_time,
    )


def _end(status: ReportedStatus, order_type: str | int) -> ReportedStatus:
    return _Status.EXPIRED if status is _Status.CANCELLED and order_type in _IMMEDIATE else status


def fill_report(fill: Fill) -> FillReport:
    return FillReport(
        trade_id=str(fill.id),
        exchange_order_id=str(fill.order_id),
        client_order_id=fill.client_order_id or None,
        symbol=MEXC_SPOT.from_wire(fill.symbol),
        side=Side.BUY if fill.is_buyer else Side.SELL,
        price=amount(fill.price),
        quantity=amount(fill.qty),
        fee=finite(fill.commission),
        fee_asset=fill.commission_asset,
        maker=fill.is_maker,
        exchange_time_milliseconds=fill.time,
    )


def pushed_fill_report(push: Push) -> FillReport:
    deal = push.private_deal
    side = _SIDE_BY_NUMBER.get(deal.trade_type)
    if side is None:
        raise ValueError(f"a trade's side is {deal.trade_type}")
    symbol = _symbol(push)
    return FillReport(
        trade_id=_required(deal.trade_id),
        exchange_order_id=_required(deal.order_id),
        client_order_id=deal.client_order_id or None,
        symbol=symbol,
        side=side,
        price=_decimal(deal.price),
        quantity=_decimal(deal.quantity),
        fee=finite(Decimal(deal.fee_amount or 0)),
        fee_asset=deal.fee_currency or (symbol.base if side is Side.BUY else symbol.quote),
        maker=deal.is_maker,
        exchange_time_milliseconds=deal.time,
    )


def balance_report(balance: Balance) -> BalanceReport:
    available = finite(balance.free)
    return BalanceReport(asset=balance.asset, total=exact_sum((available, finite(balance.locked))), available=available)


def pushed_balance_report(push: Push) -> BalanceReport:
    balance = push.private_balance
    available, frozen = finite(Decimal(balance.available or 0)), finite(Decimal(balance.frozen or 0))
    return BalanceReport(
        asset=_required(balance.asset),
        total=exact_sum((available, frozen)),
        available=available,
        exchange_time_milliseconds=balance.time or push.send_time,
    )


def read_listen_key(body: bytes) -> str:
    """
    Raises:
        ProtocolError: there is none in the answer, of which nothing is shown.
    """
    with exchange_reading("MEXC", "a listen key", b""):
        try:
            key = LISTEN_KEY.decode(body).listen_key
        except msgspec.MsgspecError:
            key = ""
        return _required(key)


def read_listen_keys(body: bytes) -> list[str]:
    """
    Raises:
        ProtocolError: there is no list in the answer, of which nothing is shown.
    """
    with exchange_reading("MEXC", "a list of listen keys", b""):
        try:
            keys = LISTEN_KEYS.decode(body).listen_key
        except msgspec.MsgspecError:
            keys = [""]
        return [_required(key) for key in keys]


def _symbol(push: Push) -> Symbol:
    return MEXC_SPOT.from_wire(push.symbol)


def _required(text: str) -> str:
    if not text:
        raise ValueError("an id or a name is empty")
    return text


def _decimal(text: str) -> Decimal:
    return amount(Decimal(text or 0))
