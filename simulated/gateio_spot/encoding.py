"""Gate.io's objects, written from the exchange's documentation."""

from __future__ import annotations

from decimal import Decimal

from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from simulated.engine.account import Account
from simulated.engine.book import Book
from simulated.engine.events import BalanceChanged, BalanceReason, OrderChange
from simulated.engine.order import FinishReason, Order, OrderKind, Trade, TradeParty
from simulated.gateio.order_fields import TIME_IN_FORCE, Json, stp_act
from simulated.numbers import average, plain
from simulated.settings import AccountSettings
from simulated.tape import Candle, PublicTrade, Tape

_FINISH_AS = {
    FinishReason.FILLED: "filled",
    FinishReason.CANCELLED: "cancelled",
    FinishReason.IMMEDIATE_OR_CANCEL: "ioc",
    FinishReason.SELF_TRADE: "stp",
}
_TRADE_STATUS = {
    TradingStatus.TRADABLE: "tradable",
    TradingStatus.BUY_ONLY: "buyable",
    TradingStatus.SELL_ONLY: "sellable",
    TradingStatus.CLOSED: "untradable",
}
_CHANGE_TYPE = {
    BalanceReason.ORDER_PUT: "order-create",
    BalanceReason.ORDER_MATCHED: "order-match",
    BalanceReason.ORDER_CHANGED: "order-update",
    BalanceReason.DEPOSITED: "deposit",
    BalanceReason.WITHDRAWN: "withdraw",
}


def seconds_with_fraction(milliseconds: int) -> str:
    """Milliseconds as the trade endpoints write them, with decimals."""
    return f"{milliseconds}.000"


def wire(symbol: Symbol) -> str:
    return f"{symbol.base}_{symbol.quote}"


def currency_pair(instrument: Instrument, taker_fee: Decimal) -> Json:
    symbol = instrument.symbol
    return {
        "id": wire(symbol),
        "base": symbol.base,
        "base_name": symbol.base,
        "quote": symbol.quote,
        "quote_name": symbol.quote,
        "fee": plain(taker_fee * 100),
        "min_base_amount": plain(instrument.quantity_min),
        "min_quote_amount": plain(instrument.notional_min),
        "max_base_amount": None if instrument.quantity_max is None else plain(instrument.quantity_max),
        "max_quote_amount": None if instrument.notional_max is None else plain(instrument.notional_max),
        "amount_precision": decimals_of(instrument.quantity_step),
        "precision": decimals_of(instrument.price_tick),
        "trade_status": _TRADE_STATUS[instrument.status],
        "sell_start": 0,
        "buy_start": 0,
        "delisting_time": 0,
        "type": "normal",
        "st_tag": False,
    }


def decimals_of(step: Decimal) -> int:
    return max(0, -int(step.as_tuple().exponent))


def levels(side: list[tuple[Decimal, Decimal]]) -> list[list[str]]:
    return [[plain(price), plain(quantity)] for price, quantity in side]


def ticker(symbol: Symbol, tape: Tape, bid: tuple[Decimal, Decimal] | None, ask: tuple[Decimal, Decimal] | None, now: int) -> Json:
    """The figures of REST and websocket alike; REST adds the sizes in a query for one pair."""
    day = tape.day(now)
    last = day.last if day else (bid[0] if bid else Decimal(0))
    change = average((day.last - day.first) * 100, day.first) if day else Decimal(0)
    return {
        "currency_pair": wire(symbol),
        "last": plain(last),
        "lowest_ask": plain(ask[0]) if ask else "",
        "highest_bid": plain(bid[0]) if bid else "",
        "change_percentage": plain(change.quantize(Decimal("0.01"))),
        "base_volume": plain(day.base_volume) if day else "0",
        "quote_volume": plain(day.quote_volume) if day else "0",
        "high_24h": plain(day.high) if day else plain(last),
        "low_24h": plain(day.low) if day else plain(last),
    }


def ticker_of_book(symbol: Symbol, tape: Tape, book: Book, now: int) -> Json:
    bid, ask = book.bids.levels(1), book.asks.levels(1)
    return ticker(symbol, tape, bid[0] if bid else None, ask[0] if ask else None, now)


