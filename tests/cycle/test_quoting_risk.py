"""How a quoting cycle stands: what it holds, what is open, what it has earned."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trades import fill, tally_of

from actors.cycle.quoting.contract import QuotingView
from actors.cycle.quoting.risk import MEASURED_SECONDS, RiskMeter, middle_of, risk_of
from market.events import BookChanged, Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")
LIVE = [state for state in OrderState if not state.is_terminal]


class NoHistory:
    mids = ()
    trades = ()


def book(bid: float = 99.9, ask: float = 100.2, symbol: Symbol = BTC) -> BookChanged:
    return BookChanged(
        exchange="gateio_spot",
        symbol=symbol,
        bids=((bid, 1.0),),
        asks=((ask, 1.0),),
        sequence=1,
        generation=1,
        exchange_time_milliseconds=0,
        received_at=0.0,
    )


def view(*, symbol: Symbol = BTC, contract_size: Decimal | None = None, **changes: Any) -> QuotingView:
    instrument = Instrument(
        exchange="gateio_spot",
        symbol=symbol,
        price_tick=Decimal("0.1"),
        quantity_step=Decimal("0.01"),
        quantity_min=Decimal("0.01"),
        notional_min=Decimal(1),
        contract_size=contract_size,
    )
    fields = {"now": 7.0, "instrument": instrument, "book": book(symbol=symbol), "history": NoHistory(), "order_quote": Decimal(10)}
    return QuotingView(**(fields | changes))


def order(side: Side, price: str = "100", quantity: str = "2", *, state: OrderState = OrderState.OPEN, filled: str = "0") -> Order:
    request = OrderRequest(
        client_order_id="mm-btc-1",
        owner="btc",
        symbol=BTC,
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(price),
    )
    return Order(request=request, state=state, filled_quantity=Decimal(filled))


# A snapshot


def test_cycle_that_has_done_nothing_has_neither_risk_nor_profit() -> None:
    risk = risk_of(view(), RiskMeter())
    assert (risk.mid, risk.inventory, risk.delta_usd, risk.profit, risk.volume, risk.uptime) == (Decimal("100.05"), 0, 0, 0, 0, None)


def test_profit_is_realised_and_unrealised_less_fees_those_in_base_at_the_middle_and_others_apart() -> None:
    trades = (
        fill(Side.BUY, "2", "90", fee="0.01", fee_asset="BTC"),
        fill(Side.SELL, "1", "95", fee="0.5"),
        fill(Side.BUY, "1", "100", fee="3", fee_asset="GT"),
    )
    risk = risk_of(view(tally=tally_of(*trades)), RiskMeter())
    assert (risk.net_quantity, risk.inventory, risk.trades, risk.volume) == (2, Decimal("1.99"), 3, 375)
    assert (risk.realised, risk.unrealised) == (5, Decimal("200.1") - 190)
    assert (risk.fees, risk.other_fees) == (Decimal("0.5") + Decimal("1.0005"), {"GT": Decimal(3)})
    assert risk.profit == Decimal("5") + Decimal("10.1") - Decimal("1.5005")


def test_delta_is_worth_dollars_only_where_the_quote_asset_is_one() -> None:
    tally = tally_of(fill(Side.BUY, "2", "90"))
    assert risk_of(view(tally=tally), RiskMeter()).delta_usd == Decimal("200.1")
    in_euro = risk_of(view(tally=tally, symbol=Symbol("BTC", "EUR")), RiskMeter())
    assert (in_euro.delta, in_euro.delta_usd) == (2, None)


def test_cash_is_what_was_told_and_each_asset_is_worth_what_the_middle_says() -> None:
    risk = risk_of(view(base_total=Decimal(3), quote_total=Decimal(50)), RiskMeter())
    assert (risk.cash, risk.values) == ({"BTC": 3, "USDT": 50}, {"BTC": Decimal("300.15"), "USDT": 50})
    assert risk_of(view(quote_total=Decimal(50)), RiskMeter()).cash == {"USDT": 50}


def test_without_a_usable_book_what_needs_a_price_is_not_known_and_the_rest_is() -> None:
    risk = risk_of(view(book=None, tally=tally_of(fill(Side.BUY, "2", "90")), base_total=Decimal(3), quote_total=Decimal(5)), RiskMeter())
    assert (risk.mid, risk.delta_usd, risk.unrealised, risk.fees, risk.profit) == (None, None, None, None, None)
    assert (risk.inventory, risk.realised, risk.values) == (2, 0, {"USDT": 5})


def test_position_is_the_accounts_and_only_of_contracts() -> None:
    assert risk_of(view(contract_size=Decimal("0.01"), position=Decimal(-4)), RiskMeter()).position == -4
    assert risk_of(view(position=Decimal(-4)), RiskMeter()).position is None


def test_exposure_is_what_live_orders_of_a_side_may_still_trade_also_those_in_doubt() -> None:
    orders = (
        order(Side.BUY, "99", "2", filled="0.5"),
        order(Side.BUY, "98", "1", state=OrderState.UNKNOWN),
        order(Side.SELL, "101", "3", state=OrderState.PENDING_CANCEL),
        order(Side.SELL, "102", "3", state=OrderState.CANCELLED),
    )
    risk = risk_of(view(orders=orders), RiskMeter())
    assert (risk.bids, risk.asks) == (Decimal("148.5") + 98, 303)


def test_middle_is_exact() -> None:
    assert middle_of(book(0.1, 0.2)) == Decimal("0.15")
    assert middle_of(None) is None


# Over time


def test_uptime_is_the_share_of_time_with_an_order_resting_on_each_side() -> None:
    meter = RiskMeter()
    meter.look([], now=10.0)
    assert meter.uptime is None
    meter.look([order(Side.BUY), order(Side.SELL)], now=12.0)
    meter.look([order(Side.BUY)], now=18.0)
    meter.look([order(Side.BUY), order(Side.SELL)], now=20.0)
    assert meter.uptime == 0.6
    meter.look([], now=30.0)
    assert meter.uptime == 0.8


@pytest.mark.parametrize(("state", "rests"), [(state, state not in (OrderState.PENDING_NEW, OrderState.UNKNOWN)) for state in LIVE])
def test_order_counts_as_resting_from_the_exchanges_word_until_its_end(state: OrderState, rests: bool) -> None:
    meter = RiskMeter()
    meter.look([order(Side.BUY), order(Side.SELL, state=state)], now=0.0)
    meter.look([], now=1.0)
    assert meter.uptime == float(rests)


def test_spread_captured_is_how_much_better_than_the_middle_maker_fills_were() -> None:
    meter = RiskMeter()
    meter.note_fill(fill(Side.BUY, "2", "99"), Decimal(100))
    meter.note_fill(fill(Side.SELL, "1", "100.5"), Decimal(100))
    assert meter.spread_captured == Decimal("2.5")
    meter.note_fill(fill(Side.SELL, "1", "99"), Decimal(100))
    assert meter.spread_captured == Decimal("1.5")


def test_taker_fills_and_those_at_an_unknown_middle_capture_nothing() -> None:
    meter = RiskMeter()
    meter.note_fill(fill(Side.BUY, "2", "99", maker=False), Decimal(100))
    meter.note_fill(fill(Side.BUY, "2", "99"), None)
    assert meter.spread_captured == 0


def test_measurements_are_told_no_oftener_than_once_a_second_whatever_the_tick() -> None:
    meter = RiskMeter()
    told = [now for now in range(1000) if meter.is_due(now / 100)]
    assert [now / 100 for now in told] == [float(second) for second in range(10)]
    assert MEASURED_SECONDS == 1.0


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.booleans()), min_size=2, max_size=20))
def test_uptime_is_a_share_whatever_happens(looks: list[tuple[float, bool, bool]]) -> None:
    meter, now = RiskMeter(), 0.0
    for passed, has_bid, has_ask in looks:
        now += passed
        meter.look([order(side) for side, has in ((Side.BUY, has_bid), (Side.SELL, has_ask)) if has], now=now)
        assert meter.uptime is None or 0.0 <= meter.uptime <= 1.0
