"""A strategy's own limits: whatever fills, they hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trades import fill, tally_of

from actors.cycle.quoting.contract import Quote, Wanted
from actors.cycle.quoting.limits import Allowance, Room, SideRoom, clipped, room_of, still_to_count
from actors.cycle.terms import StrategyLimits
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders.life_cycle import OrderState
from orders.order import Order, UnseenAmendment
from orders.reports import FillReport
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.tally import Tally

BTC = Symbol("BTC", "USDT")
RULES = Instrument(
    exchange="gateio_spot",
    symbol=BTC,
    price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"),
    quantity_min=Decimal("0.02"),
    notional_min=Decimal(3),
)
ZERO = Decimal(0)


def quote(side: Side, quantity: str | Decimal, *, level: int = 0, price: str = "100") -> Quote:
    return Quote(side=side, price=Decimal(price), quantity=Decimal(quantity), level=level)


def order(side: Side, quantity: str | Decimal, *fills: FillReport, **changes: Any) -> Order:
    request = OrderRequest(
        client_order_id=f"mm-btc-{len(fills)}",
        owner="btc",
        symbol=BTC,
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(100),
    )
    filled = sum((each.quantity for each in fills), ZERO)
    return Order(**({"request": request, "state": OrderState.OPEN, "fills": fills, "filled_quantity": filled} | changes))


def cut(room: Room, *quotes: Quote) -> list[tuple[str, str]]:
    left = clipped(Wanted(quotes=quotes), room, RULES)
    return [(each.side.value, str(each.quantity)) for each in left.quotes]


# Room


def test_without_limits_there_is_room_for_everything() -> None:
    assert room_of(StrategyLimits(), tally_of(fill(Side.BUY, "5"))) == Room()


def test_room_is_what_the_limit_leaves_after_the_trades_on_each_side() -> None:
    limits = StrategyLimits(net_buy_max=Decimal(3), net_sell_max=Decimal(1))
    room = room_of(limits, tally_of(fill(Side.BUY, "2"), fill(Side.SELL, "0.5")))
    assert room == Room(buy=SideRoom(Decimal("1.5"), "net_buy_max"), sell=SideRoom(Decimal("2.5"), "net_sell_max"))


def test_inventory_counts_fees_that_were_paid_in_base_and_holds_on_both_sides() -> None:
    tally = tally_of(fill(Side.BUY, "2", fee="0.1", fee_asset="BTC"))
    room = room_of(StrategyLimits(inventory_max=Decimal(3)), tally)
    assert (room.buy.quantity, room.sell.quantity) == (Decimal("1.1"), Decimal("4.9"))


def test_tightest_of_several_limits_counts() -> None:
    limits = StrategyLimits(net_buy_max=Decimal(3), inventory_max=Decimal(2))
    assert room_of(limits, Tally()).buy == SideRoom(Decimal(2), "inventory_max")


def test_beyond_a_limit_that_was_lowered_nothing_is_left_towards_it_and_all_the_way_back() -> None:
    room = room_of(StrategyLimits(inventory_max=Decimal(1)), tally_of(fill(Side.SELL, "4")))
    assert (room.buy.quantity, room.sell.quantity) == (5, 0)


# The decision


def test_decision_that_fits_stays_the_same() -> None:
    wanted = Wanted(quotes=(quote(Side.BUY, "1"), quote(Side.SELL, "9")))
    assert clipped(wanted, Room(buy=SideRoom(Decimal(1), "net_buy_max")), RULES) is wanted


def test_higher_levels_are_left_out_first_and_the_last_that_fits_in_part_is_made_smaller() -> None:
    room = Room(buy=SideRoom(Decimal("1.509"), "net_buy_max"))
    quotes = (quote(Side.BUY, "1", level=2), quote(Side.BUY, "1", level=1), quote(Side.SELL, "7"), quote(Side.BUY, "1"))
    assert cut(room, *quotes) == [("buy", "0.50"), ("sell", "7"), ("buy", "1")]


def test_what_is_smaller_than_the_exchange_takes_is_left_out() -> None:
    assert cut(Room(buy=SideRoom(Decimal("0.019"), "net_buy_max")), quote(Side.BUY, "1")) == []
    assert cut(Room(buy=SideRoom(Decimal("0.02"), "net_buy_max")), quote(Side.BUY, "1")) == [], "notional of 2"
    assert cut(Room(buy=SideRoom(Decimal("0.03"), "net_buy_max")), quote(Side.BUY, "1")) == [("buy", "0.03")]


def test_phase_says_which_limit_has_cut_which_side() -> None:
    room = Room(buy=SideRoom(ZERO, "inventory_max"), sell=SideRoom(Decimal(1), "net_sell_max"))
    wanted = Wanted(phase="quoting", quotes=(quote(Side.BUY, "1"), quote(Side.SELL, "2")))
    assert clipped(wanted, room, RULES).phase == "quoting; bids cut by inventory_max; asks cut by net_sell_max"


def test_decision_to_leave_everything_as_it_is_is_left_as_it_is() -> None:
    wanted = Wanted(hold=True)
    assert clipped(wanted, Room(buy=SideRoom(ZERO, "net_buy_max")), RULES) is wanted


# What may be placed now


def test_order_that_may_still_fill_takes_its_room_until_its_end_is_known() -> None:
    room = Room(buy=SideRoom(Decimal(2), "net_buy_max"))
    for state in (OrderState.PENDING_NEW, OrderState.OPEN, OrderState.PENDING_CANCEL, OrderState.UNKNOWN):
        allowance = Allowance(room, [order(Side.BUY, "1.5", state=state)])
        assert not allowance.covers(quote(Side.BUY, "1"))
        assert allowance.covers(quote(Side.BUY, "0.5"))
        assert allowance.covers(quote(Side.SELL, "100"))
    assert Allowance(room, [order(Side.BUY, "1.5", state=OrderState.CANCELLED)]).covers(quote(Side.BUY, "2"))


def test_what_was_given_out_is_gone() -> None:
    allowance = Allowance(Room(sell=SideRoom(Decimal(2), "net_sell_max")), [])
    allowance.spend(quote(Side.SELL, "1.5"))
    assert (allowance.covers(quote(Side.SELL, "0.6")), allowance.covers(quote(Side.SELL, "0.5"))) == (False, True)


@pytest.mark.parametrize(("wanted", "is_covered"), [("0.5", True), ("1.5", True), ("2", True), ("2.1", False)])
def test_amendment_takes_only_what_it_adds(wanted: str, is_covered: bool) -> None:
    resting = order(Side.BUY, "2", fill(Side.BUY, "0.5"))
    allowance = Allowance(Room(buy=SideRoom(Decimal(2), "net_buy_max")), [resting])
    assert allowance.covers(quote(Side.BUY, wanted), resting) is is_covered


def test_amendment_of_unknown_outcome_counts_as_the_larger_of_both() -> None:
    doubtful = order(Side.BUY, "1", unseen_amendments=(UnseenAmendment(price=None, quantity=Decimal(3)),))
    assert still_to_count(doubtful) == 3
    full = Allowance(Room(buy=SideRoom(Decimal(3), "net_buy_max")), [doubtful])
    assert full.covers(quote(Side.BUY, "3"), doubtful)
    assert not full.covers(quote(Side.BUY, "3.01"), doubtful)


def test_trades_that_the_exchange_has_told_of_and_not_named_yet_are_still_to_count_also_after_the_end() -> None:
    ended = order(Side.BUY, "2", fill(Side.BUY, "0.5"), filled_quantity=Decimal("1.5"), state=OrderState.CANCELLED)
    assert still_to_count(ended) == 1


# Whatever fills

QUANTITIES = st.decimals("0.01", "5", places=2)
SIDES = st.sampled_from(Side)
LIMITS = st.builds(
    StrategyLimits,
    net_buy_max=st.none() | QUANTITIES,
    net_sell_max=st.none() | QUANTITIES,
    inventory_max=st.none() | QUANTITIES,
)
QUOTES = st.lists(
    st.builds(lambda side, quantity, level: quote(side, quantity, level=level), SIDES, QUANTITIES, st.integers(0, 3)), max_size=6
)


@given(st.data(), LIMITS, st.lists(QUOTES, min_size=1, max_size=5))
def test_limits_hold_whatever_is_wanted_and_whatever_fills_of_what_is_live(data: Any, limits: StrategyLimits, decisions: list[Any]) -> None:
    """Decision after decision, each carried out as far as the allowance goes, while what is unwanted lives on, and anything fills."""
    tally, live, number = Tally(), list[Order](), 0
    for quotes in decisions:
        room = room_of(limits, tally)
        allowance = Allowance(room, live)
        wanted = clipped(Wanted(quotes=tuple(quotes)), room, RULES)
        for each in wanted.quotes:
            amended = data.draw(st.sampled_from([None, *(known for known in live if known.request.side is each.side)]))
            if not allowance.covers(each, amended):
                continue
            allowance.spend(each, amended)
            if amended is None:
                live.append(order(each.side, each.quantity))
            else:  # in force or not: nobody has said
                total = amended.filled_quantity + each.quantity
                seen = (*amended.unseen_amendments, UnseenAmendment(price=None, quantity=total))
                live[live.index(amended)] = order(each.side, amended.request.quantity or ZERO, *amended.fills, unseen_amendments=seen)
        for index, known in enumerate(live):
            part = data.draw(st.sampled_from([ZERO, Decimal("0.5"), Decimal(1)]))
            if quantity := still_to_count(known) * part:
                number += 1
                trade = fill(known.request.side, quantity, number=number)
                tally = tally.after_fill(trade)
                live[index] = order(
                    known.request.side, known.request.quantity or ZERO, *known.fills, trade, unseen_amendments=known.unseen_amendments
                )
            net = tally.traded.quantity
            assert limits.net_buy_max is None or net <= limits.net_buy_max
            assert limits.net_sell_max is None or -net <= limits.net_sell_max
            assert limits.inventory_max is None or abs(tally.inventory) <= limits.inventory_max
        live = [known for known in live if data.draw(st.booleans())]


@given(LIMITS, st.lists(st.tuples(SIDES, QUANTITIES), max_size=4), QUOTES)
def test_clipped_quotes_are_never_larger_nor_smaller_than_the_exchange_takes_and_fit_together(
    limits: StrategyLimits, traded: list[tuple[Side, Decimal]], quotes: list[Quote]
) -> None:
    tally = tally_of(*(fill(side, quantity, number=number) for number, (side, quantity) in enumerate(traded)))
    room = room_of(limits, tally)
    left = clipped(Wanted(quotes=tuple(quotes)), room, RULES)
    allowance = Allowance(room, [])
    for each in left.quotes:
        assert allowance.covers(each), "what is clipped can be carried out whole"
        allowance.spend(each)
        originals = [known for known in quotes if (known.side, known.level, known.price) == (each.side, each.level, each.price)]
        assert each in originals or any(each.quantity < known.quantity for known in originals)
        assert each in originals or (each.quantity >= RULES.quantity_min and each.quantity * each.price >= RULES.notional_min)
