"""Gate.io futures' objects of orders, trades and candles, written from the exchange's documentation."""

from __future__ import annotations

from decimal import Decimal

from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from simulated.engine.events import OrderChange, OrderChanged
from simulated.engine.order import FinishReason, Order, Trade, TradeParty
from simulated.engine.position import Position, signed
from simulated.gateio.order_fields import TIME_IN_FORCE, Json, stp_act
from simulated.gateio_futures.sizes import SizeStyle, number, seconds
from simulated.numbers import average, plain
from simulated.settings import AccountSettings
from simulated.tape import Candle, PublicTrade

CLOSE_TAG = "close"
"""The tag of orders that were placed to close the whole position."""
_FINISH_AS = {
    FinishReason.FILLED: "filled",
    FinishReason.CANCELLED: "cancelled",
    FinishReason.IMMEDIATE_OR_CANCEL: "ioc",
    FinishReason.FILL_OR_KILL: "fok",
    FinishReason.POST_ONLY: "poc",
    FinishReason.SELF_TRADE: "stp",
    FinishReason.REDUCE_ONLY: "reduce_only",
    FinishReason.LIQUIDATED: "liquidated",
}
# What pushes say of orders that are not finished (captures of 2022 and 2024 have `_new`).
_OPEN_AS = {OrderChange.PUT: "_new", OrderChange.UPDATED: "_update"}


def wire(symbol: Symbol) -> str:
    return f"{symbol.base}_{symbol.quote}"


def levels(side: list[tuple[Decimal, Decimal]], instrument: Instrument, style: SizeStyle) -> list[Json]:
    return [{"p": plain(price), "s": style.write(instrument, quantity)} for price, quantity in side]


def public_trade(symbol: Symbol, trade: PublicTrade, instrument: Instrument, style: SizeStyle) -> Json:
    """As REST writes it: `create_time_ms` is in seconds, too. The sign of the size is the taker's side."""
    return {
        "id": trade.id,
        "create_time": trade.at_milliseconds // 1000,
        "create_time_ms": seconds(trade.at_milliseconds),
        "contract": wire(symbol),
        "size": style.write(instrument, signed(trade.quantity, trade.side)),
        "price": plain(trade.price),
    }


def public_trade_push(symbol: Symbol, trade: PublicTrade, instrument: Instrument, style: SizeStyle) -> Json:
    return public_trade(symbol, trade, instrument, style) | {"create_time_ms": trade.at_milliseconds}


def candle(candle: Candle, instrument: Instrument, style: SizeStyle) -> Json:
    return {
        "t": candle.start_seconds,
        "v": style.write(instrument, candle.base_volume),
        "c": plain(candle.close),
        "h": plain(candle.high),
        "l": plain(candle.low),
        "o": plain(candle.open),
        "sum": plain(candle.quote_volume),
    }


def candle_push(symbol: Symbol, interval: str, told: Candle, instrument: Instrument, style: SizeStyle, *, is_closed: bool) -> Json:
    pushed = candle(told, instrument, style)
    del pushed["sum"]
    return {**pushed, "n": f"{interval}_{wire(symbol)}", "a": plain(told.quote_volume), "w": is_closed}


