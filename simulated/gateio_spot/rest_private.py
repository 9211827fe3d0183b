"""Private REST endpoints: an account's orders, fills, balances and fees."""

from __future__ import annotations

from market.symbol import Symbol
from simulated.countdown import Countdowns
from simulated.faults import Operation
from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import Json, seconds_bound
from simulated.gateio.rate_limits import CANCEL
from simulated.gateio.rest_call import Endpoint, RestCall, private_endpoint
from simulated.gateio_spot import encoding
from simulated.gateio_spot.order_desk import OrderDesk
from simulated.gateio_spot.rate_limits import PLACE
from simulated.gateio_spot.venue import GateSpotVenue
from simulated.numbers import whole_number_of
from simulated.venue import text_of

_TRADES_DEFAULT_SECONDS = 7 * 86_400
_TRADES_WINDOW_SECONDS_MAX = 30 * 86_400


class PrivateRest:
    """Answers for signed-in accounts."""

    def __init__(self, venue: GateSpotVenue, desk: OrderDesk, countdowns: Countdowns[Symbol | None]) -> None:
        self._venue = venue
        self._desk = desk
        self._countdowns = countdowns

    def endpoints(self) -> list[Endpoint]:
        return [
            private_endpoint("POST", "/spot/orders", self.place, Operation.PLACE, PLACE, 201),
            private_endpoint("POST", "/spot/batch_orders", self.place_batch, Operation.PLACE, PLACE),
            private_endpoint("GET", "/spot/orders", self.orders),
            private_endpoint("DELETE", "/spot/orders", self.cancel_all, Operation.CANCEL, CANCEL),
            private_endpoint("GET", "/spot/orders/{order_id}", self.order),
            private_endpoint("DELETE", "/spot/orders/{order_id}", self.cancel, Operation.CANCEL, CANCEL),
            private_endpoint("PATCH", "/spot/orders/{order_id}", self.amend, Operation.AMEND, PLACE),
            private_endpoint("POST", "/spot/cancel_batch_orders", self.cancel_batch, Operation.CANCEL, CANCEL),
            private_endpoint("POST", "/spot/amend_batch_orders", self.amend_batch, Operation.AMEND, PLACE),
            private_endpoint("GET", "/spot/open_orders", self.open_orders),
            private_endpoint("GET", "/spot/my_trades", self.my_trades),
            private_endpoint("POST", "/spot/countdown_cancel_all", self.countdown_cancel_all, Operation.CANCEL),
            private_endpoint("GET", "/spot/accounts", self.accounts),
            private_endpoint("GET", "/spot/fee", self.fee),
            private_endpoint("GET", "/spot/batch_fee", self.batch_fee),
            private_endpoint("GET", "/wallet/fee", self.wallet_fee),
        ]

    def place(self, call: RestCall) -> Json:
        return self._desk.place(call.signed_in, call.fields())

    def place_batch(self, call: RestCall) -> list[Json]:
        return self._desk.place_batch(call.signed_in, [*call.batch()])

    def cancel(self, call: RestCall) -> Json:
        return self._desk.cancel(call.signed_in, call.path["order_id"], call.fields())

    def cancel_all(self, call: RestCall) -> list[Json]:
        return self._desk.cancel_all(call.signed_in, call.fields())

    def cancel_batch(self, call: RestCall) -> list[Json]:
        return self._desk.cancel_batch(call.signed_in, [*call.batch()])

    def amend(self, call: RestCall) -> Json:
        return self._desk.amend(call.signed_in, call.path["order_id"], call.fields())

    def amend_batch(self, call: RestCall) -> list[Json]:
        return self._desk.amend_batch(call.signed_in, [*call.batch()])

    def order(self, call: RestCall) -> Json:
        return self._desk.status(call.signed_in, call.path["order_id"], call.fields())

    def orders(self, call: RestCall) -> list[Json]:
        return self._desk.orders(call.signed_in, call.fields(), call.page(), call.limit(100, 1_000))

    def open_orders(self, call: RestCall) -> list[Json]:
        return self._desk.open_orders(call.signed_in, call.page(), call.limit(100, 100))

    def my_trades(self, call: RestCall) -> list[Json]:
        account = call.signed_in.name
        pair = text_of(call.query, "currency_pair")
        symbol = None if pair is None else self._venue.symbol(pair)
        order_id = text_of(call.query, "order_id")
        if order_id is not None and symbol is None:
            raise GateError("MISSING_REQUIRED_PARAM", "currency_pair is required with order_id")
        now_seconds = self._venue.now() // 1000
        until = seconds_bound(call.query, "to", now_seconds + 1)
        since = seconds_bound(call.query, "from", min(until, now_seconds) - _TRADES_DEFAULT_SECONDS)
        if until - since > _TRADES_WINDOW_SECONDS_MAX:
            raise GateError("INVALID_PARAM_VALUE", "from and to are at most 30 days apart")
        found: list[Json] = []
        for trade in reversed(self._venue.engine.accounts[account].trades):
            if (symbol is not None and trade.symbol != symbol) or not since <= trade.at_milliseconds // 1000 <= until:
                continue
            found += [
                encoding.my_trade(trade, party)
                for party in (trade.taker, trade.maker)
                if party.account == account and order_id in (None, str(party.order_id))
            ]
        return call.paginate(found, call.page(), call.limit(100, 1_000))

    def countdown_cancel_all(self, call: RestCall) -> Json:
        fields = call.fields()
        timeout_seconds = whole_number_of(text_of(fields, "timeout") or "")
        if timeout_seconds is None or 0 < timeout_seconds < 5:
            raise GateError("INVALID_PARAM_VALUE", "timeout must be 0 or at least 5 seconds")
        pair = text_of(fields, "currency_pair")
        symbol = None if pair is None else self._venue.symbol(pair)
        self._countdowns.arm(call.signed_in.name, symbol, timeout_seconds)
        trigger_at = self._venue.now() + timeout_seconds * 1000 if timeout_seconds else 0
        return {"triggerTime": str(trigger_at)}

    def accounts(self, call: RestCall) -> list[Json]:
        return encoding.spot_accounts(self._venue.engine.accounts[call.signed_in.name], text_of(call.query, "currency"))

    def fee(self, call: RestCall) -> Json:
        return encoding.fee(call.signed_in, self._optional_pair(call))

    def batch_fee(self, call: RestCall) -> dict[str, Json]:
        pairs = (text_of(call.query, "currency_pairs") or "").split(",")
        if len(pairs) > 50:
            raise GateError("TOO_MANY_CURRENCY_PAIRS", "at most 50 currency pairs")
        return {pair: encoding.fee(call.signed_in, encoding.wire(self._venue.symbol(pair))) for pair in pairs}

    def wallet_fee(self, call: RestCall) -> Json:
        futures = {"futures_taker_fee": "0.0005", "futures_maker_fee": "0.0002"}
        return {**encoding.fee(call.signed_in, self._optional_pair(call)), **futures}

    def _optional_pair(self, call: RestCall) -> str:
        pair = text_of(call.query, "currency_pair")
        return "" if pair is None else encoding.wire(self._venue.symbol(pair))
