"""Trades of BTC/USDT, and what they add up to."""

from __future__ import annotations

from decimal import Decimal

from market.events import Side
from market.symbol import Symbol
from orders.reports import FillReport
from orders.tally import Tally


def fill(
    side: Side,
    quantity: str | Decimal,
    price: str = "100",
    *,
    number: int = 0,
    fee: str = "0",
    fee_asset: str = "USDT",
    maker: bool = True,
) -> FillReport:
    return FillReport(
        trade_id=str(number),
        exchange_order_id="1",
        client_order_id=None,
        symbol=Symbol("BTC", "USDT"),
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=fee_asset,
        maker=maker,
    )


def tally_of(*fills: FillReport) -> Tally:
    tally = Tally()
    for each in fills:
        tally = tally.after_fill(each)
    return tally
