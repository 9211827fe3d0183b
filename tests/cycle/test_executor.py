"""From what should be live to requests: pure planning."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from actors.cycle.rounds.controller import Decision, DesiredOrder
from actors.cycle.rounds.executor import plan, tag_for
from actors.cycle.slots import slot_of
from market.events import Side
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import Order
from orders.request import OrderRequest, OrderType, TimeInForce

BTC_USDT = Symbol("BTC", "USDT")
LIVE = [state for state in OrderState if not state.is_terminal]


def wanted(price: str = "100", quantity: str = "2", slot: str = "sell") -> DesiredOrder:
    return DesiredOrder(
        slot=slot,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        price=Decimal(price),
        quantity=Decimal(quantity),
    )


def order(
    number: int = 1,
    state: OrderState = OrderState.OPEN,
    *,
    price: str = "100",
    quantity: str = "2",
    filled: str = "0",
    slot: str = "sell",
    cancel_wanted: bool = False,
) -> Order:
    request = OrderRequest(
        client_order_id=f"mm-btc-{number}",
        owner="btc",
        symbol=BTC_USDT,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        price=Decimal(price),
        quantity=Decimal(quantity),
        tag=tag_for(1, slot),
    )
    return Order(request=request, state=state, filled_quantity=Decimal(filled), sent=True, cancel_wanted=cancel_wanted)


def desire(*desired: DesiredOrder) -> Decision:
    return Decision(phase="", desired=desired)


def test_empty_slot_is_filled() -> None:
    found = plan(desire(wanted()), [], may_place=True)
    assert (found.cancels, found.places) == ((), (wanted(),))


def test_nothing_is_placed_while_the_account_is_not_ready_and_cancels_go_on() -> None:
    resting = order(price="101")
    assert plan(desire(wanted()), [], may_place=False).places == ()
    assert plan(desire(wanted()), [resting], may_place=False).cancels == (resting,)


def test_order_as_desired_stays_where_it_is() -> None:
    found = plan(desire(wanted(quantity="1.5")), [order(filled="0.5", state=OrderState.PARTIALLY_FILLED)], may_place=True)
    assert found == plan(desire(wanted()), [order()], may_place=True)
    assert (found.cancels, found.places) == ((), ())


def test_order_at_another_price_or_quantity_is_cancelled_and_not_yet_replaced() -> None:
    for other in (order(price="101"), order(quantity="3")):
        found = plan(desire(wanted()), [other], may_place=True)
        assert (found.cancels, found.places) == ((other,), ())


def test_order_that_nobody_wants_is_cancelled() -> None:
    resting = order()
    assert plan(desire(), [resting], may_place=True).cancels == (resting,)


def test_hold_leaves_everything_as_it_is() -> None:
    found = plan(Decision(phase="", hold=True), [order(), order(2, price="5")], may_place=True)
    assert (found.cancels, found.places) == ((), ())


def test_second_live_order_in_a_slot_is_cancelled_even_if_it_is_as_desired() -> None:
    first, second = order(1), order(2)
    found = plan(desire(wanted()), [first, second], may_place=True)
    assert (found.cancels, found.places) == ((second,), ())


def test_unknown_and_pending_orders_keep_their_slot_and_are_not_cancelled_blindly() -> None:
    for state in (OrderState.UNKNOWN, OrderState.PENDING_NEW, OrderState.PENDING_CANCEL, OrderState.PENDING_AMEND):
        found = plan(desire(wanted(price="99")), [order(state=state)], may_place=True)
        assert (found.cancels, found.places) == ((), ())


def test_cancellation_is_asked_for_once() -> None:
    assert plan(desire(), [order(cancel_wanted=True)], may_place=True).cancels == ()


def test_slot_is_the_last_part_of_the_tag() -> None:
    assert slot_of(order(slot="sell")) == "sell"


orders = st.lists(
    st.builds(
        lambda number, state, price, slot: order(number, state, price=price, slot=slot),
        number=st.integers(1, 9),
        state=st.sampled_from(list(OrderState)),
        price=st.sampled_from(["99", "100"]),
        slot=st.sampled_from(["sell", "other"]),
    ),
    max_size=5,
    unique_by=lambda one: one.client_order_id,
)


@given(existing=orders, price=st.sampled_from(["99", "100"]))
def test_repeated_application_reaches_the_desired_set_and_then_sends_nothing(existing: list[Order], price: str) -> None:
    decision, book = desire(wanted(price=price)), {one.client_order_id: one for one in existing}
    for round_number in range(10):
        # The exchange settles what is on its way, then carries out the plan.
        for name, one in book.items():
            if one.state in (OrderState.UNKNOWN, OrderState.PENDING_NEW, OrderState.PENDING_AMEND):
                book[name] = order(int(name.rsplit("-", 1)[1]), price=str(one.request.price), slot=slot_of(one))
            elif one.state is OrderState.PENDING_CANCEL:
                book[name] = order(int(name.rsplit("-", 1)[1]), OrderState.CANCELLED, price=str(one.request.price), slot=slot_of(one))
        found = plan(decision, book.values(), may_place=True)
        live = [one for one in book.values() if not one.is_terminal]
        assert len(found.places) <= 1
        assert not (found.places and any(slot_of(one) == "sell" for one in live)), "a slot is filled only when it is empty"
        for one in found.cancels:
            book[one.client_order_id] = order(int(one.client_order_id.rsplit("-", 1)[1]), OrderState.CANCELLED, slot=slot_of(one))
        for desired in found.places:
            book[f"mm-btc-{100 + round_number}"] = order(100 + round_number, price=str(desired.price))
    assert plan(decision, book.values(), may_place=True).cancels == ()
    assert plan(decision, book.values(), may_place=True).places == ()
    live = [one for one in book.values() if not one.is_terminal]
    assert [(slot_of(one), one.request.price) for one in live] == [("sell", Decimal(price))]
