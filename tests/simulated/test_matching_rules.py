from __future__ import annotations

from decimal import Decimal as D

import pytest
from engine_world import BTC, BUY, FOK, IOC, POST_ONLY, SELL, EngineWorld

from simulated.engine.events import BalanceChanged, LevelChanged, OrderChange, OrderChanged, TradeMade
from simulated.engine.invariants import InvariantBroken, check_invariants
from simulated.engine.order import FinishReason, OrderRefused, Refusal, SelfTrade


@pytest.fixture
def world() -> EngineWorld:
    return EngineWorld()


def refusal(call: object) -> Refusal:
    with pytest.raises(OrderRefused) as refused:
        call()  # type: ignore[operator]
    return refused.value.refusal


def test_better_price_is_matched_first_then_earlier_arrival(world: EngineWorld) -> None:
    late = world.limit("bob", SELL, "101", "1")
    first = world.limit("bob", SELL, "100", "1")
    second = world.limit("cid", SELL, "100", "1")
    taker = world.limit("ann", BUY, "101", "2.5")
    trades = [event.trade for event in world.events if isinstance(event, TradeMade)]
    assert [(trade.maker.order_id, trade.price, trade.quantity) for trade in trades] == [
        (first.id, D(100), D(1)),
        (second.id, D(100), D(1)),
        (late.id, D(101), D("0.5")),
    ]
    assert (taker.finish, taker.filled_notional) == (FinishReason.FILLED, D("250.5"))
    check_invariants(world.engine)


def test_limit_buy_locks_its_price_and_gets_back_what_a_better_fill_leaves(world: EngineWorld) -> None:
    world.limit("bob", SELL, "99", "1")
    order = world.limit("cid", BUY, "100", "3")
    assert order.filled_quantity == 1
    assert world.held("cid", "USDT") == (D(1_000_000) - 99 - 200, D(200))
    world.engine.cancel(order.id, world.now)
    assert world.held("cid", "USDT") == (D(1_000_000) - 99, D(0))


def test_fees_are_taken_from_the_asset_received_by_role(world: EngineWorld) -> None:
    world.limit("bob", SELL, "100", "2")
    bought = world.limit("ann", BUY, "100", "2")
    assert (bought.fee, bought.fee_asset) == (D("0.004"), "BTC")
    assert world.held("ann", "BTC") == (D("1001.996"), D(0))
    world.limit("ann", SELL, "100", "1")
    world.limit("bob", BUY, "100", "1")
    assert world.held("ann", "USDT")[0] == D(1_000_000) - 200 + D("99.9")
    assert world.held("fees", "BTC")[0] == D("0.004")
    assert world.held("fees", "USDT")[0] == D("0.1")
    check_invariants(world.engine)


def test_market_buy_by_quote_spends_whole_steps_and_returns_the_dust(world: EngineWorld) -> None:
    world.limit("bob", SELL, "300", "1")
    order = world.spend("cid", "100")
    assert (order.filled_quantity, order.filled_notional, order.remaining_quote) == (D("0.333"), D("99.9"), D("0.1"))
    assert order.finish is FinishReason.FILLED
    assert world.held("cid", "USDT") == (D("999900.1"), D(0))


def test_market_order_on_an_empty_book_is_cancelled_without_a_fill(world: EngineWorld) -> None:
    assert world.spend("cid", "100").finish is FinishReason.IMMEDIATE_OR_CANCEL
    assert world.market("cid", SELL, "1").finish is FinishReason.IMMEDIATE_OR_CANCEL
    assert world.held("cid", "USDT") == (D(1_000_000), D(0))


def test_market_buy_by_quantity_locks_just_what_the_book_asks(world: EngineWorld) -> None:
    world.limit("bob", SELL, "100", "1")
    world.limit("bob", SELL, "101", "1")
    world.open("poor", usdt=150, btc=0)
    assert refusal(lambda: world.market("poor", BUY, "2")) is Refusal.BALANCE_NOT_ENOUGH
    assert world.market("poor", BUY, "1.4").filled_notional == D("140.4")


def test_immediate_or_cancel_leaves_nothing_in_the_book(world: EngineWorld) -> None:
    world.limit("bob", SELL, "100", "1")
    order = world.limit("cid", BUY, "100", "3", IOC)
    assert (order.finish, order.filled_quantity) == (FinishReason.IMMEDIATE_OR_CANCEL, D(1))
    assert world.book() == ([], [])


