"""`quoting` decides purely: a view in, wanted quotes out. What must hold of any view, and what each parameter does."""

from __future__ import annotations

import enum
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace
from strategy_views import (
    BTC,
    DOGE,
    MARKETS,
    NOW,
    History,
    Market,
    asks,
    bids,
    book_of,
    fractions,
    live_order,
    market,
    orders_of,
    prices,
    quantities,
    shared_parameters,
    view_of,
    views,
)

from actors.cycle.quoting.contract import LastFill, MidSample, Quote, QuotingView, Wanted
from actors.cycle.quoting.strategies.avellaneda_stoikov import AvellanedaStoikovParameters
from actors.cycle.quoting.strategies.parameters import TwoSidedParameters
from actors.cycle.quoting.strategies.pricing import PriceSource
from actors.cycle.quoting.strategies.simple import Quoting, QuotingParameters
from assembly.decoding import decode
from market.events import BookChanged, Side, TradeHappened
from market.instrument import TradingStatus
from orders.life_cycle import OrderState
from orders.order import UnseenAmendment
from orders.tally import Tally

D = Decimal
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"
# Parameters that leave out what a test is not about: no fees, no patience, no lean.
PLAIN = QuotingParameters(
    maker_fee_fraction=D(0),
    spread_min_fraction=D("0.0005"),
    bid_spread_fraction=D("0.001"),
    ask_spread_fraction=D("0.001"),
    filled_order_delay_seconds=0,
)


@st.composite
def parameters(draw: st.DrawFn) -> QuotingParameters:
    own = {
        "bid_spread_fraction": draw(fractions("0.0001", "0.01")),
        "ask_spread_fraction": draw(fractions("0.0001", "0.01")),
        "inventory_price_skew": draw(fractions("0", "3")),
    }
    return QuotingParameters(**own, **{name: draw(values) for name, values in shared_parameters().items()})


def decide(parameters: QuotingParameters, view: QuotingView) -> Wanted:
    return Quoting(parameters).decide(view)


def plain(view: QuotingView | None = None, **changes: object) -> Wanted:
    """The decision of plain parameters with these changed."""
    return decide(replace(PLAIN, **changes), view or view_of())


# What always holds.


@given(parameters(), views())
def test_no_bid_ever_meets_an_ask_whatever_is_live(chosen: QuotingParameters, view: QuotingView) -> None:
    wanted = decide(chosen, view)
    assert all(bid.price < ask.price for bid in bids(wanted) for ask in asks(wanted))


@given(parameters(), views(with_orders=False))
def test_quotes_lie_on_ticks_and_steps_above_the_minima_best_first(chosen: QuotingParameters, view: QuotingView) -> None:
    rules, wanted = view.instrument, decide(chosen, view)
    for quote in wanted.quotes:
        assert quote.price > 0
        assert quote.price % rules.price_tick == 0
        assert quote.quantity % rules.quantity_step == 0
        assert quote.quantity >= rules.quantity_min
        assert quote.quantity * quote.price >= rules.notional_min
    for side, is_reversed in ((bids(wanted), True), (asks(wanted), False)):
        assert prices(side) == sorted(set(prices(side)), reverse=is_reversed)
        assert [quote.level for quote in side] == list(range(len(side)))


@given(parameters(), views(with_orders=False))
def test_no_order_is_worth_more_than_the_amount_of_its_level(chosen: QuotingParameters, view: QuotingView) -> None:
    largest = view.order_quote * max(chosen.level_amount_growth**number for number in range(chosen.levels))
    wanted = decide(chosen, view)
    assert all(quote.price * quote.quantity <= largest * D("1.0000001") for quote in wanted.quotes)
    assert max(len(bids(wanted)), len(asks(wanted))) <= chosen.levels


@given(parameters(), views())
def test_inventory_stays_within_its_maximum_if_everything_of_a_side_is_filled(chosen: QuotingParameters, view: QuotingView) -> None:
    wanted, held = decide(chosen, view), view.tally.inventory
    maximum = chosen.inventory_max_orders * view.order_quote / D(str(wanted.facts["reference_price"]))
    rounding = maximum * D("1e-20")
    bought, sold = sum(quantities(bids(wanted))), sum(quantities(asks(wanted)))
    assert not bought or held + bought <= maximum + rounding
    assert not sold or held - sold >= -maximum - rounding


