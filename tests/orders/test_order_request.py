from __future__ import annotations

from decimal import Decimal

import pytest

from market.events import Side
from market.symbol import Symbol
from orders.request import OrderRequest, OrderType, TimeInForce

LIMIT = {
    "client_order_id": "mm-btc-1",
    "owner": "btc",
    "symbol": Symbol("BTC", "USDT"),
    "side": Side.BUY,
    "type": OrderType.LIMIT,
    "time_in_force": TimeInForce.GOOD_TILL_CANCELLED,
    "quantity": Decimal("0.5"),
    "price": Decimal(100),
}
MARKET = LIMIT | {"type": OrderType.MARKET, "time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL, "price": None}
BY_QUOTE = MARKET | {"quantity": None, "quote_quantity": Decimal(50)}


@pytest.mark.parametrize(
    "fields",
    [
        LIMIT,
        LIMIT | {"side": Side.SELL, "time_in_force": TimeInForce.POST_ONLY},
        MARKET,
        MARKET | {"side": Side.SELL, "time_in_force": TimeInForce.FILL_OR_KILL},
        BY_QUOTE,
    ],
)
def test_request_that_means_one_thing_is_made(fields) -> None:
    OrderRequest(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (LIMIT | {"quantity": None}, "either"),
        (MARKET | {"quote_quantity": Decimal(50)}, "either"),
        (LIMIT | {"price": None}, "has a price"),
        (MARKET | {"price": Decimal(100)}, "has none"),
        (LIMIT | {"quantity": None, "quote_quantity": Decimal(50)}, "only a market buy"),
        (BY_QUOTE | {"side": Side.SELL}, "only a market buy"),
        (MARKET | {"time_in_force": TimeInForce.POST_ONLY}, "post-only"),
        (LIMIT | {"quantity": Decimal(0)}, "positive"),
        (LIMIT | {"quantity": Decimal(-1)}, "positive"),
        (LIMIT | {"price": Decimal(0)}, "positive"),
        (LIMIT | {"price": Decimal(-1)}, "positive"),
        (BY_QUOTE | {"quote_quantity": Decimal(0)}, "positive"),
        (BY_QUOTE | {"quote_quantity": Decimal(-50)}, "positive"),
    ],
)
def test_request_that_contradicts_itself_is_refused(fields, message) -> None:
    with pytest.raises(ValueError, match=message):
        OrderRequest(**fields)


def test_notional_is_told_where_the_request_states_it() -> None:
    assert OrderRequest(**LIMIT).notional == 50
    assert OrderRequest(**BY_QUOTE).notional == 50
    assert OrderRequest(**MARKET).notional is None


def test_only_limit_orders_that_wait_may_rest() -> None:
    assert OrderRequest(**LIMIT).may_rest
    assert OrderRequest(**LIMIT | {"time_in_force": TimeInForce.POST_ONLY}).may_rest
    assert not OrderRequest(**LIMIT | {"time_in_force": TimeInForce.IMMEDIATE_OR_CANCEL}).may_rest
    assert not OrderRequest(**MARKET).may_rest
