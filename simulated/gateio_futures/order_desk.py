"""Placing, cancelling, amending and finding orders: the same rules whether a request came by REST or by websocket."""

from __future__ import annotations

import re
from collections.abc import Mapping, Reversible, Sequence
from decimal import Decimal

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
    optional_number,
    self_trade,
)
from simulated.gateio_futures import encoding
from simulated.gateio_futures.encoding import CLOSE_TAG
from simulated.gateio_futures.errors import gate_error_of, invalid_argument, invalid_parameter, order_not_found
from simulated.gateio_futures.sizes import quantity_of
from simulated.gateio_futures.venue import ORDERS_MAX, Caller, GateFuturesVenue
from simulated.numbers import whole_number_of
from simulated.settings import AccountSettings
from simulated.venue import text_of

PLACE_BATCH_MAX = 10
CANCEL_BATCH_MAX = 20
AMEND_BATCH_MAX = 10
_SIZE = re.compile(r"-?\d{1,15}(\.\d{1,12})?")
_SIDES = {"bid": Side.BUY, "ask": Side.SELL}


class FuturesOrderDesk:
    """Carries out order commands of signed-in accounts and answers with Gate.io's order objects."""

    def __init__(self, venue: GateFuturesVenue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults

    def place(self, caller: Caller, fields: Fields) -> Json:
        """Raises: GateError: the order was refused and nothing changed."""
        symbol = self._venue.symbol(text_of(fields, "contract"))
        self._refuse_dual(caller.account)
        mode = action_mode(fields)
        new = self._new_order(caller.account, symbol, fields)
        try:
            order = self._venue.engine.place(new, self._venue.now())
        except OrderRefused as refused:
            raise gate_error_of(refused) from refused
        return encoding.order_answer(self._encode(caller, order), mode)

    def place_batch(self, caller: Caller, batch: Sequence[Fields]) -> list[Json]:
        """One answer per order, each with `succeeded`. Raises: GateError: the batch as a whole is malformed."""
        check_batch(batch, PLACE_BATCH_MAX)
        check_texts(batch)
        return answer_each(batch, lambda fields: {"succeeded": True, **self.place(caller, fields)}, _failed)

    def cancel(self, caller: Caller, given_id: str, fields: Fields) -> Json:
        """Raises: GateError: there is no such order, or it is finished."""
        mode = action_mode(fields)
        return encoding.order_answer(self._encode(caller, self._cancel(caller, given_id)), mode)

    def cancel_batch(self, caller: Caller, given_ids: Sequence[str]) -> list[Json]:
        """Raises: GateError: the batch as a whole is malformed."""
        check_batch(given_ids, CANCEL_BATCH_MAX)
        answers: list[Json] = []
        for given_id in given_ids:
            answer: Json = {"user_id": caller.account.user_id, "id": given_id, "succeeded": True, "message": ""}
            try:
                self._cancel(caller, given_id)
            except GateError as error:
                answer |= {"succeeded": False, "message": error.label}
            answers.append(answer)
        return answers

    def cancel_all(self, caller: Caller, fields: Fields) -> list[Json]:
        """Cancel every open order, or those of one contract, side or text. Raises: GateError: the contract or the side is unknown."""
        contract, side_text, text = text_of(fields, "contract"), text_of(fields, "side"), text_of(fields, "text")
        symbol = None if contract is None else self._venue.symbol(contract)
        if side_text is not None and side_text not in _SIDES:
            raise invalid_parameter("side", side_text)
        side = None if side_text is None else _SIDES[side_text]
        spares_reducing = text_of(fields, "exclude_reduce_only") == "true"
        mode = action_mode(fields)
        cancelled: list[Json] = []
        for order in list(self._venue.engine.accounts[caller.account.name].open_orders.values()):
            if not order.is_open:
                continue  # ended by the end of another one
            if (
                (symbol is None or order.symbol == symbol)
                and (side is None or order.side is side)
                and (text is None or order.client_id == text)
                and not (spares_reducing and order.reduce_only)
            ):
                self._venue.engine.cancel(order.id, self._venue.now())
                cancelled.append(encoding.order_answer(self._encode(caller, order), mode))
        return cancelled

    def cancel_everything(self, account: str, symbol: Symbol | None) -> None:
        """As the dead-man's switch does: every open order, or those of one contract."""
        for order in list(self._venue.engine.accounts[account].open_orders.values()):
            if order.is_open and (symbol is None or order.symbol == symbol):
                self._venue.engine.cancel(order.id, self._venue.now())

    def amend(self, caller: Caller, given_id: str, fields: Fields) -> Json:
        """Change price or total size; a size that is filled already cancels. Raises: GateError: refused; the order is as it was."""
        order = self._find(caller.account, given_id)
        mode = action_mode(fields)
        quantity, price = self._amended_quantity(order, fields), optional_number(fields, "price")
        if price is not None:
            price = self._venue.price_on_tick(order.symbol, price)
            self._venue.check_deviation(order.symbol, price)
        if quantity is None and price is None:
            raise GateError("MISSING_REQUIRED_PARAM", "size or price is required")
        try:
            if quantity is not None and quantity <= order.filled_quantity:
                self._venue.engine.cancel(order.id, self._venue.now())
            else:
                note = text_of(fields, "amend_text") or ""
                self._venue.engine.amend(order.id, self._venue.now(), price=price, quantity=quantity, note=note)
        except OrderRefused as refused:
            raise gate_error_of(refused, given_id=given_id) from refused
        return encoding.order_answer(self._encode(caller, order), mode)

    def amend_batch(self, caller: Caller, batch: Sequence[Fields]) -> list[Json]:
        """Raises: GateError: the batch as a whole is malformed."""
        check_batch(batch, AMEND_BATCH_MAX)

        def amend(fields: Fields) -> Json:
            given_id = text_of(fields, "order_id") or text_of(fields, "text") or ""
            return {"succeeded": True, **self.amend(caller, given_id, fields)}

        return answer_each(batch, amend, _failed)

    def status(self, caller: Caller, given_id: str) -> Json:
        """Raises: GateError: there is no such order (any more)."""
        order = self._find(caller.account, given_id)
        if self._is_hidden(order):
            raise order_not_found(given_id)
        return self._encode(caller, order)

    def orders(self, caller: Caller, fields: Fields) -> list[Json]:
        """Open or finished orders, newest first; all that there are after `last_id`. Raises: GateError: status or contract is unknown."""
        status = text_of(fields, "status")
        if status not in ("open", "finished"):
            raise invalid_parameter("status", status or "")
        contract, last_id_text = text_of(fields, "contract"), text_of(fields, "last_id")
        last_id = None if last_id_text is None else whole_number_of(last_id_text)
        if last_id_text is not None and last_id is None:
            raise invalid_parameter("last_id", last_id_text)
        symbol = None if contract is None else self._venue.symbol(contract)
        holder = self._venue.engine.accounts[caller.account.name]
        found = self._listed(holder.open_orders.values() if status == "open" else holder.finished_orders, symbol)
        return [self._encode(caller, order) for order in found if last_id is None or order.id < last_id]

    def orders_between(self, caller: Caller, symbol: Symbol | None, since_seconds: int, until_seconds: int) -> list[Json]:
        """Finished orders that were made between these moments, newest first."""
        finished = self._listed(self._venue.engine.accounts[caller.account.name].finished_orders, symbol)
        return [
            self._encode(caller, order) for order in finished if since_seconds <= order.created_at_milliseconds // 1000 <= until_seconds
        ]

    # -- reading requests ---------------------------------------------------------------------------------------------

    def _new_order(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> NewOrder:
        if text_of(fields, "auto_size") is not None:
            raise invalid_parameter("auto_size", str(text_of(fields, "auto_size")))  # for accounts in dual mode
        if (text_of(fields, "iceberg") or "0") != "0":
            raise invalid_parameter("iceberg", str(text_of(fields, "iceberg")))  # the house shows all it has
        closes = text_of(fields, "close") == "true"
        side, quantity = self._closing(account, symbol, fields) if closes else self._side_and_quantity(symbol, fields)
        time_in_force_text = text_of(fields, "tif") or "gtc"
        time_in_force = TIME_IN_FORCE_OF.get(time_in_force_text)
        if time_in_force is None:
            raise invalid_parameter("tif", time_in_force_text)
        price = optional_number(fields, "price")
        if price is None:
            raise invalid_argument(4)
        kind = OrderKind.LIMIT if price else OrderKind.MARKET
        if kind is OrderKind.MARKET:
            self._check_market_order(symbol, side, time_in_force)
        else:
            price = self._venue.price_on_tick(symbol, price)
            self._venue.check_deviation(symbol, price)
        self._check_order_count(account, symbol, time_in_force)
        return NewOrder(
            account=account.name,
            symbol=symbol,
            side=side,
            kind=kind,
            time_in_force=time_in_force,
            price=price,
            quantity=quantity,
            client_id=client_id(fields),
            self_trade=self_trade(fields, account),
            tag=CLOSE_TAG if closes else "",
            reduce_only=closes or text_of(fields, "reduce_only") == "true",
        )

    def _side_and_quantity(self, symbol: Symbol, fields: Fields) -> tuple[Side, Decimal]:
        size = _size(fields)
        if size is None:
            raise invalid_argument(3)
        if not size:
            raise invalid_parameter("size", "0")
        return Side.BUY if size > 0 else Side.SELL, quantity_of(self._venue.instrument(symbol), abs(size))

    def _closing(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> tuple[Side, Decimal]:
        """What would make the position empty; the size of such an order is given as 0."""
        size = _size(fields)
        if size:
            raise invalid_parameter("size", str(size))
        position = self._venue.engine.position(account.name, symbol)
        if not position.is_open:
            raise GateError("POSITION_EMPTY", "Position is empty")
        return Side.SELL if position.quantity > 0 else Side.BUY, abs(position.quantity)

    def _amended_quantity(self, order: Order, fields: Fields) -> Decimal | None:
        size = _size(fields)
        if size is None:
            return None
        if order.tag == CLOSE_TAG:
            raise GateError("INVALID_PARAM_VALUE", "Close order size cannot be changed")
        if size and (size > 0) is not (order.side is Side.BUY):
            raise invalid_parameter("size", str(size))
        return quantity_of(self._venue.instrument(order.symbol), abs(size))

    def _check_market_order(self, symbol: Symbol, side: Side, time_in_force: TimeInForce) -> None:
        if time_in_force not in (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL):
            raise invalid_argument(4)  # only these make sense without a price
        if self._venue.engine.books[symbol].side(side.opposite).best is None:
            raise GateError("CONTRACT_NO_COUNTER", "No counter order found")

    def _check_order_count(self, account: AccountSettings, symbol: Symbol, time_in_force: TimeInForce) -> None:
        if time_in_force in (TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.POST_ONLY):
            open_orders = self._venue.engine.accounts[account.name].open_orders.values()
            if sum(order.symbol == symbol for order in open_orders) >= ORDERS_MAX:
                raise GateError("TOO_MANY_ORDERS", "Too many open orders")

    def _refuse_dual(self, account: AccountSettings) -> None:
        if account.name in self._venue.dual_accounts:
            raise GateError("POSITION_DUAL_MODE", "Operation forbidden in dual-mode")

    # -- finding ------------------------------------------------------------------------------------------------------

    def _cancel(self, caller: Caller, given_id: str) -> Order:
        order = self._find(caller.account, given_id)
        try:
            return self._venue.engine.cancel(order.id, self._venue.now())
        except OrderRefused as refused:
            raise gate_error_of(refused, given_id=given_id) from refused

    def _find(self, account: AccountSettings, given_id: str) -> Order:
        order = self._venue.memory.find(account.name, given_id, self._venue.now())
        if order is None:
            raise order_not_found(given_id)
        return order

    def _listed(self, candidates: Reversible[Order], symbol: Symbol | None) -> list[Order]:
        """Newest first, without those that are forgotten or not known yet."""
        now = self._venue.now()
        return [
            order
            for order in reversed(candidates)
            if (symbol is None or order.symbol == symbol) and self._venue.memory.is_remembered(order, now) and not self._is_hidden(order)
        ]

    def _is_hidden(self, order: Order) -> bool:
        """Whether queries do not know the order yet (a fault)."""
        return self._faults.hides(order.created_at_milliseconds, self._venue.now())

    def _encode(self, caller: Caller, order: Order) -> Json:
        return encoding.order(order, self._venue.instrument(order.symbol), caller.account, caller.style)


def _size(fields: Mapping[str, object]) -> Decimal | None:
    """Signed contracts. Raises: GateError: it is no plain decimal."""
    text = text_of(fields, "size")
    if text is None:
        return None
    if not _SIZE.fullmatch(text):
        raise invalid_parameter("size", text)
    return Decimal(text)


def _failed(fields: Fields, error: GateError) -> Json:
    return {"succeeded": False, "label": error.label, "detail": error.message}