@given(parameters(), views())
def test_nothing_is_bought_above_the_band_or_sold_under_it(chosen: QuotingParameters, view: QuotingView) -> None:
    mid = D(str(view.history.mids[0].mid))
    chosen = replace(chosen, price_ceiling=mid * D("1.004"), price_floor=mid * D("0.996"))
    width = min(D("0.004"), chosen.moving_band_fraction or D(1))
    wanted = decide(chosen, view)
    assert all(bid.price <= mid * (1 + width) for bid in bids(wanted))
    assert all(ask.price >= mid * (1 - width) for ask in asks(wanted))


@given(parameters(), views())
def test_round_trip_at_the_best_quotes_leaves_the_minimum_after_fees(chosen: QuotingParameters, view: QuotingView) -> None:
    wanted = decide(chosen, view)
    assume(bids(wanted))
    assume(asks(wanted))
    fee, bid, ask = chosen.maker_fee_fraction, bids(wanted)[0].price, asks(wanted)[0].price
    needed = chosen.spread_min_fraction * D(str(wanted.facts["centre_price"]))
    assert ask * (1 - fee) - bid * (1 + fee) >= needed * D("0.9999999999")


@given(parameters(), views(with_orders=False))
def test_quotes_stay_out_of_the_market(chosen: QuotingParameters, view: QuotingView) -> None:
    assert view.book is not None
    wanted = decide(chosen, view)
    assert all(float(bid.price) < view.book.best_ask[0] for bid in bids(wanted))
    assert all(float(ask.price) > view.book.best_bid[0] for ask in asks(wanted))


@given(parameters(), views(with_orders=False), fractions("0", "8"))
def test_more_inventory_never_raises_a_quote(chosen: QuotingParameters, view: QuotingView, more: Decimal) -> None:
    held = view.tally.inventory
    heavier = view_of(Market(view.instrument, D(1)), inventory=held + more * 100 / D(str(view.history.mids[0].mid)), book=view.book)
    # Sizes and counts are another test's; here every level is there to be compared.
    chosen = replace(chosen, inventory_max_orders=D(1000), inventory_size_skew=D(0), inventory_level_skew=D(0), moving_band_fraction=None)
    before, after = decide(chosen, view), decide(chosen, heavier)
    for side in (bids, asks):
        assert all(new <= old for new, old in zip(prices(side(after)), prices(side(before)), strict=False))


@given(parameters(), st.data(), st.sampled_from(MARKETS), st.integers(1, 200), st.sampled_from((1.0, 60.0)))
def test_decision_that_is_live_is_decided_again(
    chosen: QuotingParameters, data: st.DataObject, here: Market, half_spread_ticks: int, later: float
) -> None:
    view = data.draw(views(place=here, with_orders=False))
    wanted = decide(chosen, replace(view, book=book_of(here, half_spread_ticks=half_spread_ticks)))
    book = book_of(here, half_spread_ticks=half_spread_ticks, own=wanted.quotes)
    again = decide(chosen, replace(view, now=NOW + later, book=book, orders=orders_of(wanted, here)))
    assert again.quotes == wanted.quotes


# Prices.


def test_first_quotes_are_at_their_spreads_from_the_mid() -> None:
    wanted = plain(bid_spread_fraction=D("0.001"), ask_spread_fraction=D("0.002"))
    assert prices(bids(wanted)) == [D("59940.0")]
    assert prices(asks(wanted)) == [D("60120.0")]
    assert wanted.phase == "quoting"


def test_micro_price_leans_to_the_side_with_less() -> None:
    book = BookChanged("gateio_spot", BTC.instrument.symbol, ((59_990.0, 3.0),), ((60_010.0, 1.0),), 1, 1, 0, NOW)
    wanted = plain(view_of(book=book), price_source=PriceSource.MICRO_PRICE)
    assert wanted.facts["reference_price"] == D("60005.00")


def test_own_orders_move_no_reference_price() -> None:
    own = [Quote(side=Side.BUY, price=D("59999"), quantity=D("0.5")), Quote(side=Side.SELL, price=D("60004.9"), quantity=D(5))]
    orders = tuple(live_order(quote.side, quote.price, quote.quantity, number=number) for number, quote in enumerate(own))
    for source in (PriceSource.MID, PriceSource.MICRO_PRICE):
        wanted = plain(view_of(book=book_of(BTC, half_spread_ticks=100, own=own), orders=orders), price_source=source)
        assert wanted.facts["reference_price"] == D(60_000)


