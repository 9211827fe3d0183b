"""What an owner holds by its fills, also once its oldest orders are forgotten."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from market.events import Side
from market.symbol import Symbol
from orders import ledger as ledger_module
from orders.ledger import AccountLedger
from orders.reports import FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")


def trade(ledger: AccountLedger, number: int, side: Side, quantity: str, *, fee: str = "0") -> None:
    """An order of cycle `btc` that is filled whole."""
    client_order_id = f"mm-btc-{number:09}"
    request = OrderRequest(
        client_order_id=client_order_id,
        owner="btc",
        symbol=BTC,
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
        quantity=Decimal(quantity),
        price=Decimal(100),
    )
    ledger.record_intent(request, now=0.0)
    ledger.apply_fill(
        FillReport(
            trade_id=str(number),
            exchange_order_id=str(number),
            client_order_id=client_order_id,
            symbol=BTC,
            side=side,
            price=Decimal(100),
            quantity=Decimal(quantity),
            fee=Decimal(fee),
            fee_asset="BTC",
            maker=True,
        ),
        now=1.0,
    )
    report = OrderReport(
        exchange_order_id=str(number),
        client_order_id=client_order_id,
        symbol=BTC,
        side=side,
        status=ReportedStatus.FILLED,
        filled_quantity=Decimal(quantity),
        filled_quote=Decimal(quantity) * 100,
    )
    ledger.apply_order_report(replace(report), now=1.0)


def test_holdings_are_what_was_bought_less_fees_and_less_what_was_sold() -> None:
    ledger = AccountLedger(account="main", installation="mm")
    trade(ledger, 1, Side.BUY, "3", fee="0.003")
    trade(ledger, 2, Side.SELL, "1")
    assert ledger.holdings("btc") == {BTC: Decimal("1.997")}
    assert ledger.holdings("other") == {}


def test_holdings_stay_the_same_when_the_orders_behind_them_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "ENDED_ORDERS_KEPT_MAX", 2)
    ledger = AccountLedger(account="main", installation="mm")
    for number in range(10):
        trade(ledger, number, Side.BUY if number % 2 == 0 else Side.SELL, "3" if number % 2 == 0 else "2")
    assert len(list(ledger.orders())) == 2
    assert ledger.holdings("btc") == {BTC: Decimal(5)}
