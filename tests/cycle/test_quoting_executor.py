"""From the wanted quotes to the fewest requests: pure planning."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace
from quoting_samples import around, ask, bid, live

from actors.cycle.quoting.contract import Quote, Tolerance, Wanted
from actors.cycle.quoting.executor import Plan, plan
from actors.cycle.quoting.funds import Funds
from actors.cycle.quoting.limits import Room, SideRoom
from market.events import Side
from orders.commands import AmendOrder
from orders.life_cycle import OrderState
from orders.order import Order, UnseenAmendment
from orders.request import TimeInForce

ONE_PER_MILLE = Tolerance(price_fraction=Decimal("0.001"), quantity_fraction=Decimal("0.1"))
LEVELS = (bid("99.9"), ask("100.1"), bid("99.8", level=1), ask("100.2", level=1))
RESTING = [live("b0", "99.9"), live("b1", "99.8"), live("s0", "100.1"), live("s1", "100.2")]
UNHEARD = [OrderState.PENDING_NEW, OrderState.PENDING_AMEND, OrderState.PENDING_CANCEL, OrderState.UNKNOWN]


def want(*quotes: Quote, tolerance: Tolerance = Tolerance(), hold: bool = False) -> Wanted:  # noqa: B008 - frozen
    return Wanted(quotes=quotes, tolerance=tolerance, hold=hold)


def placed(found: Plan) -> list[tuple[str, Decimal]]:
    return [(placement.slot, placement.quote.price) for placement in found.places]


def amended(found: Plan) -> list[tuple[str, Decimal | None, Decimal | None]]:
    return [(amendment.client_order_id, amendment.price, amendment.quantity) for amendment in found.amends]


def requests(found: Plan) -> int:
    return len(found.cancels) + len(found.amends) + len(found.places)


# Placing


def test_empty_sides_are_filled_level_by_level_each_order_in_a_slot_of_its_own() -> None:
    found = plan(want(*LEVELS), [], around())
    assert placed(found) == [("b0", Decimal("99.9")), ("s0", Decimal("100.1")), ("b1", Decimal("99.8")), ("s1", Decimal("100.2"))]
    assert (found.cancels, found.amends, found.is_waiting) == ((), (), False)


def test_what_is_as_wanted_needs_no_request() -> None:
    assert plan(want(*LEVELS), RESTING, around(may_amend=True)) == Plan()


def test_free_slot_is_used_again_whichever_quote_comes() -> None:
    found = plan(want(*LEVELS, bid("99.7", level=2)), [live("b2", "99.9"), live("b0", "99.8"), *RESTING[2:]], around())
    assert placed(found) == [("b1", Decimal("99.7"))]


def test_quotes_are_put_on_ticks_and_steps_away_from_the_market_and_left_out_below_the_minimum() -> None:
    found = plan(want(bid("99.97", "1.019"), ask("100.03", "1.019"), bid("99.5", "0.009", 1), ask("0.5", "1", 2)), [], around())
    assert [(p.quote.price, p.quote.quantity) for p in found.places] == [
        (Decimal("99.9"), Decimal("1.01")),
        (Decimal("100.1"), Decimal("1.01")),
    ]


def test_hold_leaves_everything_as_it_is() -> None:
    assert plan(want(bid("1"), hold=True), RESTING, around(may_amend=True)) == Plan()


def test_nothing_is_placed_or_amended_while_the_account_is_not_ready_and_what_is_wrong_is_cancelled() -> None:
    found = plan(want(*LEVELS), [live("b0", "99.5"), RESTING[2]], around(may_place=False, may_amend=True))
    assert [order.client_order_id for order in found.cancels] == ["mm-btc-b00"]
    assert (found.amends, found.places) == ((), ())


def test_side_that_pauses_gets_nothing_new_and_the_other_does() -> None:
    assert placed(plan(want(*LEVELS[:2]), [], around(pausing=frozenset({Side.BUY})))) == [("s0", Decimal("100.1"))]


# Keeping


def test_order_within_tolerance_keeps_its_place_in_the_queue() -> None:
    assert plan(want(bid("99.9", "1.05"), tolerance=ONE_PER_MILLE), [live("b0", "99.85", "1")], around(may_amend=True)) == Plan()


@pytest.mark.parametrize(("price", "quantity"), [("99.7", "1"), ("99.9", "0.8")])
def test_order_out_of_tolerance_in_price_or_quantity_does_not_stay(price: str, quantity: str) -> None:
    found = plan(want(bid("99.9"), tolerance=ONE_PER_MILLE), [live("b0", price, quantity)], around())
    assert len(found.cancels) == 1


def test_what_remains_of_a_partially_filled_order_is_judged() -> None:
    half = live("b0", "99.9", "2", filled="1", state=OrderState.PARTIALLY_FILLED)
    assert plan(want(bid("99.9", "1")), [half], around()) == Plan()
    assert plan(want(bid("99.9", "2")), [half], around()).cancels == (half,)


def test_level_that_moved_past_the_others_takes_one_request_where_the_exchange_amends() -> None:
    found = plan(want(bid("100.0"), bid("99.9", level=1)), RESTING[:2], around(may_amend=True))
    assert amended(found) == [("mm-btc-b10", Decimal("100.0"), None)]
    assert requests(found) == 1


def test_level_that_moved_is_cancelled_and_replaced_only_after_its_end_where_the_exchange_does_not_amend() -> None:
    wanted = want(bid("100.0"), bid("99.9", level=1))
    found = plan(wanted, RESTING[:2], around())
    assert (found.cancels, found.places, found.is_waiting) == ((RESTING[1],), (), True)
    leaving = replace(RESTING[1], state=OrderState.PENDING_CANCEL, cancel_wanted=True)
    assert plan(wanted, [RESTING[0], leaving], around()) == Plan(is_waiting=True)
    after = plan(wanted, [RESTING[0], replace(leaving, state=OrderState.CANCELLED)], around())
    assert placed(after) == [("b1", Decimal("100.0"))]
    assert requests(after) == 1


def test_nearest_order_stays_with_each_quote_so_that_the_fewest_move() -> None:
    moved = [bid(Decimal("99.9") + Decimal("0.1") * shift, level=level) for level, shift in enumerate((2, 1, 0, -1, -2))]
    orders = [live(f"b{number}", Decimal("100.2") - Decimal("0.1") * number) for number in range(5)]  # one tick higher
    found = plan(want(*moved), orders, around(may_amend=True))
    assert amended(found) == [("mm-btc-b00", Decimal("99.7"), None)]
    assert requests(found) == 1


# Amending


def test_amendment_changes_only_what_is_out_of_tolerance_and_states_the_whole_quantity() -> None:
    half = live("b0", "99.9", "2", filled="0.5", state=OrderState.PARTIALLY_FILLED)
    wanted = want(bid("99.9", "1"))
    assert amended(plan(wanted, [half], around(may_amend=True))) == [("mm-btc-b00", None, Decimal("1.5"))]
    wanted = want(bid("99.8", "1"))
    assert amended(plan(wanted, [half], around(may_amend=True))) == [("mm-btc-b00", Decimal("99.8"), Decimal("1.5"))]


def test_order_that_is_not_to_be_amended_any_more_is_cancelled() -> None:
    order = live("b0", "99.5")
    found = plan(want(bid("99.9")), [order], around(may_amend=True, not_amendable=frozenset({order.client_order_id})))
    assert (found.cancels, found.amends) == ((order,), ())


def test_order_of_another_kind_is_not_amended_into_what_is_wanted() -> None:
    quote = replace(bid("99.9"), time_in_force=TimeInForce.GOOD_TILL_CANCELLED)
    assert len(plan(want(quote), [live("b0", "99.8")], around(may_amend=True)).cancels) == 1


def test_order_that_is_being_amended_is_judged_by_what_it_is_to_become() -> None:
    amendment = UnseenAmendment(price=Decimal("99.9"), quantity=None)
    order = replace(live("b0", "99.5", state=OrderState.PENDING_AMEND), unseen_amendments=(amendment,))
    assert plan(want(bid("99.9")), [order], around(may_amend=True)) == Plan()
    assert plan(want(bid("99.5")), [order], around(may_amend=True)) == Plan(is_waiting=True)


# What is not heard of


@pytest.mark.parametrize("state", UNHEARD)
def test_order_that_nobody_has_heard_of_occupies_its_place_and_is_asked_nothing(state: OrderState) -> None:
    order = live("b0", "99.5", state=state)
    assert plan(want(bid("99.9")), [order], around(may_amend=True)) == Plan(is_waiting=True)
    assert plan(want(), [order], around(may_amend=True)) == Plan(is_waiting=True)


def test_other_levels_are_placed_beside_one_that_nobody_has_heard_of_best_first() -> None:
    found = plan(want(*LEVELS[::2], bid("99.7", level=2)), [live("b0", "90", state=OrderState.UNKNOWN)], around())
    assert placed(found) == [("b1", Decimal("99.9")), ("b2", Decimal("99.8"))]
    assert found.is_waiting


def test_order_that_a_command_is_on_its_way_for_is_asked_nothing_more() -> None:
    order = live("b0", "99.5")
    assert plan(want(), [order], around(asked=frozenset({order.client_order_id}))) == Plan(is_waiting=True)


def test_second_live_order_of_a_slot_goes_however_well_it_fits() -> None:
    first, second = live("b0", "99.9"), live("b0", "99.8", number=1)
    found = plan(want(*LEVELS[::2]), [first, second], around())
    assert (found.cancels, found.places) == ((second,), ())


def test_ended_orders_are_nothing_to_it() -> None:
    ended = [live("b0", "99.9", state=state, number=n) for n, state in enumerate(OrderState) if state.is_terminal]
    assert placed(plan(want(bid("99.9")), ended, around())) == [("b0", Decimal("99.9"))]


# Crossing


def test_bid_waits_until_our_own_ask_at_its_price_has_gone() -> None:
    old_ask = live("s0", "100.1")
    wanted = want(bid("100.1"), ask("100.3"))
    found = plan(wanted, [old_ask], around())
    assert (found.cancels, found.places, found.is_waiting) == ((old_ask,), (), True)
    leaving = replace(old_ask, state=OrderState.UNKNOWN, cancel_wanted=True)
    assert plan(wanted, [leaving], around()).places == ()
    amending = plan(wanted, [old_ask], around(may_amend=True))
    assert (amended(amending), amending.places) == ([(old_ask.client_order_id, Decimal("100.3"), None)], ())


def test_bid_is_not_placed_where_an_unseen_amendment_may_have_taken_our_ask() -> None:
    moved = replace(
        live("s0", "100.3", state=OrderState.PENDING_AMEND), unseen_amendments=(UnseenAmendment(price=Decimal("100.0"), quantity=None),)
    )
    assert plan(want(bid("100.0"), ask("100.3")), [moved], around()).places == ()


def test_bid_is_not_placed_where_an_amendment_that_the_account_has_not_read_may_take_our_ask() -> None:
    our_ask = live("s0", "100.3")
    sent = {our_ask.client_order_id: AmendOrder(client_order_id=our_ask.client_order_id, price=Decimal("100.0"))}
    found = plan(want(ask("100.3"), bid("100.1")), [our_ask], around(may_amend=True, asked=frozenset(sent), amending=sent))
    assert found == Plan(is_waiting=True)


def test_tolerance_does_not_keep_an_order_in_the_way_of_the_other_side() -> None:
    old_ask = live("s0", "100.0")
    found = plan(want(bid("100.0"), ask("100.1"), tolerance=ONE_PER_MILLE), [old_ask], around())
    assert found.cancels == (old_ask,)


def test_wanted_quotes_that_would_trade_with_each_other_are_not_both_placed() -> None:
    assert len(plan(want(bid("100.1"), ask("100.1")), [], around()).places) == 1


def test_post_only_quotes_are_put_one_tick_inside_the_touch_and_others_are_not() -> None:
    found = plan(want(bid("100.5"), ask("100.6")), [], around(best_bid="101.0", best_ask="101.3"))
    assert placed(found) == [("b0", Decimal("100.5")), ("s0", Decimal("101.1"))]
    found = plan(want(bid("101.5")), [], around(best_bid="101.0", best_ask="101.3"))
    assert placed(found) == [("b0", Decimal("101.2"))]
    taking = replace(bid("101.5"), time_in_force=TimeInForce.GOOD_TILL_CANCELLED)
    assert placed(plan(want(taking), [], around(best_bid="101.0", best_ask="101.3"))) == [("b0", Decimal("101.5"))]


def test_post_only_quotes_stay_within_the_bounds_that_a_refusal_has_set() -> None:
    bounds = {Side.BUY: Decimal("99.7"), Side.SELL: Decimal("100.4")}
    found = plan(want(bid("99.9"), ask("100.1")), [], around(price_bounds=bounds))
    assert placed(found) == [("b0", Decimal("99.7")), ("s0", Decimal("100.4"))]


# Funds


def test_levels_that_funds_do_not_cover_are_left_out_the_highest_first() -> None:
    funds = Funds(quote_available=Decimal(250), base_available=Decimal(1))
    wanted = want(*(bid(Decimal(100) - n, level=n) for n in range(4)), *(ask(Decimal(101) + n, level=n) for n in range(3)))
    found = plan(wanted, [], around(funds=funds))
    assert placed(found) == [("b0", Decimal(100)), ("s0", Decimal(101)), ("b1", Decimal(99))]
    kept = [live("b0", "100"), live("b1", "99"), live("s0", "101")]
    left = Funds(quote_available=Decimal(51), base_available=Decimal(0))
    assert plan(wanted, kept, around(funds=left)) == Plan(short=(Side.BUY, Side.SELL))


def test_level_is_left_out_with_all_that_are_higher_even_where_those_are_smaller() -> None:
    wanted = want(bid("100"), bid("99", level=1), bid("98", "0.1", level=2))
    assert placed(plan(wanted, [], around(funds=Funds(quote_available=Decimal(160))))) == [("b0", Decimal(100))]


LESS_THAN_AN_ORDER = Funds(quote_available=Decimal(60), base_available=Decimal("0.998"))


def test_best_level_that_funds_do_not_cover_is_made_as_small_as_they_do_and_nothing_is_placed_beyond_it() -> None:
    wanted = want(bid("100"), ask("101"), bid("99", "0.1", level=1), ask("102", "0.001", level=1))
    found = plan(wanted, [], around(funds=LESS_THAN_AN_ORDER))
    quantities = [(placement.slot, placement.quote.quantity) for placement in found.places]
    assert (quantities, found.short) == ([("b0", Decimal("0.6")), ("s0", Decimal("0.99"))], (Side.BUY, Side.SELL))


def test_best_level_is_left_out_where_funds_cover_less_of_it_than_the_exchange_takes() -> None:
    funds = Funds(quote_available=Decimal("0.99"), base_available=Decimal("0.009"))
    assert plan(want(bid("50"), ask("101")), [], around(funds=funds)) == Plan(short=(Side.BUY, Side.SELL))


@pytest.mark.parametrize("may_amend", [True, False])
def test_order_made_small_for_want_of_funds_stays_until_they_cover_the_whole_and_that_is_told(may_amend: bool) -> None:
    wanted, small = want(ask("101")), live("s0", "101", "0.99")
    told = [Funds(base_available=Decimal("0.008")), Funds(base_available=Decimal("0.008"), are_settled=False)]
    told.append(Funds(base_available=Decimal("5"), are_settled=False))
    for funds in told:
        found = plan(wanted, [small], around(funds=funds, may_amend=may_amend))
        assert found == Plan(short=(Side.SELL,), is_waiting=not funds.are_settled)
    found = plan(wanted, [small], around(funds=Funds(base_available=Decimal("0.01")), may_amend=may_amend))
    assert (amended(found), found.cancels) == (([(small.client_order_id, None, Decimal(1))], ()) if may_amend else ([], (small,)))


@pytest.mark.parametrize("may_amend", [True, False])
def test_order_made_small_for_want_of_funds_follows_the_price_once_it_has_ended_and_its_funds_are_told(may_amend: bool) -> None:
    wanted, small = want(ask("102")), live("s0", "101", "0.99")
    found = plan(wanted, [small], around(funds=Funds(base_available=Decimal("0.008")), may_amend=may_amend))
    assert (found.cancels, found.amends, found.places, found.is_waiting) == ((small,), (), (), True)
    leaving = replace(small, state=OrderState.PENDING_CANCEL, cancel_wanted=True)
    assert plan(wanted, [leaving], around(funds=Funds(base_available=Decimal("0.008")))).is_waiting
    untold = Funds(base_available=Decimal("0.008"), are_settled=False)
    assert plan(wanted, [], around(funds=untold)) == Plan(is_waiting=True)
    assert placed(plan(wanted, [], around(funds=LESS_THAN_AN_ORDER))) == [("s0", Decimal(102))]


def test_position_smaller_than_an_order_is_sold_where_there_is_no_margin_for_more() -> None:
    funds = Funds(quote_available=Decimal(1), position=Decimal("0.4"), leverage=Decimal(10))
    found = plan(want(bid("100"), ask("101")), [], around(funds=funds))
    assert [(each.slot, each.quote.quantity) for each in found.places] == [("s0", Decimal("0.4"))]
    assert plan(want(ask("101")), [live("s0", "101", "0.4")], around(funds=funds)) == Plan(short=(Side.SELL,))


def test_nothing_is_placed_that_does_not_fit_within_the_limits_beside_what_may_still_fill() -> None:
    leaving = live("b0", "99.5", state=OrderState.PENDING_CANCEL, cancel_wanted=True)
    wanted = want(bid("100"), bid("99", level=1))
    found = plan(wanted, [leaving], replace(around(), room=Room(buy=SideRoom(Decimal("1.5"), "net_buy_max"))))
    assert (found.places, found.is_waiting) == ((), True)
    ended = replace(leaving, state=OrderState.CANCELLED)
    found = plan(wanted, [ended], replace(around(), room=Room(buy=SideRoom(Decimal("1.5"), "net_buy_max"))))
    assert placed(found) == [("b0", Decimal(100))]


def test_higher_level_is_cancelled_for_the_best_one_that_lacks_what_it_holds_and_not_put_back() -> None:
    wanted = want(bid("100"), bid("99", level=1), bid("98", level=2))
    orders = [live("b1", "99"), live("b2", "98")]
    found = plan(wanted, orders, around(funds=Funds(quote_available=Decimal(10))))
    assert (found.cancels, found.places, found.is_waiting) == ((orders[1],), (), True)
    leaving = replace(orders[1], state=OrderState.PENDING_CANCEL, cancel_wanted=True)
    assert plan(wanted, [orders[0], leaving], around(funds=Funds(quote_available=Decimal(10)))) == Plan(is_waiting=True)
    then = plan(wanted, orders[:1], around(funds=Funds(quote_available=Decimal(108))))
    assert placed(then) == [("b0", Decimal(100))]
    settled = [orders[0], live("b0", "100")]
    assert plan(wanted, settled, around(funds=Funds(quote_available=Decimal(8)))) == Plan(short=(Side.BUY,))


def test_nothing_is_cancelled_for_want_of_money_before_the_balance_is_told() -> None:
    wanted = want(bid("100"), bid("99", level=1))
    found = plan(wanted, [live("b1", "99")], around(funds=Funds(quote_available=Decimal(0), are_settled=False)))
    assert found == Plan(is_waiting=True)


def test_both_sides_of_a_contract_are_paid_from_the_margin_but_for_what_reduces_the_position() -> None:
    funds = Funds(quote_available=Decimal(15), position=Decimal(1), leverage=Decimal(10))
    wanted = want(bid("100"), ask("101"), bid("99", level=1), ask("102", level=1))
    assert placed(plan(wanted, [], around(funds=funds))) == [("b0", Decimal(100)), ("s0", Decimal(101))]


def order_ids(orders: tuple[Order, ...]) -> list[str]:
    return [order.client_order_id for order in orders]


def test_everything_is_cancelled_when_nothing_is_wanted() -> None:
    found = plan(want(), RESTING, around(may_amend=True))
    assert order_ids(found.cancels) == order_ids(tuple(RESTING))