def test_order_of_ours_that_has_just_ended_moves_no_reference_price() -> None:
    own = [Quote(side=Side.BUY, price=D("59999"), quantity=D("0.5"))]
    ended = live_order(Side.BUY, "59999", "0.5", state=OrderState.CANCELLED)
    wanted = plain(view_of(book=book_of(BTC, half_spread_ticks=100, own=own), ended_orders=(ended,)))
    assert wanted.facts["reference_price"] == D(60_000)


def test_last_trade_is_waited_for_and_then_quoted_around() -> None:
    assert plain(price_source=PriceSource.LAST_TRADE) == Wanted(phase="waiting for the first trade")
    trade = TradeHappened("gateio_spot", BTC.instrument.symbol, "1", Side.BUY, 60_003.0, 1.0, 0, NOW)
    assert plain(view_of(last_trade=trade), price_source=PriceSource.LAST_TRADE).facts["reference_price"] == D("60003.0")


def test_reference_exchange_sets_the_price_and_without_its_book_nothing_is_quoted() -> None:
    assert plain(price_source=PriceSource.REFERENCE_MID) == Wanted(phase="waiting for the reference exchange's book")
    wanted = plain(view_of(reference_book=book_of(BTC, mid=D(60_100))), price_source=PriceSource.REFERENCE_MID)
    assert wanted.facts["reference_price"] == D(60_100)
    assert prices(asks(wanted)) == [D("60160.1")]
    # Its bid would be 60039.9: over here that takes, so that it is kept a tick under the best ask.
    assert prices(bids(wanted)) == [D("60000.4")]


def test_without_a_book_nothing_is_quoted() -> None:
    assert plain(view_of(book=None)) == Wanted(phase="waiting for the book")


def test_spreads_are_widened_in_proportion_to_pay_the_fees_of_both_sides() -> None:
    wanted = plain(
        maker_fee_fraction=D("0.002"), spread_min_fraction=D("0.001"), bid_spread_fraction=D("0.001"), ask_spread_fraction=D("0.001")
    )
    bid, ask = bids(wanted)[0].price, asks(wanted)[0].price
    assert ask * D("0.998") - bid * D("1.002") == pytest.approx(60, abs=1)  # a thousandth of the price is left


def test_spreads_are_narrowed_in_proportion_to_the_maximum() -> None:
    wanted = plain(bid_spread_fraction=D("0.01"), ask_spread_fraction=D("0.03"), spread_max_fraction=D("0.02"))
    assert prices(wanted.quotes) == [D(60_000) * D("0.995"), D(60_000) * D("1.015")]


def test_order_optimisation_quotes_a_tick_ahead_of_others_and_not_further() -> None:
    book = book_of(BTC, half_spread_ticks=1000)
    assert prices(plain(view_of(book=book)).quotes) == [D("59940.0"), D("60060.0")]
    assert prices(plain(view_of(book=book), order_optimisation=True).quotes) == [D("59900.1"), D("60099.9")]


def test_order_optimisation_overlooks_small_orders_and_our_own() -> None:
    book = book_of(BTC, half_spread_ticks=1000)  # 500 quote units on each level
    assert prices(plain(view_of(book=book), order_optimisation=True, optimisation_depth_quote=D(1200)).quotes) == [
        D("59899.9"),
        D("60100.1"),
    ]
    own = [Quote(side=Side.BUY, price=D("59900.1"), quantity=D("0.001668"))]
    view = view_of(book=book_of(BTC, half_spread_ticks=1000, own=own), orders=(live_order(Side.BUY, "59900.1", "0.001668"),))
    assert prices(bids(plain(view, order_optimisation=True))) == [D("59900.1")]


def test_order_optimisation_goes_no_wider_than_the_maximum_spread() -> None:
    book = book_of(BTC, half_spread_ticks=20_000)
    assert prices(plain(view_of(book=book), order_optimisation=True).quotes) == [D("59400.0"), D("60600.0")]


def test_quote_of_a_side_that_leads_above_the_ceiling_or_under_the_floor_is_left_out() -> None:
    above = plain(price_ceiling=D(59_000))
    assert (bids(above), above.phase) == ([], "only selling: price above its ceiling")
    under = plain(price_floor=D(61_000))
    assert (asks(under), under.phase) == ([], "only buying: price under its floor")
    assert plain(price_ceiling=D(61_000), price_floor=D(59_000)).phase == "quoting"


