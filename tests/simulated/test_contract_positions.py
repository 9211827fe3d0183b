"""Positions of contracts: what fills do to them, what they and their orders hold, and what reduce-only orders may do."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from contract_world import BTC, BUY, ETH, FOK, GTC, IOC, POST_ONLY, SELL, ContractWorld

from market.events import Side
from simulated.engine.events import BalanceChanged, BalanceReason, OrderChanged, PositionChanged, PositionReason, TradeMade
from simulated.engine.order import FinishReason, NewOrder, OrderKind, OrderRefused, Refusal, SelfTrade, TimeInForce
from simulated.engine.position import Position


@pytest.fixture
def world() -> ContractWorld:
    return ContractWorld()


def refusal(call: object) -> OrderRefused:
    with pytest.raises(OrderRefused) as refused:
        call()  # type: ignore[operator]
    return refused.value


# -- fills ------------------------------------------------------------------------------------------------------------


def test_fill_opens_a_position_that_holds_cost_by_leverage_and_costs_a_fee(world: ContractWorld) -> None:
    world.deal("ann", BUY, "100", "2")
    position = world.position("ann")
    assert (position.quantity, position.cost, position.entry_price, position.margin) == (D(2), D(200), D(100), D(20))
    assert (position.fees, position.realised_pnl, position.side, position.closing_side) == (D("0.1"), D(0), BUY, SELL)
    assert (world.wallet("ann"), world.locked("ann"), world.available("ann")) == (D("999.9"), D(20), D("979.9"))
    world.check()


def test_second_fill_adds_to_the_cost(world: ContractWorld) -> None:
    world.deal("bob", SELL, "100", "2")
    world.deal("bob", SELL, "103", "1")
    position = world.position("bob")
    assert (position.quantity, position.cost, position.entry_price, position.margin) == (D(-3), D(-303), D(101), D("30.3"))
    world.check()


@pytest.mark.parametrize(("side", "price", "profit"), [(BUY, "110", "9"), (BUY, "90", "-11"), (SELL, "110", "-9"), (SELL, "90", "11")])
def test_partial_close_realises_its_share_and_releases_its_margin(world: ContractWorld, side: Side, price: str, profit: str) -> None:
    world.deal("bob", side, "100", "2")
    world.deal("bob", side, "103", "1")
    order = world.deal("bob", side.opposite, price, "1")
    position = world.position("bob")
    assert (abs(position.quantity), abs(position.cost), position.entry_price) == (D(2), D(202), D(101))
    assert position.realised_pnl == order.realised_pnl == D(profit)
    assert (world.wallet("bob"), world.locked("bob")) == (D(1000) + D(profit), D("20.2"))
    world.check()


def test_full_close_leaves_an_empty_position_that_remembers_what_it_brought(world: ContractWorld) -> None:
    world.deal("ann", BUY, "100", "2")
    world.deal("ann", SELL, "105", "2")
    position = world.position("ann")
    assert (position.quantity, position.cost, position.entry_price, position.margin, position.side) == (D(0), D(0), None, D(0), None)
    assert (position.realised_pnl, position.fees) == (D(10), D("0.205"))
    assert position.last_close_pnl == position.history_pnl == D("9.795")
    assert (world.wallet("ann"), world.locked("ann"), world.engine.open_positions("ann")) == (D("1009.795"), D(0), [])
    world.check()


def test_what_a_position_brought_is_after_funding_and_fees_and_the_next_one_begins_without_any(world: ContractWorld) -> None:
    world.deal("ann", BUY, "100", "2")
    world.engine.pay_funding(BTC, D("0.001"), world.now)
    world.deal("ann", SELL, "105", "2")
    position = world.position("ann")
    assert (position.funding, position.realised_pnl, position.fees) == (D("-0.2"), D(10), D("0.205"))
    assert position.last_close_pnl == position.history_pnl == D("9.595")
    world.deal("ann", BUY, "100", "1")
    opened = world.position("ann")
    assert (opened.funding, opened.realised_pnl, opened.fees) == (D(0), D(0), D("0.05"))
    world.deal("ann", SELL, "100", "1")
    closed = world.position("ann")
    assert (closed.last_close_pnl, closed.history_pnl) == (D("-0.1"), D("9.495"))
    world.check()


def test_fill_beyond_the_position_flips_it_and_begins_new_figures(world: ContractWorld) -> None:
    world.deal("ann", BUY, "100", "2")
    world.now = 2_000
    order = world.deal("ann", SELL, "110", "5")
    position = world.position("ann")
    assert (position.quantity, position.cost, position.entry_price) == (D(-3), D(-330), D(110))
    assert (position.realised_pnl, position.fees, position.opened_at_milliseconds) == (D(0), D("0.165"), 2_000)
    assert position.last_close_pnl == D(20) - D("0.1") - D("0.11")
    assert (order.realised_pnl, order.fee, world.wallet("ann")) == (D(20), D("0.275"), D(1000) + D(20) - D("0.375"))
    trade = world.told(TradeMade)[-1].trade
    assert (trade.taker.closed_quantity, trade.taker.realised_pnl, trade.maker.closed_quantity) == (D(2), D(20), D(2))
    world.check()


def test_maker_and_taker_pay_their_own_rates_of_the_notional(world: ContractWorld) -> None:
    world.deal("bob", SELL, "100", "2", with_="ann")
    world.deal("ann", SELL, "200", "1", with_="bob")
    first, second = (event.trade for event in world.told(TradeMade))
    assert (first.maker.fee, first.taker.fee, first.maker.fee_asset) == (D("0.04"), D(0), "USDT")
    assert (second.taker.fee, second.maker.fee) == (D("0.1"), D(0))
    assert world.wallet("fees") == D("0.14")
    world.check()


def test_awkward_prices_telescope_to_the_last_digit(world: ContractWorld) -> None:
    for price, quantity in (("99.7", "0.007"), ("101.3", "0.013"), ("100.1", "0.017")):
        world.deal("bob", BUY, price, quantity)
    for price, quantity in (("98.9", "0.011"), ("103.3", "0.003"), ("77.7", "0.019"), ("100.9", "0.004")):
        world.deal("bob", SELL, price, quantity)
    paid = D("99.7") * D("0.007") + D("101.3") * D("0.013") + D("100.1") * D("0.017")
    received = D("98.9") * D("0.011") + D("103.3") * D("0.003") + D("77.7") * D("0.019") + D("100.9") * D("0.004")
    assert world.wallet("bob") == D(1000) + received - paid
    assert sum(event.trade.taker.realised_pnl for event in world.told(TradeMade)) == received - paid
    assert world.position("bob").last_close_pnl == received - paid
    world.check()


def test_share_of_a_partial_close_is_rounded_finely_and_the_last_close_takes_the_rest(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "0.001")
    world.deal("bob", BUY, "100.1", "0.002")
    world.deal("bob", SELL, "100", "0.001")
    assert world.position("bob").cost == D("0.3002") - D("0.100066666667")
    assert world.position("bob").entry_price == D("100.066666666500")
    world.deal("bob", SELL, "100", "0.001")
    world.deal("bob", SELL, "100", "0.001")
    assert world.position("bob").cost == 0
    assert world.wallet("bob") == D("999.9998")


def test_last_close_takes_all_of_a_cost_that_is_finer_than_what_is_rounded_to() -> None:
    position = Position(account="bob", symbol=BTC, leverage=D(10), is_cross=True)
    position.fill(BUY, D("0.000001237"), D("0.0000000089"), D(0), 1, 1)
    closed = position.fill(SELL, D("0.000001238"), D("0.0000000089"), D(0), 2, 2)
    assert (position.cost, closed.realised_pnl) == (D(0), D("8.9E-18"))


def test_money_that_one_side_has_realised_is_in_the_cost_of_the_other(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "1", with_="cid")
    world.deal("bob", SELL, "130", "1", with_="house")
    assert (world.wallet("bob"), world.wallet("cid")) == (D(1030), D(1000))
    assert world.position("cid").cost + world.position("house").cost == D(30)
    world.check()


def test_events_tell_of_a_fill_in_the_order_in_which_it_happened(world: ContractWorld) -> None:
    world.deal("ann", BUY, "100", "2")
    seen = len(world.events)
    world.deal("ann", SELL, "110", "2")
    told = world.events[seen:]
    wallet = [(event.reason, event.available_change, event.locked_change) for event in told if isinstance(event, BalanceChanged)]
    assert wallet == [
        (BalanceReason.REALISED, D(20), D(0)),
        (BalanceReason.FEE, D("-0.11"), D(0)),
        (BalanceReason.ORDER_MATCHED, D(20), D(-20)),
    ]
    assert all(event.symbol == BTC for event in told if isinstance(event, BalanceChanged))
    assert [type(event) for event in told if isinstance(event, TradeMade | PositionChanged | OrderChanged)] == [
        OrderChanged, TradeMade, PositionChanged, OrderChanged,
    ]  # fmt: skip
    changed = world.told(PositionChanged)
    trades = [event.trade.id for event in world.told(TradeMade)]
    assert [(one.account, one.position.quantity, one.position.last_trade_id, one.reason) for one in changed] == [
        ("ann", D(2), trades[0], PositionReason.TRADED),
        ("ann", D(0), trades[1], PositionReason.TRADED),
    ]
    assert changed[0].position.version < changed[1].position.version


# -- margin of orders ---------------------------------------------------------------------------------------------------


def test_order_holds_margin_and_the_taker_fee_of_what_it_could_add(world: ContractWorld) -> None:
    order = world.limit("ann", BUY, "99", "2")
    assert order.locked == world.engine.order_margin("ann", BTC) == D("19.8") + D("0.099")
    assert (order.locked_asset, order.fee_asset, world.available("ann")) == ("USDT", "USDT", D(1000) - order.locked)
    world.engine.cancel(order.id, world.now)
    assert (world.locked("ann"), world.available("ann")) == (D(0), D(1000))


def test_order_on_the_other_side_holds_only_for_what_goes_beyond_the_position(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "3")
    first = world.limit("bob", SELL, "110", "2")
    second = world.limit("bob", SELL, "120", "2")
    third = world.limit("bob", SELL, "130", "2")
    assert (first.locked, second.locked, third.locked) == (D(0), D(12), D(26))
    world.engine.cancel(first.id, world.now)
    assert (second.locked, third.locked) == (D(0), D(13))
    world.check()


def test_holds_of_resting_orders_follow_the_position(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "3")
    resting = world.limit("bob", SELL, "110", "3")
    assert resting.locked == 0
    world.deal("bob", SELL, "100", "2", with_="cid")
    assert (world.position("bob").quantity, resting.locked) == (D(1), D(22))
    world.check()


def test_order_that_the_wallet_cannot_back_is_refused_and_changes_nothing(world: ContractWorld) -> None:
    events = len(world.events)
    refused = refusal(lambda: world.limit("ann", BUY, "100", "100"))
    assert (refused.refusal, refused.bound, refused.value) == (Refusal.BALANCE_NOT_ENOUGH, D(1000), D(1005))
    assert refusal(lambda: world.limit("bob", SELL, "100", "100.001")).refusal is Refusal.BALANCE_NOT_ENOUGH
    assert (len(world.events), world.engine.accounts["ann"].open_orders) == (events, {})
    assert world.limit("bob", SELL, "100", "100").locked == 1000


def test_closing_needs_no_funds(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "100")
    assert world.available("bob") == 0
    assert refusal(lambda: world.limit("bob", BUY, "50", "0.001")).refusal is Refusal.BALANCE_NOT_ENOUGH
    assert world.limit("bob", SELL, "120", "60").locked == 0
    assert refusal(lambda: world.limit("bob", SELL, "120", "40.001")).refusal is Refusal.BALANCE_NOT_ENOUGH
    assert world.limit("bob", SELL, "120", "40").locked == 0
    world.check()


def test_market_order_needs_margin_for_what_the_book_has_beyond_the_position(world: ContractWorld) -> None:
    world.deal("bob", SELL, "100", "1")
    world.limit("house", SELL, "200", "1")
    world.limit("house", SELL, "9000", "1")
    world.limit("house", SELL, "10000", "5")
    refused = refusal(lambda: world.market("bob", BUY, "3"))
    assert (refused.refusal, refused.value) == (Refusal.BALANCE_NOT_ENOUGH, D(1900))
    assert refusal(lambda: world.market("bob", BUY, "2.1")).value == D(1000)
    assert world.market("bob", BUY, "1").filled_notional == 200
    world.check()


def test_limit_sell_needs_margin_for_the_better_prices_that_it_meets(world: ContractWorld) -> None:
    world.limit("house", BUY, "150", "50")
    refused = refusal(lambda: world.limit("bob", SELL, "100", "100"))
    assert (refused.refusal, refused.value) == (Refusal.BALANCE_NOT_ENOUGH, D(750) + D(500))
    order = world.limit("bob", SELL, "100", "75")
    assert (order.filled_quantity, order.locked, world.position("bob").margin) == (D(50), D(250), D(750))
    world.check()


def test_amendment_is_refused_where_the_margin_would_not_suffice(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "10")
    order = world.limit("bob", SELL, "100", "10")
    younger = world.limit("bob", SELL, "100", "50")
    assert (order.locked, younger.locked, world.available("bob")) == (D(0), D(500), D(400))
    refused = refusal(lambda: world.engine.amend(order.id, world.now, quantity=D("50.001")))
    assert (refused.refusal, refused.value) == (Refusal.BALANCE_NOT_ENOUGH, D("400.01"))
    world.engine.amend(order.id, world.now, quantity=D(50))
    assert (order.locked, younger.locked, world.available("bob")) == (D(400), D(500), D(0))
    world.engine.amend(order.id, world.now, quantity=D(5))
    assert (order.locked, younger.locked) == (D(0), D(450))
    assert refusal(lambda: world.engine.amend(younger.id, world.now, price=D(250))).value == D(675)
    world.engine.amend(younger.id, world.now, price=D(200))
    assert younger.locked == 900
    world.check()


def test_amended_sell_needs_margin_for_the_better_prices_that_it_meets(world: ContractWorld) -> None:
    order = world.limit("bob", SELL, "160", "50")
    world.limit("house", BUY, "150", "100")
    world.engine.withdraw("bob", "USDT", D(200), world.now)
    world.engine.amend(order.id, world.now, price=D(140))
    assert (order.filled_notional, world.locked("bob")) == (D(7500), D(750))
    world.check()


def test_house_account_holds_nothing_whatever_it_does(world: ContractWorld) -> None:
    world.deal("house", BUY, "100", "5", with_="cid")
    order = world.limit("house", SELL, "99999", "500")
    assert (order.locked, world.position("house").margin, world.locked("house")) == (D(0), D(0), D(0))
    assert not [event for event in world.told(PositionChanged) if event.account == "house"]
    world.check()


def test_quote_quantity_is_not_taken_for_contracts(world: ContractWorld) -> None:
    new = NewOrder(account="bob", symbol=BTC, side=BUY, kind=OrderKind.MARKET, quote_quantity=D(100), time_in_force=IOC)
    assert refusal(lambda: world.engine.place(new, world.now)).refusal is Refusal.INVALID


def test_profit_that_is_not_realised_backs_cross_orders_and_cannot_be_withdrawn(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "100")
    world.mark("103")
    assert (world.available("bob"), world.engine.unrealised_pnl(world.position("bob"))) == (D(300), D(300))
    assert refusal(lambda: world.engine.withdraw("bob", "USDT", D("0.01"), world.now)).refusal is Refusal.BALANCE_NOT_ENOUGH
    assert world.limit("bob", BUY, "100", "30").locked == 300
    assert world.engine.accounts["bob"].balance("USDT").available == -300
    world.mark("99.9")
    assert world.available("bob") == 0
    world.check()


def test_loss_that_is_not_realised_can_be_neither_used_nor_withdrawn(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "50")
    world.mark("94")
    assert world.available("bob") == D(500) - D(300)
    assert refusal(lambda: world.engine.withdraw("bob", "USDT", D("200.01"), world.now)).bound == D(200)
    world.engine.withdraw("bob", "USDT", D(200), world.now)
    world.check()


def test_profit_of_an_isolated_position_backs_nothing_else() -> None:
    world = ContractWorld(is_cross=False)
    world.deal("bob", BUY, "100", "100")
    world.mark("103")
    assert world.available("bob") == 0
    world.check()


# -- leverage -----------------------------------------------------------------------------------------------------------


def test_leverage_changes_what_position_and_orders_hold(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "10")
    order = world.limit("bob", BUY, "90", "10")
    seen = len(world.events)
    world.leverage("bob", "20")
    assert (world.position("bob").margin, order.locked, world.available("bob")) == (D(50), D(45), D(905))
    (balance, changed) = world.events[seen:]
    assert isinstance(balance, BalanceChanged)
    assert (balance.reason, balance.locked_change) == (BalanceReason.MARGIN_CHANGED, D(-95))
    assert isinstance(changed, PositionChanged)
    assert (changed.reason, changed.position.leverage) == (PositionReason.LEVERAGE_CHANGED, D(20))
    world.leverage("bob", "20")
    assert len(world.events) == seen + 2
    world.check()


def test_leverage_is_refused_out_of_bounds_and_where_the_margin_would_not_suffice(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "20")
    world.limit("bob", SELL, "100", "50")
    assert (world.position("bob").margin, world.available("bob")) == (D(200), D(500))
    refused = refusal(lambda: world.leverage("bob", "4.9"))
    assert (refused.refusal, refused.bound) == (Refusal.BALANCE_NOT_ENOUGH, D(500))
    world.leverage("bob", "5")
    assert world.available("bob") == 0
    for leverage in ("0.99", "100.01", "NaN"):
        assert refusal(lambda leverage=leverage: world.leverage("bob", leverage)).refusal is Refusal.LEVERAGE_OUT_OF_RANGE
    assert world.leverage("bob", "100").margin == 20
    world.check()


def test_leverage_that_would_leave_an_isolated_position_due_is_refused() -> None:
    world = ContractWorld(is_cross=False)
    world.deal("bob", BUY, "100", "10")
    world.mark("97")
    refused = refusal(lambda: world.leverage("bob", "30"))
    assert (refused.refusal, refused.bound) == (Refusal.BALANCE_NOT_ENOUGH, D("4.85"))
    assert world.position("bob").leverage == 10
    world.leverage("bob", "28")
    world.check()


@pytest.mark.parametrize("what", ["position", "order"])
def test_margin_mode_cannot_change_under_a_position_or_an_order(world: ContractWorld, what: str) -> None:
    if what == "position":
        world.deal("bob", BUY, "100", "1")
    else:
        world.limit("bob", BUY, "90", "1")
    assert refusal(lambda: world.leverage("bob", "10", is_cross=False)).refusal is Refusal.POSITION_IN_THE_WAY
    assert not world.leverage("bob", "10", is_cross=False, symbol=ETH).is_cross


# -- reduce-only ----------------------------------------------------------------------------------------------------------


def test_reduce_only_order_holds_nothing_and_fills_as_any_other(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "2")
    order = world.limit("bob", SELL, "110", "2", reduce_only=True)
    assert (order.locked, order.reduce_only) == (D(0), True)
    world.limit("house", BUY, "110", "2")
    assert (order.finish, world.position("bob").quantity, world.wallet("bob")) == (FinishReason.FILLED, D(0), D(1020))


@pytest.mark.parametrize("time_in_force", [GTC, IOC, FOK, POST_ONLY])
def test_reduce_only_order_with_nothing_to_reduce_is_refused(world: ContractWorld, time_in_force: TimeInForce) -> None:
    world.limit("house", BUY, "100", "5")
    price = "110" if time_in_force is POST_ONLY else "100"
    call = lambda: world.limit("bob", SELL, price, "1", time_in_force, reduce_only=True)  # noqa: E731
    assert (refusal(call).refusal, refusal(call).bound) == (Refusal.WOULD_INCREASE_POSITION, D(0))
    world.deal("bob", SELL, "120", "1")
    assert refusal(call).refusal is Refusal.WOULD_INCREASE_POSITION


@pytest.mark.parametrize("time_in_force", [GTC, FOK, POST_ONLY])
def test_reduce_only_order_for_more_than_the_position_is_refused(world: ContractWorld, time_in_force: TimeInForce) -> None:
    world.deal("bob", BUY, "100", "1")
    if time_in_force is FOK:
        world.limit("house", BUY, "110", "5")
    refused = refusal(lambda: world.limit("bob", SELL, "110", "1.001", time_in_force, reduce_only=True))
    assert (refused.refusal, refused.bound, refused.value) == (Refusal.WOULD_INCREASE_POSITION, D(1), D("1.001"))


@pytest.mark.parametrize("kind", ["limit", "market"])
def test_immediate_reduce_only_order_for_more_takes_what_there_is_and_ends(world: ContractWorld, kind: str) -> None:
    world.deal("bob", BUY, "100", "1")
    world.limit("house", BUY, "99", "0.4")
    world.limit("house", BUY, "98", "9")
    if kind == "market":
        order = world.market("bob", SELL, "5", reduce_only=True)
    else:
        order = world.limit("bob", SELL, "98", "5", IOC, reduce_only=True)
    assert (order.finish, order.filled_quantity, order.filled_notional) == (FinishReason.REDUCE_ONLY, D(1), D("98.4"))
    assert (world.position("bob").quantity, world.engine.books[BTC].bids.quantity_at(D(98))) == (D(0), D("8.4"))
    world.check()


def test_immediate_reduce_only_order_that_the_book_cannot_fill_ends_as_such(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "1")
    assert world.market("bob", SELL, "1", reduce_only=True).finish is FinishReason.IMMEDIATE_OR_CANCEL


def test_resting_reduce_only_orders_end_when_too_little_is_left_to_reduce(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "3")
    small = world.limit("bob", SELL, "110", "1", reduce_only=True)
    large = world.limit("bob", SELL, "111", "2.5", reduce_only=True)
    other = world.limit("bob", SELL, "112", "3")
    world.deal("bob", SELL, "100", "1", with_="cid")
    assert (small.is_open, large.finish, large.quantity, other.is_open) == (True, FinishReason.REDUCE_ONLY, D("2.5"), True)
    assert large.id not in {order.id for order in world.engine.books[BTC].asks.orders()}
    world.check()
    world.deal("bob", SELL, "100", "3", with_="cid")
    assert (world.position("bob").quantity, small.finish, other.is_open) == (D(-1), FinishReason.REDUCE_ONLY, True)
    world.check()


def test_reduce_only_orders_that_are_hit_one_after_another_never_turn_the_position(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "2")
    first = world.limit("bob", SELL, "110", "2", reduce_only=True)
    second = world.limit("bob", SELL, "110", "2", reduce_only=True)
    third = world.limit("bob", SELL, "111", "1", reduce_only=True)
    taker = world.limit("house", BUY, "111", "5")
    assert (first.finish, second.finish, third.finish) == (FinishReason.FILLED, FinishReason.REDUCE_ONLY, FinishReason.REDUCE_ONLY)
    assert (world.position("bob").quantity, taker.filled_quantity, second.filled_quantity) == (D(0), D(2), D(0))
    world.check()


def test_partly_filled_reduce_only_order_stays_while_it_reduces_no_more_than_there_is(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "2")
    order = world.limit("bob", SELL, "110", "2", reduce_only=True)
    world.limit("house", BUY, "110", "0.5")
    assert (order.is_open, order.remaining_quantity, world.position("bob").quantity) == (True, D("1.5"), D("1.5"))
    world.check()


def test_reduce_only_order_cannot_be_amended_beyond_the_position(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "2")
    order = world.limit("bob", SELL, "110", "1", reduce_only=True)
    world.engine.amend(order.id, world.now, quantity=D(2))
    refused = refusal(lambda: world.engine.amend(order.id, world.now, quantity=D("2.001")))
    assert (refused.refusal, refused.bound, order.quantity) == (Refusal.WOULD_INCREASE_POSITION, D(2), D(2))


def test_own_orders_that_trade_with_one_another_leave_the_position_as_it_was(world: ContractWorld) -> None:
    world.deal("bob", BUY, "100", "1")
    world.limit("bob", BUY, "90", "3")
    order = world.limit("bob", SELL, "90", "1", reduce_only=True, self_trade=SelfTrade.ALLOW)
    assert (order.finish, world.position("bob").quantity, world.wallet("bob")) == (FinishReason.FILLED, D(1), D(990))
    assert [event.account for event in world.told(PositionChanged)] == ["bob", "bob"]
    world.check()
