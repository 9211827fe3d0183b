"""OKX's spot markets: what of the protocol is theirs alone."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from msgspec.structs import replace

from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from simulated.control import VenueClock
from simulated.engine.events import BalanceReason
from simulated.engine.order import Order, OrderKind, TimeInForce
from simulated.numbers import plain
from simulated.okx import encoding
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError, parameter_error
from simulated.okx.fields import Fields, number_of, side_of
from simulated.okx.venue import OkxVenue, limit_terms
from simulated.settings import AccountSettings, SimulationSettings
from simulated.venue import text_of

_FIRST_INSTRUMENT_CODE = 10_451


class OkxSpotVenue(OkxVenue):
    """Assets are exchanged; sizes are base units; the account is in spot mode, without margin and positions."""

    instrument_type = "SPOT"
    balance_events: ClassVar[Mapping[BalanceReason, str]] = {
        BalanceReason.ORDER_MATCHED: "filled",
        BalanceReason.ORDER_CHANGED: "transferred",
        BalanceReason.DEPOSITED: "transferred",
        BalanceReason.WITHDRAWN: "transferred",
    }

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        super().__init__(settings, clock, exchange="okx_spot", first_instrument_code=_FIRST_INSTRUMENT_CODE)

    def rules(self, described: Instrument) -> Instrument:
        """OKX states no least value of an order, only a least quantity."""
        return replace(described, notional_min=Decimal(0))

    def wire(self, symbol: Symbol) -> str:
        return f"{symbol.base}-{symbol.quote}"

    def instrument(self, symbol: Symbol) -> Json:
        rules = self.engine.instruments[symbol]
        return {
            **encoding.instrument(self.listings[symbol], rules),
            "instFamily": "",
            "uly": "",
            "baseCcy": symbol.base,
            "quoteCcy": symbol.quote,
            "settleCcy": "",
            "ctVal": "",
            "ctMult": "",
            "ctValCcy": "",
            "ctType": "",
            "maxLmtSz": "9999999999" if rules.quantity_max is None else plain(rules.quantity_max),
            "maxMktSz": "1000000",
            "maxLmtAmt": "20000000",
            "maxMktAmt": "1000000",
            "lever": "",
            "listTime": "1548133413000",
            "tradeQuoteCcyList": [symbol.quote],
        }

    # -- orders -----------------------------------------------------------------------------------------------------

    def check_trade_mode(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> None:
        if text_of(fields, "tdMode") != "cash":
            raise OkxError("51010", "You can't complete this request under your current account mode.")

    def terms(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> dict[str, Any]:
        """A market order states its size in either asset: a buy what it spends, unless it says otherwise."""
        if text_of(fields, "ordType") != "market":
            return limit_terms(self.listings[symbol], fields)
        size = number_of(fields, "sz")
        target = text_of(fields, "tgtCcy") or ("quote_ccy" if side_of(fields) is Side.BUY else "base_ccy")
        if target not in ("base_ccy", "quote_ccy") or (target == "quote_ccy" and side_of(fields) is Side.SELL):
            raise parameter_error("tgtCcy")
        amount = "quote_quantity" if target == "quote_ccy" else "quantity"
        return {"kind": OrderKind.MARKET, "time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL, amount: size}

    def order_details(self, order: Order) -> Json:
        target = "" if order.kind is OrderKind.LIMIT else "base_ccy" if order.quote_quantity is None else "quote_ccy"
        return {"tdMode": "cash", "tgtCcy": target, "ccy": "", "pnl": "0", "lever": "", "reduceOnly": "false"}

    # -- accounts ---------------------------------------------------------------------------------------------------

    def balance(self, account: str, asset: str, *, available: Decimal, locked: Decimal, at_milliseconds: int) -> Json:
        total = plain(available + locked)
        return {
            "ccy": asset,
            "cashBal": total,
            "availBal": plain(available),
            "frozenBal": plain(locked),
            "ordFrozen": plain(locked),
            "eq": total,
            "disEq": "",
            "eqUsd": "",
            "liab": "",
            "upl": "",
            "uTime": str(at_milliseconds),
        }

    def account(self, account: str, details: list[Json], at_milliseconds: int) -> Json:
        return {"uTime": str(at_milliseconds), "totalEq": "", "adjEq": "", "isoEq": "", "ordFroz": "", "details": details}

    def config(self, account: AccountSettings) -> Json:
        """A spot account: no margin, no positions."""
        permissions = "read_only" if account.permissions == "read" else "read_only,trade"
        return {"uid": str(account.user_id), "mainUid": str(account.user_id), "acctLv": "1", "posMode": "net_mode", "perm": permissions}

    def trade_fee(self, account: AccountSettings) -> Json:
        maker, taker = plain(-account.maker_fee), plain(-account.taker_fee)
        rates = {"maker": maker, "taker": taker, "makerU": "", "takerU": "", "makerUSDC": maker, "takerUSDC": taker}
        return {"category": "1", "instType": "SPOT", "level": "Lv1", **rates, "ts": str(self.now())}
