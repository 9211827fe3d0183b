"""All that an account of a simulated exchange has done, in words that are no exchange's: what a ledger is held against."""

from __future__ import annotations

from typing import Any

from market.events import Side
from simulated.engine.matching import MatchingEngine
from simulated.engine.order import Order, Trade, TradeParty
from simulated.numbers import plain


def history(engine: MatchingEngine, account: str) -> dict[str, list[dict[str, Any]]]:
    """Every order, trade and funding payment that is remembered, oldest first; one moment of all of it. Quantities are base units.

    A trade with oneself is told for each of its sides.
    """
    return {
        "order_history": [_order(order) for order in engine.orders.values() if order.account == account],
        "trade_history": [
            _trade(trade, party)
            for trade in engine.accounts[account].trades
            for party in (trade.taker, trade.maker)
            if party.account == account
        ],
        "funding_history": [
            {"symbol": str(paid.symbol), "amount": plain(paid.amount), "at": paid.at_milliseconds}
            for paid in engine.accounts[account].payments
        ],
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "client_id": order.client_id,
        "symbol": str(order.symbol),
        "side": order.side.value,
        "filled_quantity": plain(order.filled_quantity),
        "finish": None if order.finish is None else order.finish.value,
    }


def _trade(trade: Trade, party: TradeParty) -> dict[str, Any]:
    is_taker = party is trade.taker
    side = trade.taker_side if is_taker else (Side.SELL if trade.taker_side is Side.BUY else Side.BUY)
    return {
        "id": trade.id,
        "order_id": party.order_id,
        "client_id": party.client_id,
        "symbol": str(trade.symbol),
        "side": side.value,
        "price": plain(trade.price),
        "quantity": plain(trade.quantity),
        "fee": plain(party.fee),
        "fee_asset": party.fee_asset,
        "is_maker": not is_taker,
    }
