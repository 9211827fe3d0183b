"""OKX's objects, written from the exchange's documentation. Every number is text."""

from __future__ import annotations

import zlib
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from simulated.engine.account import Account, Balance
from simulated.engine.book import BookSide
from simulated.engine.order import FinishReason, Order, OrderKind, TimeInForce, Trade, TradeParty
from simulated.numbers import average, plain
from simulated.settings import AccountSettings
from simulated.tape import Candle, PublicTrade, Tape

Json = dict[str, Any]
Level = list[str]

ORDER_TYPES = {
    TimeInForce.GOOD_TILL_CANCELLED: "limit",
    TimeInForce.IMMEDIATE_OR_CANCEL: "ioc",
    TimeInForce.POST_ONLY: "post_only",
    TimeInForce.FILL_OR_KILL: "fok",
}
_CANCEL_SOURCE = {
    FinishReason.FILLED: "",
    FinishReason.CANCELLED: "1",
    FinishReason.IMMEDIATE_OR_CANCEL: "14",
    FinishReason.FILL_OR_KILL: "13",
    FinishReason.POST_ONLY: "31",
    FinishReason.SELF_TRADE: "32",
    FinishReason.EXPIRED: "0",
}
BARS = {  # OKX's name of a candle's length: ours
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1H": "1h", "2H": "2h", "4H": "4h", "6H": "6h", "12H": "12h",
    "1D": "1d", "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d",
}  # fmt: skip
_FIRST_INSTRUMENT_CODE = 10_451


def wire(symbol: Symbol) -> str:
    return f"{symbol.base}-{symbol.quote}"


def instrument(rules: Instrument, index: int) -> Json:
    symbol = rules.symbol
    return {
        "instType": "SPOT",
        "instId": wire(symbol),
        "instIdCode": _FIRST_INSTRUMENT_CODE + index,
        "instFamily": "",
        "uly": "",
        "baseCcy": symbol.base,
        "quoteCcy": symbol.quote,
        "settleCcy": "",
        "ctVal": "",
        "ctMult": "",
        "ctValCcy": "",
        "ctType": "",
        "tickSz": plain(rules.price_tick),
        "lotSz": plain(rules.quantity_step),
        "minSz": plain(rules.quantity_min),
        "maxLmtSz": "9999999999" if rules.quantity_max is None else plain(rules.quantity_max),
        "maxMktSz": "1000000",
        "maxLmtAmt": "20000000",
        "maxMktAmt": "1000000",
        "lever": "",
        "listTime": "1548133413000",
        "tradeQuoteCcyList": [symbol.quote],
        "state": "live" if rules.status is TradingStatus.TRADABLE else "suspend",
    }


def code_index(code: object) -> int | None:
    """Which instrument an `instIdCode` means."""
    return code - _FIRST_INSTRUMENT_CODE if isinstance(code, int) and not isinstance(code, bool) else None


def levels(side: BookSide, depth: int) -> list[Level]:
    """Price, quantity, an always absent figure, and the number of orders."""
    return [[plain(price), plain(quantity), "0", str(len(side.orders_at(price)))] for price, quantity in side.levels(depth)]


def checksum(bids: list[Level], asks: list[Level]) -> int:
    """Over the best 25 levels of each side by turns, as a signed number."""
    parts = [":".join(level[:2]) for pair in zip_longest(bids[:25], asks[:25]) for level in pair if level is not None]
    value = zlib.crc32(":".join(parts).encode())
    return value - (1 << 32) if value & (1 << 31) else value


def ticker(symbol: Symbol, tape: Tape, bids: BookSide, asks: BookSide, now: int) -> Json:
    day = tape.day(now)
    bid, ask = levels(bids, 1), levels(asks, 1)
    last = plain(day.last) if day else (bid[0][0] if bid else "")
    return {
        "instType": "SPOT",
        "instId": wire(symbol),
        "last": last,
        "lastSz": plain(tape.trades[-1].quantity) if tape.trades else "",
        "askPx": ask[0][0] if ask else "",
        "askSz": ask[0][1] if ask else "",
        "bidPx": bid[0][0] if bid else "",
        "bidSz": bid[0][1] if bid else "",
        "open24h": plain(day.first) if day else last,
        "high24h": plain(day.high) if day else last,
        "low24h": plain(day.low) if day else last,
        "volCcy24h": plain(day.quote_volume) if day else "0",
        "vol24h": plain(day.base_volume) if day else "0",
        "sodUtc0": plain(day.first) if day else last,
        "sodUtc8": plain(day.first) if day else last,
        "ts": str(now),
    }


def public_trade(symbol: Symbol, trade: PublicTrade) -> Json:
    return {
        "instId": wire(symbol),
        "tradeId": str(trade.id),
        "px": plain(trade.price),
        "sz": plain(trade.quantity),
        "side": trade.side.value,
        "ts": str(trade.at_milliseconds),
    }