def test_moving_band_follows_the_mean_of_the_mids() -> None:
    history = History(tuple(MidSample(NOW - 1000 + at, 50_000.0 if at < 400 else 59_000.0) for at in range(1000)))
    wanted = plain(view_of(history=history), moving_band_fraction=D("0.01"))
    assert (bids(wanted), wanted.phase) == ([], "only selling: price above its ceiling")
    assert plain(view_of(history=history), moving_band_fraction=D("0.02")).phase == "quoting"
    assert Quoting(replace(PLAIN, moving_band_fraction=D("0.02"))).history_seconds == 600
    assert Quoting(PLAIN).history_seconds == 0


# Levels and amounts.


def test_levels_follow_at_growing_spacings_with_growing_amounts() -> None:
    wanted = plain(levels=3, level_spacing_fraction=D("0.001"), level_spacing_growth=D(2), level_amount_growth=D("1.5"))
    assert prices(bids(wanted)) == [D("59940.0"), D("59880.0"), D("59760.0")]
    assert prices(asks(wanted)) == [D("60060.0"), D("60120.0"), D("60240.0")]
    assert quantities(bids(wanted)) == [D("0.001666"), D("0.002500"), D("0.003750")]


def test_levels_that_would_cost_nothing_or_less_are_left_out() -> None:
    assert len(bids(plain(levels=5, level_spacing_fraction=D("0.4")))) == 3
    extreme = plain(levels=100, level_spacing_fraction=D("0.9"), level_spacing_growth=D(10), level_amount_growth=D(10))
    assert len(bids(extreme)) == 2
    worthless = market("NIL", "0.00000001", "0.00000001", "1", "1", "1")
    book = BookChanged("gateio_spot", worthless.instrument.symbol, ((1e-8, 1e12),), ((2e-8, 1e12),), 1, 1, 0, NOW)
    rules = replace(worthless.instrument, notional_max=D(1_000))
    assert bids(plain(view_of(worthless, book=book, instrument=rules), bid_spread_fraction=D("0.9"), spread_max_fraction=D(2))) == []


def test_levels_without_spacing_are_a_tick_apart() -> None:
    assert prices(bids(plain(levels=3, level_spacing_fraction=D(0)))) == [D("59940.0"), D("59939.9"), D("59939.8")]


def test_amount_is_in_base_units_if_given_so() -> None:
    assert quantities(plain(order_amount_base=D("0.25")).quotes) == [D("0.25"), D("0.25")]


def test_amount_is_kept_to_what_the_exchange_takes_at_most() -> None:
    rules = replace(BTC.instrument, quantity_max=D("0.001"))
    assert quantities(plain(view_of(instrument=rules)).quotes) == [D("0.001"), D("0.001")]
    rules = replace(BTC.instrument, notional_max=D(30))
    assert all(quote.price * quote.quantity <= 30 for quote in plain(view_of(instrument=rules)).quotes)


def test_amount_below_the_exchanges_minimum_is_said() -> None:
    assert plain(view_of(order_quote=D(2))).phase == "quoting nothing: amount below the exchange's minimum"


def test_exchange_that_takes_one_side_only_gets_that_one() -> None:
    rules = replace(DOGE.instrument, status=TradingStatus.SELL_ONLY)
    wanted = plain(view_of(DOGE, instrument=rules))
    assert (bids(wanted), wanted.phase) == ([], "only selling: closed by the exchange")
    assert plain(view_of(DOGE, instrument=replace(rules, status=TradingStatus.CLOSED))).quotes == ()


# Inventory.


def test_half_full_inventory_leans_prices_and_shrinks_what_leads_further() -> None:
    held = D(500) / 60_000
    wanted = plain(view_of(inventory=held), inventory_price_skew=D(1), inventory_max_orders=D(10), inventory_size_skew=D(1))
    assert prices(wanted.quotes) == [D("59910.0"), D("60030.0")]  # both down by half of half the spread, 30
    assert quantities(wanted.quotes) == [D("0.000833"), D("0.001665")]


