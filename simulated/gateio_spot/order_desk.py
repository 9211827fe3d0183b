"""Placing, cancelling, amending and finding orders: the same rules whether a request came by REST or by websocket."""

from __future__ import annotations

from typing import Any

from market.events import Side
from market.symbol import Symbol
from simulated.engine.order import NewOrder, Order, OrderKind, OrderRefused, TimeInForce
from simulated.faults import Faults
from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import (
    TIME_IN_FORCE_OF,
    Fields,
    Json,
    action_mode,
    answer_each,
    check_batch,
    check_texts,
    client_id,
    number,
    optional_number,
    seconds_bound,
    self_trade,
)
from simulated.gateio_spot import encoding
from simulated.gateio_spot.errors import gate_error_of, order_not_found
from simulated.gateio_spot.venue import GateSpotVenue
from simulated.settings import AccountSettings
from simulated.venue import text_of

PLACE_BATCH_MAX = 10
CANCEL_BATCH_MAX = 20
AMEND_BATCH_MAX = 5


class OrderDesk:
    """Carries out order commands of signed-in accounts and answers with Gate.io's order objects."""

    def __init__(self, venue: GateSpotVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults

    def place(self, account: AccountSettings, fields: Fields) -> Json:
        """Raises: GateError: the order was refused and nothing changed."""
        symbol = self._venue.symbol(text_of(fields, "currency_pair"))
        _check_account_kind(fields)
        mode = action_mode(fields)
        new = NewOrder(
            account=account.name,
            symbol=symbol,
            side=_side(fields),
            self_trade=self_trade(fields, account),
            client_id=client_id(fields),
            **_kind_and_amounts(fields),
        )
        try:
            order = self._venue.engine.place(new, self._venue.now())
        except OrderRefused as refused:
            raise gate_error_of(refused, base=symbol.base, quote=symbol.quote) from refused
        return encoding.order_answer(self._venue.encode_order(order), mode)

    def place_batch(self, account: AccountSettings, batch: list[Fields]) -> list[Json]:
        """One answer per order, each with `succeeded`. Raises: GateError: the batch as a whole is malformed."""
        check_batch(batch, PLACE_BATCH_MAX)
        if len({text_of(fields, "currency_pair") for fields in batch}) > 4:
            raise GateError("TOO_MANY_CURRENCY_PAIRS", "A batch holds at most 4 currency pairs")
        check_texts(batch)
        return answer_each(batch, lambda fields: _succeeded(self.place(account, fields)), _failed)

    def cancel(self, account: AccountSettings, given_id: str, fields: Fields) -> Json:
        """Raises: GateError: there is no such order, or it is finished."""
        order = self._find(account, given_id, fields)
        try:
            self._venue.engine.cancel(order.id, self._venue.now())
        except OrderRefused as refused:
            raise gate_error_of(refused, base=order.symbol.base, quote=order.symbol.quote, given_id=given_id) from refused
        return encoding.order_answer(self._venue.encode_order(order), action_mode(fields))

    def cancel_batch(self, account: AccountSettings, batch: list[Fields]) -> list[Json]:
        """Raises: GateError: the batch as a whole is malformed."""
        check_batch(batch, CANCEL_BATCH_MAX)

        def cancel(fields: Fields) -> Json:
            cancelled = self.cancel(account, text_of(fields, "id") or "", {**fields, "action_mode": "FULL"})
            return _named(fields) | {"id": cancelled["id"], "text": cancelled["text"], "succeeded": True, "label": None, "message": None}

        def refused(fields: Fields, error: GateError) -> Json:
            return _named(fields) | {"succeeded": False, "label": error.label, "message": error.message}

        return answer_each(batch, cancel, refused)

    def cancel_all(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Cancel every open order, or those of one pair or one side. Raises: GateError: the pair or the side is unknown."""
        pair = text_of(fields, "currency_pair")
        symbol = None if pair is None else self._venue.symbol(pair)
        side = None if text_of(fields, "side") is None else _side(fields)
        mode = action_mode(fields)
        cancelled: list[Json] = []
        for order in list(self._venue.engine.accounts[account.name].open_orders.values()):
            if (symbol is None or order.symbol == symbol) and (side is None or order.side is side):
                self._venue.engine.cancel(order.id, self._venue.now())
                cancelled.append(encoding.order_answer(self._venue.encode_order(order), mode))
        return cancelled

    def cancel_everything(self, account: str, symbol: Symbol | None) -> None:
        """As the dead-man's switch does: every open order, or those of one pair."""
        pair = {} if symbol is None else {"currency_pair": encoding.wire(symbol)}
        self.cancel_all(self._venue.account_settings[account], pair)

    def amend(self, account: AccountSettings, given_id: str, fields: Fields) -> Json:
        """Change price or total amount. Raises: GateError: refused; the order is as it was."""
        order = self._find(account, given_id, fields)
        price, amount = optional_number(fields, "price"), optional_number(fields, "amount")
        if price is None and amount is None:
            raise GateError("MISSING_REQUIRED_PARAM", "price or amount is required")
        note = text_of(fields, "amend_text") or ""
        try:
            self._venue.engine.amend(order.id, self._venue.now(), price=price, quantity=amount, note=note)
        except OrderRefused as refused:
            raise gate_error_of(refused, base=order.symbol.base, quote=order.symbol.quote, given_id=given_id) from refused
        return encoding.order_answer(self._venue.encode_order(order), action_mode(fields))

    def amend_batch(self, account: AccountSettings, batch: list[Fields]) -> list[Json]:
        """Each changes its price or its amount, not both. Raises: GateError: the batch as a whole is malformed."""
        check_batch(batch, AMEND_BATCH_MAX)

        def amend(fields: Fields) -> Json:
            if text_of(fields, "price") is not None and text_of(fields, "amount") is not None:
                raise GateError("INVALID_PARAM_VALUE", "only one of amount and price can be specified")
            return _succeeded(self.amend(account, text_of(fields, "order_id") or "", fields))

        return answer_each(batch, amend, lambda fields, error: {"order_id": text_of(fields, "order_id"), **_failed(fields, error)})

    def status(self, account: AccountSettings, given_id: str, fields: Fields) -> Json:
        """Raises: GateError: there is no such order (any more)."""
        order = self._find(account, given_id, fields)
        if self._is_hidden(order):
            raise order_not_found(given_id)
        return self._venue.encode_order(order)

    def open_orders(self, account: AccountSettings, page: int, limit: int) -> list[Json]:
        """Open orders grouped by pair, each pair paged by itself."""
        groups: dict[Symbol, list[Json]] = {}
        for order in reversed(self._venue.engine.accounts[account.name].open_orders.values()):
            if not self._is_hidden(order):
                groups.setdefault(order.symbol, []).append(self._venue.encode_order(order))
        first = (page - 1) * limit
        return [
            {"currency_pair": encoding.wire(symbol), "total": len(orders), "orders": orders[first : first + limit]}
            for symbol, orders in groups.items()
        ]

    def orders(self, account: AccountSettings, fields: Fields, page: int, limit: int) -> list[Json]:
        """Open or finished orders of a pair, newest first. Raises: GateError: pair or status are missing or unknown."""
        status = text_of(fields, "status")
        if status not in ("open", "finished"):
            raise GateError("INVALID_PARAM_VALUE", f"Invalid status {status}")
        pair = text_of(fields, "currency_pair")
        symbol = self._venue.symbol(pair) if pair is not None or status == "open" else None
        now = self._venue.now()
        since, until = seconds_bound(fields, "from", 0), seconds_bound(fields, "to", now // 1000 + 1)
        side = None if text_of(fields, "side") is None or status == "open" else _side(fields)
        holder = self._venue.engine.accounts[account.name]
        candidates = holder.open_orders.values() if status == "open" else holder.finished_orders
        found = [
            order
            for order in reversed(candidates)
            if (symbol is None or order.symbol == symbol)
            and (side is None or order.side is side)
            and since <= order.created_at_milliseconds // 1000 <= until
            and self._venue.memory.is_remembered(order, now)
            and not self._is_hidden(order)
        ]
        return [self._venue.encode_order(order) for order in found[(page - 1) * limit : page * limit]]

    def _find(self, account: AccountSettings, given_id: str, fields: Fields) -> Order:
        symbol = self._venue.symbol(text_of(fields, "currency_pair"))
        _check_account_kind(fields)
        order = self._venue.memory.find(account.name, given_id, self._venue.now())
        if order is None or order.symbol != symbol:
            raise order_not_found(given_id)
        return order

    def _is_hidden(self, order: Order) -> bool:
        """Whether queries do not know the order yet (a fault)."""
        return self._faults.hides(order.created_at_milliseconds, self._venue.now())


def _named(fields: Fields) -> Json:
    return {"currency_pair": text_of(fields, "currency_pair"), "id": text_of(fields, "id") or "", "text": ""}


def _succeeded(answer: Json) -> Json:
    return {**answer, "succeeded": True, "label": "", "message": ""}


def _failed(fields: Fields, error: GateError) -> Json:
    return {"text": text_of(fields, "text") or "", "succeeded": False, "label": error.label, "message": error.message}


def _kind_and_amounts(fields: Fields) -> dict[str, Any]:
    kind_text = text_of(fields, "type") or "limit"
    if kind_text not in ("limit", "market"):
        raise GateError("INVALID_PARAM_VALUE", f"Invalid type {kind_text}")
    kind = OrderKind(kind_text)
    time_in_force_text = text_of(fields, "time_in_force") or ("gtc" if kind is OrderKind.LIMIT else "ioc")
    time_in_force = TIME_IN_FORCE_OF.get(time_in_force_text)
    if time_in_force is None or (kind is OrderKind.MARKET and time_in_force not in _FOR_MARKET):
        raise GateError("INVALID_PARAM_VALUE", f"Invalid time_in_force {time_in_force_text} for a {kind_text} order")
    amounts: dict[str, Any] = {"kind": kind, "time_in_force": time_in_force}
    if kind is OrderKind.LIMIT:
        amounts["price"] = number(fields, "price")
    if kind is OrderKind.MARKET and _side(fields) is Side.BUY:
        amounts["quote_quantity"] = number(fields, "amount")  # what to spend
    else:
        amounts["quantity"] = number(fields, "amount")
    return amounts


_FOR_MARKET = (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL)


def _side(fields: Fields) -> Side:
    side = text_of(fields, "side")
    if side not in ("buy", "sell"):
        raise GateError("INVALID_PARAM_VALUE" if side else "MISSING_REQUIRED_PARAM", f"Invalid side {side or ''}".rstrip())
    return Side(side)


def _check_account_kind(fields: Fields) -> None:
    kind = text_of(fields, "account") or "spot"
    if kind != "spot":
        raise GateError("INVALID_PARAM_VALUE", f"Invalid account {kind}: only spot is opened for this user")
