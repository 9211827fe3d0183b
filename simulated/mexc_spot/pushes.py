"""MEXC's protobuf pushes: one binary frame each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal

from exchanges.mexc_spot_push_pb2 import Balance, BookTicker, Candle, Deal, Depth, Level, Order, Push, Trades
from exchanges.mexc_spot_push_pb2 import Trade as PushedTrade
from market.events import Side
from market.symbol import Symbol
from simulated import tape
from simulated.book_updates import BookChanges
from simulated.engine import order as engine
from simulated.engine.events import BalanceChanged, BalanceReason
from simulated.mexc_spot import encoding
from simulated.numbers import average, plain

PRIVATE_ORDERS = "spot@private.orders.v3.api.pb"
PRIVATE_DEALS = "spot@private.deals.v3.api.pb"
PRIVATE_ACCOUNT = "spot@private.account.v3.api.pb"

_SIDES = {Side.BUY: 1, Side.SELL: 2}
_STATUSES = {"NEW": 1, "FILLED": 2, "PARTIALLY_FILLED": 3, "CANCELED": 4, "PARTIALLY_CANCELED": 5}
_TYPES = {"LIMIT": 1, "LIMIT_MAKER": 2, "IMMEDIATE_OR_CANCEL": 3, "FILL_OR_KILL": 4, "MARKET": 5}
_BALANCE_TYPES = {
    BalanceReason.ORDER_PUT: "ENTRUST_PLACE",
    BalanceReason.ORDER_MATCHED: "ENTRUST",
    BalanceReason.ORDER_CHANGED: "ENTRUST_CANCEL",
    BalanceReason.DEPOSITED: "DEPOSIT",
    BalanceReason.WITHDRAWN: "WITHDRAW",
}
Candlestick = tape.Candle
_Levels = list[tuple[Decimal, Decimal]]
Best = tuple[_Levels, _Levels]
"""The best bid and the best ask, each where there is one."""


def _push(channel: str, symbol: Symbol | None, now: int) -> Push:
    push = Push(channel=channel, send_time=now)
    if symbol is not None:
        push.symbol = encoding.wire(symbol)
    return push


def _levels(side: Iterable[tuple[Decimal, Decimal]]) -> list[Level]:
    return [Level(price=plain(price), quantity=plain(quantity)) for price, quantity in side]


def depth(channel: str, symbol: Symbol, changes: BookChanges, now: int) -> bytes:
    push = _push(channel, symbol, now)
    body = Depth(asks=_levels(changes.asks), bids=_levels(changes.bids), event_type=channel.rpartition("@")[0])
    body.from_version, body.to_version = str(changes.first_update_id), str(changes.last_update_id)
    push.depth.CopyFrom(body)
    return push.SerializeToString()


def book_ticker(channel: str, symbol: Symbol, best: Best, now: int) -> bytes:
    body = BookTicker()
    for price, quantity in best[0]:
        body.bid_price, body.bid_quantity = plain(price), plain(quantity)
    for price, quantity in best[1]:
        body.ask_price, body.ask_quantity = plain(price), plain(quantity)
    push = _push(channel, symbol, now)
    push.book_ticker.CopyFrom(body)
    return push.SerializeToString()


def trades(channel: str, symbol: Symbol, made: Iterable[tape.PublicTrade], now: int) -> bytes:
    deals = [
        PushedTrade(price=plain(trade.price), quantity=plain(trade.quantity), trade_type=_SIDES[trade.side], time=trade.at_milliseconds)
        for trade in made
    ]
    push = _push(channel, symbol, now)
    push.trades.CopyFrom(Trades(deals=deals, event_type=channel.rpartition("@")[0]))
    return push.SerializeToString()


def candle(channel: str, symbol: Symbol, interval: str, running: tape.Candle, interval_seconds: int, now: int) -> bytes:
    """Times are in seconds here, and here only."""
    body = Candle(
        interval=interval,
        window_start=running.start_seconds,
        opening_price=plain(running.open),
        closing_price=plain(running.close),
        highest_price=plain(running.high),
        lowest_price=plain(running.low),
        volume=plain(running.base_volume),
        amount=plain(running.quote_volume),
        window_end=running.start_seconds + interval_seconds,
    )
    push = _push(channel, symbol, now)
    push.candle.CopyFrom(body)
    return push.SerializeToString()


def private_order(order: engine.Order, last_deal_quantity: Decimal | None, now: int) -> bytes:
    quantity = encoding.quantity(order)
    is_by_quote = order.quote_quantity is not None
    amount = order.quote_quantity if order.quote_quantity is not None else order.price * order.quantity
    body = Order(
        id=encoding.order_id(order.id),
        client_id=order.client_id,
        price=plain(order.price),
        quantity=plain(quantity),
        amount=plain(amount),
        average_price=plain(average(order.filled_notional, order.filled_quantity)),
        order_type=_TYPES[encoding.order_type(order)],
        trade_type=_SIDES[order.side],
        is_maker=order.time_in_force is engine.TimeInForce.POST_ONLY,
        remaining_amount=plain(order.remaining_quote if is_by_quote else order.price * order.remaining_quantity),
        remaining_quantity=plain(order.remaining_quantity),
        cumulative_quantity=plain(order.filled_quantity),
        cumulative_amount=plain(order.filled_notional),
        status=_STATUSES[encoding.status(order)],
        create_time=order.created_at_milliseconds,
    )
    if last_deal_quantity is not None:
        body.last_deal_quantity = plain(last_deal_quantity)
    push = _push(PRIVATE_ORDERS, order.symbol, now)
    push.private_order.CopyFrom(body)
    return push.SerializeToString()


def private_deal(trade: engine.Trade, party: engine.TradeParty, now: int) -> bytes:
    is_taker = party is trade.taker
    body = Deal(
        price=plain(trade.price),
        quantity=plain(trade.quantity),
        amount=plain(trade.notional),
        trade_type=_SIDES[trade.taker_side if is_taker else trade.taker_side.opposite],
        is_maker=not is_taker,
        trade_id=str(trade.id),
        client_order_id=party.client_id,
        order_id=encoding.order_id(party.order_id),
        fee_amount=plain(party.fee),
        fee_currency=party.fee_asset,
        time=trade.at_milliseconds,
    )
    push = _push(PRIVATE_DEALS, trade.symbol, now)
    push.private_deal.CopyFrom(body)
    return push.SerializeToString()


def private_balance(changed: BalanceChanged, now: int) -> bytes:
    body = Balance(
        asset=changed.asset,
        coin_id=hashlib.sha256(changed.asset.encode()).hexdigest()[:32],
        available=plain(changed.available),
        available_change=plain(changed.available_change),
        frozen=plain(changed.locked),
        frozen_change=plain(changed.locked_change),
        type=_BALANCE_TYPES[changed.reason],
        time=changed.at_milliseconds,
    )
    push = _push(PRIVATE_ACCOUNT, None, now)
    push.create_time = changed.at_milliseconds
    push.private_balance.CopyFrom(body)
    return push.SerializeToString()