def test_fill_or_kill_fills_whole_or_is_refused_untouched(world: EngineWorld) -> None:
    world.limit("bob", SELL, "100", "1")
    world.limit("bob", SELL, "101", "1")
    assert refusal(lambda: world.limit("cid", BUY, "100", "2", FOK)) is Refusal.NOT_FILLABLE
    assert refusal(lambda: world.spend("cid", "300", FOK)) is Refusal.NOT_FILLABLE
    assert world.limit("cid", BUY, "101", "2", FOK).finish is FinishReason.FILLED


def test_post_only_is_refused_when_it_would_take_and_rests_otherwise(world: EngineWorld) -> None:
    world.limit("bob", SELL, "100", "1")
    assert refusal(lambda: world.limit("cid", BUY, "100", "1", POST_ONLY)) is Refusal.WOULD_TAKE
    assert world.limit("cid", BUY, "99.9", "1", POST_ONLY).is_open


@pytest.mark.parametrize(
    ("policy", "resting", "incoming", "trades"),
    [
        (SelfTrade.CANCEL_NEWEST, None, FinishReason.SELF_TRADE, 0),
        (SelfTrade.CANCEL_OLDEST, FinishReason.SELF_TRADE, FinishReason.FILLED, 1),
        (SelfTrade.CANCEL_BOTH, FinishReason.SELF_TRADE, FinishReason.SELF_TRADE, 0),
        (SelfTrade.ALLOW, FinishReason.FILLED, FinishReason.FILLED, 1),
    ],
)
def test_order_that_meets_its_own_account_follows_the_self_trade_policy(
    world: EngineWorld, policy: SelfTrade, resting: FinishReason | None, incoming: FinishReason, trades: int
) -> None:
    own = world.limit("cid", SELL, "100", "1")
    world.limit("bob", SELL, "100", "1")
    order = world.limit("cid", BUY, "100", "1", self_trade=policy)
    assert (own.finish, order.finish, world.engine.trade_count) == (resting, incoming, trades)
    check_invariants(world.engine)


def test_smaller_quantity_keeps_the_place_and_anything_else_loses_it(world: EngineWorld) -> None:
    first = world.limit("bob", SELL, "100", "3")
    second = world.limit("cid", SELL, "100", "1")
    world.engine.amend(first.id, world.now, quantity=D(2))
    assert [order.id for order in world.engine.books[BTC].asks.orders()] == [first.id, second.id]
    world.engine.amend(first.id, world.now, quantity=D(4))
    assert [order.id for order in world.engine.books[BTC].asks.orders()] == [second.id, first.id]
    assert world.held("bob", "BTC") == (D(996), D(4))
    check_invariants(world.engine)


def test_amended_price_that_crosses_is_matched_at_once(world: EngineWorld) -> None:
    world.limit("bob", SELL, "101", "1")
    order = world.limit("cid", BUY, "100", "2")
    world.engine.amend(order.id, world.now, price=D("101.5"))
    assert (order.filled_quantity, order.locked) == (D(1), D("101.5"))
    check_invariants(world.engine)


def test_amendment_is_refused_without_change_and_leaves_the_order_alone(world: EngineWorld) -> None:
    world.limit("bob", SELL, "101", "1")
    order = world.limit("cid", BUY, "100", "2", POST_ONLY)
    engine = world.engine
    assert refusal(lambda: engine.amend(order.id, 0, price=D(100))) is Refusal.NO_CHANGE
    assert refusal(lambda: engine.amend(order.id, 0, price=D(101))) is Refusal.WOULD_TAKE
    assert refusal(lambda: engine.amend(order.id, 0, quantity=D(20_000))) is Refusal.BALANCE_NOT_ENOUGH
    assert refusal(lambda: engine.amend(order.id, 0, price=D("100.05"))) is Refusal.PRICE_OFF_TICK
    engine.trade_against(order.id, "bob", D("0.5"), 0)
    assert refusal(lambda: engine.amend(order.id, 0, quantity=D("0.5"))) is Refusal.QUANTITY_TOO_SMALL
    assert (order.price, order.quantity, order.filled_quantity) == (D(100), D(2), D("0.5"))
    check_invariants(engine)


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        ("100.05", "1", Refusal.PRICE_OFF_TICK),
        ("100", "1.0005", Refusal.QUANTITY_OFF_STEP),
        ("100", "0.0001", Refusal.QUANTITY_OFF_STEP),
        ("0.1", "1", Refusal.NOTIONAL_TOO_SMALL),
        ("100", "10001", Refusal.BALANCE_NOT_ENOUGH),
        ("0", "1", Refusal.INVALID),
        ("100", "0", Refusal.INVALID),
        ("NaN", "1", Refusal.INVALID),
    ],
)
def test_order_that_breaks_a_rule_is_refused_and_changes_nothing(world: EngineWorld, price: str, quantity: str, expected: Refusal) -> None:
    events = len(world.events)
    assert refusal(lambda: world.limit("bob", BUY, price, quantity)) is expected
    assert (len(world.events), world.engine.accounts["bob"].open_orders) == (events, {})


