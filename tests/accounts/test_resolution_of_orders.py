"""Finding out what became of an order, by whoever asks with a view that is no longer the newest."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from actors.accounts.resolution import resolve
from actors.accounts.session import AccountSession
from market.events import Side
from market.symbol import Symbol
from orders.ledger import AccountLedger
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")
SELL = OrderRequest(
    client_order_id="mm-btc-000000001",
    owner="btc",
    symbol=BTC,
    side=Side.SELL,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.POST_ONLY,
    quantity=Decimal(1),
    price=Decimal(100),
)


class OpenAtTheExchange:
    """The session of an account whose one order is open."""

    async def query_order(self, order: Order) -> OrderReport:
        return OrderReport(
            exchange_order_id="77",
            client_order_id=order.client_order_id,
            symbol=BTC,
            side=Side.SELL,
            status=ReportedStatus.OPEN,
            filled_quantity=Decimal(0),
            filled_quote=Decimal(0),
        )


async def test_order_that_has_left_since_it_was_looked_at_is_asked_about_and_not_taken_for_never_sent() -> None:
    ledger = AccountLedger(account="main", installation="mm")
    ledger.record_intent(SELL, now=0.0)
    (looked_at,) = ledger.live_orders()
    ledger.record_sent(SELL.client_order_id, sent_at_milliseconds=1_000, expires_at_milliseconds=4_000)
    await resolve(looked_at, session=cast("AccountSession", OpenAtTheExchange()), ledger=ledger)
    order = ledger.order(SELL.client_order_id)
    assert order is not None
    assert order.state is OrderState.OPEN


async def test_order_that_has_not_left_is_ended_without_asking() -> None:
    ledger = AccountLedger(account="main", installation="mm")
    ledger.record_intent(SELL, now=0.0)
    (looked_at,) = ledger.live_orders()
    await resolve(looked_at, session=cast("AccountSession", None), ledger=ledger)
    assert not ledger.live_orders()
