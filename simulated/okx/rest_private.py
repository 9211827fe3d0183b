"""Private REST endpoints: an account's orders, fills, balances and fees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulated.countdown import Countdowns
from simulated.faults import Operation
from simulated.numbers import whole_number_of
from simulated.okx.encoding import Json
from simulated.okx.errors import parameter_error
from simulated.okx.fields import limit_of, whole_number
from simulated.okx.order_desk import Command, OrderDesk
from simulated.okx.rate_limits import ACCOUNT, AMEND, CANCEL, HISTORY, ORDER_QUERY, PLACE, SETTINGS, SWITCH
from simulated.okx.rest_call import Endpoint, RestCall
from simulated.okx.venue import OkxVenue
from simulated.rate_limits import LimitGroup
from simulated.venue import text_of

_TRADES_SECONDS = 3 * 86_400


class PrivateRest:
    """Answers for signed-in accounts."""

    def __init__(self, venue: OkxVenue, desk: OrderDesk, countdowns: Countdowns[str]) -> None:
        self._venue = venue
        self._desk = desk
        self._countdowns = countdowns

    def endpoints(self) -> list[Endpoint]:
        def command(path: str, order_command: Command, operation: Operation, group: LimitGroup) -> Endpoint:
            def handler(call: RestCall) -> Json:
                return self._desk.carry_out(order_command, call.signed_in, [*call.orders()])

            return Endpoint(
                method="POST", path=path, handler=handler, operation=operation, group=group, is_private=True, is_command=True
            )  # fmt: skip

        def query(path: str, handler: Callable[[RestCall], Any], group: LimitGroup) -> Endpoint:
            return Endpoint(method="GET", path=path, handler=handler, operation=Operation.QUERY, group=group, is_private=True)

        return [
            command("/trade/order", self._desk.place, Operation.PLACE, PLACE),
            command("/trade/batch-orders", self._desk.place, Operation.PLACE, PLACE),
            command("/trade/cancel-order", self._desk.cancel, Operation.CANCEL, CANCEL),
            command("/trade/cancel-batch-orders", self._desk.cancel, Operation.CANCEL, CANCEL),
            command("/trade/amend-order", self._desk.amend, Operation.AMEND, AMEND),
            command("/trade/amend-batch-orders", self._desk.amend, Operation.AMEND, AMEND),
            Endpoint(
                method="POST",
                path="/trade/cancel-all-after",
                handler=self.cancel_all_after,
                operation=Operation.CANCEL,
                group=SWITCH,
                is_private=True,
            ),
            query("/trade/order", lambda call: [self._desk.status(call.signed_in, call.query)], ORDER_QUERY),
            query("/trade/orders-pending", lambda call: self._desk.open_orders(call.signed_in, call.query), ORDER_QUERY),
            query("/trade/orders-history", lambda call: self._desk.finished_orders(call.signed_in, call.query), HISTORY),
            query("/trade/orders-history-archive", lambda call: self._desk.finished_orders(call.signed_in, call.query), HISTORY),
            query("/trade/fills", self.fills, ORDER_QUERY),
            query("/trade/fills-history", self.fills, ACCOUNT),
            query("/account/balance", self.balance, ACCOUNT),
            query("/account/config", lambda call: [self._venue.config(call.signed_in)], SETTINGS),
            query("/account/trade-fee", lambda call: [self._venue.trade_fee(call.signed_in)], SETTINGS),
            query("/asset/currencies", self.currencies, ACCOUNT),
        ]

    def cancel_all_after(self, call: RestCall) -> list[Json]:
        fields = call.fields()
        seconds = whole_number_of(text_of(fields, "timeOut") or "")
        if seconds is None or not (seconds == 0 or 10 <= seconds <= 120):
            raise parameter_error("timeOut")
        tag = text_of(fields, "tag") or ""
        self._countdowns.arm(call.signed_in.name, tag, seconds)
        now = self._venue.now() // 1000
        return [{"triggerTime": str(now + seconds) if seconds else "0", "tag": tag, "ts": str(now)}]

    def fills(self, call: RestCall) -> list[Json]:
        account, query = call.signed_in.name, call.query
        if text_of(query, "instType") not in (None, self._venue.instrument_type):
            return []
        instrument, order_id = text_of(query, "instId"), text_of(query, "ordId")
        symbol = None if instrument is None else self._venue.symbol(instrument)
        now = self._venue.now()
        begin, end = whole_number(query, "begin", 0), whole_number(query, "end", 1 << 60)
        begin = max(begin, now - _TRADES_SECONDS * 1000)
        after, before = whole_number(query, "after", 1 << 63), whole_number(query, "before", 0)
        found: list[Json] = []
        for trade in reversed(self._venue.engine.accounts[account].trades):
            if (symbol is None or trade.symbol == symbol) and begin <= trade.at_milliseconds <= end:
                found += [
                    self._venue.encode_my_trade(trade, party)
                    for party in (trade.maker, trade.taker)
                    if party.account == account and order_id in (None, str(party.order_id))
                ]
        return [fill for fill in found if before < int(fill["billId"]) < after][: limit_of(query)]

    def balance(self, call: RestCall) -> list[Json]:
        account = call.signed_in.name
        asked = text_of(call.query, "ccy")
        details = [one for one in self._venue.balances(account) if asked is None or one["ccy"] in asked.split(",")]
        return [self._venue.account(account, details, self._venue.now())]

    def currencies(self, call: RestCall) -> list[Json]:
        assets = dict.fromkeys(asset for symbol in self._venue.engine.instruments for asset in (symbol.base, symbol.quote))
        return [
            {
                "ccy": asset,
                "name": asset,
                "chain": f"{asset}-{asset}",
                "canDep": True,
                "canWd": True,
                "fee": "0",
                "minWd": "0",
                "wdTickSz": "8",
            }
            for asset in assets
        ]
