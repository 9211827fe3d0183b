"""`sell_on_top` decides purely: a view in, a decision out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.cycle.rounds.controller import Decision, RoundFailed, RoundView
from actors.cycle.rounds.sell_on_top import SellOnTop, SellOnTopParameters
from market.events import BookChanged, Level, Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce

BTC_USDT = Symbol("BTC", "USDT")
TICK = Decimal("0.1")
RULES = Instrument(
    exchange="gateio_spot",
    symbol=BTC_USDT,
    price_tick=TICK,
    quantity_step=Decimal("0.000001"),
    quantity_min=Decimal("0.00001"),
    notional_min=Decimal(3),
)
BIDS: tuple[Level, ...] = ((60_000.0, 1.0), (59_999.0, 1.0))
ASKS: tuple[Level, ...] = ((60_010.0, 1.0), (60_011.0, 1.0))


def book(bids: tuple[Level, ...] = BIDS, asks: tuple[Level, ...] = ASKS, received_at: float = 100.0) -> BookChanged:
    return BookChanged("gateio_spot", BTC_USDT, bids, asks, 1, 1, 0, received_at)


def buy(state: OrderState = OrderState.FILLED, *, filled: str = "0.0016", fee: str = "0.0000032", told: bool = True) -> Order:
    request = OrderRequest(
        client_order_id="mm-btc-1",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.BUY,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quote_quantity=Decimal(100),
        tag="1:buy",
    )
    fills = (fill("t1", Side.BUY, filled, "60010", fee, "BTC"),) if told and Decimal(filled) else ()
    return Order(request=request, state=state, filled_quantity=Decimal(filled), fills=fills, sent=True, changed_at=90.0)


def fill(trade_id: str, side: Side, quantity: str, price: str, fee: str, fee_asset: str) -> FillReport:
    return FillReport(
        trade_id=trade_id,
        exchange_order_id="1",
        client_order_id=None,
        symbol=BTC_USDT,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=fee_asset,
        maker=side is Side.SELL,
    )


def sell(
    state: OrderState = OrderState.OPEN,
    *,
    price: str = "60009.9",
    quantity: str = "0.001596",
    filled: str = "0",
    created_at: float = 10.0,
    changed_at: float = 10.0,
    number: int = 2,
) -> Order:
    request = OrderRequest(
        client_order_id=f"mm-btc-{number}",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(price),
        tag="1:sell",
    )
    fills = (fill(f"s{number}", Side.SELL, filled, price, "0.1", "USDT"),) if Decimal(filled) else ()
    return Order(
        request=request,
        state=state,
        filled_quantity=Decimal(filled),
        fills=fills,
        sent=True,
        created_at=created_at,
        changed_at=changed_at,
    )


def decide(*orders: Order, at: BookChanged | None = None, carried: str = "0", now: float = 100.0, blind: bool = False) -> Decision:
    view = RoundView(
        now=now,
        instrument=RULES,
        book=None if blind else at or book(),
        orders=orders,
        carried_quantity=Decimal(carried),
        quote_quantity=Decimal(100),
    )
    return SellOnTop(SellOnTopParameters()).decide(view)


def test_round_begins_with_a_market_buy_for_the_quote_quantity() -> None:
    (wanted,) = decide().desired
    assert (wanted.side, wanted.type, wanted.quote_quantity, wanted.price) == (Side.BUY, OrderType.MARKET, Decimal(100), None)


def test_nothing_is_bought_without_a_book() -> None:
    assert decide(blind=True).desired == ()


@pytest.mark.parametrize("state", [OrderState.PENDING_NEW, OrderState.UNKNOWN, OrderState.PARTIALLY_FILLED])
def test_buy_on_its_way_is_waited_for(state: OrderState) -> None:
    found = decide(buy(state, filled="0"))
    assert found.hold
    assert not found.desired


def test_buy_whose_fills_are_not_all_told_is_waited_for() -> None:
    assert decide(buy(told=False)).hold


def test_rejected_buy_is_tried_again_after_a_pause_that_doubles_and_given_up_after_five() -> None:
    rejected = [buy(OrderState.REJECTED, filled="0")]
    assert decide(*rejected, now=90.5).desired == ()
    assert decide(*rejected, now=91.5).desired != ()
    assert decide(*rejected * 3, now=93.5).desired == ()
    assert decide(*rejected * 3, now=94.5).desired != ()
    with pytest.raises(RoundFailed, match="5 buys were refused"):
        decide(*rejected * 5)


def test_buy_that_only_the_moment_refused_is_tried_again_for_as_long_as_it_takes() -> None:
    refused = [replace(buy(OrderState.REJECTED, filled="0"), refused_for_now=True)]
    assert decide(*refused * 50, now=90 + 31).desired == ()
    assert decide(*refused * 50, now=90 + 33).desired != ()


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.EXPIRED, OrderState.CANCELLED])
def test_sell_that_the_exchange_would_not_have_is_tried_again_after_a_pause_that_doubles(state: OrderState) -> None:
    fruitless = [sell(state, changed_at=99.0)]
    assert decide(buy(), *fruitless, now=99.5).desired == ()
    assert decide(buy(), *fruitless, now=100.5).desired != ()
    assert decide(buy(), *fruitless * 3, now=102.5).desired == ()
    assert decide(buy(), *fruitless * 3, now=103.5).desired != ()


def test_sell_that_we_cancelled_or_that_filled_in_part_is_replaced_without_a_pause_and_ends_the_doubling() -> None:
    ours = replace(sell(OrderState.CANCELLED, changed_at=99.0), cancel_wanted=True)
    partly = sell(OrderState.CANCELLED, filled="0.0006", changed_at=99.0)
    for ended in (ours, partly):
        assert decide(buy(), sell(OrderState.EXPIRED, changed_at=98.9), ended, now=99.1).desired != ()
    refused = sell(OrderState.EXPIRED, changed_at=99.0)
    assert decide(buy(), refused, refused, ours, refused, now=100.5).desired != ()


def test_what_was_bought_less_the_fee_is_sold_one_tick_under_the_best_ask_and_never_takes() -> None:
    (wanted,) = decide(buy()).desired
    assert (wanted.side, wanted.time_in_force) == (Side.SELL, TimeInForce.POST_ONLY)
    assert (wanted.price, wanted.quantity) == (Decimal("60009.9"), Decimal("0.001596"))


def test_what_earlier_rounds_left_is_sold_too() -> None:
    (wanted,) = decide(buy(), carried="0.0000042").desired
    assert wanted.quantity == Decimal("0.001601")


def test_price_stays_over_the_best_bid_where_the_spread_is_one_tick() -> None:
    (wanted,) = decide(buy(), at=book(bids=((60_009.9, 1.0),), asks=((60_010.0, 1.0),))).desired
    assert wanted.price == Decimal("60010.0")


def test_our_own_order_at_the_top_is_not_undercut() -> None:
    own = book(asks=((60_009.9, 0.001596), *ASKS))
    (wanted,) = decide(buy(), sell(), at=own).desired
    assert wanted.price == Decimal("60009.9")


def test_rest_of_our_own_order_that_the_book_shows_late_is_not_mistaken_for_a_competitor() -> None:
    late = book(asks=((60_009.9, 0.001596), *ASKS))
    (wanted,) = decide(buy(), sell(OrderState.PARTIALLY_FILLED, filled="0.0006"), at=late).desired
    assert wanted.price == Decimal("60009.9")


def test_own_order_that_ended_a_moment_ago_is_not_mistaken_for_a_competitor_either() -> None:
    echo = book(asks=((60_009.9, 0.001596), *ASKS), received_at=100.0)
    ended = replace(sell(OrderState.CANCELLED, changed_at=99.9), cancel_wanted=True)
    assert decide(buy(), ended, at=echo).desired[0].price == Decimal("60009.9")
    long_ago = sell(OrderState.CANCELLED, changed_at=90.0)
    assert decide(buy(), long_ago, at=echo).desired[0].price == Decimal("60009.8"), "that level is somebody else's"


def test_competitor_who_undercuts_is_undercut_and_one_who_leaves_is_followed() -> None:
    assert decide(buy(), sell(), at=book(asks=((60_005.0, 1.0), (60_009.9, 0.001596), *ASKS))).desired[0].price == Decimal("60004.9")
    assert decide(buy(), sell(), at=book(asks=((60_009.9, 0.001596), (60_020.0, 1.0)))).desired[0].price == Decimal("60019.9")


def test_price_is_kept_for_the_reprice_interval() -> None:
    moved = book(asks=((60_005.0, 1.0), *ASKS))
    assert decide(buy(), sell(created_at=99.5), at=moved).desired[0].price == Decimal("60009.9")
    assert decide(buy(), sell(created_at=98.5), at=moved).desired[0].price == Decimal("60004.9")


def test_quote_is_pulled_without_a_book() -> None:
    found = decide(buy(), sell(), blind=True)
    assert (found.desired, found.hold, found.finished) == ((), False, False)


def test_sold_out_round_is_finished() -> None:
    found = decide(buy(), sell(OrderState.FILLED, filled="0.001596"))
    assert found.finished


def test_rest_below_the_minimum_is_left_over_or_stays_where_it_is() -> None:
    nearly = {"filled": "0.00157"}
    assert decide(buy(), sell(OrderState.CANCELLED, **nearly)).finished
    assert decide(buy(), sell(OrderState.PARTIALLY_FILLED, **nearly)).hold


def test_refused_sell_is_not_repeated_in_the_same_moment() -> None:
    refused = sell(OrderState.REJECTED, changed_at=99.5)
    assert decide(buy(), refused).desired == ()
    assert decide(buy(), refused, now=101.0).desired != ()


prices = st.integers(1, 200).map(lambda ticks: 60_000.0 + ticks / 10)


@given(bid=prices, gaps=st.lists(st.integers(1, 30), min_size=1, max_size=5), bought=st.integers(1, 5_000), sold=st.integers(0, 5_000))
def test_sell_never_takes_is_on_a_tick_and_never_exceeds_what_is_held(bid: float, gaps: list[int], bought: int, sold: int) -> None:
    step = Decimal("0.000001")
    asks: list[Level] = []
    price = round(bid * 10)
    for gap in gaps:
        price += gap
        asks.append((price / 10, 1.0))
    bought_quantity, sold_quantity = bought * step, min(sold, bought) * step
    orders = [buy(filled=str(bought_quantity), fee="0")]
    if sold_quantity:
        orders.append(sell(OrderState.CANCELLED, quantity=str(bought_quantity), filled=str(sold_quantity), changed_at=50.0))
    found = decide(*orders, at=book(bids=((bid, 1.0),), asks=tuple(asks)))
    for wanted in found.desired:
        assert wanted.price is not None
        assert wanted.quantity is not None
        assert wanted.price > Decimal(repr(bid))
        assert wanted.price % TICK == 0
        assert wanted.price <= max(Decimal(repr(asks[0][0])) - TICK, Decimal(repr(bid)) + TICK)
        assert wanted.quantity <= bought_quantity - sold_quantity
        assert wanted.quantity * wanted.price >= RULES.notional_min


# Contracts

ONE = Decimal("0.0001")
CONTRACT = replace(RULES, quantity_step=ONE, quantity_min=ONE, notional_min=Decimal(0), contract_size=ONE)


def decide_on_contracts(
    *orders: Order, position_before: str = "0", quote_quantity: str = "100", position: str | None = None, now: float = 100.0
) -> Decision:
    view = RoundView(
        now=now,
        instrument=CONTRACT,
        book=book(),
        orders=orders,
        carried_quantity=Decimal(0),
        quote_quantity=Decimal(quote_quantity),
        position_before=Decimal(position_before),
        position=None if position is None else Decimal(position),
    )
    return SellOnTop(SellOnTopParameters()).decide(view)


def test_contracts_are_bought_by_their_number_never_for_more_than_was_asked() -> None:
    (wanted,) = decide_on_contracts().desired
    assert (wanted.quantity, wanted.quote_quantity, wanted.reduce_only) == (Decimal("0.0016"), None, False)


def test_amount_that_buys_no_contract_ends_the_round_and_says_what_one_is_worth() -> None:
    with pytest.raises(RoundFailed, match=r"5 USDT buys no contract: one is worth 6\.001"):
        decide_on_contracts(quote_quantity="5")


@pytest.mark.parametrize(("position_before", "reduces"), [("0", True), ("0.5", True), ("-0.0001", False)])
def test_contracts_are_sold_reduce_only_unless_the_account_was_short_before(position_before: str, *, reduces: bool) -> None:
    (wanted,) = decide_on_contracts(buy(fee="0"), position_before=position_before).desired
    assert (wanted.side, wanted.quantity, wanted.reduce_only) == (Side.SELL, Decimal("0.0016"), reduces)


def test_assets_are_never_sold_reduce_only() -> None:
    assert not decide(buy()).desired[0].reduce_only


@pytest.mark.parametrize("position", ["0", "0.0015", "-0.01"])
def test_position_smaller_than_what_the_round_holds_ends_it_and_says_that_others_or_a_liquidation_took_it(position: str) -> None:
    with pytest.raises(RoundFailed, match="liquidated, or closed by somebody else"):
        decide_on_contracts(buy(fee="0"), position=position)


@pytest.mark.parametrize(("position", "position_before"), [("0.0016", "0"), ("5", "0"), (None, "0"), ("-1", "-1.0016")])
def test_round_goes_on_while_the_position_covers_it_or_is_not_told_or_was_short_before(position: str | None, position_before: str) -> None:
    assert decide_on_contracts(buy(fee="0"), position=position, position_before=position_before).desired


def refused_sells(count: int, **changes: object) -> list[Order]:
    return [
        replace(sell(OrderState.REJECTED, number=number, changed_at=10.0), reason="REDUCE_EXCEEDED", **changes)  # type: ignore[arg-type]
        for number in range(2, 2 + count)
    ]


def test_sells_refused_in_a_row_end_the_round_with_the_last_reason_and_what_was_not_sold() -> None:
    most = SellOnTopParameters().sell_attempts_max
    assert decide(buy(), *refused_sells(most - 1), now=1_000.0).desired
    with pytest.raises(RoundFailed, match=r"12 sells in a row were refused; the last: REDUCE_EXCEEDED; 0\.001596 BTC"):
        decide(buy(), *refused_sells(most), now=1_000.0)


def test_sells_that_only_the_moment_refused_do_not_end_the_round() -> None:
    assert decide(buy(), *refused_sells(40, refused_for_now=True), now=1_000.0).desired


def test_sell_that_was_taken_in_between_begins_the_count_anew() -> None:
    most = SellOnTopParameters().sell_attempts_max
    taken = sell(OrderState.CANCELLED, number=90)
    cancelled = replace(taken, cancel_wanted=True)
    assert decide(buy(), *refused_sells(most - 1), cancelled, *refused_sells(2), now=1_000.0).desired
