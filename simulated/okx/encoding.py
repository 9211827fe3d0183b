"""OKX's objects as all its markets have them, written from the exchange's documentation. Every number is text."""

from __future__ import annotations

import zlib
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from market.instrument import Instrument, TradingStatus
from simulated.engine.book import BookSide
from simulated.engine.order import FinishReason, Order, OrderKind, TimeInForce, Trade, TradeParty
from simulated.numbers import average, plain
from simulated.okx.listing import Listing
from simulated.snapshots import SidePicture
from simulated.tape import Candle, PublicTrade, Tape

Json = dict[str, Any]
Level = list[str]
CHECKSUM_LEVELS = 25

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
    FinishReason.REDUCE_ONLY: "2",
    FinishReason.LIQUIDATED: "3",
}
NO_FILL: Json = {"tradeId": "", "fillPx": "", "fillSz": "0", "fillTime": "", "fillFee": "0", "fillFeeCcy": "", "execType": ""}
BARS = {  # OKX's name of a candle's length: ours
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1H": "1h", "2H": "2h", "4H": "4h", "6H": "6h", "12H": "12h",
    "1D": "1d", "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d",
}  # fmt: skip


def instrument(listing: Listing, rules: Instrument) -> Json:
    """What the markets have in common; sizes, prices and state."""
    return {
        "instType": listing.type,
        "instId": listing.name,
        "instIdCode": listing.code,
        "tickSz": plain(rules.price_tick),
        "lotSz": listing.size(rules.quantity_step),
        "minSz": listing.size(rules.quantity_min),
        "state": "live" if rules.status is TradingStatus.TRADABLE else "suspend",
    }


def levels(listing: Listing, side: BookSide | SidePicture, depth: int) -> list[Level]:
    """Price, size, an always absent figure, and the number of orders."""
    return [[plain(price), listing.size(quantity), "0", str(len(side.orders_at(price)))] for price, quantity in side.levels(depth)]


def level(listing: Listing, side: BookSide, price: Decimal) -> Level | None:
    """One of them; None where nothing is offered."""
    orders = side.orders_at(price)
    return [plain(price), listing.size(side.quantity_at(price)), "0", str(len(orders))] if orders else None


def checksum(bids: list[Level], asks: list[Level]) -> int:
    """Over the best 25 levels of each side by turns, as a signed number."""
    parts = [
        ":".join(level[:2]) for pair in zip_longest(bids[:CHECKSUM_LEVELS], asks[:CHECKSUM_LEVELS]) for level in pair if level is not None
    ]
    value = zlib.crc32(":".join(parts).encode())
    return value - (1 << 32) if value & (1 << 31) else value


def ticker(listing: Listing, tape: Tape, bids: BookSide, asks: BookSide, now: int) -> Json:
    day = tape.day(now)
    bid, ask = levels(listing, bids, 1), levels(listing, asks, 1)
    last = plain(day.last) if day else (bid[0][0] if bid else "")
    size, currency = listing.volumes(day.base_volume, day.quote_volume) if day else ("0", "0")
    return {
        "instType": listing.type,
        "instId": listing.name,
        "last": last,
        "lastSz": listing.size(tape.trades[-1].quantity) if tape.trades else "",
        "askPx": ask[0][0] if ask else "",
        "askSz": ask[0][1] if ask else "",
        "bidPx": bid[0][0] if bid else "",
        "bidSz": bid[0][1] if bid else "",
        "open24h": plain(day.first) if day else last,
        "high24h": plain(day.high) if day else last,
        "low24h": plain(day.low) if day else last,
        "volCcy24h": currency,
        "vol24h": size,
        "sodUtc0": plain(day.first) if day else last,
        "sodUtc8": plain(day.first) if day else last,
        "ts": str(now),
    }


def public_trade(listing: Listing, trade: PublicTrade) -> Json:
    return {
        "instId": listing.name,
        "tradeId": str(trade.id),
        "px": plain(trade.price),
        "sz": listing.size(trade.quantity),
        "side": trade.side.value,
        "ts": str(trade.at_milliseconds),
    }


def candle(listing: Listing, one: Candle, length_seconds: int, now_seconds: int) -> list[str]:
    prices = [plain(price) for price in (one.open, one.high, one.low, one.close)]
    volumes = [*listing.volumes(one.base_volume, one.quote_volume), plain(one.quote_volume)]
    return [str(one.start_seconds * 1000), *prices, *volumes, "1" if one.start_seconds + length_seconds <= now_seconds else "0"]


def order(listing: Listing, one: Order) -> Json:
    """The order object of REST, but for what only one kind of market states; the stream adds to it."""
    is_market = one.kind is OrderKind.MARKET
    return {
        "instType": listing.type,
        "instId": listing.name,
        "ordId": str(one.id),
        "clOrdId": one.client_id,
        "tag": one.tag,
        "ordType": "market" if is_market else ORDER_TYPES[one.time_in_force],
        "side": one.side.value,
        "posSide": "net",
        "sz": _size(listing, one),
        "px": "" if is_market else plain(one.price),
        "state": _state(one),
        "accFillSz": listing.size(one.filled_quantity),
        "avgPx": plain(average(one.filled_notional, one.filled_quantity)) if one.filled_quantity else "",
        "fillPx": "",
        "fillSz": "0",
        "fillTime": "",
        "tradeId": "",
        "fee": plain(-one.fee),
        "feeCcy": one.fee_asset,
        "rebate": "0",
        "rebateCcy": one.locked_asset,
        "cancelSource": "" if one.finish is None else _CANCEL_SOURCE[one.finish],
        "cancelSourceReason": "",
        "category": "normal",
        "stpMode": "cancel_maker",
        "source": "",
        "cTime": str(one.created_at_milliseconds),
        "uTime": str(one.updated_at_milliseconds),
    }


def _size(listing: Listing, one: Order) -> str:
    if one.quote_quantity is not None:
        return plain(one.quote_quantity)
    # An order whose size was amended to what is filled already, or less, is filled.
    return listing.size(one.filled_quantity if one.finish is FinishReason.FILLED else one.quantity)


def _state(one: Order) -> str:
    if one.finish is None:
        return "partially_filled" if one.filled_quantity else "live"
    return "filled" if one.finish is FinishReason.FILLED else "canceled"


def fill_of(listing: Listing, trade: Trade, party: TradeParty) -> Json:
    """The part of an order's push that tells of a fill."""
    return {
        "tradeId": str(trade.id),
        "fillPx": plain(trade.price),
        "fillSz": listing.size(trade.quantity),
        "fillTime": str(trade.at_milliseconds),
        "fillFee": plain(-party.fee),
        "fillFeeCcy": party.fee_asset,
        "execType": _role(trade, party),
    }


def my_trade(listing: Listing, trade: Trade, party: TradeParty) -> Json:
    side = trade.taker_side if party is trade.taker else trade.taker_side.opposite
    return {
        "instType": listing.type,
        "instId": listing.name,
        "tradeId": str(trade.id),
        "ordId": str(party.order_id),
        "clOrdId": party.client_id,
        "billId": bill_id(trade, party),
        "tag": "",
        "side": side.value,
        "posSide": "net",
        "fillPx": plain(trade.price),
        "fillSz": listing.size(trade.quantity),
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
