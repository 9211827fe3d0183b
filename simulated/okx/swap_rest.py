"""REST endpoints that only swaps have: mark prices and funding, positions, leverage, bills."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from market.events import Side
from market.symbol import Symbol
from simulated.engine.order import NewOrder, OrderKind, OrderRefused, TimeInForce
from simulated.faults import Operation
from simulated.okx import swap_encoding
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError, okx_error_of, parameter_error
from simulated.okx.fields import Fields, client_id_of, flag_of, number_of, tag_of, whole_number
from simulated.okx.funding import Funding
from simulated.okx.rate_limits import ACCOUNT, BILLS, CLOSE_POSITION, LEVERAGE, PUBLIC_CONTRACTS, SETTINGS
from simulated.okx.rest_call import Endpoint, RestCall
from simulated.okx.swap import MARGIN_MODES, POSITION_MODES, OkxSwapVenue
from simulated.rate_limits import LimitGroup
from simulated.venue import text_of

_FUNDING_RATES_MAX = 400


class SwapRest:
    """Answers about contracts, to everybody and to signed-in accounts."""

    def __init__(self, venue: OkxSwapVenue, funding: Funding) -> None:
        self._venue = venue
        self._funding = funding

    def endpoints(self) -> list[Endpoint]:
        def public(path: str, handler: Callable[[RestCall], Any]) -> Endpoint:
            return Endpoint(method="GET", path=path, handler=handler, operation=Operation.MARKET_DATA, group=PUBLIC_CONTRACTS)

        def private(method: str, path: str, handler: Callable[[RestCall], Any], group: LimitGroup, operation: Operation) -> Endpoint:
            return Endpoint(method=method, path=path, handler=handler, operation=operation, group=group, is_private=True)

        return [
            public("/public/mark-price", self.mark_prices),
            public("/public/funding-rate", self.funding_rates),
            public("/public/funding-rate-history", self.funding_rate_history),
            private("GET", "/account/positions", self.positions, ACCOUNT, Operation.QUERY),
            private("GET", "/account/leverage-info", self.leverage, LEVERAGE, Operation.QUERY),
            private("POST", "/account/set-leverage", self.set_leverage, LEVERAGE, Operation.AMEND),
            private("POST", "/account/set-position-mode", self.set_position_mode, SETTINGS, Operation.AMEND),
            private("GET", "/account/bills", self.bills, BILLS, Operation.QUERY),
            private("GET", "/account/bills-archive", self.bills, BILLS, Operation.QUERY),
            private("POST", "/trade/close-position", self.close_position, CLOSE_POSITION, Operation.PLACE),
        ]

    # -- public -----------------------------------------------------------------------------------------------------

    def mark_prices(self, call: RestCall) -> list[Json]:
        kind, asked, family = (text_of(call.query, name) for name in ("instType", "instId", "instFamily"))
        if kind is None and asked is None:  # documented as required, but clients that name an instrument are known to do without
            raise parameter_error("instType")
        if kind not in (None, self._venue.instrument_type):
            return []
        symbols = [*self._venue.listings] if asked is None else [self._venue.symbol(asked)]
        return [
            swap_encoding.mark_price(self._venue.listings[symbol], self._venue.engine.mark_price(symbol), self._venue.now())
            for symbol in symbols
            if family in (None, swap_encoding.family(symbol))
        ]

    def funding_rates(self, call: RestCall) -> list[Json]:
        asked = text_of(call.query, "instId")
        return [self._funding.rate(symbol) for symbol in (self._venue.listings if asked == "ANY" else [self._venue.symbol(asked)])]

    def funding_rate_history(self, call: RestCall) -> list[Json]:
        query = call.query
        return self._funding.history(
            self._venue.symbol(text_of(query, "instId")),
            after=whole_number(query, "after", 1 << 60),
            before=whole_number(query, "before", -1),
            limit=min(_FUNDING_RATES_MAX, whole_number(query, "limit", _FUNDING_RATES_MAX)),
        )

    # -- private ----------------------------------------------------------------------------------------------------

    def positions(self, call: RestCall) -> list[Json]:
        """Open positions; those that have ended are told of only by name."""
        account, query = call.signed_in.name, call.query
        if text_of(query, "instType") not in (None, self._venue.instrument_type):
            return []
        names, ids = text_of(query, "instId"), text_of(query, "posId")
        symbols = None if names is None else [self._venue.symbol(name) for name in names.split(",")]
        if symbols is not None:
            symbols = [symbol for symbol in symbols if self._venue.engine.position(account, symbol).version]
        return [one for one in self._venue.encode_positions(account, symbols) if ids is None or one["posId"] in ids.split(",")]

    def leverage(self, call: RestCall) -> list[Json]:
        mode = _margin_mode(call.query)
        names = text_of(call.query, "instId")
        if names is None:
            raise OkxError("50014", "Parameter instId can not be empty.")
        account = call.signed_in.name
        return [
            self._leverage(symbol, mode, self._venue.leverage(account, symbol, is_cross=mode == "cross"))
            for symbol in (self._venue.symbol(name) for name in names.split(","))
        ]

    def set_leverage(self, call: RestCall) -> list[Json]:
        fields, account = call.fields(), call.signed_in
        mode, lever = _margin_mode(fields), number_of(fields, "lever")
        symbol = self._venue.symbol(text_of(fields, "instId"))
        self._venue.choose_leverage(account.name, symbol, lever, is_cross=mode == "cross")
        told = self._leverage(symbol, mode, lever)
        return [{name: told[name] for name in ("lever", "mgnMode", "instId")} | {"posSide": text_of(fields, "posSide") or ""}]

    def _leverage(self, symbol: Symbol, mode: str, leverage: Any) -> Json:
        return {"ccy": "", "instId": self._venue.wire(symbol), "mgnMode": mode, "posSide": "net", "lever": f"{leverage.normalize():f}"}

    def set_position_mode(self, call: RestCall) -> list[Json]:
        """Not while there is anything that it would change the meaning of."""
        account, mode = call.signed_in.name, text_of(call.fields(), "posMode")
        if mode not in POSITION_MODES:
            raise parameter_error("posMode")
        engine = self._venue.engine
        if mode != self._venue.position_modes[account]:
            if engine.open_positions(account) or engine.accounts[account].open_orders:
                raise OkxError("59000", "Settings failed. Close any open positions or orders before modifying settings.")
            self._venue.position_modes[account] = mode
        return [{"posMode": mode}]

    def bills(self, call: RestCall) -> list[Json]:
        return self._venue.bills.listed(call.signed_in.name, call.query)

    def close_position(self, call: RestCall) -> list[Json]:
        """At market, the whole of it. Orders that would close it stand in the way, unless they are to be cancelled."""
        fields, account = call.fields(), call.signed_in
        instrument = text_of(fields, "instId")
        symbol, mode = self._venue.symbol(instrument), _margin_mode(fields)
        self._venue.check_position_side(account, fields)
        engine, now = self._venue.engine, self._venue.now()
        position = engine.position(account.name, symbol)
        if position.side is None or swap_encoding.margin_mode(position.is_cross) != mode:
            raise OkxError("51023", "Position doesn't exist.")
        side = position.side.opposite
        closing = [
            order
            for order in engine.accounts[account.name].open_orders.values()
            if order.symbol == symbol and order.side is side and order.reduce_only
        ]
        if closing and not flag_of(fields, "autoCxl"):
            raise OkxError("51115", "Cancel all pending close-orders before liquidation.")
        client_id, tag = client_id_of(fields), tag_of(fields)
        for order in closing:
            engine.cancel(order.id, now)
        self._place(account.name, symbol, side, client_id, tag)
        return [{"instId": instrument, "posSide": text_of(fields, "posSide") or "", "clOrdId": client_id, "tag": tag}]

    def _place(self, account: str, symbol: Symbol, side: Side, client_id: str, tag: str) -> None:
        engine = self._venue.engine
        new = NewOrder(
            account=account,
            symbol=symbol,
            side=side,
            kind=OrderKind.MARKET,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=engine.position(account, symbol).reducible(side),
            client_id=client_id,
            tag=tag,
            reduce_only=True,
        )
        try:
            engine.place(new, self._venue.now())
        except OrderRefused as refused:
            raise okx_error_of(refused, self._venue.wire(symbol)) from refused


def _margin_mode(fields: Fields) -> str:
    """Raises: OkxError: it is missing or none."""
    mode = text_of(fields, "mgnMode")
    if mode is None:
        raise OkxError("50014", "Parameter mgnMode can not be empty.")
    if mode not in MARGIN_MODES:
        raise parameter_error("mgnMode")
    return mode