def public_trade(symbol: Symbol, trade: PublicTrade) -> Json:
    """As REST writes it: ids and times as text."""
    return {
        "id": str(trade.id),
        "create_time": str(trade.at_milliseconds // 1000),
        "create_time_ms": seconds_with_fraction(trade.at_milliseconds),
        "currency_pair": wire(symbol),
        "side": trade.side.value,
        "amount": plain(trade.quantity),
        "price": plain(trade.price),
        "sequence_id": str(trade.sequence),
    }


def public_trade_push(symbol: Symbol, trade: PublicTrade) -> Json:
    return {
        "id": trade.id,
        "id_market": trade.sequence,
        "create_time": trade.at_milliseconds // 1000,
        "create_time_ms": seconds_with_fraction(trade.at_milliseconds),
        "side": trade.side.value,
        "currency_pair": wire(symbol),
        "amount": plain(trade.quantity),
        "price": plain(trade.price),
        "range": f"{trade.sequence}-{trade.sequence}",
    }


def candle(candle: Candle, interval_seconds: int, now_seconds: int) -> list[str]:
    return [
        str(candle.start_seconds),
        plain(candle.quote_volume),
        plain(candle.close),
        plain(candle.high),
        plain(candle.low),
        plain(candle.open),
        plain(candle.base_volume),
        "true" if candle.start_seconds + interval_seconds <= now_seconds else "false",
    ]


def candle_push(symbol: Symbol, interval: str, candle: Candle, interval_seconds: int, now_seconds: int) -> Json:
    return {
        "t": str(candle.start_seconds),
        "v": plain(candle.quote_volume),
        "c": plain(candle.close),
        "h": plain(candle.high),
        "l": plain(candle.low),
        "o": plain(candle.open),
        "n": f"{interval}_{wire(symbol)}",
        "a": plain(candle.base_volume),
        "w": candle.start_seconds + interval_seconds <= now_seconds,
    }


def order(order: Order, *, stp_group: int) -> Json:
    """The full order object of REST."""
    by_quote = order.quote_quantity is not None
    finish = order.finish
    if finish is None:
        status, finish_as = "open", "open"
    else:
        finish_as = _FINISH_AS[finish]
        partly_taken = finish is FinishReason.IMMEDIATE_OR_CANCEL and bool(order.filled_quantity)
        status = "closed" if finish is FinishReason.FILLED or partly_taken else "cancelled"
    return {
        "id": str(order.id),
        "text": order.client_id or "apiv4",
        "amend_text": order.note or "-",
        "create_time": str(order.created_at_milliseconds // 1000),
        "update_time": str(order.updated_at_milliseconds // 1000),
        "create_time_ms": order.created_at_milliseconds,
        "update_time_ms": order.updated_at_milliseconds,
        "status": status,
        "currency_pair": wire(order.symbol),
        "type": "market" if order.kind is OrderKind.MARKET else "limit",
        "account": "spot",
        "side": order.side.value,
        "amount": plain(order.quote_quantity if order.quote_quantity is not None else order.quantity),
        "price": plain(order.price),
        "time_in_force": TIME_IN_FORCE[order.time_in_force],
        "iceberg": "0",
        "left": plain(order.remaining_quote if by_quote else order.remaining_quantity),
        "filled_amount": plain(order.filled_quantity),
        "fill_price": plain(order.filled_notional),
        "filled_total": plain(order.filled_notional),
        "avg_deal_price": plain(average(order.filled_notional, order.filled_quantity)),
        "fee": plain(order.fee),
        "fee_currency": order.fee_asset,
        "point_fee": "0",
        "gt_fee": "0",
        "gt_maker_fee": "0",
        "gt_taker_fee": "0",
        "gt_discount": False,
        "rebated_fee": "0",
        "rebated_fee_currency": order.locked_asset,
        "stp_id": stp_group,
        "stp_act": stp_act(order, stp_group),
        "finish_as": finish_as,
    }


_CLEARING_FIELDS = (
    "left", "filled_amount", "fill_price", "filled_total", "avg_deal_price", "fee", "fee_currency", "point_fee", "gt_fee", "gt_maker_fee",
    "gt_taker_fee", "gt_discount", "rebated_fee", "rebated_fee_currency",
)  # fmt: skip


def order_answer(full: Json, action_mode: str) -> Json:
    """The answer to a command, as much of it as `action_mode` asks for."""
    if action_mode == "ACK":
        return {name: full[name] for name in ("id", "text", "amend_text")}
    if action_mode == "RESULT":
        return {name: value for name, value in full.items() if name not in _CLEARING_FIELDS}
    return full


_PUSH_WITHOUT_FEES = ("fee", "fee_currency", "point_fee", "gt_fee", "rebated_fee", "rebated_fee_currency")


def order_push(order_changed: Order, change: OrderChange, settings: AccountSettings, *, with_fees: bool) -> Json:
    """The order object of the private channels: times in text, the user, and what happened."""
    full = order(order_changed, stp_group=settings.stp_group)
    for name in ("status", "fill_price", "gt_maker_fee", "gt_taker_fee", "gt_discount", "iceberg"):
        del full[name]
    if not with_fees:
        for name in _PUSH_WITHOUT_FEES:
            del full[name]
    full["create_time_ms"] = str(order_changed.created_at_milliseconds)
    full["update_time_ms"] = str(order_changed.updated_at_milliseconds)
    full["user"] = settings.user_id
    full["event"] = change.value
    full["biz_info"] = "-"
    return full


def my_trade(trade: Trade, party: TradeParty) -> Json:
    """A fill as REST lists it."""
    is_taker = party is trade.taker
    side = trade.taker_side if is_taker else trade.taker_side.opposite
    return {
        "id": str(trade.id),
        "create_time": str(trade.at_milliseconds // 1000),
        "create_time_ms": seconds_with_fraction(trade.at_milliseconds),
        "currency_pair": wire(trade.symbol),
        "side": side.value,
        "role": "taker" if is_taker else "maker",
        "amount": plain(trade.quantity),
        "price": plain(trade.price),
        "order_id": str(party.order_id),
        "fee": plain(party.fee),
        "fee_currency": party.fee_asset,
        "point_fee": "0",
        "gt_fee": "0",
        "amend_text": "-",
        "sequence_id": str(trade.id),
        "text": party.client_id or "apiv4",
    }


def my_trade_push(trade: Trade, party: TradeParty, settings: AccountSettings, *, with_fees: bool) -> Json:
    pushed = my_trade(trade, party)
    del pushed["sequence_id"], pushed["amend_text"]
    pushed["id"] = trade.id
    pushed["user_id"] = settings.user_id
    pushed["create_time"] = trade.at_milliseconds // 1000
    pushed["id_market"] = trade.id
    if not with_fees:
        for name in ("fee", "fee_currency", "point_fee", "gt_fee"):
            del pushed[name]
    return pushed


def spot_accounts(account: Account, currency: str | None) -> list[Json]:
    return [
        {"currency": asset, "available": plain(balance.available), "locked": plain(balance.locked), "update_id": balance.version}
        for asset, balance in account.balances.items()
        if currency is None or asset == currency
    ]


def balance_push(changed: BalanceChanged, settings: AccountSettings) -> Json:
    return {
        "timestamp": str(changed.at_milliseconds // 1000),
        "timestamp_ms": str(changed.at_milliseconds),
        "user": str(settings.user_id),
        "currency": changed.asset,
        "change": plain(changed.available_change + changed.locked_change),
        "total": plain(changed.available + changed.locked),
        "available": plain(changed.available),
        "freeze": plain(changed.locked),
        "freeze_change": plain(changed.locked_change),
        "change_type": _CHANGE_TYPE[changed.reason],
    }


def fee(settings: AccountSettings, pair: str) -> Json:
    return {
        "user_id": settings.user_id,
        "taker_fee": plain(settings.taker_fee),
        "maker_fee": plain(settings.maker_fee),
        "gt_discount": False,
        "gt_taker_fee": "0",
        "gt_maker_fee": "0",
        "loan_fee": "0.18",
        "point_type": "1",
        "currency_pair": pair,
        "debit_fee": 3,
    }
