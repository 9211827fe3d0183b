"""Mark prices, funding, liquidation: what happens to positions without their owner's doing."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from contract_world import BTC, BUY, ETH, HOUR, SELL, ContractWorld
from engine_world import EngineWorld

from market.events import Side
from simulated.engine.events import (
    BalanceChanged,
    BalanceReason,
    FundingPaid,
    Liquidated,
    MarkPriceMoved,
    OrderChange,
    OrderChanged,
    PositionChanged,
    PositionReason,
    TradeMade,
)
from simulated.engine.invariants import InvariantBroken, check_invariants
from simulated.engine.order import FinishReason, OrderRefused, Refusal

PRICE_AWAY = {BUY: D("0.1"), SELL: D("-0.1")}


@pytest.fixture
def world() -> ContractWorld:
    return ContractWorld()


@pytest.fixture
def isolated() -> ContractWorld:
    return ContractWorld(is_cross=False)


# -- mark prices --------------------------------------------------------------------------------------------------------


def test_mark_price_is_told_when_it_moves_and_values_positions(world: ContractWorld) -> None:
    world.deal("bob", SELL, "100", "3")
    world.engine.set_mark_price(BTC, D("97.25"), 5_000, index_price=D("97.5"))
    world.engine.set_mark_price(BTC, D("97.25"), 6_000, index_price=D("97.5"))
    assert world.told(MarkPriceMoved) == [MarkPriceMoved(BTC, D("97.25"), D("97.5"), 5_000)]
    assert (world.engine.mark_price(BTC), world.engine.index_price(BTC), world.engine.mark_price(ETH)) == (D("97.25"), D("97.5"), D(100))
    assert world.engine.unrealised_pnl(world.position("bob")) == D("8.25")
    assert world.engine.maintenance_margin(world.position("bob")) == D("1.45875")


@pytest.mark.parametrize("price", ["0", "-1", "NaN"])
def test_mark_price_that_is_none_is_refused(world: ContractWorld, price: str) -> None:
    with pytest.raises(OrderRefused) as refused:
        world.mark(price)
    assert (refused.value.refusal, world.engine.mark_price(BTC)) == (Refusal.INVALID, D(100))


def test_engine_of_assets_has_no_positions() -> None:
    world = EngineWorld()
    with pytest.raises(RuntimeError, match="trades assets, not contracts"):
        world.engine.position("ann", BTC)
    with pytest.raises(OrderRefused) as refused:
        world.limit("ann", SELL, "100", "1", reduce_only=True)
    assert (refused.value.refusal, world.engine.available("ann", "USDT")) == (Refusal.INVALID, D(1_000_000))


# -- funding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "rate", "amount"), [(BUY, "0.001", "-0.22"), (BUY, "-0.001", "0.22"), (SELL, "0.001", "0.22")])
def test_longs_pay_shorts_the_rate_of_their_value_at_the_mark_price(world: ContractWorld, side: Side, rate: str, amount: str) -> None:
    world.deal("bob", side, "100", "2")
    world.mark("110")
    house, seen = world.wallet("house"), len(world.events)
    world.engine.pay_funding(BTC, D(rate), 7_000)
    position = world.position("bob")
    assert (world.wallet("bob"), world.wallet("house") - house, position.funding) == (D(1000) + D(amount), -D(amount), D(amount))
    (balance, paid, changed) = world.events[seen:]
    assert isinstance(balance, BalanceChanged)
    assert (balance.reason, balance.available_change, balance.symbol) == (BalanceReason.FUNDING, D(amount), BTC)
    assert isinstance(paid, FundingPaid)
    assert (paid.account, paid.symbol, paid.amount, paid.rate, paid.asset) == ("bob", BTC, D(amount), D(rate), "USDT")
    assert isinstance(changed, PositionChanged)
    assert (changed.reason, changed.position.funding) == (PositionReason.FUNDING, D(amount))
    world.check()


def test_funding_sums_up_to_zero_over_all_accounts_and_its_payments_have_ids_of_their_own(world: ContractWorld) -> None:
    world.deal("ann", BUY, "100.1", "0.007", with_="bob")
    world.deal("cid", SELL, "99.7", "0.003", with_="ann")
    world.mark("99.97")
    names = ("ann", "bob", "cid", "house", "fees", "insurance")
    before = {name: world.wallet(name) for name in names}
    world.engine.pay_funding(BTC, D("0.00012345"), world.now)
    world.engine.pay_funding(BTC, D("-0.00054321"), world.now)
    changes = {name: world.wallet(name) - before[name] for name in names}
    assert changes["ann"] == D("0.010") * D("99.97") * D("0.00041976")
    assert sum(changes.values()) == 0
    ids = [event.id for event in world.told(FundingPaid)]
    assert len(ids) == len(set(ids)) == 6
    world.check()


def test_funding_is_due_at_whole_intervals_and_paying_it_early_does_not_move_that(world: ContractWorld) -> None:
    assert world.engine.next_funding_milliseconds(BTC) == 8 * HOUR
    world.engine.pay_funding(BTC, D("0.001"), 8 * HOUR - 1)
    assert world.engine.next_funding_milliseconds(BTC) == 8 * HOUR
    world.engine.pay_funding(BTC, D("0.001"), 8 * HOUR + 5_000)
    assert (world.engine.next_funding_milliseconds(BTC), world.engine.next_funding_milliseconds(ETH)) == (16 * HOUR, 8 * HOUR)
    world.engine.pay_funding(BTC, D("0.001"), 7 * HOUR)  # a clock that was set back does not make it due again
    assert world.engine.next_funding_milliseconds(BTC) == 16 * HOUR
    world.engine.set_funding_rate(BTC, D("-0.002"))
    assert (world.engine.funding_rate(BTC), world.engine.funding_rate(ETH)) == (D("-0.002"), D("0.0001"))


def test_funding_that_the_wallet_lacks_is_taken_from_the_margin_of_an_isolated_position(isolated: ContractWorld) -> None:
    isolated.deal("bob", BUY, "100", "100")
    isolated.engine.pay_funding(BTC, D("0.001"), isolated.now)
    position = isolated.position("bob")
    assert (isolated.wallet("bob"), position.margin, position.margin_added) == (D(990), D(990), D(-10))
    isolated.check()
    isolated.deal("bob", SELL, "100", "40")
    assert (position.margin, position.margin_added) == (D(594), D(-6))
    isolated.check()
    isolated.deal("bob", SELL, "100", "60")
    assert (position.margin, position.margin_added, isolated.available("bob")) == (D(0), D(0), D(990))
    isolated.check()


def test_funding_that_leaves_too_little_liquidates(isolated: ContractWorld) -> None:
    isolated.deal("bob", BUY, "100", "100")
    isolated.engine.pay_funding(BTC, D("0.094"), isolated.now)
    assert isolated.position("bob").margin == 60
    isolated.engine.pay_funding(BTC, D("0.001"), isolated.now)
    assert (isolated.position("bob").quantity, isolated.wallet("bob")) == (D(0), D(0))
    isolated.check()


def test_funding_beyond_wallet_and_margin_is_paid_by_insurance(isolated: ContractWorld) -> None:
    isolated.deal("bob", BUY, "100", "100")
    isolated.engine.pay_funding(BTC, D("0.2"), isolated.now)
    assert (isolated.position("bob").quantity, isolated.wallet("bob"), isolated.wallet("insurance")) == (D(0), D(0), D(-1000))
    isolated.check()


def test_funding_beyond_the_margin_of_a_profitable_position_leaves_it_open_on_its_profit(isolated: ContractWorld) -> None:
    isolated.deal("bob", BUY, "100", "100")
    isolated.mark("200")
    isolated.engine.pay_funding(BTC, D("0.2"), isolated.now)
    position = isolated.position("bob")
    assert (position.quantity, position.margin, position.margin_added) == (D(100), D(0), D(-1000))
    assert (isolated.wallet("bob"), isolated.wallet("insurance")) == (D(0), D(-3000))
    isolated.check()


# -- liquidation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_cross", [True, False])
@pytest.mark.parametrize(("side", "price"), [(BUY, "100"), (SELL, "100"), (BUY, "103.7"), (SELL, "96.3")])
def test_position_is_liquidated_at_its_liquidation_price_and_not_a_tick_before(is_cross: bool, side: Side, price: str) -> None:
    world = ContractWorld(is_cross=is_cross)
    world.deal("ann", side, price, "37.531")
    world.deal("ann", side.opposite, "100", "1", symbol=ETH)
    liquidation_price = world.engine.liquidation_price(world.position("ann"))
    assert liquidation_price is not None
    world.mark(str(liquidation_price + PRICE_AWAY[side]))
    assert world.told(Liquidated) == []
    world.mark(str(liquidation_price))
    assert next(event.symbol for event in world.told(Liquidated)) == BTC
    assert world.position("ann").quantity == 0
    world.check()


def test_liquidation_price_is_none_without_a_position_and_where_the_wallet_stands_for_all(world: ContractWorld) -> None:
    assert world.engine.liquidation_price(world.position("bob")) is None
    world.deal("bob", BUY, "100", "10")
    assert world.engine.liquidation_price(world.position("bob")) is None
    world.deal("cid", SELL, "100", "10")
    assert world.engine.liquidation_price(world.position("cid")) == D("199.1")


def test_liquidated_position_is_sold_to_the_book_and_the_rest_at_the_bankruptcy_price(isolated: ContractWorld) -> None:
    isolated.deal("bob", BUY, "100", "10")
    isolated.limit("cid", BUY, "90.2", "4")
    isolated.limit("cid", BUY, "89.9", "50")
    isolated.mark("90.5")
    assert isolated.told(Liquidated) == []
    seen = len(isolated.events)
    isolated.mark("90.4")
    trades = [event.trade for event in isolated.events[seen:] if isinstance(event, TradeMade)]
    assert [(trade.price, trade.quantity, trade.maker.account) for trade in trades] == [
        (D("90.2"), D(4), "cid"),
        (D(90), D(6), "insurance"),
    ]
    (liquidated,) = isolated.told(Liquidated)
    order = isolated.engine.orders[liquidated.order_id]
    assert (liquidated.account, liquidated.side, liquidated.price, liquidated.quantity) == ("bob", SELL, D(90), D(10))
    assert (order.is_liquidation, order.client_id, order.finish, order.filled_quantity) == (True, "", FinishReason.FILLED, D(10))
    # What the better price left over stays with the account.
    assert (isolated.wallet("bob"), isolated.locked("bob"), isolated.wallet("insurance")) == (D("900.8"), D(0), D(0))
    assert isolated.position("insurance").quantity == 6
    isolated.check()


def test_events_tell_of_a_liquidation_in_the_order_in_which_it_happened(isolated: ContractWorld) -> None:
    isolated.deal("bob", BUY, "100", "10")
    resting = isolated.limit("bob", BUY, "80", "1")
    seen = len(isolated.events)
    isolated.mark("90.4")
    told = [event for event in isolated.events[seen:] if not isinstance(event, BalanceChanged)]
    orders = [(event.order.id == resting.id, event.change, event.order.finish) for event in told if isinstance(event, OrderChanged)]
    assert orders == [
        (True, OrderChange.FINISHED, FinishReason.LIQUIDATED),
        (False, OrderChange.PUT, None),
        (False, OrderChange.FINISHED, FinishReason.FILLED),
    ]
    assert isinstance(told[0], MarkPriceMoved)
    assert isinstance(told[-1], Liquidated)
    (changed,) = [event for event in told if isinstance(event, PositionChanged)]
    assert (changed.reason, changed.position.quantity, changed.position.margin) == (PositionReason.LIQUIDATED, D(0), D(0))


def test_gap_beyond_the_margin_takes_no_more_than_the_margin(isolated: ContractWorld) -> None:
    isolated.deal("bob", SELL, "100", "10")
    isolated.limit("cid", SELL, "150", "5")
    isolated.mark("150")
    assert (isolated.wallet("bob"), isolated.position("insurance").quantity, isolated.position("insurance").cost) == (
        D(900),
        D(-10),
        D(-1100),
    )
    assert isolated.engine.books[BTC].asks.quantity_at(D(150)) == 5
    isolated.check()


def test_fee_of_a_liquidation_beyond_the_margin_is_paid_by_insurance(isolated: ContractWorld) -> None:
    isolated.deal("ann", BUY, "100", "10")
    isolated.mark("90")
    assert (isolated.wallet("ann"), isolated.wallet("insurance"), isolated.wallet("fees")) == (D("899.5"), D("-0.45"), D("0.95"))
    assert [event.available_change for event in isolated.told(BalanceChanged) if event.reason is BalanceReason.INSURANCE] == [D("0.45")]
    isolated.check()


def test_isolated_liquidation_touches_only_the_orders_of_its_market(isolated: ContractWorld) -> None:
    isolated.deal("bob", BUY, "100", "10")
    ours = isolated.limit("bob", SELL, "120", "10", reduce_only=True)
    elsewhere = isolated.limit("bob", BUY, "80", "10", symbol=ETH)
    isolated.mark("90")
    assert (ours.finish, elsewhere.is_open) == (FinishReason.LIQUIDATED, True)
    isolated.check()


def test_cross_position_stands_on_all_of_the_wallet_and_takes_all_of_it(world: ContractWorld) -> None:
    world.leverage("bob", "10", is_cross=False, symbol=ETH)
    world.deal("bob", BUY, "100", "50")
    isolated_order = world.limit("bob", BUY, "50", "1", symbol=ETH)
    order = world.limit("bob", BUY, "50", "1")
    world.mark("80.5")
    assert world.position("bob").is_open
    world.mark("80.4")
    assert (world.position("bob").quantity, order.finish, isolated_order.is_open) == (D(0), FinishReason.LIQUIDATED, True)
    assert (world.wallet("bob"), world.told(Liquidated)[0].price) == (D(0), D(80))
    world.check()


def test_cross_positions_are_closed_largest_first_and_only_while_that_is_needed(world: ContractWorld) -> None:
    world.deal("bob", SELL, "100", "10", symbol=ETH)
    order = world.limit("bob", BUY, "50", "1", symbol=ETH)
    world.deal("bob", BUY, "100", "50")
    world.limit("cid", BUY, "80.5", "50")
    world.mark("80.5")
    (liquidated,) = world.told(Liquidated)
    assert (liquidated.symbol, liquidated.price, order.finish) == (BTC, D("80.1"), FinishReason.LIQUIDATED)
    assert (world.position("bob", ETH).quantity, world.wallet("bob")) == (D(-10), D(25))
    world.check()


def test_cross_positions_that_fall_together_share_what_is_left(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "10", symbol=ETH)
    world.deal("bob", BUY, "100", "50")
    world.mark("80.5")
    assert [(event.symbol, event.price) for event in world.told(Liquidated)] == [(BTC, D("80.1")), (ETH, D("99.5"))]
    assert (world.wallet("bob"), world.engine.open_positions("bob")) == (D(0), [])
    world.check()


def test_margin_of_isolated_positions_does_not_stand_behind_cross_ones(world: ContractWorld) -> None:
    world.leverage("bob", "2", is_cross=False, symbol=ETH)
    world.deal("bob", BUY, "100", "10", symbol=ETH)
    world.deal("bob", BUY, "100", "50")
    assert world.engine.liquidation_price(world.position("bob")) == D("90.4")
    world.mark("90.4")
    assert [(event.symbol, event.price) for event in world.told(Liquidated)] == [(BTC, D(90))]
    assert (world.wallet("bob"), world.position("bob", ETH).margin) == (D(500), D(500))
    world.check()


def test_profit_of_another_cross_position_keeps_one_from_liquidation(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "50")
    world.deal("bob", BUY, "100", "10", symbol=ETH)
    world.mark("130", ETH)
    world.mark("80.4")
    assert world.told(Liquidated) == []
    world.mark("100", ETH)
    assert next(event.symbol for event in world.told(Liquidated)) == BTC
    world.check()


def test_house_is_never_liquidated(world: ContractWorld) -> None:
    world.engine.withdraw("house", "USDT", world.wallet("house"), world.now)
    world.deal("bob", BUY, "100", "50")
    world.mark("100000")
    assert world.told(Liquidated) == []
    assert world.position("house").quantity == -50


def test_liquidation_may_end_the_reduce_only_orders_of_who_takes_it(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "50")
    world.deal("cid", SELL, "100", "5")
    world.limit("cid", BUY, "80.2", "3")
    resting = world.limit("cid", BUY, "70", "5", reduce_only=True)
    world.mark("80.4")
    assert (world.position("cid").quantity, resting.finish) == (D(-2), FinishReason.REDUCE_ONLY)
    assert [(one.account, one.reason) for one in world.told(PositionChanged)[-3:]] == [
        ("bob", PositionReason.LIQUIDATED),
        ("cid", PositionReason.TRADED),
        ("bob", PositionReason.LIQUIDATED),
    ]
    world.check()


def test_liquidation_that_fills_somebody_far_from_the_mark_price_may_make_them_due(isolated: ContractWorld) -> None:
    isolated.leverage("ann", "100")
    isolated.deal("bob", BUY, "100", "10")
    isolated.limit("ann", BUY, "95", "4")
    isolated.mark("90.4")
    assert [(event.account, event.price) for event in isolated.told(Liquidated)] == [("bob", D(90)), ("ann", D("94.1"))]
    isolated.check()


# -- wallets that owe -----------------------------------------------------------------------------------------------------


def test_loss_of_a_close_that_the_wallet_lacks_is_paid_by_insurance(world: ContractWorld) -> None:
    world.open("poor", usdt="10")
    world.deal("poor", BUY, "100", "1")
    world.deal("poor", SELL, "50", "1")
    assert (world.wallet("poor"), world.wallet("insurance")) == (D(0), D(-40))
    world.check()


def test_wallet_may_owe_while_the_profit_of_a_cross_position_stands_for_it(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "50")
    world.deal("bob", SELL, "100", "10", symbol=ETH)
    world.mark("130")
    world.deal("bob", BUY, "250", "10", symbol=ETH)
    assert (world.wallet("bob"), world.available("bob"), world.wallet("insurance")) == (D(-500), D(500), D(0))
    world.check()
    world.deal("bob", SELL, "130", "50")
    assert (world.wallet("bob"), world.wallet("insurance")) == (D(1000), D(0))
    world.check()


def test_position_that_an_order_opens_without_funds_gets_what_there_is(isolated: ContractWorld) -> None:
    isolated.open("poor", usdt="10")
    isolated.deal("poor", BUY, "100", "1")
    order = isolated.limit("poor", SELL, "100", "1")
    isolated.limit("house", BUY, "92", "1")
    isolated.limit("poor", SELL, "92", "1", reduce_only=True)
    assert (isolated.wallet("poor"), order.locked, isolated.available("poor")) == (D(2), D(10), D(0))
    isolated.limit("house", BUY, "100", "1")
    position = isolated.position("poor")
    assert (position.quantity, position.margin, position.margin_added, isolated.wallet("poor")) == (D(-1), D(2), D(-8), D(2))
    isolated.check()


# -- what the check of the invariants sees --------------------------------------------------------------------------------


def test_invariant_check_notices_what_was_made_of_nothing(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "2")
    order = world.limit("bob", SELL, "110", "1", reduce_only=True)
    position = world.position("bob")
    check_invariants(world.engine)
    position.cost += 1
    with pytest.raises(InvariantBroken, match=r"there is .* USDT, deposited was"):
        check_invariants(world.engine)
    position.cost -= 1
    position.quantity += 1
    with pytest.raises(InvariantBroken, match="positions in BTC/USDT sum up to 1"):
        check_invariants(world.engine)
    position.quantity -= 1
    order.quantity = D(3)
    with pytest.raises(InvariantBroken, match="would reduce 3"):
        check_invariants(world.engine)
    order.quantity = D(1)
    position.margin_added = D(1)
    with pytest.raises(InvariantBroken, match="bob in BTC/USDT holds"):
        check_invariants(world.engine)
