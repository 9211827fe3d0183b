"""Pre-trade checks of contracts: margin and positions instead of balances of assets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from limited_account import Market
from msgspec.structs import replace

from actors.accounts.checks import refusal
from actors.accounts.limits import Limits
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.capabilities import Capabilities
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.reports import BalanceReport, FillReport, OrderReport, PositionReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC_USDT = Symbol("BTC", "USDT")
PRICE = Decimal(50_000)
RULES = Instrument(
    exchange="gateio_futures",
    symbol=BTC_USDT,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.0001"),
    quantity_min=Decimal("0.0001"),
    notional_min=Decimal(0),
    contract_size=Decimal("0.0001"),
    leverage_max=Decimal(100),
)
CONTRACTS = Capabilities(
    time_in_force=frozenset(TimeInForce), market_buy_by_quote=False, market_buy_by_base=True, amend=True, positions=True
)
ASSETS = Capabilities(time_in_force=frozenset(TimeInForce), market_buy_by_quote=True, market_buy_by_base=True, amend=True)

REPORT = OrderReport(
    exchange_order_id="77",
    client_order_id="mm-btc-1",
    symbol=BTC_USDT,
    side=Side.BUY,
    status=ReportedStatus.OPEN,
    filled_quantity=Decimal(0),
    filled_quote=Decimal(0),
    price=PRICE,
)
FILL = FillReport(
    trade_id="1",
    exchange_order_id="77",
    client_order_id="mm-btc-1",
    symbol=BTC_USDT,
    side=Side.BUY,
    price=PRICE,
    quantity=Decimal("0.003"),
    fee=Decimal(0),
    fee_asset="USDT",
    maker=True,
)


def ledger(*, position: str = "0", leverage: str = "10", available: str = "100") -> AccountLedger:
    made = AccountLedger(account="main", installation="mm", holds_positions=True)
    made.apply_balance(BalanceReport(asset="USDT", total=Decimal(1_000), available=Decimal(available)))
    assert made.positions is not None
    made.positions.apply_all([PositionReport(symbol=BTC_USDT, quantity=Decimal(position), entry_price=PRICE, leverage=Decimal(leverage))])
    return made


def limit(side: Side, quantity: str, *, number: int = 1, **changes: Any) -> OrderRequest:
    given: dict[str, Any] = {"symbol": BTC_USDT, "price": PRICE, "time_in_force": TimeInForce.POST_ONLY, **changes}
    return OrderRequest(
        client_order_id=f"mm-btc-{number}",
        owner="btc",
        side=side,
        type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        **given,
    )


def why_not(request: OrderRequest, of: AccountLedger, *, limits: Limits | None = None, capabilities: Capabilities = CONTRACTS) -> str:
    market = Market(of, (BTC_USDT,))
    market.quote(float(PRICE), float(PRICE), received_at=0.0)
    refused = refusal(request, rules={BTC_USDT: RULES}, capabilities=capabilities, limits=market.limits(limits), now=0.0)
    return "" if refused is None else refused.reason


@pytest.mark.parametrize("side", Side)
def test_order_worth_ten_times_what_is_available_passes_at_leverage_10_and_one_step_more_does_not(side: Side) -> None:
    assert why_not(limit(side, "0.02"), ledger()) == ""
    assert why_not(limit(side, "0.0201"), ledger()) == "insufficient margin: 100.5 USDT needed, 100 available"


def test_leverage_that_the_exchange_has_not_told_counts_as_none() -> None:
    assert "insufficient margin" in why_not(limit(Side.BUY, "0.0021"), ledger(leverage="0"))


def test_what_makes_a_position_smaller_needs_no_margin() -> None:
    broke = ledger(position="0.05", available="0")
    assert why_not(limit(Side.SELL, "0.05"), broke) == ""
    assert "insufficient margin" in why_not(limit(Side.BUY, "0.0001"), broke)


def test_what_turns_a_position_round_needs_margin_for_the_larger_side_alone() -> None:
    held = ledger(position="0.01", available="10")
    assert why_not(limit(Side.SELL, "0.022"), held) == ""
    assert "insufficient margin" in why_not(limit(Side.SELL, "0.0221"), held)


def test_reduce_only_order_needs_no_margin_and_passes_the_position_limit() -> None:
    broke = ledger(position="-0.05", available="0")
    small = Limits(max_position_notional=Decimal(10))
    assert why_not(limit(Side.BUY, "0.05", reduce_only=True), broke, limits=small) == ""


def test_reduce_only_order_of_an_exchange_of_assets_is_refused() -> None:
    assert why_not(limit(Side.BUY, "0.001", reduce_only=True), ledger(), capabilities=ASSETS) == "gateio_futures has no reduce-only orders"


def test_margin_of_an_order_on_its_way_is_not_spent_twice() -> None:
    of = ledger()
    of.record_intent(limit(Side.BUY, "0.015"), now=1.0)
    assert why_not(limit(Side.BUY, "0.005", number=2), of) == ""
    assert "insufficient margin: 25.5 USDT needed, 25 available" in why_not(limit(Side.BUY, "0.0051", number=2), of)


@pytest.mark.parametrize(
    ("side", "held", "most"), [(Side.BUY, "0.004", "0.006"), (Side.SELL, "-0.004", "0.006"), (Side.SELL, "0.004", "0.014")]
)
def test_position_limit_holds_for_long_and_short_and_counts_what_is_held(side: Side, held: str, most: str) -> None:
    limits = Limits(max_position_notional=Decimal(500))
    of = ledger(position=held, available="1000")
    assert why_not(limit(side, most), of, limits=limits) == ""
    over = str(Decimal(most) + Decimal("0.0001"))
    assert why_not(limit(side, over), of, limits=limits) == "position would be 505, max_position_notional is 500"


def test_position_limit_counts_what_may_still_fill_on_the_same_side_and_nothing_on_the_other() -> None:
    limits = Limits(max_position_notional=Decimal(500))
    of = ledger(available="1000")
    of.record_intent(limit(Side.BUY, "0.006"), now=1.0)
    assert why_not(limit(Side.BUY, "0.004", number=2), of, limits=limits) == ""
    assert "position would be" in why_not(limit(Side.BUY, "0.0041", number=2), of, limits=limits)
    assert why_not(limit(Side.SELL, "0.01", number=2), of, limits=limits) == ""


def test_position_limit_counts_what_remains_of_the_other_orders_on_that_side() -> None:
    limits = Limits(max_position_notional=Decimal(500))
    of = ledger(available="1000")
    of.record_intent(limit(Side.BUY, "0.008"), now=1.0)
    of.apply_order_report(replace(REPORT, filled_quantity=Decimal("0.003"), filled_quote=Decimal(150)), now=2.0)
    of.apply_fill(FILL, now=2.0)  # 0.003 is held, and 0.005 may still be bought
    assert why_not(limit(Side.BUY, "0.002", number=2), of, limits=limits) == ""
    over = why_not(limit(Side.BUY, "0.0021", number=2), of, limits=limits)
    assert over == "position would be 505, max_position_notional is 500"


def test_position_limit_counts_a_reduce_only_order_as_far_as_it_may_close_the_position_and_no_order_elsewhere() -> None:
    limits = Limits(max_position_notional=Decimal(500))
    of = ledger(position="-0.005", available="1000")
    of.record_intent(limit(Side.BUY, "0.005", reduce_only=True), now=1.0)
    of.record_intent(limit(Side.BUY, "0.01", number=2, symbol=Symbol("ETH", "USDT")), now=1.0)
    of.record_intent(limit(Side.SELL, "0.005", number=3), now=1.0)
    assert why_not(limit(Side.BUY, "0.01", number=4), of, limits=limits) == "", "the first may close the position before"
    assert "position would be 505" in why_not(limit(Side.BUY, "0.0101", number=4), of, limits=limits)


def test_margin_of_an_order_of_unknown_fate_is_not_spent_twice_though_the_exchange_has_told_of_it() -> None:
    of = ledger()
    of.record_intent(limit(Side.BUY, "0.015"), now=1.0)
    of.apply_order_report(REPORT, now=2.0)
    assert why_not(limit(Side.BUY, "0.02", number=2), of) == "", "the exchange's own figure counts it"
    of.record_input("mm-btc-1", OrderInput.AMEND_ASKED, now=3.0)
    of.record_input("mm-btc-1", OrderInput.ANSWER_LOST, now=3.0)
    assert "insufficient margin: 25.5 USDT needed, 25 available" in why_not(limit(Side.BUY, "0.0051", number=2), of)
