"""MEXC's JSON objects, written from the exchange's documentation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from market.events import Side
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.order import FinishReason, Order, OrderKind, TimeInForce, Trade, TradeParty
from simulated.numbers import plain, whole_number_of
from simulated.settings import AccountSettings
from simulated.tape import Candle, PublicTrade, Tape

Json = dict[str, Any]

ORDER_ID_PREFIX = "C02__"
_TRADE_SIDES = {TradingStatus.TRADABLE: 1, TradingStatus.BUY_ONLY: 2, TradingStatus.SELL_ONLY: 3, TradingStatus.CLOSED: 4}
_TYPES = {
    TimeInForce.GOOD_TILL_CANCELLED: "LIMIT",
    TimeInForce.POST_ONLY: "LIMIT_MAKER",
    TimeInForce.IMMEDIATE_OR_CANCEL: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FILL_OR_KILL: "FILL_OR_KILL",
}
TIME_IN_FORCE = {name: value for value, name in _TYPES.items()}
MAX_QUOTE_AMOUNT = "4000000"


def wire(symbol: Symbol) -> str:
    return f"{symbol.base}{symbol.quote}"


def order_id(number: int) -> str:
    return f"{ORDER_ID_PREFIX}{number}"


def order_number(wire_id: str) -> int:
    """The engine's number of an order; 0 for what is no id of this exchange."""
    return whole_number_of(wire_id.removeprefix(ORDER_ID_PREFIX)) or 0 if wire_id.startswith(ORDER_ID_PREFIX) else 0


def side_name(side: Side) -> str:
    return side.name


def decimals_of(step: Decimal) -> int:
    return max(0, -int(step.as_tuple().exponent))


def exchange_symbol(instrument: Instrument, account: AccountSettings) -> Json:
    symbol, price_decimals = instrument.symbol, decimals_of(instrument.price_tick)
    return {
        "symbol": wire(symbol),
        "status": "3" if instrument.status is TradingStatus.CLOSED else "1",
        "baseAsset": symbol.base,
        "baseAssetPrecision": decimals_of(instrument.quantity_step),
        "quoteAsset": symbol.quote,
        "quotePrecision": price_decimals,
        "quoteAssetPrecision": price_decimals,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "quoteAmountPrecision": plain(instrument.notional_min),
        "baseSizePrecision": plain(instrument.quantity_min),
        "permissions": ["SPOT"],
        "filters": [],
        "maxQuoteAmount": MAX_QUOTE_AMOUNT,
        "makerCommission": plain(account.maker_fee),
        "takerCommission": plain(account.taker_fee),
        "quoteAmountPrecisionMarket": plain(instrument.notional_min),
        "maxQuoteAmountMarket": MAX_QUOTE_AMOUNT,
        "fullName": symbol.base,
        "tradeSideType": _TRADE_SIDES[instrument.status],
        "contractAddress": "",
        "st": False,
    }


def order_type(order: Order) -> str:
    return "MARKET" if order.kind is OrderKind.MARKET else _TYPES[order.time_in_force]


def status(order: Order) -> str:
    if order.finish is None:
        return "PARTIALLY_FILLED" if order.filled_quantity else "NEW"
    # What was to be spent and bought nothing more is given back: such a market order is not called filled.
    if order.finish is FinishReason.FILLED and not order.remaining_quote:
        return "FILLED"
    return "PARTIALLY_CANCELED" if order.filled_quantity else "CANCELED"


def quantity(order: Order) -> Decimal:
    """In base units; of an order that states what to spend, what it has bought."""
    return order.quantity if order.quote_quantity is None else order.filled_quantity


def placed(order: Order) -> Json:
    """The answer to placing: no status, no fills."""
    return {
        "symbol": wire(order.symbol),
        "orderId": order_id(order.id),
        "orderListId": -1,
        "price": plain(order.price),
        "origQty": plain(quantity(order)),
        "type": order_type(order),
        "side": side_name(order.side),
        "stpMode": "",
        "transactTime": order.created_at_milliseconds,
    }