def test_client_id_of_an_open_order_cannot_be_used_twice(world: EngineWorld) -> None:
    order = world.limit("bob", BUY, "100", "1", client_id="t-1")
    assert refusal(lambda: world.limit("bob", BUY, "100", "1", client_id="t-1")) is Refusal.DUPLICATE_CLIENT_ID
    world.limit("cid", BUY, "100", "1", client_id="t-1")
    world.engine.cancel(order.id, world.now)
    assert world.limit("bob", BUY, "100", "1", client_id="t-1").is_open


def test_finished_order_cannot_be_cancelled_again(world: EngineWorld) -> None:
    order = world.limit("bob", BUY, "100", "1")
    world.engine.cancel(order.id, world.now)
    assert refusal(lambda: world.engine.cancel(order.id, world.now)) is Refusal.ORDER_FINISHED
    assert refusal(lambda: world.engine.cancel(999, world.now)) is Refusal.UNKNOWN_ORDER


def test_resting_order_can_be_filled_out_of_turn_by_exactly_so_much(world: EngineWorld) -> None:
    world.limit("cid", SELL, "99", "1")
    order = world.limit("bob", SELL, "100", "1")
    world.engine.trade_against(order.id, "ann", D("0.4"), world.now)
    assert (order.filled_quantity, world.book()[1]) == (D("0.4"), [(D(99), D(1)), (D(100), D("0.6"))])
    check_invariants(world.engine)


def test_events_tell_of_a_life_in_the_order_in_which_it_happened(world: EngineWorld) -> None:
    order = world.limit("bob", SELL, "100", "2")
    world.limit("cid", BUY, "100", "1")
    world.engine.cancel(order.id, world.now)
    own = [event for event in world.events if isinstance(event, OrderChanged) and event.order.id == order.id]
    assert [(event.change, event.order.filled_quantity) for event in own] == [
        (OrderChange.PUT, D(0)),
        (OrderChange.UPDATED, D(1)),
        (OrderChange.FINISHED, D(1)),
    ]
    levels = [event for event in world.events if isinstance(event, LevelChanged)]
    assert [(level.quantity, level.update_id) for level in levels] == [(D(2), 2), (D(1), 3), (D(0), 4)]
    balances = [event for event in world.events if isinstance(event, BalanceChanged) and event.account == "bob" and event.asset == "BTC"]
    assert (balances[-1].available, balances[-1].locked) == (D(999), D(0))


def test_house_account_makes_no_private_events_and_leaves_no_history(world: EngineWorld) -> None:
    world.open("house", quiet=True)
    order = world.limit("house", SELL, "100", "1")
    world.limit("cid", BUY, "100", "1")
    assert order.id not in world.engine.orders
    assert not [event for event in world.events if isinstance(event, OrderChanged) and event.order.account == "house"]


def test_invariant_check_notices_money_that_was_made(world: EngineWorld) -> None:
    world.engine.accounts["bob"].balance("USDT").available += D("0.01")
    with pytest.raises(InvariantBroken, match="USDT"):
        check_invariants(world.engine)


def test_invariant_check_notices_a_lock_without_an_order(world: EngineWorld) -> None:
    order = world.limit("bob", SELL, "100", "1")
    order.locked = D(2)
    with pytest.raises(InvariantBroken, match="holds 2"):
        check_invariants(world.engine)
