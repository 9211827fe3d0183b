"""Trades of ours that no round knows, told from all others."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.accounts.forgotten_trades import forgotten_trade
from market.events import Side
from market.symbol import Symbol
from orders.events import ForeignFillSeen, OrderFilled, OrderPlaced
from orders.ledger import AccountLedger
from orders.order import Order
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")
FILL = FillReport(
    trade_id="t1",
    exchange_order_id="77",
    client_order_id="mm-btc-0001",
    symbol=BTC,
    side=Side.SELL,
    price=Decimal(100),
    quantity=Decimal(1),
    fee=Decimal("0.2"),
    fee_asset="USDT",
    maker=True,
)
ORDER = Order(
    request=OrderRequest(
        client_order_id="mm-btc-0001",
        owner="btc",
        symbol=BTC,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
        quantity=Decimal(3),
        price=Decimal(100),
        tag="1:sell",
    )
)


def yes(_: str) -> bool:
    return True


@pytest.fixture
def ledger() -> AccountLedger:
    return AccountLedger(account="main", installation="mm")


def test_trade_of_an_order_of_ours_that_is_not_known_is_its_owners_and_says_what_it_was(ledger: AccountLedger) -> None:
    trade = forgotten_trade(ForeignFillSeen("main", FILL), ledger, is_of_an_earlier_run=yes)
    assert trade is not None
    assert trade.owner == "btc"
    assert "sell 1 BTC/USDT at 100 by order mm-btc-0001" in trade.reason


def test_trade_of_an_order_that_was_found_again_without_its_round_is_forgotten_too(ledger: AccountLedger) -> None:
    found = replace(ORDER, request=replace(ORDER.request, tag=""))
    trade = forgotten_trade(OrderFilled("main", found, FILL), ledger, is_of_an_earlier_run=yes)
    assert trade is not None
    assert trade.owner == "btc"


@pytest.mark.parametrize("client_order_id", [None, "mm2-btc-0001", "somebody"])
def test_trade_of_somebody_else_is_not(client_order_id: str | None, ledger: AccountLedger) -> None:
    fill = replace(FILL, client_order_id=client_order_id)
    assert forgotten_trade(ForeignFillSeen("main", fill), ledger, is_of_an_earlier_run=yes) is None


def test_trade_of_an_order_that_knows_its_round_is_not(ledger: AccountLedger) -> None:
    assert forgotten_trade(OrderFilled("main", ORDER, FILL), ledger, is_of_an_earlier_run=yes) is None
    assert forgotten_trade(OrderPlaced("main", ORDER), ledger, is_of_an_earlier_run=yes) is None


def test_trade_by_an_id_that_was_given_since_this_run_began_is_another_programs(ledger: AccountLedger) -> None:
    found = replace(ORDER, request=replace(ORDER.request, tag=""))
    for event in (ForeignFillSeen("main", FILL), OrderFilled("main", found, FILL)):
        assert forgotten_trade(event, ledger, is_of_an_earlier_run=lambda client_order_id: client_order_id != "mm-btc-0001") is None
