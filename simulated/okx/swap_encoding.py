"""The objects of OKX's swaps: instruments, positions, margins, funding. Every number is text."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.events import Liquidated
from simulated.engine.order import ZERO
from simulated.engine.position import Position
from simulated.numbers import average, plain
from simulated.okx.encoding import Json
from simulated.okx.listing import Listing

_FUNDING_RATE_BOUND = "0.00375"
_NO_ORDER_SIZE_MAX = "100000000"


def margin_mode(is_cross: bool) -> str:
    return "cross" if is_cross else "isolated"


def family(symbol: Symbol) -> str:
    return f"{symbol.base}-{symbol.quote}"


def instrument(listing: Listing, rules: Instrument) -> Json:
    """What only a contract states. One contract is `ctVal` times `ctMult` of `ctValCcy`."""
    size_max = _NO_ORDER_SIZE_MAX if rules.quantity_max is None else listing.size(rules.quantity_max)
    return {
        "alias": "",
        "instFamily": family(rules.symbol),
        "uly": family(rules.symbol),
        "baseCcy": "",
        "quoteCcy": "",
        "settleCcy": rules.symbol.quote,
        "ctVal": plain(listing.unit),
        "ctMult": "1",
        "ctValCcy": rules.symbol.base,
        "ctType": "linear",
        "maxLmtSz": size_max,
        "maxMktSz": size_max,
        "maxLmtAmt": "20000000",
        "maxMktAmt": "",
        "lever": "" if rules.leverage_max is None else plain(rules.leverage_max),
        "listTime": "1573557408000",
        "expTime": "",
        "groupId": "2",  # perpetual futures margined in USDT
        "ruleType": "normal",
        "tradeQuoteCcyList": [],
        "upcChg": [],
    }


class Valuation(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange knows about a position beside its record."""

    position_id: int
    mark_price: Decimal
    index_price: Decimal
    last_price: Decimal
    unrealised_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    margin_ratio: str
    liquidation_price: Decimal | None


def position(listing: Listing, one: Position, value: Valuation) -> Json:
    """A position in net mode: `pos` is in contracts, below zero when short. An empty one has no prices."""
    notional = abs(one.quantity) * value.mark_price
    at_last = one.quantity * value.last_price - one.cost
    is_open = one.is_open
    profit = one.realised_pnl - one.fees + one.funding
    return {
        **position_change(listing, one, value.position_id),
        "posCcy": "",
        "availPos": "",  # told of margin and options alone
        "upl": plain(value.unrealised_pnl) if is_open else "",
        "uplRatio": ratio(value.unrealised_pnl, value.initial_margin) if is_open else "",
        "uplLastPx": plain(at_last) if is_open else "",
        "uplRatioLastPx": ratio(at_last, value.initial_margin) if is_open else "",
        "lever": plain(one.leverage),
        "liqPx": "" if value.liquidation_price is None else plain(value.liquidation_price),
        "markPx": plain(value.mark_price),
        "imr": plain(value.initial_margin) if one.is_cross and is_open else "",
        "margin": plain(one.margin) if not one.is_cross else "",
        "mgnRatio": value.margin_ratio if is_open else "",
        "mmr": plain(value.maintenance_margin) if is_open else "",
        "liab": "",
        "liabCcy": "",
        "interest": "",
        "optVal": "",
        "pendingCloseOrdLiabVal": "",
        "notionalUsd": plain(notional) if is_open else "",
        "adl": "1" if is_open else "",
        "last": plain(value.last_price),
        "idxPx": plain(value.index_price),
        "usdPx": "1",
        "bePx": plain(average(one.cost - profit, one.quantity)) if is_open else "",
        "realizedPnl": plain(profit),
        "pnl": plain(one.realised_pnl),
        "fee": plain(-one.fees),
        "fundingFee": plain(one.funding),
        "liqPenalty": "0",
        "settledPnl": "",
        "closeOrderAlgo": [],
        "cTime": str(one.opened_at_milliseconds),
    }


def position_change(listing: Listing, one: Position, position_id: int) -> Json:
    """As `balance_and_position` tells of it."""
    return {
        "posId": str(position_id),
        "tradeId": str(one.last_trade_id) if one.last_trade_id else "",
        "instId": listing.name,
        "instType": listing.type,
        "mgnMode": margin_mode(one.is_cross),
        "posSide": "net",
        "pos": listing.size(one.quantity),
        "ccy": one.symbol.quote,
        "posCcy": "",
        "avgPx": "" if one.entry_price is None else plain(one.entry_price),
        "nonSettleAvgPx": "",
        "settledPnl": "",
        "uTime": str(one.updated_at_milliseconds),
    }