def test_level_is_not_lifted_by_a_tick_when_more_inventory_leaves_the_first_level_on_its_own() -> None:
    parameters = {
        "bid_spread_fraction": D("0.00100083"),
        "ask_spread_fraction": D("0.00099917"),
        "levels": 4,
        "level_spacing_fraction": D("0.10000003"),
        "inventory_price_skew": D(1),
    }
    lighter, heavier = (prices(bids(plain(view_of(inventory=D(orders) / 60_000), **parameters))) for orders in ("0", "0.5"))
    assert lighter[0] == heavier[0]
    assert all(new <= old for new, old in zip(heavier, lighter, strict=True))
    held = [view_of(inventory=D(orders) / 60_000, book=book_of(BTC, half_spread_ticks=700)) for orders in ("0", "0.5")]
    parameters |= {"order_optimisation": True, "level_spacing_fraction": D("0.10000001")}
    lighter, heavier = (prices(bids(plain(view, **parameters))) for view in held)
    assert heavier == lighter  # both a tick ahead of the others


def test_levels_shrink_in_number_on_the_side_that_leads_further() -> None:
    wanted = plain(view_of(inventory=D(-750) / 60_000), levels=4, inventory_level_skew=D(1), inventory_size_skew=D(0))
    assert (len(bids(wanted)), len(asks(wanted))) == (4, 1)


def test_full_inventory_is_only_sold_and_never_exceeded() -> None:
    wanted = plain(view_of(inventory="0.02"), inventory_max_base=D("0.02"), inventory_size_skew=D(0))
    assert (bids(wanted), wanted.phase) == ([], "only selling: inventory at its maximum")
    wanted = plain(view_of(inventory="0.0175"), inventory_max_base=D("0.02"), inventory_size_skew=D(0), levels=3)
    assert quantities(bids(wanted)) == [D("0.001666"), D("0.000834")]


def test_inventory_is_measured_from_its_target() -> None:
    at_target = plain(view_of(inventory="0.3"), inventory_target_base=D("0.3"), inventory_max_base=D("0.2"))
    assert at_target.facts["inventory_fraction"] == 0
    assert prices(at_target.quotes) == [D("59940.0"), D("60060.0")]


# Patience.


def test_order_younger_than_its_refresh_interval_stays_where_it_is() -> None:
    bid = live_order(Side.BUY, "59930.0", "0.0016", created_at=NOW - 4.9)
    assert prices(bids(plain(view_of(orders=(bid,))))) == [D("59930.0")]
    assert quantities(bids(plain(view_of(orders=(bid,))))) == [D("0.0016")]
    assert prices(bids(plain(view_of(now=NOW + 0.2, orders=(bid,))))) == [D("59940.0")]


def test_amended_order_is_as_young_as_its_amendment() -> None:
    bid = live_order(Side.BUY, "59930.0", "0.0016", created_at=NOW - 100, changed_at=NOW - 1, amended=True)
    assert prices(bids(plain(view_of(orders=(bid,))))) == [D("59930.0")]


def test_young_order_that_came_too_near_to_the_price_is_moved_at_once() -> None:
    near, in_the_way = live_order(Side.BUY, "59986.0", "0.0016"), live_order(Side.BUY, "60012.0", "0.0016")
    for order in (near, in_the_way):
        assert prices(bids(plain(view_of(orders=(order,))))) == [D("59940.0")]


def test_order_that_is_being_amended_stays_where_it_is_asked_to_be() -> None:
    asked = UnseenAmendment(price=D("59920.0"), quantity=D("0.0015"))
    bid = live_order(
        Side.BUY,
        "59930.0",
        "0.0016",
        state=OrderState.PENDING_AMEND,
        created_at=NOW - 9,
        changed_at=NOW,
        amended=True,
        unseen_amendments=(asked,),
    )
    wanted = plain(view_of(orders=(bid,)))
    assert (prices(bids(wanted)), quantities(bids(wanted))) == ([D("59920.0")], [D("0.0015")])


def test_order_on_its_way_out_keeps_no_place() -> None:
    going = live_order(Side.BUY, "59930.0", "0.0016", state=OrderState.PENDING_CANCEL)
    assert prices(bids(plain(view_of(orders=(going,))))) == [D("59940.0")]


def test_young_orders_take_the_places_nearest_to_them_and_other_levels_keep_off_their_prices() -> None:
    second = live_order(Side.BUY, "59885.0", "0.0016")
    assert prices(bids(plain(view_of(orders=(second,)), levels=3))) == [D("59940.0"), D("59885.0"), D("59820.0")]
    first = live_order(Side.BUY, "59880.0", "0.0016", number=2)
    both = plain(view_of(orders=(live_order(Side.BUY, "59930", "0.0016"), first)), levels=2, level_spacing_fraction=D(0))
    assert prices(bids(both)) == [D("59930.0"), D("59880.0")]


