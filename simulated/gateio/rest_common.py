"""Endpoints that every host of Gate.io's serves, whatever is traded there: time, currencies, what an account is."""

from __future__ import annotations

from simulated.gateio.errors import GateError
from simulated.gateio.order_fields import Json
from simulated.gateio.rest_call import Endpoint, RestCall, private_endpoint, public_endpoint
from simulated.venue import Venue


class CommonRest:
    """Answers about the exchange as a whole."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def endpoints(self) -> list[Endpoint]:
        return [
            public_endpoint("/spot/time", self.time),
            public_endpoint("/spot/currencies", self.currencies),
            public_endpoint("/spot/currencies/{currency}", self.currency),
            private_endpoint("GET", "/account/detail", self.account_detail),
        ]

    def time(self, call: RestCall) -> Json:
        return {"server_time": self._venue.now()}

    def currencies(self, call: RestCall) -> list[Json]:
        assets: dict[str, None] = {}
        for symbol in self._venue.engine.instruments:
            assets[symbol.base] = None
            assets[symbol.quote] = None
        return [_currency(asset) for asset in assets]

    def currency(self, call: RestCall) -> Json:
        for currency in self.currencies(call):
            if currency["currency"] == call.path["currency"]:
                return currency
        raise GateError("INVALID_CURRENCY", f"Invalid currency {call.path['currency']}")

    def account_detail(self, call: RestCall) -> Json:
        """Mode 1 is a classic account: no unified margin."""
        account = call.signed_in
        return {
            "user_id": account.user_id,
            "ip_whitelist": [],
            "currency_pairs": [],
            "tier": 0,
            "key": {"mode": 1},
            "copy_trading_role": 0,
        }


def _currency(asset: str) -> Json:
    return {
        "currency": asset,
        "name": asset,
        "delisted": False,
        "withdraw_disabled": False,
        "withdraw_delayed": False,
        "deposit_disabled": False,
        "trade_disabled": False,
        "chain": asset,
        "chains": [],
    }