class MarginSums(msgspec.Struct, frozen=True, kw_only=True):
    """An account's figures in one settlement asset. `wallet` is without unrealised profit."""

    wallet: Decimal
    available: Decimal
    cross_unrealised: Decimal
    cross_margin: Decimal
    cross_maintenance: Decimal
    isolated_unrealised: Decimal
    isolated_margin: Decimal
    order_margin: Decimal
    has_cross: bool

    @property
    def cash(self) -> Decimal:
        """The margin of an isolated position has left the cash balance; that of a cross one has not."""
        return self.wallet - self.isolated_margin

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.cross_unrealised + self.isolated_unrealised

    @property
    def margin_ratio(self) -> str:
        """Below 1, cross positions are due."""
        return ratio(self.cash + self.cross_unrealised, self.cross_maintenance) if self.has_cross else ""


def balance(asset: str, sums: MarginSums, at_milliseconds: int) -> Json:
    """One currency of an account in futures mode.

    cashBal is without the margin of isolated positions; eq = cashBal + isoEq + unrealised profit of cross positions;
    frozenBal = eq - availEq. (As measured on accounts in demo trading; see also the sample of "Get balance".)
    """
    available = max(ZERO, sums.available)
    return {
        "ccy": asset,
        "cashBal": plain(sums.cash),
        "eq": plain(sums.equity),
        "eqUsd": plain(sums.equity),
        "disEq": plain(sums.equity),
        "availEq": plain(available),
        "availBal": plain(available),
        "frozenBal": plain(max(ZERO, sums.equity - available)),
        "ordFrozen": plain(sums.order_margin),
        "isoEq": plain(sums.isolated_margin + sums.isolated_unrealised),
        "isoUpl": plain(sums.isolated_unrealised),
        "upl": plain(sums.cross_unrealised + sums.isolated_unrealised),
        "imr": plain(sums.cross_margin) if sums.has_cross else "",
        "mmr": plain(sums.cross_maintenance) if sums.has_cross else "",
        "mgnRatio": sums.margin_ratio,
        "liab": "",
        "crossLiab": "",
        "interest": "",
        "uTime": str(at_milliseconds),
    }


def mark_price(listing: Listing, price: Decimal, at_milliseconds: int) -> Json:
    return {"instType": listing.type, "instId": listing.name, "markPx": plain(price), "ts": str(at_milliseconds)}


def funding_rate(listing: Listing, *, rate: Decimal, settled: Decimal | None, due: int, interval: int, at_milliseconds: int) -> Json:
    """The rate that is due next. Times are in milliseconds; `settled` is the one before, if there has been one."""
    return {
        "formulaType": "noRate",
        "fundingRate": plain(rate),
        "fundingTime": str(due),
        "impactValue": "",
        "instId": listing.name,
        "instType": listing.type,
        "interestRate": "",
        "maxFundingRate": _FUNDING_RATE_BOUND,
        "method": "current_period",
        "minFundingRate": f"-{_FUNDING_RATE_BOUND}",
        "nextFundingRate": "",
        "nextFundingTime": str(due + interval),
        "premium": "",
        "settFundingRate": "" if settled is None else plain(settled),
        "settState": "settled",
        "ts": str(at_milliseconds),
    }


def past_funding_rate(listing: Listing, rate: Decimal, at_milliseconds: int) -> Json:
    return {
        "formulaType": "noRate",
        "fundingRate": plain(rate),
        "fundingTime": str(at_milliseconds),
        "instId": listing.name,
        "instType": listing.type,
        "method": "current_period",
        "realizedRate": plain(rate),
    }


def liquidation(listing: Listing, event: Liquidated) -> Json:
    """A position that the exchange has taken over, without saying whose."""
    details = {
        "bkLoss": "0",
        "bkPx": plain(event.price),
        "ccy": "",
        "posSide": "net",
        "side": event.side.value,
        "sz": listing.size(event.quantity),
        "ts": str(event.at_milliseconds),
    }
    name = family(event.symbol)
    return {"details": [details], "instFamily": name, "instId": listing.name, "instType": listing.type, "uly": name}


def ratio(amount: Decimal, base: Decimal) -> str:
    return plain(average(amount, base))