def order(order: Order, instrument: Instrument, settings: AccountSettings, style: SizeStyle) -> Json:
    """The full order object of REST."""
    encoded: Json = {
        "id": order.id,
        "id_string": str(order.id),
        "user": settings.user_id,
        "contract": wire(order.symbol),
        "create_time": seconds(order.created_at_milliseconds),
        "size": style.write(instrument, signed(order.quantity, order.side)),
        "iceberg": style.write(instrument, Decimal(0)),
        "left": style.write(instrument, signed(order.remaining_quantity, order.side)),
        "price": plain(order.price),
        "fill_price": plain(average(order.filled_notional, order.filled_quantity)),
        "mkfr": plain(settings.maker_fee),
        "tkfr": plain(settings.taker_fee),
        "tif": TIME_IN_FORCE[order.time_in_force],
        "refu": 0,
        "refr": "0",
        "is_reduce_only": order.reduce_only,
        "is_close": order.tag == CLOSE_TAG,
        "is_liq": order.is_liquidation,
        "text": text_of_order(order.client_id, is_liquidation=order.is_liquidation),
        "status": "open" if order.is_open else "finished",
        "stp_id": settings.stp_group,
        "stp_act": stp_act(order, settings.stp_group),
        "amend_text": order.note or "-",
        "biz_info": "-",
        "market_order_slip_ratio": "0",
    }
    if order.finish is not None:
        encoded["finish_time"] = seconds(order.updated_at_milliseconds)
        encoded["finish_as"] = _FINISH_AS[order.finish]
    return encoded


def text_of_order(client_id: str, *, is_liquidation: bool = False) -> str:
    """What stands in place of a client id: the source of the order."""
    return client_id or ("liquidation" if is_liquidation else "api")


_CLEARING_FIELDS = ("left", "fill_price", "mkfr", "tkfr", "refu", "refr")


def order_answer(full: Json, action_mode: str) -> Json:
    """The answer to a command, as much of it as `action_mode` asks for."""
    if action_mode == "ACK":
        return {name: full[name] for name in ("id", "id_string", "text", "amend_text")}
    if action_mode == "RESULT":
        return {name: value for name, value in full.items() if name not in _CLEARING_FIELDS}
    return full


def order_push(
    changed: OrderChanged, position: Position, instrument: Instrument, settings: AccountSettings, style: SizeStyle, *, update_id: int
) -> Json:
    """The order object of the private channel: times twice, fees and rates as numbers, what happened in `finish_as`."""
    told = changed.order
    created, updated = told.created_at_milliseconds, told.updated_at_milliseconds
    pushed = order(told, instrument, settings, style)
    pushed |= {
        "create_time": created // 1000,
        "create_time_ms": created,
        "finish_as": _OPEN_AS[changed.change] if told.finish is None else _FINISH_AS[told.finish],
        "finish_time": updated // 1000,
        "finish_time_ms": updated,
        "mkfr": number(settings.maker_fee),
        "tkfr": number(settings.taker_fee),
        "refr": 0,
        "user": str(settings.user_id),
        "stp_id": str(settings.stp_group),
        "update_id": update_id,
        "update_time": updated,
        "fee": number(told.fee),
        "point_fee": 0,
        "bbo": "-",
        "pos_margin_mode": "cross" if position.is_cross else "isolated",
        "leverage": plain(position.leverage),
        "stop_loss_price": "",
        "stop_profit_price": "",
    }
    return pushed


def my_trade(trade: Trade, party: TradeParty, instrument: Instrument, style: SizeStyle) -> Json:
    """A fill as REST lists it."""
    is_taker = party is trade.taker
    side: Side = trade.taker_side if is_taker else trade.taker_side.opposite
    return {
        "id": trade.id,
        "create_time": seconds(trade.at_milliseconds),
        "contract": wire(trade.symbol),
        "order_id": str(party.order_id),
        "size": style.write(instrument, signed(trade.quantity, side)),
        "close_size": style.write(instrument, signed(party.closed_quantity, side)),
        "price": plain(trade.price),
        "role": "taker" if is_taker else "maker",
        "text": text_of_order(party.client_id),
        "fee": plain(party.fee),
        "point_fee": "0",
    }


def my_trade_push(trade: Trade, party: TradeParty, instrument: Instrument, style: SizeStyle) -> Json:
    return my_trade(trade, party, instrument, style) | {
        "id": str(trade.id),
        "create_time": trade.at_milliseconds // 1000,
        "create_time_ms": trade.at_milliseconds,
        "fee": number(party.fee),
        "point_fee": 0,
        "amend_text": "-",
        "biz_info": "-",
    }
