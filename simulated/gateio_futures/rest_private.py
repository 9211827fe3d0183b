"""Private REST endpoints: an account's orders and fills."""

from __future__ import annotations

from market.symbol import Symbol
from simulated.countdown import Countdowns
from simulated.engine.order import Trade, TradeParty
from simulated.faults import Operation
from simulated.gateio.order_fields import Json, seconds_bound
from simulated.gateio.rate_limits import CANCEL
from simulated.gateio.rest_call import Endpoint, RestCall, private_endpoint
from simulated.gateio_futures import encoding
from simulated.gateio_futures.errors import invalid_parameter
from simulated.gateio_futures.order_desk import FuturesOrderDesk
from simulated.gateio_futures.rate_limits import PLACE
from simulated.gateio_futures.rest_public import FUTURES_PREFIX, style_of
from simulated.gateio_futures.venue import Caller, GateFuturesVenue
from simulated.numbers import whole_number_of
from simulated.venue import text_of

_LIMIT_DEFAULT = 100
_LIMIT_MAX = 1_000
_OFFSET_MAX = 1 << 30


class FuturesOrdersRest:
    """Answers for signed-in accounts."""

    def __init__(self, venue: GateFuturesVenue, desk: FuturesOrderDesk, countdowns: Countdowns[Symbol | None]) -> None:
        self._venue = venue
        self._desk = desk
        self._countdowns = countdowns

    def endpoints(self) -> list[Endpoint]:
        orders, one = f"{FUTURES_PREFIX}/orders", f"{FUTURES_PREFIX}/orders/{{order_id}}"
        return [
            private_endpoint("POST", orders, self.place, Operation.PLACE, PLACE, 201),
            private_endpoint("GET", orders, self.orders),
            private_endpoint("DELETE", orders, self.cancel_all, Operation.CANCEL, CANCEL),
            private_endpoint("GET", one, self.order),
            private_endpoint("DELETE", one, self.cancel, Operation.CANCEL, CANCEL),
            private_endpoint("PUT", one, self.amend, Operation.AMEND, PLACE),
            private_endpoint("POST", f"{FUTURES_PREFIX}/batch_orders", self.place_batch, Operation.PLACE, PLACE),
            private_endpoint("POST", f"{FUTURES_PREFIX}/batch_cancel_orders", self.cancel_batch, Operation.CANCEL, CANCEL),
            private_endpoint("POST", f"{FUTURES_PREFIX}/batch_amend_orders", self.amend_batch, Operation.AMEND, PLACE),
            private_endpoint("POST", f"{FUTURES_PREFIX}/countdown_cancel_all", self.countdown_cancel_all, Operation.CANCEL),
            private_endpoint("GET", f"{FUTURES_PREFIX}/orders_timerange", self.orders_timerange),
            private_endpoint("GET", f"{FUTURES_PREFIX}/my_trades", self.my_trades),
            private_endpoint("GET", f"{FUTURES_PREFIX}/my_trades_timerange", self.my_trades_timerange),
        ]

    def place(self, call: RestCall) -> Json:
        return self._desk.place(caller_of(call), call.fields())

    def place_batch(self, call: RestCall) -> list[Json]:
        return self._desk.place_batch(caller_of(call), call.batch())

    def cancel(self, call: RestCall) -> Json:
        return self._desk.cancel(caller_of(call), call.path["order_id"], call.query)

    def cancel_all(self, call: RestCall) -> list[Json]:
        return self._desk.cancel_all(caller_of(call), call.query)

    def cancel_batch(self, call: RestCall) -> list[Json]:
        return self._desk.cancel_batch(caller_of(call), call.texts())

    def amend(self, call: RestCall) -> Json:
        return self._desk.amend(caller_of(call), call.path["order_id"], call.fields())

    def amend_batch(self, call: RestCall) -> list[Json]:
        return self._desk.amend_batch(caller_of(call), call.batch())

    def order(self, call: RestCall) -> Json:
        return self._desk.status(caller_of(call), call.path["order_id"])

    def orders(self, call: RestCall) -> list[Json]:
        return windowed(call, self._desk.orders(caller_of(call), call.query))

    def orders_timerange(self, call: RestCall) -> list[Json]:
        since, until = self._window(call)
        return windowed(call, self._desk.orders_between(caller_of(call), self._optional_symbol(call), since, until))

    def my_trades(self, call: RestCall) -> list[Json]:
        last_id = call.whole_number("last_id", 0, 0, 1 << 60)
        order_id = text_of(call.query, "order")
        found = [
            (trade, party)
            for trade, party in self._fills(call)
            if order_id in (None, str(party.order_id)) and (not last_id or trade.id < last_id)
        ]
        return windowed(call, [self._fill(call, trade, party) for trade, party in found])

    def my_trades_timerange(self, call: RestCall) -> list[Json]:
        """The same fills; their id is called `trade_id` here."""
        since, until = self._window(call)
        role = text_of(call.query, "role")
        fills = [self._fill(call, trade, party) for trade, party in self._fills(call) if since <= trade.at_milliseconds // 1000 <= until]
        return windowed(call, [_with_trade_id(fill) for fill in fills if role in (None, fill["role"])])

    def countdown_cancel_all(self, call: RestCall) -> Json:
        fields = call.fields()
        text = text_of(fields, "timeout") or ""
        timeout_seconds = whole_number_of(text)
        if timeout_seconds is None or 0 < timeout_seconds < 5:
            raise invalid_parameter("timeout", text)
        contract = text_of(fields, "contract")
        symbol = None if contract is None else self._venue.symbol(contract)
        self._countdowns.arm(call.signed_in.name, symbol, timeout_seconds)
        trigger_at = self._venue.now() + timeout_seconds * 1000 if timeout_seconds else 0
        return {"triggerTime": str(trigger_at)}

    def _fills(self, call: RestCall) -> list[tuple[Trade, TradeParty]]:
        """The account's parts in trades, newest first."""
        account, symbol = call.signed_in.name, self._optional_symbol(call)
        return [
            (trade, party)
            for trade in reversed(self._venue.engine.accounts[account].trades)
            if symbol is None or trade.symbol == symbol
            for party in (trade.taker, trade.maker)
            if party.account == account
        ]

    def _fill(self, call: RestCall, trade: Trade, party: TradeParty) -> Json:
        return encoding.my_trade(trade, party, self._venue.instrument(trade.symbol), style_of(call))

    def _window(self, call: RestCall) -> tuple[int, int]:
        return seconds_bound(call.query, "from", 0), seconds_bound(call.query, "to", self._venue.now() // 1000 + 1)

    def _optional_symbol(self, call: RestCall) -> Symbol | None:
        contract = text_of(call.query, "contract")
        return None if contract is None else self._venue.symbol(contract)


def caller_of(call: RestCall) -> Caller:
    return Caller(call.signed_in, style_of(call))


def windowed(call: RestCall, items: list[Json]) -> list[Json]:
    """The part of `items` that `offset` and `limit` ask for."""
    return call.window(items, call.whole_number("offset", 0, 0, _OFFSET_MAX), call.limit(_LIMIT_DEFAULT, _LIMIT_MAX))


def _with_trade_id(fill: Json) -> Json:
    return {("trade_id" if name == "id" else name): (str(value) if name == "id" else value) for name, value in fill.items()}
