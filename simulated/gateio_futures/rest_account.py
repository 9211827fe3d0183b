"""Private REST endpoints: an account's wallet, positions, leverage and modes."""

from __future__ import annotations

from decimal import Decimal

from market.symbol import Symbol
from simulated.engine.order import OrderRefused, Refusal
from simulated.engine.position import Position
from simulated.faults import Operation
from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import Json, optional_number, seconds_bound
from simulated.gateio.rest_call import Endpoint, RestCall, private_endpoint
from simulated.gateio_futures import account_encoding
from simulated.gateio_futures.account_book import KINDS
from simulated.gateio_futures.errors import gate_error_of, invalid_parameter
from simulated.gateio_futures.rest_private import windowed
from simulated.gateio_futures.rest_public import FUTURES_PREFIX, style_of
from simulated.gateio_futures.venue import GateFuturesVenue
from simulated.venue import text_of

_POSITION_MODES = {"single": False, "dual": True}


class FuturesAccountRest:
    """Answers for signed-in accounts. Commands about positions are told by the query; their body is empty."""

    def __init__(self, venue: GateFuturesVenue) -> None:
        self._venue = venue

    def endpoints(self) -> list[Endpoint]:
        position = f"{FUTURES_PREFIX}/positions/{{contract}}"
        return [
            private_endpoint("GET", f"{FUTURES_PREFIX}/accounts", self.accounts),
            private_endpoint("GET", f"{FUTURES_PREFIX}/account_book", self.account_book),
            private_endpoint("GET", f"{FUTURES_PREFIX}/fee", self.fee),
            private_endpoint("GET", f"{FUTURES_PREFIX}/positions", self.positions),
            private_endpoint("GET", position, self.position),
            private_endpoint("POST", f"{position}/leverage", self.leverage, Operation.AMEND),
            private_endpoint("POST", f"{position}/set_leverage", self.set_leverage, Operation.AMEND),
            private_endpoint("POST", f"{FUTURES_PREFIX}/positions/cross_mode", self.cross_mode, Operation.AMEND),
            private_endpoint("POST", f"{FUTURES_PREFIX}/set_position_mode", self.set_position_mode, Operation.AMEND),
            private_endpoint("POST", f"{FUTURES_PREFIX}/dual_mode", self.dual_mode, Operation.AMEND),
        ]

    def accounts(self, call: RestCall) -> Json:
        return account_encoding.account(self._venue, call.signed_in)

    def account_book(self, call: RestCall) -> list[Json]:
        kind, contract = text_of(call.query, "type"), text_of(call.query, "contract")
        if kind is not None and kind not in KINDS.values():
            raise invalid_parameter("type", kind)
        symbol = None if contract is None else self._venue.symbol(contract)
        since, until = seconds_bound(call.query, "from", 0), seconds_bound(call.query, "to", self._venue.now() // 1000 + 1)
        found = [
            account_encoding.book_entry(entry)
            for entry in self._venue.account_book.entries(call.signed_in.name)
            if kind in (None, entry.kind) and symbol in (None, entry.symbol) and since <= entry.at_milliseconds // 1000 <= until
        ]
        return windowed(call, found)

    def fee(self, call: RestCall) -> dict[str, Json]:
        contract = text_of(call.query, "contract")
        contracts = list(self._venue.symbols) if contract is None else [self._venue.wire(self._venue.symbol(contract))]
        return {name: account_encoding.fee(call.signed_in) for name in contracts}

    def positions(self, call: RestCall) -> list[Json]:
        """Those that are not empty (`holding`), or of every contract that the account has ever had to do with."""
        known = self._venue.engine.accounts[call.signed_in.name].positions.values()
        holding = text_of(call.query, "holding") == "true"
        return windowed(call, [self._encode(call, position) for position in known if position.is_open or not holding])

    def position(self, call: RestCall) -> Json:
        symbol = self._venue.symbol(call.path["contract"])
        return self._encode(call, self._venue.engine.position(call.signed_in.name, symbol))

    def leverage(self, call: RestCall) -> Json:
        """Leverage 0 means cross; `cross_leverage_limit` then tells how much, 0 or nothing the most that there is."""
        leverage = optional_number(call.query, "leverage")
        if leverage is None:
            raise GateError("MISSING_REQUIRED_PARAM", "leverage is required")
        if leverage:
            return self._set(call, leverage, is_cross=False)
        limit = optional_number(call.query, "cross_leverage_limit")
        symbol = self._venue.symbol(call.path["contract"])
        return self._set(call, limit or self._venue.terms(symbol).leverage_max, is_cross=True)

    def set_leverage(self, call: RestCall) -> Json:
        leverage, mode = optional_number(call.query, "leverage"), text_of(call.query, "margin_mode")
        if not leverage:
            raise GateError("MISSING_REQUIRED_PARAM", "leverage is required")
        if mode not in ("cross", "isolated"):
            raise invalid_parameter("margin_mode", mode or "")
        return self._set(call, leverage, is_cross=mode == "cross")

    def cross_mode(self, call: RestCall) -> Json:
        """The one command about positions that is told by the body."""
        fields = call.fields()
        mode = text_of(fields, "mode")
        if mode not in ("CROSS", "ISOLATED"):
            raise invalid_parameter("mode", mode or "")
        call.path["contract"] = text_of(fields, "contract") or ""
        position = self._venue.engine.position(call.signed_in.name, self._venue.symbol(call.path["contract"]))
        return self._set(call, position.leverage, is_cross=mode == "CROSS")

    def set_position_mode(self, call: RestCall) -> Json:
        mode = text_of(call.query, "position_mode")
        if mode not in _POSITION_MODES:
            raise invalid_parameter("position_mode", mode or "")
        return self._set_dual(call, _POSITION_MODES[mode])

    def dual_mode(self, call: RestCall) -> Json:
        mode = text_of(call.query, "dual_mode")
        if mode not in ("true", "false"):
            raise invalid_parameter("dual_mode", mode or "")
        return self._set_dual(call, mode == "true")

    def _set_dual(self, call: RestCall, is_dual: bool) -> Json:
        name = call.signed_in.name
        if is_dual is (name in self._venue.dual_accounts):
            raise GateError("NO_CHANGE", "No change is made")
        self._refuse_if_busy(name)
        (self._venue.dual_accounts.add if is_dual else self._venue.dual_accounts.discard)(name)
        return account_encoding.account(self._venue, call.signed_in)

    def _refuse_if_busy(self, account: str, symbol: Symbol | None = None) -> None:
        if any(symbol in (None, position.symbol) for position in self._venue.engine.open_positions(account)):
            raise GateError("POSITION_HOLDING", "Operation forbidden with holding position")
        if any(symbol in (None, order.symbol) for order in self._venue.engine.accounts[account].open_orders.values()):
            raise GateError("ORDER_PENDING", "Operation forbidden with pending orders")

    def _set(self, call: RestCall, leverage: Decimal, *, is_cross: bool) -> Json:
        account, symbol = call.signed_in.name, self._venue.symbol(call.path["contract"])
        if account in self._venue.dual_accounts:
            raise GateError("POSITION_DUAL_MODE", "Operation forbidden in dual-mode")
        engine = self._venue.engine
        try:
            position = engine.set_leverage(account, symbol, leverage, is_cross=is_cross, now_milliseconds=self._venue.now())
        except OrderRefused as refused:
            if refused.refusal is Refusal.POSITION_IN_THE_WAY:
                self._refuse_if_busy(account, symbol)
            raise gate_error_of(refused) from refused
        return self._encode(call, position)

    def _encode(self, call: RestCall, position: Position) -> Json:
        return account_encoding.position(self._venue, position, style_of(call))