def test_tolerances_are_passed_on() -> None:
    tolerance = plain(refresh_tolerance_fraction=D("0.0001"), quantity_tolerance_fraction=D("0.3")).tolerance
    assert (tolerance.price_fraction, tolerance.quantity_fraction) == (D("0.0001"), D("0.3"))


def test_filled_side_gets_nothing_new_for_its_delay_and_keeps_what_it_has() -> None:
    fills = {Side.BUY: LastFill(NOW - 3, D("59940"), D("0.001"))}
    alone = plain(view_of(last_fills=fills), filled_order_delay_seconds=5)
    assert (bids(alone), len(asks(alone)), alone.phase) == ([], 1, "only selling: pausing after a fill")
    second = live_order(Side.BUY, "59880", "0.0016", created_at=NOW - 100)
    assert prices(bids(plain(view_of(last_fills=fills, orders=(second,)), filled_order_delay_seconds=5, levels=2))) == [D("59880")]
    assert len(bids(plain(view_of(last_fills=fills), filled_order_delay_seconds=3))) == 1


def test_ping_pong_sells_after_a_buy_and_buys_after_a_sell() -> None:
    buy, sell = LastFill(NOW - 30, D("59940"), D("0.001")), LastFill(NOW - 10, D("60060"), D("0.001"))
    assert plain(ping_pong=True).phase == "quoting"
    assert plain(view_of(last_fills={Side.BUY: buy}), ping_pong=True).phase == "only selling: ping-pong"
    assert plain(view_of(last_fills={Side.BUY: buy, Side.SELL: sell}), ping_pong=True).phase == "only buying: ping-pong"


def test_order_left_alone_by_a_fill_of_the_other_side_hangs_beside_the_new_ones() -> None:
    alone = live_order(Side.SELL, "60300", "0.0011", created_at=NOW - 100)
    fills = {Side.BUY: LastFill(NOW - 50, D("59940"), D("0.001"))}
    view = view_of(orders=(alone,), last_fills=fills)
    assert prices(asks(plain(view))) == [D("60060.0")]
    hanging = plain(view, hanging_orders_max=1)
    assert [(ask.price, ask.quantity, ask.level) for ask in asks(hanging)] == [
        (D("60060.0"), D("0.001665"), 0),
        (D(60_300), D("0.0011"), 1),
    ]
    assert prices(asks(plain(view, hanging_orders_max=1, hanging_distance_max_fraction=D("0.004")))) == [D("60060.0")]
    placed_after = replace(alone, created_at=NOW - 40)
    assert prices(asks(plain(view_of(orders=(placed_after,), last_fills=fills), hanging_orders_max=1))) == [D("60060.0")]


def test_only_so_many_orders_hang_the_nearest_ones() -> None:
    orders = tuple(live_order(Side.SELL, str(60_500 - 100 * number), "0.001", number=number, created_at=NOW - 100) for number in range(4))
    fills = {Side.BUY: LastFill(NOW - 50, D("59940"), D("0.001"))}
    wanted = plain(view_of(orders=orders, last_fills=fills), hanging_orders_max=2)
    assert prices(asks(wanted)) == [D("60060.0"), D(60_200), D(60_300)]


def test_new_quotes_keep_off_the_prices_of_orders_that_stay() -> None:
    hanging = live_order(Side.SELL, "60060", "0.001", created_at=NOW - 100)
    young = live_order(Side.SELL, "60060.1", "0.001", number=2)
    view = view_of(orders=(hanging, young), last_fills={Side.BUY: LastFill(NOW - 50, D("59940"), D("0.001"))})
    wanted = plain(view, hanging_orders_max=1, levels=2, level_spacing_fraction=D(0))
    assert prices(asks(wanted)) == [D("60060.0"), D("60060.1"), D("60060.2")]


def test_order_beyond_the_band_stays_for_no_reason() -> None:
    orders = (live_order(Side.SELL, "60300", "0.001", created_at=NOW - 100), live_order(Side.BUY, "59800", "0.001", created_at=NOW - 100))
    buy, sell = (LastFill(NOW - 1, D(60_000), D("0.001")) for _ in range(2))
    view = view_of(orders=orders, last_fills={Side.BUY: buy, Side.SELL: sell})
    assert len(plain(view, hanging_orders_max=1, filled_order_delay_seconds=5).quotes) == 2
    assert bids(plain(view, hanging_orders_max=1, filled_order_delay_seconds=5, price_ceiling=D(59_700))) == []
    assert asks(plain(view, hanging_orders_max=1, filled_order_delay_seconds=5, price_floor=D(60_400))) == []


