"""Placing, cancelling, amending and finding orders: the same rules whether a request came by REST or by websocket.

An order command is answered with ids alone, whatever becomes of the order at once; the order channel tells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simulated.engine.order import FinishReason, NewOrder, Order, OrderRefused
from simulated.faults import Faults, Operation
from simulated.later import Later
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError, okx_error_of
from simulated.okx.fields import Fields, client_id_of, flag_of, limit_of, optional_number_of, self_trade_of, side_of, tag_of, whole_number
from simulated.okx.venue import OkxVenue
from simulated.settings import AccountSettings
from simulated.venue import text_of

Command = Callable[[AccountSettings, Fields], Json]

BATCH_MAX = 20


class OrderDesk:
    """Carries out order commands of signed-in accounts."""

    def __init__(self, venue: OkxVenue, faults: Faults, later: Later) -> None:
        self._venue = venue
        self._faults = faults
        self._later = later

    # -- commands ---------------------------------------------------------------------------------------------------

    def carry_out(self, command: Command, account: AccountSettings, batch: list[Fields]) -> Json:
        """The answer to a command on each order of `batch`; its code says whether all, some or none were accepted."""
        if not 1 <= len(batch) <= BATCH_MAX:
            raise OkxError("50016" if batch else "50014", f"Parameter count: 1 to {BATCH_MAX} orders")
        items = [self._outcome(command, account, fields) for fields in batch]
        failed = sum(item["sCode"] != "0" for item in items)
        if not failed:
            return {"code": "0", "msg": "", "data": items}
        if failed == len(items):
            return {"code": "1", "msg": "All operations failed", "data": items}
        return {"code": "2", "msg": "Bulk operation partially succeeded.", "data": items}

    def _outcome(self, command: Command, account: AccountSettings, fields: Fields) -> Json:
        try:
            return {**command(account, fields), "ts": str(self._venue.now()), "sCode": "0", "sMsg": ""}
        except OkxError as error:
            ids = {"clOrdId": text_of(fields, "clOrdId") or "", "ordId": text_of(fields, "ordId") or "", "tag": ""}
            return {**ids, "ts": str(self._venue.now()), "sCode": error.code, "sMsg": error.message}

    def place(self, account: AccountSettings, fields: Fields) -> Json:
        """Raises: OkxError: the order was refused and nothing changed."""
        instrument = text_of(fields, "instId")
        symbol = self._venue.symbol(instrument)
        self._venue.check_trade_mode(account, symbol, fields)
        tag = tag_of(fields)
        new = NewOrder(
            account=account.name,
            symbol=symbol,
            side=side_of(fields),
            self_trade=self_trade_of(fields),
            client_id=client_id_of(fields),
            tag=tag,
            **self._venue.terms(account, symbol, fields),
        )
        try:
            order = self._venue.engine.place(new, self._venue.now())
        except OrderRefused as refused:
            raise okx_error_of(refused, instrument or "") from refused
        return {"clOrdId": order.client_id, "ordId": str(order.id), "tag": tag}

    def cancel(self, account: AccountSettings, fields: Fields) -> Json:
        """Raises: OkxError: there is no such order, or it is finished."""
        order = self._find(account, fields, "51400")
        late_seconds = self._faults.take_late_seconds(Operation.CANCEL)
        if late_seconds and order.is_open:
            # "Cancel order": the answer says that the request was accepted; whether it is cancelled, the order channel tells.
            self._later.do(late_seconds, partial(self._cancel_if_open, order))
        else:
            try:
                self._venue.engine.cancel(order.id, self._venue.now())
            except OrderRefused as refused:
                raise okx_error_of(refused, self._venue.wire(order.symbol)) from refused
        return {"clOrdId": order.client_id, "ordId": str(order.id)}

    def amend(self, account: AccountSettings, fields: Fields) -> Json:
        """Change price or total quantity. Raises: OkxError: refused; the order is as it was, or cancelled if that was asked for."""
        order = self._find(account, fields, "51503")
        price, size = optional_number_of(fields, "newPx"), optional_number_of(fields, "newSz")
        if price is None and size is None:
            raise OkxError("51500", "You must enter a price, quantity, or TP/SL")
        must_cancel = flag_of(fields, "cxlOnFail")
        request_id = text_of(fields, "reqId") or ""
        quantity = None if size is None else self._venue.listings[order.symbol].quantity(size)
        self._venue.amendments[order.id] = request_id
        try:
            if quantity is not None and 0 < quantity <= order.filled_quantity:
                # An order of which as much is filled already becomes a filled one (documented with "WS / Amend order", newSz).
                self._venue.engine.cancel(order.id, self._venue.now(), reason=FinishReason.FILLED)
            else:
                self._venue.engine.amend(order.id, self._venue.now(), price=price, quantity=quantity)
        except OrderRefused as refused:
            if must_cancel and order.is_open:
                self._venue.amendments.pop(order.id, None)  # what is told of the end says nothing of an amendment
                self._venue.engine.cancel(order.id, self._venue.now())
            raise okx_error_of(refused, self._venue.wire(order.symbol), amending=True) from refused
        finally:
            self._venue.amendments.pop(order.id, None)
        return {"clOrdId": order.client_id, "ordId": str(order.id), "reqId": request_id}

    def cancel_tagged(self, account: str, tag: str) -> None:
        """As the dead-man's switch does: every open order with this tag, or every one if it is empty."""
        for order in list(self._venue.engine.accounts[account].open_orders.values()):
            if not tag or order.tag == tag:
                self._venue.engine.cancel(order.id, self._venue.now())

    # -- queries ----------------------------------------------------------------------------------------------------

    def status(self, account: AccountSettings, fields: Fields) -> Json:
        """Raises: OkxError: there is no such order (any more)."""
        order = self._find(account, fields, "51603")
        if self._is_hidden(order):
            raise OkxError("51603", "Order does not exist")
        return self._venue.encode_order(order)

    def open_orders(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Newest first."""
        return self._listed(fields, [*self._venue.engine.accounts[account.name].open_orders.values()])

    def finished_orders(self, account: AccountSettings, fields: Fields) -> list[Json]:
        """Newest first. Raises: OkxError: the type of instrument is missing."""
        if text_of(fields, "instType") is None:
            raise OkxError("50014", "Parameter instType can not be empty.")
        return self._listed(fields, [*self._venue.engine.accounts[account.name].finished_orders])

    def _listed(self, fields: Fields, orders: list[Order]) -> list[Json]:
        if text_of(fields, "instType") not in (None, self._venue.instrument_type):
            return []
        instrument = text_of(fields, "instId")
        symbol = None if instrument is None else self._venue.symbol(instrument)
        now = self._venue.now()
        begin, end = whole_number(fields, "begin", 0), whole_number(fields, "end", 1 << 60)
        after, before = whole_number(fields, "after", 1 << 63), whole_number(fields, "before", 0)
        kinds, state = text_of(fields, "ordType"), text_of(fields, "state")
        found: list[Json] = []
        for order in sorted(orders, key=lambda order: -order.id):
            if (
                (symbol is None or order.symbol == symbol)
                and before < order.id < after
                and begin <= order.created_at_milliseconds <= end
                and self._venue.is_remembered(order, now)
                and not self._is_hidden(order)
            ):
                encoded = self._venue.encode_order(order)
                if (kinds is None or encoded["ordType"] in kinds.split(",")) and state in (None, encoded["state"]):
                    found.append(encoded)
        return found[: limit_of(fields)]

    def _cancel_if_open(self, order: Order) -> None:
        if order.is_open:
            self._venue.engine.cancel(order.id, self._venue.now())

    def _find(self, account: AccountSettings, fields: Fields, code: str) -> Order:
        symbol = self._venue.symbol(text_of(fields, "instId"))
        order_id, client_id = text_of(fields, "ordId"), text_of(fields, "clOrdId")
        if order_id is None and client_id is None:
            raise OkxError("51000", "Parameter ordId or clOrdId error")
        order = self._venue.find_order(account.name, order_id, client_id, self._venue.now())
        if order is None or order.symbol != symbol:
            reason = "Order does not exist" if code == "51603" else "The order has been filled, canceled or does not exist."
            raise OkxError(code, reason)
        return order

    def _is_hidden(self, order: Order) -> bool:
        """Whether queries do not know the order yet (a fault)."""
        return self._faults.hides(order.created_at_milliseconds, self._venue.now())