def order(order: Order) -> Json:
    return {
        "symbol": wire(order.symbol),
        "orderId": order_id(order.id),
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": plain(order.price),
        "origQty": plain(quantity(order)),
        "executedQty": plain(order.filled_quantity),
        "cummulativeQuoteQty": plain(order.filled_notional),
        "status": status(order),
        "timeInForce": "GTC",
        "type": order_type(order),
        "side": side_name(order.side),
        "stopPrice": "0",
        "time": order.created_at_milliseconds,
        "updateTime": order.updated_at_milliseconds,
        "stpMode": "",
        "cancelReason": "",
        "isWorking": True,
        "origQuoteOrderQty": plain(order.quote_quantity or Decimal(0)),
    }


def cancelled(order_cancelled: Order) -> Json:
    """The answer to cancelling: our name for the order is the "original" one, the other names the cancellation."""
    full = order(order_cancelled)
    kept = ("symbol", "orderId", "price", "origQty", "executedQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side")
    return {**{name: full[name] for name in kept}, "origClientOrderId": order_cancelled.client_id, "clientOrderId": ""}


def my_trade(trade: Trade, party: TradeParty) -> Json:
    is_taker = party is trade.taker
    side = trade.taker_side if is_taker else trade.taker_side.opposite
    return {
        "symbol": wire(trade.symbol),
        "id": str(trade.id),
        "orderId": order_id(party.order_id),
        "orderListId": -1,
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "quoteQty": plain(trade.notional),
        "commission": plain(party.fee),
        "commissionAsset": party.fee_asset,
        "time": trade.at_milliseconds,
        "isBuyer": side is Side.BUY,
        "isMaker": not is_taker,
        "isBestMatch": True,
        "isSelfTrade": False,
        "clientOrderId": party.client_id or None,
    }


def account(holder: Account, settings: AccountSettings) -> Json:
    can_trade = settings.permissions == "trade"
    return {
        "canTrade": can_trade,
        "canWithdraw": False,
        "canDeposit": True,
        "updateTime": None,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": plain(balance.available), "locked": plain(balance.locked), "available": plain(balance.available)}
            for asset, balance in holder.balances.items()
        ],
        "permissions": ["SPOT"],
    }


def public_trade(trade: PublicTrade) -> Json:
    return {
        "id": None,
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "quoteQty": plain(trade.price * trade.quantity),
        "time": trade.at_milliseconds,
        "isBuyerMaker": trade.side is Side.SELL,
        "isBestMatch": True,
    }


def aggregated_trade(trade: PublicTrade) -> Json:
    return {
        "a": None,
        "f": None,
        "l": None,
        "p": plain(trade.price),
        "q": plain(trade.quantity),
        "T": trade.at_milliseconds,
        "m": trade.side is Side.SELL,
        "M": True,
    }


def candle(candle: Candle, interval_seconds: int) -> list[Any]:
    start = candle.start_seconds * 1000
    prices = [plain(price) for price in (candle.open, candle.high, candle.low, candle.close)]
    return [start, *prices, plain(candle.base_volume), start + interval_seconds * 1000, plain(candle.quote_volume)]


def day_ticker(symbol: Symbol, tape: Tape, best: Json, now: int) -> Json:
    """The figures of the last 24 hours. `best` are the best prices and quantities."""
    day = tape.day(now)
    zero = Decimal(0)
    first, last = (day.first, day.last) if day else (zero, zero)
    change = (last - first) / first if first else zero
    return {
        "symbol": wire(symbol),
        "priceChange": plain(last - first),
        "priceChangePercent": plain(change.quantize(Decimal("0.0001"))),
        "prevClosePrice": plain(first),
        "lastPrice": plain(last),
        "bidPrice": best["bidPrice"],
        "bidQty": best["bidQty"],
        "askPrice": best["askPrice"],
        "askQty": best["askQty"],
        "openPrice": plain(first),
        "highPrice": plain(day.high if day else zero),
        "lowPrice": plain(day.low if day else zero),
        "volume": plain(day.base_volume if day else zero),
        "quoteVolume": plain(day.quote_volume if day else zero),
        "openTime": now - 86_400_000,
        "closeTime": now,
    }


def currency(asset: str) -> Json:
    network = {
        "coin": asset,
        "network": asset,
        "netWork": asset,
        "name": asset,
        "depositEnable": True,
        "withdrawEnable": False,
        "withdrawFee": "0",
        "withdrawMin": "0",
        "withdrawMax": "0",
    }
    return {"coin": asset, "Name": asset, "networkList": [network]}