def test_side_that_pauses_after_a_fill_keeps_the_orders_nearest_to_the_market() -> None:
    orders = tuple(live_order(Side.BUY, price, "0.001", number=number) for number, price in enumerate(("59700", "59900", "59800")))
    view = view_of(orders=orders, last_fills={Side.BUY: LastFill(NOW - 1, D(59_940), D("0.001"))})
    assert prices(bids(plain(view, filled_order_delay_seconds=5, levels=2))) == [D(59_900), D(59_800)]


# Parameters.


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bid_spread_fraction": D(0)}, "bid_spread_fraction is above 0"),
        ({"ask_spread_fraction": D(1)}, "ask_spread_fraction is a fraction from 0 to below 1"),
        ({"levels": 0}, "levels is 1 to 100"),
        ({"maker_fee_fraction": D(1)}, "maker_fee_fraction is between -1 and 1"),
        ({"maker_fee_fraction": D("-0.001")}, "spread_min_fraction and twice maker_fee_fraction must be above 0"),
        ({"spread_max_fraction": D("0.001")}, "spread_max_fraction is 0.001, narrower than the fees of both sides"),
        ({"refresh_tolerance_fraction": D("0.01")}, "refresh_tolerance_fraction is 0.01; expected less than 0.00125"),
        ({"price_ceiling": D(1), "price_floor": D(2)}, "price_floor must be under price_ceiling"),
        ({"inventory_size_skew": D("1.1")}, "inventory_size_skew is 0 to 1"),
        ({"inventory_price_skew": D(-1)}, "inventory_price_skew is 0 to 10"),
        ({"order_amount_base": D(0)}, "order_amount_base is above 0"),
        ({"level_amount_growth": D(11)}, "level_spacing_growth and level_amount_growth are factors above 0, at most 10"),
        ({"refresh_seconds": -1.0}, "refresh_seconds is 0 or more"),
        ({"moving_band_fraction": D(2)}, "moving_band_fraction is a fraction"),
    ],
)
def test_parameter_out_of_range_is_refused_by_name(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuotingParameters(**wrong)


def test_parameters_are_read_from_a_settings_table() -> None:
    table = {"levels": 3, "bid_spread_fraction": "0.002", "price_source": "micro_price", "inventory_max_base": 2}
    chosen = decode(table, QuotingParameters, "cycles.btc.parameters")
    assert (chosen.levels, chosen.bid_spread_fraction, chosen.inventory_max_base) == (3, D("0.002"), D(2))
    assert chosen.price_source is PriceSource.MICRO_PRICE
    assert msgspec.convert(chosen, QuotingParameters, from_attributes=True) == chosen


def test_defaults_quote_both_sides_of_every_market_and_pay_their_fees() -> None:
    for place in MARKETS:
        wanted = decide(QuotingParameters(), view_of(place))
        assert wanted.phase == "quoting"
        assert len(wanted.quotes) == 2
        assert asks(wanted)[0].price * D("0.999") > bids(wanted)[0].price * D("1.001")


def test_every_parameter_is_explained_where_it_is_declared() -> None:
    for kind in (TwoSidedParameters, QuotingParameters):
        own = set(kind.__annotations__)
        assert all(f"`{name}`" in (kind.__doc__ or "") for name in own)


@pytest.mark.parametrize("kind", [QuotingParameters, AvellanedaStoikovParameters])
def test_documentation_has_every_parameter_with_its_default(kind: type[TwoSidedParameters]) -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (?:`([^|]+)`|none) \| `[^|]+` \|", DOCUMENT.read_text(), re.MULTILINE)
    documented = {name: default.strip('"') for name, default in rows}
    for field in msgspec.structs.fields(kind):
        default = field.default.value if isinstance(field.default, enum.Enum) else field.default
        assert documented[field.name] == ("" if default is None else f"{default:g}" if isinstance(default, float) else str(default).lower())
    both = {field.name for each in (QuotingParameters, AvellanedaStoikovParameters) for field in msgspec.structs.fields(each)}
    assert set(documented) == both


def test_empty_tally_holds_nothing() -> None:
    assert plain(view_of(tally=Tally())).facts["inventory_fraction"] == 0
