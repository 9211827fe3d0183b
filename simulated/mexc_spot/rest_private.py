"""Private REST endpoints: an account's orders, fills, balances and listen keys."""

from __future__ import annotations

from simulated.faults import Operation
from simulated.mexc_spot import encoding
from simulated.mexc_spot.encoding import Json
from simulated.mexc_spot.errors import mandatory
from simulated.mexc_spot.listen_keys import ListenKeys
from simulated.mexc_spot.order_desk import OrderDesk
from simulated.mexc_spot.rate_limits import ACCOUNT, BATCHES, ENDPOINT, ORDERS
from simulated.mexc_spot.rest_call import Endpoint, Handler, RestCall
from simulated.mexc_spot.venue import MexcVenue
from simulated.numbers import plain
from simulated.rate_limits import LimitGroup
from simulated.venue import text_of


class PrivateRest:
    """Answers for signed-in accounts."""

    def __init__(self, venue: MexcVenue, desk: OrderDesk, keys: ListenKeys) -> None:
        self._venue = venue
        self._desk = desk
        self._keys = keys

    def endpoints(self) -> list[Endpoint]:
        def private(
            method: str,
            path: str,
            handler: Handler,
            operation: Operation = Operation.QUERY,
            *,
            weight: int = 1,
            group: LimitGroup = ENDPOINT,
        ) -> Endpoint:
            return Endpoint(
                method=method, path=path, handler=handler, operation=operation, weight=weight, group=group, is_private=True
            )  # fmt: skip

        desk = self._desk
        return [
            private("POST", "/order", lambda call: desk.place(call.signed_in, call.fields), Operation.PLACE, group=ORDERS),
            private("POST", "/order/test", lambda call: desk.place(call.signed_in, call.fields, is_test=True)),
            private("POST", "/batchOrders", lambda call: desk.place_batch(call.signed_in, call.fields), Operation.PLACE, group=BATCHES),
            private("DELETE", "/order", lambda call: desk.cancel(call.signed_in, call.fields), Operation.CANCEL, group=ORDERS),
            private("DELETE", "/openOrders", lambda call: desk.cancel_all(call.signed_in, call.fields), Operation.CANCEL, group=ORDERS),
            private("GET", "/order", lambda call: desk.order(call.signed_in, call.fields), weight=2),
            private("GET", "/openOrders", lambda call: desk.open_orders(call.signed_in, call.fields), weight=3),
            private("GET", "/allOrders", lambda call: desk.all_orders(call.signed_in, call.fields), weight=10),
            private("GET", "/myTrades", lambda call: desk.my_trades(call.signed_in, call.fields), weight=10),
            private("GET", "/account", self.account, weight=10, group=ACCOUNT),
            private("GET", "/tradeFee", self.trade_fee, weight=20),
            private("GET", "/selfSymbols", self.self_symbols),
            private("GET", "/mxDeduct/enable", self.mx_deduct),
            private("GET", "/uid", lambda call: {"uid": str(call.signed_in.user_id)}),
            private("GET", "/kyc/status", lambda call: {"status": "4"}),
            private("GET", "/capital/config/getall", self.currencies, weight=10),
            private("POST", "/userDataStream", self.create_key),
            private("GET", "/userDataStream", self.list_keys),
            private("PUT", "/userDataStream", self.keep_key),
            private("DELETE", "/userDataStream", self.end_key),
        ]

    def account(self, call: RestCall) -> Json:
        return encoding.account(self._venue.engine.accounts[call.signed_in.name], call.signed_in)

    def trade_fee(self, call: RestCall) -> Json:
        self._venue.symbol(text_of(call.fields, "symbol"))
        fees = {
            "makerCommission": float(plain(call.signed_in.maker_fee)),
            "takerCommission": float(plain(call.signed_in.taker_fee)),
        }
        return {"data": fees, "code": 0, "msg": "success", "timestamp": self._venue.now()}

    def self_symbols(self, call: RestCall) -> Json:
        return {"code": 200, "data": list(self._venue.symbols), "msg": None}

    def mx_deduct(self, call: RestCall) -> Json:
        return {"data": {"mxDeductEnable": False}, "code": 0, "msg": "success", "timestamp": self._venue.now()}

    def currencies(self, call: RestCall) -> list[Json]:
        assets: dict[str, None] = {}
        for symbol in self._venue.engine.instruments:
            assets[symbol.base] = None
            assets[symbol.quote] = None
        return [encoding.currency(asset) for asset in assets]

    def create_key(self, call: RestCall) -> Json:
        return {"listenKey": self._keys.create(call.signed_in)}

    def list_keys(self, call: RestCall) -> Json:
        return {"listenKey": self._keys.of(call.signed_in)}

    def keep_key(self, call: RestCall) -> Json:
        key = self._key(call)
        self._keys.keep(call.signed_in, key)
        return {"listenKey": key}

    def end_key(self, call: RestCall) -> Json:
        key = self._key(call)
        self._keys.end(call.signed_in, key)
        return {"listenKey": key}

    @staticmethod
    def _key(call: RestCall) -> str:
        key = text_of(call.fields, "listenKey")
        if key is None:
            raise mandatory("listenKey")
        return key
