"""Placing, cancelling, amending and finding orders: the same rules whether a request came by REST or by websocket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from market.events import Side
from market.symbol import Symbol
from simulated.engine.order import NewOrder, Order, OrderKind, OrderRefused, SelfTrade, TimeInForce
from simulated.faults import Faults
from simulated.gateio_spot import encoding
from simulated.gateio_spot.encoding import Json
from simulated.gateio_spot.errors import GateError, gate_error_of, order_not_found
from simulated.gateio_spot.venue import GateVenue
from simulated.numbers import decimal_of
from simulated.settings import AccountSettings
from simulated.venue import text_of

Fields = Mapping[str, Any]

_TEXT = re.compile(r"t-[0-9A-Za-z_.\-]{1,28}")
_TIME_IN_FORCE = {name: value for value, name in encoding.TIME_IN_FORCE.items()}
_ACTION_MODES = ("ACK", "RESULT", "FULL")
PLACE_BATCH_MAX = 10
CANCEL_BATCH_MAX = 20
AMEND_BATCH_MAX = 5


class OrderDesk:
    """Carries out order commands of signed-in accounts and answers with Gate.io's order objects."""

    def __init__(self, venue: GateVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults

    def place(self, account: AccountSettings, fields: Fields) -> Json:
        """Raises: GateError: the order was refused and nothing changed."""
        symbol = self._venue.symbol(text_of(fields, "currency_pair"))
        _check_account_kind(fields)
        action_mode = _action_mode(fields)
        new = NewOrder(
            account=account.name,
            symbol=symbol,
            side=_side(fields),
            self_trade=_self_trade(fields, account),
            client_id=_client_id(fields),
            **_kind_and_amounts(fields),
        )
        try:
            order = self._venue.engine.place(new, self._venue.now())
        except OrderRefused as refused:
            raise gate_error_of(refused, base=symbol.base, quote=symbol.quote) from refused
        return encoding.order_answer(self._venue.encode_order(order), action_mode)

    def place_batch(self, account: AccountSettings, batch: list[Fields]) -> list[Json]:
        """One answer per order, each with `succeeded`. Raises: GateError: the batch as a whole is malformed."""
        if not 1 <= len(batch) <= PLACE_BATCH_MAX:
            raise GateError("TOO_MANY_ORDERS", f"A batch holds 1 to {PLACE_BATCH_MAX} orders")
        if len({text_of(fields, "currency_pair") for fields in batch}) > 4:
            raise GateError("TOO_MANY_CURRENCY_PAIRS", "A batch holds at most 4 currency pairs")
        if any(text_of(fields, "text") is None for fields in batch):
            raise GateError("MISSING_REQUIRED_PARAM", "text is required for each order of a batch")
        return [self._answer_item(fields, lambda fields=fields: self.place(account, fields)) for fields in batch]

    def cancel(self, account: AccountSettings, given_id: str, fields: Fields) -> Json:
        """Raises: GateError: there is no such order, or it is finished."""
        order = self._find(account, given_id, fields)
        try:
            self._venue.engine.cancel(order.id, self._venue.now())
        except OrderRefused as refused:
            raise gate_error_of(refused, base=order.symbol.base, quote=order.symbol.quote, given_id=given_id) from refused
        return encoding.order_answer(self._venue.encode_order(order), _action_mode(fields))

    def cancel_batch(self, account: AccountSettings, batch: list[Fields]) -> list[Json]:
        """Raises: GateError: the batch as a whole is malformed."""
        if not 1 <= len(batch) <= CANCEL_BATCH_MAX:
            raise GateError("TOO_MANY_ORDERS", f"A batch holds 1 to {CANCEL_BATCH_MAX} orders")
        answers: list[Json] = []
        for fields in batch:
            given_id = text_of(fields, "id") or ""
            answer: Json = {"currency_pair": text_of(fields, "currency_pair"), "id": given_id, "text": "", "succeeded": True}
            try:
                cancelled = self.cancel(account, given_id, {**fields, "action_mode": "FULL"})
                answer |= {"id": cancelled["id"], "text": cancelled["text"], "label": None, "message": None}
            except GateError as error:
                answer |= {"succeeded": False, "label": error.label, "message": error.message}
            answers.append(answer)
        return answers

    def cancel_all(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Cancel every open order, or those of one pair or one side. Raises: GateError: the pair or the side is unknown."""
        pair = text_of(fields, "currency_pair")
        symbol = None if pair is None else self._venue.symbol(pair)
        side = None if text_of(fields, "side") is None else _side(fields)
        action_mode = _action_mode(fields)
        cancelled: list[Json] = []
        for order in list(self._venue.engine.accounts[account.name].open_orders.values()):
            if (symbol is None or order.symbol == symbol) and (side is None or order.side is side):
                self._venue.engine.cancel(order.id, self._venue.now())
                cancelled.append(encoding.order_answer(self._venue.encode_order(order), action_mode))
        return cancelled

    def cancel_everything(self, account: str, symbol: Symbol | None) -> None:
        """As the dead-man's switch does: every open order, or those of one pair."""
        pair = {} if symbol is None else {"currency_pair": encoding.wire(symbol)}
        self.cancel_all(self._venue.account_settings[account], pair)

    def amend(self, account: AccountSettings, given_id: str, fields: Fields) -> Json:
        """Change price or total amount. Raises: GateError: refused; the order is as it was."""
        order = self._find(account, given_id, fields)
        price, amount = _optional_number(fields, "price"), _optional_number(fields, "amount")
        if price is None and amount is None:
            raise GateError("MISSING_REQUIRED_PARAM", "price or amount is required")
        note = text_of(fields, "amend_text") or ""
        try:
            self._venue.engine.amend(order.id, self._venue.now(), price=price, quantity=amount, note=note)
        except OrderRefused as refused:
            raise gate_error_of(refused, base=order.symbol.base, quote=order.symbol.quote, given_id=given_id) from refused
        return encoding.order_answer(self._venue.encode_order(order), _action_mode(fields))

    def amend_batch(self, account: AccountSettings, batch: list[Fields]) -> list[Json]:
        """Raises: GateError: the batch as a whole is malformed."""
        if not 1 <= len(batch) <= AMEND_BATCH_MAX:
            raise GateError("TOO_MANY_ORDERS", f"A batch holds 1 to {AMEND_BATCH_MAX} orders")
        return [
            self._answer_item(fields, lambda fields=fields: self.amend(account, text_of(fields, "order_id") or "", fields))
            for fields in batch
        ]

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
            and self._venue.is_remembered(order, now)
            and not self._is_hidden(order)
        ]
        return [self._venue.encode_order(order) for order in found[(page - 1) * limit : page * limit]]

    def _find(self, account: AccountSettings, given_id: str, fields: Fields) -> Order:
        symbol = self._venue.symbol(text_of(fields, "currency_pair"))
        _check_account_kind(fields)
        order = self._venue.find_order(account.name, given_id, self._venue.now())
        if order is None or order.symbol != symbol:
            raise order_not_found(given_id)
        return order

    def _is_hidden(self, order: Order) -> bool:
        """Whether queries do not know the order yet (a fault)."""
        return self._faults.hides(order.created_at_milliseconds, self._venue.now())

    @staticmethod
    def _answer_item(fields: Fields, command: Any) -> Json:
        try:
            return {**command(), "succeeded": True, "label": "", "message": ""}
        except GateError as error:
            return {"text": text_of(fields, "text") or "", "succeeded": False, "label": error.label, "message": error.message}


def seconds_bound(fields: Fields, name: str, otherwise: int) -> int:
    """A time bound in seconds. Raises: GateError: it is not a whole number."""
    text = text_of(fields, name)
    if text is None:
        return otherwise
    if not text.isdigit():
        raise GateError("INVALID_PARAM_VALUE", f"Invalid {name} {text}")
    return int(text)


def _kind_and_amounts(fields: Fields) -> dict[str, Any]:
    kind_text = text_of(fields, "type") or "limit"
    if kind_text not in ("limit", "market"):
        raise GateError("INVALID_PARAM_VALUE", f"Invalid type {kind_text}")
    kind = OrderKind(kind_text)
    time_in_force_text = text_of(fields, "time_in_force") or ("gtc" if kind is OrderKind.LIMIT else "ioc")
    time_in_force = _TIME_IN_FORCE.get(time_in_force_text)
    if time_in_force is None or (kind is OrderKind.MARKET and time_in_force not in _FOR_MARKET):
        raise GateError("INVALID_PARAM_VALUE", f"Invalid time_in_force {time_in_force_text} for a {kind_text} order")
    amounts: dict[str, Any] = {"kind": kind, "time_in_force": time_in_force}
    if kind is OrderKind.LIMIT:
        amounts["price"] = _number(fields, "price")
    if kind is OrderKind.MARKET and _side(fields) is Side.BUY:
        amounts["quote_quantity"] = _number(fields, "amount")  # what to spend
    else:
        amounts["quantity"] = _number(fields, "amount")
    return amounts


_FOR_MARKET = (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL)


def _side(fields: Fields) -> Side:
    side = text_of(fields, "side")
    if side not in ("buy", "sell"):
        raise GateError("INVALID_PARAM_VALUE" if side else "MISSING_REQUIRED_PARAM", f"Invalid side {side or ''}".rstrip())
    return Side(side)


def _client_id(fields: Fields) -> str:
    text = text_of(fields, "text")
    if text is None:
        return ""
    if not _TEXT.fullmatch(text):
        raise GateError("INVALID_CLIENT_ORDER_ID", "text must start with t- and go on with up to 28 of 0-9 A-Z a-z _ - .")
    return text


def _self_trade(fields: Fields, account: AccountSettings) -> SelfTrade | None:
    action = text_of(fields, "stp_act")
    if action in (None, "-"):
        return None
    if action not in encoding.STP_ACTIONS or not account.stp_group:
        raise GateError("INVALID_PARAM_VALUE", f"Invalid stp_act {action}: the user is in no stp group, or there is no such action")
    return encoding.STP_ACTIONS[action]


def _check_account_kind(fields: Fields) -> None:
    kind = text_of(fields, "account") or "spot"
    if kind != "spot":
        raise GateError("INVALID_PARAM_VALUE", f"Invalid account {kind}: only spot is opened for this user")


def _action_mode(fields: Fields) -> str:
    mode = text_of(fields, "action_mode") or "FULL"
    if mode not in _ACTION_MODES:
        raise GateError("INVALID_PARAM_VALUE", f"Invalid action_mode {mode}")
    return mode


def _number(fields: Fields, name: str) -> Decimal:
    number = _optional_number(fields, name)
    if number is None:
        raise GateError("MISSING_REQUIRED_PARAM", f"{name} is required")
    return number


def _optional_number(fields: Fields, name: str) -> Decimal | None:
    text = text_of(fields, name)
    if text is None:
        return None
    number = decimal_of(text)
    if number is None:
        raise GateError("INVALID_PARAM_VALUE", f"Invalid {name} {text[:40]}")
    return number
