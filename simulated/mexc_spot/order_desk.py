"""Placing, cancelling and finding orders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from market.events import Side
from market.symbol import Symbol
from simulated.engine.order import NewOrder, Order, OrderKind, OrderRefused
from simulated.faults import Faults
from simulated.mexc_spot import encoding
from simulated.mexc_spot.encoding import Json
from simulated.mexc_spot.errors import MexcError, illegal, mandatory, mexc_error_of, unknown_order, unknown_order_to_cancel
from simulated.mexc_spot.venue import MexcVenue
from simulated.numbers import decimal_of, whole_number_of
from simulated.settings import AccountSettings
from simulated.venue import text_of

Fields = Mapping[str, Any]

_CLIENT_ID = re.compile(r"[0-9A-Za-z_\-]{1,32}")
PLACE_BATCH_MAX = 20
OPEN_ORDERS_MAX = 500
_DAY_MILLISECONDS = 86_400_000
_WINDOW_MILLISECONDS_MAX = 7 * _DAY_MILLISECONDS
_MONTH_MILLISECONDS = 30 * _DAY_MILLISECONDS


class OrderDesk:
    """Carries out order commands of signed-in accounts and answers with MEXC's objects."""

    def __init__(self, venue: MexcVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults

    def place(self, account: AccountSettings, fields: Fields, *, is_test: bool = False) -> Json:
        """Raises: MexcError: the order was refused and nothing changed."""
        symbol = self._venue.symbol(text_of(fields, "symbol"))
        new = NewOrder(
            account=account.name, symbol=symbol, side=_side(fields), client_id=_client_id(fields), **_kind_and_amounts(fields)
        )  # fmt: skip
        if is_test:
            return {}
        if len(self._venue.engine.accounts[account.name].open_orders) >= OPEN_ORDERS_MAX:
            raise MexcError(30029, "Cannot exceed the maximum order limit")
        try:
            order = self._venue.engine.place(new, self._venue.now())
        except OrderRefused as refused:
            raise mexc_error_of(refused, quote=symbol.quote) from refused
        return encoding.placed(order)

    def place_batch(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """One answer per order. Raises: MexcError: the batch as a whole is malformed."""
        answers: list[Json] = []
        for order in _batch(text_of(fields, "batchOrders")):
            client_id = {"newClientOrderId": text_of(order, "newClientOrderId")}
            try:
                placed = self.place(account, order)
                answers.append({name: placed[name] for name in ("symbol", "orderId", "orderListId")} | client_id)
            except MexcError as error:
                answers.append(client_id | {"msg": error.message, "code": error.code})
        return answers

    def cancel(self, account: AccountSettings, fields: Fields) -> Json:
        """Raises: MexcError: there is no such order, or it is finished."""
        order = self._find(account, fields)
        if order is None:
            raise unknown_order_to_cancel()
        try:
            self._venue.engine.cancel(order.id, self._venue.now())
        except OrderRefused as refused:
            raise mexc_error_of(refused, quote=order.symbol.quote) from refused
        return encoding.cancelled(order)

    def cancel_all(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Raises: MexcError: a symbol is unknown, or none is named."""
        symbols = {self._venue.symbol(name) for name in (text_of(fields, "symbol") or "").split(",")}
        orders = [order for order in self._venue.engine.accounts[account.name].open_orders.values() if order.symbol in symbols]
        return [encoding.cancelled(self._venue.engine.cancel(order.id, self._venue.now())) for order in orders]

    def order(self, account: AccountSettings, fields: Fields) -> Json:
        """Raises: MexcError: there is no such order."""
        order = self._find(account, fields)
        if order is None or self._is_hidden(order):
            raise unknown_order()
        return encoding.order(order)

    def open_orders(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Newest first. Raises: MexcError: the symbol is unknown."""
        name = text_of(fields, "symbol")
        symbol = None if name is None else self._venue.symbol(name)
        orders = reversed(self._venue.engine.accounts[account.name].open_orders.values())
        return [encoding.order(order) for order in orders if (symbol is None or order.symbol == symbol) and not self._is_hidden(order)]

    def all_orders(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Open and finished ones, newest first. Raises: MexcError: the symbol is unknown, a bound no number."""
        symbol = self._venue.symbol(text_of(fields, "symbol"))
        now = self._venue.now()
        since = max(_bound(fields, "startTime", now - _DAY_MILLISECONDS), now - _WINDOW_MILLISECONDS_MAX)
        until, limit = _bound(fields, "endTime", now), min(_bound(fields, "limit", 500), 1000)
        holder = self._venue.engine.accounts[account.name]
        orders = sorted((*holder.finished_orders, *holder.open_orders.values()), key=lambda order: -order.id)
        found = [
            order
            for order in orders
            if order.symbol == symbol and since <= order.created_at_milliseconds <= until and not self._is_hidden(order)
        ]
        return [encoding.order(order) for order in found[:limit]]

    def my_trades(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Newest first. Raises: MexcError: the symbol is unknown, a bound no number."""
        symbol: Symbol = self._venue.symbol(text_of(fields, "symbol"))
        now = self._venue.now()
        wire_id = text_of(fields, "orderId")
        number = None if wire_id is None else encoding.order_number(wire_id)
        since, until = _bound(fields, "startTime", now - _MONTH_MILLISECONDS), _bound(fields, "endTime", now)
        limit = min(_bound(fields, "limit", 100), 100)
        found = [
            encoding.my_trade(trade, party)
            for trade in reversed(self._venue.engine.accounts[account.name].trades)
            for party in (trade.taker, trade.maker)
            if party.account == account.name
            and trade.symbol == symbol
            and number in (None, party.order_id)
            and since <= trade.at_milliseconds <= until
        ]
        return found[:limit]

    def _find(self, account: AccountSettings, fields: Fields) -> Order | None:
        symbol = self._venue.symbol(text_of(fields, "symbol"))
        wire_id, client_id = text_of(fields, "orderId"), text_of(fields, "origClientOrderId")
        if wire_id is None and client_id is None:
            raise mandatory("orderId")
        return self._venue.find_order(account.name, symbol, wire_id=wire_id, client_id=client_id)

    def _is_hidden(self, order: Order) -> bool:
        return self._faults.hides(order.created_at_milliseconds, self._venue.now())


def _batch(text: str | None) -> list[Fields]:
    if text is None:
        raise mandatory("batchOrders")
    try:
        batch = msgspec.json.decode(text, type=list[dict[str, Any]])
    except msgspec.MsgspecError as error:
        raise illegal("batchOrders") from error
    if not 1 <= len(batch) <= PLACE_BATCH_MAX or len({text_of(order, "symbol") for order in batch}) != 1:
        raise MexcError(33333, f"a batch holds 1 to {PLACE_BATCH_MAX} orders of one symbol")
    return [*batch]


def _kind_and_amounts(fields: Fields) -> dict[str, Any]:
    type_name = text_of(fields, "type")
    if type_name is None:
        raise mandatory("type")
    if type_name == "MARKET":
        if text_of(fields, "quoteOrderQty") is not None and _side(fields) is Side.BUY:
            return {"kind": OrderKind.MARKET, "time_in_force": _IMMEDIATE, "quote_quantity": _number(fields, "quoteOrderQty")}
        return {"kind": OrderKind.MARKET, "time_in_force": _IMMEDIATE, "quantity": _number(fields, "quantity")}
    time_in_force = encoding.TIME_IN_FORCE.get(type_name)
    if time_in_force is None:
        raise MexcError(30041, "The order type is not supported")
    amounts = {"price": _number(fields, "price"), "quantity": _number(fields, "quantity")}
    return {"kind": OrderKind.LIMIT, "time_in_force": time_in_force, **amounts}


_IMMEDIATE = encoding.TIME_IN_FORCE["IMMEDIATE_OR_CANCEL"]


def _side(fields: Fields) -> Side:
    side = text_of(fields, "side")
    if side is None:
        raise mandatory("side")
    if side not in Side.__members__:
        raise illegal("side")
    return Side[side]


def _client_id(fields: Fields) -> str:
    client_id = text_of(fields, "newClientOrderId") or ""
    if client_id and not _CLIENT_ID.fullmatch(client_id):
        raise illegal("newClientOrderId")
    return client_id


def _number(fields: Fields, name: str) -> Decimal:
    text = text_of(fields, name)
    if text is None:
        raise mandatory(name)
    number = decimal_of(text)
    if number is None:
        raise illegal(name)
    return number


def _bound(fields: Fields, name: str, otherwise: int) -> int:
    text = text_of(fields, name)
    if text is None:
        return otherwise
    number = whole_number_of(text)
    if number is None:
        raise illegal(name)
    return number
