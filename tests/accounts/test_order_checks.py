"""Pre-trade checks: each refusal by name, and its words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from limited_account import Market
from msgspec.structs import replace

from actors.accounts.checks import refusal
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from actors.accounts.limits import Limits
from actors.accounts.okx.spot import OkxSpotAccountCodec
from market.events import Side
from market.instrument import Instrument, TradingStatus
from market.symbol import Symbol
from orders.capabilities import Capabilities
from orders.ledger import AccountLedger
from orders.reports import BalanceReport
from orders.request import OrderRequest, OrderType, TimeInForce

BTC_USDT = Symbol("BTC", "USDT")
RULES = Instrument(
    exchange="gateio_spot",
    symbol=BTC_USDT,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.0001"),
    quantity_min=Decimal("0.0002"),
    notional_min=Decimal(3),
    quantity_max=Decimal(10),
    notional_max=Decimal(100_000),
)
PRICE = Decimal(60_000)
COLLAR = Limits(max_price_deviation=Decimal("0.05"))
GATE = GateioSpotAccountCodec().capabilities


def ledger() -> AccountLedger:
    made = AccountLedger(account="main", installation="mm")
    made.apply_balance(BalanceReport(asset="USDT", total=Decimal(1_000), available=Decimal(1_000)))
    made.apply_balance(BalanceReport(asset="BTC", total=Decimal(1), available=Decimal("0.5")))
    return made


def limit(side: Side = Side.SELL, **changes: Any) -> OrderRequest:
    given: dict[str, Any] = {"quantity": Decimal("0.01"), "price": PRICE, "time_in_force": TimeInForce.POST_ONLY, **changes}
    given.setdefault("client_order_id", "mm-btc-1")
    return OrderRequest(owner="btc", symbol=BTC_USDT, side=side, type=OrderType.LIMIT, **given)


def market_buy(quote_quantity: str) -> OrderRequest:
    return OrderRequest(
        client_order_id="mm-btc-1",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quote_quantity=Decimal(quote_quantity),
    )


def why_not(
    request: OrderRequest,
    *,
    rules: Instrument | None = RULES,
    limits: Limits | None = None,
    capabilities: Capabilities = GATE,
    of: AccountLedger | None = None,
) -> str:
    market = Market(of or ledger(), (BTC_USDT,))
    market.quote(float(PRICE), float(PRICE), received_at=0.0)
    known = {} if rules is None else {BTC_USDT: rules}
    refused = refusal(request, rules=known, capabilities=capabilities, limits=market.limits(limits or COLLAR), now=0.0)
    return "" if refused is None else refused.reason


@pytest.mark.parametrize("request_", [limit(), limit(Side.BUY), market_buy("100"), limit(time_in_force=TimeInForce.GOOD_TILL_CANCELLED)])
def test_order_within_every_rule_and_limit_is_not_refused(request_: OrderRequest) -> None:
    assert why_not(request_) == ""


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (limit(price=Decimal("60000.05")), "not on a tick of 0.1"),
        (limit(quantity=Decimal("0.00025")), "not on a step of 0.0001"),
        (limit(quantity=Decimal("0.0001")), "below the minimum 0.0002"),
        (limit(quantity=Decimal("10.1")), "above the maximum 10"),
        (market_buy("2.99"), "notional 2.99 is below the minimum 3 USDT"),
        (limit(quantity=Decimal(9)), "above the maximum 100000 USDT"),
        (limit(quantity=Decimal("0.6")), "insufficient balance: 0.6 BTC needed, 0.5 available"),
        (market_buy("1000.01"), "insufficient balance: 1000.01 USDT needed, 1000 available"),
        (limit(Side.BUY, quantity=Decimal("0.02")), "insufficient balance"),
        (limit(price=Decimal("56999.9")), "more than 5% below the best bid 60000.0 (max_price_deviation)"),
        (limit(Side.BUY, price=Decimal("63000.1")), "above the best ask 60000.0"),
        (replace(market_buy("1"), quantity=Decimal("0.01"), quote_quantity=None), "gateio_spot has no market buys by base quantity"),
    ],
)
def test_order_against_a_rule_of_the_exchange_or_beyond_the_funds_is_refused_in_words(request_: OrderRequest, words: str) -> None:
    assert words in why_not(request_)


def test_fill_or_kill_market_order_is_refused_where_the_exchange_has_none() -> None:
    order = replace(market_buy("100"), time_in_force=TimeInForce.FILL_OR_KILL)
    assert why_not(order) == ""
    assert why_not(order, capabilities=OkxSpotAccountCodec().capabilities) == "gateio_spot has no fill-or-kill market orders"


def test_price_on_the_winning_side_is_no_matter_of_the_collar() -> None:
    assert why_not(limit(price=Decimal(80_000))) == ""
    assert why_not(limit(Side.BUY, price=Decimal(40_000))) == ""


def test_unknown_rules_refuse_every_order() -> None:
    assert "not known yet" in why_not(limit(), rules=None)


@pytest.mark.parametrize(
    ("status", "side", "refused"),
    [
        (TradingStatus.CLOSED, Side.BUY, True),
        (TradingStatus.CLOSED, Side.SELL, True),
        (TradingStatus.BUY_ONLY, Side.SELL, True),
        (TradingStatus.BUY_ONLY, Side.BUY, False),
        (TradingStatus.SELL_ONLY, Side.BUY, True),
        (TradingStatus.SELL_ONLY, Side.SELL, False),
    ],
)
def test_closed_side_of_a_market_refuses_orders_of_that_side(status: TradingStatus, side: Side, refused: bool) -> None:
    assert bool(why_not(limit(side), rules=replace(RULES, status=status))) is refused


def test_limits_of_the_account_refuse_in_words() -> None:
    assert "max_order_notional 500" in why_not(limit(), limits=Limits(max_order_notional=Decimal(500)))
    assert "max_position_notional is 500" in why_not(limit(Side.BUY), limits=Limits(max_position_notional=Decimal(500)))
    assert why_not(limit(Side.SELL), limits=Limits(max_position_notional=Decimal(500))) == "", "a sell opens no position here"


def test_orders_on_their_way_count_against_funds_open_orders_and_position() -> None:
    busy = ledger()
    busy.record_intent(limit(Side.BUY), now=0.0)
    assert "insufficient balance: 600.00 USDT needed, 400.00 available" in why_not(limit(Side.BUY, client_order_id="mm-btc-2"), of=busy)
    assert "max_open_orders is 1" in why_not(limit(), limits=Limits(max_open_orders=1), of=busy)
    assert "max_position_notional" in why_not(market_buy("100"), limits=Limits(max_position_notional=Decimal(650)), of=busy)