def candle(one: Candle, length_seconds: int, now_seconds: int) -> list[str]:
    prices = [plain(price) for price in (one.open, one.high, one.low, one.close)]
    volumes = [plain(volume) for volume in (one.base_volume, one.quote_volume, one.quote_volume)]
    return [str(one.start_seconds * 1000), *prices, *volumes, "1" if one.start_seconds + length_seconds <= now_seconds else "0"]


def order(one: Order) -> Json:
    """The order object of REST; the stream adds to it."""
    by_quote = one.quote_quantity is not None
    is_market = one.kind is OrderKind.MARKET
    return {
        "instType": "SPOT",
        "instId": wire(one.symbol),
        "ordId": str(one.id),
        "clOrdId": one.client_id,
        "tag": one.tag,
        "ordType": "market" if is_market else ORDER_TYPES[one.time_in_force],
        "side": one.side.value,
        "posSide": "net",
        "tdMode": "cash",
        "tgtCcy": ("quote_ccy" if by_quote else "base_ccy") if is_market else "",
        "ccy": "",
        "sz": plain(one.quote_quantity if one.quote_quantity is not None else one.quantity),
        "px": "" if is_market else plain(one.price),
        "state": _state(one),
        "accFillSz": plain(one.filled_quantity),
        "avgPx": plain(average(one.filled_notional, one.filled_quantity)) if one.filled_quantity else "",
        "fillPx": "",
        "fillSz": "0",
        "fillTime": "",
        "tradeId": "",
        "fee": plain(-one.fee),
        "feeCcy": one.fee_asset,
        "rebate": "0",
        "rebateCcy": one.locked_asset,
        "pnl": "0",
        "lever": "",
        "reduceOnly": "false",
        "cancelSource": "" if one.finish is None else _CANCEL_SOURCE[one.finish],
        "cancelSourceReason": "",
        "category": "normal",
        "stpMode": "cancel_maker",
        "source": "",
        "cTime": str(one.created_at_milliseconds),
        "uTime": str(one.updated_at_milliseconds),
    }


def _state(one: Order) -> str:
    if one.finish is None:
        return "partially_filled" if one.filled_quantity else "live"
    return "filled" if one.finish is FinishReason.FILLED else "canceled"


def fill_of(trade: Trade, party: TradeParty) -> Json:
    """The part of an order's push that tells of a fill."""
    return {
        "tradeId": str(trade.id),
        "fillPx": plain(trade.price),
        "fillSz": plain(trade.quantity),
        "fillTime": str(trade.at_milliseconds),
        "fillFee": plain(-party.fee),
        "fillFeeCcy": party.fee_asset,
        "execType": _role(trade, party),
    }


def my_trade(trade: Trade, party: TradeParty) -> Json:
    side = trade.taker_side if party is trade.taker else trade.taker_side.opposite
    return {
        "instType": "SPOT",
        "instId": wire(trade.symbol),
        "tradeId": str(trade.id),
        "ordId": str(party.order_id),
        "clOrdId": party.client_id,
        "billId": bill_id(trade, party),
        "tag": "",
        "side": side.value,
        "posSide": "net",
        "fillPx": plain(trade.price),
        "fillSz": plain(trade.quantity),
        "fee": plain(-party.fee),
        "feeCcy": party.fee_asset,
        "execType": _role(trade, party),
        "fillPnl": "0",
        "fillTime": str(trade.at_milliseconds),
        "ts": str(trade.at_milliseconds),
    }


def bill_id(trade: Trade, party: TradeParty) -> str:
    """Grows from trade to trade."""
    return str(680_800_019_000_000_000 + 2 * trade.id + (party is trade.maker))


def _role(trade: Trade, party: TradeParty) -> str:
    return "T" if party is trade.taker else "M"


def balance(asset: str, one: Balance, at_milliseconds: int) -> Json:
    return balance_of(asset, available=one.available, locked=one.locked, at_milliseconds=at_milliseconds)


def balance_of(asset: str, *, available: Decimal, locked: Decimal, at_milliseconds: int) -> Json:
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


def account(details: list[Json], at_milliseconds: int) -> Json:
    return {"uTime": str(at_milliseconds), "totalEq": "", "adjEq": "", "isoEq": "", "ordFroz": "", "details": details}


def balances(holder: Account, at_milliseconds: int) -> list[Json]:
    """Every currency of which there is any."""
    return [balance(asset, one, at_milliseconds) for asset, one in holder.balances.items() if one.total]


def trade_fee(settings: AccountSettings, now: int) -> Json:
    maker, taker = plain(-settings.maker_fee), plain(-settings.taker_fee)
    rates = {"maker": maker, "taker": taker, "makerU": "", "takerU": "", "makerUSDC": maker, "takerUSDC": taker}
    return {"category": "1", "instType": "SPOT", "level": "Lv1", **rates, "ts": str(now)}
